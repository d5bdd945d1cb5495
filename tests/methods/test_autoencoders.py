"""NAE and LinearAE as estimators: what they recover, refuse and promise."""

import numpy as np
import pytest
import torch

from unmix.checks import InputError
from unmix.methods.linear_ae import LinearAE
from unmix.methods.nae import NAE
from unmix.metrics import align

K, L = 3, 24
QUICK = {
    NAE: {"epochs": 4, "batch_size": 128, "pretrain_steps": 20},
    LinearAE: {"epochs": 4, "batch_size": 20, "n_spectra": 400},
}
both = pytest.mark.parametrize("method", [NAE, LinearAE])

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def scene():
    """Pixels, abundances and endmembers of a linear scene at 40 dB, float32."""
    rng = np.random.default_rng(0)
    band = np.linspace(0, 1, L)
    E = np.stack([0.2 + 0.6 * band, 0.5 + 0.3 * np.sin(7 * band), 0.7 - 0.5 * band**2])
    A = rng.dirichlet(np.full(K, 0.5), 1500)
    A[:K] = np.eye(K)
    X = A @ E
    X += rng.normal(size=X.shape) * np.sqrt((X**2).mean()) * 0.01
    return X.astype(np.float32), A.astype(np.float32), E.astype(np.float32)


def make(method, E=None, **options):
    keywords = {"device": "cpu"} | QUICK[method] | options
    return method(None if E is not None else K, endmembers=E, **keywords)


def rmse(found, truth):
    return float(np.sqrt(((found - truth) ** 2).mean()))


def matched(model, X, A, E):
    order = align(E_est=model.endmembers_, E_true=E)
    return rmse(model.transform(X)[..., order], A)


def test_nae_finds_a_post_nonlinear_truth_better_than_the_linear_solver(scene):
    from unmix.solve import fcls

    _, A, E = scene
    X = (A @ E) ** 0.6
    model = make(NAE, E**0.6, epochs=80, batch_size=64, pretrain_steps=3000).fit(X)
    assert rmse(model.transform(X), A) < 0.03
    assert model.history_["loss"][-1] < 1e-4
    assert rmse(model.transform(X), A) < rmse(fcls(X, E), A)


def test_linear_ae_finds_a_linear_truth_blind(scene):
    X, A, E = scene
    model = make(LinearAE, epochs=40, n_spectra=1500, batch_size=10).fit(X)
    assert matched(model, X, A, E) < 0.15
    assert model.history_["angle"][-1] < 0.2 * model.history_["angle"][0]
    assert (model.endmembers_ >= 0).all()


def test_linear_ae_with_the_true_spectra_keeps_them_and_finds_the_abundances(scene):
    X, A, E = scene
    model = make(LinearAE, E, epochs=40, n_spectra=1500, batch_size=10).fit(X)
    np.testing.assert_array_equal(model.endmembers_, E)
    assert rmse(model.transform(X), A) < 0.09


@both
def test_a_start_from_vca_is_near_it(method, scene):
    X = scene[0]
    options = {"lr": 1e-6} | ({"init": "vca"} if method is LinearAE else {"decoder_lr": 1e-9})
    model = make(method, **options).fit(X)
    norms = np.linalg.norm(model.endmembers_, axis=1) * np.linalg.norm(model.start_, axis=1)
    assert ((model.endmembers_ * model.start_).sum(axis=1) / norms > 0.9999).all()


def test_epochs_left_open_make_at_least_three_thousand_steps():
    model = NAE(3)
    assert model._epochs(300_000) == 50 and model._epochs(512 * 10) == 300
    assert model._epochs(100) == 3000 and NAE(3, epochs=7)._epochs(100) == 7


@both
def test_same_seed_same_bytes_other_seed_other_bytes(method, scene):
    X, _, E = scene
    first, again, other = (make(method, E, seed=s).fit(X) for s in (1, 1, 2))
    assert first.transform(X).tobytes() == again.transform(X).tobytes()
    assert first.transform(X).tobytes() != other.transform(X).tobytes()
    assert first.history_ == again.history_


@both
def test_global_generators_are_left_alone(method, scene):
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    make(method, scene[2]).fit_transform(scene[0])
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


@both
def test_the_unit_of_the_pixels_does_not_matter(method, scene):
    X, _, _ = scene
    fraction, integer = make(method).fit(X), make(method).fit(X * 8192)
    A = fraction.transform(X)
    np.testing.assert_allclose(integer.transform(X * 8192), A, atol=1e-4)
    np.testing.assert_allclose(integer.endmembers_, fraction.endmembers_ * 8192, rtol=1e-3)
    np.testing.assert_allclose(
        integer.inverse_transform(A), 8192 * fraction.inverse_transform(A), rtol=1e-3, atol=1
    )


@both
@pytest.mark.parametrize("scale", ["l2", "max", "shade"])
def test_brightness_does_not_change_abundances(method, scale, scene):
    X, _, E = scene
    s = np.random.default_rng(1).uniform(0.5, 1.1, (len(X), 1)).astype(np.float32)
    model = make(method, E, scale=scale).fit(X * s)
    np.testing.assert_allclose(model.transform(X), model.transform(X * s), atol=2e-3)


@both
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_history_falls_in_either_arithmetic(method, dtype, scene):
    model = make(method, epochs=8, dtype=dtype).fit(scene[0])
    (values,) = model.history_.values()
    assert len(values) == model.n_iter_ == 8 and values[-1] < values[0]
    assert model.status_ == "Trained for all 8 epochs."


@both
def test_finetune_goes_on(method, scene):
    model = make(method).fit(scene[0])
    assert model.finetune(scene[0][:700], epochs=3) is model and model.n_iter_ == 7


def test_members_blind_to_size_get_the_size_of_their_pixels(scene):
    X, A, E = scene
    model = make(LinearAE).fit(X)
    crooked = E * np.array([[0.3], [2.0], [1.0]])
    np.testing.assert_allclose(
        model._sized(crooked / model.unit_, A, X / model.unit_), E, rtol=0.02
    )


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (NAE, {"epochs": 0}, "^epochs: got 0"),
        (NAE, {"batch_size": 0}, "^batch_size: got 0"),
        (NAE, {"pretrain_steps": -1}, "^pretrain_steps: got -1"),
        (NAE, {"lr": -1.0}, "^lr: got"),
        (NAE, {"seed": -1}, "^seed: got -1"),
        (LinearAE, {"init": "zeros"}, "^init: got 'zeros'; choose one of random, vca"),
        (LinearAE, {"batch_size": 1}, "^batch_size: got 1; give a whole number from 2"),
        (LinearAE, {"n_spectra": 1}, "^n_spectra: got 1"),
        (LinearAE, {"dtype": "float16"}, "^dtype: got"),
        (LinearAE, {"device": "cuda:99"}, "^device: 'cuda:99' is not available"),
    ],
)
def test_wrong_keywords_are_named(method, options, message, scene):
    with pytest.raises(InputError, match=message):
        make(method, **options).fit(scene[0])
