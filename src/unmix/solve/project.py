"""One pass over the pixels, C = (X − centre) Wᵀ, at the speed of reading X.

A thin product (n × L)·(L × K) is bound by memory, and BLAS reaches a third of that on it. Here a
pixel's spectrum is read once and multiplied with five rows of W at a time; the sums run in vector
registers. W decides the precision of the sums: float32 for well-conditioned endmembers, float64
otherwise, whatever the pixels are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmix.parallel import over_pixels

__all__ = ["project", "project_rows"]

# Sums may be re-ordered into vector lanes; NaN and inf keep their meaning (they mark bad pixels).
_VECTOR = {"reassoc", "contract", "nsz"}


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _dot5(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    zero = W.dtype.type(0)
    s0, s1, s2, s3, s4 = zero, zero, zero, zero, zero
    for j in range(W.shape[1]):
        v = W.dtype.type(X[i, j]) - centre[j]
        s0 += W[k, j] * v
        s1 += W[k + 1, j] * v
        s2 += W[k + 2, j] * v
        s3 += W[k + 3, j] * v
        s4 += W[k + 4, j] * v
    C[row, k], C[row, k + 1], C[row, k + 2], C[row, k + 3], C[row, k + 4] = s0, s1, s2, s3, s4


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _dot1(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    s = W.dtype.type(0)
    for j in range(W.shape[1]):
        s += W[k, j] * (W.dtype.type(X[i, j]) - centre[j])
    C[row, k] = s


@njit(nogil=True, cache=True)
def project_rows(X: Any, W: Any, centre: Any, C: Any, start: int, stop: int) -> None:
    """C[i − start] = W (X[i] − centre) for start ≤ i < stop."""
    n_members = W.shape[0]
    for i in range(start, stop):
        k = 0
        while k + 5 <= n_members:
            _dot5(X, i, W, centre, k, C, i - start)
            k += 5
        while k < n_members:
            _dot1(X, i, W, centre, k, C, i - start)
            k += 1


def project(
    X: NDArray[np.floating], W: NDArray[np.floating], centre: NDArray[np.floating] | None = None
) -> NDArray[np.floating]:
    """(X − centre) Wᵀ with sums in W's dtype.

    Parameters
    ----------
    X : ndarray, shape (pixel, band), C-contiguous
    W : ndarray, shape (component, band)
    centre : ndarray, shape (band,), optional

    Returns
    -------
    C : ndarray, shape (pixel, component), of W's dtype

    >>> project(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([[11.,  2.]])
    """
    W = np.ascontiguousarray(W)
    shift = np.zeros(W.shape[1], W.dtype) if centre is None else centre.astype(W.dtype)
    C = np.empty((len(X), len(W)), W.dtype)

    def kernel(start: int, stop: int) -> int:
        project_rows(X, W, shift, C[start:stop], start, stop)
        return 0

    over_pixels(kernel, len(X))
    return C
