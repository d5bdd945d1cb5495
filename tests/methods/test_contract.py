"""What every method there is must hold to, whatever it does inside."""

import copy

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from unmix.checks import InputError
from unmix.methods import METHODS
from unmix.types import STATISTICS

# Keywords that make a method quick; everything else is its default.
QUICK = {
    "cresdae": {
        "preset": "paper",
        "epochs": 3,
        "batch_size": 64,
        "pretrain_epochs": 1,
        "device": "cpu",
    },
    "conv-ae": {
        "epochs": 2,
        "n_patches": 4,
        "batch_size": 2,
        "patch_size": 8,
        "window": 3,
        "device": "cpu",
    },
    "edaa": {"n_restarts": 3, "n_outer": 20},
    "nae": {"epochs": 3, "batch_size": 64, "pretrain_steps": 5, "device": "cpu"},
    "linear-ae": {"epochs": 3, "batch_size": 32, "n_spectra": 200, "device": "cpu"},
}
# Keywords with which it also fits.
TRAINED = {
    "cresdae": {"preset": "paper", "epochs": 150, "batch_size": 32},
    "nae": {"epochs": 150, "batch_size": 32, "pretrain_steps": 1000},
    "conv-ae": {"epochs": 150, "n_patches": 16},
    "linear-ae": {"epochs": 60, "n_spectra": 1000, "batch_size": 20},
}
K, ROWS, COLUMNS, BANDS = 3, 11, 14, 30


def make(name, **keywords):
    options = {"n_endmembers": K} | QUICK.get(name, {}) | keywords
    return METHODS[name](**options)


def scene(dtype=np.float32, seed=0, brightness=False):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(K, BANDS)), axis=1) * 0.05
    E = np.abs(walk + rng.uniform(0.2, 0.8, (K, 1))) + 0.05
    A = rng.dirichlet(np.full(K, 0.6), (ROWS, COLUMNS))
    A[0, :K] = np.eye(K)
    X = A @ E + 0.005 * rng.standard_normal((ROWS, COLUMNS, BANDS))
    if brightness:
        X *= rng.uniform(0.5, 1.1, (ROWS, COLUMNS, 1))
    return X.astype(dtype)


every_method = pytest.mark.parametrize("name", METHODS)
every_scale = pytest.mark.parametrize("scale", ["none", "l2", "max", "shade"])


@every_method
@every_scale
def test_abundances_lie_on_the_simplex(name, scale):
    if scale not in METHODS[name].scales:
        pytest.skip(f"{name} has no scale {scale}")
    X = scene(brightness=True)
    A = make(name, scale=scale).fit(X).transform(X)
    assert A.shape == (ROWS, COLUMNS, K)
    assert A.min() >= 0
    assert np.abs(A.astype(np.float64).sum(axis=-1) - 1).max() < 1e-6


@every_method
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_type_and_input_are_left_alone(name, dtype):
    X = scene(dtype)
    before = X.copy()
    model = make(name).fit(X)
    A = model.transform(X)
    assert A.dtype == dtype and model.inverse_transform(A).dtype == dtype
    assert np.array_equal(X, before)
    X.flags.writeable = False
    assert np.array_equal(make(name).fit(X).transform(X), A)


@every_method
def test_uncertainty_is_of_the_same_pixels_or_none(name):
    X = scene()
    model = make(name).fit(X)
    A, uncertainty = model.transform_with_uncertainty(X)
    assert np.array_equal(A, model.transform(X))
    if uncertainty is not None:
        assert {k: v.shape for k, v in uncertainty.items()} == dict.fromkeys(STATISTICS, A.shape)


@every_method
def test_one_pixel_is_its_row_of_the_batch(name):
    X = scene()
    model = make(name).fit(X)
    if model.halo:
        pytest.skip(f"{name} looks at a pixel's neighbours")
    A, flat = model.transform(X), X.reshape(-1, BANDS)
    np.testing.assert_allclose(model.transform(X[4:5, 7]), A[4:5, 7], atol=2e-6)
    order = np.random.default_rng(1).permutation(len(flat))
    permuted = model.transform(flat[order])
    np.testing.assert_allclose(permuted, A.reshape(-1, K)[order], atol=2e-6)


