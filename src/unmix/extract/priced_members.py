r"""Endmembers that fit the pixels' sums at a price for the volume of their simplex.

    min over E ≥ 0 of ½‖X − A E‖² + ½τ det²(Z),     Z = [1; U (eₖ − μ)], one column a member

given AᵀA and AᵀX, that is without the pixels and on all bands. det Z is affine in each member, so
that with the others held

    ½ (AᵀA)ₖₖ ‖e − t‖² + ½τ (c + gᵀe)²,     t what fits best, g the cofactors of column k through U,

and e = max(0, t − r u g), r = τ/(AᵀA)ₖₖ, is the minimum for the one number u = c + gᵀe. Members in
turn, until none moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmix.extract.hull import Hull, Sums

__all__ = ["priced_members"]

Array = NDArray[np.float64]

_ROUNDS = 10
_STILL = 1e-9  # of the largest value: a member that moves less stands still


def priced_members(hull: Hull, E: Array, sums: Sums, tau: float) -> Array:
    """Members (member, band) after a few rounds from E (member, band).

    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    >>> sums = Sums(aa=np.array([[1.25, 0.25], [0.25, 1.25]]), az=np.zeros((2, 1)), a=np.ones(2))
    >>> hull = Hull.of(X, 1)
    >>> priced_members(hull, np.eye(2), sums, 0.0).round(3)  # nothing but the mean was seen
    array([[0.333, 0.333],
           [0.333, 0.333]])
    """
    mean, axes = hull.space.mean, hull.space.axes
    members = E.copy()
    target = sums.az @ axes + np.outer(sums.a, mean)  # AᵀX
    Z = np.vstack([np.ones(len(E)), hull.inside(E).T])
    _rounds(members, Z, sums.aa, target, axes, mean, tau)
    return members


@njit(nogil=True, cache=True)
def _rounds(E: Any, Z: Any, aa: Any, target: Any, axes: Any, mean: Any, tau: float) -> None:
    n, n_bands = E.shape
    M, y = np.empty((n, n)), np.empty(n)
    t, g, e = np.empty(n_bands), np.empty(n_bands), np.empty(n_bands)
    for _ in range(_ROUNDS):
        moved = 0.0
        for k in range(n):
            if not aa[k, k] > 0.0:  # no pixel has any of it
                continue
            _best_fit(E, k, aa, target, t)
            _cofactors(Z, k, M, y)
            c = y[0]
            g[:] = 0.0
            for i in range(n - 1):
                for j in range(n_bands):
                    g[j] += y[i + 1] * axes[i, j]
            for j in range(n_bands):
                c -= g[j] * mean[j]
            _shrink(t, g, c, tau / aa[k, k], e)
            for j in range(n_bands):
                moved = max(moved, abs(e[j] - E[k, j]))
                E[k, j] = e[j]
            for i in range(n - 1):
                s = 0.0
                for j in range(n_bands):
                    s += axes[i, j] * (e[j] - mean[j])
                Z[i + 1, k] = s
        if moved <= _STILL * np.abs(E).max():
            return


@njit(nogil=True, cache=True)
def _best_fit(E: Any, k: int, aa: Any, target: Any, t: Any) -> None:
    """t: member k that fits best with the others held, whatever its volume and sign."""
    n, n_bands = E.shape
    for j in range(n_bands):
        t[j] = target[k, j]
    for i in range(n):
        if i != k:
            for j in range(n_bands):
                t[j] -= aa[k, i] * E[i, j]
    for j in range(n_bands):
        t[j] /= aa[k, k]


@njit(nogil=True, cache=True)
def _cofactors(Z: Any, k: int, M: Any, y: Any) -> None:
    """y: derivative of det Z by its column k, det Z times the solution of Zᵀ y = 1_k."""
    n = len(Z)
    for i in range(n):
        for j in range(n):
            M[i, j] = Z[j, i]
        y[i] = 1.0 if i == k else 0.0
    det = 1.0
    for c in range(n):
        top = c
        for i in range(c + 1, n):
            if abs(M[i, c]) > abs(M[top, c]):
                top = i
        if M[top, c] == 0.0:  # no volume, and none in sight
            y[:] = 0.0
            return
        if top != c:
            det = -det
            y[c], y[top] = y[top], y[c]
            for j in range(c, n):
                M[c, j], M[top, j] = M[top, j], M[c, j]
        det *= M[c, c]
        for i in range(c + 1, n):
            f = M[i, c] / M[c, c]
            for j in range(c, n):
                M[i, j] -= f * M[c, j]
            y[i] -= f * y[c]
    for c in range(n - 1, -1, -1):
        for j in range(c + 1, n):
            y[c] -= M[c, j] * y[j]
        y[c] /= M[c, c]
    for i in range(n):
        y[i] *= det


@njit(nogil=True, cache=True)
def _shrink(t: Any, g: Any, c: float, r: float, e: Any) -> None:
    """Newton for u = c + gᵀe, e = max(0, t − r u g): decreasing and piecewise linear in u."""
    u = 0.0
    for _ in range(60):
        value, slope = c - u, 1.0
        for j in range(len(t)):
            x = t[j] - r * u * g[j]
            if x > 0.0:
                value += g[j] * x
                slope += r * g[j] * g[j]
        u += value / slope
        if abs(value) <= 1e-14 * slope * abs(u):
            break
    for j in range(len(t)):
        e[j] = max(t[j] - r * u * g[j], 0.0)
