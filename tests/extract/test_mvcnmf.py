"""MVC-NMF: both halves against independent solvers, the whole against its full-band form."""

import numpy as np
import pytest
from scipy.optimize import nnls as scipy_nnls

from unmix.checks import InputError
from unmix.extract import mvcnmf, vca
from unmix.extract.hull import Hull
from unmix.extract.mvcnmf import volume_price
from unmix.extract.priced_members import _cofactors, priced_members
from unmix.extract.simplex_pass import abundance_sums
from unmix.methods import METHODS
from unmix.metrics import align, endmember_sad_rad


def scene(n_members=3, n_bands=20, n_pixels=400, noise=0.01, seed=0, purest=1.0, contrast=1.0):
    rng = np.random.default_rng(seed)
    E = 0.5 + contrast * rng.uniform(-0.45, 0.45, (n_members, n_bands))
    A = rng.dirichlet(np.ones(n_members), 8 * n_pixels)
    A = A[A.max(axis=1) <= purest][:n_pixels]
    return A @ E + noise * rng.standard_normal((len(A), n_bands)), E, A


def denoised(X, n_axes):
    """The pixels on their strongest principal components, mean and components, by an SVD."""
    mean = X.mean(axis=0)
    axes = np.linalg.svd(X - mean, full_matrices=False)[2][:n_axes]
    return mean + (X - mean) @ axes.T @ axes, mean, axes


def best_abundances(X, E, delta):
    """Pixel by pixel, on all bands and the row of the sum."""
    rows = np.column_stack([E, np.full(len(E), delta)]).T
    return np.array([scipy_nnls(rows, np.append(x, delta))[0] for x in X])


def full_objective(X, A, E, mean, axes, tau, delta):
    """Every term as it is written, on all bands."""
    Z = np.vstack([np.ones(len(E)), axes @ (E - mean).T])
    fit = ((X - A @ E) ** 2).sum() + delta**2 * ((1 - A.sum(axis=1)) ** 2).sum()
    return 0.5 * fit + 0.5 * tau * np.linalg.det(Z) ** 2


def full_band(X, A, E, mean, axes, tau, delta, iterations):
    """The published alternation of projected gradient steps with Armijo's rule, on all bands."""

    def line_search(cost, start, gradient, step):
        before = cost(start)
        for _ in range(60):
            trial = np.maximum(start - step * gradient, 0)
            if cost(trial) - before <= 0.01 * (gradient * (trial - start)).sum():
                break
            step *= 0.1
        return trial, 10 * step

    def value(A, E):
        return full_objective(X, A, E, mean, axes, tau, delta)

    steps = [1.0, 1.0]
    for _ in range(iterations):
        gradient = (A @ E - X) @ E.T + delta**2 * (A.sum(axis=1, keepdims=True) - 1)
        A, steps[0] = line_search(lambda a, E=E: value(a, E), A, gradient, steps[0])
        Z = np.vstack([np.ones(len(E)), axes @ (E - mean).T])
        gradient = A.T @ (A @ E - X)
        gradient += tau * np.linalg.det(Z) ** 2 * np.linalg.inv(Z)[:, 1:] @ axes
        E, steps[1] = line_search(lambda e, A=A: value(A, e), E, gradient, steps[1])
    return A, E


@pytest.mark.parametrize("tau", [0.05, 2.0])
def test_the_full_band_form_ends_no_lower(tau):
    X, true, _ = scene()
    x, mean, axes = denoised(X, 2)
    start, delta = 0.6 * true + 0.4 * true.mean(axis=0), 1.0
    found = mvcnmf(X, start, tau=tau, delta=delta, max_iter=400, tol=1e-12)
    A = best_abundances(x, found.endmembers, delta)
    ours = full_objective(x, A, found.endmembers, mean, axes, tau, delta)
    first = best_abundances(x, start, delta)
    theirs = full_objective(
        x, *full_band(x, first, start, mean, axes, tau, delta, 3000), mean, axes, tau, delta
    )
    assert full_objective(x, first, start, mean, axes, tau, delta) > 1.5 * theirs
    assert ours <= theirs * (1 + 1e-9)
    assert theirs <= 1.02 * ours
    assert found.objective[-1] == pytest.approx(ours, rel=1e-6)


