"""Input that is odd but right: it works, and what comes out is right."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from scipy.io import savemat

import unmix
from unmix.cli import main
from unmix.methods import METHODS
from unmix.methods.linear import LinearUnmixer

from .conftest import (
    BANDS,
    COLUMNS,
    NAMES,
    PLAIN,
    QUICK,
    QUICKLY,
    ROWS,
    WAVELENGTH,
    distance,
    manifest,
    maps,
    mixture,
    spectra,
)

CLOSE = 0.03  # abundances found blind
SAME = 1e-5  # the same spectra again


# --- run -----------------------------------------------------------------------------------------


def test_run_writes_what_it_promises(pages, works, scene, truth, tmp_path):
    answer = works("run", scene, "-o", "out", "-k", 3)
    written = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert [name for name in written if not name.endswith(".qml")] == [
        *("abundances.tif", "anomalies.gpkg", "classes.tif", "classes.tif.aux.xml"),
        *("confidence.tif", "endmembers.csv", "endmembers.hdr", "endmembers.sli"),
        *("endmembers_spread.csv", "false_colour.tif", "manifest.json", "quicklook.png"),
        *("report.html", "residual.tif", "ternary.tif", "uncertainty.tif"),
    ]
    layers = ("abundances", "anomalies", "classes", "confidence", "residual", "uncertainty")
    assert {f"{layer}.qml" for layer in layers} <= set(written)
    about = manifest(tmp_path / "out")["method"]
    assert (about["name"], about["parameters"]["preset"]) == ("cresdae", "best")
    assert [line.split()[0] for line in answer.out.splitlines()] == [
        *("method", "endmembers", "scale", "pixels", "residual", "status", "seconds", "report"),
    ]
    assert distance(maps(tmp_path / "out"), truth) < CLOSE
    assert not [name for name in answer.new if not name.startswith("out")]


def test_json_and_nothing_else(works, scene, tmp_path):
    answer = works("run", scene, "-o", "out", "--json")
    assert answer.json["out"] == str(tmp_path / "out")
    assert answer.json["endmembers"].startswith("3 (")
    assert manifest(tmp_path / "out")["n_endmembers"]["chosen"] == "estimated"


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize(
    ("rows", "columns"), [(1, 2), (1, 3), (5, 1), (1, 40), (40, 1), (2, 2), (3, 7)]
)
def test_scenes_of_few_pixels(make, rows, columns, k):
    path = make("small", mixture(rows, columns)[0])
    k = k and min(k, rows * columns)
    result = unmix.run(str(path), k)
    A = result.abundances.values
    assert A.shape[:2] == (rows, columns)
    np.testing.assert_allclose(A.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("n_pixels", [2, 3, 4, 5])
@pytest.mark.parametrize("method", METHODS)
def test_handfuls_of_pixels_by_every_method(make, n_pixels, method):
    path = make("small", mixture(1, n_pixels)[0])
    result = unmix.run(path, 2, method=method, parameters=QUICKLY.get(method, {}))
    assert np.isfinite(result.abundances.values).all()


def test_one_row_through_the_command_line(works, make, tmp_path):
    works("run", make("row", mixture(1, 40)[0]), "-o", "out", "-k", 3)
    assert maps(tmp_path / "out").shape == (1, 40, 3)


def test_as_many_endmembers_as_bands(works, write_envi, tmp_path):
    path = write_envi(tmp_path / "few.img", mixture()[0][..., ::8])
    works("run", path, "-o", "out", "-k", 3, *PLAIN)
    assert maps(tmp_path / "out").shape == (ROWS, COLUMNS, 3)


@pytest.mark.parametrize(
    ("dtype", "scale", "declared"),
    [("<i2", 10_000, None), ("<u2", 1000, None), ("u1", 250, None), ("<i2", 10_000, 10_000)],
)
def test_whole_numbers(make, truth, dtype, scale, declared):
    path = make("dn", np.rint(mixture()[0] * scale), dtype, reflectance_scale_factor=declared)
    result = unmix.run(path, 3, scale="none")
    assert distance(result.abundances.values, truth) < (0.1 if dtype == "u1" else CLOSE)
    assert 0.2 < np.nanpercentile(result.endmembers.spectra, 99) < 2  # a guess, 200 as percent


def test_no_wavelengths(works, write_envi, tmp_path, truth):
    path = write_envi(tmp_path / "plain.img", mixture()[0])
    works("run", path, "-o", "out", "-k", 3)
    head = (tmp_path / "out" / "endmembers.csv").read_text().splitlines()[:2]
    assert head[0].startswith("band,") and head[1].startswith("1,")
    assert distance(maps(tmp_path / "out"), truth) < CLOSE


@pytest.mark.parametrize("order", [slice(None, None, -1), np.random.default_rng(1).permutation(24)])
def test_wavelengths_in_any_order(make, truth, order):
    path = make("mixed", mixture()[0][..., order], wavelength=WAVELENGTH[order])
    result = unmix.run(path, 3)
    np.testing.assert_allclose(result.endmembers.wavelength, WAVELENGTH[order])
    assert distance(result.abundances.values, truth) < CLOSE


def test_rotated_grid_names_and_no_data(works, make, library, tmp_path, truth):
    cube = mixture()[0]
    cube[2, 3], cube[5, 1, 7] = -9999, -9999
    place = ["UTM", 1, 1, 365055.0, 5807085.0, 30, 20, 33, "North", "WGS-84", "rotation=33"]
    path = make("rotated", cube, map_info=place, data_ignore_value=-9999)
    names = library("names.csv", spectra())
    works("run", path, "-o", "out", "--endmembers", names)
    scene = unmix.open_scene(path)
    from unmix.scene import geo_of

    crs, affine = geo_of(scene)
    with rasterio.open(tmp_path / "out" / "abundances.tif") as file:
        assert file.crs == rasterio.crs.CRS.from_wkt(crs) and file.crs.to_epsg() == 32633
        assert file.transform.almost_equals(Affine(*affine))
        assert abs(file.transform.b) > 1 and file.transform.c == 365055.0
        assert file.descriptions == NAMES and np.isnan(file.nodata)
        assert set(file.dtypes) == {"float32"} and file.count == 3
    found = maps(tmp_path / "out")
    masked = np.isnan(found).all(axis=-1)
    assert np.argwhere(masked).tolist() == [[2, 3], [5, 1]]
    assert np.abs(found - truth)[~masked].max() < 0.02
    with rasterio.open(tmp_path / "out" / "residual.tif") as file:
        assert np.isnan(file.read()[:, 2, 3]).all() and np.isfinite(file.read()[:, 0, 0]).all()


def test_mask_of_nearly_everything(works, scene, tiff, tmp_path):
    mask = np.ones((1, ROWS, COLUMNS), np.uint8)
    mask[0, 0, :3] = 0
    works("run", scene, "-o", "out", "-k", 2, "--mask", tiff("mask.tif", mask))
    assert np.isfinite(maps(tmp_path / "out")).all(axis=-1).sum() == 3
    about = manifest(tmp_path / "out")["pixels"]
    assert about["masked"] == 114 and about["by"]["left out by the mask given"] == 114


def test_mask_of_nothing_and_its_no_data(works, scene, tiff, tmp_path):
    mask = np.zeros((1, ROWS, COLUMNS), np.uint8)
    mask[0, 1] = 255
    path = tiff("mask.tif", mask, nodata=255)
    works("run", scene, "-o", "out", "-k", 3, *PLAIN, "--mask", path)
    assert np.isfinite(maps(tmp_path / "out")).all()


@pytest.mark.parametrize("method", METHODS)
def test_two_equal_endmembers(scene, library, truth, method):
    twice = library("twice.csv", spectra()[[0, 1, 1, 2]], names=["a", "b", "c", "d"])
    A = unmix.run(
        scene, endmembers=twice, method=method, parameters=QUICKLY.get(method, {})
    ).abundances.values
    assert A.min() >= 0
    np.testing.assert_allclose(A.sum(axis=-1), 1, atol=1e-5)
    if issubclass(METHODS[method], LinearUnmixer):  # the scene is linear: solved exactly
        assert np.abs(A[..., 1] + A[..., 2] - truth[..., 1]).max() < 0.02


def test_more_members_than_pixels_and_than_bands(scene, make, library):
    many = np.random.default_rng(0).uniform(0.1, 0.9, (40, BANDS))
    path = library("many.csv", many, names=[f"n{i}" for i in range(40)])
    for where in (scene, make("two", mixture(1, 2)[0])):
        A = unmix.run(where, endmembers=path, method="vca-fcls").abundances.values
        np.testing.assert_allclose(A.sum(axis=-1), 1, atol=1e-5)


def test_parameters_are_passed_on(works, scene, tmp_path):
    options = ["--set", "restarts=4", "--seed", 5, "--scale", "l2"]
    works("run", scene, "-o", "a", "-k", 3, *PLAIN, *options)
    about = manifest(tmp_path / "a")
    assert about["method"]["parameters"]["restarts"] == 4
    assert about["seed"] == about["method"]["parameters"]["seed"] == 5
    assert about["scale"] == {**about["scale"], "mode": "l2", "chosen": "user"}


def test_preparation_options(works, scene, tmp_path):
    options = ["--drop-bands", "1-3,2000nm-2100nm", "--water-windows", "1.0um-1.2um"]
    options += ["--smooth", 1, "--reflectance-scale", 2]
    works("run", scene, "-o", "out", "-k", 3, *PLAIN, *options)
    about = manifest(tmp_path / "out")
    kept = np.array(about["bands"]["kept"])
    expected = np.ones(BANDS, bool)
    expected[:3] = False
    expected[(WAVELENGTH >= 2000) & (WAVELENGTH <= 2100)] = False
    expected[(WAVELENGTH >= 1000) & (WAVELENGTH <= 1200)] = False
    assert (kept == expected).all()
    with (tmp_path / "out" / "endmembers.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    assert [row[1] != "" for row in rows] == expected.tolist()


def test_overwrite(works, result, scene):
    before = manifest(result)["n_endmembers"]["k"]
    works("run", scene, "-o", "out", "-k", 4, *PLAIN, "--overwrite")
    assert (before, manifest(result)["n_endmembers"]["k"]) == (3, 4)


@pytest.mark.parametrize("name", ["with space", "ünï-中", "new\nline", "<script>", "-dash"])
def test_names_of_files_and_folders(pages, works, make, name, tmp_path):
    path = make(name, mixture()[0])
    answer = works("run", "-o", f"deep/{name}", "-k", 3, *PLAIN, "--", path)
    assert (tmp_path / "deep" / name / "report.html").is_file()
    assert json.loads((tmp_path / "deep" / name / "manifest.json").read_text())
    assert answer.err == ""


# --- endmember files, round trips ----------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "sli"])
@pytest.mark.parametrize(
    "kind", ["fractions", "ten-thousandths", "raw numbers", "no wavelengths", "two detectors"]
)
def test_round_trip(works, make, write_envi, tmp_path, suffix, kind):
    X = mixture()[0]
    if kind == "no wavelengths":
        path = write_envi(tmp_path / "s.img", X)
    elif kind == "two detectors":
        nm = np.concatenate([np.linspace(450, 1000, 14), np.linspace(900, 2400, 10)])
        nm[13] = nm[15]
        path = make("s", X, wavelength=nm)
    else:
        factor = {"fractions": 1, "ten-thousandths": 1e4, "raw numbers": 9e4}[kind]
        path = make("s", X * factor, "<f4" if factor == 1 else "<i4")
    works("endmembers", path, "-k", 3, "-o", f"lib.{suffix}")
    first = unmix.run(path, 3, method="vca-fcls")
    again = unmix.run(path, endmembers=tmp_path / f"lib.{suffix}", method="vca-fcls")
    np.testing.assert_allclose(again.abundances.values, first.abundances.values, atol=SAME)
    assert not [w for w in again.provenance["warnings"] if "endmembers" in w]


@pytest.mark.parametrize("suffix", ["csv", "sli"])
def test_endmembers_of_a_result(works, result, scene, suffix, tmp_path):
    works("run", scene, "-o", "again", *PLAIN, "--endmembers", result / f"endmembers.{suffix}")
    np.testing.assert_allclose(maps(tmp_path / "again"), maps(result), atol=SAME)


@pytest.mark.parametrize("factor", [1.0, 100.0, 1000.0, 1e4, 9e4])
def test_spectra_in_the_scenes_stored_numbers(make, library, truth, factor):
    stored = make("s", mixture()[0] * factor, "<f4" if factor == 1 else "<i4")
    given = library("lib.csv", spectra() * factor)
    result = unmix.run(stored, endmembers=given, scale="none", method="vca-fcls")
    assert np.abs(result.abundances.values - truth).max() < 0.03
    assert not [w for w in result.provenance["warnings"] if "endmembers" in w]


@pytest.mark.parametrize("unit", [1.0, 100.0, 1e4])
@pytest.mark.parametrize("factor", [1.0, 1e4])
def test_spectra_in_other_units_of_reflectance(make, library, truth, unit, factor):
    stored = make("s", mixture()[0] * factor, "<f4" if factor == 1 else "<i2")
    given = library("lib.csv", spectra() * unit)
    result = unmix.run(stored, endmembers=given, scale="none", method="vca-fcls")
    assert np.abs(result.abundances.values - truth).max() < 0.03


def test_bright_outliers_survive_the_round_trip(works, make, tmp_path):
    X = mixture()[0] * 9e4
    X[0, 3] *= 8
    path = make("bright", X, "<i4")
    works("endmembers", path, "-k", 3, "-o", "lib.csv", "--scale", "none")
    first = unmix.run(path, 3, scale="none", method="vca-fcls")
    again = unmix.run(path, endmembers=tmp_path / "lib.csv", scale="none", method="vca-fcls")
    np.testing.assert_allclose(again.abundances.values, first.abundances.values, atol=SAME)


def test_matlab_endmembers_and_scene(works, tmp_path, truth):
    X = mixture()[0]
    columns = X.transpose(1, 0, 2).reshape(-1, BANDS).T
    content = {"Y": columns, "nRow": ROWS, "nCol": COLUMNS}
    savemat(tmp_path / "scene.mat", content)
    savemat(tmp_path / "lib.mat", {"M": spectra().T})
    works("run", "scene.mat", "-o", "out", "--endmembers", "lib.mat")
    assert np.abs(maps(tmp_path / "out") - truth).max() < 0.02
    savemat(tmp_path / "two.mat", {"one": X, "two": X})
    works("info", "two.mat", "--json", "--variable", "two")


def test_half_covered_bands_are_left_out(works, scene, library, tmp_path, truth):
    half = library("half.csv", spectra()[:, :12], WAVELENGTH[:12])
    works("run", scene, "-o", "out", "--endmembers", half)
    reasons = manifest(tmp_path / "out")["bands"]["reason"]
    assert reasons["20"] == "not covered by the endmembers"
    assert np.abs(maps(tmp_path / "out") - truth).max() < 0.05


@pytest.mark.parametrize("command", ["run", "train", "apply"])
def test_a_bar_on_a_terminal_and_none_with_json(cli, scene, model, monkeypatch, command):
    first = ["model"] if command == "apply" else []
    rest = [] if command == "apply" else ["-k3", "--method", "vca-fcls"]
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    answer = cli(command, *first, scene, "-o", "out", *rest)
    assert answer.code == 0 and "prepare" in answer.err and "prepare" not in answer.out
    if command != "train":
        silent = cli(command, *first, scene, "-o", "out", *rest, "--json", "--overwrite")
        assert (silent.code, silent.err) == (0, "") and silent.json


# --- the other commands --------------------------------------------------------------------------


def test_info(works, scene, write_envi, tmp_path):
    found = works("info", scene, "--json").json
    assert (found["rows"], found["columns"], found["bands"]) == (ROWS, COLUMNS, BANDS)
    assert found["suggested_k"] == 3 and found["scale"] == "none"
    assert found["bands_left_out"]["12"].startswith("water vapour")
    text = works("info", scene).out
    assert "13 rows × 9 columns × 24 bands" in text and "not georeferenced" in text
    plain = write_envi(tmp_path / "p.img", mixture()[0])
    assert works("info", plain, "--json").json["wavelength_nm"] is None
    assert "no wavelengths" in works("info", plain).out


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (2, 1), (2, 2), (1, 40)])
def test_info_on_few_pixels(works, make, rows, columns):
    found = works("info", make("small", mixture(rows, columns)[0]), "--json").json
    assert found["pixels_valid"] == rows * columns and found["suggested_k"] >= 1


def test_a_wrong_byte_order_is_warned_of(works, make, tmp_path):
    path = make("swapped", 1e4 * mixture(30, 41)[0], ">i2")
    text = path.read_text()
    assert "byte order = 1" in text
    path.write_text(text.replace("byte order = 1", "byte order = 0"))
    said = "noise is as large as the signal"
    assert said in " ".join(works("info", path).out.split())
    run = works("run", path, "-o", tmp_path / "out", *PLAIN, "-k", "2", "--no-report")
    assert said in " ".join((run.out + run.err).split())


def test_info_knows_where_it_is(works, make):
    place = ["UTM", 1, 1, 365055.0, 5807085.0, 30, 20, 33, "North", "WGS-84", "rotation=33"]
    text = works("info", make("rotated", mixture()[0], map_info=place)).out
    assert "EPSG:32633" in text and "turned by" in text


def test_simulate_run_evaluate_report(pages, works, tmp_path):
    works("simulate", "-o", "s.mat", "--size", "30x40", "--seed", 3)
    works("run", "s.mat", "-o", "out", "-k", 4)
    found = works("evaluate", "out", "--truth", "s.mat", "--json").json
    assert found["abundance_rmse"] < 0.05 and found["aligned_by"] == "endmember spectral angle"
    assert "Alunite" in works("evaluate", "out", "--truth", "s.mat").out
    page = tmp_path / "out" / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert works("report", "out").out.strip() == "out/report.html"
    assert page.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"s.mat", "out"}


@pytest.mark.parametrize("model", ["linear", "bilinear", "pnmm", "fan", "gbm", "ppnm"])
def test_simulate_models(works, model, tmp_path):
    options = ["--size", "5x7", "--snr", "inf", "--model", model, "--members", "calcite,alunite"]
    works("simulate", "-o", "a.tif", *options)
    works("simulate", "-o", "b.tif", *options)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    scene = unmix.open_scene(tmp_path / "a.tif")
    assert scene.shape[:2] == (5, 7) and np.isfinite(scene.values).all()


def test_train_and_apply(works, scene, make, tmp_path):
    works("train", scene, "-k", 3, "-o", "model", *QUICK)
    works("train", scene, "-k", 3, "-o", "model", *QUICK, "--overwrite")
    works("run", scene, "-o", "direct", "-k", 3, *QUICK)
    works("apply", "model", scene, "-o", "out", "--json")
    np.testing.assert_array_equal(maps(tmp_path / "out"), maps(tmp_path / "direct"))
    about = manifest(tmp_path / "out")
    assert about["method"]["name"] == "cresdae" and about["scale"]["chosen"] == "model"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_apply_to_part_of_the_scene_in_other_units(works, model, make, result, tmp_path):
    part = make("part", mixture()[0][2:7, 1:] * 1e4, "<f4")
    works("apply", model, part, "-o", "applied")
    np.testing.assert_allclose(maps(tmp_path / "applied"), maps(result)[2:7, 1:], atol=1e-4)


def test_train_takes_the_spectra_that_come_with_simulated_data(works, tmp_path):
    works("simulate", "-o", "s.mat", "--size", "12x15")
    works("train", "s.mat", "-o", "model", "--method", "vca-fcls")
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    assert card["names"] == ["Alunite", "Kaolinite", "Goethite", "Calcite"]
    works("apply", "model", "s.mat", "-o", "out")
    found = works("evaluate", "out", "--truth", "s.mat", "--json").json
    assert found["abundance_rmse"] < 0.03


def test_methods(works):
    rows = works("methods", "--json").json
    assert {row["name"] for row in rows} == set(METHODS) and sum(r["default"] for r in rows) == 1
    text = works("methods").out
    assert all(name in text for name in METHODS)


def test_help_and_version(works):
    assert works("--version").out == f"unmix {unmix.__version__}\n"
    commands = "run info endmembers simulate train apply evaluate report methods demo".split()
    overview = works("--help").out
    for command in commands:
        assert command in overview and works(command, "--help").out.strip()
    assert "run" in works().out


def test_demo(works, monkeypatch, tmp_path):
    """The whole of it on a corner of the scene."""
    from unmix.simulate import demo

    whole = demo.demo_scene

    def corner(seed):
        from dataclasses import replace

        scene = whole(seed)
        part = np.s_[:30, 30:62]
        return replace(scene, cube=scene.cube[part], abundances=scene.abundances[part])

    monkeypatch.setattr(demo, "demo_scene", corner)
    monkeypatch.setattr("unmix.cli.make.DEMO_METHODS", ("vca-fcls", "spa-fcls"))
    found = works("demo", "-o", "d", "--json").json
    assert [row["method"] for row in found["runs"]] == ["VCA + FCLS", "SPA + FCLS"]
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        *("scene.tif", "scene_truth.tif", "spa-fcls", "vca-fcls"),
    ]
    assert manifest(tmp_path / "d" / "vca-fcls")["input"]["path"] == "d/scene.tif"
    assert "/d/vca-fcls/report.html" in works("demo", "-o", "d", "--overwrite").out
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


# --- the same bytes ------------------------------------------------------------------------------

DATA = ("abundances.tif", "residual.tif", "endmembers.csv", "endmembers.sli", "endmembers.hdr")


def same(tmp_path, first: str, second: str) -> bool:
    a, b = tmp_path / first, tmp_path / second
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in DATA)


def test_same_seed_same_bytes_whatever_the_threads(works, make, monkeypatch, tmp_path):
    path = make("larger", mixture(70, 71, noise=0.02)[0])
    works("run", path, "-o", "a", "-k", 3)
    works("run", path, "-o", "b", "-k", 3)
    monkeypatch.setenv("UNMIX_THREADS", "1")
    works("run", path, "-o", "c", "-k", 3)
    works("run", path, "-o", "d", "-k", 3, "--seed", 1)
    assert same(tmp_path, "a", "b") and same(tmp_path, "a", "c")
    assert manifest(tmp_path / "c")["threads"] == 1
    assert manifest(tmp_path / "d")["seed"] == 1


def test_same_seed_same_bytes_of_a_network(works, scene, tmp_path):
    for out in "ab":
        works("run", scene, "-o", out, "-k", 3, *QUICK)
    assert same(tmp_path, "a", "b")


# --- as a program of its own ---------------------------------------------------------------------


def test_the_program(scene, tmp_path):
    command = [sys.executable, "-m", "unmix", "run", scene, "-o", tmp_path / "out", "-k3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["out"] == str(tmp_path / "out")


def test_libraries_keep_quiet(scene):
    code = (
        "import logging, os, warnings, unmix.scene as s\n"
        "def noisy(*a, **k):\n"
        "    warnings.warn('not for the user'); logging.getLogger('other').error('nor this')\n"
        "    os.write(2, b'nor what C says'); raise s.InputError('this is')\n"
        "s.open_scene = noisy; from unmix.__main__ import main; main()"
    )
    command = [sys.executable, "-c", code, "info", str(scene)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "unmix: error: this is\n")
    shown = subprocess.run(
        [*command[:3], "--debug", *command[3:]], capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 2 and "Traceback" in shown.stderr
    assert all(part in shown.stderr for part in ("not for the user", "nor this", "nor what C says"))


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_streams_that_the_shell_closed(scene, closed):
    command = f'"{sys.executable}" -m unmix info none.hdr {closed}'
    done = subprocess.run(command, shell=True, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_names_of_any_bytes(scene, tmp_path):
    name = os.path.join(os.fsencode(tmp_path), b"\xff.hdr")
    with open(name, "wb") as file:
        file.write(scene.read_bytes())
    scene.with_suffix(".img").rename(os.fsdecode(name.replace(b".hdr", b".img")))
    command = [sys.executable, "-m", "unmix", "info", name, "--json"]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    assert os.fsencode(json.loads(done.stdout)["source"]) == name


def test_reader_that_leaves(tmp_path):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        command = [sys.executable, "-m", "unmix", "methods", "--json"]
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_output_that_cannot_be_written(tmp_path):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "unmix", "methods", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2 and "No space left" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_command_line_that_is_no_list_of_the_process(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(("methods",))
    assert "vca-fcls" in capsys.readouterr().out
