"""CResDAE, best: a model carried to another scene, as it is and fitted again."""

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.methods import CResDAE
from unmix.methods.best import TYPICAL
from unmix.metrics import align
from unmix.pipeline.checkpoint import load_model, save_model
from unmix.simulate import simulate
from unmix.types import Endmembers

K, BANDS, SIZE = 3, 40, (40, 44)
WAVELENGTH = np.linspace(430.0, 1300.0, BANDS)


def members() -> np.ndarray:
    t = np.linspace(0, 1, BANDS)
    bumps = [np.exp(-(((t - c) / 0.12) ** 2)) for c in (0.15, 0.5, 0.85)]
    return 0.2 + 0.1 * np.arange(K)[:, None] + 0.35 * np.stack(bumps)


def drift() -> np.ndarray:
    """What another day's light and calibration do to spectra: smooth factors by band."""
    t = np.linspace(0, 1, BANDS)
    return 1 + 0.12 * np.sin(9 * t) - 0.1 * t


def scene(E: np.ndarray, seed: int, model: str = "linear"):
    given = Endmembers(E, WAVELENGTH, ("clay", "tree", "road"))
    made = simulate(given, model=model, snr=28, size=SIZE, seed=seed)
    return made.cube.astype(np.float32), made.abundances


def rmse(A, truth) -> float:
    return float(np.sqrt(((A - truth) ** 2).mean()))


@pytest.fixture(scope="module")
def trained():
    """A model's folder, and its members in the order of `members()`."""
    return CResDAE(K).fit(scene(members(), 0)[0])


@pytest.fixture
def model(trained, tmp_path):
    """A copy that a test may move, through a model file."""
    return load_model(save_model(trained, tmp_path / "m"))


def test_the_same_sensor_and_light_need_no_fit(model):
    X, A = scene(members(), 1)
    order = align(E_est=model.endmembers_, E_true=members())
    assert rmse(model.transform(X)[..., order], A) < 0.02


@pytest.mark.parametrize("scale", ["none", "shade"])
def test_finetuning_is_as_good_as_fitting_anew_and_keeps_the_order(scale):
    X, A = scene(members() * drift(), 1)
    X *= 1.5 if scale == "shade" else 1
    model = CResDAE(K, scale=scale).fit(scene(members(), 0)[0])
    order = align(E_est=model.endmembers_, E_true=members())
    before = rmse(model.transform(X)[..., order], A)
    assert model.finetune(X) is model
    after = rmse(model.transform(X)[..., order], A)
    anew = CResDAE(K, scale=scale).fit(X)
    there = align(E_est=anew.endmembers_, E_true=members() * drift())
    best = rmse(anew.transform(X)[..., there], A)
    assert after < 0.6 * before and after < 1.3 * best + 0.002
    assert model.endmembers_.shape == (K, BANDS) and model.endmembers_.dtype == np.float32
    starts = {c["start"] for c in model.evidence_["candidates"]}
    assert starts == {"model", "largest simplex"}
    assert model.evidence_["misfit"] < 1.5 and model.warnings_ == ()


@pytest.mark.parametrize("light", [0.3, 2.0])
def test_light_in_which_the_members_of_the_model_are_far_away(model, light):
    """No fit gets there from the model; the pixels' own simplex does."""
    X, A = scene(light * members(), 1)
    model.finetune(X)
    order = align(E_est=model.endmembers_, E_true=members())
    assert rmse(model.transform(X)[..., order], A) < 0.03
    assert not model.warnings_


def test_other_materials_that_nothing_leads_to_are_warned_of(model):
    others = 2 * members()[:, ::-1] + np.linspace(0, 1, BANDS)
    model.finetune(scene(others, 1)[0])
    assert [c.get("failed", False) for c in model.evidence_["candidates"]] == [False, True]
    assert sum("another material" in w for w in model.warnings_) == K


def test_a_finetuned_model_survives_its_file_and_says_how_sure_it_is(model, tmp_path):
    X, A = scene(members() * drift(), 2)
    model.finetune(X)
    again = load_model(save_model(model, tmp_path / "again"))
    found, sure = again.transform_with_uncertainty(X)
    np.testing.assert_array_equal(found, model.transform(X))
    order = align(E_est=model.endmembers_, E_true=members() * drift())
    low, high = (sure[end][..., order] for end in ("low", "high"))
    assert 0.8 < ((low - 1e-6 <= A) & (A <= high + 1e-6)).mean() <= 1


def test_a_member_that_is_another_material_is_warned_of(model):
    E = members()
    which = int(align(E_est=model.endmembers_, E_true=E)[1])
    E[1] = 0.55 - 0.3 * np.exp(-(((np.linspace(0, 1, BANDS) - 0.35) / 0.1) ** 2))
    model.finetune(scene(E, 3)[0])
    assert any(f"member {which + 1}: its spectrum is" in text for text in model.warnings_)


