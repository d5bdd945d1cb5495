"""A spectral library as a file gives it, and the rules that make it `Endmembers`.

The rules, the same for every format:

- **Wavelength.** In nm; the unit is the declared one, or else told from the values (below 100:
  micrometres). Bands without a wavelength are left out, the others sorted.
- **Scale.** Reflectance as a fraction. A declared unit or factor is used; without one, values whose
  99th percentile is at most 2 are fractions, at most 120 percent, above that 10 000ths; unless
  they are meant for a scene whose own scale is a guess and are on its stored level (`_like_scene`).
- **Missing.** NaN, an empty cell, -9999 and anything below -1e30 (USGS writes -1.23e34).
- **Names.** Repeated ones get a number.

What was done is said in `Endmembers.source`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.bands import wavelengths_to_nm
from unmix.types import Endmembers

__all__ = ["Raw", "to_endmembers", "unique_names"]

Array = NDArray[np.floating]

FRACTION_UP_TO = 2.0
PERCENT_UP_TO = 120.0
TEN_THOUSANDTHS_UP_TO = 30_000.0
SAME_LEVEL = 5.0
MISSING_BELOW = -1e30
MISSING = -9999.0


@dataclass(frozen=True, eq=False)
class Raw:
    """What a file says, before the rules.

    Parameters
    ----------
    file : str
        The file's name, for messages and the source text.
    spectra : ndarray, shape (member, band)
    names : sequence of str
    wavelength, fwhm : ndarray, shape (band,), optional
        In the file's unit.
    unit : str
        The wavelength unit the file declares, or "".
    factor : float, optional
        Divide by this to get fractions, where the file declares it.
    notes : tuple of str
        What the reader did.
    """

    file: str
    spectra: Array
    names: Sequence[str]
    wavelength: Array | None = None
    fwhm: Array | None = None
    unit: str = ""
    factor: float | None = None
    notes: tuple[str, ...] = field(default=())


def to_endmembers(
    raw: Raw, scale: float | None = None, like: tuple[float, float] | None = None
) -> Endmembers:
    """Apply the rules above.

    Parameters
    ----------
    scale : float, optional
        Divide by this in place of the rule for the scale; 1 keeps the file's values.
    like : (divisor, level), optional
        A scene without a declared scale: what its stored values are divided by, and the 99th
        percentile of the result. Of use where the file declares no unit either.

    Raises
    ------
    InputError
        No spectrum or band, infinite values, wavelengths that are none, unknown scale.

    >>> raw = Raw("a.csv", np.array([[40.0, 30.0]]), ["clay"], np.array([2.2, 0.5]), unit="um")
    >>> clay = to_endmembers(raw)
    >>> clay.wavelength, clay.spectra
    (array([ 500., 2200.]), array([[0.3, 0.4]]))
    >>> clay.source
    'a.csv: 1 spectrum; percent to fraction; micrometres to nm; sorted by wavelength'
    """
    spectra = _missing_to_nan(np.array(raw.spectra, float))
    if spectra.ndim != 2 or 0 in spectra.shape:
        raise InputError(f"{raw.file}: no spectra in it; give at least one, with at least one band")
    if np.isinf(spectra).any():
        raise InputError(f"{raw.file}: infinite values; leave cells without a value empty")
    count = f"{len(spectra)} spectr{'um' if len(spectra) == 1 else 'a'}"
    notes = [*raw.notes]
    factor = raw.factor if scale is None else scale
    if factor is None and like is not None:
        factor = _like_scene(spectra, *like)
    spectra, note = _to_fraction(spectra, factor, raw.file)
    notes += note
    names, note = unique_names(raw.names)
    notes += note
    spectra, wavelength, fwhm, note = _on_axis(raw, spectra)
    notes += note
    spectra, names, note = _without_empty(spectra, names, raw.file)
    notes += note
    return Endmembers(spectra, wavelength, names, f"{raw.file}: {'; '.join([count, *notes])}", fwhm)


def unique_names(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names with a number where they repeat, and what to note.

    >>> unique_names(["soil", "tree", "soil"])
    (('soil', 'tree', 'soil 2'), ('1 repeated name numbered',))
    """
    tidy = [" ".join(name.split()) for name in names]
    reserved, used, found = set(tidy), set[str](), []
    for number, given in enumerate(tidy, start=1):
        name = unique = given or f"endmember {number}"
        count = 1
        while unique in used or (count > 1 and unique in reserved):
            count += 1
            unique = f"{name} {count}"
        used.add(unique)
        found.append(unique)
    changed = sum(a != b for a, b in zip(found, tidy, strict=True))
    note = (f"{changed} repeated name{'s' if changed > 1 else ''} numbered",) if changed else ()
    return tuple(found), note


