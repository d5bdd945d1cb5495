"""Sizes of members, from brightness that varies least."""

import numpy as np
import pytest

from unmix.posterior.sizes import least_varying


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
    found = least_varying(b, rng.uniform(0.8, 1.2, len(b)) * total)
    assert np.median(found) == pytest.approx(1)
    np.testing.assert_allclose(found / found[0], c / c[0], rtol=0.1)


def test_neighbours_tell_where_brightness_drifts():
    """Brightness follows a material over the scene, and not from one pixel to the next."""
    b, total, c, _ = scene(3, 0)
    drift = np.exp(2 * np.argsort(np.argsort(b[:, 0])) / len(b))
    pairs = np.column_stack([np.argsort(b[:, 0])[:-1], np.argsort(b[:, 0])[1:]])
    near, all_ = least_varying(b, drift * total, pairs), least_varying(b, drift * total)
    error = [np.abs(np.log(v / v[1] * c[1] / c)).max() for v in (near, all_)]
    assert error[0] < 0.1 < error[1]


def test_the_answer_is_a_minimum():
    b, total, _, rng = scene(4, 1)
    brightness = np.exp(0.3 * rng.standard_normal(len(b))) * total
    best = least_varying(b, brightness)

    def spread(c):
        return np.log((b * brightness[:, None] / c).sum(axis=1)).var()

    for _ in range(20):
        assert spread(best * np.exp(0.02 * rng.standard_normal(4))) > spread(best) - 1e-9


def test_a_member_that_is_nowhere_is_finite():
    rng = np.random.default_rng(0)
    b = np.column_stack([rng.dirichlet(np.ones(2), 300), np.zeros(300)])
    assert np.isfinite(least_varying(b, np.ones(300))).all()
    assert np.isfinite(least_varying(np.eye(3)[[0, 0, 1]], np.array([1.0, 0.05, 2.0]))).all()
