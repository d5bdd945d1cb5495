"""One pass over the pixels, C = (X − centre) Wᵀ, at the speed of reading X.

A thin product (n × L)·(L × K) is bound by memory, and BLAS reaches a third of that on it. Here two
pixels' spectra are read once and multiplied with five rows of W at a time; the ten sums run in
vector registers. W decides the precision of the sums: float32 for well-conditioned endmembers,
float64 otherwise, whatever the pixels are.
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
def _dot5(X: Any, i: int, j: int, W: Any, centre: Any, k: int, C: Any, p: int, q: int) -> None:
    """Rows k to k + 4 of W times pixels i and j, into rows p and q of C."""
    zero = W.dtype.type(0)
    s0, s1, s2, s3, s4 = zero, zero, zero, zero, zero
    t0, t1, t2, t3, t4 = zero, zero, zero, zero, zero
    for b in range(W.shape[1]):
        u = W.dtype.type(X[i, b]) - centre[b]
        v = W.dtype.type(X[j, b]) - centre[b]
        s0 += W[k, b] * u
        s1 += W[k + 1, b] * u
        s2 += W[k + 2, b] * u
        s3 += W[k + 3, b] * u
        s4 += W[k + 4, b] * u
        t0 += W[k, b] * v
        t1 += W[k + 1, b] * v
        t2 += W[k + 2, b] * v
        t3 += W[k + 3, b] * v
        t4 += W[k + 4, b] * v
    C[p, k], C[p, k + 1], C[p, k + 2], C[p, k + 3], C[p, k + 4] = s0, s1, s2, s3, s4
    C[q, k], C[q, k + 1], C[q, k + 2], C[q, k + 3], C[q, k + 4] = t0, t1, t2, t3, t4


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _dot1(X: Any, i: int, j: int, W: Any, centre: Any, k: int, C: Any, p: int, q: int) -> None:
    """Row k of W times pixels i and j, into rows p and q of C."""
    s = W.dtype.type(0)
    t = W.dtype.type(0)
    for b in range(W.shape[1]):
        s += W[k, b] * (W.dtype.type(X[i, b]) - centre[b])
        t += W[k, b] * (W.dtype.type(X[j, b]) - centre[b])
    C[p, k] = s
    C[q, k] = t


@njit(nogil=True, cache=True)
def project_rows(X: Any, W: Any, centre: Any, C: Any, start: int, stop: int) -> None:
    """C[i − start] = W (X[i] − centre) for start ≤ i < stop.

    Pixels go in pairs, a last odd one with itself: every sum is made in the same order whatever
    the number of pixels.
    """
    n_members = W.shape[0]
    for i in range(start, stop, 2):
        j = min(i + 1, stop - 1)
        k = 0
        while k + 5 <= n_members:
            _dot5(X, i, j, W, centre, k, C, i - start, j - start)
            k += 5
        while k < n_members:
            _dot1(X, i, j, W, centre, k, C, i - start, j - start)
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
