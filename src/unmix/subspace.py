"""Noise of each band, signal-to-noise ratio, and the dimension of the signal subspace.

References
----------
Bioucas-Dias, J. M. & Nascimento, J. M. P. (2008). Hyperspectral subspace identification. IEEE
Trans. Geosci. Remote Sens. 46(8), 2435-2445.
Marchenko, V. A. & Pastur, L. A. (1967). Distribution of eigenvalues for some sets of random
matrices. Math. USSR Sb. 1, 457-483.
Johnstone, I. M. (2001). On the distribution of the largest eigenvalue in principal components
analysis. Ann. Statist. 29(2), 295-327.
Chang, C.-I. & Du, Q. (2004). Estimation of number of spectrally distinct signal sources in
hyperspectral imagery. IEEE Trans. Geosci. Remote Sens. 42(3), 608-619.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from unmix.checks import InputError, check_pixels
from unmix.prepare.bands import local_noise

__all__ = ["Dimension", "Noise", "estimate_noise", "hysime", "nwhfc", "signal_directions"]

Array = NDArray[np.float64]

_SAMPLE = 20_000
_ENOUGH = 3  # pixels a band for the regression on all bands; with fewer, on the neighbours only
_TRACY_WIDOM = 3.27  # the largest of pure noise's eigenvalues is below it in 999 cases of 1000
_RIDGE = 1e-10  # of the mean power: collinear bands stay solvable, SNR is measured up to 100 dB


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise of a scene.

    Parameters
    ----------
    sigma : ndarray, shape (band,)
        Standard deviation, in the pixels' unit.
    snr_db : float
        10 log10(E‖x‖² / E‖n‖²) over all bands.
    snr_band_db : ndarray, shape (band,)
        The same for each band.
    how : str
        A sentence that says how it was estimated.
    """

    sigma: Array
    snr_db: float
    snr_band_db: Array
    how: str


@dataclass(frozen=True, eq=False)
class Dimension:
    """A signal subspace dimension with the curve it was read from.

    Parameters
    ----------
    k : int
    curve : ndarray
        One value a dimension, 1, 2, ...
    threshold : float or ndarray
        What the curve is compared with.
    axes : ndarray, shape (component, band)
        Orthonormal directions, in the curve's order.
    """

    k: int
    curve: Array
    threshold: Array
    axes: Array


def estimate_noise(X: ArrayLike, *, seed: int = 0, max_pixels: int = _SAMPLE) -> Noise:
    r"""Noise by multiple regression: what a band's value is not predicted by the other bands.

    .. math:: σ_j^2 = \frac{1}{(n - L + 1) \, [(X^T X + λI)^{-1}]_{jj}}

    is the residual variance of band j regressed on the L − 1 others, without solving L
    regressions. With fewer than 3 pixels a band, each band is regressed on its six neighbours
    (`unmix.prepare.bands.local_noise`). Noise that neighbouring bands share goes unseen either way.

    Parameters
    ----------
    X : array_like, shape (..., band)
        Valid pixels; a seeded sample of `max_pixels` is used.

    Raises
    ------
    InputError
        Not finite, one band, fewer than 2 pixels.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((5000, 3)) @ rng.random((3, 40))
    >>> noise = estimate_noise(X + 0.01 * rng.standard_normal(X.shape))
    >>> bool(np.allclose(noise.sigma, 0.01, rtol=0.1))
    True
    """
    Y = _sample(X, seed, max_pixels)
    n, n_bands = Y.shape
    power = np.mean(Y**2, axis=0)
    if n >= _ENOUGH * n_bands:
        gram = Y.T @ Y / n
        gram[np.diag_indices(n_bands)] += _RIDGE * power.mean() + 1e-30
        variance = n / (n - n_bands + 1) / np.diag(np.linalg.inv(gram))
        how = f"each band regressed on all others over {n} pixels"
    else:
        variance = local_noise(Y, [np.arange(n_bands)]) ** 2 + _RIDGE * power.mean()
        how = f"each band regressed on six neighbours over {n} pixels, too few for all bands"
    variance = np.clip(variance, 1e-30, None)
    return Noise(
        np.sqrt(variance), float(_db(power.sum(), variance.sum())), _db(power, variance), how
    )


def hysime(X: ArrayLike, noise: Noise | None = None, *, seed: int = 0) -> Dimension:
    r"""HySime: the subspace that minimises signal power lost plus noise power kept.

    With e_i the eigenvectors of the signal correlation matrix R_x = R_y − R_n, direction i is
    signal where

    .. math:: c_i = -e_i^T R_y e_i + 2 \, e_i^T R_n e_i < 0 .

    Directions come with c ascending. It finds every direction in which the scene differs from
    white noise; real scenes have many more of these than materials.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.dirichlet(np.ones(4), 4000) @ rng.random((4, 50))
    >>> hysime(X + 0.005 * rng.standard_normal(X.shape)).k
    4
    """
    Y = _sample(X, seed, _SAMPLE)
    sigma = (noise or estimate_noise(Y)).sigma
    R = Y.T @ Y / len(Y)
    vectors = np.linalg.eigh(R - np.diag(sigma**2))[1]
    cost = -np.einsum("bi,bc,ci->i", vectors, R, vectors, optimize=True)
    cost += 2 * (vectors**2).T @ sigma**2
    order = np.argsort(cost)
    return Dimension(
        int(np.sum(cost < 0)), cost[order], np.zeros(len(cost)), vectors[:, order].T.copy()
    )


