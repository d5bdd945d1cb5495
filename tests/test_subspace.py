from dataclasses import replace

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.subspace import estimate_noise, hysime, nwhfc, signal_directions


def mixture(n=4000, bands=60, k=4, snr=30.0, seed=0, profile=None):
    """Dirichlet mixture of random smooth spectra, and the noise's standard deviations."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, bands)
    waves = rng.uniform(2, 25, (k, 6, 1)), rng.uniform(0, 6, (k, 6, 1)), rng.random((k, 6, 1))
    E = 0.5 + 0.1 * (waves[2] * np.sin(waves[0] * x + waves[1])).sum(axis=1)
    clean = rng.dirichlet(np.ones(k), n) @ E
    profile = np.ones(bands) if profile is None else profile
    power = np.mean(np.sum(clean**2, axis=1)) / 10 ** (snr / 10)
    sigma = profile * np.sqrt(power / np.sum(profile**2))
    return clean + sigma * rng.standard_normal(clean.shape), sigma


@pytest.mark.parametrize("snr", [10, 20, 30, 50])
def test_noise_and_snr_are_recovered(snr):
    X, sigma = mixture(snr=snr, profile=np.linspace(1, 4, 60))
    noise = estimate_noise(X)
    assert noise.snr_db == pytest.approx(snr, abs=0.4)
    ratio = noise.sigma / sigma  # a quiet band inherits some of the noise of its predictors
    assert 0.95 < ratio.min() and ratio.max() < 1.25 and np.median(ratio) < 1.06
    power = np.mean(X**2, axis=0) - sigma**2
    assert np.allclose(noise.snr_band_db, 10 * np.log10(power / sigma**2), atol=2)


def test_regression_is_that_on_all_other_bands():
    X, _ = mixture(n=500, bands=12, snr=20)
    variance = []
    for j in range(12):
        others = np.delete(X, j, axis=1)
        left = X[:, j] - others @ np.linalg.lstsq(others, X[:, j], rcond=None)[0]
        variance.append(left @ left / (500 - 11))
    assert np.allclose(estimate_noise(X).sigma ** 2, variance, rtol=1e-4)


def test_few_pixels_use_neighbours():
    X, sigma = mixture(n=150, bands=100, snr=25)
    noise = estimate_noise(X)
    assert "neighbours" in noise.how
    assert noise.snr_db == pytest.approx(25, abs=2)
    assert np.median(noise.sigma / sigma) == pytest.approx(1, abs=0.25)


def test_collinear_and_noise_free_bands_stay_finite():
    X, _ = mixture(n=1000, bands=30, snr=200)
    X[:, 3] = X[:, 4]
    X[:, 7] = 0
    noise = estimate_noise(X.astype(np.float32))
    assert np.isfinite(noise.sigma).all() and np.isfinite(noise.snr_band_db).all()
    assert noise.snr_db > 70


def test_pure_noise_has_no_signal():
    X = np.random.default_rng(0).standard_normal((4000, 50))
    noise = estimate_noise(X)
    assert noise.snr_db < -10
    assert hysime(X, noise).k == 0
    assert nwhfc(X, noise).k == 0
    assert signal_directions(X, noise).k == 0


@pytest.mark.parametrize("k", [3, 5, 8])
@pytest.mark.parametrize("profile", ["white", "coloured"])
def test_dimension_of_a_linear_mixture(k, profile):
    shape = None if profile == "white" else np.geomspace(1, 5, 60)
    X, _ = mixture(k=k, snr=35, seed=k, profile=shape)
    assert hysime(X).k == k
    assert signal_directions(X).k == k
    assert 1 <= nwhfc(X).k <= k


def test_brightness_adds_no_direction():
    X, _ = mixture(k=4, snr=300)
    X *= np.random.default_rng(1).uniform(0.3, 1, (len(X), 1))
    X += 0.003 * np.random.default_rng(2).standard_normal(X.shape)
    assert hysime(X).k == 4 and signal_directions(X).k == 4


def test_weak_directions_are_seen_before_hysime_sees_them():
    X, _ = mixture(k=2, snr=300)
    rng = np.random.default_rng(3)
    weak = np.linalg.qr(rng.standard_normal((60, 1)))[0][:, 0]
    noisy = X + 0.01 * rng.standard_normal(X.shape)
    noisy += 0.006 * rng.standard_normal((len(X), 1)) * weak
    assert hysime(noisy).k == 2
    assert signal_directions(noisy).k == 3


def test_a_wrong_noise_level_is_corrected():
    X, sigma = mixture(k=4)
    noise = estimate_noise(X)
    for factor in (0.5, 2.0):
        assert signal_directions(X, replace(noise, sigma=factor * sigma)).k == 4


def test_false_alarms_are_rare():
    found = [
        signal_directions(np.random.default_rng(s).standard_normal((1500, 40))).k for s in range(40)
    ]
    assert sum(found) <= 1


def test_axes_span_the_signal():
    X, sigma = mixture(k=4, snr=40)
    for dimension in (hysime(X), signal_directions(X)):
        axes = dimension.axes[:4]
        assert np.allclose(axes @ axes.T, np.eye(4), atol=1e-10)
    axes = hysime(X).axes[:4]
    lost = X - X @ axes.T @ axes
    assert np.mean(lost**2) == pytest.approx(np.mean(sigma**2) * 56 / 60, rel=0.05)


def test_hysime_cost_is_the_error_it_says():
    X, _ = mixture(k=3)
    noise = estimate_noise(X)
    found = hysime(X, noise)
    p = np.mean((X @ found.axes.T) ** 2, axis=0)
    kept = (found.axes**2) @ noise.sigma**2
    assert np.allclose(found.curve, -p + 2 * kept)
    assert (np.diff(found.curve) >= 0).all()


def test_more_bands_than_pixels():
    X, _ = mixture(n=60, bands=120, k=3, snr=30)
    for find in (hysime, nwhfc, signal_directions):
        assert 1 <= find(X).k <= 60


def test_sample_is_seeded():
    X, _ = mixture(n=3000)
    a, b, c = (estimate_noise(X, seed=s, max_pixels=1000).sigma for s in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


@pytest.mark.parametrize("X", [np.ones((1, 5)), np.full((4, 5), np.nan), np.ones((4, 1))])
def test_refused(X):
    with pytest.raises(InputError):
        estimate_noise(X)
