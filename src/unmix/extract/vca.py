"""Vertex component analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_n_endmembers
from unmix.extract.reduce import Moments, Subspace, projected
from unmix.solve.engine import as_pixels

__all__ = ["log_volume", "vca"]


def vca(
    X: ArrayLike, n_endmembers: int, *, seed: int = 0, restarts: int = 1
) -> NDArray[np.floating]:
    r"""Vertex component analysis: endmembers as the scene's extreme pixels.

    The pixels are brought to K coordinates y, where a linear mixture fills a simplex:

    * SNR above 15 + 10 log₁₀ K dB: y = z / (uᵀz), z the coordinates on K singular vectors, u their
      mean (a projection that also removes a pixel's brightness);
    * below: K − 1 principal components with the constant max ‖z‖ appended.

    Then, K times, the pixel with the largest |fᵀy| along a random direction f orthogonal to the
    endmembers found so far. The spectra returned are the picks projected on the subspace. The
    subspace is that of a seeded sample of the pixels; every pixel can be picked.

    Parameters
    ----------
    X : array_like, shape (..., band)
    n_endmembers : int
        K.
    seed : int
        Of the directions and the sample.
    restarts : int
        Runs with other directions, of which the simplex with the largest volume is kept.

    Returns
    -------
    E : ndarray, shape (member, band)

    Raises
    ------
    InputError
        K out of range, NaN or infinite values.

    References
    ----------
    Nascimento & Bioucas-Dias, IEEE TGRS 43(4), 2005.

    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> found = vca(A @ E, 3)
    >>> sorted(found.round(6).tolist()) == sorted(E.tolist())
    True
    """
    pixels = as_pixels(X)
    n = check_n_endmembers(n_endmembers, *pixels.shape)
    if isinstance(restarts, bool) or not isinstance(restarts, int) or not 1 <= restarts <= 10_000:
        raise InputError(f"restarts: got {restarts!r}; give a whole number from 1 to 10000")
    space, z, y = _simplex_coordinates(pixels, n, seed)
    rng = np.random.default_rng(seed)
    picks = max((_picks(y, rng) for _ in range(restarts)), key=lambda p: log_volume(y[p]))
    return space.spectra(z[picks]).astype(pixels.dtype)


def _simplex_coordinates(
    X: NDArray[np.floating], n: int, seed: int
) -> tuple[Subspace, NDArray[np.floating], NDArray[np.floating]]:
    """Subspace, coordinates z in it, and y (pixel, K) in which mixtures fill a simplex."""
    moments = Moments.of(X, seed)
    space = moments.subspace(n, affine=True)
    floor = float(np.finfo(X.dtype).eps) * max(space.power, float(np.finfo(float).tiny))
    # The estimate of the original paper: signal power without the noise's share in K dimensions.
    signal = max(space.kept - n / X.shape[1] * space.power, floor)
    noise = max(space.power - space.kept, floor)
    if 10 * np.log10(signal / noise) >= 15 + 10 * np.log10(n):
        space = moments.subspace(n, affine=False)
        z = space.coordinates(X)
        y = projected(z)
    else:
        space = Subspace(space.mean, space.axes[: n - 1], space.power, space.kept)
        z = space.coordinates(X)
        longest = np.sqrt((z.astype(np.float64) ** 2).sum(axis=1).max())
        y = np.column_stack([z, np.full(len(z), longest or 1.0, z.dtype)])
    if not np.isfinite(z.sum(dtype=np.float64)):
        raise InputError("X: contains NaN or inf; mask those pixels first")
    return space, z, y


def _picks(y: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.intp]:
    """Rows of y (pixel, K) found along K directions orthogonal to one another's picks."""
    n = y.shape[1]
    found = np.zeros((n, n))
    found[-1, 0] = 1.0
    picks = np.empty(n, np.intp)
    for i in range(n):
        w = rng.standard_normal(n)
        f = w - found @ (np.linalg.pinv(found) @ w)
        f /= np.linalg.norm(f)
        picks[i] = _farthest(y, f)
        found[:, i] = y[picks[i]]
    return picks


@njit(nogil=True, cache=True)
def _farthest(y: Any, f: Any) -> int:
    """Row of y with the largest |fᵀy|, the first of equals."""
    best, row = -1.0, 0
    for i in range(y.shape[0]):
        s = 0.0
        for k in range(y.shape[1]):
            s += y[i, k] * f[k]
        if abs(s) > best:
            best, row = abs(s), i
    return row


def log_volume(vertices: NDArray[np.floating]) -> float:
    """Logarithm of the volume of the simplex with these vertices (K, any dimension ≥ K − 1).

    >>> round(float(np.exp(log_volume(np.array([[0.0, 0], [1, 0], [0, 1]])))), 6)
    0.5
    """
    edges = np.asarray(vertices[1:], np.float64) - vertices[0]
    singular = np.linalg.svd(edges, compute_uv=False)
    factorial = np.log(np.arange(1, len(edges) + 1)).sum()
    return float(np.log(np.maximum(singular, 1e-300)).sum() - factorial)
