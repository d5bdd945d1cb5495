"""Sizes of members, from brightness that has least structure."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unmix.posterior.sizes import least_structure


def scene(k, seed, n=800):
    """Shares of members of equal size, brightness, the sizes that were divided out, abundances."""
    rng = np.random.default_rng(seed)
    a, c = rng.dirichlet(np.full(k, 0.7), n), rng.uniform(0.3, 2, k)
    total = (a * c).sum(axis=1)
    return a * c / total[:, None], total, c, rng


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [2, 3, 5])
def test_an_even_scene_has_its_sizes_found(k, seed):
    b, total, c, rng = scene(k, seed)
    found, _ = least_structure(b, rng.uniform(0.8, 1.2, len(b)) * total)
    assert np.median(found) == pytest.approx(1)
    np.testing.assert_allclose(found / found[0], c / c[0], rtol=0.1)


def maps(k, seed, size=(60, 80)):
    """Smooth abundances, and smooth brightness that knows nothing of them."""
    rng = np.random.default_rng(seed)
    z = gaussian_filter(rng.standard_normal((*size, k)), (4, 4, 0))
    a = np.exp(40 * z)
    a /= a.sum(axis=2, keepdims=True)
    s = gaussian_filter(rng.standard_normal(size), 9)
    return a.reshape(-1, k), np.exp(0.4 * s / s.std()).ravel(), rng.uniform(0.5, 2, k), size


@pytest.mark.parametrize("seed", range(4))
def test_slopes_larger_than_pixels_are_told_from_materials(seed):
    a, s, c, size = maps(4, seed)
    total = (a * c).sum(axis=1)
    b, t = a * c / total[:, None], s * total
    errors = []
    for image in (size, None):
        found, covariance = least_structure(b, t, image)
        error = np.log(found / c)
        errors.append(error - error.mean())
        if image:
            sd = np.sqrt(np.diag(covariance))
    assert np.abs(errors[0]).max() < 0.04 < np.abs(errors[1]).max()
    assert (np.abs(errors[0]) < 4 * sd).all() and (sd < 0.03).all()


def test_the_answer_is_a_minimum():
    b, total, _, rng = scene(4, 1)
    brightness = np.exp(0.3 * rng.standard_normal(len(b))) * total
    best, _ = least_structure(b, brightness)

    def minus_log_posterior(c):
        q, s = np.log(c), (b * brightness[:, None] / c).sum(axis=1)
        return len(b) / 2 * np.log(np.log(s).var()) + ((q - q.mean()) ** 2).sum() / 2

    for _ in range(20):
        other = best * np.exp(0.02 * rng.standard_normal(4))
        assert minus_log_posterior(other) > minus_log_posterior(best)


def test_a_member_that_is_nowhere_is_finite():
    rng = np.random.default_rng(0)
    b = np.column_stack([rng.dirichlet(np.ones(2), 300), np.zeros(300)])
    assert np.isfinite(least_structure(b, np.ones(300))[0]).all()
    assert np.isfinite(least_structure(np.eye(3)[[0, 0, 1]], np.array([1.0, 0.05, 2.0]))[0]).all()
