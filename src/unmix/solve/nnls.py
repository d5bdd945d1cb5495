"""Non-negative least squares, and its sum-normalised form."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.solve.engine import solve_all

__all__ = ["nnls", "snnls"]


def nnls(X: ArrayLike, E: ArrayLike) -> NDArray[np.floating]:
    r"""Non-negative least squares, exact, all pixels at once: min_a ½‖x − Eᵀa‖², a ≥ 0.

    Parameters
    ----------
    X : array_like, shape (..., band)
    E : array_like, shape (member, band)

    Returns
    -------
    B : ndarray, shape (..., member)
        Non-negative coefficients; their sum is the pixel's brightness.

    Raises
    ------
    InputError
        Shapes that do not fit, NaN or infinite values.

    >>> E = np.array([[1.0, 0.0, 0.2], [0.1, 0.8, 0.3]])
    >>> nnls(np.array([[0.5, 0.0]]) @ E, E).round(6)
    array([[0.5, 0. ]])
    """
    return solve_all(X, E, sum_to_one=False)[0]


def snnls(X: ArrayLike, E: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    r"""Sum-normalised NNLS: the linear model with a brightness of its own in every pixel.

    x = s Eᵀa with s ≥ 0, a ≥ 0, Σ a = 1 is solved exactly by b = s a from NNLS:

        s = Σ b,    a = b / s.

    A pixel without any signal (s = 0) gets equal abundances.

    Returns
    -------
    A : ndarray, shape (..., member)
    s : ndarray, shape (...)
        Brightness.

    >>> E = np.array([[1.0, 0.0, 0.2], [0.1, 0.8, 0.3]])
    >>> A, s = snnls(0.4 * np.array([[0.25, 0.75]]) @ E, E)
    >>> A.round(6), s.round(6)
    (array([[0.25, 0.75]]), array([0.4]))
    """
    B = nnls(X, E)
    s = B.sum(axis=-1)
    dark = s <= 0
    A = np.where(dark[..., None], B.dtype.type(1.0 / B.shape[-1]), B)
    A /= np.where(dark, B.dtype.type(1), s)[..., None]
    return A, s
