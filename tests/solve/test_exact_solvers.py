"""FCLS and NNLS: optimality conditions, an independent QP, and every awkward set of endmembers."""

import numpy as np
import pytest
import quadprog
from scipy.optimize import nnls as scipy_nnls

from unmix.checks import InputError
from unmix.solve import fcls, kkt_residual, nnls, snnls, solve
from unmix.solve.active_set import active_set


def spectra(n_members, n_bands=120, roughness=0.03, seed=0):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n_members, n_bands)), axis=1) * roughness
    return np.abs(walk + rng.random((n_members, 1))) + 0.01


def mixtures(E, n_pixels=150, noise=0.05, seed=1):
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.ones(len(E)), n_pixels)
    return A @ E + noise * rng.normal(size=(n_pixels, E.shape[1]))


def quadprog_fcls(x, E):
    n = len(E)
    C = np.column_stack([np.ones(n), np.eye(n)])
    return quadprog.solve_qp(E @ E.T, E @ x, C, np.r_[1.0, np.zeros(n)], 1)[0]


def objective(X, E, A):
    return 0.5 * ((X - A @ E) ** 2).sum(axis=-1)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("n_members", [1, 2, 3, 5, 10, 11, 20, 40, 64])
def test_fcls_is_optimal_and_equals_an_independent_qp(n_members, noise):
    E = spectra(n_members)
    X = mixtures(E, noise=noise)
    A = fcls(X, E)
    assert A.shape == (150, n_members)
    assert A.min() >= 0 and np.abs(A.sum(axis=1) - 1).max() < 1e-12
    assert kkt_residual(X, E, A).max() < 1e-10
    expected = np.array([quadprog_fcls(x, E) for x in X[:40]])
    assert np.abs(A[:40] - expected).max() < 1e-7


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("n_members", [1, 2, 5, 10, 11, 20, 64])
def test_nnls_is_optimal_and_equals_scipy(n_members, noise):
    E = spectra(n_members)
    X = mixtures(E, noise=noise) - 0.3 * noise
    A = nnls(X, E)
    assert A.min() >= 0
    assert kkt_residual(X, E, A, sum_to_one=False).max() < 1e-10
    expected = np.array([scipy_nnls(E.T, x)[0] for x in X[:40]])
    assert np.abs(A[:40] - expected).max() < 1e-7


@pytest.mark.parametrize("n_members", [3, 5, 10, 20])
def test_float32_stays_float32_and_close_to_float64(n_members):
    E = spectra(n_members)
    X = mixtures(E).astype(np.float32)
    A = fcls(X, E)
    assert A.dtype == np.float32
    assert np.abs(A - fcls(X.astype(np.float64), E)).max() < 5e-6
    assert np.abs(A.sum(axis=1) - 1).max() < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("distance", [1e-3, 1e-4, 1e-6, 1e-9])
@pytest.mark.parametrize("n_members", [3, 5, 10, 20])
def test_nearly_collinear_endmembers(n_members, distance, dtype):
    """Condition 1e4 and far beyond: the answer for float32 pixels is that of the same numbers."""
    E = spectra(n_members)
    E[1] = E[0] + distance * (E[1] - E[0])
    X = mixtures(E, n_pixels=60).astype(dtype)
    A = fcls(X, E)
    x64 = X.astype(np.float64)
    assert kkt_residual(x64, E, A).max() < (1e-8 if dtype == np.float64 else 1e-6)
    expected = np.array([quadprog_fcls(x, E) for x in x64]) if distance > 1e-6 else None
    if expected is not None:
        assert np.abs(A - expected).max() < 1e-5


@pytest.mark.parametrize("solver", [fcls, nnls])
@pytest.mark.parametrize("n_members", [4, 12])
def test_repeated_and_dependent_endmembers_reach_the_same_objective(solver, n_members):
    """Not unique, so only objective and optimality count."""
    E = spectra(n_members)
    X = mixtures(E, n_pixels=60)
    doubled = np.vstack([E, E[1:2], 0.5 * (E[:1] + E[2:3])])
    A = solver(X, doubled)
    one = solver is fcls
    assert kkt_residual(X, doubled, A, sum_to_one=one).max() < 1e-9
    best = objective(X, E, solver(X, E))
    np.testing.assert_allclose(objective(X, doubled, A), best, rtol=1e-9, atol=1e-12)


def test_more_members_than_bands():
    E = spectra(9, n_bands=4)
    X = mixtures(E, n_pixels=50)
    A = fcls(X, E)
    assert A.min() >= 0 and np.abs(A.sum(axis=1) - 1).max() < 1e-9
    assert kkt_residual(X, E, A).max() < 1e-9


def test_pure_pixels_and_far_outside_pixels():
    E = spectra(6)
    np.testing.assert_allclose(fcls(E, E), np.eye(6), atol=1e-10)
    far = 100 * mixtures(E, noise=1.0)
    assert kkt_residual(far, E, fcls(far, E)).max() < 1e-10
    assert not nnls(-E, E).any()
    assert not nnls(np.zeros((3, E.shape[1])), E).any()


