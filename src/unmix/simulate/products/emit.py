"""A miniature EMIT granule in swath geometry, as `unmix.io.emit` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.simulate.products.common import Affine, checked, new_folder

if TYPE_CHECKING:
    import h5py

__all__ = ["turned_swath", "write"]

GRANULE = "001_20220814T160711_2222611_003"
FILL = -9999.0
DEEP_WATER = -0.01
WINDOWS = ((1325.0, 1435.0), (1770.0, 1965.0))  # nm: where the product holds DEEP_WATER
FLAGS = ("Cloud flag", "Cirrus flag", "Water flag", "Spacecraft Flag", "Dilated Cloud Flag")
MASK_BANDS = (*FLAGS, "AOD550", "H2O (g cm-2)", "Aggregate Flag")
_LAYERS = {"cloud": 0, "haze": 1, "water": 2, "spacecraft": 3, "dilated_cloud": 4}


def write(
    folder: str | Path,
    cube: ArrayLike,
    wavelength: ArrayLike,
    fwhm: ArrayLike,
    crs: str = "EPSG:4326",
    transform: Affine = (0.000542, 0.0, -62.5, 0.0, -0.000542, -39.2),
    *,
    turn: float = 14.0,
    layers: Mapping[str, ArrayLike] | None = None,
    uncertainty: ArrayLike | None = None,
    quantity: str = "reflectance",
    acquired: str = "2022-08-14T16:07:11+0000",
    sun_zenith: float | None = None,
    granule: str = GRANULE,
) -> Path:
    """Write a cube as an EMIT granule; gives its main file.

    Parameters
    ----------
    folder : path-like
        New or empty.
    cube : array_like, shape (rows, columns, band)
        In swath geometry; NaN where there is no data.
    wavelength, fwhm : array_like, shape (band,)
        In nm.
    crs, transform
        Of the map grid.
    turn : float
        Degrees by which the swath is turned on its grid, clockwise.
    layers : mapping, optional
        `cloud`, `haze`, `water`, `spacecraft`, `dilated_cloud`: (rows, columns), True where so.
    uncertainty : array_like, optional
        Of the cube's shape.
    quantity : {"reflectance", "radiance"}
    sun_zenith : float, optional
        Degrees; written as the observation file of a radiance granule.

    >>> import tempfile
    >>> from unmix.scene import open_scene
    >>> cube = np.full((5, 4, 3), 0.25)
    >>> scene = open_scene(write(tempfile.mkdtemp(), cube, [500.0, 1400.0, 2200.0], 8.5))
    >>> scene.good.values, float(scene[0, 0, 0]), scene.attrs["swath"].shape
    (array([ True, False,  True]), 0.25, (5, 4))
    """
    X, nm, width = checked(cube, wavelength, fwhm)
    bad = np.zeros(len(nm), bool)
    if quantity == "reflectance":
        bad = np.any([(nm >= low) & (nm <= high) for low, high in WINDOWS], axis=0)
    stored = np.where(bad, DEEP_WATER, X)
    stored[np.isnan(X).all(axis=2)] = FILL
    glt = turned_swath(X.shape[0], X.shape[1], turn)
    kind = "L2A_RFL" if quantity == "reflectance" else "L1B_RAD"
    common: dict[str, Any] = {"crs": crs, "transform": transform, "glt": glt, "acquired": acquired}
    with new_folder(folder) as inside:
        main: dict[str, Any] = {"wavelengths": nm, "fwhm": width}
        if quantity == "reflectance":
            main["good_wavelengths"] = (~bad).astype(float)
        _file(inside / f"EMIT_{kind}_{granule}.nc", quantity, stored, main, **common)
        if uncertainty is not None:
            path = inside / f"EMIT_L2A_RFLUNCERT_{granule}.nc"
            _file(path, "reflectance_uncertainty", np.asarray(uncertainty, float), main, **common)
        if layers is not None:
            path = inside / f"EMIT_L2A_MASK_{granule}.nc"
            _file(path, "mask", _mask(layers, X.shape[:2]), {"mask_bands": MASK_BANDS}, **common)
        if sun_zenith is not None:
            names = ["Path length", "To-sensor azimuth", "To-sensor zenith", "To-sun azimuth"]
            names.append("To-sun zenith (0 to 90 degrees from zenith)")
            values = np.full((*X.shape[:2], 5), sun_zenith)
            path = inside / f"EMIT_L1B_OBS_{granule}.nc"
            _file(path, "obs", values, {"observation_bands": names}, **common)
    return Path(folder) / f"EMIT_{kind}_{granule}.nc"


def turned_swath(rows: int, cols: int, turn: float) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """A geometry lookup table (glt_x, glt_y), from 1, of a swath turned on its grid.

    A place farther than half a pixel from every swath pixel is filled with its neighbour and
    negative, as the product marks it.

    >>> turned_swath(2, 3, 0.0)[0].tolist()
    [[1, 2, 3], [1, 2, 3]]
    """
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    v, u = np.array([[0, 0], [0, cols - 1], [rows - 1, 0], [rows - 1, cols - 1]]).T
    x, y = u * cos - v * sin, u * sin + v * cos  # corners of the swath, in grid pixels
    shape = (int(np.ceil(np.ptp(y))) + 1, int(np.ceil(np.ptp(x))) + 1)
    row, col = np.indices(shape, float)
    row, col = row + y.min(), col + x.min()
    left, down = col * cos + row * sin, row * cos - col * sin  # in swath pixels: turned back
    near_x = np.clip(np.rint(left), 0, cols - 1)
    near_y = np.clip(np.rint(down), 0, rows - 1)
    distance = np.hypot(left - near_x, down - near_y)
    sign = np.where(distance > 0.72, 0, np.where(distance > 0.5, -1, 1))
    return ((near_x + 1) * sign).astype(np.int32), ((near_y + 1) * sign).astype(np.int32)


def _mask(layers: Mapping[str, ArrayLike], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The mask's eight bands."""
    mask = np.zeros((*shape, len(MASK_BANDS)))
    mask[..., 5], mask[..., 6] = 0.19, 2.7
    for name, values in layers.items():
        mask[..., _LAYERS[name]] = np.asarray(values, bool)
    mask[..., 7] = mask[..., :5].any(axis=-1)
    return mask