def test_the_objective_never_increases_and_is_what_it_says():
    X, _, _ = scene(n_members=5, n_bands=40, n_pixels=900, noise=0.03)
    start = np.maximum(vca(X, 5), 0)
    found = mvcnmf(X, start, max_iter=150)
    assert np.diff(found.objective).max() <= 0
    assert found.converged and found.status == f"Converged after {found.n_iter} iterations."
    x, mean, axes = denoised(X, 4)
    first = full_objective(x, best_abundances(x, start, 20.0), start, mean, axes, found.tau, 20.0)
    assert found.objective[0] == pytest.approx(first, rel=1e-8)
    short = mvcnmf(X, start, max_iter=2)
    assert (short.n_iter, short.status) == (2, "The maximum number of iterations (2) was reached.")


@pytest.mark.parametrize("n_members", [2, 3, 6, 8, 9, 13])
def test_abundances_are_those_of_a_solver_on_all_bands(n_members):
    X, E, _ = scene(n_members, 30, 300, noise=0.2)
    hull = Hull.of(X, n_members - 1)
    x = hull.space.mean + hull.z.T @ hull.space.axes
    A = best_abundances(x, E, 20.0)
    assert (A == 0).any(axis=1).sum() > 20
    rng = np.random.default_rng(1)
    for sets in (np.zeros(len(X)), rng.integers(0, 2 ** min(n_members, 8), len(X))):
        sums = abundance_sums(hull, E, 20.0, sets.astype(np.int16))
        np.testing.assert_allclose(sums.aa, A.T @ A, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(sums.az, A.T @ hull.z.T, rtol=1e-7, atol=1e-6)
        np.testing.assert_allclose(sums.a, A.sum(axis=0), rtol=1e-7)


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_cofactors_are_the_derivative_of_the_determinant(n):
    Z = np.random.default_rng(n).standard_normal((n, n))
    M, y = np.empty((n, n)), np.empty(n)
    for k in range(n):
        _cofactors(Z, k, M, y)
        for i in range(n):
            moved = Z.copy()
            moved[i, k] += 1.0  # det is affine in a column: no step is too long
            np.testing.assert_allclose(y[i], np.linalg.det(moved) - np.linalg.det(Z), atol=1e-9)


@pytest.mark.parametrize("tau", [0.0, 0.1, 10.0])
def test_endmembers_are_stationary_on_all_bands(tau):
    X, E, _ = scene(4, 25, 500, noise=0.05)
    E[0, :6] = 0.0  # the best fit is below zero in some bands
    hull = Hull.of(X - 0.05, 3)
    A = best_abundances(X, E, 20.0)
    x, mean = hull.space.mean + hull.z.T @ hull.space.axes, hull.space.mean
    sums = abundance_sums(hull, E, 20.0, np.zeros(len(X), np.int16))
    A = best_abundances(x, E, 20.0)
    found = E
    for _ in range(30):
        found = priced_members(hull, found, sums, tau)

    def value(e):
        return full_objective(x, A, e, mean, hull.space.axes, tau, 20.0)

    gradient = np.empty_like(E)
    for index in np.ndindex(*E.shape):
        step = np.zeros_like(E)
        step[index] = 1e-5
        gradient[index] = (value(found + step) - value(found - step)) / 2e-5
    at_zero = found == 0
    assert 0 < at_zero.sum() < E.size / 2 and found.min() == 0
    size = np.abs(A.T @ x).max()
    assert np.abs(gradient[~at_zero]).max() < 1e-6 * size
    assert gradient[at_zero].min() > -1e-6 * size


@pytest.mark.parametrize("seed", range(3))
def test_no_pure_pixel_is_needed(seed):
    X, E, _ = scene(4, 60, 4000, noise=0.0, seed=seed, purest=0.75)
    angles = []
    for found in (vca(X, 4, seed=seed), METHODS["mvc-nmf"](4, seed=seed).fit(X).endmembers_):
        found = found[align(E_true=E, E_est=found)]
        angles.append(np.mean(endmember_sad_rad(found, E)))
    assert angles[1] < 0.02 < 0.3 * angles[0]


@pytest.mark.parametrize(("noise", "bar"), [(0.01, 0.9), (0.15, 0.8)])
def test_noise_is_not_enclosed(noise, bar):
    """The default price keeps abundances nearer to the truth than VCA's do, at 34 and 11 dB."""
    X, E, A = scene(4, 60, 6000, noise=noise, contrast=0.3)
    errors = []
    for name in ("vca-fcls", "mvc-nmf"):
        model = METHODS[name](4).fit(X)
        found = model.transform(X)[:, align(E_true=E, E_est=model.endmembers_)]
        errors.append(np.sqrt(((found - A) ** 2).mean()))
    assert errors[1] < bar * errors[0]


def test_the_price_is_in_units_of_the_noise():
    X, E, _ = scene(3, 50, 3000, noise=0.02)
    hull = Hull.of(X, 2)
    assert hull.noise == pytest.approx(0.02**2, rel=0.05)
    assert volume_price(hull, E) == pytest.approx(750 * hull.noise / hull.volume(E) ** 2, rel=1e-12)


@pytest.mark.parametrize("n_members", [2, 4, 6])
@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_at_the_default_price_the_true_simplex_stands_still(n_members, noise):
    X, E, _ = scene(n_members, 60, 20_000, noise=noise, contrast=0.5, seed=1)
    hull = Hull.of(X, n_members - 1)
    sizes = [hull.volume(e) ** (1 / (n_members - 1)) for e in (E, mvcnmf(X, E).endmembers)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)
    free = mvcnmf(X, E, tau=0.0).endmembers
    assert hull.volume(free) ** (1 / (n_members - 1)) > (1.02 if noise < 0.05 else 1.1) * sizes[0]


def test_no_unit_matters():
    X, _, _ = scene()
    model = METHODS["mvc-nmf"](3).fit(X)
    large = METHODS["mvc-nmf"](3).fit(8192 * X)
    np.testing.assert_allclose(large.endmembers_, 8192 * model.endmembers_, rtol=1e-9, atol=1e-9)
    assert large.history_["objective"] == pytest.approx(model.history_["objective"])
    assert (
        model.status_.startswith("Converged")
        and model.n_iter_ == len(model.history_["objective"]) - 1
    )


@pytest.mark.parametrize("scale", ["none", "l2", "max", "shade"])
def test_given_endmembers_are_the_start(scale):
    X, E, _ = scene(noise=0.003, n_pixels=2000)
    found = METHODS["mvc-nmf"](endmembers=E, scale=scale).fit(X)
    assert not np.array_equal(found.endmembers_, E) and found.n_iter_ > 0
    assert max(endmember_sad_rad(found.endmembers_, E)) < 0.05


def test_brightness_is_taken_out_before():
    X, E, A = scene(noise=0.002, n_pixels=3000)
    X *= np.random.default_rng(3).uniform(0.4, 1.1, (len(X), 1))
    errors = {}
    for scale in ("none", "shade"):
        model = METHODS["mvc-nmf"](3, scale=scale).fit(X)
        found = model.transform(X)[:, align(E_true=E, E_est=model.endmembers_)]
        errors[scale] = np.sqrt(((found - A) ** 2).mean())
    assert errors["shade"] < 0.05 < errors["none"]


def test_repeated_endmembers_do_not_stop_it():
    X, E, _ = scene()
    found = mvcnmf(X, E[[0, 1, 1]])
    assert np.isfinite(found.endmembers).all() and np.diff(found.objective).max() <= 0


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("tau", -1.0), ("tau", np.nan), ("tau", True), ("delta", 0.0), ("delta", "20"),
     ("max_iter", 0), ("max_iter", 1.5), ("tol", -1e-3), ("tol", np.inf)],
)  # fmt: skip
def test_a_wrong_keyword_is_named(keyword, value):
    X, E, _ = scene()
    with pytest.raises(InputError, match=f"{keyword}: got"):
        mvcnmf(X, E, **{keyword: value})
    with pytest.raises(InputError, match=f"{keyword}: got"):
        METHODS["mvc-nmf"](3, **{keyword: value}).fit(X)


def test_pixels_and_starts_that_do_not_fit():
    X, E, _ = scene()
    with pytest.raises(InputError, match="E: 19 bands"):
        mvcnmf(X, E[:, :-1])
    with pytest.raises(InputError, match="E: got 1 spectra"):
        mvcnmf(X, E[:1])
    with pytest.raises(InputError, match="NaN"):
        mvcnmf(np.where(X == X[3, 3], np.nan, X), E)
    with pytest.raises(InputError, match="zero"):
        METHODS["mvc-nmf"](endmembers=E).fit(np.zeros_like(X))
