"""Fully constrained least squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.solve.engine import solve_all

__all__ = ["fcls"]


def fcls(X: ArrayLike, E: ArrayLike) -> NDArray[np.floating]:
    r"""Fully constrained least squares: exact abundances on the simplex, all pixels at once.

    Each pixel x solves

        min_a ½‖x − Eᵀa‖²   subject to   a ≥ 0,  Σ a = 1.

    Parameters
    ----------
    X : array_like, shape (..., band)
        Spectra; float32 gives float32 back, anything else float64.
    E : array_like, shape (member, band)
        Endmembers, at most 64, in X's unit.

    Returns
    -------
    A : ndarray, shape (..., member)

    Raises
    ------
    InputError
        Shapes that do not fit, NaN or infinite values.

    References
    ----------
    Heinz & Chang, IEEE TGRS 39(3), 2001 (the problem); Júdice & Pires, Comput. Oper. Res. 21(5),
    1994 (block principal pivoting).

    >>> E = np.array([[1.0, 0.0, 0.2], [0.1, 0.8, 0.3], [0.0, 0.3, 0.9]])
    >>> fcls(np.array([[0.25, 0.0, 0.75]]) @ E, E).round(6)
    array([[0.25, 0.  , 0.75]])
    """
    return solve_all(X, E, sum_to_one=True)[0]
