"""How sure the abundances are, by member and by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmix.types import Unmixing

__all__ = ["WIDE", "by_member", "largest_sd"]

WIDE = 0.2  # width of a 90 % interval beyond which an abundance is hardly known


def by_member(result: Unmixing) -> list[dict[str, float]]:
    """Mean standard deviation of each member, and the share of pixels with a wide interval.

    Shares are of the valid pixels; empty where the result does not say how sure it is.
    """
    if result.uncertainty is None:
        return []
    values = np.asarray(result.uncertainty.values, dtype=np.float64)
    valid = values[np.isfinite(values).all(axis=(-2, -1))]
    if not len(valid):
        return []
    sd, low, high = np.moveaxis(valid, -1, 0)
    mean, wide = sd.mean(axis=0), (high - low > WIDE).mean(axis=0)
    return [{"sd": float(s), "wide": float(w)} for s, w in zip(mean, wide, strict=True)]


def largest_sd(result: Unmixing) -> NDArray[np.float64] | None:
    """The largest standard deviation of a pixel's members (y, x), NaN where masked."""
    if result.uncertainty is None:
        return None
    return np.asarray(result.uncertainty.values[..., 0], dtype=np.float64).max(axis=-1)
