"""Mixing surfaces: slopes and scores against finite differences, vertices there and back."""

import numpy as np
import pytest

from unmix import mixing
from unmix.denoise import Whitening, whitening
from unmix.posterior.surfaces import SURFACES, most_components, surface_of

K, L, N = 3, 12, 7
THETA = {
    "linear": (),
    "bilinear": (0.3, 0.9, 0.6, 0.2, 1.2, 0.7),
    "post-nonlinear": (0.7,),
}
KINDS = pytest.mark.parametrize("kind", SURFACES)


@pytest.fixture(scope="module")
def case():
    """Spectra above zero, in coordinates of every band, and abundances inside the simplex."""
    rng = np.random.default_rng(0)
    E = rng.uniform(0.15, 0.9, (K, L))
    X = rng.dirichlet(np.ones(K), 400) @ E
    X += 0.05 * rng.standard_normal(X.shape)
    white = whitening(X, np.geomspace(0.02, 0.06, L), L).denoised(np.linspace(0.2, 1.0, L))
    A = rng.dirichlet(np.full(K, 2.0), N)
    root = rng.normal(size=(N, K, K)) * 0.1
    root -= root.mean(axis=1, keepdims=True)  # sums of abundances are certain
    C = root @ np.swapaxes(root, 1, 2)
    return E, white, A, C, rng.normal(size=(N, L)), rng.normal(size=(N, K, L))


def made(kind):
    return surface_of(kind, K, THETA[kind] or None)


@KINDS
def test_vertices_and_endmembers_there_and_back(case, kind):
    E, surface = case[0], made(kind)
    np.testing.assert_allclose(surface.endmembers(surface.vertices(E)), E, rtol=1e-9)
    np.testing.assert_allclose(surface.vertices(surface.endmembers(E)), E, rtol=1e-9)


@KINDS
def test_a_pure_pixel_is_the_vertex(case, kind):
    E, surface = case[0], made(kind)
    np.testing.assert_allclose(surface.mix(np.eye(K), E), E, rtol=1e-9)


def test_mixtures_are_those_of_the_models(case):
    """Endmembers in, spectra out, against `unmix.mixing` and the double sum written out."""
    E, _, A, *_ = case
    curved = made("post-nonlinear")
    expected = mixing.post_nonlinear(A, E, "power", 0.7)
    np.testing.assert_allclose(curved.mix(A, curved.vertices(E)), expected, rtol=1e-9)
    bent = made("bilinear")
    expected = A @ E
    for p, (i, j) in enumerate([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]):
        expected = expected + bent.theta[p] * (A[:, i] * A[:, j])[:, None] * E[i] * E[j]
    np.testing.assert_allclose(bent.mix(A, bent.vertices(E)), expected, rtol=1e-9)


@KINDS
def test_coordinates_are_those_of_the_mixture(case, kind):
    E, white, A, *_ = case
    surface = made(kind)
    expected = white.coordinates(surface.mix(A, E))
    np.testing.assert_allclose(surface.at(A, E, white), expected, atol=1e-8)


@KINDS
def test_the_mean_over_uncertain_abundances(case, kind):
    """f(a) averaged over Gaussian draws; to second order, exactly for products."""
    E, white, A, C, *_ = case
    surface, rng = made(kind), np.random.default_rng(1)
    C = 0.1 * C[:1]
    draws = rng.multivariate_normal(A[0], C[0], 40_000, method="eigh")
    draws = np.concatenate([draws, 2 * A[0] - draws])  # no error of first order
    mean = surface.at(draws, E, white).mean(axis=0)
    found = surface.at(A[:1], E, white, C)[0]
    bend = np.abs(mean - surface.at(A[:1], E, white)[0]).max()
    np.testing.assert_allclose(found, mean, atol=0.04 * bend + 1e-7)
    assert kind == "linear" or bend > 0.01


