"""K-Hype against its full dual, as the paper writes it, solved by an interior-point method."""

import numpy as np
import pytest
from cvxopt import matrix, solvers

from unmix.checks import InputError
from unmix.mixing import bilinear
from unmix.solve import fcls, khype
from unmix.solve.khype import band_kernel

MU = 1e-2
EXACT = {"show_progress": False, "abstol": 1e-12, "reltol": 1e-12, "feastol": 1e-12}


def spectra(n_members, n_bands=60, seed=0):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n_members, n_bands)), axis=1) * 0.03
    return np.abs(walk + rng.random((n_members, 1))) + 0.01


def mixtures(E, n_pixels=5, noise=0.02, seed=1):
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.ones(len(E)), n_pixels)
    return bilinear(A, E, 0.5) + noise * rng.normal(size=(n_pixels, E.shape[1]))


def kernel_matrix(E, kernel, sigma):
    """Band by band, by the formula."""
    n, m = len(E), E.T
    if kernel == "gaussian":
        return np.array([[np.exp(-((u - v) ** 2).sum() / (2 * sigma**2)) for v in m] for u in m])
    return np.array([[(1 + (u - 0.5) @ (v - 0.5) / n**2) ** 2 for v in m] for u in m])


def full_dual(y, E, K_M, mu):
    """α from the L + K + 1 dual variables β, γ ≥ 0, λ of the paper: α = Mᵀβ + γ − λ1."""
    M = E.T
    n_bands, n = M.shape
    one = np.ones((n, 1))
    H = np.block(
        [
            [K_M + M @ M.T + mu * np.eye(n_bands), M, -M @ one],
            [M.T, np.eye(n), -one],
            [-(M @ one).T, -one.T, np.array([[float(n)]])],
        ]
    )
    f = np.r_[-y, np.zeros(n), 1.0]
    positive = np.hstack([np.zeros((n, n_bands)), -np.eye(n), np.zeros((n, 1))])
    found = solvers.qp(
        matrix((H + H.T) / 2), matrix(f), matrix(positive), matrix(np.zeros(n)), options=EXACT
    )
    z = np.ravel(found["x"])
    return M.T @ z[:n_bands] + z[n_bands:-1] - z[-1]


def violation(X, E, A, kernel, sigma, mu):
    """Largest break of a ≥ 0, Σa = 1, g + λ ≥ 0, a ∘ (g + λ) = 0 with g = Ga − c."""
    S = np.linalg.inv(kernel_matrix(E, kernel, sigma) + mu * np.eye(E.shape[1]))
    g = A + (A @ E - X) @ S @ E.T
    g -= (g * A).sum(axis=1, keepdims=True)
    size = np.abs(X @ S @ E.T).max()
    parts = (-A.min(), np.abs(A.sum(axis=1) - 1).max(), -g.min() / size, np.abs(g * A).max() / size)
    return max(parts)


@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
def test_the_kernel_is_the_formula(kernel):
    E = spectra(3, 12)
    expected = kernel_matrix(E, kernel, 0.7)
    np.testing.assert_allclose(band_kernel(E, kernel, 0.7), expected, atol=1e-14)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.5])
@pytest.mark.parametrize(("n_members", "n_bands"), [(1, 30), (2, 30), (3, 3), (5, 120), (12, 40)])
@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
def test_equals_the_full_dual_and_is_optimal(kernel, n_members, n_bands, noise):
    E = spectra(n_members, n_bands)
    X = mixtures(E, noise=noise)
    A = khype(X, E, kernel=kernel)
    expected = np.array([full_dual(y, E, kernel_matrix(E, kernel, 2.0), MU) for y in X])
    assert np.abs(A - expected).max() < 1e-6
    assert violation(X, E, A, kernel, 2.0, MU) < 1e-10


@pytest.mark.parametrize("mu", [1e-4, 1.0, 100.0])
@pytest.mark.parametrize("sigma", [0.3, 10.0])
def test_other_settings_equal_the_full_dual(sigma, mu):
    E = spectra(4)
    X = mixtures(E)
    expected = np.array([full_dual(y, E, kernel_matrix(E, "gaussian", sigma), mu) for y in X])
    assert np.abs(khype(X, E, sigma=sigma, mu=mu) - expected).max() < 1e-6


