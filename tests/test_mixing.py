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


# --- multilinear ---------------------------------------------------------------------------------


def test_multilinear_is_the_sum_over_orders_of_interaction(scene):
    A, E, rng = scene
    P = rng.uniform(0, 0.9, (3, 5))
    y = A @ E
    series = sum((1 - P[..., None]) * P[..., None] ** n * y ** (n + 1) for n in range(400))
    np.testing.assert_allclose(mixing.multilinear(A, E, P), series, rtol=1e-12)
    np.testing.assert_allclose(mixing.multilinear(A, E, 0.0), y)


def test_multilinear_darkens_and_keeps_black_and_white(scene):
    A, E, _ = scene
    x, y = mixing.multilinear(A, E, 0.4), A @ E
    assert (x < y).all()
    np.testing.assert_allclose(mixing.multilinear([1.0], [[0.0, 1.0]], 0.7), [0.0, 1.0], atol=1e-15)


# --- Hapke ---------------------------------------------------------------------------------------

ANGLES = [(30.0, 0.0), (0.0, 0.0), (60.0, 45.0), (89.0, 10.0)]


def bidirectional(w, incidence, emergence):
    """Hapke's reflectance of isotropic scatterers, over that of a perfect diffuser."""
    mu0, mu = np.cos(np.radians([incidence, emergence]))

    def h(x, w):
        return (1 + 2 * x) / (1 + 2 * x * np.sqrt(1 - w))

    def r(w):
        return w / (4 * np.pi) * mu0 / (mu0 + mu) * h(mu0, w) * h(mu, w)

    return r(w) / r(1.0)


@pytest.mark.parametrize("angles", ANGLES)
def test_reflectance_is_hapkes_equation_and_albedo_inverts_it_exactly(angles):
    from scipy.optimize import brentq

    w = np.linspace(0, 1, 201)
    r = mixing.reflectance(w, *angles)
    np.testing.assert_allclose(r, bidirectional(w, *angles), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(mixing.albedo(r, *angles), w, atol=1e-12)
    for value in (1e-6, 0.01, 0.3, 0.77, 0.999):
        numerical = brentq(lambda v, r=value: bidirectional(v, *angles) - r, 0, 1, xtol=1e-15)
        assert mixing.albedo(value, *angles) == pytest.approx(numerical, abs=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hapke_mixes_albedo_linearly_and_keeps_pure_pixels(scene, dtype):
    A, E, _ = scene
    A, E = A.astype(dtype), E.astype(dtype)
    x = mixing.hapke(A, E, 40.0, 20.0)
    assert x.dtype == dtype
    tolerance = 4 * np.finfo(dtype).eps
    expected = A @ mixing.albedo(E, 40.0, 20.0)
    np.testing.assert_allclose(mixing.albedo(x, 40.0, 20.0), expected, atol=tolerance)
    np.testing.assert_allclose(mixing.hapke(np.eye(K, dtype=dtype), E), E, atol=tolerance)
    assert (x < A @ E).mean() > 0.9  # dark grains rule


# --- spectra of their own for every pixel --------------------------------------------------------

CALLS = {
    "linear": lambda A, E, i: mixing.linear(A, E),
    "bilinear": lambda A, E, i: mixing.bilinear(A, E, BETA),
    "fan": lambda A, E, i: mixing.fan(A, E),
    "gbm": lambda A, E, i: mixing.generalised_bilinear(A, E, GAMMA[i]),
    "ppnm": lambda A, E, i: mixing.polynomial(A, E, 0.2),
    "pnmm": lambda A, E, i: mixing.post_nonlinear(A, E, "exp", 2.0),
    "mlm": lambda A, E, i: mixing.multilinear(A, E, P[i]),
    "hapke": lambda A, E, i: mixing.hapke(A, E),
}
BETA = np.random.default_rng(1).uniform(0, 1, (K, K))
GAMMA = np.random.default_rng(2).uniform(0, 1, (3, 5, K * (K - 1) // 2))
P = np.random.default_rng(3).uniform(0, 0.9, (3, 5))


@pytest.mark.parametrize("name", CALLS)
def test_spectra_may_differ_from_pixel_to_pixel(scene, name):
    A, E, rng = scene
    own = rng.uniform(0.3, 1, (3, 5, K, 1)) * E
    together = CALLS[name](A, own, np.s_[:])
    for i in np.ndindex(3, 5):
        np.testing.assert_allclose(together[i], CALLS[name](A[i], own[i], i), rtol=1e-12)
    same = np.broadcast_to(E, (3, 5, K, L))
    np.testing.assert_allclose(CALLS[name](A, same, np.s_[:]), CALLS[name](A, E, np.s_[:]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mixing.multilinear([0.5, 0.5], np.eye(2), 1.0), r"P: values outside \[0, 1\)"),
        (lambda: mixing.multilinear([0.5, 0.5], np.eye(2), -0.1), "P: "),
        (lambda: mixing.multilinear([0.5, 0.5], np.eye(2), np.nan), "P: "),
        (lambda: mixing.multilinear(np.ones((4, 2)) / 2, np.eye(2), [0.1, 0.2]), "one a pixel"),
        (lambda: mixing.hapke([0.5, 0.5], [[0.1, 1.2], [0, 0]]), "reflectance: got 1.2"),
        (lambda: mixing.hapke([0.5, 0.5], [[0.1, -0.2], [0, 0]]), "reflectance: got -0.2"),
        (lambda: mixing.albedo(np.nan), "reflectance: got nan"),
        (lambda: mixing.hapke([0.5, 0.5], np.eye(2), incidence=90), "incidence: got 90"),
        (lambda: mixing.hapke([0.5, 0.5], np.eye(2), emergence=np.nan), "emergence"),
        (lambda: mixing.linear(np.ones((3, 2)), np.ones((4, 2, 5))), "got shapes"),
    ],
)
def test_new_models_refuse_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
