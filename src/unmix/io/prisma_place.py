"""Where a PRISMA scene lies: L2D by its corners, the other levels by every pixel's coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmix.checks import InputError
from unmix.io.georef import crs_wkt
from unmix.io.hdf5 import attribute, dataset, vector
from unmix.io.lazy import Affine
from unmix.ortho import Ortho, from_lonlat

if TYPE_CHECKING:
    import h5py

__all__ = ["place"]

_PIXEL = 30.0  # metres
_CORNERS = ("ULcorner_easting", "ULcorner_northing", "LRcorner_easting", "LRcorner_northing")


def place(
    file: h5py.File,
    swath: str,
    level: str,
    shape: tuple[int, int],
    where: str,
    history: list[str],
) -> tuple[str | None, Affine | None, Ortho | None]:
    """CRS and affine of L2D; the map grid of a level in swath geometry.

    Raises
    ------
    InputError
        The corners or coordinates are missing or make no map.
    """
    if level == "L2D":
        return _epsg(file, where), _affine(file, shape, where, history), None
    end = "_VNIR" if level == "L1" else ""
    names = [f"{swath}/Geolocation Fields/{name}{end}" for name in ("Longitude", "Latitude")]
    lon, lat = (np.asarray(dataset(file, name, where, 2)[...], np.float64) for name in names)
    if lon.shape != shape or lat.shape != shape:
        raise InputError(f"{where}: its coordinates do not fit its cubes; download it again")
    nowhere = (lon == 0) & (lat == 0)
    lon[nowhere] = np.nan
    return None, None, from_lonlat(lon, lat, where=where)


def _epsg(file: h5py.File, where: str) -> str:
    """WKT of the product's CRS."""
    found = crs_wkt(f"EPSG:{attribute(file, 'Epsg_Code')}")
    if found is None:
        raise InputError(f"{where}: its Epsg_Code is missing or unknown; download it again")
    return found


def _affine(file: h5py.File, shape: tuple[int, int], where: str, history: list[str]) -> Affine:
    """Affine of L2D.

    The corners are the centres of corner pixels; should they span the scene's 30 m pixels as
    a whole, they are taken for the outer corners.
    """
    found = [vector(file.attrs, f"Product_{name}", where) for name in _CORNERS]
    if any(v is None or v.size != 1 or not np.isfinite(v).all() for v in found):
        raise InputError(f"{where}: lacks corner coordinates (Product_ULcorner_easting, ...)")
    left, top, right, bottom = (float(v[0]) for v in found if v is not None)
    rows, cols = shape
    if abs(right - left - cols * _PIXEL) < 1 and abs(top - bottom - rows * _PIXEL) < 1:
        history.append("corner coordinates span the pixels as a whole: taken for outer corners")
        return (_PIXEL, 0.0, left, 0.0, -_PIXEL, top)
    a = (right - left) / (cols - 1) if cols > 1 else _PIXEL
    e = (bottom - top) / (rows - 1) if rows > 1 else -_PIXEL
    if not (a > 0 > e):
        raise InputError(f"{where}: its corner coordinates make no map; download it again")
    a, e = (s * _PIXEL if abs(abs(v) - _PIXEL) < 1e-3 else v for v, s in ((a, 1), (e, -1)))
    return (a, 0.0, left - a / 2, 0.0, e, top - e / 2)
