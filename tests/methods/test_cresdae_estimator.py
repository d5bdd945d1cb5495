"""CResDAE as an estimator: what it recovers, what it refuses, what it promises."""

import pickle

import numpy as np
import pytest
import torch

from unmix.checks import InputError
from unmix.methods.cresdae import CResDAE
from unmix.nets.losses import CompositeLoss
from unmix.solve import fcls

K, L = 3, 24

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def scene():
    """Pixels, abundances and endmembers of a linear scene at 40 dB, float32."""
    rng = np.random.default_rng(0)
    band = np.linspace(0, 1, L)
    E = np.stack([0.2 + 0.6 * band, 0.5 + 0.3 * np.sin(7 * band), 0.7 - 0.5 * band**2])
    A = rng.dirichlet(np.ones(K), 1500)
    A[:K] = np.eye(K)
    X = A @ E
    X += rng.normal(size=X.shape) * np.sqrt((X**2).mean()) * 0.01
    return X.astype(np.float32), A.astype(np.float32), E.astype(np.float32)


def make(E=None, **options):
    quick = {
        "preset": "paper",
        "epochs": 4,
        "batch_size": 128,
        "pretrain_epochs": 2,
        "device": "cpu",
    }
    return CResDAE(None if E is not None else K, endmembers=E, **quick | options)


def rmse(found, truth):
    return float(np.sqrt(((found - truth) ** 2).mean()))


def test_known_abundances_are_recovered_without_the_uniform_term(scene):
    X, A, E = scene
    model = make(E, gamma_uniform=0, epochs=40, batch_size=32)
    assert rmse(model.fit_transform(X), A) < 0.05
    assert rmse(np.full_like(A, 1 / K), A) > 0.2


def test_published_weights_pull_towards_equal_shares(scene):
    X, _, E = scene
    spread = [
        make(E, gamma_uniform=g, epochs=12, batch_size=32).fit_transform(X).std() for g in (0.4, 0)
    ]
    assert spread[0] < spread[1]


def test_blind_start_is_vca(scene):
    X, _, E = scene
    model = make(gamma_uniform=0, decoder_lr=1e-9).fit(X)
    distance = np.linalg.norm(model.endmembers_[:, None] - E, axis=-1).min(axis=0)
    assert (distance < 0.1).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_history_has_every_term_and_falls(scene, dtype):
    model = make(scene[2], epochs=8, dtype=dtype).fit(scene[0])
    assert list(model.history_) == list(CompositeLoss.names)
    assert all(len(v) == 8 == model.n_iter_ for v in model.history_.values())
    loss = model.history_["loss"]
    assert loss[-1] < 0.9 * loss[0]
    terms = [model.history_[name] for name in CompositeLoss.names[1:]]
    weights = [1.0, 1.0, 0.4, 0.01, 0.01]
    np.testing.assert_allclose(np.dot(weights, terms), loss, rtol=1e-5)
    assert model.status_ == "Trained for all 8 epochs."


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_simplex_and_float_type(scene, dtype):
    X = scene[0].astype(dtype).reshape(30, 50, L)
    model = make(scene[2]).fit(X)
    A = model.transform(X)
    assert A.shape == (30, 50, K) and A.dtype == dtype == model.endmembers_.dtype
    assert (A >= 0).all()
    assert np.abs(A.sum(axis=-1) - 1).max() <= (1e-6 if dtype == np.float32 else 1e-15)
    x_hat = model.inverse_transform(A)
    assert x_hat.shape == X.shape and x_hat.dtype == dtype and (x_hat >= 0).all()
    assert rmse(x_hat, X) < 0.5 * X.std()


def test_same_seed_same_bytes_other_seed_other_bytes(scene):
    X, _, E = scene
    first, again, other = (make(E, seed=s).fit(X) for s in (1, 1, 2))
    assert first.transform(X).tobytes() == again.transform(X).tobytes()
    assert first.transform(X).tobytes() != other.transform(X).tobytes()
    assert first.history_ == again.history_


def test_global_generators_are_left_alone(scene):
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    make(scene[2]).fit_transform(scene[0])
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