def _file(
    path: Path,
    name: str,
    values: NDArray[np.float64],
    bands: Mapping[str, Any],
    *,
    crs: str,
    transform: Affine,
    glt: tuple[NDArray[np.int32], NDArray[np.int32]],
    acquired: str,
) -> None:
    """One file of the granule."""
    import h5py
    from rasterio.crs import CRS

    a, b, c, d, e, f = transform
    with h5py.File(path, "w") as file:
        file.attrs["title"] = f"EMIT miniature granule: {name}"
        file.attrs["instrument"], file.attrs["platform"] = "EMIT", "ISS"
        file.attrs["time_coverage_start"] = acquired
        file.attrs["geotransform"] = np.array([c, a, b, f, d, e])
        file.attrs["spatial_ref"] = CRS.from_user_input(crs).to_wkt()
        sizes = dict(zip(("downtrack", "crosstrack", "bands"), values.shape, strict=True))
        sizes |= dict(zip(("ortho_y", "ortho_x"), glt[0].shape, strict=True))
        for dim, size in sizes.items():
            scale = file.create_dataset(dim, data=np.zeros(size, ">f4"))
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
        chunks = (min(256, sizes["downtrack"]), min(256, sizes["crosstrack"]), sizes["bands"])
        _put(file, name, values.astype(np.float32), ("downtrack", "crosstrack", "bands"), chunks)
        file[name].attrs["_FillValue"] = np.array([FILL], np.float32)
        file[name].attrs["units"] = "uW/cm^2/SR/nm" if name == "radiance" else "unitless"
        for key, numbers in bands.items():
            kind: Any = np.float32 if key not in ("mask_bands", "observation_bands") else object
            _put(file, f"sensor_band_parameters/{key}", np.asarray(numbers, kind), ("bands",))
        for key, table in zip(("glt_x", "glt_y"), glt, strict=True):
            _put(file, f"location/{key}", table, ("ortho_y", "ortho_x"))
        for key, places in zip(("lat", "lon"), _places(glt, transform, values.shape), strict=True):
            _put(file, f"location/{key}", places, ("downtrack", "crosstrack"))


def _put(
    file: h5py.File,
    name: str,
    values: NDArray[Any],
    dims: tuple[str, ...],
    chunks: tuple[int, ...] | None = None,
) -> None:
    """A variable with its netCDF dimensions."""
    options: dict[str, Any] = {"chunks": chunks, "compression": "gzip"} if chunks else {}
    data = file.create_dataset(name, data=values, **options)
    for axis, dim in enumerate(dims):
        data.dims[axis].attach_scale(file[dim])


def _places(
    glt: tuple[NDArray[np.int32], NDArray[np.int32]], transform: Affine, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates y and x of the swath's pixels: the centre of a grid pixel that shows them."""
    a, b, c, d, e, f = transform
    y, x = np.full(shape[:2], np.nan), np.full(shape[:2], np.nan)
    row, col = np.nonzero(glt[0])
    at = np.abs(glt[1][row, col]) - 1, np.abs(glt[0][row, col]) - 1
    x[at] = a * (col + 0.5) + b * (row + 0.5) + c
    y[at] = d * (col + 0.5) + e * (row + 0.5) + f
    return y, x
