"""Positivity by block principal pivoting: a = a⁰ + Hμ, a ≥ 0, μ ≥ 0, aᵀμ = 0, pixel by pixel.

The set N of members held at zero decides everything:

    μ_N = −H_NN⁻¹ a⁰_N,      a_S = a⁰_S + H_SN μ_N        (S the others).

Start from N = {a⁰ < 0}; exchange every member whose value is infeasible (a < 0 in S or μ < 0 in N)
until none is. When that does not reduce their number three times, exchange only the last one, which
always ends (Murty 1974; Júdice & Pires 1994). The answer depends on N alone, not on the way there.

For K ≤ `TABLE_MAX` the map a⁰ → (a_S, μ_N) is precomputed for all 2ᴷ sets. For more members it is
worked out per pixel on the smaller of the two sets: through H_NN when few are at zero, through the
Gram matrix G_SS when few are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = [
    "TABLE_MAX",
    "make_table",
    "pivot_from",
    "pivot_general",
    "pivot_table",
    "solve_spd",
]

TABLE_MAX = 10
_PATIENCE = 3
_MAX_STEPS = 200
_TOL = 1e-13  # of the largest |a⁰| (or |μ|): below it a sign is rounding


@njit(nogil=True, cache=True)
def _substitute(A: Any, b: Any, m: int) -> None:
    """Solve L Lᵀ x = b[:m] in place; L below A's diagonal, 1/diag(L) on it."""
    for j in range(m):
        s = b[j]
        for p in range(j):
            s -= A[j, p] * b[p]
        b[j] = s * A[j, j]
    for j in range(m - 1, -1, -1):
        s = b[j] * A[j, j]
        b[j] = s
        for p in range(j):
            b[p] -= A[j, p] * s


@njit(nogil=True, cache=True)
def solve_spd(A: Any, b: Any, m: int) -> bool:
    """Solve A[:m, :m] x = b[:m] in place by Cholesky; False when A is not positive definite."""
    for j in range(m):
        d = A[j, j]
        for p in range(j):
            d -= A[j, p] * A[j, p]
        if not d > 0.0:
            return False
        inverse = 1.0 / np.sqrt(d)
        A[j, j] = inverse
        for i in range(j + 1, m):
            s = A[i, j]
            for p in range(j):
                s -= A[i, p] * A[j, p]
            A[i, j] = s * inverse
    _substitute(A, b, m)
    return True


@njit(nogil=True, cache=True)
def _dual(a0: Any, H: Any, held: Any, v: Any, A: Any, b: Any, index: Any) -> bool:
    """Write v = (a on S, μ on N), through H_NN."""
    n_members = len(a0)
    m = 0
    for k in range(n_members):
        if held[k]:
            index[m] = k
            m += 1
    for p in range(m):
        b[p] = -a0[index[p]]
        for q in range(p + 1):
            A[p, q] = H[index[p], index[q]]
    if not solve_spd(A, b, m):
        return False
    for k in range(n_members):
        v[k] = a0[k]
    for p in range(m):
        mu = b[p]
        for k in range(n_members):
            v[k] += H[index[p], k] * mu
    for p in range(m):
        v[index[p]] = b[p]
    return True


@njit(nogil=True, cache=True)
def _primal(
    a0: Any, G: Any, one: bool, held: Any, v: Any, A: Any, b: Any, g: Any, u: Any, index: Any
) -> bool:
    """Write v = (a on S, μ on N): G_SS a_S + λ = g_S, g = G a⁰, with 1ᵀa_S = 1 when `one`."""
    n_members = len(g)
    g[:] = 0.0
    for p in range(n_members):
        for k in range(n_members):
            g[k] += G[p, k] * a0[p]
    m = 0
    for k in range(n_members):
        if not held[k]:
            index[m] = k
            m += 1
    for p in range(m):
        b[p] = g[index[p]]
        for q in range(p + 1):
            A[p, q] = G[index[p], index[q]]
    if not solve_spd(A, b, m):
        return False
    multiplier = 0.0
    if one:
        u[:m] = 1.0
        _substitute(A, u, m)  # A holds the factor now
        multiplier = (b[:m].sum() - 1.0) / u[:m].sum()
        for p in range(m):
            b[p] -= multiplier * u[p]
    for k in range(n_members):
        v[k] = multiplier - g[k]
    for p in range(m):
        for k in range(n_members):
            v[k] += G[index[p], k] * b[p]
    for p in range(m):
        v[index[p]] = b[p]
    return True


