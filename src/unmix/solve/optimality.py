"""Proof of a solution: how far it is from the Karush-Kuhn-Tucker conditions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["kkt_residual"]


def kkt_residual(
    X: ArrayLike, E: ArrayLike, A: ArrayLike, *, sum_to_one: bool = True
) -> NDArray[np.float64]:
    r"""Largest violation of the optimality conditions, per pixel, as a fraction.

    With g = E (Eᵀa − x) and λ = −gᵀa (0 for NNLS), a is optimal when

        a ≥ 0,   |Σa − 1| = 0,   g + λ ≥ 0,   a ∘ (g + λ) = 0.

    The conditions on g are divided by max_k ‖e_k‖ · max(‖x‖, ‖Eᵀa‖), its natural size.

    Parameters
    ----------
    X : array_like, shape (..., band)
    E : array_like, shape (member, band)
    A : array_like, shape (..., member)
    sum_to_one : bool

    Returns
    -------
    residual : ndarray, shape (...)
        0 for an exact solution.

    >>> E = np.eye(3)
    >>> kkt_residual([[2.0, 0.0, 0.0]], E, [[1.0, 0.0, 0.0]])
    array([0.])
    >>> bool(kkt_residual([[2.0, 0.0, 0.0]], E, [[0.5, 0.5, 0.0]])[0] > 0.1)
    True
    """
    x, e, a = (np.asarray(v, dtype=np.float64) for v in (X, E, A))
    fit = a @ e
    g = (fit - x) @ e.T
    if sum_to_one:
        g = g - (g * a).sum(axis=-1, keepdims=True)
    size = np.maximum(np.linalg.norm(x, axis=-1), np.linalg.norm(fit, axis=-1))
    size = np.maximum(size * np.linalg.norm(e, axis=1).max(), np.finfo(float).tiny)
    parts = [np.maximum(-a, 0).max(axis=-1)]
    parts.append(np.maximum(-g, 0).max(axis=-1) / size)
    parts.append(np.abs(g * a).max(axis=-1) / size)
    if sum_to_one:
        parts.append(np.abs(a.sum(axis=-1) - 1))
    return np.max(parts, axis=0)
