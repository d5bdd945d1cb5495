"""The pipeline at the level of Python: what is decided, found, recorded and refused."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest
import xarray as xr

from unmix.checks import InputError
from unmix.methods import DEFAULT, EXTRACTORS, METHODS
from unmix.methods.linear import VCAFCLS
from unmix.output.tables import json_safe
from unmix.pipeline import decide, extract_endmembers, run
from unmix.pipeline.model import apply_model
from unmix.pipeline.progress import Stages
from unmix.pipeline.provenance import code, git_commit, hash_files
from unmix.pipeline.ready import as_scene, band_values, make_ready, on_bands_of
from unmix.pipeline.train import train_model
from unmix.types import Endmembers, Unmixing

ROWS, COLUMNS, BANDS, K = 11, 17, 30, 3
WAVELENGTH = np.linspace(430.0, 2450.0, BANDS)
FWHM = np.full(BANDS, 12.0)
IN_WATER = [i for i, w in enumerate(WAVELENGTH) if 1350 <= w <= 1450 or 1800 <= w <= 1950]
QUICK = {"preset": "paper", "epochs": 1, "pretrain_epochs": 0}
QUICKLY = {
    "cresdae": QUICK,
    "nae": {"epochs": 2, "pretrain_steps": 5},
    "linear-ae": {"epochs": 1, "n_spectra": 60},
    "conv-ae": {"epochs": 2, "n_patches": 4, "batch_size": 2, "patch_size": 8, "window": 3},
}


def spectra() -> np.ndarray:
    t = np.linspace(0, 1, BANDS)
    return np.stack(
        [
            0.1 + 0.15 * i + 0.3 * np.exp(-(((t - c) / 0.15) ** 2))
            for i, c in enumerate((0.1, 0.5, 0.9))
        ]
    )


def abundances(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.full(K, 0.6), (ROWS, COLUMNS))
    A[0, :K] = np.eye(K)
    return A


def data(cube: np.ndarray, **coords) -> xr.DataArray:
    return xr.DataArray(cube.astype(np.float32), dims=("y", "x", "band"), coords=coords)


def scene(noise: float = 1e-3, brightness: float = 0.0, factor: float = 1.0) -> xr.DataArray:
    rng = np.random.default_rng(1)
    cube = abundances() @ spectra()
    cube = cube * (1 - brightness * rng.random((ROWS, COLUMNS, 1)))
    cube += noise * rng.standard_normal(cube.shape)
    return data(cube * factor, wavelength=("band", WAVELENGTH), fwhm=("band", FWHM))


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """Largest error of abundances, members in the best order, over the pixels not masked."""
    known = np.isfinite(found).all(axis=-1)
    orders = map(list, permutations(range(K)))
    return min(float(np.abs(found[known][:, o] - truth[known]).max()) for o in orders)


# --- run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [None, "vca-fcls", "spa-fcls"])
@pytest.mark.parametrize("brightness", [0.0, 0.5])
def test_a_known_truth_is_found_blind(method, brightness):
    result = run(scene(brightness=brightness), method=method)
    assert result.provenance["n_endmembers"]["k"] == K
    assert result.provenance["n_endmembers"]["chosen"] == "estimated"
    assert result.provenance["scale"]["mode"] == ("shade" if brightness else "none")
    if not brightness:
        assert error(result.abundances.values, abundances()) < 0.03
    found = np.delete(result.endmembers.spectra, IN_WATER, axis=1)
    true = np.delete(spectra(), IN_WATER, axis=1)
    cosine = found @ true.T / np.outer(*(np.linalg.norm(e, axis=1) for e in (found, true)))
    assert np.arccos(cosine).min(axis=0).max() < 0.02


def test_a_known_truth_is_found_under_any_light():
    result = run(scene(brightness=0.6), endmembers=spectra())
    assert result.provenance["scale"]["mode"] == "shade"
    np.testing.assert_allclose(result.abundances.values, abundances(), atol=0.03)


@pytest.mark.parametrize(
    ("method", "label"), [(None, "CResDAE"), ("vca-fcls", "FCLS, endmembers given")]
)
def test_given_endmembers_give_the_truth_in_their_order(method, label):
    given = Endmembers(spectra(), WAVELENGTH, ("clay", "tree", "road"), "field", FWHM)
    result = run(scene(), endmembers=given, method=method)
    assert list(result.abundances["member"].values) == ["clay", "tree", "road"]
    assert result.endmembers.names == ("clay", "tree", "road")
    kept = result.provenance["bands"]["kept"]
    seen = np.where(kept, spectra(), np.nan)  # blank where a band was left out, as given elsewhere
    assert not all(kept)
    np.testing.assert_array_equal(result.endmembers.spectra, seen)
    np.testing.assert_allclose(result.abundances.values, abundances(), atol=0.02)
    assert result.provenance["method"]["label"] == label
    assert result.provenance["n_endmembers"] == {
        **{"k": 3, "chosen": "user", "why": "the endmembers are given"},
    }


def test_given_as_an_array():
    result = run(scene(), endmembers=spectra(), method="spa-fcls")
    assert result.endmembers.names == ("endmember 1", "endmember 2", "endmember 3")
    assert result.endmembers.source == "given as an array"
    np.testing.assert_allclose(result.abundances.values, abundances(), atol=0.02)


def test_shapes_types_and_bands_left_out():
    result = run(scene(), K)
    assert result.abundances.dims == ("y", "x", "member") and result.abundances.dtype == np.float32
    assert list(result.residual["quantity"].values) == ["rmse", "angle", "scale"]
    assert result.residual.shape == (ROWS, COLUMNS, 3)
    gaps = np.flatnonzero(np.isnan(result.endmembers.spectra).all(axis=0))
    assert gaps.tolist() == IN_WATER
    assert np.isfinite(np.delete(result.endmembers.spectra, gaps, axis=1)).all()
    np.testing.assert_array_equal(result.endmembers.wavelength, WAVELENGTH)
    np.testing.assert_array_equal(result.endmembers.fwhm, FWHM)
    assert result.rgb.shape == (ROWS, COLUMNS, 3)


@pytest.mark.parametrize("method", METHODS)
def test_masked_and_missing_pixels_are_nan_everywhere(method):
    cube = scene()
    cube.values[2, 3, 5], cube.values[4] = np.nan, 0
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[7, 1:9] = True
    parameters = QUICKLY.get(method, {})
    result = run(cube, K, mask=mask, method=method, parameters=parameters)
    out = np.zeros_like(mask)
    out[2, 3] = out[4] = out[7, 1:9] = True
    for values in (result.abundances.values, result.residual.values, result.rgb):
        assert (np.isnan(values).all(axis=-1) == out).all()
        assert np.isfinite(values[~out]).all()
    assert result.provenance["pixels"] == {
        "total": ROWS * COLUMNS,
        "masked": int(out.sum()),
        "by": {
            "left out by the mask given": 8,
            "no data, or a bad value in a band that is used": 1 + COLUMNS,
        },
    }


def test_the_scene_is_left_alone():
    cube = scene(factor=1e4)
    before = cube.copy(deep=True)
    run(cube, K, method="vca-fcls", preparation={"smooth": 1.0})
    xr.testing.assert_identical(cube, before)


@pytest.mark.parametrize("method", [None, "vca-fcls"])
def test_reflectance_times_ten_thousand_is_the_same_scene(method):
    one, other = (run(cube, K, method=method) for cube in (scene(), scene(factor=1e4)))
    assert other.provenance["preparation"][-1]["what"] == "values divided by 10000"
    np.testing.assert_allclose(one.abundances.values, other.abundances.values, atol=1e-4)
    np.testing.assert_allclose(one.endmembers.spectra, other.endmembers.spectra, atol=1e-5)


def test_same_seed_same_answer():
    a, b = (run(scene(noise=0.02), K, seed=7) for _ in range(2))
    np.testing.assert_array_equal(a.abundances.values, b.abundances.values)
    np.testing.assert_array_equal(a.endmembers.spectra, b.endmembers.spectra)


def test_the_residual_is_what_is_left():
    result = run(scene(noise=0.0), endmembers=spectra(), scale="none")
    assert np.abs(result.residual.sel(quantity="rmse").values).max() < 1e-5
    assert np.abs(result.residual.sel(quantity="angle").values).max() < 2e-3
    assert (result.residual.sel(quantity="scale").values == 1).all()
    dim = run(scene(noise=0.0) * np.float32(0.5), endmembers=spectra(), scale="shade")
    np.testing.assert_allclose(dim.residual.sel(quantity="scale"), 0.5, atol=1e-4)


def test_progress_and_timings():
    told = []
    tell = lambda stage, done: told.append((stage, done))  # noqa: E731
    result = run(scene(), K, method="vca-fcls", progress=tell)
    stages = ["prepare", "noise", "count", "scale", "fit", "plan", "identify", "unmix"]
    assert [s for s, done in told if done == 0] == [s for s, done in told if done == 1] == stages
    assert list(result.provenance["timings"]) == stages
    assert all(t >= 0 for t in result.provenance["timings"].values())


def test_progress_of_the_default_never_turns_back():
    told = []
    run(scene(), K, progress=lambda stage, done: told.append((stage, done)))
    fit = [done for stage, done in told if stage == "fit"]
    assert len(fit) > 4 and fit == sorted(fit) and (fit[0], fit[-1]) == (0, 1)


def test_progress_of_a_network_moves():
    told = []
    parameters = {"preset": "paper", "epochs": 4, "pretrain_epochs": 0}
    tell = lambda stage, done: told.append((stage, done))  # noqa: E731
    run(scene(), K, method="cresdae", parameters=parameters, progress=tell)
    assert [done for stage, done in told if stage == "fit"] == [0, 0.25, 0.5, 0.75, 1, 1]


def test_a_stage_that_fails_is_not_timed():
    stage = Stages()
    with pytest.raises(ValueError, match="no"), stage("bad"):
        raise ValueError("no")
    assert stage.timings == {}


# --- provenance ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_record_is_complete_and_survives_json(method):
    parameters = QUICKLY.get(method, {})
    about = run(scene(), K, method=method, seed=4, parameters=parameters).provenance
    assert set(about) == {
        *("unmix_version", "git_commit", "created", "seed", "threads", "versions"),
        *("method", "scale", "n_endmembers", "noise"),
        *("input", "preparation", "sample", "bands", "pixels", "tiles"),
        *("identification", "geology", "convergence", "evidence", "history", "timings", "warnings"),
    }
    again = json.loads(json.dumps(json_safe(about), allow_nan=False))
    assert again["seed"] == 4 and again["method"]["name"] == method
    expected = METHODS[method]().get_params().keys() - {"endmembers", "progress"}
    assert again["method"]["parameters"].keys() == expected
    assert again["bands"]["kept"].count(True) == BANDS - len(IN_WATER)
    assert sorted(map(int, again["bands"]["reason"])) == IN_WATER
    assert again["bands"]["wavelength"] == WAVELENGTH.tolist()
    assert again["noise"]["snr_db"] > 30 and len(again["noise"]["per_band"]) == BANDS - len(
        IN_WATER
    )
    assert again["input"]["shape"] == [ROWS, COLUMNS, BANDS] and again["input"]["files"] == []
    assert again["convergence"]["status"]


def test_exact_answers_are_proved():
    for scale in ("none", "l2", "max", "shade"):
        cube = scene(noise=0.02, brightness=0.4)
        proof = run(cube, K, method="vca-fcls", scale=scale).provenance["convergence"]
        assert proof["status"] == "solved exactly" and proof["pixels_checked"] == ROWS * COLUMNS
        assert proof["kkt"] < 1e-4


def test_files_are_hashed(tmp_path, write_envi):
    import hashlib

    path = write_envi(tmp_path / "a.img", scene().values, wavelength=WAVELENGTH)
    about = run(path, K, method="vca-fcls").provenance["input"]
    assert about["path"] == str(path) and about["format"] == "ENVI"
    data_file = tmp_path / "a.img"
    entry = next(f for f in about["files"] if f["path"] == str(data_file))
    assert entry["sha256"] == hashlib.sha256(data_file.read_bytes()).hexdigest()
    assert entry["bytes"] == data_file.stat().st_size
    assert {f["path"] for f in about["files"]} == {str(path), str(data_file)}
    assert hash_files([]) == []


def test_code_and_commit(monkeypatch, tmp_path):
    about = code(5)
    assert about["seed"] == 5 and about["threads"] >= 1 and about["versions"]["numpy"]
    monkeypatch.setattr(
        "unmix.pipeline.provenance.__file__", str(tmp_path / "src" / "unmix" / "pipeline" / "x.py")
    )
    assert git_commit() is None


def test_no_git_is_no_failure(monkeypatch, tmp_path):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(
        "unmix.pipeline.provenance.__file__", str(tmp_path / "src" / "unmix" / "pipeline" / "x.py")
    )
    assert git_commit() is None

    def missing(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr("subprocess.run", missing)
    assert git_commit() is None


# --- ready ---------------------------------------------------------------------------------------


def test_gaps_in_given_endmembers_drop_their_bands():
    holes = spectra()
    holes[1, 20:] = np.nan
    ready = make_ready(scene(), endmembers=Endmembers(holes, WAVELENGTH, fwhm=FWHM))
    kept = [i for i in range(20) if i not in IN_WATER]
    assert ready.preparation.kept.tolist() == kept
    assert ready.preparation.reasons[25] == "not covered by the endmembers"
    np.testing.assert_array_equal(ready.E, spectra()[:, kept])
    assert ready.X.shape == (ROWS * COLUMNS, len(kept)) and ready.X.flags.c_contiguous


def test_units_that_differ_are_warned_of():
    result = run(scene(), endmembers=spectra() * 100, method="vca-fcls")
    assert any("same unit" in text for text in result.provenance["warnings"])
    good = run(scene(), endmembers=spectra(), method="vca-fcls")
    assert not good.provenance["warnings"]
    assert make_ready(scene()).warnings == []


def test_endmembers_on_other_bands_are_resampled():
    fine = np.arange(400.0, 2501.0, 5.0)
    rows = [np.interp(fine, WAVELENGTH, s) for s in spectra()]
    plain = scene().drop_vars("fwhm")
    given = on_bands_of(plain, Endmembers(np.array(rows), fine))
    np.testing.assert_allclose(given.spectra, spectra(), atol=2e-3)
    assert band_values(plain, "fwhm") is None


def test_files_are_read_whatever_their_unit(tmp_path):
    lines = ["wavelength_nm,a,b,c"]
    lines += [
        ",".join(map(str, (w, *100 * s))) for w, s in zip(WAVELENGTH, spectra().T, strict=True)
    ]
    (tmp_path / "percent.csv").write_text("\n".join(lines))
    ready = make_ready(scene(), endmembers=tmp_path / "percent.csv")
    np.testing.assert_allclose(ready.given.spectra, spectra())


def test_what_is_no_scene():
    with pytest.raises(InputError, match="give a DataArray"):
        as_scene(np.ones((3, 4, 5)))
    with pytest.raises(InputError, match=r"dims \('a', 'b', 'c'\) leave open which is y, x, band"):
        run(scene().rename(y="a", x="b", band="c").drop_vars("wavelength"), K)
    with pytest.raises(InputError, match="no such file"):
        run("none.hdr", K)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"n_endmembers": 0}, "n_endmembers: got 0"),
        ({"n_endmembers": 2.5}, "whole number"),
        ({"n_endmembers": BANDS + 1}, "more than the"),
        ({"endmembers": spectra()[:1]}, "at least 2"),
        ({"endmembers": spectra()[:, :5]}, "5 bands where the pixels have 30"),
        ({"endmembers": spectra(), "n_endmembers": 2}, "3 endmembers are given"),
        ({"endmembers": np.zeros((2, BANDS))}, "zero in every band"),
        ({"n_endmembers": K, "method": "foo"}, "method: got 'foo'"),
        ({"n_endmembers": K, "scale": "foo"}, "scale: got 'foo'"),
        ({"n_endmembers": K, "device": "foo"}, "device: got 'foo'"),
        ({"n_endmembers": K, "device": "cuda"}, "does not use a GPU"),
        ({"n_endmembers": K, "seed": -1}, "seed: got -1"),
        ({"n_endmembers": K, "seed": 1.5}, "seed: got 1.5"),
        ({"n_endmembers": K, "parameters": {"foo": 1}}, "foo: cresdae has no such parameter"),
        ({"n_endmembers": K, "parameters": {"seed": 1}}, "seed: not among"),
        ({"n_endmembers": K, "mask": np.ones((2, 2))}, r"mask: shape \(2, 2\)"),
        ({"n_endmembers": K, "mask": np.ones((ROWS, COLUMNS))}, "and the mask"),
        ({"n_endmembers": K, "preparation": {"drop_bands": "0"}}, "not within bands 1 to 30"),
        ({"n_endmembers": K, "preparation": {"overlap": "foo"}}, "overlap: got 'foo'"),
    ],
)
def test_refusals(keywords, said):
    with pytest.raises(InputError, match=said):
        run(scene(), **keywords)


# --- decide, assemble ----------------------------------------------------------------------------


def test_what_the_user_decides_is_not_decided():
    X = make_ready(scene()).X
    assert decide.count(X, 4, None, 0) == {"k": 4, "chosen": "user", "why": "asked for"}
    assert decide.scale_mode(X, None, 3, "max", 0)["chosen"] == "user"
    auto = decide.scale_mode(X, spectra()[:, : X.shape[1]], 3, "auto", 0)
    assert auto["chosen"] == "auto" and auto["why"] and auto["evidence"]["fits"] == "FCLS, NNLS"


def test_configure():
    made = decide.configure(None, None, 3, "l2", 9, "auto", {"preset": "paper"})
    assert type(made) is METHODS[DEFAULT] is METHODS["cresdae"]
    assert (made.n_endmembers, made.scale, made.seed, made.preset) == (3, "l2", 9, "paper")
    assert decide.configure(None, None, 3, "l2", 9, "auto", None).preset == "best"
    net = decide.configure("cresdae", None, 3, "none", 0, "cpu", None, print)
    assert net.device == "cpu" and net.progress is print


def test_a_method_that_diverges_is_said_to():
    class Broken(VCAFCLS):
        label = "broken"

        def transform(self, X):
            return super().transform(X) * np.nan

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "vca-fcls", Broken)
        with pytest.raises(FloatingPointError, match="vca-fcls diverged"):
            run(scene(), K, method="vca-fcls")


def test_the_grid_is_the_scenes(envi_scene):
    from unmix.output import georeferencing
    from unmix.scene import geo_of, open_scene

    whole = open_scene(envi_scene)
    for part in (whole, whole[1:4, 2:6]):
        result = run(part, 2, method="vca-fcls", preparation={"detect_bad_bands": False})
        crs, transform = georeferencing(result.abundances)
        assert crs.to_epsg() == 32633
        np.testing.assert_allclose(transform[:6], geo_of(part)[1])


# --- extract_endmembers --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["vca", "spa", "nfindr", "sisal"])
def test_extracted_endmembers_are_the_pure_pixels(method):
    found = extract_endmembers(scene(noise=0.0), K, method=method, scale="none")
    kept = np.isfinite(found.spectra).all(axis=0)
    assert np.flatnonzero(~kept).tolist() == IN_WATER
    distances = [np.abs(found.spectra[:, kept] - s[kept]).max(axis=1).min() for s in spectra()]
    assert max(distances) < 1e-3
    name = EXTRACTORS[method].label.split(" + ")[0]
    assert found.source == f"{name}, scale none, seed 0"


def test_extraction_and_run_agree():
    again = run(scene(), endmembers=extract_endmembers(scene(), K), method="vca-fcls")
    first = run(scene(), K, method="vca-fcls")
    np.testing.assert_allclose(again.abundances, first.abundances, atol=1e-6)


def test_extraction_by_an_unknown_method():
    with pytest.raises(InputError, match="method: got 'foo'"):
        extract_endmembers(scene(), K, method="foo")


# --- models --------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path):
    train_model(scene(), tmp_path / "model", n_endmembers=K, method="vca-fcls")
    return tmp_path / "model"


def test_a_model_applied_to_its_own_scene_is_the_run(model):
    applied = apply_model(model, scene())
    assert isinstance(applied, Unmixing)
    direct = run(scene(), K, method="vca-fcls")
    np.testing.assert_array_equal(applied.abundances, direct.abundances)
    about = applied.provenance
    assert about["method"]["model"] == str(model) and about["scale"]["chosen"] == "model"
    assert about["bands"]["reason"][str(IN_WATER[0])] == "not used by the model"


def test_bands_are_found_by_wavelength(model):
    wider = scene()
    extra = wider.isel(band=slice(0, 2)) * np.float32(0.5)
    extra["wavelength"] = ("band", np.array([400.0, 415.0]))
    wider = xr.concat([extra, wider], dim="band", combine_attrs="override", join="outer")
    shifted = wider.assign_coords(wavelength=wider["wavelength"] + 0.6)
    applied = apply_model(model, shifted)
    np.testing.assert_array_equal(applied.abundances, apply_model(model, scene()).abundances)
    assert np.isnan(applied.endmembers.spectra[:, :2]).all()


def test_bands_in_the_models_own_order_only(model):
    with pytest.raises(InputError, match="into the model's order"):
        apply_model(model, scene().isel(band=slice(None, None, -1)))


def test_of_bands_that_are_near_the_nearest_is_taken(tmp_path):
    """As where detectors overlap: the band before, left out in training, is not the model's."""
    nm = WAVELENGTH.copy()
    nm[12] = nm[13] - 0.7
    cube = scene().assign_coords(wavelength=("band", nm))
    dropped = {"preparation": {"drop_bands": "13", "overlap": "keep"}}
    train_model(cube, tmp_path / "m", n_endmembers=K, method="vca-fcls", **dropped)
    kept = apply_model(tmp_path / "m", cube).provenance["bands"]["kept"]
    assert kept[12:14] == [False, True]


