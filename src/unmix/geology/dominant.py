"""The dominant material of every pixel, and how probable it is that it is the dominant one.

With abundances a and standard deviations s, material k, the most abundant, is dominant with at
least the probability

    P = 1 - Σ_j Φ(-(a_k - a_j) / (s_k + s_j)),   j ≠ k,

Φ the normal distribution. s_k + s_j bounds the standard deviation of a_k - a_j whatever their
correlation, and the sum bounds the probability that any other exceeds k (Boole's inequality). s is
the posterior's where a method gives one, but at least 0.02, for what posteriors do not count; else
0.1 is assumed, the error that classical methods make on scenes with a known truth. Pixels below
0.75 are called mixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtr

from unmix.blocks import row_blocks
from unmix.checks import InputError
from unmix.parallel import over_pixels

__all__ = ["ASSUMED_SD", "LEAST", "LEAST_SD", "Dominant", "dominant", "spread_of"]

LEAST = 0.75
"""Probability below which a pixel is mixed."""
LEAST_SD = 0.02
ASSUMED_SD = 0.1
_FINE = 2048  # points to a standard deviation
_CERTAIN = 9.0  # standard deviations: beyond, 1 - Φ is below what a double adds to 1


@dataclass(frozen=True, eq=False)
class Dominant:
    """The dominant material of every pixel.

    Parameters
    ----------
    code : ndarray, uint8, shape (...)
        0 no data; k + 1 where member k dominates; one more than there are members where mixed.
    confidence : ndarray, float32, shape (...)
        Least probability that the most abundant member is that; NaN without data.
    """

    code: NDArray[np.uint8]
    confidence: NDArray[np.float32]


def dominant(A: NDArray[np.floating], sd: NDArray[np.floating] | None = None) -> Dominant:
    """Classes and confidence of abundances.

    Parameters
    ----------
    A : ndarray, shape (..., member)
        NaN without data.
    sd : ndarray, shape (..., member), optional
        Standard deviations of the abundances.

    Raises
    ------
    InputError
        More than 254 members, or `sd` of another shape.

    >>> A = np.array([[0.9, 0.1], [0.52, 0.48], [np.nan, np.nan]])
    >>> found = dominant(A, np.full((3, 2), 0.04))
    >>> found.code.tolist(), found.confidence.round(2)
    ([1, 3, 0], array([1.  , 0.69,  nan], dtype=float32))
    """
    A = np.asarray(A)
    n = A.shape[-1]
    if n > 254:
        raise InputError(f"abundances: {n} members; classes are bytes, so give at most 254")
    if sd is not None and np.shape(sd) != A.shape:
        raise InputError(f"sd: shape {np.shape(sd)} for abundances of {A.shape}; give one each")
    code = np.zeros(A.shape[:-1], np.uint8)
    confidence = np.full(code.shape, np.nan, np.float32)
    tail = ndtr(-np.arange(_CERTAIN * _FINE + 2) / _FINE)
    for rows in row_blocks(A.shape):
        a = np.ascontiguousarray(A[rows]).reshape(-1, n)
        s = np.empty((0, n), np.float32)
        if sd is not None:
            s = spread_of(np.asarray(sd[rows])).reshape(-1, n)
        here = code[rows].reshape(-1), confidence[rows].reshape(-1)
        over_pixels(partial(_judge, a, s, tail, *here), len(a))
    return Dominant(code, confidence)


@njit(nogil=True, cache=True)
def _judge(A: Any, S: Any, tail: Any, code: Any, confidence: Any, start: int, stop: int) -> int:
    """Code and confidence of pixels start to stop; no rows of S for the assumed spread.

    `tail` is 1 - Φ at every 1 / _FINE; straight lines between are right to 1e-8.
    """
    n = A.shape[1]
    for i in range(start, stop):
        first, finite = 0, True
        for j in range(n):
            finite &= math.isfinite(A[i, j])
            if A[i, j] > A[i, first]:
                first = j
        if not finite:
            continue
        doubt, most = 0.0, np.float64(A[i, first])
        for j in range(n):
            both = 2 * np.float64(np.float32(ASSUMED_SD))
            if len(S):
                both = np.float64(S[i, first]) + S[i, j]
            z = (most - A[i, j]) / both
            if j != first and z < _CERTAIN:
                place = z * _FINE
                cell = int(place)
                doubt += tail[cell] + (place - cell) * (tail[cell + 1] - tail[cell])
        confidence[i] = max(1 - doubt, 0.0)
        code[i] = n + 1 if confidence[i] < LEAST else first + 1
    return 0


def spread_of(known: NDArray[np.floating] | None) -> NDArray[np.float32]:
    """Standard deviations to reckon with; the assumed one where none is known.

    >>> spread_of(np.array([0.25, np.nan, 0.0])) - np.float32([0.25, 0.1, 0.02])
    array([0., 0., 0.], dtype=float32)
    """
    if known is None:
        return np.full((), ASSUMED_SD, np.float32)
    filled = np.nan_to_num(np.asarray(known, np.float32), nan=ASSUMED_SD)
    return np.maximum(filled, np.float32(LEAST_SD))
