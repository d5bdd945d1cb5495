"""The fit: what it recovers, that its likelihood is a maximum, and what it refuses."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from unmix.denoise import whitening
from unmix.posterior.fit import abundances_of, fit, misfit
from unmix.posterior.surfaces import SURFACES, surface_of

K, L, N = 3, 24, 1500
TRUE = {"linear": None, "bilinear": (0.0, 0.9, 1.0, 0.0, 0.8, 0.0), "post-nonlinear": (0.7,)}


def smooth(rng, n):
    """Spectra between 0.15 and 0.85 that change slowly with wavelength."""
    t = np.linspace(0, 1, L)
    waves = [np.sin(2 * np.pi * (f * t + p)) for f, p in rng.uniform(0.3, 1.5, (n, 2))]
    return 0.5 + 0.35 * np.array(waves)


def scene(kind="linear", noise=0.01, seed=0, flat=0.7):
    """Pixels, their coordinates and whitening, endmembers and abundances."""
    rng = np.random.default_rng(seed)
    E = smooth(np.random.default_rng(7), K)
    A = rng.dirichlet(np.full(K, flat), N)
    surface = surface_of(kind, K, TRUE[kind])
    X = surface.mix(A, surface.vertices(E)) + noise * rng.standard_normal((N, L))
    white = whitening(X, np.full(L, noise), K - 1)
    return white.coordinates(X), white, E, A


def sad(found, true):
    """Mean angle of the best one-to-one match."""
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, true)]
    S = np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1))
    return S[linear_sum_assignment(S)].mean()


def bad_start(E, how):
    if how == "drawn together":
        return 0.6 * E + 0.4 * E.mean(axis=0)
    if how == "drawn apart":
        return 1.4 * E - 0.4 * E.mean(axis=0)
    turned = 0.75 * E + 0.25 * np.roll(E, 1, axis=0)
    return turned + 0.03 * np.random.default_rng(3).standard_normal(E.shape)


@pytest.fixture(scope="module")
def linear():
    Y, white, E, A = scene()
    return Y, white, E, A, fit(Y, white, bad_start(E, "turned"), surface_of("linear", K))


@pytest.mark.parametrize("how", ["drawn together", "drawn apart", "turned"])
@pytest.mark.parametrize("noise", [0.003, 0.02])
def test_endmembers_from_a_bad_start(how, noise):
    Y, white, E, _ = scene(noise=noise)
    start = bad_start(E, how)
    found = fit(Y, white, start, surface_of("linear", K))
    assert sad(found.vertices, E) < min(0.25 * sad(start, E), 0.006 + 0.5 * noise)


def test_starts_end_at_the_same_likelihood(linear):
    Y, white, E, _, found = linear
    other = fit(Y, white, E, surface_of("linear", K))
    assert other.log_likelihood == pytest.approx(found.log_likelihood, abs=2)
    np.testing.assert_allclose(other.vertices, found.vertices, atol=0.005)


@pytest.mark.parametrize("kind", SURFACES)
def test_the_likelihood_never_falls(kind):
    Y, white, E, _ = scene(kind)
    found = fit(Y, white, bad_start(E, "turned"), surface_of(kind, K))
    assert np.all(np.diff(found.history) > 0) and len(found.history) >= 2
    assert found.log_likelihood == found.history[-1] and found.n_iter >= len(found.history) - 1


def test_no_step_beside_it_is_likelier(linear):
    """The optimality condition, member by member, and for every pair of faces' shares."""
    Y, white, _, _, found = linear
    rng, surface = np.random.default_rng(0), surface_of("linear", K)

    def likelihood(V, shares):
        return abundances_of(Y, white, V, surface, shares).log_likelihood

    assert likelihood(found.vertices, found.log_shares) == pytest.approx(found.log_likelihood)
    z = white.coordinates(found.vertices)
    for size in (0.02, 0.1, 0.5):
        for _ in range(6):
            V = white.spectra(z + size * rng.standard_normal(z.shape))
            assert likelihood(V, found.log_shares) < found.log_likelihood + 0.5
    for _ in range(6):
        shares = np.log(rng.dirichlet(200 * np.exp(found.log_shares) + 1e-3) + 1e-6)
        assert likelihood(found.vertices, shares) < found.log_likelihood + 1


def test_the_truth_is_no_likelier(linear):
    Y, white, E, _, found = linear
    truth = abundances_of(Y, white, E, surface_of("linear", K), found.log_shares)
    assert truth.log_likelihood < found.log_likelihood + 1


