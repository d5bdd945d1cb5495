"""Patches of the map where a material stands out.

A material k stands out where its abundance exceeds a threshold. By default that comes from the
scene: what lies three robust standard deviations above the scene's usual abundance, and above what
is known of it, in limits,

    t_k = clip(max(m_k + 3 · 1.4826 MAD_k, 3 s_k), 0.2, 0.5),

m_k and MAD_k the median and the median absolute deviation of its abundance over the scene, s_k its
median standard deviation. Neighbouring pixels, diagonals included, make a patch; patches of fewer
than four pixels are left out. A patch's confidence is the mean probability of its pixels to exceed
the threshold, Φ((a - t) / s), with s as in `unmix.geology.dominant`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr

from unmix.checks import InputError
from unmix.geology.dominant import spread_of

__all__ = ["LEAST_PIXELS", "Patches", "check_anomalies", "find_anomalies", "thresholds"]

LEAST_PIXELS = 4
_LIMITS = (0.2, 0.5)
_DEVIATIONS = 3.0
_SAMPLE = 1_000_000  # pixels that medians are taken of


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of one material.

    Parameters
    ----------
    member : int
    threshold : float
    labels : ndarray, int32, shape (y, x)
        Number of the patch, from 1; 0 for none.
    pixels, mean, highest, confidence : ndarray, shape (patch,)
        Count, mean and highest abundance, mean probability to exceed the threshold.
    centre : ndarray, shape (patch, 2)
        Mean row and column of the pixels' centres, from 0.5 at the first.
    """

    member: int
    threshold: float
    labels: NDArray[np.int32]
    pixels: NDArray[np.intp]
    mean: NDArray[np.float64]
    highest: NDArray[np.float64]
    confidence: NDArray[np.float64]
    centre: NDArray[np.float64]


def check_anomalies(threshold: float | None, area: float | None) -> None:
    """`InputError` for a threshold that is no share, or an area that is none.

    >>> check_anomalies(1.5, None)
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: anomaly_threshold: got 1.5; give an abundance between 0 and 1
    """
    if threshold is not None and not 0 < threshold < 1:
        raise InputError(f"anomaly_threshold: got {threshold}; give an abundance between 0 and 1")
    if area is not None and not 0 <= area < np.inf:
        raise InputError(f"anomaly_area: got {area}; give an area in m², 0 or more")


def thresholds(
    A: NDArray[np.floating], sd: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Abundances (member,) above which a material stands out in a scene.

    Parameters
    ----------
    A : ndarray, shape (..., member)
        NaN without data.
    sd : ndarray, shape (..., member), optional

    >>> A = np.zeros((100, 2))
    >>> A[:, 0] = 1
    >>> thresholds(A)                              # everywhere, and nowhere
    array([0.5, 0.2])
    """
    n = A.shape[-1]
    good = np.isfinite(A).all(axis=-1)
    a = A[good]
    if not len(a):
        return np.full(n, _LIMITS[1])
    rows = slice(None, None, -(-len(a) // _SAMPLE))
    a = a[rows].astype(np.float64)
    middle = np.median(a, axis=0)
    usual = middle + _DEVIATIONS * 1.4826 * np.median(np.abs(a - middle), axis=0)
    if sd is not None:
        known = np.nan_to_num(np.asarray(sd)[good][rows], nan=0.0)
        usual = np.maximum(usual, 3 * np.median(known, axis=0))
    return np.clip(usual, *_LIMITS).round(3)


def find_anomalies(
    A: NDArray[np.floating],
    sd: NDArray[np.floating] | None,
    limits: NDArray[np.floating],
    members: Sequence[int],
    least_pixels: float = LEAST_PIXELS,
) -> Iterator[Patches]:
    """Patches of each of some members, in their order.

    Parameters
    ----------
    A : ndarray, shape (y, x, member)
    sd : ndarray, shape (y, x, member), optional
    limits : ndarray, shape (member,)
        Thresholds.
    members : sequence of int
    least_pixels : float
        Smaller patches are left out.

    >>> A = np.zeros((4, 6, 2))
    >>> A[1:3, 2:5, 0] = 0.8
    >>> [patches] = find_anomalies(A, None, np.array([0.3, 0.3]), [0])
    >>> patches.pixels.tolist(), patches.centre.tolist()
    ([6], [[2.0, 3.5]])
    """
    for k in members:
        a = np.nan_to_num(np.asarray(A[..., k], np.float32), nan=-1.0)
        labels, count = ndimage.label(a > limits[k], np.ones((3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        kept = sizes >= max(least_pixels, 1)
        kept[0] = False
        labels = np.where(kept, np.cumsum(kept), 0)[labels].astype(np.int32)
        row, col = np.nonzero(labels)
        which, values = labels[row, col] - 1, a[row, col].astype(np.float64)
        n = int(kept.sum())
        pixels = np.bincount(which, minlength=n)
        spread = spread_of(None if sd is None else sd[..., k], values.shape, labels > 0)
        over = ndtr((values - limits[k]) / spread)
        highest = np.zeros(n)
        np.maximum.at(highest, which, values)
        means = [np.bincount(which, v, minlength=n) / np.maximum(pixels, 1)
                 for v in (values, over, row + 0.5, col + 0.5)]  # fmt: skip
        yield Patches(
            k, float(limits[k]), labels, pixels, means[0], highest, means[1],
            np.stack(means[2:], axis=-1),
        )  # fmt: skip