def test_the_unit_of_the_pixels_does_not_matter(scene):
    X, _, E = scene
    fraction = make(E).fit(X)
    integer = make(E * 8192).fit(X * 8192)
    np.testing.assert_allclose(integer.transform(X * 8192), fraction.transform(X), atol=1e-4)
    np.testing.assert_allclose(integer.endmembers_, fraction.endmembers_ * 8192, rtol=1e-4)
    A = fraction.transform(X)
    np.testing.assert_allclose(
        integer.inverse_transform(A), 8192 * fraction.inverse_transform(A), rtol=1e-3, atol=1
    )


def test_endmembers_are_the_linear_weights_and_move_slowly(scene):
    X, _, E = scene
    model = make(E).fit(X)
    weights = model.network_.decoder.linear.weight.detach().numpy().T * model.unit_
    np.testing.assert_allclose(model.endmembers_, weights, rtol=1e-6)
    moved = np.abs(model.endmembers_ - E).max()
    assert 0 < moved <= 1e-5 * model.unit_ * 4 * 12 * 1.01


def test_endmembers_stay_non_negative(scene):
    X, _, E = scene
    E = E.copy()
    E[0, 5] = -0.01
    assert (make(E, decoder_lr=0.01).fit(X).endmembers_ >= 0).all()


@pytest.mark.parametrize("scale", ["l2", "max", "shade"])
def test_brightness_does_not_change_abundances(scene, scale):
    X, _, E = scene
    s = np.random.default_rng(1).uniform(0.5, 1.1, (len(X), 1)).astype(np.float32)
    model = make(E, scale=scale).fit(X * s)
    np.testing.assert_allclose(model.transform(X), model.transform(X * s), atol=2e-3)
    assert 0.3 * X.mean() < model.inverse_transform(model.transform(X)).mean() < 1.5 * X.mean()
    np.testing.assert_allclose(model.endmembers_, E, atol=0.01)


def test_pretraining_fits_the_decoder_to_the_pixels(scene):
    """With the decoder frozen, a nonlinear scene is reconstructed better after pre-training."""
    X, _, E = scene
    bent = X**0.6
    plain = make(E, pretrain_epochs=0, decoder_lr=1e-12).fit(bent)
    taught = make(E, pretrain_epochs=20, decoder_lr=1e-12).fit(bent)
    start = fcls(bent, E)
    assert rmse(plain.inverse_transform(start), np.maximum(start @ E, 0)) < 1e-5
    assert rmse(taught.inverse_transform(start), bent) < 0.7 * rmse(start @ E, bent)


def test_finetune_goes_on_from_the_learned_weights(scene):
    X, _, E = scene
    model = make(E, epochs=6).fit(X)
    before = model.history_["loss"][-1]
    assert model.finetune(X[:700], epochs=3) is model
    assert model.n_iter_ == 9 and len(model.history_["loss"]) == 9
    assert model.history_["loss"][6] < 1.2 * before < 0.9 * model.history_["loss"][0]


def test_divergence_is_a_status_never_nan(scene):
    X, _, E = scene
    model = make(E, lr=1e30).fit(X)
    assert model.status_.startswith("Diverged in epoch 1") and model.n_iter_ == 0
    assert np.isfinite(model.transform(X)).all() and np.isfinite(model.endmembers_).all()


def test_progress_is_told_and_can_stop(scene):
    told = []
    make(scene[2], progress=told.append).fit(scene[0])
    assert told == [0.25, 0.5, 0.75, 1.0]
    stopped = make(scene[2], progress=lambda fraction: fraction < 0.5).fit(scene[0])
    assert stopped.n_iter_ == 2 and stopped.status_.startswith("Cancelled in epoch 3 of 4")


@pytest.mark.parametrize("attention", ["feature", "cbam"])
def test_a_tile_is_the_crop_of_the_scene(scene, attention):
    X, _, E = scene
    model = make(E, attention=attention).fit(X)
    assert model.halo == 0
    np.testing.assert_allclose(model.transform(X[100:140]), model.transform(X)[100:140], atol=1e-6)


def test_pixels_with_given_endmembers_may_all_be_equal(scene):
    model = make(scene[2]).fit(np.repeat(scene[0][:1], 50, axis=0))
    assert np.isfinite(model.transform(scene[0])).all()


