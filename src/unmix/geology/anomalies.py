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

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from unmix.blocks import finite_pixels, planes, row_blocks
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
    flags : ndarray, uint8
        Which pixels belong to a patch, a bit each, row by row.
    shape : (rows, columns)
    pixels, mean, highest, confidence : ndarray, shape (patch,)
        Count, mean and highest abundance, mean probability to exceed the threshold.
    centre : ndarray, shape (patch, 2)
        Mean row and column of the pixels' centres, from 0.5 at the first.
    """

    member: int
    threshold: float
    flags: NDArray[np.uint8]
    shape: tuple[int, int]
    pixels: NDArray[np.intp]
    mean: NDArray[np.float64]
    highest: NDArray[np.float64]
    confidence: NDArray[np.float64]
    centre: NDArray[np.float64]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which pixels (y, x) belong to a patch."""
        size = self.shape[0] * self.shape[1]
        return np.unpackbits(self.flags, count=size).reshape(self.shape).view(np.bool_)

    @property
    def labels(self) -> NDArray[np.int32]:
        """Number of the patch (y, x), from 1; 0 for none. Worked out anew: maps are large."""
        return _labelled(self.mask)[0]


def _labelled(flags: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Patches numbered in the order of their first pixels, diagonal neighbours joined."""
    labels = np.empty(flags.shape, np.int32)
    return labels, int(ndimage.label(flags, np.ones((3, 3)), output=labels))


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
    usual = np.full(n, np.nan)
    for k, (values, known) in enumerate(_samples(np.asarray(A), sd)):
        if not values.size:
            return np.full(n, _LIMITS[1])
        middle = np.median(values)
        usual[k] = middle + _DEVIATIONS * 1.4826 * np.median(np.abs(values - middle))
        if known is not None:
            usual[k] = max(usual[k], 3 * np.median(np.nan_to_num(known, nan=0.0)))
    return np.clip(usual, *_LIMITS).round(3)


def _samples(
    A: NDArray[np.floating], sd: NDArray[np.floating] | None
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64] | None]]:
    """Of each member abundances and standard deviations of every so manieth valid pixel."""
    step, seen = max(1, -(-math.prod(A.shape[:-1]) // _SAMPLE)), 0
    values: list[NDArray[np.float32]] = []
    known: list[NDArray[np.float32]] = []
    for rows in row_blocks(A.shape):
        a = planes(A[rows])
        valid = np.flatnonzero(finite_pixels(a))
        taken = valid[-seen % step :: step]
        values.append(a[:, taken])
        if sd is not None:
            known.append(planes(np.asarray(sd[rows]))[:, taken])
        seen += len(valid)
    for k in range(A.shape[-1]):
        one = np.concatenate([v[k] for v in values]).astype(np.float64)
        yield one, np.concatenate([v[k] for v in known]).astype(np.float64) if known else None


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
        labels, count = _labelled(_above(A[..., k], limits[k]))
        sizes = np.zeros(count + 1, np.intp)
        _count(labels, sizes)
        kept = sizes >= max(least_pixels, 1)
        kept[0] = False
        number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
        inside = np.empty(labels.shape, np.bool_)
        _mark(labels, kept, inside)
        flags = np.packbits(inside)
        pixels = sizes[kept]
        highest, *sums = np.zeros((5, len(pixels)))
        for rows in row_blocks(labels.shape):
            a = np.array(A[rows, :, k], np.float64)
            s = np.empty_like(a)
            s[:] = spread_of(None if sd is None else np.asarray(sd[rows, :, k]))
            _add(labels[rows], number, a, s, float(limits[k]), rows.start, highest, *sums)
        means = [total / np.maximum(pixels, 1) for total in sums]
        yield Patches(
            k, float(limits[k]), flags, labels.shape, pixels, means[0], highest, means[1],
            np.stack(means[2:], axis=-1),
        )  # fmt: skip


def _above(a: NDArray[np.floating], limit: float) -> NDArray[np.bool_]:
    """Which pixels exceed a threshold; those without data do not."""
    return np.asarray(np.asarray(a, np.float32) > np.float64(limit))


@njit(nogil=True, cache=True)
def _count(labels: Any, sizes: Any) -> None:
    """Add the pixels of each label, 0 first."""
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            sizes[labels[i, j]] += 1


@njit(nogil=True, cache=True)
def _mark(labels: Any, kept: Any, inside: Any) -> None:
    """Which pixels have a label that is kept."""
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            inside[i, j] = kept[labels[i, j]]


@njit(nogil=True, cache=True)
def _add(
    labels: Any, number: Any, a: Any, spread: Any, limit: float, first: int,
    highest: Any, total: Any, over: Any, down: Any, across: Any,
) -> None:  # fmt: skip
    """Add rows from `first` on to each patch's highest abundance and its sums.

    Those are of abundances, of probabilities to exceed the limit, of rows and of columns; a label's
    patch is `number`, 0 for none.
    """
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            patch = number[labels[i, j]] - 1
            if patch < 0:
                continue
            value = np.float64(a[i, j])
            highest[patch] = max(highest[patch], value)
            total[patch] += value
            over[patch] += 0.5 * math.erfc((limit - value) / (spread[i, j] * math.sqrt(2.0)))
            down[patch] += first + i + 0.5
            across[patch] += j + 0.5
