"""ENVI spectral libraries: a header (.hdr) and a binary file (.sli, or without suffix).

The binary file is one image band whose lines are spectra and whose samples are bands.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unmix.checks import InputError
from unmix.io.envi_header import _dtype, _fields, _text, _whole, split_list
from unmix.io.raw import Raw
from unmix.types import Endmembers

__all__ = ["find_sli", "read_sli", "sli_files", "sli_header"]

MISSING = -1.23e34
"""What stands for a missing value in the files we write, as in the USGS libraries."""
DATA_SUFFIXES = ("", ".sli", ".slb", ".lib", ".dat", ".img", ".bsq")
MAX_VALUES = 2**28


def find_sli(path: Path) -> tuple[Path, Path] | None:
    """Header and data file of the ENVI library that `path` is either half of, None if neither."""
    if path.suffix.lower() == ".hdr":
        for suffix in DATA_SUFFIXES:
            for data in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
                if data.is_file() and data != path:
                    return path, data
        raise InputError(f"{path.name}: no data file beside it; give the .sli with its .hdr")
    for header in (path.with_suffix(".hdr"), path.with_name(path.name + ".hdr")):
        if header.is_file():
            return header, path
    if path.suffix.lower() in (".sli", ".slb"):
        raise InputError(f"{path.name}: no header {path.stem}.hdr beside it; both are needed")
    return None


def read_sli(header: Path, data: Path) -> Raw:
    """Read an ENVI spectral library.

    Raises
    ------
    InputError
        The header is no ENVI library's, contradicts itself, or the data file has another size.
    """
    fields, where = _fields(_text(header), header.name), header.name
    if "librar" not in fields.get("file type", "").lower():
        raise InputError(f"{where}: 'file type' is not ENVI Spectral Library; is this a scene?")
    n_spectra, n_bands, planes, offset = (
        _whole(fields, name, where, default)
        for name, default in (
            ("lines", None),
            ("samples", None),
            ("bands", 1),
            ("header offset", 0),
        )
    )
    if planes != 1 or offset < 0 or n_spectra < 1 or n_bands < 1:
        raise InputError(f"{where}: lines, samples or bands make no library; correct them")
    dtype = np.dtype(_dtype(fields, where, []))
    if n_spectra * n_bands > MAX_VALUES:
        raise InputError(f"{where}: {n_spectra} × {n_bands} values is no library; correct it")
    size, need = data.stat().st_size, offset + n_spectra * n_bands * dtype.itemsize
    if size != need:
        raise InputError(
            f"{data.name}: {size} bytes where {where} says {need}; take the matching pair"
        )
    spectra = np.fromfile(data, dtype, offset=offset).reshape(n_spectra, n_bands).astype(float)
    return _raw(fields, spectra, data.name, where)


def _raw(fields: dict[str, str], spectra: np.ndarray, file: str, where: str) -> Raw:
    """Names, wavelengths, FWHM, missing values and scale from the header."""
    ignore = _list(fields, "data ignore value", 1, where)
    if ignore is not None:
        spectra[np.isclose(spectra, ignore[0], rtol=1e-6, atol=0)] = np.nan
    names = split_list(fields["spectra names"]) if "spectra names" in fields else []
    if names and len(names) != len(spectra):
        raise InputError(
            f"{where}: {len(names)} spectra names for {len(spectra)} spectra; give one each"
        )
    factor = _list(fields, "reflectance scale factor", 1, where)
    said = factor is not None and factor[0] != 1
    return Raw(
        file,
        spectra,
        names or [f"spectrum {i + 1}" for i in range(len(spectra))],
        _list(fields, "wavelength", spectra.shape[1], where),
        _list(fields, "fwhm", spectra.shape[1], where),
        fields.get("wavelength units", ""),
        float(factor[0]) if factor is not None and said else None,
    )


def _list(fields: dict[str, str], name: str, n: int, where: str) -> np.ndarray | None:
    if name not in fields:
        return None
    try:
        values = np.array([float(item) for item in split_list(fields[name])])
    except ValueError as error:
        raise InputError(f"{where}: {name}: {str(error)[:60]}; correct it") from None
    if len(values) != n:
        raise InputError(f"{where}: {len(values)} values of {name} for {n}; give one each")
    return values


def sli_header(endmembers: Endmembers) -> str:
    """The header that goes with `sli_files`.

    >>> E = Endmembers(np.array([[0.25, 0.5]], np.float32), np.array([500.0, 2200.0]), ("a,b",))
    >>> [line for line in sli_header(E).splitlines() if "names" in line or "type" in line]
    ['file type = ENVI Spectral Library', 'data type = 4', 'spectra names = {a;b}']
    """
    n_spectra, n_bands = endmembers.spectra.shape
    code = 4 if endmembers.spectra.dtype == np.float32 else 5
    swap = str.maketrans({",": ";", "{": "(", "}": ")", "\n": " ", "\r": " "})
    lines = [
        "ENVI",
        f"samples = {n_bands}",
        f"lines = {n_spectra}",
        "bands = 1",
        "header offset = 0",
        "file type = ENVI Spectral Library",
        f"data type = {code}",
        "interleave = bsq",
        "byte order = 0",
        f"data ignore value = {MISSING:g}",
        f"spectra names = {{{', '.join(name.translate(swap) for name in endmembers.names)}}}",
    ]
    if endmembers.wavelength is not None:
        lines.append("wavelength units = Nanometers")
        lines.append(f"wavelength = {{{', '.join(f'{w:.10g}' for w in endmembers.wavelength)}}}")
        if endmembers.fwhm is not None:
            lines.append(f"fwhm = {{{', '.join(f'{w:.10g}' for w in endmembers.fwhm)}}}")
    return "\n".join(lines) + "\n"


def sli_files(endmembers: Endmembers) -> tuple[bytes, bytes]:
    """The contents of the header and of the binary file; missing values become -1.23e34."""
    kind = "<f4" if endmembers.spectra.dtype == np.float32 else "<f8"
    spectra = np.where(np.isnan(endmembers.spectra), MISSING, endmembers.spectra)
    return sli_header(endmembers).encode(), np.ascontiguousarray(spectra, kind).tobytes()
