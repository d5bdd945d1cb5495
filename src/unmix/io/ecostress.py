"""ECOSTRESS (and ASTER) spectral library text files, one spectrum a file.

A header of `Key: value` lines, then two columns. Reflectance is mostly in percent, wavelength in
micrometres and often descending; the material's name is in the header.

References
----------
Meerdink, S. K. et al. (2019). The ECOSTRESS spectral library version 1.0. RSE 230.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unmix.checks import InputError
from unmix.io.raw import Raw

__all__ = ["is_ecostress", "merge", "read_ecostress"]

KEY = re.compile(r"\s*([A-Za-z][A-Za-z .]*?)\s*:\s*(.*)")


def is_ecostress(text: str) -> bool:
    r"""Whether the text begins like an ECOSTRESS file.

    >>> is_ecostress("Name: Clay\nX Units: nm\n"), is_ecostress("wavelength,clay\n")
    (True, False)
    """
    return bool(re.match(r"\s*Name\s*:", text, re.I)) and "units" in text[:20_000].lower()


def read_ecostress(text: str, file: str) -> Raw:
    r"""Parse one ECOSTRESS file.

    Raises
    ------
    InputError
        Not reflectance against wavelength, no name, a line that is not two numbers.

    >>> head = "Name: Calcite\nX Units: Wavelength (micrometers)\n"
    >>> rest = "Y Units: Reflectance (percent)\n\n2.2 40\n0.5 60\n"
    >>> raw = read_ecostress(head + rest, "calcite.txt")
    >>> raw.names, raw.unit, raw.factor, raw.spectra
    (('Calcite',), 'micrometers', 100.0, array([[40., 60.]]))
    """
    header, pairs = _split(text, file)
    x, y = header.get("x units", "").lower(), header.get("y units", "").lower()
    unit = re.search(r"(micromet\w*|nanomet\w*|microns?|[uµ]m|nm)\b", x)
    if unit is None:
        raise InputError(f"{file}: X Units {x!r:.40}; wavelength in micrometers or nm is read")
    if "reflect" not in y:
        raise InputError(f"{file}: Y Units {y!r:.40}; only reflectance is read")
    name = header.get("name", "")
    if not name:
        raise InputError(f"{file}: no Name in the header; add it")
    factor = 100.0 if "percent" in y or "%" in y else None
    wavelength, value = pairs.T
    return Raw(file, value[None], (name,), wavelength, None, unit[1], factor)


def _split(text: str, file: str) -> tuple[dict[str, str], np.ndarray]:
    """Header fields by lower-case key and the (wavelength, value) pairs."""
    header: dict[str, str] = {}
    pairs: list[tuple[float, float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        field = None if pairs else KEY.match(line)
        if field:
            header.setdefault(field[1].lower(), field[2].strip())
            continue
        try:
            a, b = line.replace(",", " ").split()
            pairs.append((float(a), float(b)))
        except ValueError:
            if pairs:
                raise InputError(f"{file}: line {number} is not two numbers; correct it") from None
    if not pairs:
        raise InputError(f"{file}: a header without a spectrum; take the spectrum file")
    return header, np.array(pairs)


def merge(spectra: Sequence[Raw], file: str) -> Raw:
    """Several one-spectrum files as one library, wavelengths in nm.

    On one common grid where they share it; otherwise on the union of their wavelengths with NaN
    where a spectrum was not measured: nothing is interpolated.

    >>> a = Raw("a", np.array([[1.0, 2.0]]), ("a",), np.array([500.0, 600.0]))
    >>> b = replace(a, names=("b",), wavelength=np.array([600.0, 700.0]))
    >>> merge([a, b], "two").spectra
    array([[ 1., 2., nan], [nan, 1., 2.]])
    """
    grid = np.unique(np.concatenate([s.wavelength for s in spectra if s.wavelength is not None]))
    values = np.full((len(spectra), len(grid)), np.nan)
    for row, spectrum in zip(values, spectra, strict=True):
        row[np.searchsorted(grid, np.asarray(spectrum.wavelength))] = spectrum.spectra[0]
    names = [spectrum.names[0] for spectrum in spectra]
    return replace(spectra[0], file=file, spectra=values, names=names, wavelength=grid)
