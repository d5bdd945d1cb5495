r"""Whether the origin lies in the affine hull of a scene's signal: it does if brightness varies.

Mixtures of K spectra with Σa = 1 lie in an affine hull of K − 1 dimensions, bent ones near one of a
few more, and the origin is off it. Pixels of free brightness, x = s Σ a_k e_k, make a cone: K
dimensions, the origin among them. So with the noise of every band at 1, m the mean and V the signal
axes about it, the part of m that is off them,

    r = ‖m − V Vᵀ m‖,

is as long as the mean spectrum's distance from the hull, or for a cone no longer than the error of
V: about r₀ = √(L/n) ‖m‖² / sd(mᵀx) for n pixels of L bands.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmix.denoise.whiten import whitening
from unmix.subspace import estimate_noise

__all__ = ["Origin", "find_origin"]


class Origin(NamedTuple):
    """Where the origin is, in units of the noise.

    Parameters
    ----------
    distance, error : float
        r and r₀.
    components : int
        Dimensions of the signal about its mean.
    """

    distance: float
    error: float
    components: int


def find_origin(X: NDArray[np.floating], seed: int = 0) -> Origin:
    """Distance of the origin from the affine hull of pixels (pixel, band).

    >>> rng = np.random.default_rng(0)
    >>> X = rng.dirichlet(np.ones(3), 2000) @ rng.random((3, 40))
    >>> noise = 0.01 * rng.standard_normal(X.shape)
    >>> flat = find_origin(X + noise)
    >>> cone = find_origin(rng.uniform(0.4, 1.1, (2000, 1)) * X + noise)
    >>> flat.components, bool(flat.distance > 10 * flat.error)
    (2, True)
    >>> cone.components, bool(cone.distance < 3 * cone.error)
    (3, True)
    """
    sigma = estimate_noise(X, seed=seed).sigma
    floor = 1e-5 * np.sqrt((np.asarray(X, np.float64) ** 2).mean(axis=0).max())
    white = whitening(X, np.maximum(sigma, max(floor, 1e-300)), 1)
    m, V = white.centre, white.axes
    along = V.T @ m
    spread = np.sqrt(max(float((along**2 * white.power).sum()), 1e-300))
    error = np.sqrt(X.shape[1] / len(X)) * float(m @ m) / spread
    return Origin(float(np.linalg.norm(m - V @ along)), float(error), V.shape[1])
