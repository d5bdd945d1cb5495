"""Post-nonlinear models: the linear mixture y = Σ_i a_i e_i seen through one curve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from unmix.checks import InputError, check_option
from unmix.mixing.base import Array, linear

__all__ = ["CURVES", "polynomial", "post_nonlinear"]


def polynomial(A: ArrayLike, E: ArrayLike, b: ArrayLike = 0.25) -> Array:
    """Polynomial post-nonlinear model (PPNM), x = y + b y ⊙ y with y = Σ_i a_i e_i.

    Parameters
    ----------
    b : float or array_like, shape (...,)
        One number, or one a pixel; 0 is linear.

    References
    ----------
    Altmann, Y. et al. (2012). Supervised nonlinear spectral unmixing using a postnonlinear mixing
    model for hyperspectral imagery. IEEE TIP 21(6).

    >>> polynomial([1.0, 0.0], [[0.5, 0.2], [0.1, 0.1]], b=0.4)
    array([0.6  , 0.216])
    """
    y = linear(A, E)
    return y + np.asarray(b, float)[..., None] * y**2


CURVES: dict[str, tuple[float, Callable[[Array, float], Array]]] = {
    "power": (0.7, lambda y, c: y**c),
    "log": (1.0, lambda y, c: np.log1p(c * y) / np.log1p(c)),
    "exp": (1.0, lambda y, c: np.expm1(c * y) / np.expm1(c)),
    "sigmoid": (4.0, lambda y, c: 0.5 + np.tanh(c * (y - 0.5) / 2) / (2 * np.tanh(c / 4))),
}
"""Each kind of `post_nonlinear`: the usual constant c and f(y, c)."""


def post_nonlinear(
    A: ArrayLike, E: ArrayLike, kind: str = "power", value: float | None = None
) -> Array:
    """Post-nonlinear mixing model, x = f(Σ_i a_i e_i), f the same in every band.

    Each f keeps 0 and 1 where they are and has one constant c > 0:

    - power: f(y) = y^c (c = 0.7, the exponent of the published experiments),
    - log: f(y) = ln(1 + c y) / ln(1 + c) (c = 1),
    - exp: f(y) = (exp(c y) - 1) / (exp(c) - 1) (c = 1),
    - sigmoid: f(y) = ½ + tanh(c (y - ½)/2) / (2 tanh(c/4)), the logistic curve (c = 4).

    Reflectance below 0 is taken as 0.

    Raises
    ------
    InputError
        Unknown `kind`, `value` not a positive number, shapes that do not fit.

    >>> post_nonlinear([1.0, 0.0], [[0.25, 1.0], [0.3, 0.3]], "power", 0.5)
    array([0.5, 1. ])
    """
    default, curve = CURVES[check_option(kind, tuple(CURVES), "kind")]
    c = default if value is None else float(value)
    if not (np.isfinite(c) and c > 0):
        raise InputError(f"value: got {value}; the constant of {kind!r} is a positive number")
    return curve(np.maximum(linear(A, E), 0.0), c)
