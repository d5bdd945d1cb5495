"""ConvAE as an estimator: what it recovers, and what it sees of a pixel's neighbours."""

import numpy as np
import pytest
import torch

from unmix.checks import InputError
from unmix.methods.conv_ae import ConvAE
from unmix.metrics import align
from unmix.simulate.fields import smooth_abundances

K, L, ROWS, COLUMNS = 3, 20, 26, 31

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def scene():
    """Image, abundances and endmembers of a smooth linear scene at 40 dB, float32."""
    rng = np.random.default_rng(0)
    band = np.linspace(0, 1, L)
    E = np.stack([0.2 + 0.6 * band, 0.5 + 0.3 * np.sin(7 * band), 0.7 - 0.5 * band**2])
    A = smooth_abundances(rng, K, (ROWS, COLUMNS))
    X = A @ E
    X += rng.normal(size=X.shape) * np.sqrt((X**2).mean()) * 0.01
    return X.astype(np.float32), A.astype(np.float32), E.astype(np.float32)


def make(E=None, **options):
    quick = {"epochs": 3, "n_patches": 8, "batch_size": 4, "patch_size": 12, "window": 3}
    keywords = {"device": "cpu"} | quick | options
    return ConvAE(None if E is not None else K, endmembers=E, **keywords)


def rmse(found, truth):
    return float(np.sqrt(((found - truth) ** 2).mean()))


def test_a_known_truth_is_found_with_its_spectra_which_are_kept(scene):
    X, A, E = scene
    model = make(E, epochs=80, n_patches=16).fit(X)
    np.testing.assert_array_equal(model.endmembers_, E)
    assert rmse(model.transform(X), A) < 0.12 < 0.3 < rmse(np.full_like(A, 1 / K), A)


@pytest.mark.parametrize("init", ["random", "vca"])
def test_a_known_truth_is_found_blind(scene, init):
    X, A, E = scene
    model = make(epochs=150, n_patches=16, init=init).fit(X)
    order = align(E_est=model.endmembers_, E_true=E)
    assert rmse(model.transform(X)[..., order], A) < 0.2
    values = model.history_["angle"]
    assert values[-1] < 0.5 * values[0] and len(values) == model.n_iter_ == 150
    assert (model.endmembers_ >= 0).all()


def test_abundances_depend_on_neighbours_within_the_halo_only(scene):
    X, _, E = scene
    model = make(E).fit(X)
    before, other = model.transform(X), X.copy()
    other[10, 12] *= np.linspace(0.5, 1.5, L, dtype=np.float32)
    changed = (model.transform(other) != before).any(axis=-1)
    assert changed[9:12, 11:14].all() and changed.sum() == 9


def test_beyond_the_edge_the_edge_pixels_go_on(scene):
    X, _, E = scene
    model = make(E).fit(X)
    wider = np.pad(X, ((2, 2), (2, 2), (0, 0)), mode="edge")
    np.testing.assert_allclose(model.transform(wider)[2:-2, 2:-2], model.transform(X), atol=1e-5)


def test_pixels_without_neighbours_are_images_of_their_own(scene):
    X, _, E = scene
    model = make(E).fit(X)
    flat = X.reshape(-1, L)
    alone = model.transform(flat)
    assert alone.shape == (ROWS * COLUMNS, K)
    np.testing.assert_allclose(
        model.transform(X[5:6, 7:8])[0, 0], alone[5 * COLUMNS + 7], atol=1e-6
    )
    np.testing.assert_allclose(model.transform(flat[::-1])[::-1], alone, atol=1e-6)
    again = make(E).fit(flat)
    assert np.isfinite(again.transform(flat)).all() and again.n_iter_ == 3


def test_a_large_image_goes_through_in_pieces(scene, monkeypatch):
    X, _, E = scene
    model = make(E).fit(X)
    whole = model.transform(X)
    monkeypatch.setattr("unmix.methods.conv_ae._CHUNK", 5 * COLUMNS)
    np.testing.assert_allclose(model.transform(X), whole, atol=1e-5)


def test_a_scene_smaller_than_a_patch(scene):
    X, _, E = scene
    model = make(E, patch_size=40).fit(X[:5, :9])
    assert model.transform(X[:5, :9]).shape == (5, 9, K)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_same_seed_same_bytes_and_no_global_generator(scene, dtype):
    X, _, E = scene
    state = torch.get_rng_state()
    first, again, other = (make(E, seed=s, dtype=dtype).fit(X) for s in (1, 1, 2))
    assert first.transform(X).tobytes() == again.transform(X).tobytes()
    assert first.transform(X).tobytes() != other.transform(X).tobytes()
    assert torch.equal(state, torch.get_rng_state())


def test_the_unit_of_the_pixels_does_not_matter(scene):
    X = scene[0]
    fraction, integer = make().fit(X), make().fit(X * 8192)
    np.testing.assert_allclose(integer.transform(X * 8192), fraction.transform(X), atol=1e-4)
    np.testing.assert_allclose(integer.endmembers_, fraction.endmembers_ * 8192, rtol=1e-3)


@pytest.mark.parametrize("scale", ["l2", "max", "shade"])
def test_brightness_does_not_change_abundances(scene, scale):
    X, _, E = scene
    s = np.random.default_rng(1).uniform(0.5, 1.1, (ROWS, COLUMNS, 1)).astype(np.float32)
    model = make(E, scale=scale).fit(X * s)
    np.testing.assert_allclose(model.transform(X), model.transform(X * s), atol=2e-3)


def test_members_start_from_vca(scene):
    model = make(init="vca", lr=1e-7).fit(scene[0])
    norms = np.linalg.norm(model.endmembers_, axis=1) * np.linalg.norm(model.start_, axis=1)
    assert ((model.endmembers_ * model.start_).sum(axis=1) / norms > 0.9999).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 4}, "^window: got 4; give an odd number"),
        ({"window": 0}, "^window: got 0"),
        ({"n_patches": 0}, "^n_patches: got 0"),
        ({"patch_size": 2.5}, "^patch_size: got 2.5"),
        ({"batch_size": True}, "^batch_size: got True"),
        ({"init": "sisal"}, "^init: got 'sisal'"),
        ({"epochs": 0}, "^epochs: got 0"),
        ({"lr": 0.0}, "^lr: got 0.0"),
        ({"dtype": "int8"}, "^dtype: got"),
    ],
)
def test_wrong_keywords_are_named(scene, options, message):
    with pytest.raises(InputError, match=message):
        make(**options).fit(scene[0])
