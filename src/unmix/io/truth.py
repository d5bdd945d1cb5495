"""Known abundances and endmembers to compare an answer with."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.files import read_head
from unmix.io.gdal import is_tiff, open_tiff
from unmix.io.mat import MatVariable, scan_mat, small_array

__all__ = ["Truth", "read_truth"]


MOST_MEMBERS = 64


@dataclass(frozen=True, eq=False)
class Truth:
    """What a scene is known to be made of.

    Parameters
    ----------
    abundances : ndarray, shape (rows, cols, member), or (pixel, member)
        Fractions; flat, in column-major pixel order, where the image's size is not known.
    endmembers : ndarray, shape (member, band), or None
    names : tuple of str
        "member 1", ... where the file has none.
    source : str
    """

    abundances: NDArray[np.float64]
    endmembers: NDArray[np.float64] | None
    names: tuple[str, ...]
    source: str = ""


def read_truth(path: str | Path, *, shape: tuple[int, int] | None = None) -> Truth:
    """Read a truth from a MATLAB file or from a GeoTIFF with one band a member.

    Parameters
    ----------
    path : path-like
        MATLAB: `A` (member, pixel; pixels counted down the columns; or turned) or `S_GT` or
        `abundance_cube` (rows, cols, member), with `M` (band, member), `GT` (member, band) or
        `spectra_library` (either), and names in `cood` or `mineral_names`.
    shape : (rows, cols), optional
        The scene's size, to fold `A`; else the file's own `nRow` and `nCol` do.

    Raises
    ------
    InputError
        No such file, no abundances in it, sizes that contradict each other, or damaged.
    """
    path = Path(path)
    truth = _from_tiff(path) if is_tiff(read_head(path)) else _from_mat(path, shape)
    _check_fractions(truth.abundances, path.name)
    got = truth.abundances.shape[:-1]
    if shape is not None and got != tuple(shape):
        raise InputError(
            f"{path.name}: truth is {' x '.join(map(str, got))} pixels, the scene "
            f"{shape[0]} x {shape[1]}; give the scene's own truth"
        )
    return truth


def _check_fractions(abundances: NDArray[np.float64], where: str) -> None:
    """Abundances are fractions, and not of hundreds of members: those are scenes."""
    if abundances.shape[-1] > MOST_MEMBERS:
        raise InputError(f"{where}: {abundances.shape[-1]} maps; give abundances, not a scene")
    known = abundances[np.isfinite(abundances)]
    if known.size and not -0.5 <= known.min() <= known.max() <= 1.5:
        raise InputError(
            f"{where}: values of {known.min():.3g} to {known.max():.3g} are no abundances; give "
            "fractions from 0 to 1"
        )


def _from_tiff(path: Path) -> Truth:
    """Abundance maps; band descriptions are the names."""
    with open_tiff(path) as file:
        if any(np.dtype(kind).kind == "c" for kind in file.dtypes):
            raise InputError(f"{path.name}: complex values are no abundances; give fractions")
        maps = np.moveaxis(file.read().astype(np.float64), 0, -1)
        if file.nodata is not None:
            maps[maps == file.nodata] = np.nan
        names = [name or f"member {i}" for i, name in enumerate(file.descriptions, 1)]
    return Truth(maps, None, tuple(names), str(path))


def _from_mat(path: Path, shape: tuple[int, int] | None) -> Truth:
    """The field's MATLAB conventions."""
    variables = scan_mat(path)
    abundances = _abundances(variables, path.name, shape)
    n_members = abundances.shape[-1]
    return Truth(
        abundances,
        _endmembers(variables, path.name, n_members),
        _names(variables, n_members),
        str(path),
    )


def _abundances(
    variables: Mapping[str, MatVariable], where: str, shape: tuple[int, int] | None
) -> NDArray[np.float64]:
    """Abundances (rows, cols, member), flat if the image's size is not known."""
    for name in ("S_GT", "abundance_cube"):
        if name in variables and len(variables[name].shape) == 3:
            return np.ascontiguousarray(variables[name].array(), np.float64)
    item = variables.get("A")
    if item is None or len(item.shape) != 2:
        found = ", ".join(f"{n} {v.shape}" for n, v in list(variables.items())[:12]) or "nothing"
        raise InputError(
            f"{where}: no abundances in it (found {found}); store A (member, pixel), or S_GT or "
            "abundance_cube (rows, cols, member)"
        )
    size = shape or _own_shape(variables)
    turned = size is not None and item.shape[0] == math.prod(size) != item.shape[1]
    pixels = np.ascontiguousarray(item.array() if turned else item.array().T, np.float64)
    if size is None:
        return pixels
    if math.prod(size) != len(pixels):
        raise InputError(
            f"{where}: A has {len(pixels)} pixels, not {size[0]} x {size[1]}; give the scene's "
            "own truth"
        )
    rows, cols = size
    return np.ascontiguousarray(pixels.reshape(cols, rows, -1).transpose(1, 0, 2))


def _own_shape(variables: Mapping[str, MatVariable]) -> tuple[int, int] | None:
    """`nRow`, `nCol` of the file."""
    found = [small_array(variables, name) for name in ("nRow", "nCol")]
    if any(value is None or value.size != 1 or not 1 <= value[0] <= 1e9 for value in found):
        return None
    return tuple(int(value[0]) for value in found if value is not None)  # type: ignore[return-value]


def _endmembers(
    variables: Mapping[str, MatVariable], where: str, n_members: int
) -> NDArray[np.float64] | None:
    """Endmembers (member, band), whichever way they are stored."""
    for name, member_axis in (("M", 1), ("GT", 0), ("spectra_library", None)):
        item = variables.get(name)
        if item is None or item.kind != "numeric" or len(item.shape) != 2:
            continue
        axis = member_axis if member_axis is not None else int(item.shape[0] != n_members)
        if item.shape[axis] != n_members:
            raise InputError(
                f"{where}: {name} {item.shape} has {item.shape[axis]} members, the abundances "
                f"{n_members}; correct the file"
            )
        spectra = np.asarray(item.array(), np.float64)
        return np.ascontiguousarray(spectra if axis == 0 else spectra.T)
    return None


def _names(variables: Mapping[str, MatVariable], n_members: int) -> tuple[str, ...]:
    """Names from `cood` or `mineral_names`, without leading numbers."""
    for key in ("cood", "mineral_names"):
        if key in variables and variables[key].kind in ("cell", "char"):
            names = [_plain(name) for name in variables[key].strings()]
            if len(names) == n_members and all(names):
                return tuple(names)
    return tuple(f"member {i + 1}" for i in range(n_members))


def _plain(name: str) -> str:
    """A name without the number some files put before it.

    >>> _plain("#2 Tree"), _plain("1-Asphalt Road"), _plain("Soil")
    ('Tree', 'Asphalt Road', 'Soil')
    """
    return re.sub(r"^#?[0-9]+[-.:)\s]+", "", name).strip()
