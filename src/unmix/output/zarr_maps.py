"""The large maps as one Zarr group instead of GeoTIFFs: maps.zarr.

Arrays `abundances` (member, y, x), `residual` (residual_quantity, y, x), `uncertainty` (member,
uncertainty_quantity, y, x) and `features` (feature_quantity, y, x), float32, NaN without data, in
chunks of 256 × 256 pixels of one map each; names are coordinates. The grid is said as CF has it: a
grid mapping `spatial_ref` with `crs_wkt` and `GeoTransform`, and the pixels' centres `x` and `y`
unless the grid is rotated. Metadata are consolidated.

Format 2 of Zarr, because consolidated metadata and text are part of it: in format 3 both are
extensions so far, of which readers warn. xarray, rioxarray and GDAL (QGIS) read either.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.output.features import feature_names
from unmix.output.pyramid import TILE
from unmix.output.rasters import georeferencing
from unmix.types import STATISTICS, Unmixing

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["NAME", "folder_hash", "read_zarr", "write_zarr"]

NAME = "maps.zarr"
MAPS = ("abundances", "residual", "uncertainty", "features")
RESIDUAL = ("rmse", "angle", "scale")
_COMPRESSOR = {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 1, "blocksize": 0}
_PLACE = "spatial_ref"


def write_zarr(result: Unmixing, path: Path) -> None:
    """Write the group, a row of chunks at a time, each read back.

    Raises
    ------
    OSError
        No space left, or the maps read back differently.
    """
    import zarr

    group = zarr.open_group(path, mode="w-", zarr_format=2)
    placed = _write_grid(group, result.abundances)
    for name, maps, axes in _maps(result):
        values = maps.values
        for axis, labels in axes.items():
            if axis not in group:
                _coordinate(group, axis, np.array(labels, dtype=str))
        shape = (*values.shape[2:], *values.shape[:2])
        chunks = (*(1 for _ in axes), *(min(TILE, n) for n in values.shape[:2]))
        array = _create(group, name, shape, chunks, np.dtype("<f4"), (*axes, "y", "x"), np.nan)
        array.attrs.update(placed | {"names": list(axes.values())})
        _fill(path / name, array, values)
    zarr.consolidate_metadata(group.store, zarr_format=2)


def _maps(result: Unmixing) -> Iterator[tuple[str, xr.DataArray, dict[str, list[str]]]]:
    """Name, maps (y, x, ...), and the names along what follows (y, x)."""
    member = {"member": list(result.endmembers.names)}
    yield "abundances", result.abundances, member
    yield "residual", result.residual, {"residual_quantity": list(RESIDUAL)}
    if result.uncertainty is not None:
        yield "uncertainty", result.uncertainty, member | {"uncertainty_quantity": list(STATISTICS)}
    if result.features is not None:
        bands = [str(band) for band in result.features.coords["quantity"].values]
        yield "features", result.features, {"feature_quantity": bands}


def _create(
    group: Any, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: np.dtype[Any],
    dims: Sequence[str], fill: Any,
) -> Any:  # fmt: skip
    from numcodecs import get_codec

    array = group.create_array(
        name, shape=shape, chunks=chunks, dtype=dtype, fill_value=fill,
        compressors=get_codec(dict(_COMPRESSOR)) if shape and dtype.kind == "f" else None,
    )  # fmt: skip
    array.attrs["_ARRAY_DIMENSIONS"] = list(dims)
    return array


def _coordinate(group: Any, name: str, values: NDArray[Any]) -> None:
    array = _create(group, name, values.shape, values.shape, values.dtype, (name,), None)
    array[...] = values


def _write_grid(group: Any, maps: xr.DataArray) -> dict[str, Any]:
    """The grid mapping and the pixels' centres; the attributes by which maps refer to them."""
    crs, transform = georeferencing(maps)
    if crs is None and transform is None:
        return {}
    array = group.create_array(_PLACE, shape=(), dtype="<i4", compressors=None, fill_value=None)
    array[...] = 0
    about: dict[str, Any] = {"_ARRAY_DIMENSIONS": []}
    if crs is not None:
        about |= {"crs_wkt": crs.to_wkt(), "spatial_ref": crs.to_wkt()}
    if transform is not None:
        about["GeoTransform"] = " ".join(repr(float(v)) for v in transform.to_gdal())
    array.attrs.update(about)
    if transform is not None and not transform.b and not transform.d:
        for name, start, step, n in (
            ("y", transform.f, transform.e, maps.shape[0]),
            ("x", transform.c, transform.a, maps.shape[1]),
        ):
            _coordinate(group, name, start + step * (np.arange(n) + 0.5))
            role = "projection" if crs is None or crs.is_projected else None
            geographic = {"y": "latitude", "x": "longitude"}[name]
            standard = f"{role}_{name}_coordinate" if role else geographic
            group[name].attrs.update({"axis": name.upper(), "standard_name": standard})
    gdal = {"_CRS": {"wkt": crs.to_wkt()}} if crs is not None else {}
    return {"grid_mapping": _PLACE, "coordinates": _PLACE, **gdal}


