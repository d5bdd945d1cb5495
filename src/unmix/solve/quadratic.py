r"""The small problem left in every pixel once the endmembers are factored.

Least squares over abundances, with a ≥ 0 and (FCLS) 1ᵀa = 1,

    min ½‖y − Eᵀa‖²,        y (band,), E (member, band), a (member,),

is written around its solution a⁰ without positivity,

    a⁰ = W (y − ȳ) + a̅,     a = a⁰ + H μ,     a ≥ 0, μ ≥ 0, aᵀμ = 0,

a linear complementarity problem with K unknowns. With T an orthonormal basis of the free directions
(all of them for NNLS; those orthogonal to 1 for FCLS) and the thin factorisation Eᵀ T = Q R,

    W = T R⁻¹ Qᵀ,           H = T R⁻¹ R⁻ᵀ Tᵀ,

so the error of W grows with cond(E), not with its square. Centring at ȳ = Eᵀa̅, a̅ = 1/K (FCLS)
or 0 (NNLS), keeps float32 sums accurate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

__all__ = ["Quadratic", "factor"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quadratic:
    """One factored problem, shared by all pixels of a scene (all arrays float64).

    Parameters
    ----------
    W : ndarray, shape (member, band)
        Maps a centred pixel to its solution without positivity.
    centre : ndarray, shape (band,)
        ȳ.
    start : ndarray, shape (member,)
        a̅.
    H, G : ndarray, shape (member, member)
        Inverse curvature along the free directions, and E Eᵀ.
    condition : float
        cond(Eᵀ T): infinite when endmembers are repeated or dependent.
    sum_to_one : bool
    E : ndarray, shape (member, band)
    """

    W: Array
    centre: Array
    start: Array
    H: Array
    G: Array
    condition: float
    sum_to_one: bool
    E: Array


def _free_directions(n_members: int, sum_to_one: bool) -> Array:
    """Orthonormal columns spanning the directions abundances may move in.

    >>> T = _free_directions(3, True)
    >>> T.shape, bool(np.allclose(T.sum(axis=0), 0))
    ((3, 2), True)
    """
    if not sum_to_one:
        return np.eye(n_members)
    ones = np.ones((n_members, 1))
    full, _ = np.linalg.qr(ones, mode="complete")
    return np.ascontiguousarray(full[:, 1:])


def factor(E: NDArray[np.floating], *, sum_to_one: bool) -> Quadratic:
    """Factor the endmembers E (member, band) once for all pixels.

    >>> q = factor(np.array([[1.0, 0.0], [0.0, 1.0]]), sum_to_one=True)
    >>> np.round(q.W @ (np.array([0.25, 0.75]) - q.centre) + q.start, 12)
    array([0.25, 0.75])
    """
    E64 = np.ascontiguousarray(E, dtype=np.float64)
    n_members = len(E64)
    T = _free_directions(n_members, sum_to_one)
    start = np.full(n_members, 1.0 / n_members if sum_to_one else 0.0)
    Q, R = np.linalg.qr(E64.T @ T)
    singular = np.linalg.svd(R, compute_uv=False) if R.size else np.ones(1)
    n_free = T.shape[1]
    if len(singular) < n_free or singular[-1] <= singular[0] * np.finfo(float).eps * max(E64.shape):
        condition = np.inf
        W = np.zeros_like(E64)
        H = np.zeros((n_members, n_members))
    else:
        condition = float(singular[0] / singular[-1])
        TR = T @ solve_triangular(R, np.eye(n_free))
        W, H = TR @ Q.T, TR @ TR.T
    return Quadratic(W, start @ E64, start, H, E64 @ E64.T, condition, sum_to_one, E64)