@every_method
def test_a_tile_with_its_halo_equals_the_scene(name):
    X = scene()
    model = make(name).fit(X)
    whole, h = model.transform(X), model.halo
    top, left = max(3 - h, 0), max(2 - h, 0)
    tile = model.transform(X[top : 8 + h, left : 11 + h])
    inside = tile[3 - top : 8 - top, 2 - left : 11 - left]
    np.testing.assert_allclose(inside, whole[3:8, 2:11], atol=2e-6)


@every_method
def test_the_seed_repeats_to_the_byte_and_a_refit_forgets(name):
    X, other = scene(), scene(seed=5)
    first = make(name, seed=3).fit(X)
    A = first.transform(X)
    assert np.array_equal(clone(first).fit(X).transform(X), A)
    assert np.array_equal(first.fit(other).fit(X).transform(X), A)
    assert np.array_equal(copy.deepcopy(first).transform(X), A)
    assert np.array_equal(make(name, seed=3).fit_transform(X), A)


@every_method
def test_given_endmembers_are_where_it_starts(name):
    X = scene()
    E = make("vca-fcls").fit(X).endmembers_.astype(np.float64)
    model = make(name, endmembers=E).fit(X)
    assert model.endmembers_.shape == E.shape
    angle = np.arccos(
        np.clip(
            (model.endmembers_ * E).sum(axis=1)
            / np.linalg.norm(model.endmembers_, axis=1)
            / np.linalg.norm(E, axis=1),
            -1,
            1,
        )
    )
    assert angle.max() < 0.05


@every_method
def test_inverse_transform_brings_the_pixels_back_roughly(name):
    X = scene()
    model = make(name, **TRAINED.get(name, {})).fit(X)
    back = model.inverse_transform(model.transform(X))
    assert back.shape == X.shape
    assert np.sqrt(((back - X) ** 2).mean()) < 0.5 * X.std()


@every_method
def test_saved_and_loaded_is_identical(name, tmp_path):
    from unmix.pipeline.checkpoint import load_model, save_model

    X = scene()
    model = make(name).fit(X)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert type(again) is type(model)
    assert np.array_equal(again.transform(X), model.transform(X))
    assert np.array_equal(again.endmembers_, model.endmembers_)


@every_method
def test_not_fitted(name):
    with pytest.raises(NotFittedError):
        make(name).transform(scene())


@every_method
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("n_endmembers", 0),
        ("n_endmembers", 1),
        ("n_endmembers", BANDS + 1),
        ("n_endmembers", 2.5),
        ("n_endmembers", None),
        ("scale", "loud"),
        ("endmembers", np.full((2, BANDS), np.nan)),
        ("endmembers", np.ones((2, BANDS - 1))),
    ],
)
def test_a_wrong_keyword_is_named(name, keyword, value):
    keywords = {keyword: value}
    if keyword == "endmembers":
        keywords["n_endmembers"] = None
    with pytest.raises(ValueError, match=keyword):
        make(name, **keywords).fit(scene())


@every_method
@pytest.mark.parametrize(
    "spoil",
    [
        lambda X: np.where(X == X[2, 2, 2], np.nan, X),
        lambda X: np.where(X == X[2, 2, 2], np.inf, X),
        lambda X: X[..., :1],
        lambda X: X[:0],
        lambda X: X[0, 0],
        lambda X: np.full_like(X, 0.3),
        lambda X: X.astype(str),
    ],
    ids=["nan", "inf", "one band", "no pixels", "one spectrum", "constant", "text"],
)
def test_pixels_that_cannot_be_unmixed(name, spoil):
    with pytest.raises(ValueError):
        make(name).fit(spoil(scene()))


@every_method
def test_another_number_of_bands_is_refused(name):
    model = make(name).fit(scene())
    with pytest.raises(ValueError, match="29 features"):
        model.transform(scene()[..., :-1])
    with pytest.raises(InputError, match="A: got shape"):
        model.inverse_transform(np.ones((4, K + 1)))


@parametrize_with_checks([make(name, n_endmembers=2) for name in METHODS])
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)
