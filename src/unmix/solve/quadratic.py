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

Residuals weighted by a matrix V and a ridge on the abundances,

    min ½‖V (y − Eᵀa)‖² + ½ ρ ‖a‖²,

are the same problem with the columns Fᵀ = [V Eᵀ; √ρ I] for Eᵀ and [V y; 0] for y: F takes E's place
in the factorisation, and W takes in V, so that it still maps a pixel as it was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quadratic", "factor"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quadratic:
    """One factored problem, shared by all pixels of a scene (all arrays float64).

    Parameters
    ----------
    W : ndarray, shape (member, band)
        Maps a centred pixel to its solution without positivity, weights included.
    centre : ndarray, shape (band,)
        ȳ.
    start : ndarray, shape (member,)
        a̅.
    H, G : ndarray, shape (member, member)
        Inverse curvature along the free directions, and F Fᵀ.
    condition : float
        cond(Fᵀ T): infinite when endmembers are repeated or dependent.
    sum_to_one : bool
    E : ndarray, shape (member, band)
    F : ndarray, shape (member, row)
        E, or [E Vᵀ, √ρ I] where residuals are weighted.
    V : ndarray, shape (band, band), optional
    """

    W: Array
    centre: Array
    start: Array
    H: Array
    G: Array
    condition: float
    sum_to_one: bool
    E: Array
    F: Array
    V: Array | None = None

    def coordinates(self, y: NDArray[np.floating]) -> tuple[Array, Array]:
        """R (member, member) and c (member,): the problem of pixel y is ½‖R a − c‖²."""
        Q, R = np.linalg.qr(self.F.T)
        target = y.astype(np.float64)
        if self.V is not None:
            target = self.V @ target
        return R, Q[: len(target)].T @ target


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


def factor(
    E: NDArray[np.floating], *, sum_to_one: bool, V: Array | None = None, ridge: float = 0.0
) -> Quadratic:
    """Factor the endmembers E (member, band) once for all pixels.

    `V` (band, band) weights residuals; `ridge` is ρ, which pulls towards a̅ and so keeps a⁰(ȳ) = a̅.

    >>> q = factor(np.array([[1.0, 0.0], [0.0, 1.0]]), sum_to_one=True)
    >>> np.round(q.W @ (np.array([0.25, 0.75]) - q.centre) + q.start, 12)
    array([0.25, 0.75])
    """
    E64 = np.ascontiguousarray(E, dtype=np.float64)
    n_members, n_bands = E64.shape
    F = E64 if V is None else E64 @ V.T
    if ridge:
        F = np.hstack([F, np.sqrt(ridge) * np.eye(n_members)])
    T = _free_directions(n_members, sum_to_one)
    start = np.full(n_members, 1.0 / n_members if sum_to_one else 0.0)
    Q, R = np.linalg.qr(F.T @ T)
    singular = np.linalg.svd(R, compute_uv=False) if R.size else np.ones(1)
    n_free = T.shape[1]
    if len(singular) < n_free or singular[-1] <= singular[0] * np.finfo(float).eps * max(F.shape):
        condition = np.inf
        W = np.zeros_like(E64)
        H = np.zeros((n_members, n_members))
    else:
        condition = float(singular[0] / singular[-1])
        TR = T @ np.linalg.solve(R, np.eye(n_free))  # R is triangular: this substitutes back
        W, H = TR @ Q[:n_bands].T, TR @ TR.T
        if V is not None:
            W = np.ascontiguousarray(W @ V)
    return Quadratic(W, start @ E64, start, H, F @ F.T, condition, sum_to_one, E64, F, V)