def test_shares_are_those_of_the_scene():
    """A scene of pure pixels, of edges and of triangles, as many of each."""
    rng = np.random.default_rng(0)
    E = smooth(np.random.default_rng(7), K)
    A = rng.dirichlet(np.ones(K), N)
    A[: N // 3] = np.eye(K)[rng.integers(0, K, N // 3)]
    edge = A[N // 3 : 2 * N // 3]
    edge[np.arange(len(edge)), rng.integers(0, K, len(edge))] = 0
    A /= A.sum(axis=1, keepdims=True)
    X = A @ E + 0.003 * rng.standard_normal((N, L))
    white = whitening(X, np.full(L, 0.003), K - 1)
    found = fit(white.coordinates(X), white, E, surface_of("linear", K))
    shares = np.exp(found.log_shares)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(
        [shares[:K].sum(), shares[K : 2 * K].sum(), shares[2 * K :].sum()], 1 / 3, atol=0.06
    )


@pytest.mark.parametrize("kind", ["bilinear", "post-nonlinear"])
def test_what_is_not_linear_is_recovered(kind):
    Y, white, E, A = scene(kind, noise=0.004)
    start = surface_of(kind, K, TRUE[kind]).vertices(E)
    start = start + 0.02 * np.random.default_rng(0).standard_normal(E.shape)
    bent = fit(Y, white, start, surface_of(kind, K))
    plain = fit(Y, white, start, surface_of("linear", K))
    found = bent.surface.endmembers(bent.vertices)
    assert sad(found, E) < 0.5 * sad(plain.vertices, E)
    assert bent.log_likelihood > plain.log_likelihood + 100
    assert np.abs(bent.mean - A).mean() < 0.5 * np.abs(plain.mean - A).mean()
    assert (
        (bent.surface.theta >= bent.surface.low) & (bent.surface.theta <= bent.surface.high)
    ).all()
    if kind == "post-nonlinear":
        assert bent.surface.theta[0] == pytest.approx(0.7, abs=0.06)


@pytest.mark.parametrize("kind", SURFACES)
def test_known_endmembers_stay(kind):
    Y, white, E, A = scene(kind)
    surface = surface_of(kind, K)
    found = fit(Y, white, surface.vertices(E), surface, fixed=True)
    np.testing.assert_allclose(found.surface.endmembers(found.vertices), E, rtol=1e-9)
    assert np.abs(found.mean - A).mean() < 0.04
    if kind == "linear":
        assert np.array_equal(found.vertices, E)
    else:
        true = surface_of(kind, K, TRUE[kind]).theta
        assert np.abs(found.surface.theta - true).mean() < 0.25
        assert not np.array_equal(found.surface.theta, surface.theta)


def test_noisier_pixels_count_for_less():
    """A third of the pixels far off, by noise that is told, and by noise that is not."""
    Y, white, E, _ = scene()
    variance = np.ones(N)
    variance[::3] = 30.0**2
    Y = Y + np.sqrt(variance - 1)[:, None] * np.random.default_rng(1).standard_normal(Y.shape)
    told = fit(Y, white, bad_start(E, "turned"), surface_of("linear", K), noise=variance)
    assert sad(told.vertices, E) < 0.01
    assert misfit(Y, white, told.vertices, told.surface, told.mean, variance) < 1.5


def test_misfit_is_one_where_noise_is_all_that_is_left():
    Y, white, E, A = scene()
    surface = surface_of("linear", K)
    assert misfit(Y, white, E, surface, A, np.ones(N)) == pytest.approx(1, abs=0.1)
    assert misfit(Y, white, E, surface, A, np.full(N, 4.0)) == pytest.approx(0.25, abs=0.03)


def test_after_another_fit_it_goes_on(linear):
    Y, white, _, _, found = linear
    again = fit(Y, white, found.vertices, found.surface, after=found)
    assert again.log_likelihood > found.log_likelihood - 0.5
    assert len(again.history) <= 4
    np.testing.assert_allclose(again.vertices, found.vertices, atol=0.005)


def test_same_bytes_again(linear):
    Y, white, E, _, found = linear
    again = fit(Y, white, bad_start(E, "turned"), surface_of("linear", K))
    assert again.vertices.tobytes() == found.vertices.tobytes()
    assert again.history == found.history


@pytest.mark.parametrize("kind", SURFACES)
@pytest.mark.parametrize("alike", ["all", "two"])
def test_members_that_are_the_same_are_an_error_or_come_apart(kind, alike):
    """Never NaN, whichever: two that are the same may be told apart by the pixels."""
    Y, white, E, _ = scene(kind)
    start = np.stack([E[0], E[0], E[0] if alike == "all" else E[2]])
    try:
        found = fit(Y, white, start, surface_of(kind, K))
    except FloatingPointError as error:
        assert "finite" in str(error) or "same" in str(error)
    else:
        assert alike == "two"
        assert all(np.isfinite(a).all() for a in (found.vertices, found.mean, found.history))


def test_spectra_that_are_not_finite_are_an_error():
    Y, white, E, _ = scene()
    E = E.copy()
    E[0, 0] = np.nan
    with pytest.raises(FloatingPointError):
        fit(Y, white, E, surface_of("linear", K))


@pytest.mark.parametrize("kind", SURFACES)
def test_abundances_of_a_fit_are_those_of_the_scene(kind):
    """And a surface that is bent is linearised where the abundances are."""
    Y, white, E, A = scene(kind, noise=0.004)
    surface = surface_of(kind, K, TRUE[kind])
    shares = np.full(7, -9.0)
    shares[-1] = 0.0
    found = abundances_of(Y, white, surface.vertices(E), surface, shares)
    error = np.abs(found.mean - A)
    sd = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    assert error.mean() < 0.03
    assert 0.85 < (error < 1.6449 * sd).mean() < 0.97  # 90 % intervals


@pytest.mark.parametrize("kind", SURFACES)
def test_a_pixel_alone_is_the_pixel_among_others(kind):
    Y, white, E, _ = scene(kind, noise=0.004)
    surface = surface_of(kind, K, TRUE[kind])
    shares, V = np.full(7, -np.log(7)), surface.vertices(E)
    among = abundances_of(Y[:9], white, V, surface, shares)
    for rows in (slice(0, 1), slice(3, 4), slice(5, 9)):
        alone = abundances_of(Y[rows], white, V, surface, shares)
        np.testing.assert_allclose(alone.mean, among.mean[rows], atol=1e-9)
        np.testing.assert_allclose(alone.covariance, among.covariance[rows], atol=1e-9)
