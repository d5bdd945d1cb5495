"""SK-Hype against the authors' alternation written out, each turn by an interior-point method."""

import numpy as np
import pytest
from cvxopt import matrix, solvers

from unmix.checks import InputError
from unmix.mixing import bilinear
from unmix.solve import fcls, skhype
from unmix.solve.khype import band_kernel
from unmix.solve.nonnegative import nonnegative
from unmix.solve.skhype import alternate

MU = 1e-2
EXACT = {"show_progress": False, "abstol": 1e-12, "reltol": 1e-12, "feastol": 1e-12}


def spectra(n_members, n_bands=60, seed=0):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n_members, n_bands)), axis=1) * 0.03
    return np.abs(walk + rng.random((n_members, 1))) + 0.01


def mixtures(E, n_pixels=4, noise=0.02, seed=1):
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.ones(len(E)), n_pixels)
    return bilinear(A, E, 0.5) + noise * rng.normal(size=(n_pixels, E.shape[1]))


def turn(y, M, K_M, mu, d):
    """β and h of the dual in (β, γ ≥ 0) with the weights d of the two parts."""
    n_bands, n = M.shape
    H = np.block(
        [
            [d[0] * M @ M.T + d[1] * K_M + mu * np.eye(n_bands), d[0] * M],
            [d[0] * M.T, d[0] * np.eye(n)],
        ]
    )
    f, positive = np.r_[-y, np.zeros(n)], np.hstack([np.zeros((n, n_bands)), -np.eye(n)])
    parts = (H + H.T) / 2, f, positive, np.zeros(n)
    z = np.ravel(solvers.qp(*(matrix(part) for part in parts), options=EXACT)["x"])
    return z[:n_bands], d[0] * (M.T @ z[:n_bands] + z[n_bands:])


def transcription(y, E, K_M, mu=MU, max_iter=15, tol=1e-4):
    """Abundances, weight of the linear part and number of updates, for one pixel."""
    M, n = E.T, len(E)
    d = np.array([0.5, 0.5])
    beta, h = turn(y, M, K_M, mu, d)
    before = None
    for step in range(1, max_iter + 1):
        first = 1 / (1 + np.sqrt(d[1] ** 2 * (beta @ K_M @ beta) / (h @ h)))
        d = np.array([first, 1 - first])
        beta, h = turn(y, M, K_M, mu, d)
        if step > 1 and np.linalg.norm(d - before) / n < tol:
            break
        before = d
    return h / h.sum(), d[0], step


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(("n_members", "n_bands"), [(2, 30), (3, 50), (5, 120), (12, 40)])
@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
def test_equals_the_authors_alternation(kernel, n_members, n_bands, noise):
    E = spectra(n_members, n_bands)
    X = mixtures(E, noise=noise)
    K_M = band_kernel(E, kernel, 2.0)
    expected = [transcription(y, E, K_M) for y in X]
    found = alternate(X, E, kernel=kernel)
    assert np.abs(found.abundances - [a for a, _, _ in expected]).max() < 1e-6
    assert np.abs(found.weight - [d for _, d, _ in expected]).max() < 1e-6
    assert list(found.steps) == [step for _, _, step in expected]


@pytest.mark.parametrize(("sigma", "mu"), [(0.3, 1e-4), (0.3, 1.0), (5.0, 1e-4)])
def test_other_settings_equal_the_authors_alternation(sigma, mu):
    E = spectra(4)
    X = mixtures(E)
    K_M = band_kernel(E, "gaussian", sigma)
    expected = np.array([transcription(y, E, K_M, mu)[0] for y in X])
    assert np.abs(skhype(X, E, sigma=sigma, mu=mu)[0] - expected).max() < 1e-5


def objective(X, E, K_M, h, d, mu=MU):
    """The joint objective in h and d, ψ at its optimum."""
    S = np.linalg.inv((1 - d) * K_M + mu * np.eye(len(K_M)))
    rest = X - h @ E
    return 0.5 * h @ h / d + 0.5 * rest @ S @ rest


def test_run_to_its_end_it_is_the_minimum_over_weight_and_abundances():
    E = spectra(3)
    K_M = band_kernel(E, "gaussian", 2.0)
    for y in mixtures(E, noise=0.1):
        (a,), (d,) = skhype(y[None], E, max_iter=5000, tol=0.0)
        grid = np.linspace(max(d - 0.05, 1e-3), min(d + 0.05, 1 - 1e-3), 21)
        costs = []
        for weight in (d, *grid):
            _, h = turn(y, E.T, K_M, MU, (weight, 1 - weight))
            costs.append(objective(y, E, K_M, h, weight))
        assert costs[0] <= min(costs[1:]) + 1e-9
        _, h = turn(y, E.T, K_M, MU, (d, 1 - d))
        np.testing.assert_allclose(a, h / h.sum(), atol=1e-7)


