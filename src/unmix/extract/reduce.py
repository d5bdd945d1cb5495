"""The signal subspace of a scene, from a sample, and all pixels' coordinates in it, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, get_blas_funcs

from unmix.checks import InputError
from unmix.parallel import one_blas_thread
from unmix.solve.project import project

__all__ = ["SAMPLE", "Moments", "Subspace", "projected", "sample_rows", "signal_subspace"]

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


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of a seeded sample of the pixels: every subspace comes from them."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def of(cls, X: NDArray[np.floating], seed: int = 0) -> Moments:
        """Of the pixels X (pixel, band)."""
        rows = np.ascontiguousarray(X[sample_rows(len(X), SAMPLE, seed)])
        mean = rows.mean(axis=0, dtype=np.float64)
        if not np.isfinite(mean).all():
            raise InputError("X: contains NaN or inf; mask those pixels first")
        centred = rows - mean.astype(rows.dtype)
        (syrk,) = get_blas_funcs(("syrk",), (centred,))
        with one_blas_thread():
            upper = syrk(1.0 / len(rows), centred.T).astype(np.float64)
        return cls(mean, upper + np.triu(upper, 1).T)

    def subspace(self, n_components: int, *, affine: bool) -> Subspace:
        """Principal directions of the covariance if affine, else of the second moment."""
        offset = float(self.mean @ self.mean)
        moment = self.covariance if affine else self.covariance + np.outer(self.mean, self.mean)
        n_bands = len(moment)
        count = min(n_components, n_bands)
        last = [min(n_bands - count, n_bands - 1), n_bands - 1]  # eigh cannot find none
        with one_blas_thread():
            values, vectors = eigh(moment, subset_by_index=last)
        values, vectors = values[values.size - count :], vectors[:, values.size - count :]
        axes = np.ascontiguousarray(vectors[:, ::-1].T)
        axes *= np.where(axes.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)  # a sign that repeats
        return Subspace(
            self.mean if affine else np.zeros(n_bands),
            axes,
            power=float(np.trace(self.covariance)) + offset,
            kept=float(values.sum()) + (offset if affine else 0.0),
        )


def signal_subspace(
    X: NDArray[np.floating], n_components: int, *, affine: bool, seed: int = 0
) -> Subspace:
    """Principal directions of X (pixel, band): of the second moment, or the covariance if affine.

    >>> X = np.outer([1.0, 2.0, 3.0], [0.6, 0.8])
    >>> np.abs(signal_subspace(X, 1, affine=False).axes).round(6)
    array([[0.6, 0.8]])
    """
    return Moments.of(X, seed).subspace(n_components, affine=affine)


def projected(z: NDArray[np.floating]) -> NDArray[np.floating]:
    """Coordinates z (pixel, component) divided by uᵀz, u their mean: brightness taken out.

    Pixels without a direction (uᵀz below a thousandth of uᵀu) become zero.

    >>> projected(np.array([[1.0, 0.0], [4.0, 4.0]])).round(3)
    array([[0.4  , 0.   ],
           [0.222, 0.222]])
    """
    mean = z.mean(axis=0, dtype=np.float64)
    length = z @ mean.astype(z.dtype)
    floor = 1e-3 * float(mean @ mean)
    return np.where((length > floor)[:, None], z / np.maximum(length, floor)[:, None], 0)