def nwhfc(
    X: ArrayLike, noise: Noise | None = None, *, false_alarm: float = 1e-4, seed: int = 0
) -> Dimension:
    r"""Noise-whitened Harsanyi-Farrand-Chang virtual dimensionality.

    On whitened pixels x/σ, with the sorted eigenvalues λ̂_i of the correlation and λ_i of the
    covariance matrix, direction i is signal where the mean adds to it:

    .. math:: \hatλ_i - λ_i > Φ^{-1}(1 - P_F) \sqrt{2(\hatλ_i^2 + λ_i^2)/n} .

    >>> rng = np.random.default_rng(0)
    >>> X = rng.dirichlet(np.ones(3), 4000) @ rng.random((3, 50))
    >>> nwhfc(X + 0.005 * rng.standard_normal(X.shape)).k
    3
    """
    Y = _sample(X, seed, _SAMPLE)
    Y = Y / (noise or estimate_noise(Y)).sigma
    mean = Y.mean(axis=0)
    R = Y.T @ Y / len(Y)
    with_mean, vectors = np.linalg.eigh(R)
    centred = np.linalg.eigvalsh(R - np.outer(mean, mean))[::-1]
    with_mean = with_mean[::-1]
    spread = np.sqrt(2 * (with_mean**2 + centred**2) / len(Y))
    threshold = norm.isf(false_alarm) * spread
    curve = with_mean - centred
    return Dimension(int(np.sum(curve > threshold)), curve, threshold, vectors[:, ::-1].T.copy())


def signal_directions(X: ArrayLike, noise: Noise | None = None, *, seed: int = 0) -> Dimension:
    r"""Directions in which whitened pixels vary more than white noise can.

    The eigenvalues of the correlation matrix of n whitened pixels x/σ that hold nothing but noise
    reach, with γ = bands/n (Marchenko and Pastur; Johnstone for the margin),

    .. math:: λ_+ = (1+\sqrt γ)^2 + 3.27 \, n^{-2/3} (1+\sqrt γ)(1+1/\sqrt γ)^{1/3} ,

    times the noise level, which the median eigenvalue tells. This finds directions ten times
    weaker than the noise of one pixel, where HySime wants the signal to exceed the noise.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.dirichlet(np.ones(4), 4000) @ rng.random((4, 50))
    >>> signal_directions(X + 0.1 * rng.standard_normal(X.shape)).k
    4
    """
    Y = _sample(X, seed, _SAMPLE)
    Y = Y / (noise or estimate_noise(Y)).sigma
    values, vectors = np.linalg.eigh(Y.T @ Y / len(Y))
    ratio = Y.shape[1] / len(Y)
    margin = len(Y) ** (-2 / 3) * (1 + ratio**0.5) * (1 + ratio**-0.5) ** (1 / 3)
    edge = (1 + ratio**0.5) ** 2 + _TRACY_WIDOM * margin
    if ratio < 1:
        edge *= np.median(values) / _marchenko_pastur_median(ratio)
    curve = values[::-1]
    return Dimension(
        int(np.sum(curve > edge)), curve, np.full(len(curve), edge), vectors[:, ::-1].T.copy()
    )


def _marchenko_pastur_median(ratio: float) -> float:
    """Median eigenvalue of white noise of variance 1, for bands/pixels below 1."""
    low, high = (1 - ratio**0.5) ** 2, (1 + ratio**0.5) ** 2
    x = np.linspace(low, high, 4001)[1:-1]
    mass = np.cumsum(np.sqrt((high - x) * (x - low)) / x)
    return float(x[np.searchsorted(mass, mass[-1] / 2)])


def _sample(X: ArrayLike, seed: int, size: int) -> Array:
    """Up to `size` pixels, shape (pixel, band), float64."""
    Y = check_pixels(X)
    Y = Y.reshape(-1, Y.shape[-1])
    if len(Y) < 2:
        raise InputError(f"X: {len(Y)} pixel(s); noise needs at least 2")
    if len(Y) > size:
        Y = Y[np.sort(np.random.default_rng(seed).choice(len(Y), size, replace=False))]
    return Y.astype(np.float64)


def _db(power: Array | float, variance: Array | float) -> Array:
    """10 log10 of signal over noise, where `power` holds both; at least -30 dB."""
    signal = np.maximum(np.asarray(power) - variance, 1e-3 * np.asarray(variance))
    return 10 * np.log10(signal / variance)