@pytest.mark.parametrize("sum_to_one", [True, False])
def test_active_set_agrees_with_pivoting(sum_to_one):
    E = spectra(7)
    X = mixtures(E, n_pixels=40, noise=0.3)
    fast = (fcls if sum_to_one else nnls)(X, E)
    slow = np.array([active_set(E.T, x, sum_to_one=sum_to_one) for x in X])
    assert np.abs(fast - slow).max() < 1e-9


@pytest.mark.parametrize("n_members", [5, 14])
@pytest.mark.parametrize("n_pixels", [1, 7, 257, 5000])
def test_a_pixel_does_not_depend_on_its_company(n_members, n_pixels):
    E = spectra(n_members)
    X = mixtures(E, n_pixels=n_pixels).astype(np.float32)
    A = fcls(X, E)
    assert np.array_equal(A[-1:], fcls(X[-1:], E))
    order = np.random.default_rng(0).permutation(n_pixels)
    assert np.array_equal(A[order], fcls(X[order], E))
    assert np.array_equal(A, fcls(X.reshape(1, n_pixels, -1), E)[0])


def test_thread_count_does_not_change_the_answer(monkeypatch):
    E = spectra(5)
    X = mixtures(E, n_pixels=5000)
    several = fcls(X, E)
    monkeypatch.setenv("UNMIX_THREADS", "1")
    assert np.array_equal(several, fcls(X, E))


def test_strided_and_integer_input():
    E = spectra(3)
    X = mixtures(E, n_pixels=20)
    assert np.array_equal(fcls(X[::2], E), fcls(X[::2].copy(), E))
    counts = np.round(1000 * X).astype(np.int16)
    np.testing.assert_allclose(fcls(counts, 1000 * E), fcls(counts / 1000, E), atol=1e-9)


def test_snnls_recovers_abundances_under_any_brightness():
    E = spectra(5)
    rng = np.random.default_rng(3)
    A = rng.dirichlet(np.ones(5), 50)
    s = rng.uniform(0.2, 1.4, 50)
    found, brightness = snnls(s[:, None] * (A @ E), E)
    np.testing.assert_allclose(found, A, atol=1e-9)
    np.testing.assert_allclose(brightness, s, atol=1e-9)


def test_snnls_of_a_dark_pixel_is_even_and_finite():
    found, brightness = snnls(np.zeros((2, 120)), spectra(4))
    assert np.array_equal(found, np.full((2, 4), 0.25)) and not brightness.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_members", [3, 12])
def test_values_that_are_not_finite_are_refused(bad, n_members):
    E = spectra(n_members)
    X = mixtures(E).astype(np.float32)
    X[5, 7] = bad
    with pytest.raises(InputError, match="X: contains NaN or inf"):
        fcls(X, E)
    with pytest.raises(InputError, match="endmembers: contains NaN"):
        fcls(mixtures(E), np.where(np.eye(n_members, 120) > 0, bad, E))


def test_collinear_endmembers_still_refuse_nan():
    E = np.vstack([spectra(3), spectra(3)])
    X = mixtures(E)
    X[0, 0] = np.nan
    with pytest.raises(InputError, match="X: contains NaN"):
        fcls(X, E)


def test_shapes_that_do_not_fit():
    E = spectra(3)
    with pytest.raises(InputError, match="120 bands where the pixels have 119"):
        fcls(mixtures(E)[:, :-1], E)
    with pytest.raises(InputError, match="at most 64"):
        fcls(mixtures(E), spectra(65))
    with pytest.raises(InputError, match="real numbers"):
        fcls(np.array([["a", "b"]]), E)
    with pytest.raises(InputError, match="with pixels in it"):
        fcls(np.empty((0, 120)), E)
    with pytest.raises(InputError, match="zero in every band"):
        fcls(mixtures(E), np.vstack([E, np.zeros(120)]))


def test_kkt_residual_sees_a_wrong_answer():
    E = spectra(4)
    X = mixtures(E)
    A = fcls(X, E)
    wrong = A.copy()
    wrong[0] = np.roll(wrong[0], 1)
    residual = kkt_residual(X, E, wrong)
    assert residual[0] > 1e-3 and residual[1:].max() < 1e-10
    assert kkt_residual(X, E, 1.01 * A).min() > 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sum_to_one", [True, False])
def test_a_solution_carries_its_proof(dtype, sum_to_one):
    E = spectra(5)
    X = mixtures(E, noise=0.2).astype(dtype).reshape(10, 15, -1)
    found = solve(X, E, sum_to_one=sum_to_one)
    assert np.array_equal(found.abundances, (fcls if sum_to_one else nnls)(X, E))
    assert found.status == "Solved exactly: optimality conditions hold in all 150 pixels."
    at_zero = (found.abundances == 0).any(axis=-1).sum()
    assert found.n_pivoted == at_zero > 0


def test_a_solution_that_is_not_exact_says_so(monkeypatch):
    E = spectra(5)
    X = mixtures(E)
    wrong = np.full((150, 5), 0.2)
    monkeypatch.setattr("unmix.solve.solution.solve_all", lambda *_, **__: (wrong, 0))
    assert solve(X, E).status.startswith("Not exact: optimality conditions are violated by up to ")
