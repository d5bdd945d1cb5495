"""Feature maps of a run: those of its prepared pixels, and none where bands cover none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from unmix import run
from unmix.cli import main
from unmix.features import feature_maps, signal, signal_of
from unmix.pipeline.features import plan_features
from unmix.pipeline.ready import make_ready

NM = np.r_[np.arange(500.0, 1350, 10), np.arange(1500, 1790, 10), np.arange(2000, 2450, 8)]


def scene(nm=NM, wavelength=True):
    """A 17 × 12 scene of a clay with an absorption at 2207 nm, a limestone at 2341 nm, a soil."""
    rng = np.random.default_rng(3)
    dips = [(2207, 12, 0.3), (2341, 16, 0.35), (2100, 1, 0.0)]
    E = [(0.3 + 0.1 * k) * (1 - d * np.exp(-0.5 * ((nm - c) / w) ** 2)) * (nm / 2000) ** (0.3 * k)
         for k, (c, w, d) in enumerate(dips)]  # fmt: skip
    A = rng.dirichlet([0.4] * 3, (17, 12))
    A[:3, 0], A[:3, 1], A[:3, 2] = np.eye(3)
    cube = (A @ np.array(E) + rng.normal(0, 5e-4, (17, 12, len(nm)))).astype(np.float32)
    cube[5, 6] = np.nan
    coords = {"wavelength": ("band", nm)} if wavelength else {}
    return xr.DataArray(cube, dims=("y", "x", "band"), coords=coords), np.array(E)


@pytest.fixture(scope="module")
def result():
    return run(scene()[0], 3, method="vca-fcls")


def test_features_are_those_of_the_projected_pixels(result):
    cube, _ = scene()
    ready = make_ready(cube)
    direct = feature_maps(signal_of(ready.X), NM[ready.preparation.kept])
    maps = result.features
    assert maps.dims == ("y", "x", "quantity") and maps.shape[:2] == (17, 12)
    bands = list(maps.coords["quantity"].values)
    for k, name in enumerate(direct.names):
        depth = maps.values[ready.valid][:, bands.index(f"{name} nm depth")]
        np.testing.assert_array_equal(depth, direct.depth[:, k])
        centre = maps.values[ready.valid][:, bands.index(f"{name} nm centre [nm]")]
        np.testing.assert_array_equal(centre, direct.centre[:, k])
        mask = maps.values[ready.valid][:, bands.index(f"{name} nm mask")]
        np.testing.assert_array_equal(mask == 1, np.isfinite(centre))
    assert np.isnan(maps.values[5, 6]).all()


def test_centres_are_where_the_minerals_absorb(result):
    maps = result.features
    at = {name: maps.sel(quantity=f"{name} nm centre [nm]").values for name in ("2200", "2330")}
    assert at["2200"][0, 0] == pytest.approx(2207, abs=2)
    assert at["2330"][0, 1] == pytest.approx(2341, abs=2)
    assert np.isnan(at["2200"][0, 2]) and np.isnan(at["2330"][0, 2])


def test_only_covered_features_are_mapped():
    nm = np.arange(2000.0, 2450, 8)
    plan = plan_features(make_ready(scene(nm)[0]), denoise=False, seed=0)
    assert plan.names == ("2200", "2250", "2330")
    bare = make_ready(scene(np.arange(1500.0, 1790, 10))[0])
    assert plan_features(bare, denoise=False, seed=0) is None
    assert run(scene(wavelength=False)[0], 3, method="vca-fcls").features is None


def test_patches_are_averaged_where_asked():
    ready = make_ready(scene()[0])
    smooth, plain = (plan_features(ready, denoise=d, seed=0) for d in (True, False))
    whole = tuple(slice(0, n) for n in ready.valid.shape)
    averaged, apart = (p(ready.image, whole, ready.valid) for p in (smooth, plain))
    clean = signal(ready.X, image=True).apply(ready.image)[ready.valid]
    expected = feature_maps(clean, NM[ready.preparation.kept])
    np.testing.assert_array_equal(averaged[:, ::3], expected.depth)
    assert (smooth.halo, plain.halo) == (24, 0)
    assert np.nanmax(np.abs(averaged[:, ::3] - apart[:, ::3])) > 0


def test_features_can_be_left_out():
    assert run(scene()[0], 3, method="vca-fcls", features=False).features is None


def code_of(arguments):
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code


def test_the_command_line_takes_the_settings(tmp_path, write_envi, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cube = np.nan_to_num(scene()[0].values, nan=-9999)
    fields = {"wavelength": list(NM), "wavelength_units": "Nanometers", "data_ignore_value": -9999}
    write_envi(tmp_path / "s.img", cube, **fields)
    common = ["run", "s.hdr", "-k", "3", "--method", "vca-fcls", "--no-identify"]
    more = ["--anomaly-threshold", "0.4", "--anomaly-area", "7", "--ternary",
            "endmember 3,endmember 1,endmember 2"]  # fmt: skip
    assert code_of([*common, *more, "--no-features", "-o", "out"]) == 0
    about = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert about["geology"] == {
        "anomaly_threshold": 0.4, "anomaly_area": 7.0, "ternary": [3, 1, 2],
    }  # fmt: skip
    assert about["output"]["anomalies"]["least_pixels"] == 7
    assert not (tmp_path / "out" / "features.tif").exists()
    assert code_of([*common, "-o", "two"]) == 0
    assert (tmp_path / "two" / "features.tif").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--anomaly-threshold", "0"), ("--anomaly-threshold", "nan"), ("--anomaly-area", "-1"),
     ("--anomaly-area", "inf"), ("--ternary", "a,b"), ("--ternary", "")],
)  # fmt: skip
def test_settings_that_cannot_be_are_one_line(tmp_path, write_envi, capsys, option, value):
    cube = np.nan_to_num(scene()[0].values, nan=-9999)
    header = write_envi(tmp_path / "s.img", cube, data_ignore_value=-9999)
    out = tmp_path / "out"
    assert code_of(["run", str(header), "-k", "3", "-o", str(out), option, value]) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said and option.strip("-").replace("-", "_") in said
    assert not out.exists()


def test_a_composite_of_names_that_were_not_found_is_a_warning():
    result = run(scene()[0], 3, method="vca-fcls", ternary="a,b,c")
    assert any("no member is called 'a'" in w for w in result.provenance["warnings"])
    assert len(result.provenance["geology"]["ternary"]) == 3
