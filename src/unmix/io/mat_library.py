"""Endmembers from MATLAB files, v5 to v7.2 (SciPy) and v7.3 (HDF5).

The spectra are `M` (band, member), `GT` (member, band), `spectra_library` (either way round) or, as
in published bundles, `lib1`, `lib2`, ... (band, spectrum) with `material_names`; names are in
`mineral_names`, `cood`, `names` or `material_names`, wavelengths in `wavelengths` or `wavelength`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unmix.checks import InputError
from unmix.io.raw import Raw

__all__ = ["read_mat_library"]

SPECTRA = ("M", "GT", "spectra_library")
NAMES = ("mineral_names", "cood", "names", "material_names")
WAVELENGTHS = ("wavelengths", "wavelength", "wl", "lambda")


def read_mat_library(path: Path) -> Raw:
    """Read endmembers from a .mat file.

    Raises
    ------
    InputError
        Not a MATLAB file, no variable of spectra, counts that contradict each other.
    """
    content = _load(path)
    names = next((_strings(content[n]) for n in NAMES if n in content), [])
    axis = next((_vector(content[n], path.name) for n in WAVELENGTHS if n in content), None)
    bundles = [content[f"lib{i + 1}"] for i in range(len(names)) if f"lib{i + 1}" in content]
    found = next((n for n in SPECTRA if n in content), None)
    if found is not None:
        spectra = _oriented(content[found], found, axis, names, path.name)
        note = f"variable {found}"
    elif bundles and len(bundles) == len(names):
        names = [
            f"{n} {i + 1}" for n, b in zip(names, bundles, strict=True) for i in range(b.shape[1])
        ]
        spectra, note = np.hstack([np.asarray(b, float) for b in bundles]).T, "variables lib1, ..."
    else:
        raise InputError(f"{path.name}: no endmembers; expects a variable {', '.join(SPECTRA)}")
    names = names or [f"endmember {i + 1}" for i in range(len(spectra))]
    if len(names) != len(spectra):
        raise InputError(
            f"{path.name}: {len(names)} names for {len(spectra)} spectra; correct them"
        )
    return Raw(path.name, spectra, names, axis, notes=(note,))


def _oriented(
    value: Any, name: str, axis: np.ndarray | None, names: list[str], file: str
) -> np.ndarray:
    """The spectra as (member, band)."""
    array = np.asarray(value)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or 0 in array.shape:
        raise InputError(f"{file}: {name} is no matrix of spectra; give (bands, members)")
    rows, cols = array.shape
    if axis is not None and (len(axis) == rows) != (len(axis) == cols):
        turn = len(axis) == rows
    elif names and (len(names) == rows) != (len(names) == cols):
        turn = len(names) == cols
    else:
        turn = {"M": True, "GT": False}.get(name, rows > cols)
    return np.asarray(array.T if turn else array, float)


def _load(path: Path) -> dict[str, Any]:
    """The variables of a MATLAB file we may need."""
    from scipy.io import loadmat

    wanted = (*SPECTRA, *NAMES, *WAVELENGTHS, *(f"lib{i}" for i in range(1, 65)))
    with path.open("rb") as file:
        start = file.read(8)
    try:
        if start == b"\x89HDF\r\n\x1a\n" or _is_v73(path):
            return _load_v73(path, wanted)
        return dict(loadmat(path, variable_names=wanted))
    except Exception as error:  # a damaged file fails anywhere in the parsers
        reason = " ".join(str(error).split())[:80]
        raise InputError(f"{path.name}: cannot be read as a MATLAB file ({reason})") from None


def _is_v73(path: Path) -> bool:
    with path.open("rb") as file:
        return b"MATLAB 7.3" in file.read(128)


def _load_v73(path: Path, wanted: tuple[str, ...]) -> dict[str, Any]:
    """HDF5 stores MATLAB's arrays transposed, text as code points and cells as references."""
    import h5py

    found: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        for name in wanted:
            item = file.get(name)
            if not isinstance(item, h5py.Dataset):
                continue
            if item.dtype == h5py.ref_dtype:
                cells = (np.asarray(file[ref]).ravel() for ref in item[()].ravel())
                found[name] = ["".join(map(chr, cell)) for cell in cells]
            elif item.attrs.get("MATLAB_class") == b"char":
                found[name] = ["".join(map(chr, row)) for row in item[()].T]
            else:
                found[name] = item[()].T
    return found


def _strings(value: Any) -> list[str]:
    """Names from a cell array or a character matrix."""
    flat = np.asarray(value, dtype=object).ravel()
    return [str(np.asarray(item).ravel()[0] if np.size(item) else "").strip() for item in flat]


def _vector(value: Any, file: str) -> np.ndarray:
    """Wavelengths from a row, a column or a cell."""
    try:
        return np.asarray(value, float).ravel()
    except (TypeError, ValueError):
        raise InputError(f"{file}: its wavelengths are no numbers; correct them") from None
