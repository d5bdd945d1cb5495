"""The classical estimators: known truth, brightness, darkness, given endmembers."""

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.methods.linear import SPAFCLS, VCAFCLS
from unmix.methods.simplex import NFINDRFCLS, SISALFCLS
from unmix.metrics import align


def scene(seed=0, n_members=3, n_bands=50, n_pixels=1500, brightness=None):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.1, 0.9, (n_members, n_bands))
    A = rng.dirichlet(np.full(n_members, 0.5), n_pixels)
    A[:n_members] = np.eye(n_members)
    X = A @ E
    if brightness is not None:
        X *= rng.uniform(*brightness, (n_pixels, 1))
    return X + 1e-4 * rng.standard_normal(X.shape), A, E


def rmse(found, A, order):
    return np.sqrt(((found[:, order] - A) ** 2).mean())


every_kind = pytest.mark.parametrize("kind", [VCAFCLS, SPAFCLS, NFINDRFCLS])


@every_kind
def test_a_linear_scene_is_recovered(kind):
    X, A, E = scene()
    model = kind(n_endmembers=3).fit(X)
    order = align(E_true=E, E_est=model.endmembers_)
    assert rmse(model.transform(X), A, order) < 0.005
    np.testing.assert_allclose(model.endmembers_[order], E, atol=0.01)


@every_kind
def test_brightness_needs_shade(kind):
    X, A, E = scene(brightness=(0.4, 1.1))
    errors = {}
    for scale in ("none", "shade"):
        model = kind(n_endmembers=3, scale=scale).fit(X)
        errors[scale] = rmse(model.transform(X), A, align(E_true=E, E_est=model.endmembers_))
    assert errors["shade"] < 0.05 < errors["none"]


@every_kind
def test_dark_noise_does_not_become_an_endmember(kind):
    X, _, E = scene(brightness=(0.4, 1.1))
    rng = np.random.default_rng(9)
    X += 0.005 * rng.standard_normal(X.shape)
    X[-150:] = 0.005 * rng.standard_normal((150, X.shape[1]))
    found = kind(n_endmembers=3, scale="shade").fit(X).endmembers_
    found = found[align(E_true=E, E_est=found)]
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (E, found)]
    assert np.arccos((unit[0] * unit[1]).sum(axis=1)).max() < 0.06


def test_given_endmembers_are_kept_and_solved_exactly():
    X, A, E = scene()
    model = VCAFCLS(endmembers=E).fit(X)
    assert np.array_equal(model.endmembers_, E)
    assert rmse(model.transform(X), A, [0, 1, 2]) < 1e-3
    with pytest.raises(InputError, match="n_endmembers: 2, but 3 endmembers given"):
        VCAFCLS(2, endmembers=E).fit(X)


def test_feature_names_and_pipelines_of_scikit_learn():
    from sklearn.pipeline import make_pipeline

    X, A, _ = scene()
    assert make_pipeline(VCAFCLS(3)).fit(X).transform(X).shape == A.shape


def test_sisal_needs_no_pure_pixel_and_says_how_it_ended():
    rng = np.random.default_rng(0)
    _, A, E = scene(n_pixels=6000)
    A = A[A.max(axis=1) < 0.8]
    X = A @ E * rng.uniform(0.4, 1.1, (len(A), 1)) + 1e-4 * rng.standard_normal((len(A), 50))
    errors = {}
    for kind in (SISALFCLS, NFINDRFCLS):
        model = kind(n_endmembers=3, scale="shade").fit(X)
        errors[kind] = rmse(model.transform(X), A, align(E_true=E, E_est=model.endmembers_))
    assert errors[SISALFCLS] < 0.03 < errors[NFINDRFCLS]
    model = SISALFCLS(n_endmembers=3, scale="shade").fit(X)
    assert model.status_ == f"Converged after {model.n_iter_} iterations."
    assert len(model.history_["objective"]) == model.n_iter_ and 0.005 <= model.outside_ <= 0.1
    model.set_params(endmembers=E).fit(X)
    assert model.outside_ is None and model.n_iter_ == 0
