"""Products of spectra with several rows of weights at a time, their sums in registers.

A body for each number of rows: the compiler keeps a sum in a vector register only where it is a
variable of its own. A second pass over the spectrum costs as much as reading it, though it lies in
cache, because it breaks the processor's prefetch; so there are as few passes as registers allow.
"""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["project_rows"]

# Sums may be re-ordered into vector lanes; NaN and inf keep their meaning (they mark bad pixels).
_VECTOR = {"reassoc", "contract", "nsz"}


@njit(nogil=True, fastmath=_VECTOR, forceinline=True)
def _one(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    a = W.dtype.type(0)
    for j in range(W.shape[1]):
        a += W[k, j] * (W.dtype.type(X[i, j]) - centre[j])
    C[row, k] = a


@njit(nogil=True, fastmath=_VECTOR, forceinline=True)
def _two(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    zero = W.dtype.type(0)
    a, b = zero, zero
    for j in range(W.shape[1]):
        x = W.dtype.type(X[i, j]) - centre[j]
        a += W[k, j] * x
        b += W[k + 1, j] * x
    C[row, k], C[row, k + 1] = a, b


@njit(nogil=True, fastmath=_VECTOR, forceinline=True)
def _three(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    zero = W.dtype.type(0)
    a, b, c = zero, zero, zero
    for j in range(W.shape[1]):
        x = W.dtype.type(X[i, j]) - centre[j]
        a += W[k, j] * x
        b += W[k + 1, j] * x
        c += W[k + 2, j] * x
    C[row, k], C[row, k + 1], C[row, k + 2] = a, b, c


@njit(nogil=True, fastmath=_VECTOR, forceinline=True)
def _four(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    zero = W.dtype.type(0)
    a, b, c, d = zero, zero, zero, zero
    for j in range(W.shape[1]):
        x = W.dtype.type(X[i, j]) - centre[j]
        a += W[k, j] * x
        b += W[k + 1, j] * x
        c += W[k + 2, j] * x
        d += W[k + 3, j] * x
    C[row, k], C[row, k + 1], C[row, k + 2], C[row, k + 3] = a, b, c, d


@njit(nogil=True, fastmath=_VECTOR, forceinline=True)
def _five(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    zero = W.dtype.type(0)
    a, b, c, d, e = zero, zero, zero, zero, zero
    for j in range(W.shape[1]):
        x = W.dtype.type(X[i, j]) - centre[j]
        a += W[k, j] * x
        b += W[k + 1, j] * x
        c += W[k + 2, j] * x
        d += W[k + 3, j] * x
        e += W[k + 4, j] * x
    C[row, k], C[row, k + 1], C[row, k + 2], C[row, k + 3], C[row, k + 4] = a, b, c, d, e


@njit(nogil=True, fastmath=_VECTOR, forceinline=True)
def _six(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    zero = W.dtype.type(0)
    a, b, c, d, e, f = zero, zero, zero, zero, zero, zero
    for j in range(W.shape[1]):
        x = W.dtype.type(X[i, j]) - centre[j]
        a += W[k, j] * x
        b += W[k + 1, j] * x
        c += W[k + 2, j] * x
        d += W[k + 3, j] * x
        e += W[k + 4, j] * x
        f += W[k + 5, j] * x
    C[row, k], C[row, k + 1], C[row, k + 2], C[row, k + 3], C[row, k + 4] = a, b, c, d, e
    C[row, k + 5] = f


@njit(nogil=True, fastmath=_VECTOR, forceinline=True)
def _seven(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    zero = W.dtype.type(0)
    a, b, c, d, e, f, g = zero, zero, zero, zero, zero, zero, zero
    for j in range(W.shape[1]):
        x = W.dtype.type(X[i, j]) - centre[j]
        a += W[k, j] * x
        b += W[k + 1, j] * x
        c += W[k + 2, j] * x
        d += W[k + 3, j] * x
        e += W[k + 4, j] * x
        f += W[k + 5, j] * x
        g += W[k + 6, j] * x
    C[row, k], C[row, k + 1], C[row, k + 2], C[row, k + 3], C[row, k + 4] = a, b, c, d, e
    C[row, k + 5], C[row, k + 6] = f, g


@njit(nogil=True, fastmath=_VECTOR, forceinline=True)
def _eight(X: Any, i: int, W: Any, centre: Any, k: int, C: Any, row: int) -> None:
    zero = W.dtype.type(0)
    a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
    for j in range(W.shape[1]):
        x = W.dtype.type(X[i, j]) - centre[j]
        a += W[k, j] * x
        b += W[k + 1, j] * x
        c += W[k + 2, j] * x
        d += W[k + 3, j] * x
        e += W[k + 4, j] * x
        f += W[k + 5, j] * x
        g += W[k + 6, j] * x
        h += W[k + 7, j] * x
    C[row, k], C[row, k + 1], C[row, k + 2], C[row, k + 3], C[row, k + 4] = a, b, c, d, e
    C[row, k + 5], C[row, k + 6], C[row, k + 7] = f, g, h


@njit(nogil=True, cache=True)
def project_rows(X: Any, W: Any, centre: Any, C: Any, start: int, stop: int) -> None:
    """C[i − start] = W (X[i] − centre) for start ≤ i < stop, at most eight rows of W at a time."""
    for i in range(start, stop):
        k, left = 0, W.shape[0]
        while left > 0:
            n = min(left, 8)
            if left == 9 or left == 10:  # two even passes
                n = 5
            if n == 1:
                _one(X, i, W, centre, k, C, i - start)
            elif n == 2:
                _two(X, i, W, centre, k, C, i - start)
            elif n == 3:
                _three(X, i, W, centre, k, C, i - start)
            elif n == 4:
                _four(X, i, W, centre, k, C, i - start)
            elif n == 5:
                _five(X, i, W, centre, k, C, i - start)
            elif n == 6:
                _six(X, i, W, centre, k, C, i - start)
            elif n == 7:
                _seven(X, i, W, centre, k, C, i - start)
            else:
                _eight(X, i, W, centre, k, C, i - start)
            k, left = k + n, left - n
