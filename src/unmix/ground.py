"""Size of a pixel on the ground, whatever the grid's coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

__all__ = ["pixel_area", "pixel_size", "square_degree"]


def pixel_area(crs: CRS | None, transform: Affine | None, shape: Sequence[int]) -> float | None:
    """Area in m² of a pixel of a grid of `shape` (rows, columns, ...); None where it is not known.

    In degrees, it is that at the middle of the map, on the WGS 84 ellipsoid.

    >>> from affine import Affine
    >>> pixel_area(None, Affine.scale(30), (2, 3)) is None
    True
    """
    if crs is None or transform is None:
        return None
    area = float(abs(transform.determinant))
    if crs.is_projected:
        return area * float(crs.linear_units_factor[1]) ** 2
    latitude = _latitude(transform, shape) if crs.is_geographic else math.nan
    return area * square_degree(latitude) if abs(latitude) < 90 else None


def pixel_size(
    crs: CRS | None, transform: Affine | None, shape: Sequence[int]
) -> tuple[float, float] | None:
    """Metres from a pixel to the next in its row, and to the next in its column.

    None where it is not known; in degrees, at the middle of the map.

    >>> from affine import Affine
    >>> from rasterio.crs import CRS
    >>> pixel_size(CRS.from_epsg(32633), Affine.scale(30, -20), (2, 3))
    (30.0, 20.0)
    """
    if crs is None or transform is None:
        return None
    a, b, _, d, e, _ = transform[:6]
    if crs.is_projected:
        unit = float(crs.linear_units_factor[1])
        return math.hypot(a, d) * unit, math.hypot(b, e) * unit
    latitude = _latitude(transform, shape) if crs.is_geographic else math.nan
    if not abs(latitude) < 90:
        return None
    east, north = _degree(latitude)
    return math.hypot(a * east, d * north), math.hypot(b * east, e * north)


def _latitude(transform: Affine, shape: Sequence[int]) -> float:
    """Latitude at the middle of the map."""
    rows, columns = shape[:2]
    _, _, _, d, e, f = transform[:6]
    return float(d * columns / 2 + e * rows / 2 + f)


def square_degree(latitude: float) -> float:
    """Area in m² of a degree by a degree at a latitude, on the WGS 84 ellipsoid.

    M N cos φ (π / 180)², with the radii of curvature along the meridian (M) and across it (N).

    >>> round(square_degree(0.0) / 1e6), round(square_degree(60.0) / 1e6)
    (12309, 6217)
    """
    east, north = _degree(latitude)
    return east * north


def _degree(latitude: float) -> tuple[float, float]:
    """Metres of a degree eastward and northward at a latitude."""
    a, e2 = 6_378_137.0, 0.006_694_379_990_14
    phi = math.radians(latitude)
    w = 1 - e2 * math.sin(phi) ** 2
    across, along = a / math.sqrt(w), a * (1 - e2) / w**1.5
    return across * math.cos(phi) * math.radians(1), along * math.radians(1)
