"""Users' own `xarray` arrays, zarr stores and classic netCDF files as scenes, pixels left lazy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.layout import (
    Layout,
    Named,
    axes_of,
    bands_of,
    decoding_of,
    layers_of,
    place_of,
)
from unmix.io.lazy import BandKey, PixelSource, RawScene, Reader
from unmix.io.zarr_store import check_store, stored_bytes

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "ArrayPixels",
    "choose",
    "is_scene",
    "is_zarr",
    "raw_array",
    "raw_layout",
    "read_classic",
    "read_zarr",
]

PREFERRED = (
    "reflectance surface_reflectance rfl rfl_ort corrected_reflectance radiance toa_radiance"
).split()
_MAX_RATIO = 20_000  # a store that claims to unpack to more times its size holds no picture
_ALWAYS_FINE = 2**28
_OURS = {
    *("wavelength", "fwhm", "good", "detector", "uncertainty", "x", "y", "line", "sample"),
    *("spatial_ref", "cloud", "cloud_shadow", "snow", "haze", "water"),
}
_MARKS = ("zarr.json", ".zgroup", ".zmetadata", ".zarray")


@dataclass(frozen=True, eq=False)
class ArrayPixels:
    """Window reader of an xarray variable, which may itself be lazy."""

    variable: xr.Variable
    order: tuple[int, int, int]

    def __call__(self, rows: slice, cols: slice, bands: BandKey) -> NDArray[Any]:
        """Stored numbers of a window, axes (y, x, band)."""
        key: list[Any] = [slice(None)] * 3
        for axis, part in zip(self.order, (rows, cols, bands), strict=True):
            key[axis] = part
        try:
            return np.asarray(self.variable[tuple(key)].values).transpose(self.order)
        except (InputError, MemoryError):
            raise
        except Exception as error:  # what decodes chunks raises many types on damaged ones
            line = " ".join(str(error).split())
            raise InputError(
                f"scene: its pixels cannot be read ({type(error).__name__}: {line:.120}); "
                "write or copy it again"
            ) from None


def raw_array(array: xr.DataArray, where: str | None = None) -> RawScene:
    """Scene of an array with named dimensions, in any order and under common names.

    Raises
    ------
    InputError
        Not three dimensions of numbers, or names that leave open what is what.

    >>> import xarray as xr
    >>> cube = xr.DataArray(np.ones((3, 2, 4)), dims=("wavelength", "lat", "lon"))
    >>> raw_array(cube.assign_coords(wavelength=[0.4, 1.2, 2.2])).bands.wavelength
    array([ 400., 1200., 2200.])
    """
    name = where or str(array.attrs.get("source") or array.name or "scene")
    extra = [d for d in array.dims if array.sizes[d] == 1 and array.ndim > 3]
    array = array.squeeze(extra[: array.ndim - 3], drop=True) if extra else array
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name}: holds {array.dtype}; give numbers")
    names = {dim: str(dim) for dim in array.dims}
    coords = {
        str(key): Named(tuple(str(d) for d in c.dims), np.asarray(c.values), dict(c.attrs))
        for key, c in array.coords.items()
        if c.ndim < 3
    }
    undecoded = {k: array.encoding[k] for k in ("grid_mapping",) if k in array.encoding}
    attrs = {**array.attrs, **undecoded}
    layout = Layout(name, tuple(names.values()), array.shape, coords, attrs)
    order = axes_of(layout, [])
    return raw_layout(layout, ArrayPixels(array.variable, order), str(array.dtype))


def raw_layout(layout: Layout, reader: Reader, dtype: str, files: tuple[str, ...] = ()) -> RawScene:
    """Scene of a layout whose windows `reader` reads."""
    history = list[str]()
    axes = axes_of(layout, history)
    bands = bands_of(layout, axes[2], history)
    crs, affine, swath = place_of(layout, axes, history)
    decoding = decoding_of(layout, axes[2])
    rows, cols, n_bands = (layout.shape[a] for a in axes)
    if min(rows, cols, n_bands) < 1:
        raise InputError(f"{layout.where}: has no pixels ({layout.shape}); give an image")
    kept = "sensor units acquired sun_zenith description long_name approximate".split()
    attrs: dict[str, Any] = {k: str(v)[:500] for k, v in layout.attrs.items() if k in kept}
    if "sun_zenith" in attrs:
        attrs["sun_zenith"] = _angle(attrs["sun_zenith"], layout.where)
    quantity = str(layout.attrs.get("quantity") or _quantity(layout))
    attrs |= {"quantity": quantity} if quantity else {}
    if decoding.nodata is not None:
        attrs["nodata"] = decoding.nodata
    scaled = decoding.gain is not None or decoding.offset is not None
    attrs |= {"dtype_on_disk": dtype, "scale_declared": scaled}
    pixels = PixelSource((rows, cols, n_bands), reader, decoding)
    coords = layers_of(layout, axes)
    return RawScene(pixels, bands, list(files), crs, affine, attrs, history, coords, swath)


def _angle(text: str, where: str) -> float:
    """A sun zenith that is a number."""
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{where}: sun_zenith {text!r} is no number of degrees") from None


def _quantity(layout: Layout) -> str:
    """What the values are, as far as names and units tell; empty where they do not."""
    said = " ".join(
        str(layout.attrs.get(k, "")) for k in ("standard_name", "long_name", "units")
    ).lower()
    name = layout.where.rpartition(":")[2].lower()
    if "radiance" in said or "radiance" in name or "/sr" in said or "sr-1" in said:
        return "radiance"
    return "reflectance" if "reflectance" in said + name or "rfl" in name else ""


def is_scene(array: Any) -> bool:
    """Whether an array is a scene as `open_scene` gives it, or one made in its conventions.

    >>> import xarray as xr
    >>> bare = xr.DataArray(np.ones((2, 3, 4)), dims=("y", "x", "band"))
    >>> is_scene(bare), is_scene(bare.assign_coords(band=[0.4, 0.5, 0.6, 0.7]))
    (True, False)
    """
    if tuple(array.dims) != ("y", "x", "band") or "band" in array.coords:
        return False
    if "files" in array.attrs or isinstance(
        array.attrs.get("history"), list
    ):  # what `open_scene` read is decoded; its scale_factor says how
        return True
    if {"_FillValue", "missing_value", "scale_factor", "add_offset"} & set(array.attrs):
        return False
    named = {str(name) for name in array.coords}
    if named - _OURS or ({"x", "y"} & named and "spatial_ref" not in named):
        return False
    nm = array.coords.get("wavelength")
    return nm is None or (
        nm.dims == ("band",) and nm.attrs.get("units", "nm") == "nm" and _in_nm(nm)
    )


def _in_nm(wavelength: xr.DataArray) -> bool:
    """Whether wavelengths are nanometres, by their size."""
    values = wavelength.values
    return values.dtype.kind in "fiu" and bool((np.nan_to_num(values, nan=1e3) >= 100).all())


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr store."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def read_zarr(path: Path, variable: str | None = None) -> RawScene:
    """Scene of a zarr store that xarray wrote; no pixel is read.

    Raises
    ------
    InputError
        No store that can be read, or no single image in it.
    """
    import xarray as xr

    check_store(path)
    with _reading(path, "damaged zarr store"):
        data = xr.open_dataset(path, engine="zarr", chunks=None, consolidated=False)
        raw = _of_dataset(data, path, variable, "zarr", [])
    declared = int(np.prod(raw.pixels.shape, dtype=np.float64)) * 2
    if declared > max(_ALWAYS_FINE, _MAX_RATIO * stored_bytes(path)):
        raise InputError(
            f"{path.name}: declares {raw.pixels.shape} values but holds {stored_bytes(path)} "
            "bytes; write it again"
        )
    return raw


def read_classic(path: Path, variable: str | None = None) -> RawScene:
    """Scene of a classic netCDF file (version 3)."""
    import xarray as xr

    with _reading(path, "truncated or damaged netCDF file"):
        data = xr.open_dataset(path, engine="scipy", chunks=None, decode_times=False)
        return _of_dataset(data, path, variable, "netCDF (classic)", [str(path)])


@contextmanager
def _reading(path: Path, what: str) -> Iterator[None]:
    """Whatever a library finds wrong with a file as one line."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # zarr, numcodecs and scipy raise many types on damaged files
        line = " ".join(str(error).split())
        raise InputError(f"{path.name}: {what} ({line:.120}); write or copy it again") from None


