"""VCA, SPA, N-FINDR: known vertices come back, seeds repeat, sampling loses nothing."""

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.extract import nfindr, reduce, spa, vca
from unmix.extract.vca import log_volume

every_extractor = pytest.mark.parametrize("extract", [vca, spa, nfindr])


def mixtures(n_members=4, n_bands=60, n_pixels=500, noise=0.0, seed=0, pure=True):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.1, 0.9, (n_members, n_bands))
    A = rng.dirichlet(np.ones(n_members), n_pixels)
    if pure:
        A[rng.choice(n_pixels, n_members, replace=False)] = np.eye(n_members)
    return A @ E + noise * rng.standard_normal((n_pixels, n_bands)), E


def angles(found, true):
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, true)]
    return np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1))


def worst_match(found, true):
    """Largest angle of a true spectrum to its nearest found one, each used once."""
    from scipy.optimize import linear_sum_assignment

    S = angles(found, true)
    return S[linear_sum_assignment(S)].max()


@every_extractor
@pytest.mark.parametrize("n_members", [2, 3, 6, 12])
def test_pure_pixels_are_found(extract, n_members):
    X, E = mixtures(n_members)
    assert worst_match(extract(X, n_members), E) < 1e-5


@pytest.mark.parametrize("snr_db", [60, 25, 12])
def test_vca_under_noise_on_both_sides_of_its_threshold(snr_db):
    clean, E = mixtures(n_pixels=3000)
    noise = np.sqrt((clean**2).mean() / 10 ** (snr_db / 10))
    X, _ = mixtures(n_pixels=3000, noise=noise)
    assert worst_match(vca(X, 4, restarts=5), E) < {60: 0.01, 25: 0.1, 12: 0.35}[snr_db]


def test_vca_does_not_mind_brightness():
    X, E = mixtures()
    bright = np.random.default_rng(1).uniform(0.3, 1.2, (len(X), 1))
    assert worst_match(vca(bright * X, 4), E) < 1e-5


def test_vca_ignores_dark_pixels():
    X, E = mixtures()
    X[:20] = 1e-9 * np.random.default_rng(0).standard_normal((20, X.shape[1]))
    assert worst_match(vca(X, 4), E) < 0.05


@every_extractor
def test_the_seed_repeats_and_shape_and_type_are_kept(extract):
    X, _ = mixtures(noise=0.05)
    cube = X.reshape(20, 25, -1).astype(np.float32)
    first = extract(cube, 4, seed=7)
    assert first.dtype == np.float32 and first.shape == (4, 60)
    assert np.array_equal(first, extract(X.astype(np.float32), 4, seed=7))


def test_restarts_never_make_the_simplex_smaller():
    X, _ = mixtures(noise=0.2, pure=False)
    volumes = [log_volume(vca(X, 4, seed=3, restarts=n)) for n in (1, 5, 20)]
    assert volumes[0] <= volumes[1] + 1e-9 and volumes[1] <= volumes[2] + 1e-9


def test_a_pure_pixel_outside_the_sample_is_still_found(monkeypatch):
    """The sample decides the subspace only; every pixel can be picked."""
    monkeypatch.setattr(reduce, "SAMPLE", 200)
    X, E = mixtures(n_pixels=4000, pure=False)
    rows = np.arange(4000)[reduce.sample_rows(4000, 200, 0)]
    outside = np.setdiff1d(np.arange(4000), rows)[:4]
    X[outside] = E
    assert worst_match(vca(X, 4), E) < 1e-5


@every_extractor
@pytest.mark.parametrize(
    ("n", "message"), [(1, "at least 2"), (61, "60 bands"), (2.0, "whole number"), (True, "whole")]
)
def test_a_wrong_number_of_members(extract, n, message):
    with pytest.raises(InputError, match=message):
        extract(mixtures()[0], n)


@every_extractor
def test_values_that_are_not_finite(extract):
    X, _ = mixtures()
    X[3, 3] = np.nan
    with pytest.raises(InputError, match="NaN or inf"):
        extract(X, 4)


def test_log_volume_of_a_known_simplex():
    corner = np.vstack([np.zeros(3), np.diag([1.0, 2.0, 3.0])])
    assert np.isclose(np.exp(log_volume(corner)), 1.0)
    assert log_volume(corner[[0, 1, 1]]) < -300