@njit(nogil=True, cache=True)
def pivot_general(
    a0: Any,
    H: Any,
    G: Any,
    scale: float,
    one: bool,
    held: Any,
    v: Any,
    A: Any,
    b: Any,
    g: Any,
    u: Any,
    index: Any,
) -> bool:
    """Solve one pixel for any K: v = a ≥ 0; False when it gave up."""
    n_members = len(a0)
    size = 0.0
    n_held = 0
    for k in range(n_members):
        size = max(size, abs(a0[k]))
    for k in range(n_members):
        held[k] = a0[k] < -_TOL * size
        n_held += held[k]
    slack = scale * size
    best, patience = n_members + 1, _PATIENCE
    for _ in range(_MAX_STEPS):
        if one and n_held == n_members:  # someone must carry the sum
            held[np.argmax(a0)] = False
            n_held -= 1
        if 2 * n_held <= n_members:
            fine = _dual(a0, H, held, v, A, b, index)
        else:
            fine = _primal(a0, G, one, held, v, A, b, g, u, index)
        if not fine:
            return False
        wrong, last = 0, -1
        for k in range(n_members):
            if v[k] < -_TOL * (slack if held[k] else size):
                wrong += 1
                last = k
        if wrong == 0:
            for k in range(n_members):
                v[k] = 0.0 if held[k] else max(v[k], 0.0)
            return True
        if wrong < best:
            best, patience = wrong, _PATIENCE
        else:
            patience -= 1
        for k in range(n_members):
            if v[k] < -_TOL * (slack if held[k] else size) and (patience >= 0 or k == last):
                held[k] = not held[k]
                n_held += 1 if held[k] else -1
    return False


@njit(nogil=True, cache=True)
def make_table(H: Any, G: Any, one: bool) -> tuple[Any, Any]:
    """All 2ᴷ maps: table[N] a⁰ = (a on S, μ on N); usable[N] says whether H_NN is definite."""
    n_members = len(H)
    table = np.zeros((2**n_members, n_members, n_members))
    usable = np.ones(2**n_members, np.bool_)
    A = np.empty((n_members, n_members))
    b = np.empty(n_members)
    index = np.empty(n_members, np.int64)
    for code in range(2**n_members):
        m = 0
        for k in range(n_members):
            if (code >> k) & 1:
                index[m] = k
                m += 1
            else:
                table[code, k, k] = 1.0
        if m == n_members and one:
            usable[code] = False
            continue
        for column in range(m):  # the column of H_NN⁻¹ that belongs to member index[column]
            for p in range(m):
                b[p] = 1.0 if p == column else 0.0
                for q in range(p + 1):
                    A[p, q] = H[index[p], index[q]]
            if not solve_spd(A, b, m):
                usable[code] = False
                break
            for k in range(n_members):
                if not (code >> k) & 1:
                    s = 0.0
                    for p in range(m):
                        s -= H[k, index[p]] * b[p]
                    table[code, k, index[column]] = s
            for p in range(m):
                table[code, index[p], index[column]] = -b[p]
    return table, usable


@njit(nogil=True, cache=True)
def pivot_from(code: int, a0: Any, table: Any, usable: Any, scale: float, v: Any) -> int:
    """Solve one pixel from the table, v = a ≥ 0, starting at the set `code`: the last set, or −1.

    −1: it gave up. The right set is found in one step, whatever it is, so a pixel solved before
    with other endmembers is best started where it ended.
    """
    n_members = len(a0)
    size = 0.0
    for k in range(n_members):
        size = max(size, abs(a0[k]))
    best, patience = n_members + 1, _PATIENCE
    for _ in range(_MAX_STEPS):
        if not usable[code]:
            return -1
        change, last, wrong = 0, 0, 0
        for k in range(n_members):
            s = 0.0
            for p in range(n_members):
                s += table[code, k, p] * a0[p]
            v[k] = s
            if s < -_TOL * size * (scale if (code >> k) & 1 else 1.0):
                change |= 1 << k
                last = 1 << k
                wrong += 1
        if wrong == 0:
            for k in range(n_members):
                v[k] = 0.0 if (code >> k) & 1 else max(v[k], 0.0)
            return code
        if wrong < best:
            best, patience = wrong, _PATIENCE
        else:
            patience -= 1
        code ^= change if patience >= 0 else last
    return -1


@njit(nogil=True, cache=True)
def pivot_table(a0: Any, table: Any, usable: Any, scale: float, v: Any) -> bool:
    """Solve one pixel from the table: v = a ≥ 0; False when it gave up."""
    n_members = len(a0)
    size = 0.0
    for k in range(n_members):
        size = max(size, abs(a0[k]))
    code = 0
    for k in range(n_members):
        if a0[k] < -_TOL * size:
            code |= 1 << k
    return pivot_from(code, a0, table, usable, scale, v) >= 0
