"""Mixing models against their equations written as loops."""

import numpy as np
import pytest

from unmix import InputError, mixing

K, L = 4, 7


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.ones(K), (3, 5)), rng.uniform(0, 1, (K, L)), rng


def double_sum(a, E, beta):
    x = a @ E
    for i in range(K):
        for j in range(K):
            x = x + beta[i, j] * a[i] * a[j] * E[i] * E[j]
    return x


def test_linear_is_the_product(scene):
    A, E, _ = scene
    np.testing.assert_allclose(mixing.linear(A, E), np.einsum("rck,kl->rcl", A, E))
    assert mixing.linear(A.astype(np.float32), E.astype(np.float32)).dtype == np.float32


def test_bilinear_is_the_double_sum(scene):
    A, E, rng = scene
    beta = rng.uniform(0, 1, (K, K))  # not symmetric, with a diagonal
    expected = [[double_sum(a, E, beta) for a in row] for row in A]
    np.testing.assert_allclose(mixing.bilinear(A, E, beta), expected)


def test_bilinear_strength_may_differ_from_pixel_to_pixel(scene):
    A, E, rng = scene
    beta = rng.uniform(0, 1, (3, 5, K, K))
    expected = [[double_sum(A[r, c], E, beta[r, c]) for c in range(5)] for r in range(3)]
    np.testing.assert_allclose(mixing.bilinear(A, E, beta), expected)


def test_one_number_means_every_pair_once(scene):
    A, E, _ = scene
    pairs = np.triu(np.full((K, K), 0.4), 1)
    np.testing.assert_allclose(mixing.bilinear(A, E, 0.4), mixing.bilinear(A, E, pairs))
    np.testing.assert_allclose(mixing.fan(A, E), mixing.bilinear(A, E, np.triu(np.ones((K, K)), 1)))
    np.testing.assert_allclose(mixing.bilinear(A, E, 0.0), A @ E)


def test_generalised_bilinear_spans_linear_to_fan(scene):
    A, E, rng = scene
    n = K * (K - 1) // 2
    np.testing.assert_allclose(mixing.generalised_bilinear(A, E, np.zeros(n)), A @ E)
    np.testing.assert_allclose(mixing.generalised_bilinear(A, E, np.ones(n)), mixing.fan(A, E))
    gamma = rng.uniform(0, 1, (3, 5, n))
    beta = np.zeros((3, 5, K, K))
    beta[(..., *np.triu_indices(K, 1))] = gamma
    np.testing.assert_allclose(
        mixing.generalised_bilinear(A, E, gamma), mixing.bilinear(A, E, beta)
    )


def test_polynomial(scene):
    A, E, rng = scene
    y = A @ E
    np.testing.assert_allclose(mixing.polynomial(A, E, 0.3), y + 0.3 * y**2)
    b = rng.uniform(-0.3, 0.3, (3, 5))
    np.testing.assert_allclose(mixing.polynomial(A, E, b)[1, 2], y[1, 2] + b[1, 2] * y[1, 2] ** 2)


@pytest.mark.parametrize("kind", ["power", "log", "exp", "sigmoid"])
@pytest.mark.parametrize("value", [None, 0.3, 2.5])
def test_curves_keep_zero_and_one_and_rise(kind, value):
    y = np.linspace(0, 1, 11)
    x = mixing.post_nonlinear(np.ones((1, 1)), y[None], kind, value)[0]
    assert x[0] == pytest.approx(0, abs=1e-12)
    assert x[-1] == pytest.approx(1)
    assert (np.diff(x) > 0).all()
    assert np.abs(x - y).max() > 1e-4


@pytest.mark.parametrize(
    ("kind", "curve"),
    [
        ("power", lambda y: y**1.5),
        ("log", lambda y: np.log(1 + 1.5 * y) / np.log(2.5)),
        ("exp", lambda y: (np.exp(1.5 * y) - 1) / (np.exp(1.5) - 1)),
        (
            "sigmoid",
            lambda y: (
                (1 / (1 + np.exp(-1.5 * (y - 0.5))) - 1 / (1 + np.exp(0.75)))
                / (1 / (1 + np.exp(-0.75)) - 1 / (1 + np.exp(0.75)))
            ),
        ),
    ],
)
def test_curves_are_their_equations(scene, kind, curve):
    A, E, _ = scene
    np.testing.assert_allclose(mixing.post_nonlinear(A, E, kind, 1.5), curve(A @ E), rtol=1e-12)


def test_negative_reflectance_gives_no_nan():
    assert mixing.post_nonlinear([1.0], [[-0.01, 0.25]], "power", 0.5).tolist() == [0.0, 0.5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mixing.linear(np.ones((2, 3)), np.ones((4, 5))), "got shapes"),
        (lambda: mixing.linear(1.0, np.ones((1, 5))), "got shapes"),
        (lambda: mixing.linear(np.ones(3), np.ones(3)), "got shapes"),
        (lambda: mixing.bilinear([0.5, 0.5], np.eye(2), np.ones((3, 3))), "beta"),
        (lambda: mixing.generalised_bilinear([0.5, 0.5], np.eye(2), [1, 1]), "one a pair, 1"),
        (lambda: mixing.generalised_bilinear([0.5, 0.5], np.eye(2), [1.5]), "outside"),
        (lambda: mixing.generalised_bilinear([0.5, 0.5], np.eye(2), [np.nan]), "outside"),
        (lambda: mixing.post_nonlinear([0.5, 0.5], np.eye(2), "cube"), "choose one of"),
        (lambda: mixing.post_nonlinear([0.5, 0.5], np.eye(2), "power", 0.0), "positive"),
        (lambda: mixing.post_nonlinear([0.5, 0.5], np.eye(2), "log", np.nan), "positive"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
