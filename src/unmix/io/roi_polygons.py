"""Polygons on a map to the pixels of a scene, under the class that a column names.

A pixel belongs to a polygon if its centre lies inside. A polygon that holds no pixel's centre,
being smaller than a pixel, takes every pixel that it touches. The polygon is brought into the
scene's CRS (its edges in short pieces, since straight lines do not stay straight) and from there,
by the inverse of the affine, into rows and columns: a rotated grid is no special case. Of a scene
in swath geometry, the pixels are those that its map grid shows there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.georef import grid_of
from unmix.io.vector import Layer
from unmix.ortho import Ortho

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FIELDS", "pixels_of_polygons"]

Index = NDArray[np.intp]
FIELDS = ("class", "class_name", "name", "label", "material", "mineral", "member", "roi", "type")
"""Columns that may hold a region's class, the first that is there is taken; case does not count."""
_PIECES = 32  # pieces of the longest side that edges are cut into before they are reprojected
_TINY = 4.0  # pixels: a polygon of a smaller area may lie between the centres


def pixels_of_polygons(
    layer: Layer, scene: xr.DataArray, field: str | None, source: str
) -> Iterator[tuple[str, Index, Index]]:
    """Class, rows and columns of each polygon; (−1, −1) for one outside the scene."""
    from unmix.scene import swath_of

    names = _classes(layer, field, source)
    crs, affine = grid_of(scene)
    shape: tuple[int, int] = (scene.sizes["y"], scene.sizes["x"])
    swath = swath_of(scene)
    if swath is not None:
        rows, cols = swath.index.shape
        crs, affine, shape = swath.crs_wkt, swath.affine, (rows, cols)
    if affine is None:
        raise InputError(
            f"{source}: polygons lie on a map and the scene has no georeference; give windows of "
            "rows and columns, such as soil=10:20,30:40"
        )
    if crs is not None and layer.crs is None:
        raise InputError(
            f"{source}: has no CRS, the scene has one; set it in the file (QGIS: Assign projection)"
        )
    if crs is None and layer.crs is not None:
        raise InputError(
            f"{source}: has a CRS and the scene has none; give the scene its own first"
        )
    for number, (name, polygon) in enumerate(zip(names, layer.polygons, strict=True), start=1):
        if crs is not None and layer.crs is not None:
            polygon = _reprojected(polygon, layer.crs, crs, f"{source}: polygon {number}")
        y, x = _pixels_of(polygon, affine, shape)
        yield name, *((y, x) if swath is None else _shown(swath, y, x))


def _shown(swath: Ortho, y: Index, x: Index) -> tuple[Index, Index]:
    """Rows and columns of the swath that its grid shows at places; (−1, −1) where it shows none."""
    index = np.unique(swath.index[y, x]) if y[0] >= 0 else np.array([-1])
    index = index[index >= 0]
    if not index.size:
        return np.array([-1]), np.array([-1])
    row, col = np.divmod(index.astype(np.intp), swath.shape[1])
    return row, col


def _classes(layer: Layer, field: str | None, source: str) -> list[str]:
    """The class of each polygon."""
    fields: Mapping[str, list[Any]] = layer.fields
    have = ", ".join(fields) or "none"
    if field is None:
        lower = {name.lower(): name for name in fields}
        chosen = next((lower[f] for f in FIELDS if f in lower), None)
        texts = [n for n, values in fields.items() if all(isinstance(v, str) for v in values)]
        chosen = chosen or (texts[0] if len(texts) == 1 else None)
        if chosen is None:
            raise InputError(
                f"{source}: which field holds the class? Give --roi-field, or name it 'class' "
                f"(fields: {have:.200})"
            )
    elif field in fields:
        chosen = field
    else:
        raise InputError(f"roi-field: {source} has no field {field!r:.60}; it has {have:.200}")
    out = []
    for i, value in enumerate(fields[chosen], start=1):
        empty = value is None or value != value or not str(value).strip()
        if empty:
            raise InputError(f"{source}: polygon {i} has no {chosen}; fill it in")
        whole = isinstance(value, float) and value == int(value)
        out.append(" ".join(str(int(value) if whole else value).split()))
    return out


def _reprojected(polygon: Any, source: str, target: str, what: str) -> Any:
    """The polygon in another CRS."""
    import shapely
    from rasterio._err import CPLE_BaseError
    from rasterio.crs import CRS
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    here, there = CRS.from_wkt(source), CRS.from_wkt(target)
    if here == there:
        return polygon
    left, bottom, right, top = polygon.bounds
    longest = max(right - left, top - bottom)
    fine = shapely.segmentize(polygon, longest / _PIECES) if longest > 0 else polygon

    def moved(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transform(here, there, at[:, 0], at[:, 1]))

    try:
        out = shapely.transform(fine, moved)
    except (CPLE_BaseError, RasterioError, ValueError):
        out = None
    if out is None or not np.isfinite(shapely.get_coordinates(out)).all():
        raise InputError(f"{what} cannot be brought into the scene's CRS; check the file's CRS")
    return out


def _pixels_of(
    polygon: Any, affine: Sequence[float], shape: tuple[int, int]
) -> tuple[Index, Index]:
    """Rows and columns of the scene's pixels in a polygon on the map; (−1, −1) if it has none."""
    import shapely

    a, b, c, d, e, f = affine
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    flat = shapely.transform(polygon, lambda at: (at - (c, f)) @ inverse.T)
    left, top, right, bottom = flat.bounds
    first_col, last_col = max(int(np.floor(left)), 0), min(int(np.ceil(right)), shape[1])
    first_row, last_row = max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), shape[0])
    if first_col >= last_col or first_row >= last_row:
        return np.array([-1]), np.array([-1])
    y, x = np.mgrid[first_row:last_row, first_col:last_col]
    shapely.prepare(flat)
    inside = shapely.contains_xy(flat, x + 0.5, y + 0.5)
    if not inside.any() and flat.area < _TINY:
        inside = shapely.intersects(flat, shapely.box(x, y, x + 1, y + 1))
    if not inside.any():
        return np.array([-1]), np.array([-1])
    return y[inside], x[inside]