def _missing_to_nan(spectra: Array) -> Array:
    spectra[(spectra < MISSING_BELOW) & np.isfinite(spectra) | (spectra == MISSING)] = np.nan
    return spectra


def _to_fraction(spectra: Array, factor: float | None, file: str) -> tuple[Array, tuple[str, ...]]:
    """Spectra as fractions and what to note."""
    if factor is not None:
        if not (np.isfinite(factor) and factor > 0):
            raise InputError(f"{file}: scale factor {factor}; give a positive number")
        return (spectra, ()) if factor == 1 else (spectra / factor, (f"divided by {factor:g}",))
    finite = spectra[np.isfinite(spectra)]
    top = float(np.percentile(finite, 99)) if finite.size else 0.0
    if top <= FRACTION_UP_TO:
        return spectra, ()
    if top <= PERCENT_UP_TO:
        return spectra / 100.0, ("percent to fraction",)
    if top <= TEN_THOUSANDTHS_UP_TO:
        return spectra / 10_000.0, ("10 000ths to fraction",)
    raise InputError(f"{file}: values up to {top:.3g} are no reflectance; give fractions")


def _like_scene(spectra: Array, divisor: float, level: float) -> float | None:
    """The divisor that brings spectra within a factor of 5 of a scene's level; None: the rule.

    Large numbers are tried as the scene's stored values first; others by the rule, then as they
    are. So spectra taken from a scene of raw numbers fit it again.

    >>> _like_scene(np.array([[390.0, 420.0]]), divisor=1000.0, level=0.4)
    1000.0
    """
    finite = spectra[np.isfinite(spectra)]
    top = float(np.percentile(np.abs(finite), 99)) if finite.size else 0.0
    rule = 1.0 if top <= FRACTION_UP_TO else 100.0 if top <= PERCENT_UP_TO else 10_000.0
    order = (divisor, rule) if top > PERCENT_UP_TO else (rule, 1.0, divisor)
    near = [d for d in order if level / SAME_LEVEL <= top / d <= level * SAME_LEVEL]
    return near[0] if near and near[0] != rule else None


def _without_empty(
    spectra: Array, names: tuple[str, ...], file: str
) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """Leave out spectra without any value (or zero throughout)."""
    full = np.flatnonzero(np.count_nonzero(np.nan_to_num(spectra), axis=1))
    n_empty = len(spectra) - len(full)
    if n_empty == 0:
        return spectra, names, ()
    if len(full) == 0:
        raise InputError(f"{file}: every spectrum is empty; there is nothing to read")
    note = f"{n_empty} empty spectr{'um' if n_empty == 1 else 'a'} left out"
    return spectra[full], tuple(names[i] for i in full), (note,)


def _on_axis(raw: Raw, spectra: Array) -> tuple[Array, Array | None, Array | None, tuple[str, ...]]:
    """Spectra, wavelengths and FWHM in nm, sorted, and what to note."""
    unit = raw.unit.strip().lower()
    if raw.wavelength is None or unit in ("index", "band"):
        return spectra, None, None, ()
    if len(raw.wavelength) != spectra.shape[1]:
        raise InputError(
            f"{raw.file}: {len(raw.wavelength)} wavelengths for {spectra.shape[1]} bands; "
            "give one a band"
        )
    wavelength, factor, note = wavelengths_to_nm(raw.wavelength, unit, raw.file)
    notes = [note] if note else ["micrometres to nm"] if factor == 1000.0 else []
    order = np.argsort(wavelength, kind="stable")
    order = order[np.isfinite(wavelength[order])]
    if order.size == 0:
        raise InputError(f"{raw.file}: no band has a wavelength; name the first column 'band'")
    if len(order) < len(wavelength):
        notes.append(f"{len(wavelength) - len(order)} bands without a wavelength left out")
    if (np.diff(order) < 0).any():
        notes.append("sorted by wavelength")
    fwhm = None if raw.fwhm is None else np.asarray(raw.fwhm, float)[order] * factor
    return spectra[:, order], wavelength[order], fwhm, tuple(notes)
