"""Ground area of a pixel, whatever the grid's coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

__all__ = ["pixel_area", "square_degree"]


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
    rows, columns = shape[:2]
    _, _, _, d, e, f = transform[:6]
    latitude = d * columns / 2 + e * rows / 2 + f if crs.is_geographic else math.nan
    return area * square_degree(latitude) if abs(latitude) < 90 else None


def square_degree(latitude: float) -> float:
    """Area in m² of a degree by a degree at a latitude, on the WGS 84 ellipsoid.

    M N cos φ (π / 180)², with the radii of curvature along the meridian (M) and across it (N).

    >>> round(square_degree(0.0) / 1e6), round(square_degree(60.0) / 1e6)
    (12309, 6217)
    """
    a, e2 = 6_378_137.0, 0.006_694_379_990_14
    phi = math.radians(latitude)
    w = 1 - e2 * math.sin(phi) ** 2
    across, along = a / math.sqrt(w), a * (1 - e2) / w**1.5
    return along * across * math.cos(phi) * math.radians(1) ** 2
