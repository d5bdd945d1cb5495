"""Bilinear models: the linear mixture plus products of two spectra, light that met both."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from unmix.checks import InputError
from unmix.mixing.base import Array, agree, weighted_sum

__all__ = ["bilinear", "fan", "generalised_bilinear", "pair_products"]


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
    A, E = agree(A, E)
    k = A.shape[-1]
    beta = np.asarray(beta, float)
    if beta.ndim == 0:
        beta = np.triu(np.full((k, k), float(beta)), 1)
    if beta.shape[-2:] != (k, k):
        raise InputError(f"beta: got shape {beta.shape}; give (member, member) = ({k}, {k})")
    i, j = np.triu_indices(k)
    both = beta[..., i, j] + np.where(i == j, 0.0, beta[..., j, i])
    pairs = both * A[..., i] * A[..., j]
    return weighted_sum(A, E) + weighted_sum(pairs, E[..., i, :] * E[..., j, :])


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
    A, E = agree(A, E)
    gamma = np.asarray(gamma, float)
    n_pairs = A.shape[-1] * (A.shape[-1] - 1) // 2
    if gamma.shape[-1:] != (n_pairs,):
        raise InputError(f"gamma: got shape {gamma.shape}; give one a pair, {n_pairs}")
    if not ((gamma >= 0) & (gamma <= 1)).all():
        raise InputError("gamma: values outside [0, 1]; the model is defined there")
    products, pairs = pair_products(A, E)
    return weighted_sum(A, E) + weighted_sum(gamma * products, pairs)


def pair_products(A: ArrayLike, E: ArrayLike) -> tuple[Array, Array]:
    """The interactions i < j: a_i a_j of shape (..., pair) and e_i ⊙ e_j of shape (pair, band).

    >>> a, e = pair_products([0.25, 0.75], [[0.2, 0.4], [0.6, 0.0]])
    >>> a, e
    (array([0.1875]), array([[0.12, 0.  ]]))
    """
    A, E = agree(A, E)
    i, j = np.triu_indices(A.shape[-1], 1)
    return A[..., i] * A[..., j], E[..., i, :] * E[..., j, :]
