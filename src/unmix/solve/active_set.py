"""Nearest point of a polytope or cone by an active set: slow, sure, for what pivoting gives up on.

Nearly dependent or repeated endmembers make H meaningless; here only least-squares problems on
independent columns are solved, by Householder factorisations of the columns themselves, so the
error grows with their condition and not with its square.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["active_set"]

Array = NDArray[np.float64]


def _free_minimum(R: Array, c: Array, on: NDArray[np.intp], sum_to_one: bool) -> Array:
    """Least squares over the members `on` (with sum one when asked), of least norm if dependent."""
    if not sum_to_one:
        return np.asarray(np.linalg.lstsq(R[:, on], c, rcond=None)[0], np.float64)
    anchor = R[:, on[0]]
    z = np.linalg.lstsq(R[:, on[1:]] - anchor[:, None], c - anchor, rcond=None)[0]
    return np.concatenate([[1.0 - z.sum()], z])


def active_set(R: Array, c: Array, *, sum_to_one: bool) -> Array:
    """Minimise ½‖R a − c‖² over a ≥ 0, with 1ᵀa = 1 when `sum_to_one` (one pixel).

    Parameters
    ----------
    R : ndarray, shape (component, member)
        Endmembers, a column each, in any coordinates that keep distances.
    c : ndarray, shape (component,)

    Returns
    -------
    a : ndarray, shape (member,)

    References
    ----------
    Lawson & Hanson 1974, chapter 23; Wolfe 1976 (nearest point of a polytope).

    >>> active_set(np.eye(2), np.array([2.0, -1.0]), sum_to_one=True)
    array([1., 0.])
    """
    n_members = R.shape[1]
    size = np.linalg.norm(R, axis=0).max()
    a = np.zeros(n_members)
    on = np.zeros(n_members, dtype=bool)
    if sum_to_one:
        first = int(np.argmin(((R - c[:, None]) ** 2).sum(axis=0)))
        a[first], on[first] = 1.0, True
    tolerance = 1e-14 * size * max(size, float(np.linalg.norm(c)))
    for _ in range(10 * n_members + 20):
        gradient = R.T @ (R @ a - c)
        level = gradient[on].mean() if sum_to_one else 0.0
        drop = np.where(on, np.inf, gradient - level)
        new = int(np.argmin(drop))
        if drop[new] >= -tolerance:
            break
        on[new] = True
        a_before = a.copy()
        while True:
            members = np.flatnonzero(on)
            goal = _free_minimum(R, c, members, sum_to_one)
            if goal.min() > 0.0:
                a = np.zeros(n_members)
                a[members] = goal
                break
            here = a[members]
            shrinking = goal <= 0.0
            step = np.min(here[shrinking] / np.maximum(here[shrinking] - goal[shrinking], 1e-300))
            a = np.zeros(n_members)
            a[members] = np.maximum(here + step * (goal - here), 0.0)
            leaving = members[shrinking & (a[members] <= 1e-15)]
            if not len(leaving):
                leaving = members[shrinking][:1]
            on[leaving], a[leaving] = False, 0.0
            if not on.any():
                break
        if np.array_equal(a, a_before):  # a direction that leads nowhere: dependent columns
            break
    return a