@KINDS
def test_slopes_are_finite_differences(case, kind):
    """Along the simplex; a shift of all members means nothing there."""
    E, white, A, *_ = case
    surface = made(kind)
    J = np.broadcast_to(surface.slopes(A, E, white), (N, K, L))
    for i, j in [(0, 1), (1, 2), (2, 0)]:
        move = np.zeros(K)
        move[i], move[j] = 1e-5, -1e-5
        change = surface.at(A + move, E, white) - surface.at(A - move, E, white)
        np.testing.assert_allclose(J[:, i] - J[:, j], change / 2e-5, rtol=1e-5, atol=1e-5)


@KINDS
@pytest.mark.parametrize("certain", [True, False])
def test_scores_are_finite_differences(case, kind, certain):
    """∂/∂(V, θ) of Σ f R − Σ J H, pixel by pixel, R and H held."""
    E, white, A, C, R, H = case
    C = 0 * C if certain else 0.1 * C
    if not certain and kind == "post-nonlinear":
        C = C * 1e-3  # its scores leave out how the curvature's own term moves
    H = H - H.mean(axis=1, keepdims=True)  # C is flat towards all members at once: so is H = C J
    surface, start = made(kind), white.coordinates(E)

    def phi(z, theta):
        bent = surface.moved(theta) if len(theta) else surface
        V = white.spectra(z.reshape(K, -1))
        J = np.broadcast_to(bent.slopes(A, V, white), (N, K, L))
        return (R * bent.at(A, V, white, C)).sum(axis=1) - (J * H).sum(axis=(1, 2))

    x = np.concatenate([start.ravel(), surface.theta])
    found, n = surface.scores(A, E, white, R, H, C), start.size
    assert found.shape == (N, len(x))
    for i in range(len(x)):
        step = 1e-5 * max(abs(x[i]), 1.0)
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slope = (phi(up[:n], up[n:]) - phi(down[:n], down[n:])) / (2 * step)
        close = 2e-3 * np.abs(found[:, i]).max()
        np.testing.assert_allclose(found[:, i], slope, rtol=2e-3, atol=close)


@KINDS
def test_constants_stay_in_range(kind):
    surface = made(kind)
    for sign, end in ((9, surface.high), (-9, surface.low)):
        there = surface.moved(surface.theta + sign)
        np.testing.assert_array_equal(there.theta, end)
        assert type(there) is type(surface) and there.name == kind
    np.testing.assert_array_equal(surface.theta, THETA[kind])  # and this one is as it was
    assert ((surface.low <= surface.centre) & (surface.centre <= surface.high)).all()


@KINDS
def test_spectra_at_and_below_zero_are_no_nan(case, kind):
    _, white, A, C, R, H = case
    V = np.vstack([np.linspace(-0.2, 0.5, L), np.zeros(L), np.full(L, 0.3)])
    surface = made(kind)
    A = np.vstack([A[:-3], np.eye(3)])
    parts = [
        surface.endmembers(V), surface.vertices(V), surface.mix(A, V), surface.at(A, V, white, C),
        surface.slopes(A, V, white), surface.scores(A, V, white, R, H, C),
    ]  # fmt: skip
    assert all(np.isfinite(part).all() for part in parts)


def test_bilinear_without_constants_is_linear(case):
    E, white, A, C, R, H = case
    zero, linear = surface_of("bilinear", K, np.zeros(6)), surface_of("linear", K)
    np.testing.assert_allclose(zero.mix(A, E), A @ E)
    np.testing.assert_allclose(zero.at(A, E, white, C), linear.at(A, E, white))
    scores = zero.scores(A, E, white, R, H, C)[:, : K * L]
    np.testing.assert_allclose(scores, linear.scores(A, E, white, R, H, C), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_the_most_components_are_more_than_each_surface_fills(n):
    rng = np.random.default_rng(0)
    E, A = rng.uniform(0.1, 0.9, (n, 120)), rng.dirichlet(np.ones(n), 600)
    white = Whitening(np.eye(120), np.zeros(120), np.ones(120), np.ones(120), np.ones(120))
    surface = surface_of("bilinear", n, np.full(n * (n + 1) // 2, 0.5))
    X = surface.at(A, E, white)
    assert np.linalg.matrix_rank(X, tol=1e-8) <= most_components(n)
