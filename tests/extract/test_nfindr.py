"""N-FINDR against determinants: no exchange enlarges, every pass as the textbook's."""

from itertools import combinations

import numpy as np
import pytest

from unmix import parallel
from unmix.checks import InputError
from unmix.extract import nfindr
from unmix.extract.hyperplane import Hyperplane
from unmix.extract.nfindr import exchange, largest_simplex


def volume(z, picks):
    """|det| of the picked columns of z (K − 1, pixel) with a row of ones."""
    return abs(np.linalg.det(np.vstack([z[:, list(picks)], np.ones(len(picks))])))


def textbook(z, picks, passes):
    """A determinant a pixel and vertex, replacing as soon as one is larger."""
    picks, best = list(picks), volume(z, picks)
    for _ in range(passes):
        before = best
        for i in range(len(picks)):
            for row in range(z.shape[1]):
                v = volume(z, [*picks[:i], row, *picks[i + 1 :]])
                if v > best * (1 + 1e-12):
                    best, picks[i] = v, row
        if best == before:
            break
    return picks


def cloud(n_members, n_pixels, seed):
    """Noisy mixtures: no pixel is a vertex, many are extreme."""
    rng = np.random.default_rng(seed)
    z = rng.dirichlet(np.ones(n_members), n_pixels) @ rng.normal(size=(n_members, n_members - 1))
    return np.ascontiguousarray((z + 0.05 * rng.standard_normal(z.shape)).T)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_no_exchange_of_one_vertex_enlarges_the_simplex(n, seed):
    z = cloud(n, 40, seed)
    picks, _ = largest_simplex(z)
    found = volume(z, picks)
    for i in range(n):
        for row in range(z.shape[1]):
            exchanged = [*picks[:i], row, *picks[i + 1 :]]
            assert volume(z, exchanged) <= found * (1 + 1e-8)


@pytest.mark.parametrize("n", [3, 4])
def test_restarts_reach_the_largest_of_all_combinations(n):
    z = cloud(n, 30, 3)
    best = max(volume(z, c) for c in combinations(range(z.shape[1]), n))
    assert volume(z, largest_simplex(z, restarts=30)[0]) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("passes", [1, 2, 12])
def test_each_pass_is_that_of_a_determinant_a_pixel(seed, passes):
    z = cloud(4, 60, seed)
    start = np.random.default_rng(seed).choice(60, 4, replace=False)
    assert exchange(z, start, passes)[0].tolist() == textbook(z, start, passes)


def test_the_volume_never_falls_from_pass_to_pass():
    z = cloud(6, 3000, 0)
    start = np.random.default_rng(0).choice(3000, 6, replace=False)
    volumes = [volume(z, start)] + [volume(z, exchange(z, start, n)[0]) for n in range(1, 8)]
    assert np.all(np.diff(volumes) >= 0) and volumes[-1] > volumes[0]


def test_the_order_and_the_coordinates_of_pixels_do_not_matter():
    z = cloud(4, 500, 1)
    picks = set(largest_simplex(z)[0].tolist())
    order = np.random.default_rng(0).permutation(500)
    again = largest_simplex(np.ascontiguousarray(z[:, order]))[0]
    assert {int(order[i]) for i in again} == picks
    turned = np.random.default_rng(1).normal(size=(3, 3)) @ z + 5.0
    settled, passes = exchange(turned, np.array(sorted(picks)))
    assert set(settled.tolist()) == picks and passes == 1


def test_threads_do_not_change_the_picks(monkeypatch):
    z = cloud(5, 30_000, 2)
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("UNMIX_THREADS", threads)
        assert parallel.n_threads() == int(threads)
        found.append(largest_simplex(z)[0].tolist())
    assert found[0] == found[1]


def test_passes_end_after_3_k():
    z = cloud(3, 200, 0)
    start = np.array([0, 1, 2])
    assert exchange(z, start, 1)[1] == 1 and exchange(z, start)[1] <= 9


def test_projective_does_not_mind_brightness_or_dark_pixels():
    rng = np.random.default_rng(0)
    E = rng.uniform(0.1, 0.9, (4, 40))
    A = rng.dirichlet(np.ones(4), 800)
    A[[5, 80, 300, 700]] = np.eye(4)
    X = A @ E * rng.uniform(0.3, 1.1, (800, 1))
    X[:5] = 0.0
    found = nfindr(X, 4, projective=True)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, E)]
    assert (unit[0] @ unit[1].T).max(axis=0).min() > 1 - 1e-10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_that_span_too_little(dtype):
    rng = np.random.default_rng(0)
    X = (rng.dirichlet(np.ones(3), 300) @ rng.random((3, 20))).astype(dtype)
    assert nfindr(X, 3).shape == (3, 20)
    with pytest.raises(InputError, match=r"span 2 dimensions.*at most 3 endmembers"):
        nfindr(X, 4)
    with pytest.raises(InputError, match="at most 1 endmember"):
        nfindr(np.full((10, 20), 0.3, dtype), 2)


def test_repeated_pixels_and_a_wrong_number_of_restarts():
    X = np.repeat(np.random.default_rng(0).random((4, 10)), 25, axis=0)
    assert np.linalg.matrix_rank(nfindr(X, 4)) == 4
    with pytest.raises(InputError, match="restarts: got 0"):
        nfindr(X, 4, restarts=0)


def test_the_hyperplane_gives_its_pixels_back():
    X = np.random.default_rng(0).random((50, 3)) @ np.random.default_rng(1).random((3, 12))
    for projective in (False, True):
        plane = Hyperplane.of(X, 3 if projective else 4, projective=projective)
        back = plane.spectra(plane.points.T)
        size = (X * back).sum(axis=1, keepdims=True) / (back * back).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(size * back, X, atol=1e-9)
        if not projective:
            np.testing.assert_allclose(size, 1, atol=1e-9)
