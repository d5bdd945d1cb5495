"""How sure a result is: from the method through masks and model files into the result folder."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import rasterio
import xarray as xr

from unmix.cli import main
from unmix.io.library import read_endmembers
from unmix.methods import METHODS, CResDAE
from unmix.methods.linear import VCAFCLS
from unmix.output import georeferencing, load
from unmix.pipeline import apply_model, run, train_model
from unmix.pipeline.ready import make_ready
from unmix.simulate import simulate
from unmix.types import STATISTICS, Endmembers

SIDE, BANDS, K = 24, 20, 3
WAVELENGTH = np.linspace(430.0, 2450.0, BANDS)
BEST = {"method": "cresdae", "parameters": {"preset": "best"}, "scale": "none"}
WHERE = {"GeoTransform": "500000 30 5 5000000 5 -30"}
MASKED = (slice(7, 8), slice(1, 9))


def members() -> Endmembers:
    t = np.linspace(0, 1, BANDS)
    bumps = [np.exp(-(((t - c) / 0.15) ** 2)) for c in (0.1, 0.5, 0.9)]
    spectra = np.stack([0.1 + 0.15 * i + 0.3 * bump for i, bump in enumerate(bumps)])
    return Endmembers(spectra, WAVELENGTH, ("clay", "tree", "road"))


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    made = simulate(members(), snr=30, size=(SIDE, SIDE), seed=0)
    cube = made.cube.astype(np.float32)
    cube[2, 3, 5], cube[4] = np.nan, 0
    coords = {"wavelength": ("band", WAVELENGTH), "spatial_ref": xr.DataArray(0, attrs=WHERE)}
    return xr.DataArray(cube, dims=("y", "x", "band"), coords=coords)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[MASKED] = True
    return mask


@pytest.fixture(scope="module")
def result(scene, mask):
    return run(scene, K, mask=mask, **BEST)


@pytest.fixture(scope="module")
def out(result, tmp_path_factory):
    return result.save(tmp_path_factory.mktemp("sure") / "OUT")


class Unsure(VCAFCLS):
    """VCA and FCLS with a made-up uncertainty, spread, evidence and warning."""

    label = "unsure"

    def fit(self, X, y=None):
        super().fit(X)
        self.spread_ = 0.1 * self.endmembers_
        self.evidence_ = {"surface": "linear", "misfit": np.float64(1.25)}
        self.warnings_ = ("endmember 1 and 2 swap between starts",)
        return self

    def uncertainty(self, X):
        A = self.transform(X)
        return {"sd": A / 10, "low": A * 0.8, "high": A * 1.2}


@pytest.fixture
def unsure(monkeypatch):
    monkeypatch.setitem(METHODS, "vca-fcls", Unsure)


# --- in memory -----------------------------------------------------------------------------------


def test_it_is_what_the_method_says_on_the_pixels_that_are_not_masked(scene, mask, result):
    assert result.uncertainty.dims == ("y", "x", "member", "quantity")
    assert result.uncertainty.shape == (SIDE, SIDE, K, 3)
    assert tuple(result.uncertainty["quantity"].values) == STATISTICS
    assert list(result.uncertainty["member"].values) == list(result.endmembers.names)
    ready = make_ready(scene, mask=mask)
    model = CResDAE(K, preset="best").fit(ready.image)
    for name, values in model.uncertainty(ready.image).items():
        found = result.uncertainty.sel(quantity=name).values
        np.testing.assert_array_equal(found[ready.valid], values[ready.valid])
    left_out = mask.copy()
    left_out[2, 3] = left_out[4] = True
    assert (np.isnan(result.uncertainty.values).all(axis=(2, 3)) == left_out).all()
    assert np.isfinite(result.uncertainty.values[~left_out]).all()
    sd, low, high = np.moveaxis(result.uncertainty.values[~left_out], -1, 0)
    A = result.abundances.values[~left_out]
    assert (sd >= 0).all() and (low <= A + 1e-5).all() and (high >= A - 1e-5).all()


@pytest.mark.parametrize(
    "keywords",
    [
        {"method": "vca-fcls"},
        {"method": "cresdae", "parameters": {"preset": "paper", "epochs": 1, "pretrain_epochs": 0}},
    ],
)
def test_a_method_that_does_not_know_has_none(scene, keywords, tmp_path):
    result = run(scene, K, **keywords)
    assert result.uncertainty is None and result.endmembers.spread is None
    assert result.provenance["evidence"] is None
    names = {p.name for p in result.save(tmp_path / "OUT").iterdir()}
    assert not names & {"uncertainty.tif", "endmembers_spread.csv"}


def test_bad_pixels_are_an_error_of_their_own_and_not_a_missing_uncertainty(scene):
    model = CResDAE(K, preset="best").fit(make_ready(scene).image)
    with pytest.raises(ValueError, match="features"):
        model.transform_with_uncertainty(np.ones((4, 5, BANDS + 1)))


def test_spread_evidence_and_warnings_go_with_it(scene, unsure):
    result = run(scene, K, method="vca-fcls")
    left_out = np.isnan(result.endmembers.spectra)
    assert left_out.any()
    np.testing.assert_allclose(result.endmembers.spread, 0.1 * result.endmembers.spectra)
    assert result.provenance["evidence"] == {"surface": "linear", "misfit": 1.25}
    assert result.provenance["warnings"] == ["endmember 1 and 2 swap between starts"]
    given = run(scene, endmembers=members(), method="vca-fcls")
    assert given.endmembers.spread is None  # those given are shown, and they have none


def test_an_uncertainty_that_is_not_finite_is_a_failure(scene, unsure, monkeypatch):
    bad = dict.fromkeys(STATISTICS, np.full((SIDE**2 - SIDE - 1, K), np.nan))
    monkeypatch.setattr(Unsure, "uncertainty", lambda *_: bad)
    with pytest.raises(FloatingPointError, match="diverged"):
        run(scene, K, method="vca-fcls")


# --- in the folder -------------------------------------------------------------------------------


def test_the_raster_lies_where_the_scene_lies(out, result):
    names = [f"{m} {q}" for m in result.endmembers.names for q in ("sd", "low 90%", "high 90%")]
    with rasterio.open(out / "uncertainty.tif") as sure, rasterio.open(out / "abundances.tif") as a:
        assert list(sure.descriptions) == names
        assert sure.transform == a.transform and sure.transform.b == 5
        assert (sure.shape, sure.dtypes[0], np.isnan(sure.nodata)) == (a.shape, "float32", True)
        values = result.uncertainty.values.reshape(SIDE, SIDE, -1)
        np.testing.assert_array_equal(sure.read(), np.moveaxis(values, -1, 0))


def test_it_is_read_back(out, result):
    back = load(out)
    np.testing.assert_array_equal(back.uncertainty, result.uncertainty)
    assert back.uncertainty.dims == result.uncertainty.dims
    assert georeferencing(back.uncertainty) == georeferencing(result.abundances)
    again = back.save(out.parent / "again")
    assert (again / "uncertainty.tif").read_bytes() == (out / "uncertainty.tif").read_bytes()


def test_the_manifest_has_the_evidence_and_the_file(out):
    manifest = json.loads((out / "manifest.json").read_bytes())
    evidence = manifest["evidence"]
    assert evidence["surface"] in {c["surface"] for c in evidence["candidates"]}
    assert {"misfit", "noise_left", "components", "constants"} <= evidence.keys()
    assert manifest["n_endmembers"]["why"] and manifest["scale"]["why"]
    assert "uncertainty.tif" in {f["path"] for f in manifest["output"]["files"]}
    assert isinstance(manifest["warnings"], list)


def test_the_report_speaks_of_it(out):
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "How sure each abundance is" in text and "What was chosen and why" in text


def test_endmembers_with_a_spread_are_still_a_library(scene, unsure, tmp_path):
    first = run(scene, K, method="vca-fcls")
    folder = first.save(tmp_path / "OUT")
    with (folder / "endmembers_spread.csv").open(encoding="utf-8", newline="") as file:
        head = next(csv.reader(file))
    assert head == ["wavelength_nm", *(f"{name} sd" for name in first.endmembers.names)]
    assert len(read_endmembers(folder / "endmembers.csv")) == K
    again = run(scene, endmembers=folder / "endmembers.csv", method="vca-fcls", scale="none")
    assert again.endmembers.names == first.endmembers.names
    np.testing.assert_allclose(load(folder).endmembers.spread, first.endmembers.spread)


# --- models --------------------------------------------------------------------------------------


def test_a_model_applied_says_how_sure_it_is(scene, result, mask, tmp_path):
    keywords = {"n_endmembers": K, **BEST}
    train_model(scene.where(~xr.DataArray(mask, dims=("y", "x"))), tmp_path / "m", **keywords)
    applied = apply_model(tmp_path / "m", scene, mask=mask)
    np.testing.assert_allclose(applied.abundances, result.abundances, atol=1e-6)
    np.testing.assert_allclose(applied.uncertainty, result.uncertainty, atol=1e-6)
    assert applied.provenance["evidence"] == result.provenance["evidence"]


def test_run_and_apply_on_the_command_line(scene, write_envi, tmp_path, capsys):
    utm = ["UTM", 1, 1, 500000, 5000000, 30, 30, 33, "North", "WGS-84"]
    cube = np.nan_to_num(scene.values)
    path = write_envi(tmp_path / "a.img", cube, wavelength=WAVELENGTH, map_info=utm)
    method = ["-k", str(K), "--method", "cresdae", "--scale", "none"]
    for command in (
        ["run", path, "-o", tmp_path / "OUT", *method],
        ["train", path, "-o", tmp_path / "m", *method],
        ["apply", tmp_path / "m", path, "-o", tmp_path / "applied"],
    ):
        with pytest.raises(SystemExit) as ended:
            main([str(part) for part in command])
        assert ended.value.code == 0, capsys.readouterr().err
    for name in ("abundances.tif", "uncertainty.tif"):
        with (
            rasterio.open(tmp_path / "OUT" / name) as a,
            rasterio.open(tmp_path / "applied" / name) as b,
        ):
            assert a.crs == b.crs == "EPSG:32633" and a.transform == b.transform
            assert a.descriptions == b.descriptions
            np.testing.assert_allclose(a.read(), b.read(), atol=1e-6)