def _of_dataset(
    data: xr.Dataset, path: Path, variable: str | None, form: str, files: list[str]
) -> RawScene:
    """Scene of the image in a data set; the small variables around it are its coordinates."""
    sizes = {str(n): v.ndim for n, v in data.data_vars.items() if v.dtype.kind in "fiu"}
    name = choose([n for n, ndim in sizes.items() if ndim >= 3], variable, path.name)
    small = [
        n for n, v in data.data_vars.items() if v.ndim < 3 and set(v.dims) <= set(data[name].dims)
    ]
    array = data.set_coords(small)[name]
    raw = raw_array(array, f"{path.name}:{name}")
    files = files or [str(p) for p in sorted(path.rglob("*")) if p.is_file()]
    return replace(raw, files=files, attrs={"format": form, "variable": name, **raw.attrs})


def choose(images: list[str], wanted: str | None, where: str) -> str:
    """Which of a file's images is the scene.

    >>> choose(["a", "Reflectance"], None, "x.nc")
    'Reflectance'
    """
    if wanted is not None:
        if wanted not in images:
            raise InputError(f"variable: {where} has no image {wanted!r}; it has {images}")
        return wanted
    if not images:
        raise InputError(
            f"{where}: holds no image (three dimensions of numbers); give one that does"
        )
    if len(images) == 1:
        return images[0]
    lower = {name.rpartition("/")[2].lower(): name for name in images}
    found = [lower[name] for name in PREFERRED if name in lower]
    if not found:
        raise InputError(f"{where}: several images {images[:6]}; choose one with --variable")
    return found[0]