def test_zero_pixels_get_abundances_too(scene):
    X = scene[0].copy()
    X[7] = 0
    assert np.isfinite(make(scene[2]).fit_transform(X)).all()


def test_pickle_keeps_the_model(scene):
    model = make(scene[2]).fit(scene[0])
    again = pickle.loads(pickle.dumps(model))
    assert (again.transform(scene[0]) == model.transform(scene[0])).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "best2"}, r"^preset: got 'best2'; choose one of best, paper"),
        ({"scale": "log"}, "^scale: got 'log'"),
        ({"attention": "spatial"}, "^attention: got 'spatial'; choose one of feature, cbam"),
        ({"dtype": "float16"}, "^dtype: got"),
        ({"device": "cuda:99"}, "^device: 'cuda:99' is not available"),
        ({"epochs": 0}, "^epochs: got 0"),
        ({"batch_size": -1}, "^batch_size: got -1"),
        ({"lr": 0}, "^lr: got 0"),
        ({"decoder_lr": -1.0}, "^lr: got -1.0"),
        ({"gamma_uniform": -0.1}, "^gamma_uniform: got -0.1"),
        ({"alpha": float("nan")}, "^alpha: got nan"),
        ({"reduction": 0}, "^reduction: got 0"),
        ({"pretrain_epochs": 1.5}, "^pretrain_epochs: got 1.5"),
        ({"seed": -1}, "^seed: got -1"),
        ({"n_endmembers": 2}, "^n_endmembers: 2, but 3 endmembers given"),
        ({"endmembers": None}, "^n_endmembers: needed without endmembers"),
        ({"endmembers": np.ones((3, 5))}, "^endmembers: 5 bands where the pixels have 24"),
        ({"endmembers": np.zeros((3, L))}, "^endmembers: a spectrum is zero"),
        ({"endmembers": None, "n_endmembers": 60}, "^n_endmembers: got 60, more than the 24 bands"),
        ({"endmembers": None, "n_endmembers": 1}, "^n_endmembers: got 1"),
    ],
)
def test_wrong_keywords_are_named(scene, options, message):
    model = CResDAE(
        **{"endmembers": scene[2], "preset": "paper", "device": "cpu", "epochs": 1} | options
    )
    with pytest.raises(InputError, match=message):
        model.fit(scene[0])


def test_scenes_without_content_are_refused(scene):
    with pytest.raises(InputError, match=r"^X: every value is zero"):
        make(scene[2]).fit(np.zeros((50, L)))
    with pytest.raises(InputError, match=r"^X: every pixel is the same"):
        make().fit(np.ones((50, L)))


def test_wrong_abundances_and_epochs_are_refused(scene):
    model = make(scene[2], epochs=1).fit(scene[0])
    with pytest.raises(InputError, match=r"^A: got shape \(5, 4\)"):
        model.inverse_transform(np.ones((5, 4)))
    with pytest.raises(InputError, match=r"^epochs: got 0"):
        model.finetune(scene[0], epochs=0)


@pytest.mark.parametrize(
    "keywords", [{"attention": "none"}, {"residual": False}, {"nonlinear": False}]
)
def test_each_part_can_be_left_out(keywords):
    rng = np.random.default_rng(0)
    E = rng.random((3, 20), dtype=np.float32)
    A = rng.dirichlet(np.ones(3), 400).astype(np.float32)
    whole = CResDAE(endmembers=E, preset="paper", epochs=2, pretrain_epochs=1, device="cpu").fit(
        A @ E
    )
    without = CResDAE(
        endmembers=E, preset="paper", epochs=2, pretrain_epochs=1, device="cpu", **keywords
    )
    found = without.fit(A @ E).transform(A @ E)
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-6

    def n_weights(model):
        return sum(p.numel() for p in model.network_.parameters())

    left_out = {"attention": 128 * 8 * 2 + 128 + 8, "residual": None, "nonlinear": 512 * 41 + 20}
    (part,) = keywords
    assert n_weights(without) < n_weights(whole)
    if left_out[part] is not None:
        assert n_weights(whole) - n_weights(without) == left_out[part]
    with pytest.raises(InputError, match=part):
        CResDAE(endmembers=E, preset="paper", **{part: "maybe"}).fit(A @ E)
