r"""Non-local Bayes: patches that look alike share a Gaussian, and noise is what it leaves over.

Around every patch of 3 × 3 pixels the n most similar ones in a window are collected, similar in all
coordinates at once, weighted by how much of each is signal. In every coordinate the group has mean
μ and covariance C = Σ + I, noise being white with variance 1, so that each member is estimated by

    p̂ = μ + Σ C⁻¹ (p − μ),    Σ = U diag(max(λ − 1, 0)) Uᵀ,

eigenvalues λ of C below the edge of pure noise, (1 + √(9/n))², counting as noise. Patches overlap
and are averaged. How large the error is, Stein's unbiased estimate tells without the truth:

    MSE = E‖ẑ − z‖² − 1 + 2 E ∂ẑ/∂z,

the divergence by one random ± probe. A group's mean is where the estimate is drawn to, and where
groups are little alike that is the middle of the scene: over the image ẑ = β z + ε, with

    β = cov(ẑ, z) / var z = 1 + (cov(ẑ − y, y) + 1 − E ∂ẑ/∂z) / (var y − 1).

A scene drawn together would be taken for one of duller members, so ẑ is stretched by 1/β about its
mean, after which its error (MSE − (β − 1)² var z) / β² has nothing to do with z. Where neighbours
tell nothing that gives back the noisy image, at error 1.

Pixels seen at brightness t are compared, averaged and estimated as z / t, whose noise has variance
1 / t²: every mean above is then weighted by t², C is that of t (p − μ), and a member's noise in C
is that of its own brightness.

References
----------
Lebrun, Buades & Morel (2013). A nonlocal Bayesian image denoising algorithm. SIAM J. Imaging Sci.
6(3), 1665-1688.
Ramani, Blu & Unser (2008). Monte-Carlo SURE. IEEE Trans. Image Process. 17(9), 1540-1554.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmix.parallel import one_blas_thread, over_items

__all__ = ["Denoised", "denoise", "halo_of", "smoothed", "stretched"]

_SIDE = 3  # pixels: side of a patch
_WINDOW = 10  # patches looked at on every side
_GROUP = 60  # patches in a group
_PROBE = 0.1  # of the noise: size of the probe for the divergence
_FLATTEST = 0.1  # least slope
_BAND = 16  # rows of references that are one piece of work


@dataclass(frozen=True, eq=False)
class Denoised:
    """Coordinates without most of their noise.

    Parameters
    ----------
    values : ndarray, shape (row, col, component)
    mse : ndarray, shape (component,)
        What is left of the noise variance 1, by Stein's estimate; 1 where nothing was gained.
    slope, middle : ndarray, shape (component,)
        β, by which `values` have been stretched about `middle`.
    """

    values: NDArray[np.float32]
    mse: NDArray[np.float64]
    slope: NDArray[np.float64]
    middle: NDArray[np.float64]


def halo_of() -> int:
    """Pixels around a pixel on which its value depends: two patches and two windows away."""
    return 2 * (_WINDOW + _SIDE - 1)


def denoise(
    Z: NDArray[np.floating],
    power: NDArray[np.floating],
    seed: int = 0,
    brightness: NDArray[np.floating] | None = None,
) -> Denoised:
    """Denoise coordinates (row, col, component) whose noise is white with variance 1.

    Parameters
    ----------
    Z : ndarray, shape (row, col, component)
    power : ndarray, shape (component,)
        Variance of each, noise included: how much it counts when patches are compared.
    seed : int
        Of the probe.
    brightness : ndarray, shape (row, col), optional
        t, by which alike pixels differ; 1 everywhere if it is left out.

    >>> rng = np.random.default_rng(0)
    >>> truth = np.full((40, 40, 1), 5.0)
    >>> truth[:, 20:] = -5
    >>> found = denoise(truth + rng.standard_normal(truth.shape), np.array([26.0]))
    >>> error = ((found.values - truth) ** 2).mean()
    >>> bool(error < 0.1), bool(abs(found.mse[0] - error) < 0.05)
    (True, True)
    """
    noisy = np.ascontiguousarray(Z, np.float32)
    t = np.ones(noisy.shape[:2], np.float32) if brightness is None else np.asarray(brightness)
    t = np.ascontiguousarray(t, np.float32)[..., None]
    values = smoothed(noisy, power, t[..., 0])
    sign = np.random.default_rng(seed).integers(0, 2, noisy.shape).astype(np.float32) * 2 - 1
    moved = smoothed(noisy + np.float32(_PROBE) * sign, power, t[..., 0])
    axes = (0, 1)
    divergence = (sign * (moved - values)).mean(axis=axes, dtype=np.float64) / _PROBE
    change = (values - noisy).astype(np.float64)
    middle = (noisy * t).mean(axis=axes, dtype=np.float64) / (t**2).mean(dtype=np.float64)
    about = noisy - middle * t
    signal = np.maximum((about**2).mean(axis=axes) - 1, 1e-6)
    pull = (change * about).mean(axis=axes) + 1 - divergence
    slope = np.clip(1 + pull / signal, _FLATTEST, 1.0)
    mse = (change**2).mean(axis=axes) - 1 + 2 * divergence - (1 - slope) ** 2 * signal
    mse = np.clip(mse / slope**2, 0.01, 1.0)
    return Denoised(stretched(values, slope, middle, t), mse, slope, middle)


def stretched(
    values: NDArray[np.float32],
    slope: NDArray[np.float64],
    middle: NDArray[np.float64],
    brightness: NDArray[np.float32] | float = 1.0,
) -> NDArray[np.float32]:
    """Coordinates (..., component) drawn to `middle` times brightness (..., 1) drawn apart."""
    centre = middle * brightness
    return (centre + (values - centre) / slope).astype(np.float32)


def smoothed(
    Z: NDArray[np.float32],
    power: NDArray[np.floating],
    brightness: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The estimate alone; an image smaller than a patch stays as it is."""
    rows, cols = Z.shape[:2]
    if min(rows, cols) < _SIDE:
        return Z
    brightness = np.ones((rows, cols), np.float32) if brightness is None else brightness
    Y = Z / brightness[..., None]
    weight = (np.maximum(power - 1, 0) / power).astype(np.float32)
    edge = (1 + np.sqrt(_SIDE**2 / _GROUP)) ** 2
    tops = range(0, rows - _SIDE + 1, _BAND)

    def piece(top: int) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
        first = max(0, top - _WINDOW)
        last = min(rows, top + _BAND + _WINDOW + _SIDE)
        total = np.zeros((last - first, cols, Z.shape[2]))
        count = np.zeros((last - first, cols))
        with one_blas_thread():
            bottom = min(top + _BAND, rows - _SIDE + 1)
            _groups(Y, brightness**2, weight, edge, top, bottom, first, total, count)
        return first, total, count

    total, count = np.zeros(Z.shape), np.zeros((rows, cols))
    for first, part, n in over_items(piece, tops):
        total[first : first + len(n)] += part
        count[first : first + len(n)] += n
    mean = total / np.maximum(count, 1)[..., None] * brightness[..., None]
    return np.where(count[..., None] > 0, mean, Z).astype(np.float32)