def _fill(folder: Path, array: Any, values: NDArray[Any]) -> None:
    """Write the chunks one after the other, so that none is still on its way after an error."""
    from numcodecs import get_codec

    codec = get_codec(dict(_COMPRESSOR))
    height, width = array.chunks[-2:]
    for start in range(0, values.shape[0], height):
        rows = slice(start, min(start + height, values.shape[0]))
        part = np.moveaxis(np.asarray(values[rows], np.float32), (0, 1), (-2, -1))
        for index in np.ndindex(part.shape[:-2]):
            for left in range(0, values.shape[1], width):
                chunk = np.full((height, width), np.nan, np.float32)
                tile = part[index][:, left : left + width]
                chunk[: tile.shape[0], : tile.shape[1]] = tile
                name = ".".join(map(str, (*index, start // height, left // width)))
                (folder / name).write_bytes(codec.encode(chunk))
        if not np.array_equal(array[..., rows, :], part, equal_nan=True):
            raise OSError(errno.EIO, f"{NAME}/{array.basename} reads back differently")


def read_zarr(path: Path, members: Sequence[str]) -> dict[str, xr.DataArray | None]:
    """Maps by their name, (y, x, ...) as they were saved; None for what is not there.

    Raises
    ------
    InputError
        An array is missing, damaged, or belongs to another result.
    """
    found: dict[str, xr.DataArray | None] = dict.fromkeys(MAPS)
    axes: dict[str, dict[str, list[str]]] = {
        "abundances": {"member": list(members)},
        "residual": {"quantity": list(RESIDUAL)},
        "uncertainty": {"member": list(members), "quantity": list(STATISTICS)},
    }
    try:
        where = _read_grid(path)
        for name in MAPS:
            if (path / name).is_dir():
                values, names = _read(path / name)
                labels = axes.get(name) or {"quantity": [str(v) for v in names[-1]]}
                found[name] = _labelled(name, values, labels, where, path)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged store makes its reader raise
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"out: {path} cannot be read ({why}); run anew") from None
    for name in ("abundances", "residual"):
        if found[name] is None:
            raise InputError(f"out: {path} has no {name}; give the folder `unmix run` wrote")
    return found


def _labelled(
    name: str, values: NDArray[Any], labels: dict[str, list[str]], where: dict[str, Any], path: Path
) -> xr.DataArray:
    import xarray as xr

    expected = tuple(len(v) for v in labels.values())
    if values.shape[:-2] != expected or values.ndim != len(expected) + 2:
        raise InputError(
            f"out: {path}: {name} has maps {values.shape[:-2]}, not {expected}; "
            "give the folder `unmix run` wrote"
        )
    if name == "features" and not feature_names(labels["quantity"]):
        raise InputError(f"out: {path} holds no features; delete them or run anew")
    coords: dict[str, Any] = dict(labels)
    if where:
        coords[_PLACE] = xr.DataArray(0, attrs=where)
    maps = np.moveaxis(values, (-2, -1), (0, 1))
    return xr.DataArray(maps, dims=("y", "x", *labels), coords=coords)


def _read_grid(path: Path) -> dict[str, str]:
    """Attributes of the grid mapping; empty where there is none."""
    file = path / _PLACE / ".zattrs"
    about = json.loads(file.read_bytes()) if file.is_file() else {}
    return {key: str(about[key]) for key in ("crs_wkt", "GeoTransform") if about.get(key)}


def _read(folder: Path) -> tuple[NDArray[Any], list[Any]]:
    """An array as we write them, and names along its first axes.

    Only what we write is read: codecs of others may run code.
    """
    import zarr

    about = json.loads((folder / ".zarray").read_bytes())
    compressor = about.get("compressor") or {}
    if about.get("filters") or compressor.get("id") != "blosc" or about.get("dtype") != "<f4":
        raise InputError(f"out: {folder} was not written by unmix; run anew")
    shape, chunks = about["shape"], about["chunks"]
    cuts = [-(-n // max(c, 1)) for n, c in zip(shape, chunks, strict=True)]
    if max(chunks) > TILE or sum(1 for _ in folder.glob("[0-9]*")) != math.prod(cuts):
        raise InputError(f"out: {folder} does not have the chunks it lists; run anew")
    array: Any = zarr.open_array(folder, mode="r", zarr_format=2)
    return np.asarray(array[...]), list(array.attrs["names"])


def folder_hash(path: Path) -> dict[str, Any]:
    """Name, size and SHA-256 of a folder: of its files' paths and hashes, in their order."""
    total, size = hashlib.sha256(), 0
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        content = file.read_bytes()
        size += len(content)
        digest = hashlib.sha256(content).hexdigest()
        total.update(f"{file.relative_to(path).as_posix()} {digest}\n".encode())
    return {"path": path.name, "bytes": size, "sha256": total.hexdigest()}
