"""Pixels in the affine hull of a scene's strongest principal components, and sums over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.extract.reduce import Moments, Subspace
from unmix.parallel import one_blas_thread
from unmix.solve.project import project

__all__ = ["Hull", "Sums"]

Array = NDArray[np.float64]

_CHUNK = 8192  # pixels
_CLEANEST = 1e-5  # of the pixels' power: noise of 50 dB is the least that is believed


@dataclass(frozen=True, eq=False)
class Hull:
    """Denoised pixels x = mean + axesᵀ z, as their coordinates z in double precision.

    Parameters
    ----------
    space : Subspace
        Mean (band,) and orthonormal axes (component, band) of all pixels.
    z : ndarray, shape (component, pixel)
        Centred; a row a component, so that a pass over the pixels runs in vector registers.
    spread : float
        Σ ‖z‖².
    """

    space: Subspace
    z: Array
    spread: float

    @classmethod
    def of(cls, X: NDArray[np.floating], n_axes: int) -> Hull:
        """Of the pixels X (pixel, band), all of them.

        >>> hull = Hull.of(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]), 1)
        >>> hull.z.round(6) + 0.0, hull.space.mean
        (array([[-5.,  0.,  5.]]), array([3., 4.]))
        """
        mean = X.mean(axis=0, dtype=np.float64)
        if not np.isfinite(mean).all():
            raise InputError("X: contains NaN or inf; mask those pixels first")
        moment = np.zeros((X.shape[1], X.shape[1]))
        shift = mean.astype(X.dtype)
        with one_blas_thread():
            for i in range(0, len(X), _CHUNK):
                part = X[i : i + _CHUNK] - shift
                moment += part.T @ part
        space = Moments(mean, moment / len(X)).subspace(n_axes, affine=True)
        z = np.ascontiguousarray(project(X, space.axes, mean).T)
        return cls(space, z, float((z * z).sum()))

    @property
    def noise(self) -> float:
        """Variance in a band, were all that is outside the hull white noise."""
        n_axes, n_bands = self.space.axes.shape
        outside = (self.space.power - self.space.kept) / (n_bands - n_axes)
        return max(outside, _CLEANEST * self.space.power / n_bands)

    def inside(self, E: Array) -> Array:
        """Coordinates (member, component) of spectra E (member, band) relative to the mean."""
        return (E - self.space.mean) @ self.space.axes.T

    def volume(self, E: Array) -> float:
        """|det Z|, (K − 1)! times the volume of the simplex of E (member, band), K − 1 axes."""
        Z = np.column_stack([np.ones(len(E)), self.inside(E)])
        return abs(float(np.linalg.det(Z)))


@dataclass(frozen=True, eq=False)
class Sums:
    """What abundances a of all pixels add up to: all that endmembers need to know of them.

    Parameters
    ----------
    aa : ndarray, shape (member, member)
        Σ a aᵀ.
    az : ndarray, shape (member, component)
        Σ a zᵀ.
    a : ndarray, shape (member,)
        Σ a.
    """

    aa: Array
    az: Array
    a: Array

    def fit(self, hull: Hull, E: Array, delta: float) -> float:
        """½ Σ ‖x − Eᵀa‖² + ½δ² Σ (1 − Σa)², without a pixel.

        With ε = 1 − Σa and C the endmembers relative to the mean μ, x − Eᵀa = Uᵀz + με − Cᵀa:
        what would cancel, the mean's share, is left out before anything is squared.
        """
        one, mean = np.ones(len(E)), hull.space.mean
        C = E - mean
        across = hull.inside(E)
        short = hull.z.shape[1] - 2 * self.a.sum() + one @ self.aa @ one  # Σ ε²
        short_a = self.a - self.aa @ one  # Σ ε a
        short_z = -(one @ self.az)  # Σ ε z, because Σ z = 0
        squares = hull.spread - 2 * (across * self.az).sum()
        squares += (C @ C.T * self.aa).sum() + short * (mean @ mean)
        squares += 2 * short_z @ (hull.space.axes @ mean) - 2 * short_a @ (C @ mean)
        return float(0.5 * squares + 0.5 * delta**2 * short)
