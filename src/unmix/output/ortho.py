"""Results of a swath put on their map grid, at the point where they are written.

A result folder holds maps on the grid alone, and beside them `glt.tif`: for each pixel of the grid
the swath's column and row, counted from 1, 0 where there is none.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.blocks import row_blocks
from unmix.checks import InputError
from unmix.io.georef import grid_coords
from unmix.ortho import Ortho, from_glt
from unmix.output.layers import Layers
from unmix.output.rasters import georeferencing, read_tiff, write_tiff
from unmix.types import Unmixing

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["on_grid", "read_lookup", "write_lookup"]

HOW = "each grid pixel shows its nearest swath pixel, by the geometry lookup of the product"
BANDS = ("glt_x", "glt_y")
_LARGE = 2**26
"""Bytes of a map that is put into a file."""


def on_grid(result: Unmixing, scratch: Path | None = None) -> Unmixing:
    """The result with every map on its grid; a result that is no swath comes back as it is.

    The maps then carry the lookup in `attrs["lookup"]`, and the provenance says under `grid` what
    was done. With a folder for `scratch`, large maps lie in files in it and must not outlive it.
    """
    ortho = result.abundances.attrs.get("swath")
    if not isinstance(ortho, Ortho):
        return result

    def gridded(maps: xr.DataArray) -> xr.DataArray:
        import xarray as xr

        values = _gridded(np.asarray(maps.values), ortho, scratch)
        labels = {name: maps.coords[name] for name in maps.dims if name in maps.coords}
        where = grid_coords(ortho.crs_wkt, ortho.affine, *ortho.index.shape)
        kept = {name: c for name, c in labels.items() if name not in ("y", "x")}
        return xr.DataArray(values, {**where, **kept}, maps.dims, attrs={"lookup": ortho})

    sure = result.uncertainty
    about = {"from": "swath", "swath": list(ortho.shape), "shape": list(ortho.index.shape)}
    return replace(
        result,
        abundances=gridded(result.abundances),
        residual=gridded(result.residual),
        uncertainty=None if sure is None else gridded(sure),
        left_out=None if result.left_out is None else gridded(result.left_out),
        rest=None if result.rest is None else gridded(result.rest),
        features=None if result.features is None else gridded(result.features),
        rgb=None if result.rgb is None else _view(result.rgb, ortho, scratch),
        provenance={**result.provenance, "grid": about | {"how": HOW}},
    )


def _gridded(values: NDArray[Any], ortho: Ortho, scratch: Path | None) -> NDArray[Any]:
    """Swath values on the grid, in a file where they are many."""
    shape = (*ortho.index.shape, *values.shape[2:])
    size = prod(shape) * values.dtype.itemsize
    if scratch is None or size < _LARGE:
        return ortho.apply(values)
    scratch.mkdir(exist_ok=True)
    path = scratch / f"{len(list(scratch.iterdir()))}"
    with path.open("wb") as file:  # written, not mapped: a full disk is an error then, no crash
        for rows in row_blocks(shape):
            part = replace(ortho, index=ortho.index[rows]).apply(values)
            file.write(np.ascontiguousarray(part).data)
    return np.memmap(path, values.dtype, "r", shape=shape)


def _view(rgb: NDArray[Any], ortho: Ortho, scratch: Path | None) -> NDArray[Any]:
    """The false-colour view on the grid, as coarse as it is."""
    if rgb.shape[:2] == ortho.shape:
        return _gridded(rgb, ortho, scratch)
    step = max(1, round(max(ortho.shape[k] / rgb.shape[k] for k in (0, 1))))
    index = ortho.index[::step, ::step]
    row, col = np.divmod(np.maximum(index, 0), ortho.shape[1])
    row, col = row * rgb.shape[0] // ortho.shape[0], col * rgb.shape[1] // ortho.shape[1]
    small = np.where(index < 0, -1, row * rgb.shape[1] + col).astype(np.int32)
    return replace(ortho, index=small, shape=rgb.shape[:2]).apply(rgb)


def write_lookup(result: Unmixing, path: Path) -> None:
    """The lookup of a result that was put on a grid; nothing for any other."""
    ortho = result.abundances.attrs.get("lookup")
    if not isinstance(ortho, Ortho):
        return

    def read(y: slice, x: slice) -> NDArray[np.int32]:
        index = ortho.index[y, x]
        row, col = np.divmod(index, ortho.shape[1])
        return np.where(index < 0, 0, np.stack([col + 1, row + 1])).astype(np.int32)

    rows, columns = ortho.index.shape
    table = Layers((2, rows, columns), np.dtype(np.int32), read)
    write_tiff(path, table, BANDS, *georeferencing(result.abundances))


def read_lookup(path: Path, about: Any, maps: xr.DataArray) -> Ortho | None:
    """The lookup of a result folder; None where it holds maps of a scene that was one.

    `about` is what the manifest says under `grid`.

    Raises
    ------
    InputError
        The file is damaged or belongs to another result.
    """
    if not path.is_file():
        return None
    try:
        rows, cols = (int(n) for n in about["swath"])
    except (TypeError, KeyError, ValueError):
        raise InputError(f"out: {path}: manifest.json says nothing of a swath; run anew") from None
    table, _ = read_tiff(path)
    if table.shape != (2, *maps.shape[:2]) or table.dtype.kind not in "iu":
        raise InputError(f"out: {path} and abundances.tif differ in size; run anew")
    attrs = maps.coords["spatial_ref"].attrs if "spatial_ref" in maps.coords else {}
    numbers = [float(v) for v in str(attrs.get("GeoTransform", "0 1 0 0 0 1")).split()]
    c, a, b, f, d, e = numbers
    crs = attrs.get("crs_wkt")
    return from_glt(table[0], table[1], (rows, cols), crs, (a, b, c, d, e, f), f"out: {path}")
