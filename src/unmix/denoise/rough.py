r"""Scenes whose materials vary from pixel to pixel while their shares do not.

What differs between neighbours is then no signal but one more noise, of covariance

    C = E (y − ȳ)(y − ȳ)ᵀ / 1.25,    ȳ the mean of the four neighbours,

in noise-whitened coordinates y with the brightness divided out. Directions in which the scene's
covariance exceeds C are those of the shares. If there are no more of them than K members can fill,
that is what the scene is, and pixels are averaged with others alike (`nonlocal_bayes`) as if C were
their noise. Where materials vary over larger distances there are more, and nothing is done.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from unmix.denoise.nonlocal_bayes import denoise, smoothed, stretched
from unmix.denoise.whiten import whitening
from unmix.subspace import estimate_noise

__all__ = ["Smoother", "smoother"]

Array = NDArray[np.float64]

_ABOVE = 1.5  # times C: what varies by more has structure
_WORTH = 0.5  # share of C's power left above which smoothing is not worth it
_DARKEST = 0.05  # of the median: a darker pixel is not brightened further
_LEAST = 8  # pixels along a side


@dataclass(frozen=True, eq=False)
class Smoother:
    """Pixels without what differs between neighbours; learned from a scene, then as it is.

    Parameters
    ----------
    axes : ndarray, shape (band, component)
        Eigenvectors of C in x / σ.
    sigma : ndarray, shape (band,)
        σ.
    left : ndarray, shape (component,)
        Square roots of C's eigenvalues.
    power : ndarray, shape (component,)
        Variance of the coordinates, 1 of it being C's.
    slope, middle : ndarray, shape (component,)
        How smoothed coordinates are stretched, see `unmix.denoise.denoise`.
    along : ndarray, shape (component,)
        Brightness is t = coordinates · along; zero where it is not divided out.
    """

    axes: Array
    sigma: Array
    left: Array
    power: Array
    slope: Array
    middle: Array
    along: Array

    def __call__(self, X: NDArray[np.floating], image: tuple[int, int]) -> NDArray[np.floating]:
        """Spectra (pixel, band) of an image (rows, columns), smoothed."""
        Z = np.asarray(X, np.float64) @ (self.axes / (self.sigma[:, None] * self.left))
        t = np.maximum(Z @ self.along, _DARKEST)[:, None] if self.along.any() else np.ones(1)
        plain = np.ascontiguousarray((Z / t).reshape(*image, -1), np.float32)
        smooth = stretched(smoothed(plain, self.power), self.slope, self.middle)
        out = (smooth.reshape(Z.shape) * t * self.left) @ self.axes.T * self.sigma
        return out.astype(X.dtype)


def smoother(
    X: NDArray[np.floating], image: tuple[int, int], n_members: int, scale: str, seed: int
) -> Smoother | None:
    """The smoother of pixels (pixel, band) with K members; None if they vary otherwise.

    >>> rng = np.random.default_rng(0)
    >>> E, side = rng.uniform(0.2, 0.8, (3, 30)), np.linspace(0, 1, 40)
    >>> A = np.stack([np.outer(side, side), np.outer(1 - side, side)], axis=-1).reshape(-1, 2)
    >>> A = np.column_stack([A, 1 - A.sum(axis=1)])
    >>> vary = 1 + 0.2 * rng.standard_normal((1600, 3, 1)) * np.linspace(-1, 1, 30)
    >>> X = np.einsum("nk,nkb->nb", A, vary * E) + 0.001 * rng.standard_normal((1600, 30))
    >>> found = smoother(X, (40, 40), 3, "none", 0)
    >>> error = [np.abs(Y - A @ E).mean() for Y in (X, found(X, (40, 40)))]
    >>> bool(error[1] < 0.4 * error[0])
    True
    """
    if min(image) < _LEAST:
        return None
    sigma = estimate_noise(X, seed=seed).sigma
    floor = 1e-5 * np.sqrt((np.asarray(X, np.float64) ** 2).mean(axis=0).max())
    white = whitening(X, np.maximum(sigma, floor), n_members, centred=False)
    Z = white.coordinates(X)
    along, t = np.zeros(Z.shape[1]), np.ones((len(Z), 1))
    if scale != "none":
        along = Z.mean(axis=0)
        along /= max(float(np.median(Z @ along)), 1e-12)
        t = np.maximum(Z @ along, _DARKEST)[:, None]
    Y = Z / t
    C = _between_neighbours(Y.reshape(*image, -1))
    if not np.trace(C) > 0:
        return None
    if (eigh(np.cov(Y.T), C, eigvals_only=True) > _ABOVE).sum() not in range(1, n_members + 1):
        return None
    rough, turn = np.linalg.eigh(C)
    left = np.sqrt(rough)
    Y = (Y @ turn) / left
    power = np.maximum((Y**2).mean(axis=0), 1.0)
    found = denoise(Y.reshape(*image, -1), power, seed)
    if found.mse.mean() > _WORTH:
        return None
    return Smoother(
        white.axes @ turn, white.sigma, left, power, found.slope, found.middle,
        (along @ turn) * left,
    )  # fmt: skip


def _between_neighbours(Y: Array) -> Array:
    """C (component, component) of an image (row, col, component)."""
    around = (Y[:-2, 1:-1] + Y[2:, 1:-1] + Y[1:-1, :-2] + Y[1:-1, 2:]) / 4
    apart = (Y[1:-1, 1:-1] - around).reshape(-1, Y.shape[2])
    C: Array = apart.T @ apart / (1.25 * len(apart))
    return C + 1e-9 * np.trace(C) * np.eye(len(C))
