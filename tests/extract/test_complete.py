import numpy as np
import pytest

from unmix.checks import InputError
from unmix.extract.complete import beyond, completed
from unmix.methods import METHODS
from unmix.methods.cresdae import CResDAE
from unmix.methods.linear import SPAFCLS, VCAFCLS
from unmix.metrics import align

BANDS, K = 40, 4


def scene(n=1500, noise=0.0, brightness=None, seed=0):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.05, 0.9, (K, BANDS))
    A = np.vstack([np.eye(K), rng.dirichlet(np.full(K, 0.5), n)])
    s = np.ones((len(A), 1)) if brightness is None else rng.uniform(*brightness, (len(A), 1))
    return s * (A @ E) + noise * rng.standard_normal((len(A), BANDS)), A, E


def angles(E, F):
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (E, F)]
    return np.arccos(np.clip((unit[0] * unit[1]).sum(axis=1), -1, 1))


@pytest.mark.parametrize("n_given", [1, 2, 3])
def test_the_free_members_are_the_ones_that_are_missing(n_given):
    X, _, E = scene()
    found = completed(X, E[:n_given], K)
    assert np.array_equal(found[:n_given], E[:n_given])
    rest = found[n_given:][align(E_true=E[n_given:], E_est=found[n_given:])]
    np.testing.assert_allclose(rest, E[n_given:], atol=1e-8)


def test_given_that_are_nowhere_in_the_scene_do_not_disturb():
    X, _, E = scene()
    stranger = np.linspace(0.9, 0.1, BANDS)[None]
    found = completed(X, stranger, K + 1)[1:]
    found = found[align(E_true=E, E_est=found)]
    np.testing.assert_allclose(found, E, atol=1e-6)


@pytest.mark.parametrize("scale", ["l2", "max", "shade"])
def test_brightness_does_not_count(scale):
    X, _, E = scene(noise=1e-4, brightness=(0.3, 1.2))
    found = completed(X, 0.5 * E[:2], K, scale=scale)
    rest = found[2:][align(E_true=E[2:], E_est=found[2:])]
    assert angles(rest, E[2:]).max() < 0.02
    assert np.allclose(found[:2], 0.5 * E[:2])


def test_no_exchange_of_one_pick_makes_the_determinant_larger():
    X, _, E = scene(noise=0.02, seed=3)
    free = beyond(X, E[:2], 2)
    flat = np.linalg.svd(E[1:2] - E[:1])[2][:1]

    def left(Y):
        r = Y - E[0]
        return r - r @ flat.T @ flat

    volume = np.linalg.det(left(free) @ left(free).T)
    assert volume > 0.3 * np.linalg.det(left(E[2:]) @ left(E[2:]).T)


def test_nothing_beyond_the_given_is_said():
    X, _, E = scene()
    with pytest.raises(InputError, match="hold none beyond the 4 given; give fewer"):
        completed(X, E, K + 1)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_takes_fixed_and_free_members(name):
    quick = {"edaa": {"n_restarts": 2}, "cresdae": {}, "mvc-nmf": {"max_iter": 5}}.get(name, {})
    if name in ("nae", "linear-ae", "conv-ae"):
        quick = {"epochs": 1}
    X, _, E = scene(n=400, noise=1e-3)
    image = X[:400].reshape(20, 20, BANDS)
    if name == "conv-ae":
        quick |= {"patch": 10} if "patch" in METHODS[name]().get_params() else {}
    model = METHODS[name](n_endmembers=K, endmembers=E[:2], **quick).fit(image)
    assert model.endmembers_.shape == (K, BANDS) and model.n_given == 2
    assert model.transform(image).shape == (20, 20, K)
    if name in ("vca-fcls", "spa-fcls", "cresdae", "vca-khype"):
        np.testing.assert_allclose(model.endmembers_[:2], E[:2], rtol=1e-6)


def test_fewer_than_given_is_an_error():
    X, _, E = scene()
    with pytest.raises(InputError, match="2, but 3 endmembers given"):
        SPAFCLS(2, endmembers=E[:3]).fit(X)
    assert VCAFCLS(3).n_given == 0


@pytest.mark.parametrize("scale", ["none", "shade"])
def test_the_likelihood_moves_the_free_members_and_holds_the_given(scale):
    brightness = (0.6, 1.1) if scale == "shade" else None
    X, A, E = scene(n=4000, noise=0.01, brightness=brightness, seed=5)
    mixed = A.max(axis=1) < 0.8  # what is farthest out is no member
    X, A = X[mixed], A[mixed]
    start = completed(X, E[:2], K, scale=scale)
    model = CResDAE(K, endmembers=E[:2], scale=scale).fit(X)
    assert np.array_equal(model.endmembers_[:2], E[:2])
    assert np.all(model.spread_[:2] == 0) and model.spread_[2:].max() > 0
    order = align(E_true=E[2:], E_est=model.endmembers_[2:])
    refined = angles(model.endmembers_[2:][order], E[2:])
    order = align(E_true=E[2:], E_est=start[2:])
    assert refined.max() < 0.5 * angles(start[2:][order], E[2:]).max()
    found = model.transform(X)
    found = np.concatenate(
        [found[:, :2], found[:, 2:][:, align(E_true=E[2:], E_est=model.endmembers_[2:])]], axis=1
    )
    assert np.sqrt(((found - A) ** 2).mean()) < 0.04
