"""SISAL: scenes without a pure pixel, the objective against another optimiser, optimality."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, minimize

from unmix.checks import InputError
from unmix.extract import sisal, vca
from unmix.extract.facets import WIDTHS, hinge, smallest_simplex
from unmix.extract.hyperplane import Hyperplane
from unmix.extract.nfindr import largest_simplex
from unmix.extract.sisal import identify


def scene(n_members=3, purest=0.8, snr_db=np.inf, seed=0, n_pixels=4000, n_bands=80, flat=1.0):
    """Mixtures of smooth spectra in which no abundance exceeds `purest`."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n_members, n_bands)), axis=1) * 0.05
    E = np.abs(walk + rng.uniform(0.2, 0.8, (n_members, 1))) + 0.05
    A = rng.dirichlet(np.full(n_members, flat), 20 * n_pixels)
    X = A[A.max(axis=1) <= purest][:n_pixels] @ E
    sigma = np.sqrt((X**2).mean() / 10 ** (snr_db / 10))
    return X + sigma * rng.standard_normal(X.shape), E


def sad(found, true):
    """Mean angle of the best one-to-one match."""
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, true)]
    S = np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1))
    return S[linear_sum_assignment(S)].mean()


def start(z):
    picks, _ = largest_simplex(z)
    return np.linalg.inv(np.vstack([z[:, picks], np.ones(len(picks))]))


def objective(z, Q, tau):
    return tau * hinge(z, Q) - np.linalg.slogdet(Q)[1]


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_a_simplex_without_pure_pixels_is_found_where_vca_is_not(n, seed):
    X, E = scene(n, seed=seed)
    assert sad(sisal(X, n), E) < 0.01
    assert sad(sisal(X, n, outside=1e-9), E) < 0.003
    assert sad(vca(X, n, seed=seed, restarts=5), E) > 0.04


@pytest.mark.parametrize("snr_db", [40, 30, 20])
@pytest.mark.parametrize("flat", [1.0, 0.4])
def test_noise_leaves_it_better_than_vca(snr_db, flat):
    for seed in range(3):
        X, E = scene(4, snr_db=snr_db, seed=seed, flat=flat)
        assert sad(sisal(X, 4), E) < 0.6 * sad(vca(X, 4, seed=seed, restarts=5), E)


def test_the_share_from_the_noise_is_better_than_all_pixels_inside():
    X, E = scene(4, snr_db=20)
    assert sad(sisal(X, 4), E) < 0.5 * sad(sisal(X, 4, outside=1e-9), E)
    shares = [identify(scene(4, snr_db=snr)[0], 4).outside for snr in (np.inf, 25, 15)]
    assert shares[0] == 0.005 < shares[1] < shares[2]


@pytest.mark.parametrize("tau", [0.02, 0.3, 10.0])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_another_optimiser_finds_nothing_lower_nearby(n, tau):
    """Powell and Nelder-Mead on the unrounded objective, from the answer and from beside it."""
    X, _ = scene(n, snr_db=30, n_pixels=200)
    z = Hyperplane.of(X, n).points
    found = smallest_simplex(z, start(z), tau)
    value, vertices = objective(z, found.Q, tau), found.vertices
    assert found.converged

    def at(v):
        V = np.vstack([v.reshape(n, n - 1).T, np.ones(n)])
        return objective(z, np.linalg.inv(V), tau) if abs(np.linalg.det(V)) > 1e-9 else 1e9

    assert at(vertices.ravel()) == pytest.approx(value)
    rng = np.random.default_rng(0)
    for method, beside in (("Powell", 0.0), ("Powell", 0.05), ("Nelder-Mead", 0.02)):
        moved = vertices.ravel() * (1 + beside * rng.standard_normal(vertices.size))
        other = minimize(at, moved, method=method, options={"maxiter": 4000})
        assert other.fun > value - 2e-3


@pytest.mark.parametrize("share", [0.003, 0.02, 0.1])
def test_every_facet_leaves_its_share_outside(share):
    """The optimality condition: τ times the number outside is the same for every facet."""
    X, _ = scene(4, snr_db=25)
    z = Hyperplane.of(X, 4).points
    found = smallest_simplex(z, start(z), 3 / (share * z.shape[1]))
    outside = (found.Q @ np.vstack([z, np.ones(z.shape[1])]) < 0).mean(axis=1)
    assert np.ptp(outside) < 6 / z.shape[1]  # but for pixels on the facet
    assert 0.6 * share < outside.mean() < 1.6 * share