@pytest.mark.parametrize("n_members", [20, 64])
def test_many_members_are_optimal(n_members):
    E = spectra(n_members, 150)
    X = mixtures(E, n_pixels=40)
    assert violation(X, E, khype(X, E), "gaussian", 2.0, MU) < 1e-10


@pytest.mark.parametrize("distance", [0.0, 1e-9, 1e-4])
def test_repeated_endmembers_share_equally(distance):
    E = spectra(4)
    E[3] = E[2] + distance * (E[1] - E[2])
    X = mixtures(E)
    A = khype(X, E)
    assert violation(X, E, A, "gaussian", 2.0, MU) < 1e-10
    assert np.abs(A[:, 3] - A[:, 2]).max() < 1e-6 + 10 * distance
    expected = np.array([full_dual(y, E, kernel_matrix(E, "gaussian", 2.0), MU) for y in X])
    assert np.abs(A - expected).max() < 1e-6


def test_flat_and_more_members_than_bands():
    E = np.vstack([np.full(5, 0.3), np.full(5, 0.6), *spectra(5, 5)])
    X = mixtures(E)
    A = khype(X, E)
    assert violation(X, E, A, "gaussian", 2.0, MU) < 1e-10


@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
@pytest.mark.parametrize("unit", [10_000.0, 0.01])
def test_the_unit_takes_back_another_scale(kernel, unit):
    E = spectra(4)
    X = mixtures(E, n_pixels=50)
    A = khype(X, E, kernel=kernel)
    np.testing.assert_allclose(khype(unit * X, unit * E, kernel=kernel, unit=unit), A, atol=1e-9)


def test_without_the_unit_another_scale_is_another_problem():
    E = spectra(4)
    X = mixtures(E)
    assert np.abs(khype(100 * X, 100 * E) - khype(X, E)).max() > 0.01
    with pytest.raises(InputError, match="give `unit`"):
        khype(1e4 * X, 1e4 * E, kernel="polynomial")


@pytest.mark.parametrize("n_members", [3, 5, 10, 20])
def test_float32_stays_float32_and_close_to_float64(n_members):
    E = spectra(n_members)
    X = mixtures(E, n_pixels=300).astype(np.float32)
    A = khype(X, E)
    assert A.dtype == np.float32
    assert np.abs(A - khype(X.astype(np.float64), E)).max() < 5e-6


def test_leading_axes_and_whole_numbers():
    E = spectra(3)
    X = mixtures(E, n_pixels=6)
    np.testing.assert_array_equal(khype(X.reshape(2, 3, -1), E), khype(X, E).reshape(2, 3, 3))
    assert khype(X[0], E).shape == (3,)
    assert khype(np.ones(60, int), E).dtype == np.float64


def test_bilinear_mixing_is_unmixed_better_than_by_fcls():
    rng = np.random.default_rng(0)
    E = spectra(3, 100)
    A = rng.dirichlet(np.ones(3), 500)
    X = bilinear(A, E) + 0.002 * rng.normal(size=(500, 100))
    error = {f.__name__: np.sqrt(((f(X, E) - A) ** 2).mean()) for f in (khype, fcls)}
    assert error["khype"] < 0.5 * error["fcls"]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("kernel", "linear"),
        ("sigma", 0.0),
        ("sigma", "wide"),
        ("mu", -1.0),
        ("mu", np.inf),
        ("mu", True),
        ("mu", 1e-30),
        ("unit", np.nan),
    ],
)
def test_a_wrong_keyword_is_named(keyword, value):
    E = spectra(3)
    with pytest.raises(InputError, match=keyword):
        khype(mixtures(E), E, **{keyword: value})


def test_wrong_arrays_are_named():
    E = spectra(3)
    X = mixtures(E)
    with pytest.raises(InputError, match="endmembers: 59 bands"):
        khype(X, E[:, 1:])
    X[2, 5] = np.nan
    with pytest.raises(InputError, match="X: contains NaN or inf in 1 pixels"):
        khype(X, E)
    with pytest.raises(InputError, match="endmembers: got 65"):
        khype(np.ones((2, 60)), np.ones((65, 60)))
