"""From a swath to a map: which swath pixel each pixel of a map grid shows.

A pushbroom sensor's rows and columns are no map. Products in swath geometry come with a geometry
lookup table (GLT) or with the longitude and latitude of every pixel; both become an `Ortho`. Scenes
are unmixed in the swath, where every pixel was measured once and neighbours are neighbours, and the
results are put on the grid when they are written, each grid pixel taking its nearest swath pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError

__all__ = ["Ortho", "from_glt", "from_lonlat"]

Affine = tuple[float, float, float, float, float, float]
_FARTHEST = 0.75  # pixels: a grid pixel farther from every swath pixel shows none
_LARGEST = 2**28  # pixels of a grid


@dataclass(frozen=True, eq=False)
class Ortho:
    """A map grid, and the swath pixel that each of its pixels shows.

    Parameters
    ----------
    index : ndarray of int32, shape (y, x) of the grid
        row · columns + column of the swath pixel, from 0; -1 where there is none.
    shape : (rows, columns)
        The swath's size.
    crs_wkt : str, optional
    affine : 6-tuple
        Of the grid; (a, b, c, d, e, f) as everywhere.
    """

    index: NDArray[np.int32] = field(repr=False)
    shape: tuple[int, int]
    crs_wkt: str | None
    affine: Affine

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (row, column, ...) of the swath on the grid (y, x, ...), NaN outside the swath.

        Whole numbers and booleans stay what they are, 0 outside.

        >>> glt = np.array([[0, 1, 2]]), np.array([[0, 1, 1]])
        >>> ortho = from_glt(*glt, (1, 2), None, (1, 0, 0, 0, -1, 0), "x.nc")
        >>> ortho.apply(np.array([[5.0, 7.0]]))
        array([[nan,  5.,  7.]])
        """
        values = np.asarray(values)
        if values.shape[:2] != self.shape:
            raise InputError(
                f"ortho: values of {values.shape[:2]} pixels for a swath of {self.shape}; "
                "give values of the whole swath"
            )
        out = values.reshape(-1, *values.shape[2:])[np.maximum(self.index, 0)]
        out[self.index < 0] = np.nan if values.dtype.kind == "f" else 0
        return out

    def back(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Swath pixels (row, column) that the grid (y, x) shows at a marked place.

        >>> glt = np.array([[0, 1, 2, 2]]), np.array([[0, 1, 1, 1]])
        >>> ortho = from_glt(*glt, (1, 2), None, (1, 0, 0, 0, -1, 0), "x.nc")
        >>> ortho.back(np.array([[True, False, False, True]]))
        array([[False,  True]])
        """
        out = np.zeros(self.shape, np.bool_)
        out.ravel()[self.index[np.asarray(flags, bool) & (self.index >= 0)]] = True
        return out

    def part(self, rows: ArrayLike, cols: ArrayLike) -> Ortho:
        """The same for some rows and columns of the swath, on the part of the grid they fill.

        >>> glt = np.array([[1, 2, 3]]), np.array([[1, 1, 1]])
        >>> ortho = from_glt(*glt, (1, 3), None, (1.0, 0, 10.0, 0, -1.0, 0), "x.nc")
        >>> part = ortho.part([0], [1, 2])
        >>> part.index.tolist(), part.affine[2]
        ([[0, 1]], 11.0)
        """
        rows, cols = np.asarray(rows, np.intp), np.asarray(cols, np.intp)
        whole = np.array_equal(rows, np.arange(self.shape[0]))
        if whole and np.array_equal(cols, np.arange(self.shape[1])):
            return self
        place = np.full(self.shape, -1, np.int32)
        place[np.ix_(rows, cols)] = np.arange(rows.size * cols.size).reshape(rows.size, cols.size)
        index = np.where(self.index < 0, -1, place.ravel()[np.maximum(self.index, 0)])
        return _trimmed(replace(self, index=index, shape=(rows.size, cols.size)))


def from_glt(
    glt_x: ArrayLike,
    glt_y: ArrayLike,
    shape: tuple[int, int],
    crs_wkt: str | None,
    affine: Affine,
    where: str,
) -> Ortho:
    """The lookup of a product's geometry lookup table.

    Parameters
    ----------
    glt_x, glt_y : array_like of int, shape (y, x)
        Swath column and row, counted from 1; 0 for none. A negative number marks a place that the
        producer filled with its neighbour: the sign is dropped.
    shape : (rows, columns)
        The swath's size.
    crs_wkt, affine
        Of the grid.
    where : str
        The file's name, for messages.

    Raises
    ------
    InputError
        The two tables differ in size, or point outside the swath.

    >>> from_glt([[0, -2]], [[0, 1]], (3, 2), None, (1, 0, 0, 0, -1, 0), "x.nc").index.tolist()
    [[-1, 1]]
    """
    # as floats: the least integer has no positive twin, and would pass for a place of no pixel
    x, y = (np.abs(np.nan_to_num(np.asarray(g, float))) for g in (glt_x, glt_y))
    x, y = (np.minimum(g, 2.0**53).astype(np.int64) for g in (x, y))
    if x.shape != y.shape or x.ndim != 2 or not x.size:
        raise InputError(
            f"{where}: its GLT has glt_x of {x.shape} and glt_y of {y.shape}; download it again"
        )
    known = (x > 0) & (y > 0)
    if not known.any():
        raise InputError(f"{where}: its GLT points at no pixel; download it again")
    for name, table, size in (("glt_x", x, shape[1]), ("glt_y", y, shape[0])):
        top = int(table[known].max())
        if top > size:
            what = "columns" if name == "glt_x" else "rows"
            raise InputError(
                f"{where}: its GLT points outside the swath ({name} reaches {top}, the swath has "
                f"{size} {what}); download it again"
            )
    index = np.where(known, (y - 1) * shape[1] + x - 1, -1).astype(np.int32)
    return Ortho(index, shape, crs_wkt, affine)


def from_lonlat(
    lon: NDArray[np.floating],
    lat: NDArray[np.floating],
    *,
    crs_wkt: str | None = None,
    affine: Affine | None = None,
    shape: tuple[int, int] | None = None,
    where: str = "scene",
) -> Ortho:
    """The lookup of a swath whose pixels' longitudes and latitudes are known.

    Parameters
    ----------
    lon, lat : ndarray, shape (rows, columns)
        Degrees, WGS 84; NaN where unknown.
    crs_wkt, affine, shape : optional
        The grid, given together. Without it: the swath's UTM zone, north up, pixels as large as the
        swath's median step.

    Raises
    ------
    InputError
        The two differ in size, are no degrees, or lie too far apart for a grid.

    >>> lon, lat = np.meshgrid(15 + np.arange(3) * 4e-4, 50 - np.arange(2) * 3e-4)
    >>> np.unique(from_lonlat(lon, lat).index).tolist()
    [-1, 0, 1, 2, 3, 4, 5]
    """
    lon, lat = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    known = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 360) & (np.abs(lat) <= 90)
    if lon.shape != lat.shape or lon.ndim != 2 or known.sum() < 2:
        raise InputError(f"{where}: its longitudes and latitudes make no map; download it again")
    crs = crs_wkt or _utm(float(np.median(lon[known])), float(np.median(lat[known])))
    x, y = np.full(lon.shape, np.nan), np.full(lon.shape, np.nan)
    x[known], y[known] = _projected(lon[known], lat[known], crs)
    if affine is None or shape is None:
        affine, shape = _grid_around(x, y, where)
    return Ortho(_nearest(x, y, affine, shape), lon.shape, crs, affine)


def _utm(lon: float, lat: float) -> str:
    """WKT of the UTM zone of a place."""
    from rasterio.crs import CRS

    zone = int((lon + 180) % 360 // 6) + 1
    return str(CRS.from_epsg((32600 if lat >= 0 else 32700) + zone).to_wkt())


def _projected(lon: NDArray[Any], lat: NDArray[Any], crs_wkt: str) -> tuple[Any, Any]:
    """Longitudes and latitudes in a CRS."""
    from rasterio.crs import CRS
    from rasterio.warp import transform

    x, y = transform(CRS.from_epsg(4326), CRS.from_wkt(crs_wkt), lon, lat)
    return np.asarray(x), np.asarray(y)


def _grid_around(
    x: NDArray[np.float64], y: NDArray[np.float64], where: str
) -> tuple[Affine, tuple[int, int]]:
    """A north-up grid that holds every pixel, its pixel the swath's median step."""
    steps = [np.hypot(np.diff(x, axis=k), np.diff(y, axis=k)).ravel() for k in (0, 1)]
    size = float(np.round(np.nanmedian(np.concatenate(steps)), 3))
    left, top = np.nanmin(x) - size / 2, np.nanmax(y) + size / 2
    if not size > 0:
        raise InputError(f"{where}: its longitudes and latitudes make no map; download it again")
    rows = int(np.ceil((top - np.nanmin(y) + size / 2) / size))
    cols = int(np.ceil((np.nanmax(x) + size / 2 - left) / size))
    if rows * cols > _LARGEST:
        raise InputError(
            f"{where}: its longitudes and latitudes span {rows} × {cols} pixels; download it again"
        )
    return (size, 0.0, float(left), 0.0, -size, float(top)), (rows, cols)


def _nearest(
    x: NDArray[np.float64], y: NDArray[np.float64], affine: Affine, shape: tuple[int, int]
) -> NDArray[np.int32]:
    """For each grid pixel the swath pixel whose centre is nearest, measured in grid pixels."""
    from scipy.spatial import cKDTree

    a, b, c, d, e, f = affine
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    known = np.flatnonzero(np.isfinite(x.ravel()))
    there = inverse @ np.stack([x.ravel()[known] - c, y.ravel()[known] - f])
    rows, cols = np.indices(shape)
    centres = np.stack([cols.ravel() + 0.5, rows.ravel() + 0.5], axis=-1)
    step = np.hypot(*np.diff(there[:, : min(len(known), 10_000)], axis=1))
    reach = _FARTHEST * max(1.0, float(np.median(step)) if step.size else 1.0)
    _, found = cKDTree(there.T).query(centres, distance_upper_bound=reach)
    missing = found == len(known)
    index = np.where(missing, -1, known[np.where(missing, 0, found)])
    return index.reshape(shape).astype(np.int32)


def _trimmed(ortho: Ortho) -> Ortho:
    """The part of the grid that shows something."""
    seen = ortho.index >= 0
    if not seen.any():
        raise InputError("scene: this part of the swath is nowhere on its grid; take a larger one")
    rows, cols = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    y, x = int(rows[0]), int(cols[0])
    a, b, c, d, e, f = ortho.affine
    affine = (a, b, c + a * x + b * y, d, e, f + d * x + e * y)
    index = ortho.index[y : rows[-1] + 1, x : cols[-1] + 1]
    return replace(ortho, index=index.astype(np.int32), affine=affine)
