"""Maps as Cloud Optimized GeoTIFF, with their georeferencing."""

from __future__ import annotations

import errno
import logging
import math
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.blocks import row_blocks
from unmix.checks import InputError
from unmix.output.cog import assemble
from unmix.output.layers import Layers, layers_of
from unmix.output.pyramid import CACHE, HALVES, Half, Profile, write_levels
from unmix.parallel import n_threads

if TYPE_CHECKING:
    import xarray as xr
    from affine import Affine
    from rasterio.crs import CRS

__all__ = ["georeferencing"]

_LEVEL = 1  # of DEFLATE: maps of floats are 2 % larger than with 6, and written twice as fast

logger = logging.getLogger(__name__)


def georeferencing(maps: xr.DataArray) -> tuple[CRS | None, Affine | None]:
    """CRS and affine transform from the scalar coordinate `spatial_ref` (None where it has none).

    >>> import xarray as xr
    >>> where = xr.DataArray(0, attrs={"GeoTransform": "100 2 0 900 0 -2"})
    >>> maps = xr.DataArray(np.zeros((2, 3)), dims=("y", "x"), coords={"spatial_ref": where})
    >>> georeferencing(maps)[1].c
    100.0
    """
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    attrs = maps.coords["spatial_ref"].attrs if "spatial_ref" in maps.coords else {}
    crs = transform = None
    if attrs.get("crs_wkt"):
        try:
            crs = CRS.from_wkt(attrs["crs_wkt"])
        except CRSError as error:
            logger.warning("the scene's CRS cannot be read and is left out: %s", error)
    if attrs.get("GeoTransform"):
        transform = Affine.from_gdal(*map(float, attrs["GeoTransform"].split()))
    return crs, transform


@contextmanager
def _no_georeference_warning() -> Iterator[None]:
    """A scene without coordinates is no reason to warn."""
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def write_tiff(
    path: Path,
    values: NDArray[Any] | Layers,
    names: Sequence[str],
    crs: CRS | None,
    transform: Affine | None,
    *,
    palette: Mapping[int, tuple[int, int, int, int]] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Cloud Optimized GeoTIFF of `values` (band, y, x).

    A row of tiles is held at a time. Bytes are a picture whose bands are `names` of colours, or
    classes with the colours of a `palette`, 0 being no data.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    layers = layers_of(values)
    parts = path.with_name(f".{path.name}-parts")
    try:
        parts.mkdir()
        with _no_georeference_warning(), _gdal():
            profile, half = _profile(layers, names, palette, tags)
            place = {"crs": crs, "transform": transform}
            assemble(write_levels(layers, parts, half, profile, place), path)
    except (CPLE_BaseError, RasterioError) as error:
        raise OSError(errno.EIO, str(error)) from error
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _gdal() -> Any:
    """GDAL with little memory."""
    import rasterio

    return rasterio.Env(GDAL_CACHEMAX=CACHE)


def _profile(
    layers: Layers,
    names: Sequence[str],
    palette: Mapping[int, tuple[int, int, int, int]] | None,
    tags: Mapping[str, str] | None,
) -> tuple[Profile, Half]:
    """How a raster is stored, and how its resolution is halved."""
    from rasterio.enums import ColorInterp

    real = layers.dtype.kind == "f"
    stored: dict[str, Any] = {"compress": "DEFLATE", "zlevel": _LEVEL, "bigtiff": "YES"}
    stored |= {"interleave": "pixel", "num_threads": n_threads(), "predictor": 3 if real else 2}
    if real:
        stored["nodata"] = math.nan
    if palette is not None:
        stored["nodata"] = 0
    picture = layers.dtype == np.uint8 and palette is None

    def describe(raster: Any, full: bool) -> None:
        if palette is not None:
            raster.write_colormap(1, dict(palette))
        if picture:
            raster.colorinterp = [ColorInterp[n] for n in names]
        if full:
            raster.descriptions = tuple(names)
            raster.update_tags(**(tags or {}))

    kind = "mean" if real else "picture" if picture else "first"
    return Profile(stored, describe), HALVES["majority" if palette is not None else kind]


def to_rgba(rgb: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Bytes (4, y, x); alpha 0 where a pixel is masked."""
    view = np.empty((4, *rgb.shape[:2]), np.uint8)
    for rows in row_blocks(rgb.shape):
        colours = np.moveaxis(np.asarray(rgb[rows]), -1, 0)
        seen = np.isfinite(colours.sum(axis=0))
        levels = np.where(seen, np.clip(colours, 0, 1), 0)
        view[:3, rows] = np.rint(levels * 255)
        view[3, rows] = seen * np.uint8(255)
    return view


def coarser(transform: Affine, shape: Sequence[int], view: Sequence[int]) -> Affine:
    """The transform of a view of `view` pixels over a scene of `shape` pixels.

    >>> from affine import Affine
    >>> coarser(Affine(30, 0, 100, 0, -30, 900), (8, 6), (4, 2))[:6]
    (90.0, 0.0, 100.0, 0.0, -60.0, 900.0)
    """
    from affine import Affine

    a, b, c, d, e, f = transform[:6]
    x, y = shape[1] / view[1], shape[0] / view[0]
    return Affine(a * x, b * y, c, d * x, e * y, f)


def read_maps(path: Path, last: str, labels: Sequence[str]) -> xr.DataArray:
    """Maps (y, x, `last`) with their georeferencing in the coordinate `spatial_ref`."""
    import xarray as xr

    values, where = read_tiff(path)
    if values.shape[0] != len(labels) or values.dtype != np.float32:
        raise InputError(
            f"out: {path} has {values.shape[0]} {values.dtype} bands, not {len(labels)} of float32;"
            " give the folder `unmix run` wrote"
        )
    coords: dict[str, Any] = {last: list(labels)}
    if where:
        coords["spatial_ref"] = xr.DataArray(0, attrs=where)
    return xr.DataArray(np.moveaxis(values, 0, -1), dims=("y", "x", last), coords=coords)


def read_tiff(path: Path) -> tuple[NDArray[Any], dict[str, str]]:
    """Values (band, y, x) and the attributes of `spatial_ref`."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with _no_georeference_warning(), rasterio.open(path) as raster:
            values, crs, transform = raster.read(), raster.crs, raster.transform
    except (RasterioError, OSError) as error:
        raise InputError(f"out: {path} cannot be read ({error}); run anew") from None
    where = {"crs_wkt": crs.to_wkt()} if crs else {}
    if not transform.is_identity:
        where["GeoTransform"] = " ".join(repr(float(v)) for v in transform.to_gdal())
    return values, where


def read_descriptions(path: Path) -> list[str]:
    """Names of the bands, empty where they have none."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with _no_georeference_warning(), rasterio.open(path) as raster:
            return [name or "" for name in raster.descriptions]
    except (RasterioError, OSError) as error:
        raise InputError(f"out: {path} cannot be read ({error}); run anew") from None


def read_rgb(path: Path) -> NDArray[np.float32] | None:
    """The false-colour view (y, x, 3), NaN where masked; None where there is none."""
    if not path.is_file():
        return None
    values, _ = read_tiff(path)
    if values.shape[0] != 4 or values.dtype != np.uint8:
        raise InputError(f"out: {path} is no false-colour view; delete it or run anew")
    rgb = np.moveaxis(values[:3], 0, -1).astype(np.float32) / 255
    return np.where(values[3][..., None] > 0, rgb, np.float32(math.nan))
