"""The signal subspace of a scene, from a sample, and all pixels' coordinates in it, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.solve.project import project

__all__ = ["SAMPLE", "Subspace", "sample_rows", "signal_subspace"]

SAMPLE = 10_000  # pixels that decide the subspace; more do not make endmembers better


@dataclass(frozen=True, eq=False)
class Subspace:
    """Leading directions of the pixels.

    Parameters
    ----------
    mean : ndarray, shape (band,)
        Zero when the subspace is linear (through the origin), the mean pixel when affine.
    axes : ndarray, shape (component, band)
        Orthonormal rows, the strongest first.
    power : float
        Mean squared norm of the sampled pixels.
    kept : float
        Mean squared norm of their projection (with the mean's where affine).
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    power: float
    kept: float

    def coordinates(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """(X − mean) axesᵀ of shape (pixel, component), in X's dtype."""
        return project(X, self.axes.astype(X.dtype), self.mean)

    def spectra(self, coordinates: NDArray[np.floating]) -> NDArray[np.float64]:
        """Spectra of coordinates (..., component): the way back."""
        return np.asarray(coordinates, np.float64) @ self.axes + self.mean


def sample_rows(n_pixels: int, size: int, seed: int) -> NDArray[np.intp] | slice:
    """Sorted rows of a seeded sample; everything when there are no more than `size`.

    >>> sample_rows(5, 10, 0)
    slice(None, None, None)
    >>> len(sample_rows(100, 10, 0))
    10
    """
    if n_pixels <= size:
        return slice(None)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_pixels, size, replace=False, shuffle=False))


def signal_subspace(
    X: NDArray[np.floating], n_components: int, *, affine: bool, seed: int = 0
) -> Subspace:
    """Principal directions of X (pixel, band): of the second moment, or the covariance if affine.

    >>> X = np.outer([1.0, 2.0, 3.0], [0.6, 0.8])
    >>> np.abs(signal_subspace(X, 1, affine=False).axes).round(6)
    array([[0.6, 0.8]])
    """
    rows = np.ascontiguousarray(X[sample_rows(len(X), SAMPLE, seed)])
    mean = rows.mean(axis=0, dtype=np.float64) if affine else np.zeros(X.shape[1])
    centred = rows - mean.astype(rows.dtype)
    moment = (centred.T @ centred).astype(np.float64) / len(rows)
    values, vectors = np.linalg.eigh(moment)
    axes = np.ascontiguousarray(vectors[:, ::-1][:, :n_components].T)
    axes *= np.where(axes.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)  # a sign that can be repeated
    offset = float(mean @ mean)
    return Subspace(
        mean,
        axes,
        power=float(np.trace(moment)) + offset,
        kept=float(values[::-1][:n_components].sum()) + offset,
    )
