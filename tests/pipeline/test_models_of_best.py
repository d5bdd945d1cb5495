"""Train once, apply to other scenes: CResDAE's best preset through files and the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from unmix.checks import InputError
from unmix.cli import main
from unmix.metrics import align
from unmix.pipeline import apply_model, run, train_model
from unmix.report import chosen
from unmix.simulate import simulate
from unmix.types import Endmembers

SIDE, BANDS, K = 26, 24, 3
WAVELENGTH = np.linspace(430.0, 1300.0, BANDS)
NAMES = ("clay", "tree", "road")


def members() -> np.ndarray:
    t = np.linspace(0, 1, BANDS)
    bumps = [np.exp(-(((t - c) / 0.15) ** 2)) for c in (0.1, 0.5, 0.9)]
    return np.stack([0.1 + 0.15 * i + 0.3 * bump for i, bump in enumerate(bumps)])


def scene(seed: int, factor: np.ndarray | float = 1.0) -> xr.DataArray:
    made = simulate(
        Endmembers(members() * factor, WAVELENGTH, NAMES), snr=30, size=(SIDE, SIDE), seed=seed
    )
    cube = made.cube.astype(np.float32)
    cube[2, 3] = np.nan
    coords = {"wavelength": ("band", WAVELENGTH)}
    return xr.DataArray(cube, dims=("y", "x", "band"), coords=coords)


def drift() -> np.ndarray:
    return 1 + 0.35 * np.sin(9 * np.linspace(0, 1, BANDS))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Trained without naming a method."""
    folder = tmp_path_factory.mktemp("model") / "m"
    train_model(scene(0), folder, n_endmembers=K, scale="none")
    return folder


def warned(result) -> list[str]:
    return [text for text in result.provenance["warnings"] if "times as far" in text]


def rmse(result) -> float:
    return float(np.sqrt(np.nanmean(result.residual.sel(quantity="rmse").values ** 2)))


def test_train_takes_the_default_method(model):
    card = json.loads((model / "model.json").read_text())
    assert card["method"] == "cresdae" and card["parameters"]["preset"] == "best"
    assert 0 < card["scene"]["angle_rad"] < 0.1


def test_another_scene_of_the_sensor(model):
    applied = apply_model(model, scene(1))
    assert warned(applied) == [] and applied.uncertainty is not None
    assert applied.provenance["method"]["finetuned"] is False
    stages = {"prepare", "noise", "plan", "identify", "unmix"}
    assert applied.provenance["timings"].keys() == stages
    assert np.isnan(applied.abundances.values[2, 3]).all()
    assert (
        "found on the scene that the model was trained on" in chosen.choices(applied)["reasons"][0]
    )


def test_a_scene_that_the_model_does_not_fit_is_warned_of_and_finetuned(model):
    before = {p.name: p.read_bytes() for p in model.iterdir()}
    cube = scene(1, drift())
    applied = apply_model(model, cube)
    assert len(warned(applied)) == 1 and "--finetune" in warned(applied)[0]
    told = []
    tuned = apply_model(
        model, cube, finetune=True, progress=lambda stage, done: told.append((stage, done))
    )
    assert "Mixing is taken as" in chosen.choices(tuned)["reasons"][0]
    assert warned(tuned) == [] and rmse(tuned) < 0.6 * rmse(applied)
    assert tuned.provenance["method"]["finetuned"] is True and "fit" in tuned.provenance["timings"]
    fit = [done for stage, done in told if stage == "fit"]
    assert len(fit) > 2 and fit == sorted(fit)
    anew = run(cube, K, scale="none")
    assert rmse(tuned) < 1.05 * rmse(anew)
    kept = np.isfinite(tuned.endmembers.spectra).all(axis=0)
    was = align(E_est=applied.endmembers.spectra[:, kept], E_true=members()[:, kept])
    now = align(E_est=tuned.endmembers.spectra[:, kept], E_true=(members() * drift())[:, kept])
    assert list(was) == list(now)
    assert {p.name: p.read_bytes() for p in model.iterdir()} == before


def test_names_stay_with_their_members(tmp_path):
    given = Endmembers(members(), WAVELENGTH, NAMES)
    train_model(scene(0), tmp_path / "m", endmembers=given, scale="none")
    tuned = apply_model(tmp_path / "m", scene(1), finetune=True)
    assert tuned.endmembers.names == NAMES
    kept = np.isfinite(tuned.endmembers.spectra).all(axis=0)
    np.testing.assert_allclose(tuned.endmembers.spectra[:, kept], members()[:, kept], rtol=1e-5)


def test_another_sensor_is_refused(model):
    other = scene(1).assign_coords(wavelength=("band", WAVELENGTH + 5))
    for finetune in (False, True):
        with pytest.raises(InputError, match="apply it to scenes of the sensor it was trained on"):
            apply_model(model, other, finetune=finetune)


def test_a_method_without_anything_to_go_on_from(tmp_path):
    train_model(scene(0), tmp_path / "m", n_endmembers=K, method="vca-fcls")
    with pytest.raises(InputError, match=r"^finetune: vca-fcls has nothing to go on from"):
        apply_model(tmp_path / "m", scene(1), finetune=True)


def test_a_network_is_finetuned_too(tmp_path):
    quick = {"preset": "paper", "epochs": 1, "pretrain_epochs": 0}
    keywords = {"n_endmembers": K, "method": "cresdae", "parameters": quick}
    train_model(scene(0), tmp_path / "m", **keywords)
    tuned = apply_model(tmp_path / "m", scene(1), finetune=True)
    plain = apply_model(tmp_path / "m", scene(1))
    assert np.nanmax(np.abs(tuned.abundances - plain.abundances)) > 1e-4


def test_on_the_command_line(write_envi, tmp_path, capsys):
    for seed, factor in ((0, 1.0), (1, drift())):
        cube = np.nan_to_num(scene(seed, factor).values)
        write_envi(tmp_path / f"{seed}.img", cube, wavelength=WAVELENGTH)

    def unmix(*arguments) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        return ended.value.code, *capsys.readouterr()

    model, other = tmp_path / "m", tmp_path / "1.hdr"
    assert unmix("train", tmp_path / "0.hdr", "-k", K, "--scale", "none", "-o", model)[0] == 0
    code, out, err = unmix("apply", model, other, "-o", tmp_path / "plain")
    assert (code, err) == (0, "") and "try --finetune" in out
    code, out, err = unmix("apply", model, other, "-o", tmp_path / "tuned", "--finetune")
    assert (code, err) == (0, "") and "times as far" not in out
    manifest = json.loads((tmp_path / "tuned" / "manifest.json").read_text())
    assert manifest["method"]["finetuned"] and manifest["method"]["model"] == str(model)
    assert "attention" not in manifest["method"]["parameters"]
    assert "uncertainty.tif" in {f["path"] for f in manifest["output"]["files"]}


def test_a_device_may_be_asked_for(model):
    same = apply_model(model, scene(1), device="cpu").abundances.values
    np.testing.assert_array_equal(same, apply_model(model, scene(1)).abundances.values)
    with pytest.raises(InputError, match="device: got 'gpu'"):
        apply_model(model, scene(1), device="gpu")
    with pytest.raises(InputError, match="does not use a GPU"):
        apply_model(model, scene(1), device="cuda")