def test_bands_that_repeat_are_told_apart(tmp_path):
    cube = scene()
    nm = WAVELENGTH.copy()
    nm[10] = nm[9]
    cube = cube.assign_coords(wavelength=("band", nm))
    options = {"overlap": "keep"}
    keywords = {"n_endmembers": K, "method": "vca-fcls", "preparation": options}
    train_model(cube, tmp_path / "m", **keywords)
    applied = apply_model(tmp_path / "m", cube)
    assert applied.provenance["bands"]["kept"][9:11] == [True, True]


def test_bands_are_found_by_position_without_wavelengths(tmp_path):
    plain = data(scene().values)
    train_model(plain, tmp_path / "m", n_endmembers=K, method="vca-fcls")
    applied = apply_model(tmp_path / "m", plain)
    direct = run(plain, K, method="vca-fcls")
    np.testing.assert_array_equal(applied.abundances, direct.abundances)
    assert applied.endmembers.wavelength is None
    with pytest.raises(InputError, match="made for scenes of 30 bands, this one has 29"):
        apply_model(tmp_path / "m", plain[..., 1:])


def test_smoothing_is_part_of_the_model(tmp_path):
    keywords = {"n_endmembers": K, "method": "vca-fcls", "preparation": {"smooth": 1.5}}
    train_model(scene(), tmp_path / "m", **keywords)
    applied = apply_model(tmp_path / "m", scene())
    direct = run(scene(), K, method="vca-fcls", preparation={"smooth": 1.5})
    np.testing.assert_allclose(applied.abundances, direct.abundances, atol=2e-3)
    assert any(step["step"] == "smooth" for step in applied.provenance["preparation"])


