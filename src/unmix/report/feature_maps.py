"""Pictures of absorption features: depth and centre wavelength, each with its own scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from unmix.features import feature
from unmix.output.features import feature_names
from unmix.plot import shrink
from unmix.plot.style import ABUNDANCE
from unmix.report.images import map_png, ramp
from unmix.summary import quantile
from unmix.types import Unmixing

__all__ = ["feature_figures"]

CENTRE = "turbo"
_SPAN = (2, 98)  # percentiles of the centres that the colours run over
_LEAST_SPAN = 4.0  # nm
_SEEN = 0.0005  # a feature told in fewer of the pixels has no map


def feature_figures(result: Unmixing, limit: int) -> list[dict[str, Any]]:
    """A row a feature that is told somewhere; `limit` is the longest side of a map.

    Centres are not averaged over pixels but picked, since a mean of two minerals' is neither's.
    """
    if result.features is None:
        return []
    bands = [str(band) for band in result.features.coords["quantity"].values]
    values = np.asarray(result.features.values)
    step = -(-max(values.shape[:2]) // limit)
    rows = []
    for i, name in enumerate(feature_names(bands)):
        depth, centre = values[..., 3 * i], values[::step, ::step, 3 * i + 1]
        told, known = np.isfinite(values[..., 3 * i + 1]), np.isfinite(depth)
        about = feature(name)
        entry: dict[str, Any] = {
            "name": f"{name} nm",
            "cause": about.cause,
            "materials": ", ".join(about.materials),
            "excluded": about.excluded,
            "share": float(told.sum() / max(known.sum(), 1)),
        }
        if entry["share"] > _SEEN:
            top = min(max(quantile(depth[known], 0.99), 0.02), 1.0)
            low, high = (quantile(values[..., 3 * i + 1][told], q / 100) for q in _SPAN)
            middle, half = (low + high) / 2, max(high - low, _LEAST_SPAN) / 2
            entry |= {
                "depth": map_png(shrink(depth, limit) / top, ABUNDANCE), "top": top,
                "centre": map_png((centre - middle + half) / (2 * half), CENTRE),
                "low": float(middle - half), "high": float(middle + half),
                "depth_ramp": ramp(ABUNDANCE), "centre_ramp": ramp(CENTRE),
            }  # fmt: skip
        rows.append(entry)
    return rows