@pytest.mark.parametrize("distance", [0.0, 1e-9])
def test_repeated_endmembers_share_equally(distance):
    E = spectra(4)
    E[3] = E[2] + distance * (E[1] - E[2])
    A, _ = skhype(mixtures(E), E)
    assert np.isfinite(A).all()
    assert np.abs(A[:, 3] - A[:, 2]).max() < 1e-6


def test_nothing_linear_and_nothing_at_all():
    E = spectra(3)
    S_inverse = 0.5 * band_kernel(E, "gaussian", 2.0) + MU * np.eye(60)
    y = -S_inverse @ np.ones(60)  # MᵀSy = −Mᵀ1: every member would only make it worse
    A, d = skhype(np.stack([y, np.zeros(60)]), E)
    np.testing.assert_array_equal(A, np.full((2, 3), 1 / 3))
    np.testing.assert_array_equal(d, [0.0, 0.0])


def test_the_weight_falls_with_nonlinearity():
    E = 0.5 + 0.4 * np.sin(np.outer([3, 5, 8], np.linspace(0, 1, 100)))
    A = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    means = [skhype(bilinear(A, E, beta), E)[1].mean() for beta in (0.0, 0.5, 1.0, 2.0)]
    assert means == sorted(means, reverse=True)
    assert means[0] - means[-1] > 0.05


def test_bilinear_mixing_is_unmixed_better_than_by_fcls():
    rng = np.random.default_rng(0)
    E = spectra(3, 100)
    A = rng.dirichlet(np.ones(3), 500)
    X = bilinear(A, E) + 0.002 * rng.normal(size=(500, 100))
    ours = np.sqrt(((skhype(X, E)[0] - A) ** 2).mean())
    assert ours < 0.6 * np.sqrt(((fcls(X, E) - A) ** 2).mean())


@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
def test_the_unit_takes_back_another_scale(kernel):
    E = spectra(4)
    X = mixtures(E, n_pixels=50)
    A, d = skhype(X, E, kernel=kernel)
    again, weight = skhype(1e4 * X, 1e4 * E, kernel=kernel, unit=1e4)
    np.testing.assert_allclose(again, A, atol=1e-8)
    np.testing.assert_allclose(weight, d, atol=1e-8)


@pytest.mark.parametrize("n_members", [3, 10, 20])
def test_float32_stays_float32_and_close_to_float64(n_members):
    E = spectra(n_members)
    X = mixtures(E, n_pixels=300).astype(np.float32)
    A, d = skhype(X, E)
    assert A.dtype == d.dtype == np.float32
    A64, d64 = skhype(X.astype(np.float64), E)
    assert np.abs(A - A64).max() < 1e-7 and np.abs(d - d64).max() < 1e-7


def test_threads_do_not_change_the_answer(monkeypatch):
    E = spectra(3)
    X = mixtures(E, n_pixels=3000)
    answers = []
    for threads in ("1", "3"):
        monkeypatch.setenv("UNMIX_THREADS", threads)
        answers.append(skhype(X, E)[0])
    np.testing.assert_allclose(*answers, atol=1e-9)


def test_shapes_and_one_member():
    E = spectra(3)
    X = mixtures(E, n_pixels=6)
    A, d = skhype(X.reshape(2, 3, -1), E)
    assert A.shape == (2, 3, 3) and d.shape == (2, 3)
    assert np.abs(A.sum(axis=-1) - 1).max() < 1e-12 and A.min() >= 0
    assert skhype(X[0], E)[1].shape == ()
    np.testing.assert_array_equal(skhype(X, E[:1])[0], np.ones((6, 1)))


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_the_small_problem_is_optimal_from_any_start(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        B = rng.normal(size=(n, n + 2))
        G, c, h = B @ B.T + 1e-3 * np.eye(n), rng.normal(size=n), np.empty(n)
        held = rng.random(n) < 0.5
        nonnegative(G, c, held, h, np.empty((n, n)), np.empty(n), np.empty(n, np.int64))
        g = G @ h - c
        assert h.min() >= 0
        assert g.min() > -1e-8 and np.abs(g * h).max() < 1e-8


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("kernel", "rbf"), ("sigma", -1), ("mu", 0.0), ("unit", 0), ("max_iter", 0), ("tol", np.nan)],
)
def test_a_wrong_keyword_is_named(keyword, value):
    E = spectra(3)
    with pytest.raises(InputError, match=keyword):
        skhype(mixtures(E), E, **{keyword: value})


def test_wrong_arrays_are_named():
    E = spectra(3)
    X = mixtures(E)
    with pytest.raises(InputError, match="endmembers: 59 bands"):
        skhype(X, E[:, 1:])
    X[2, 5] = np.inf
    with pytest.raises(InputError, match="X: contains NaN or inf in 1 pixels"):
        skhype(X, E)
