r"""What doubt about a fit's vertices, constants and sizes adds to that about abundances.

With information B about x, the vertices' coordinates and the constants θ of the surface, a pixel's
posterior mean m moves with x by

    ∂m/∂x = −C J ∂f/∂x / s²,    J = ∂f/∂a,

C being its covariance and s² its noise, and Var m = ∂m/∂x B⁻¹ (∂m/∂x)ᵀ adds to the diagonal of C.
Log-likelihoods of pixels that were averaged count for as much less, and so does B.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmix.denoise import Whitening
from unmix.posterior.faces import Posterior
from unmix.posterior.surfaces import Surface

__all__ = ["by_parameters", "by_sizes"]

Array = NDArray[np.float64]

_MOST = 9.0  # times the pixel's own variance: beyond that ∂m/∂x holds no longer


def by_parameters(
    found: Posterior,
    white: Whitening,
    V: Array,
    surface: Surface,
    noise: Array,
    covariance: Array,
) -> Array:
    """Variance (pixel, member) of posterior means by that of the parameters.

    Parameters
    ----------
    found : Posterior
        Of the pixels.
    white : Whitening
    V : ndarray, shape (member, band)
        Vertices.
    surface : Surface
    noise : ndarray, shape (pixel,)
    covariance : ndarray, shape (parameter, parameter)
        B⁻¹: coordinates of the vertices, member by member, then constants.

    >>> from unmix.denoise import whitening
    >>> from unmix.posterior.fit import abundances_of
    >>> V = np.array([[0.2, 0.4, 0.1], [0.6, 0.8, 0.9]])
    >>> X = np.linspace(0, 1, 50)[:, None] * (V[1] - V[0]) + V[0]
    >>> white, one = whitening(X, np.full(3, 0.01), 1), np.ones(50)
    >>> found = abundances_of(white.coordinates(X), white, V, Surface(), np.log([1, 1, 8]) - 2.3)
    >>> by_parameters(found, white, V, Surface(), one, np.eye(2))[25].round(4)
    array([0.0001, 0.0001])
    """
    J = surface.slopes(found.mean, V, white)
    G = (found.covariance @ J) / noise[:, None, None]
    still = np.zeros_like(G)
    out = np.empty_like(found.mean)
    for k in range(out.shape[1]):
        moved = surface.scores(found.mean, V, white, G[:, k], still, found.covariance)
        out[:, k] = ((moved @ covariance) * moved).sum(axis=1)
    own = np.diagonal(found.covariance, axis1=1, axis2=2)
    return np.minimum(out, _MOST * own)


def by_sizes(A: Array, covariance: Array) -> Array:
    """Variance (pixel, member) of abundances by that of the logarithms of the members' sizes.

    ∂a_k / ∂ log c_j = −a_k (δ_kj − a_j), so nothing of a pure pixel, nor where all move together.

    >>> by_sizes(np.array([[1.0, 0.0], [0.5, 0.5]]), np.diag([0.04, 0.0])).tolist()
    [[0.0, 0.0], [0.0025, 0.0025]]
    >>> by_sizes(np.array([[0.5, 0.5]]), np.ones((2, 2))).tolist()
    [[0.0, 0.0]]
    """
    mixed = A @ covariance
    total = (mixed * A).sum(axis=1, keepdims=True)
    out: Array = A**2 * (np.diag(covariance) - 2 * mixed + total)
    return out
