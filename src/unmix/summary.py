"""What a result's maps say as a whole: means, extremes, quantiles, in one pass over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.blocks import finite_pixels, planes, remembered_of, row_blocks
from unmix.types import Unmixing

__all__ = [
    "WIDE",
    "Fit",
    "Summary",
    "fit_of",
    "highest_shown",
    "largest_sd",
    "quantile",
    "summary_of",
    "sure_of",
]

WIDE = 0.2
"""Width of a 90 % interval beyond which an abundance is hardly known."""


@dataclass(frozen=True, eq=False)
class Summary:
    """Abundances over the valid pixels, those that are finite in all members.

    Parameters
    ----------
    valid : int
        How many pixels are.
    mean, highest : ndarray, shape (member,)
        0 without a valid pixel.
    dominant : ndarray of int, shape (member,)
        In how many pixels a member is the most abundant one.
    """

    valid: int
    mean: NDArray[np.float64]
    highest: NDArray[np.float64]
    dominant: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fit:
    """The reconstruction error over the pixels that have one.

    Parameters
    ----------
    pixels : int
    median, top : float
        NaN without a pixel; `top` is the 99th percentile.
    outliers : float
        Share of the pixels with more than three times the median.
    """

    pixels: int
    median: float
    top: float
    outliers: float

    @property
    def shown(self) -> float:
        """`highest_shown` of the error."""
        return self.top or 1.0 if self.pixels else 1.0


@remembered_of("abundances")
def summary_of(result: Unmixing) -> Summary:
    """The summary of a result, worked out once.

    >>> import xarray as xr
    >>> from types import SimpleNamespace
    >>> A = np.array([[[0.75, 0.25], [0.25, 0.75], [np.nan, np.nan]]])
    >>> maps = xr.DataArray(A, dims=("y", "x", "member"))
    >>> found = summary_of(SimpleNamespace(abundances=maps))
    >>> found.valid, found.mean.tolist(), found.dominant.tolist()
    (2, [0.5, 0.5], [1, 1])
    """
    A = np.asarray(result.abundances.values)
    n = A.shape[-1]
    valid, total, highest, dominant = 0, np.zeros(n), np.zeros(n), np.zeros(n, np.intp)
    for rows in row_blocks(A.shape):
        a = planes(A[rows])
        good = finite_pixels(a)
        a = a if good.all() else a[:, good]
        valid += a.shape[1]
        total += a.sum(axis=1, dtype=np.float64)
        highest = np.maximum(highest, a.max(axis=1, initial=0))
        dominant += np.bincount(a.argmax(axis=0), minlength=n) if a.size else 0
    return Summary(valid, total / max(valid, 1), highest, dominant)


def sure_of(result: Unmixing) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Each member's mean standard deviation, and the share of pixels with a wide interval.

    None where the result does not say how sure it is, or nowhere.
    """
    if result.uncertainty is None:
        return None
    values = np.asarray(result.uncertainty.values)
    valid, total, wide = 0, np.zeros(values.shape[2]), np.zeros(values.shape[2])
    for rows in row_blocks(values.shape):
        part = planes(values[rows].reshape(-1, values.shape[2] * 3))
        part = part[:, finite_pixels(part)]
        part = part.reshape(values.shape[2], 3, part.shape[1])
        valid += part.shape[-1]
        total += part[:, 0].sum(axis=-1, dtype=np.float64)
        wide += (part[:, 2] - part[:, 1] > WIDE).sum(axis=-1)
    return (total / valid, wide / valid) if valid else None


@remembered_of("residual")
def fit_of(result: Unmixing) -> Fit:
    """The reconstruction error of a result, worked out once."""
    rmse = np.asarray(result.residual.values[..., 0])
    finite = rmse[np.isfinite(rmse)]
    if not finite.size:
        return Fit(0, np.nan, np.nan, 0.0)
    median, top = quantile(finite, 0.5), quantile(finite, 0.99)
    return Fit(finite.size, median, top, float(np.mean(finite > 3 * median)))


def quantile(values: NDArray[np.floating], q: float) -> float:
    """Quantile of finite values, which come out in another order: nothing is copied.

    >>> quantile(np.float32([3, 1, 2, 4]), 0.5)
    2.5
    """
    place = q * (values.size - 1)
    low = int(place)
    high = min(low + 1, values.size - 1)
    values.partition([low, high])
    below, above = float(values[low]), float(values[high])
    return below + (above - below) * (place - low)


def highest_shown(values: NDArray[np.floating]) -> float:
    """Upper end of a colour scale: the 99th percentile of what is finite, 1 where that is nothing.

    >>> highest_shown(np.array([0.0, 0.5, np.nan, 2.0]))
    1.97
    """
    finite = values[np.isfinite(values)]
    return quantile(finite, 0.99) or 1.0 if finite.size else 1.0


def largest_sd(result: Unmixing) -> NDArray[np.float32] | None:
    """The largest standard deviation of a pixel's members (y, x), NaN where masked.

    None where the result does not say how sure it is.
    """
    if result.uncertainty is None:
        return None
    values = np.asarray(result.uncertainty.values)
    out = np.empty(values.shape[:2], np.float32)
    for rows in row_blocks(values.shape):
        out[rows] = values[rows][..., 0].max(axis=-1)
    return out
