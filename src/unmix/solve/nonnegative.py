"""A non-negative quadratic problem of few unknowns whose matrix belongs to one pixel alone.

    min ½ hᵀGh − cᵀh,    h ≥ 0,    G positive definite,

by block principal pivoting as in `unmix.solve.pivot`, but from the set of members at zero that the
caller has from a problem nearby, so that most calls are one Cholesky factorisation. Exchanging one
member at a time ends because G is definite; what still flips after many exchanges differs from zero
by rounding.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from unmix.solve.pivot import solve_spd

__all__ = ["nonnegative"]

_PATIENCE, _MOST_EXCHANGES = 3, 200
_TOL = 1e-13  # below it, of the largest value, a sign is rounding


@njit(nogil=True, cache=True)
def nonnegative(G: Any, c: Any, held: Any, h: Any, A: Any, b: Any, index: Any) -> None:
    """Write the minimum of ½ hᵀGh − cᵀh over h ≥ 0; `held`, the members at zero, is kept up.

    A and b are space for a square matrix and a vector of K numbers, `index` for K whole ones.
    """
    n_members = len(c)
    best, patience = n_members + 1, _PATIENCE
    c_size = 0.0
    for k in range(n_members):
        c_size = max(c_size, abs(c[k]))
    for _ in range(_MOST_EXCHANGES):
        m = 0
        for k in range(n_members):
            if not held[k]:
                index[m] = k
                m += 1
        for p in range(m):
            b[p] = c[index[p]]
            for q in range(p + 1):
                A[p, q] = G[index[p], index[q]]
        solve_spd(A, b, m)
        size = 0.0
        for p in range(m):
            size = max(size, abs(b[p]))
        for k in range(n_members):  # the gradient of those held, h of the others
            h[k] = -c[k]
        for p in range(m):
            for k in range(n_members):
                h[k] += G[index[p], k] * b[p]
        for p in range(m):
            h[index[p]] = b[p]
        wrong, last = 0, -1
        for k in range(n_members):
            if h[k] < -_TOL * (c_size if held[k] else size):
                wrong += 1
                last = k
        if wrong == 0:
            break
        if wrong < best:
            best, patience = wrong, _PATIENCE
        else:
            patience -= 1
        for k in range(n_members):
            if h[k] < -_TOL * (c_size if held[k] else size) and (patience >= 0 or k == last):
                held[k] = not held[k]
    for k in range(n_members):
        h[k] = 0.0 if held[k] else max(h[k], 0.0)