def test_names_of_given_endmembers_go_with_the_model(tmp_path):
    given = Endmembers(spectra(), WAVELENGTH, ("clay", "tree", "road"))
    train_model(scene(), tmp_path / "m", endmembers=given, method="vca-fcls")
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[0, 0] = True
    applied = apply_model(tmp_path / "m", scene(), mask=mask)
    assert applied.endmembers.names == ("clay", "tree", "road")
    assert np.isnan(applied.abundances.values[0, 0]).all()


def test_models_refuse_scenes_they_do_not_fit(model):
    with pytest.raises(InputError, match="apply it to scenes of the sensor"):
        apply_model(model, scene().assign_coords(wavelength=("band", WAVELENGTH + 5)))
    gap = scene()
    gap.values[..., 4] = np.nan
    with pytest.raises(
        InputError, match=r"band 5, which the model needs, cannot be used \(no data"
    ):
        apply_model(model, gap)
    with pytest.raises(InputError, match=r"no model\.json"):
        apply_model(model.parent, scene())


def test_the_status_of_a_training(tmp_path):
    keywords = {"n_endmembers": K, "method": "cresdae", "parameters": QUICK}
    assert train_model(scene(), tmp_path / "m", **keywords) == "Trained for all 1 epochs."
    with pytest.raises(InputError, match="exists"):
        train_model(scene(), tmp_path / "m", **keywords)
    train_model(scene(), tmp_path / "m", **keywords, overwrite=True)
    applied = apply_model(tmp_path / "m", scene())
    direct = run(scene(), K, method="cresdae", parameters=QUICK)
    np.testing.assert_array_equal(applied.abundances, direct.abundances)


