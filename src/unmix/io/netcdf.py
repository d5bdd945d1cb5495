"""netCDF-4 files (and HDF5 files alike), such as xarray and AVIRIS-3 write, read through h5py.

Dimensions are told by the file's dimension scales, coordinates by name: the one-dimensional arrays
of the image's group and of the groups above it. AVIRIS-3 and AVIRIS-5 L2A (`*_RFL_ORT.nc`) are such
files: group `reflectance` with `reflectance` (wavelength, northing, easting), `wavelength`, `fwhm`,
and at the root `northing`, `easting` and the grid mapping.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmix.checks import InputError
from unmix.io.arrays import choose, raw_layout
from unmix.io.aviris import about_aviris
from unmix.io.hdf5 import H5Pixels, attribute, dataset, open_h5, rows_together
from unmix.io.layout import Layout, Named, axes_of
from unmix.io.lazy import RawScene

if TYPE_CHECKING:
    import h5py

__all__ = ["read_netcdf"]

_MOST = 10_000  # objects looked at
_LONGEST = 2**24  # numbers of a coordinate


def read_netcdf(path: Path, variable: str | None = None) -> RawScene:
    """Scene of a netCDF-4 file; no pixel is read.

    Raises
    ------
    InputError
        Truncated, no single image in it, or names that leave open what is what.
    """
    with open_h5(path) as file:
        name = choose(_images(file), variable, path.name)
        data = dataset(file, name, path.name, 3)
        layout = _layout(file, name, path.name)
        dtype = data.dtype.name
        together = rows_together(data, axes_of(layout, [])[0])
        title = attribute(file, "title") or attribute(file, "summary")
        start = attribute(file, "time_coverage_start")
    raw = raw_layout(layout, _reader(path, name, layout), dtype, (str(path),))
    known = {"format": "netCDF", "variable": name}
    known |= {"description": title[:200]} if title else {}
    known |= about_aviris(path.name) | ({"acquired": start[:40]} if start else {})
    raw.attrs.update(known | raw.attrs)
    return replace(raw, rows_together=together)


def _reader(path: Path, name: str, layout: Layout) -> H5Pixels:
    return H5Pixels(str(path), name, axes_of(layout, []))


def _images(file: h5py.File) -> list[str]:
    """Paths of the three-dimensional numeric data sets."""
    import h5py

    found: list[str] = []
    seen = 0

    def look(name: str, item: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if isinstance(item, h5py.Dataset) and item.ndim == 3 and item.dtype.kind in "fiu":
            found.append(name)
        return True if seen > _MOST else None

    file.visititems(look)
    return found


def _layout(file: h5py.File, name: str, where: str) -> Layout:
    """What the file says of an image, without its numbers."""
    data = file[name]
    dims = _dims(data)
    if len(set(dims)) < 3:
        raise InputError(f"{where}: {name} does not name its dimensions; write it with xarray")
    coords: dict[str, Named] = {}
    group = data.parent
    while True:  # the image's own group first
        for key, item in group.items():
            coord = _coordinate(item, dims, data.shape)
            if coord is not None and key not in coords and item != data:
                coords[key] = coord
        if group.name == "/":
            break
        group = group.parent
    return Layout(f"{where}:{name}", dims, data.shape, coords, _plain(data.attrs))


def _dims(data: h5py.Dataset) -> tuple[str, ...]:
    """Names of a data set's dimensions; "dim 0", ... where the file names none."""
    names = []
    for axis, dim in enumerate(data.dims):
        scale = dim[0].name.rpartition("/")[2] if len(dim) else ""
        names.append(scale or dim.label or f"dim {axis}")
    return tuple(names)


def _coordinate(item: Any, dims: tuple[str, ...], shape: tuple[int, ...]) -> Named | None:
    """A small array along the image's dimensions, or a scalar that holds attributes."""
    import h5py

    if not isinstance(item, h5py.Dataset) or item.shape is None or item.ndim > 2:
        return None
    attrs = _plain(item.attrs)
    if "netCDF dimension but not a netCDF variable" in str(attrs.get("NAME", "")):
        return None
    if item.ndim == 0 or item.dtype.kind not in "fiub":
        named = {"crs_wkt", "spatial_ref", "GeoTransform", "grid_mapping_name"} & set(attrs)
        return Named((), np.zeros(()), attrs) if named else None
    if item.external or item.is_virtual or item.size > _LONGEST:
        return None
    key = item.name.rpartition("/")[2]
    own = (key,) if item.ndim == 1 and key in dims else _dims(item)
    if not set(own) <= set(dims) and item.ndim == 1 and item.shape == (shape[_band(dims)],):
        own = (dims[_band(dims)],)
    sizes = dict(zip(dims, shape, strict=True))
    if tuple(sizes.get(d) for d in own) != item.shape:
        return None
    return Named(own, np.asarray(item[...]), attrs)


def _band(dims: tuple[str, ...]) -> int:
    """The axis that is likely band, for lists that do not name their dimension."""
    names = ("band", "bands", "wavelength", "wavelengths")
    return next((i for i, d in enumerate(dims) if d.lower() in names), 0)


def _plain(attrs: Any) -> dict[str, Any]:
    """Attributes as text and numbers; references between data sets are left out."""
    out: dict[str, Any] = {}
    for key in list(attrs)[:_MOST]:
        if key in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "_Netcdf4Coordinates"):
            continue
        try:
            value = attrs[key]
        except (OSError, TypeError, ValueError):
            continue
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.ravel()[0]
        out[key] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return out
