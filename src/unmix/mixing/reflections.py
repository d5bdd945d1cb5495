"""The multilinear model: light that meets one material after another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from unmix.checks import InputError
from unmix.mixing.base import Array, linear

__all__ = ["multilinear"]


def multilinear(A: ArrayLike, E: ArrayLike, P: ArrayLike = 0.3) -> Array:
    """Multilinear mixing model (MLM), x = (1 - P) y / (1 - P y) with y = Σ_i a_i e_i.

    A ray that has met a material meets another with probability P and leaves for the sensor with
    1 - P, so x = (1 - P) Σ_n P^(n-1) y^n: interactions of every order in one number a pixel. P = 0
    is linear.

    Parameters
    ----------
    A : array_like, shape (..., member)
    E : array_like, shape (member, band)
    P : float or array_like, shape (...,)
        Probability of a further interaction, in [0, 1); one number, or one a pixel.

    Raises
    ------
    InputError
        Shapes that do not fit, or P outside [0, 1).

    References
    ----------
    Heylen, R., Scheunders, P. (2016). A multilinear mixing model for nonlinear spectral unmixing.
    IEEE TGRS 54(1).

    >>> multilinear([1.0, 0.0], [[0.5, 0.0], [0.1, 0.1]], P=0.5).round(4)    # 0.25 / 0.75
    array([0.3333, 0.    ])
    """
    y, P = linear(A, E), np.asarray(P, float)
    if not ((P >= 0) & (P < 1)).all():
        raise InputError("P: values outside [0, 1); it is a probability below 1")
    if P.shape not in ((), y.shape[:-1]):
        raise InputError(f"P: got shape {P.shape}; give a number or one a pixel, {y.shape[:-1]}")
    P = P[..., None]
    return (1 - P) * y / (1 - P * y)
