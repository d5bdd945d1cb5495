"""Mixing models: from abundances and endmembers to spectra, without noise.

Conventions: abundances A (..., member), endmembers E (member, band), spectra X (..., band), in
reflectance (fraction). e_i is row i of E, ⊙ the product band by band. Every model is the linear one
plus something; each function is its equation and nothing else.

References
----------
Wang, M., Zhao, M., Chen, J., Rahardja, S. (2019). Nonlinear unmixing of hyperspectral data via
deep autoencoder networks. IEEE GRSL 16(9): the bilinear and post-nonlinear models used there.
Dobigeon, N. et al. (2014). Nonlinear unmixing of hyperspectral images. IEEE SPM 31(1): a survey.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_option

__all__ = [
    "bilinear",
    "fan",
    "generalised_bilinear",
    "linear",
    "pair_products",
    "polynomial",
    "post_nonlinear",
]

Array = NDArray[np.floating]


def linear(A: ArrayLike, E: ArrayLike) -> Array:
    """Linear mixing model, x = Σ_i a_i e_i.

    Raises
    ------
    InputError
        The member counts of `A` and `E` differ, or `E` is not (member, band).

    >>> linear([[0.5, 0.5]], [[0.2, 0.4], [0.6, 0.0]])
    array([[0.4, 0.2]])
    """
    A, E = _agree(A, E)
    return A @ E


def bilinear(A: ArrayLike, E: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    """Bilinear mixing model, x = Σ_i a_i e_i + Σ_i Σ_j β_ij a_i a_j (e_i ⊙ e_j).

    The double sum runs over all i and j: with a full matrix of ones each pair counts twice and
    each member once with itself. A scalar β means β_ij = β for i < j and 0 elsewhere, the form
    of Fan et al. and of the published experiments.

    Parameters
    ----------
    A : array_like, shape (..., member)
    E : array_like, shape (member, band)
    beta : float or array_like, shape (..., member, member)
        Strength of each interaction, for all pixels or per pixel.

    Raises
    ------
    InputError
        Shapes that do not fit.

    >>> bilinear([0.5, 0.5], [[0.2, 0.4], [0.6, 0.0]], beta=1.0).round(3)   # + 0.25 · 0.12
    array([0.43, 0.2 ])
    """
    A, E = _agree(A, E)
    k = A.shape[-1]
    beta = np.asarray(beta, float)
    if beta.ndim == 0:
        beta = np.triu(np.full((k, k), float(beta)), 1)
    if beta.shape[-2:] != (k, k):
        raise InputError(f"beta: got shape {beta.shape}; give (member, member) = ({k}, {k})")
    i, j = np.triu_indices(k)
    both = beta[..., i, j] + np.where(i == j, 0.0, beta[..., j, i])
    return A @ E + (both * A[..., i] * A[..., j]) @ (E[i] * E[j])


def fan(A: ArrayLike, E: ArrayLike) -> Array:
    """Fan's model, x = Σ_i a_i e_i + Σ_{i<j} a_i a_j (e_i ⊙ e_j): `bilinear` with every β_ij = 1.

    References
    ----------
    Fan, W. et al. (2009). Comparative study between a new nonlinear model and common linear model
    for analysing laboratory simulated-forest hyperspectral data. IJRS 30(11).

    >>> bool(np.allclose(fan([0.5, 0.5], np.eye(2)), [0.5, 0.5]))    # nothing in common: linear
    True
    """
    return bilinear(A, E, 1.0)


def generalised_bilinear(A: ArrayLike, E: ArrayLike, gamma: ArrayLike) -> Array:
    """Generalised bilinear model, x = Σ_i a_i e_i + Σ_{i<j} γ_ij a_i a_j (e_i ⊙ e_j), γ in [0, 1].

    Parameters
    ----------
    A : array_like, shape (..., member)
    E : array_like, shape (member, band)
    gamma : array_like, shape (..., pair)
        One a pair in the order of `numpy.triu_indices(member, 1)`: (1,2), (1,3), ... (2,3), ...

    Raises
    ------
    InputError
        Shapes that do not fit, or γ outside [0, 1].

    References
    ----------
    Halimi, A. et al. (2011). Nonlinear unmixing of hyperspectral images using a generalized
    bilinear model. IEEE TGRS 49(11).

    >>> generalised_bilinear([0.5, 0.5], [[0.2, 0.4], [0.6, 0.0]], [0.5]).round(3)
    array([0.415, 0.2  ])
    """
    A, E = _agree(A, E)
    gamma = np.asarray(gamma, float)
    n_pairs = A.shape[-1] * (A.shape[-1] - 1) // 2
    if gamma.shape[-1:] != (n_pairs,):
        raise InputError(f"gamma: got shape {gamma.shape}; give one a pair, {n_pairs}")
    if not ((gamma >= 0) & (gamma <= 1)).all():
        raise InputError("gamma: values outside [0, 1]; the model is defined there")
    products, pairs = pair_products(A, E)
    return A @ E + (gamma * products) @ pairs


def pair_products(A: ArrayLike, E: ArrayLike) -> tuple[Array, Array]:
    """The interactions i < j: a_i a_j of shape (..., pair) and e_i ⊙ e_j of shape (pair, band).

    >>> a, e = pair_products([0.25, 0.75], [[0.2, 0.4], [0.6, 0.0]])
    >>> a, e
    (array([0.1875]), array([[0.12, 0.  ]]))
    """
    A, E = _agree(A, E)
    i, j = np.triu_indices(A.shape[-1], 1)
    return A[..., i] * A[..., j], E[i] * E[j]


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


_CURVES: dict[str, tuple[float, Callable[[Array, float], Array]]] = {
    "power": (0.7, lambda y, c: y**c),
    "log": (1.0, lambda y, c: np.log1p(c * y) / np.log1p(c)),
    "exp": (1.0, lambda y, c: np.expm1(c * y) / np.expm1(c)),
    "sigmoid": (4.0, lambda y, c: 0.5 + np.tanh(c * (y - 0.5) / 2) / (2 * np.tanh(c / 4))),
}


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
    default, curve = _CURVES[check_option(kind, tuple(_CURVES), "kind")]
    c = default if value is None else float(value)
    if not (np.isfinite(c) and c > 0):
        raise InputError(f"value: got {value}; the constant of {kind!r} is a positive number")
    return curve(np.maximum(linear(A, E), 0.0), c)


def _agree(A: ArrayLike, E: ArrayLike) -> tuple[Array, Array]:
    a, e = np.asarray(A), np.asarray(E)
    a = a if a.dtype.kind == "f" else a.astype(float)
    e = e if e.dtype.kind == "f" else e.astype(float)
    if e.ndim != 2 or a.ndim < 1 or a.shape[-1] != e.shape[0]:
        raise InputError(
            f"A, E: got shapes {a.shape} and {e.shape}; give (..., member) and (member, band)"
        )
    return a, e