def test_given_endmembers_stay_as_they_are():
    model = CResDAE(endmembers=members()).fit(scene(members(), 0)[0])
    X, A = scene(members(), 4)
    model.finetune(X)
    np.testing.assert_allclose(model.endmembers_, members(), rtol=1e-6)
    assert model.surface_ == "linear" and rmse(model.transform(X), A) < 0.02


def test_the_surface_is_kept_and_its_constants_are_fitted_again():
    model = CResDAE(K).fit(scene(members(), 0, "bilinear")[0])
    X, A = scene(members() * drift(), 4, "bilinear")
    was = model.theta_
    model.finetune(X)
    order = align(E_est=model.endmembers_, E_true=members())
    assert model.surface_ == "bilinear" and not np.array_equal(model.theta_, was)
    assert rmse(model.transform(X)[..., order], A) < 0.02


def varying(seed: int, E: np.ndarray):
    """A scene whose materials vary by much more than its noise."""
    rng = np.random.default_rng(seed)
    A = scene(E, seed)[1]
    t = np.linspace(0, 1, BANDS)
    waves = np.sin(np.arange(1, 9)[:, None] * np.pi * t)
    factor = 1 + 0.05 * rng.standard_normal((*SIZE, K, 8)) @ waves
    X = np.einsum("yxk,yxkb->yxb", A, E * factor) + 1e-3 * rng.standard_normal((*SIZE, BANDS))
    return X.astype(np.float32), A


def test_typical_spectra_are_moved_to_those_of_the_scene(tmp_path):
    model = CResDAE(K, scale="shade").fit(varying(0, members())[0])
    assert model.surface_ == TYPICAL
    model = load_model(save_model(model, tmp_path / "m"))
    E = members() * drift()
    X, A = varying(1, E)
    order = align(E_est=model.endmembers_, E_true=members())
    before, was = rmse(model.transform(X)[..., order], A), model.endmembers_.copy()
    model.finetune(X)
    assert model.surface_ == TYPICAL and "moved" in model.status_
    assert rmse(model.transform(X)[..., order], A) < before
    assert not np.allclose(model.endmembers_, was, atol=1e-3)
    angle = [
        np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        for a, b in zip(model.endmembers_[order], E, strict=True)
    ]
    assert max(angle) < 0.08
    again = load_model(save_model(model, tmp_path / "again"))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


def test_a_surface_gives_way_where_materials_vary(model):
    X, A = varying(5, members())
    order = align(E_est=model.endmembers_, E_true=members())
    model.finetune(X)
    assert model.surface_ == TYPICAL and rmse(model.transform(X)[..., order], A) < 0.1
    assert any("vary by more than noise" in text for text in model.warnings_)


@pytest.mark.parametrize("given", [False, True])
def test_the_unit_of_the_pixels_does_not_matter(given):
    first, other = varying(0, members())[0], varying(1, members() * drift())[0]
    found = []
    for factor in (1.0, 1e4):
        E = members() * factor if given else None
        model = CResDAE(None if given else K, endmembers=E, scale="shade")
        model.fit(first * np.float32(factor)).finetune(other * np.float32(factor))
        found.append((model.endmembers_ / factor, model.spread_ / factor))
    for one, ten_thousand in zip(*found, strict=True):
        np.testing.assert_allclose(one, ten_thousand, atol=0.01)
    if given:
        np.testing.assert_allclose(found[1][0], members(), rtol=1e-5)


def test_a_scene_that_cannot_be_explained_leaves_the_model_as_it_is(model):
    X = scene(members(), 1)[0]
    before = model.transform(X), model.endmembers_.copy(), model.alternatives_.copy()
    with pytest.raises(InputError, match=r"^X: every pixel is the same"):
        model.finetune(np.full_like(X, 0.3))
    np.testing.assert_array_equal(model.transform(X), before[0])
    np.testing.assert_array_equal(model.endmembers_, before[1])
    np.testing.assert_array_equal(model.alternatives_, before[2])


def test_epochs_and_other_bands_are_refused(model):
    X = scene(members(), 1)[0]
    with pytest.raises(InputError, match=r"^epochs: belongs to the published recipe"):
        model.finetune(X, epochs=3)
    with pytest.raises(ValueError, match="39 features"):
        model.finetune(X[..., 1:])


def test_the_published_network_goes_on_training():
    X = scene(members(), 0)[0][:12, :15]
    model = CResDAE(K, preset="paper", epochs=2, pretrain_epochs=0, device="cpu").fit(X)
    assert model.finetune(X, epochs=1) is model and model.n_iter_ == 3


def test_a_gpu_is_not_for_best():
    with pytest.raises(InputError, match=r"^device: preset 'best' does not use a GPU"):
        CResDAE(K, device="cuda").fit(scene(members(), 0)[0])
