"""Anomalies as polygons: anomalies.gpkg.

One layer in the CRS of the maps, a feature a patch, its outline the edges of its pixels, so that it
lies on the map exactly, on rotated grids, too. A scene without coordinates has none in the file
either: x counts columns to the right and y rows downward, negative, as map software draws such a
raster. Same patches, same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmix.geology.anomalies import LEAST_PIXELS, Patches, find_anomalies, thresholds
from unmix.geology.materials import grounds
from unmix.geology.settings import settings_of
from unmix.ground import pixel_area
from unmix.io.vector import write_polygons
from unmix.output.rasters import georeferencing
from unmix.types import Unmixing

if TYPE_CHECKING:
    from affine import Affine

__all__ = ["Anomalies", "anomalies_of", "write_anomalies"]

_TYPES = {"material": "object", "pixels": "int64"}
"""Of the fields; all others are numbers."""


@dataclass(frozen=True, eq=False)
class Anomalies:
    """The anomalies of a result.

    Parameters
    ----------
    patches : tuple of Patches
        One a material, vegetation and cover left out.
    pixel : float or None
        Ground area of a pixel in m².
    least_pixels : float
        Smaller patches were left out.
    asked : bool
        Whether the user gave the threshold.
    """

    patches: tuple[Patches, ...]
    pixel: float | None
    least_pixels: float
    asked: bool


def anomalies_of(result: Unmixing) -> Anomalies:
    """Anomalies by the settings of a result on its map grid."""
    settings = settings_of(result)
    A = np.asarray(result.abundances.values)
    sd = None if result.uncertainty is None else np.asarray(result.uncertainty.values[..., 0])
    if settings.threshold is None:
        limits = thresholds(A, sd)
    else:
        limits = np.full(A.shape[-1], settings.threshold)
    pixel = pixel_area(*georeferencing(result.abundances), A.shape)
    least = float(LEAST_PIXELS)
    if settings.area is not None:
        least = settings.area / (pixel or 1.0)
    members = np.flatnonzero(grounds(result)).tolist()
    found = tuple(find_anomalies(A, sd, limits, members, least))
    return Anomalies(found, pixel, least, settings.threshold is not None)


def write_anomalies(result: Unmixing, found: Anomalies, path: Path) -> None:
    """The GeoPackage; a layer without features where nothing stands out."""
    crs, transform = georeferencing(result.abundances)
    polygons: list[Any] = []
    fields: dict[str, list[Any]] = {name: [] for name in _FIELDS}
    for patches in found.patches:
        polygons += outlines(patches, transform)
        for name, values in _columns(patches, result.endmembers.names, transform, found).items():
            fields[name] += list(values)
    columns = {name: np.array(v, _TYPES.get(name, "float64")) for name, v in fields.items()}
    wkt = None if crs is None or transform is None else crs.to_wkt()
    write_polygons(path, polygons, columns, wkt)


def outlines(patches: Patches, transform: Affine | None) -> list[Any]:
    """A valid MultiPolygon a patch: pixels that touch at a corner alone are parts of it."""
    import shapely
    from rasterio.features import shapes

    parts: list[list[Any]] = [[] for _ in patches.pixels]
    seen = patches.labels > 0
    for ring, number in shapes(patches.labels, seen, 4, _placed(transform)):
        shape = shapely.geometry.shape(ring)
        whole = shape if shape.is_valid else shapely.make_valid(shape)
        parts[int(number) - 1] += [p for p in shapely.get_parts(whole) if p.area > 0]
    return [shapely.MultiPolygon(part) for part in parts]


_FIELDS = (
    "material", "pixels", "area_m2", "area_ha", "abundance_mean", "abundance_max", "confidence",
    "threshold", "x", "y",
)  # fmt: skip


def _columns(
    patches: Patches, names: Sequence[str], transform: Affine | None, found: Anomalies
) -> dict[str, Any]:
    """The fields of a material's patches; areas are NaN where the ground is not known."""
    count = len(patches.pixels)
    area = patches.pixels * (np.nan if found.pixel is None else found.pixel)
    a, b, c, d, e, f = _placed(transform)[:6]
    row, col = patches.centre.T
    values = (
        [names[patches.member]] * count, patches.pixels, area, area / 1e4, patches.mean,
        patches.highest, patches.confidence, [patches.threshold] * count,
        a * col + b * row + c, d * col + e * row + f,
    )  # fmt: skip
    return dict(zip(_FIELDS, values, strict=True))


def _placed(transform: Affine | None) -> Affine:
    from affine import Affine

    return Affine(1, 0, 0, 0, -1, 0) if transform is None else transform