def test_the_gradient_is_that_of_the_objective():
    from unmix.extract.facets import _objective

    X, _ = scene(4, snr_db=25, n_pixels=500)
    z = Hyperplane.of(X, 4).points
    Q, rng = start(z), np.random.default_rng(0)
    _, gradient, blocks = _objective(z, Q, 0.7, 0.3)
    P = rng.standard_normal((4, 4))
    P -= P.mean(axis=0)

    def value(t):
        return _objective(z, (np.eye(4) + t * P) @ Q, 0.7, 0.3)[0]

    assert (value(1e-6) - value(-1e-6)) / 2e-6 == pytest.approx((gradient * P).sum(), rel=1e-5)
    second = np.einsum("ik,ikl,il->", P, blocks, P) + np.trace(P @ P)
    assert (value(1e-4) - 2 * value(0) + value(-1e-4)) / 1e-8 == pytest.approx(second, rel=1e-2)


def test_the_objective_falls_at_every_width_and_abundances_sum_to_one():
    X, _ = scene(5, snr_db=25)
    z = Hyperplane.of(X, 5).points
    Q = start(z)
    for width in WIDTHS:
        found = smallest_simplex(z, Q, 0.1, (width,))
        assert np.all(np.diff(found.objective) <= 1e-9)
        Q = found.Q
    np.testing.assert_allclose(Q.sum(axis=0), [0, 0, 0, 0, 1], atol=1e-9)


def test_a_few_wild_pixels_change_little():
    X, E = scene(4, snr_db=40)
    X[:8] += np.random.default_rng(0).normal(0, 0.5, (8, 1)) * np.linspace(-1, 1, X.shape[1])
    robust, hard = sad(sisal(X, 4), E), sad(sisal(X, 4, outside=1e-9), E)
    assert robust < 0.05 < hard


def test_unit_order_and_type_do_not_matter():
    X, _ = scene(4, snr_db=30)
    E = sisal(X, 4)
    np.testing.assert_allclose(sisal(1e4 * X, 4), 1e4 * E, rtol=1e-6)
    order = np.random.default_rng(0).permutation(len(X))
    assert sad(sisal(X[order], 4), E) < 1e-4
    single = sisal(X.astype(np.float32), 4)
    assert single.dtype == np.float32 and sad(single, E) < 1e-3
    assert np.array_equal(E, sisal(X, 4))


def test_brightness_is_taken_out_by_the_projective_form():
    X, E = scene(4)
    X *= np.random.default_rng(1).uniform(0.4, 1.1, (len(X), 1))
    X[0] = 0.0
    assert sad(sisal(X, 4, projective=True), E) < 0.01


def test_brightness_scales_the_noise_that_the_share_is_told_from():
    X, _ = scene(4, snr_db=25)
    flat, same, dark = (
        identify(b * X, 4, projective=p).outside for b, p in ((1, False), (1, True), (0.01, True))
    )
    assert flat > 0.007 and flat / 1.5 < same < 1.5 * flat
    assert dark == pytest.approx(same, rel=0.05)


def test_spectra_stay_physical():
    X, _ = scene(4, snr_db=15)
    X = np.maximum(X, 0.001)
    assert sisal(X, 4, outside=1e-9).min() > 0
    assert sisal(X - X.mean(axis=0), 4).min() < 0


def test_two_members_and_as_many_pixels_as_members():
    X, E = scene(2, purest=1.0)
    assert sad(sisal(X, 2), E) < 0.01
    corners = np.random.default_rng(0).random((4, 10))
    assert sad(sisal(corners, 4, outside=1e-9), corners) < 1e-3


def test_pixels_and_shares_that_cannot_be_used():
    X, _ = scene(3)
    with pytest.raises(InputError, match="at most 3 endmembers"):
        sisal(X, 4)
    for outside in (0.0, 0.6, -1, np.nan):
        with pytest.raises(InputError, match="outside: got"):
            sisal(X, 3, outside=outside)
    X[0, 0] = np.inf
    with pytest.raises(InputError, match="NaN or inf"):
        sisal(X, 3)
