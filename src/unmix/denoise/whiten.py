r"""Noise-whitened signal coordinates of pixels: what is signal, at noise of standard deviation 1.

    z = Vᵀ (x / σ − m) / g,    x ≈ σ (V g z + m)

σ is the noise of each band, m the mean of x/σ and V the eigenvectors of its covariance whose
eigenvalues exceed what noise alone gives, λ > (1 + √(L/n))² (Marchenko & Pastur 1967). g is 1, or
after denoising the standard deviation of the noise that is left, so that it is 1 again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unmix.extract.reduce import sample_rows

__all__ = ["Whitening", "whitening"]

Array = NDArray[np.float64]
_EDGE = 1.02  # an eigenvalue must exceed the edge of the noise's by 2 % to be signal
_SAMPLE = 100_000  # pixels whose covariance is taken


@dataclass(frozen=True, eq=False)
class Whitening:
    """Coordinates of spectra in the signal subspace, and back.

    Parameters
    ----------
    axes : ndarray, shape (band, component)
        V, orthonormal, strongest first.
    centre : ndarray, shape (band,)
        m.
    sigma : ndarray, shape (band,)
        σ of the noise, in the pixels' unit.
    power : ndarray, shape (component,)
        Eigenvalues λ: variance of the coordinates while g = 1, of which 1 is noise.
    left : ndarray, shape (component,)
        g.
    signal : int, optional
        How many components are above the noise; others were asked for.
    """

    axes: Array
    centre: Array
    sigma: Array
    power: Array
    left: Array
    signal: int | None = None

    def denoised(self, mse: NDArray[np.floating]) -> Whitening:
        """Coordinates in units of the noise that is left, its variance being `mse` (component,)."""
        return replace(self, left=np.sqrt(np.asarray(mse, np.float64)))

    def coordinates(self, X: NDArray[np.floating]) -> Array:
        """Z (..., component) of spectra (..., band)."""
        return self.directions(X) - self.centre @ self.axes / self.left

    def directions(self, X: NDArray[np.floating]) -> Array:
        """Vᵀ(x/σ)/g (..., component) of differences of spectra (..., band)."""
        weights = self.axes / (self.sigma[:, None] * self.left)
        out: Array = np.asarray(X @ weights.astype(X.dtype), np.float64)
        return out

    def spectra(self, z: NDArray[np.floating]) -> Array:
        """Spectra (..., band) of coordinates (..., component)."""
        out: Array = ((z * self.left) @ self.axes.T + self.centre) * self.sigma
        return out


def whitening(
    X: NDArray[np.floating], sigma: NDArray[np.floating], least: int, *, centred: bool = True
) -> Whitening:
    """Signal subspace of pixels (pixel, band) with noise `sigma` (band,).

    It has `least` components or more. If not `centred`, m is 0 and the mean is in the subspace.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.dirichlet(np.ones(3), 2000) @ rng.random((3, 40))
    >>> noisy = X + 0.01 * rng.standard_normal(X.shape)
    >>> white = whitening(noisy, np.full(40, 0.01), 1)
    >>> white.axes.shape, bool(np.abs(white.spectra(white.coordinates(noisy)) - X).mean() < 0.003)
    ((40, 2), True)
    """
    sigma_: Array = np.asarray(sigma, np.float64)
    rows: Array = np.asarray(X[sample_rows(len(X), _SAMPLE, 0)], np.float64) / sigma_
    centre = rows.mean(axis=0) if centred else np.zeros(rows.shape[1])
    rows -= centre
    power, axes = np.linalg.eigh(rows.T @ rows / len(rows))
    power, axes = power[::-1], axes[:, ::-1]
    edge = _EDGE * (1 + np.sqrt(len(power) / len(rows))) ** 2
    signal = int((power > edge).sum())
    n = min(max(signal, least), len(power))
    axes = axes[:, :n] * np.where(np.abs(axes[:, :n]).max(axis=0) == axes[:, :n].max(axis=0), 1, -1)
    return Whitening(
        np.ascontiguousarray(axes),
        centre,
        sigma_,
        power[:n].copy(),
        np.ones(n),
        signal,
    )
