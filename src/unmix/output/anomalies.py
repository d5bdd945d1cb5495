"""Anomalies as polygons: anomalies.gpkg.

One layer in the CRS of the maps, a feature a patch, its outline the edges of its pixels, so that it
lies on the map exactly, on rotated grids, too. A scene without coordinates has none in the file
either: x counts columns to the right and y rows downward, negative, as map software draws such a
raster. Same patches, same bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.blocks import remembered
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


@remembered
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

    polygons, number = _traced(patches.labels, transform)
    order = np.argsort(number, kind="stable")
    whole = np.asarray(polygons)[order]
    bad = ~shapely.is_valid(whole)
    whole[bad] = shapely.make_valid(whole[bad])
    parts, which = shapely.get_parts(whole, return_index=True)
    real = shapely.area(parts) > 0
    return list(shapely.multipolygons(parts[real], indices=number[order][which[real]] - 1))


def _traced(labels: NDArray[np.int32], transform: Affine | None) -> tuple[Any, NDArray[np.intp]]:
    """Polygons round pixels of one label that share edges, and that label, all at once.

    A patch has tens of parts where a map is noisy, so no geometry is made one by one.
    """
    import shapely
    from rasterio.features import shapes

    points = array("d")  # a large map's corners would not fit as numbers of their own
    sizes, owner, number = [], [], []
    for i, (outline, label) in enumerate(shapes(labels, labels > 0, 4, _placed(transform))):
        number.append(int(label))
        for ring in outline["coordinates"]:
            points.extend(chain.from_iterable(ring))
            sizes.append(len(ring))
            owner.append(i)
    if not number:
        return np.empty(0, object), np.empty(0, np.intp)
    rings = shapely.linearrings(
        np.frombuffer(points).reshape(-1, 2), indices=np.repeat(np.arange(len(sizes)), sizes)
    )
    first = np.r_[True, np.diff(owner) > 0]  # the outer ring; holes follow it
    shells, holes = rings[first], rings[~first]
    made = shapely.polygons(shells)
    inner, starts = np.unique(np.array(owner)[~first], return_index=True)
    for i, own in zip(inner, np.split(holes, starts[1:]), strict=False):  # none without holes
        made[i] = shapely.polygons(shells[i], own)
    return made, np.array(number, np.intp)


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