def test_given_endmembers_are_blank_in_bands_left_out():
    rng = np.random.default_rng(0)
    E, wavelength = rng.uniform(0.1, 0.9, (2, 30)), np.linspace(1200.0, 1600.0, 30)
    A = rng.dirichlet(np.ones(2), (6, 7))
    cube = xr.DataArray(
        (A @ E + 1e-3 * rng.standard_normal((6, 7, 30))).astype(np.float32),
        dims=("y", "x", "band"),
        coords={"wavelength": ("band", wavelength)},
    )
    result = run(cube, endmembers=Endmembers(E, wavelength, ("a", "b")), method="vca-fcls")
    hidden = (wavelength >= 1350) & (wavelength <= 1450)
    assert np.array_equal(np.isnan(result.endmembers.spectra), np.stack([hidden, hidden]))
    np.testing.assert_allclose(result.endmembers.spectra[:, ~hidden], E[:, ~hidden])
    assert result.endmembers.names == ("a", "b")


def test_a_method_that_refines_given_endmembers_shows_its_own():
    rng = np.random.default_rng(0)
    E = rng.uniform(0.1, 0.9, (2, 30))
    X = (rng.dirichlet(np.ones(2), (8, 9)) @ E).astype(np.float32)
    options = {
        "preset": "paper",
        "epochs": 2,
        "pretrain_epochs": 0,
        "decoder_lr": 0.01,
        "batch_size": 16,
    }
    result = run(
        xr.DataArray(X, dims=("y", "x", "band")),
        endmembers=E + 0.05,
        method="cresdae",
        scale="none",
        device="cpu",
        parameters=options,
    )
    moved = np.abs(result.endmembers.spectra - (E + 0.05)).max()
    assert 1e-4 < moved < 0.3
    assert "then CResDAE" in result.endmembers.source