@njit(cache=True, nogil=True)
def _groups(
    Y: Any,
    precision: Any,
    weight: Any,
    edge: float,
    top: int,
    bottom: int,
    first: int,
    total: Any,
    count: Any,
) -> None:
    """Estimates of all groups whose reference patch starts in rows [top, bottom), added up."""
    rows, cols, d = Y.shape
    size = _SIDE * _SIDE
    distance = np.empty((2 * _WINDOW + 1) ** 2, np.float32)
    place = np.empty(((2 * _WINDOW + 1) ** 2, 2), np.int64)
    P = np.empty((_GROUP, size))
    Q = np.empty((_GROUP, size))
    W = np.empty((_GROUP, size))
    for r in range(top, bottom):
        for c in range(cols - _SIDE + 1):
            m = 0
            for y in range(max(0, r - _WINDOW), min(rows - _SIDE, r + _WINDOW) + 1):
                for x in range(max(0, c - _WINDOW), min(cols - _SIDE, c + _WINDOW) + 1):
                    s = np.float32(0)
                    for a in range(_SIDE):
                        for b in range(_SIDE):
                            p, q = precision[r + a, c + b], precision[y + a, x + b]
                            e2 = np.float32(0)
                            for k in range(d):
                                e = Y[r + a, c + b, k] - Y[y + a, x + b, k]
                                e2 += weight[k] * e * e
                            s += e2 * p * q / (p + q)
                    distance[m] = s
                    place[m, 0] = y
                    place[m, 1] = x
                    m += 1
            n = min(_GROUP, m)
            order = np.argsort(distance[:m], kind="mergesort")[:n]
            for i in range(n):
                y, x = place[order[i], 0], place[order[i], 1]
                for a in range(_SIDE):
                    for b in range(_SIDE):
                        W[i, a * _SIDE + b] = precision[y + a, x + b]
                        count[y + a - first, x + b] += 1
            for k in range(d):
                for i in range(n):
                    y, x = place[order[i], 0], place[order[i], 1]
                    for a in range(_SIDE):
                        for b in range(_SIDE):
                            P[i, a * _SIDE + b] = Y[y + a, x + b, k]
                mean = _estimate(P[:n], W[:n], Q[:n], edge)
                for i in range(n):
                    y, x = place[order[i], 0] - first, place[order[i], 1]
                    for a in range(_SIDE):
                        for b in range(_SIDE):
                            j = a * _SIDE + b
                            total[y + a, x + b, k] += mean[j] + P[i, j]


@njit(cache=True, nogil=True)
def _estimate(P: Any, W: Any, Q: Any, edge: float) -> Any:
    """Mean μ (j,) of patches (patch, j) of precision W; P becomes Σ C⁻¹ (P − μ)."""
    n, size = P.shape
    mean = np.zeros(size)
    for j in range(size):
        total = 0.0
        for i in range(n):
            mean[j] += W[i, j] * P[i, j]
            total += W[i, j]
        mean[j] /= total
    bright = 0.0
    for i in range(n):
        for j in range(size):
            P[i, j] -= mean[j]
            Q[i, j] = np.sqrt(W[i, j]) * P[i, j]
            bright += W[i, j]
    bright /= n * size
    C = np.zeros((size, size))
    for i in range(n):
        for j in range(size):
            for u in range(j + 1):
                C[j, u] += Q[i, j] * Q[i, u]
    C /= max(n - 1, 1)
    for j in range(size):
        for u in range(j):
            C[u, j] = C[j, u]
    power, V = np.linalg.eigh(C)
    for i in range(n):
        own = W[i].mean() / bright
        for j in range(size):
            Q[i, j] = 0.0
        for v in range(size):
            if power[v] > edge:
                part = 0.0
                for j in range(size):
                    part += V[j, v] * P[i, j]
                signal = own * (power[v] - 1)
                part *= signal / (signal + 1)
                for j in range(size):
                    Q[i, j] += part * V[j, v]
        for j in range(size):
            P[i, j] = Q[i, j]
    return mean
