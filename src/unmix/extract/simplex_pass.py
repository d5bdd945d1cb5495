r"""Abundances of all pixels on soft simplices, in one compiled pass that returns only their sums.

    min ½‖x − Eᵀa‖² + ½δ²(1 − Σa)²,    a ≥ 0

has the solution a⁰ = G⁻¹(E x + δ²), G = E Eᵀ + δ² 1 1ᵀ, where that is positive. A pixel is K − 1
numbers z, so a⁰ = W z + w is K² products, made for a block of pixels at a time in vector registers.
Only pixels with a negative entry are pivoted. Each starts at the set of members at zero it ended
with in the pass before, which is still right for most: one product with the map of that set, in
vector registers, tells and is the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmix.extract.hull import Hull, Sums
from unmix.parallel import one_blas_thread, over_pixels
from unmix.solve.pivot import TABLE_MAX, make_table, pivot_from, pivot_general

__all__ = ["abundance_sums"]

Array = NDArray[np.float64]

_BLOCK = 256  # pixels whose abundances stay in the first-level cache
_WIDE = 8  # numbers in a vector register: rows of the table are a multiple of it
_FLOOR = 1e-12  # of G's largest eigenvalue: below it endmembers are the same
_VECTOR = {"reassoc", "contract", "nsz"}


def abundance_sums(hull: Hull, E: Array, delta: float, sets: NDArray[np.int16]) -> Sums:
    """Σ a aᵀ, Σ a zᵀ and Σ a over the exact abundances of all pixels.

    Parameters
    ----------
    hull : Hull
    E : ndarray, float64, shape (member, band)
    delta : float
    sets : ndarray, int16, shape (pixel,)
        Members at zero, one bit each: where to start, and overwritten with where it ended.

    >>> hull = Hull.of(np.array([[0.0, 1.0], [0.5, 0.5], [2.0, -1.0]]), 1)
    >>> sums = abundance_sums(hull, np.eye(2), 1e3, np.zeros(3, np.int16))
    >>> sums.aa.round(3)
    array([[1.25, 0.25],
           [0.25, 1.25]])
    """
    n, n_axes = len(E), len(hull.z)
    with one_blas_thread():
        values, vectors = np.linalg.eigh(E @ E.T + delta * delta)
        values = np.maximum(values, _FLOOR * values[-1])
        G, H = (vectors * values) @ vectors.T, (vectors / values) @ vectors.T
        W = H @ (E @ hull.space.axes.T)
        w = H @ (E @ hull.space.mean + delta * delta)
    scale = float(np.abs(G).max())
    few = n <= TABLE_MAX
    if few:
        table, usable = make_table(H, G, False)
        rows = np.zeros((len(table), n, -(-n // _WIDE) * _WIDE))
        rows[:, :, :n] = table.transpose(0, 2, 1)
    parts: dict[int, Array] = {}

    def kernel(start: int, stop: int) -> int:
        part = np.zeros((n, n + n_axes + 1))
        if few:
            _by_table(hull.z, W, w, rows, table, usable, scale, sets, part, start, stop)
        else:
            _by_cholesky(hull.z, W, w, H, G, scale, part, start, stop)
        parts[start] = part
        return 0

    over_pixels(kernel, hull.z.shape[1])
    total: Array = np.sum([parts[start] for start in sorted(parts)], axis=0)
    upper = np.triu(total[:, :n])
    return Sums(upper + np.triu(upper, 1).T, total[:, n:-1], total[:, -1])


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _unconstrained(z: Any, W: Any, w: Any, a: Any, begin: int, m: int) -> None:
    """a[:, :m] = W z + w for m pixels from `begin`."""
    for k in range(W.shape[0]):
        for p in range(m):
            a[k, p] = w[k]
        for j in range(W.shape[1]):
            for p in range(m):
                a[k, p] += W[k, j] * z[j, begin + p]


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _dot(x: Any, y: Any, m: int) -> float:
    s = 0.0
    for p in range(m):
        s += x[p] * y[p]
    return s


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _total(x: Any, m: int) -> float:
    s = 0.0
    for p in range(m):
        s += x[p]
    return s


@njit(nogil=True, cache=True)
def _add(a: Any, z: Any, part: Any, begin: int, m: int) -> None:
    """Add Σ a aᵀ (upper half), Σ a zᵀ and Σ a, side by side."""
    n = a.shape[0]
    for k in range(n):
        for i in range(k, n):
            part[k, i] += _dot(a[k], a[i], m)
        for j in range(z.shape[0]):
            part[k, n + j] += _dot(a[k], z[j, begin:], m)
        part[k, -1] += _total(a[k], m)


@njit(nogil=True, cache=True)
def _lowest(a: Any, low: Any, m: int) -> None:
    """The smallest entry of every column."""
    for p in range(m):
        low[p] = a[0, p]
    for k in range(1, a.shape[0]):
        for p in range(m):
            low[p] = min(low[p], a[k, p])


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _as_before(rows: Any, code: int, a: Any, p: int, v: Any) -> bool:
    """Write v = (a on S, μ on N) of pixel p for the set `code`; whether it is the answer."""
    low = 0.0
    for begin in range(0, len(v), _WIDE):
        for i in range(_WIDE):
            v[begin + i] = 0.0
        for k in range(a.shape[0]):
            x = a[k, p]
            for i in range(_WIDE):
                v[begin + i] += x * rows[code, k, begin + i]
        for i in range(_WIDE):
            low = min(low, v[begin + i])
    return low >= 0.0


@njit(nogil=True, cache=True)
def _by_table(
    z: Any, W: Any, w: Any, rows: Any, table: Any, usable: Any, scale: float, sets: Any, part: Any,
    start: int, stop: int,
) -> None:  # fmt: skip
    n = len(w)
    a, low = np.empty((n, _BLOCK)), np.empty(_BLOCK)
    a0, v = np.empty(n), np.empty(rows.shape[2])
    for begin in range(start, stop, _BLOCK):
        m = min(_BLOCK, stop - begin)
        _unconstrained(z, W, w, a, begin, m)
        _lowest(a, low, m)
        for p in range(m):
            code = 0
            if low[p] < 0.0:
                code = sets[begin + p]
                if not _as_before(rows, code, a, p, v):
                    for k in range(n):
                        a0[k] = a[k, p]
                    code = max(pivot_from(code, a0, table, usable, scale, v), 0)
                    if code == 0:
                        for k in range(n):
                            v[k] = max(a0[k], 0.0)
                for k in range(n):
                    a[k, p] = 0.0 if (code >> k) & 1 else v[k]
            sets[begin + p] = code
        _add(a, z, part, begin, m)


@njit(nogil=True, cache=True)
def _by_cholesky(
    z: Any, W: Any, w: Any, H: Any, G: Any, scale: float, part: Any, start: int, stop: int
) -> None:
    n = len(w)
    a, low = np.empty((n, _BLOCK)), np.empty(_BLOCK)
    a0, v, held = np.empty(n), np.empty(n), np.zeros(n, np.bool_)
    M, index = np.empty((n, n)), np.empty(n, np.int64)
    b, g, u = np.empty(n), np.empty(n), np.empty(n)
    for begin in range(start, stop, _BLOCK):
        m = min(_BLOCK, stop - begin)
        _unconstrained(z, W, w, a, begin, m)
        _lowest(a, low, m)
        for p in range(m):
            if low[p] >= 0.0:
                continue
            for k in range(n):
                a0[k] = a[k, p]
            fine = pivot_general(a0, H, G, scale, False, held, v, M, b, g, u, index)
            for k in range(n):
                a[k, p] = v[k] if fine else max(a0[k], 0.0)
        _add(a, z, part, begin, m)
