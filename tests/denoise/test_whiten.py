"""Whitened coordinates: unit noise, there and back, and how many there are."""

import numpy as np
import pytest

from unmix.denoise import whitening

BANDS, K = 30, 4


def scene(n=4000, seed=0, snr=40.0):
    """Mixtures of K members, and noise whose strength changes tenfold over the bands."""
    rng = np.random.default_rng(seed)
    E = rng.random((K, BANDS)) + 0.2
    X = rng.dirichlet(np.ones(K), n) @ E
    sigma = np.geomspace(0.3, 3.0, BANDS) / snr
    return X, sigma, rng.standard_normal(X.shape) * sigma


@pytest.mark.parametrize("centred", [True, False])
def test_noise_has_unit_covariance(centred):
    X, sigma, noise = scene()
    white = whitening(X + noise, sigma, 1, centred=centred)
    _, _, fresh = scene(n=40_000, seed=1)
    C = np.cov(white.directions(fresh), rowvar=False)
    np.testing.assert_allclose(C, np.eye(len(C)), atol=5 / np.sqrt(40_000))


def test_noise_left_has_unit_covariance_after_denoising():
    X, sigma, noise = scene()
    mse = np.array([0.5, 0.2, 0.1])
    white = whitening(X + noise, sigma, 1).denoised(mse)
    left = white.directions(noise)
    np.testing.assert_allclose(left.var(axis=0), 1 / mse, rtol=0.1)
    z = white.coordinates(X)
    np.testing.assert_allclose(white.coordinates(white.spectra(z)), z, atol=1e-9)


@pytest.mark.parametrize("centred", [True, False])
def test_there_and_back(centred):
    X, sigma, _ = scene()
    white = whitening(X, sigma, 1, centred=centred)
    np.testing.assert_allclose(white.spectra(white.coordinates(X)), X, atol=1e-9)
    between = white.coordinates(X[0]) - white.coordinates(X[1])
    np.testing.assert_allclose(white.directions(X[0] - X[1]), between, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_components_are_what_is_signal(seed):
    X, sigma, noise = scene(seed=seed)
    assert whitening(X + noise, sigma, 1).axes.shape == (BANDS, K - 1)
    assert whitening(X + noise, sigma, 1, centred=False).axes.shape == (BANDS, K)
    assert whitening(noise, sigma, 1).axes.shape == (BANDS, 1)
    assert whitening(noise, sigma, 2).axes.shape == (BANDS, 2)
    assert whitening(noise, sigma, 99).axes.shape == (BANDS, BANDS)


def test_axes_are_orthonormal_and_strongest_first():
    X, sigma, noise = scene()
    white = whitening(X + noise, sigma, 6)
    np.testing.assert_allclose(white.axes.T @ white.axes, np.eye(6), atol=1e-12)
    z = white.coordinates(X + noise)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(z, rowvar=False, bias=True), np.diag(white.power), atol=1e-6)
    assert (np.diff(white.power) < 0).all() and (white.left == 1).all()


def test_units_and_types_do_not_matter():
    X, sigma, noise = scene()
    x = X + noise
    one, large = whitening(x, sigma, 1), whitening(1e4 * x, 1e4 * sigma, 1)
    np.testing.assert_allclose(one.coordinates(x), large.coordinates(1e4 * x), atol=1e-6)
    single = whitening(x.astype(np.float32), sigma, 1).coordinates(x.astype(np.float32))
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, one.coordinates(x), atol=0.01)


def test_shapes_are_kept():
    X, sigma, _ = scene()
    white = whitening(X, sigma, 1)
    z = white.coordinates(X[:24].reshape(2, 3, 4, BANDS))
    assert z.shape == (2, 3, 4, K - 1) and white.spectra(z).shape == (2, 3, 4, BANDS)
