"""The report's material map: classes, anomalies, composite, features, and what to trust of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.blocks import row_blocks
from unmix.geology.dominant import Dominant
from unmix.geology.settings import settings_of
from unmix.geology.ternary import ternary, triangle
from unmix.output.anomalies import Anomalies, anomalies_of
from unmix.output.classes import class_entries, classes_of
from unmix.plot import member_colour, shrink
from unmix.report.facts import area_unit, pixel_area
from unmix.report.feature_maps import feature_figures
from unmix.report.images import PIXELS, map_png, palette_png, ramp, rgba_png
from unmix.report.map_trust import map_judgements
from unmix.types import Unmixing

__all__ = ["geology"]

SURE = "cividis"
GREY = "#e6e8eb"
_FILES = "classes.tif, confidence.tif, anomalies.gpkg"


def geology(result: Unmixing) -> dict[str, Any]:
    """Everything that geology.html names, under `geology`."""
    A = np.asarray(result.abundances.values)
    found, anomalies = classes_of(result), anomalies_of(result)
    settings = settings_of(result)
    maps = 4 + 2 * (0 if result.features is None else result.features.shape[-1] // 3)
    step = max(1, math.ceil(math.sqrt(A.shape[0] * A.shape[1] * maps / PIXELS)))
    files = [_FILES] if settings.asked else []
    files += ["ternary.tif"] if settings.asked and settings.ternary else []
    zarr = result.provenance.get("format") == "zarr"
    files += ["features.tif"] if settings.asked and result.features is not None and not zarr else []
    return {
        "geology": {
            "classes": _classes(result, found),
            "class_map": _codes_png(found.code[::step, ::step], result),
            "confidence": map_png(shrink(found.confidence, _limit(A, step)), SURE),
            "confidence_ramp": ramp(SURE),
            "anomalies": _anomalies(result, anomalies),
            "anomaly_map": _patches_png(anomalies, found, step),
            "given": anomalies.asked,
            "least": _least(result, anomalies),
            "ternary": _composite(result, settings.ternary, step),
            "features": feature_figures(result, _limit(A, step)),
            "trust": map_judgements(result, found, anomalies),
            "files": ", ".join(files),
        }
    }


def _limit(A: NDArray[Any], step: int) -> int:
    return math.ceil(max(A.shape[:2]) / step)


def _area(result: Unmixing) -> float | None:
    """Area of a pixel in the report's unit; None where it is not known."""
    area = pixel_area(result)
    if area is None:
        return None
    return area / (1e6 if area_unit(result) == "km²" else 1.0)


def _classes(result: Unmixing, found: Dominant) -> list[dict[str, Any]]:
    """A row a class: pixels, share of the valid ones, area, mean confidence."""
    n = len(result.endmembers) + 2
    counts, sums = np.zeros(n, np.intp), np.zeros(n)
    for rows in row_blocks(found.code.shape):
        code, sure = found.code[rows].ravel(), np.nan_to_num(found.confidence[rows]).ravel()
        counts += np.bincount(code, minlength=n)
        sums += np.bincount(code, sure, minlength=n)
    total, pixel = max(int(counts[1:].sum()), 1), _area(result)
    return [
        {
            "name": name,
            "colour": colour,
            "share": float(counts[code] / total),
            "area": None if pixel is None else float(counts[code] * pixel),
            "confidence": float(sums[code] / counts[code]) if counts[code] else None,
        }
        for code, name, colour in class_entries(result.endmembers.names)
    ]


def _codes_png(code: NDArray[np.uint8], result: Unmixing) -> str:
    colours = [colour for _, _, colour in class_entries(result.endmembers.names)]
    return palette_png(np.where(code > 0, code.astype(int) - 1, len(colours)), colours)


def _anomalies(result: Unmixing, found: Anomalies) -> list[dict[str, Any]]:
    """A row a material that has patches."""
    pixel = _area(result)
    return [
        {
            "name": result.endmembers.names[p.member],
            "colour": member_colour(p.member),
            "threshold": p.threshold,
            "count": len(p.pixels),
            "size": float(p.pixels.sum() * (pixel or 1)),
            "mean": float(np.average(p.mean, weights=p.pixels)),
            "confidence": float(np.average(p.confidence, weights=p.pixels)),
        }
        for p in found.patches
        if len(p.pixels)
    ]


def _patches_png(found: Anomalies, classes: Dominant, step: int) -> str:
    """Patches in their materials' colours; where several lie, that of the smaller total on top."""
    index = np.where(classes.code[::step, ::step] > 0, 0, -1)
    colours = [GREY]
    for p in sorted(found.patches, key=lambda p: -int(p.pixels.sum())):
        index[p.mask[::step, ::step]] = len(colours)
        colours.append(member_colour(p.member))
    return palette_png(np.where(index < 0, len(colours), index), colours)


def _least(result: Unmixing, found: Anomalies) -> str:
    """The smallest patch, in words."""
    if found.pixel is None:
        return f"{found.least_pixels:g} pixels"
    return f"{found.least_pixels * found.pixel:,.0f} m²".replace(",", "\u202f")


def _composite(
    result: Unmixing, three: tuple[int, int, int] | None, step: int
) -> dict[str, Any] | None:
    """The ternary composite with the triangle that explains it."""
    if three is None:
        return None
    view = ternary(np.asarray(result.abundances.values)[::step, ::step], three)
    return {
        "map": rgba_png(view),
        "triangle": rgba_png(triangle(120)),
        "names": [result.endmembers.names[k] for k in three],
    }
