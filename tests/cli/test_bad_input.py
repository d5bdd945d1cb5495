"""Wrong input: code 2, one line that says what to do, nothing written."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from rasterio.transform import Affine
from scipy.io import savemat

from .conftest import BANDS, COLUMNS, QUICK, ROWS, WAVELENGTH, mixture, spectra

UNMIX = ("-o", "out", "-k", "3")

# --- the command line itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["--bogus"], "No such option: --bogus"),
        (["run"], "Missing argument 'SCENE...'"),
        (["run", "scene.hdr"], "Missing option '-o'"),
        (["run", "scene.hdr", *UNMIX, "--bogus"], "No such option: --bogus"),
        (["info", "scene.hdr", "more"], "unexpected extra argument"),
        (["run", "scene.hdr", "-o", "out", "-k", "three"], "'-k'"),
        (["run", "scene.hdr", *UNMIX, "--seed", "x"], "'--seed'"),
        (["run", "scene.hdr", *UNMIX, "--smooth", "x"], "'--smooth'"),
        (["endmembers", "scene.hdr", "-o", "a.csv"], "'-k'"),
        (["evaluate", "out"], "'--truth'"),
        (["simulate", "-o"], "requires an argument"),
        (["methods", "extra"], "unexpected extra argument"),
    ],
)
def test_usage(refuses, scene, arguments, said):
    line = refuses(*arguments)
    assert said in line and "--help)" in line


# --- files that are no scenes --------------------------------------------------------------------


@pytest.mark.parametrize("command", [["run", *UNMIX], ["info"], ["endmembers", "-k3", "-oa.csv"]])
@pytest.mark.parametrize("path", ["none.hdr", "none.mat", ".", "", "/dev/zero", "a\nb", "x" * 5000])
def test_no_such_scene(refuses, command, path):
    refuses(command[0], path, *command[1:])


def test_unreadable_scene(refuses, scene, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(scene))

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refuses("run", scene, *UNMIX)


@pytest.mark.parametrize("size", [0, 100, 13 * 9 * 24 * 4 - 1, 13 * 9 * 24 * 4 + 1])
def test_data_of_another_size(refuses, scene, size):
    data = scene.with_suffix(".img")
    data.write_bytes((data.read_bytes() * 2)[:size])
    assert "than the 11232 bytes" in refuses("run", scene, *UNMIX)


def test_header_without_data(refuses, scene):
    scene.with_suffix(".img").unlink()
    assert "data file is missing" in refuses("run", scene, *UNMIX)


@pytest.mark.parametrize(
    ("field", "instead"),
    [
        ("ENVI", ""),
        ("samples = 9", ""),
        ("lines = 13", ""),
        ("bands = 24", ""),
        ("data type = 4", ""),
        ("interleave = bip", ""),
        ("samples = 9", "samples = 9\nsamples = 8"),
        ("samples = 9", "samples = -9"),
        ("samples = 9", "samples = 1000000000000"),
        ("samples = 9", "samples = nine"),
        ("bands = 24", "bands = 0"),
        ("data type = 4", "data type = 6"),
        ("data type = 4", "data type = 99"),
        ("interleave = bip", "interleave = foo"),
        ("byte order = 0", "byte order = 7"),
        ("header offset = 0", "header offset = -5"),
        ("units = Nanometers", "units = Furlongs"),
        ("units = Nanometers", "units = Micrometers"),
        ("wavelength = {", "wavelength = {300, "),
        ("wavelength = {", "wavelength = {x, "),
        ("wavelength = {450.0", "wavelength = {nan"),
        ("wavelength = {450.0", "wavelength = {-450"),
        ("wavelength = {", "wavelength = {{"),
        ("byte order = 0", "byte order = 0\nbbl = {1, 1}"),
        ("byte order = 0", "byte order = 0\nfwhm = {1, 1}"),
        ("byte order = 0", "byte order = 0\nreflectance scale factor = 0"),
        ("byte order = 0", "byte order = 0\ndata ignore value = x"),
        ("byte order = 0", "byte order = 0\nmap info = {UTM, 1, 1, x, y, 30, 30}"),
    ],
)
def test_header(refuses, scene, field, instead):
    text = scene.read_text()
    assert field in text
    scene.write_text(text.replace(field, instead, 1))
    assert "scene" in refuses("run", scene, *UNMIX)


@pytest.mark.parametrize("content", [b"", b"ENVI", b"\0" * 99, b"ENVI\nx = {", b"ENVI\n\xff\xfe"])
def test_header_of_anything(refuses, scene, content):
    scene.write_bytes(content)
    refuses("run", scene, *UNMIX)


def mat_without_a_scene(path):
    savemat(path, {"A": np.ones((3, 99)), "M": spectra().T})


def mat_with_two(path):
    savemat(path, {"one": mixture()[0], "two": mixture()[0]})


def mat_of_text(path):
    savemat(path, {"Y": "text"})


def mat_of_complex_numbers(path):
    savemat(path, {"cube": mixture()[0].astype(complex)})


def mat_of_other_sizes(path):
    savemat(path, {"Y": np.ones((BANDS, 99)), "nRow": 5, "nCol": 7})


def mat_without_sizes(path):
    savemat(path, {"Y": mixture()[0].reshape(-1, BANDS).T})


def mat_truncated(path):
    savemat(path, {"cube": mixture()[0]})
    path.write_bytes(path.read_bytes()[:5000])


def mat_of_7_3_truncated(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file["cube"] = mixture()[0].T
    path.write_bytes(path.read_bytes()[:5000])


def text_called_mat(path):
    path.write_text("a text")


@pytest.mark.parametrize(
    "write",
    [
        mat_without_a_scene,
        mat_with_two,
        mat_of_text,
        mat_of_complex_numbers,
        mat_of_other_sizes,
        mat_without_sizes,
        mat_truncated,
        mat_of_7_3_truncated,
        text_called_mat,
    ],
)
def test_mat(refuses, tmp_path, write):
    write(tmp_path / "data.mat")
    assert "data.mat" in refuses("run", "data.mat", *UNMIX)
    assert "data.mat" in refuses("info", "data.mat", "--json")


def test_mat_variable_that_is_not_there(refuses, tmp_path, scene):
    mat_with_two(tmp_path / "data.mat")
    assert "'three'" in refuses("run", "data.mat", *UNMIX, "--variable", "three")
    assert "no MATLAB or netCDF file" in refuses("run", scene, *UNMIX, "--variable", "one")


@pytest.mark.parametrize("name", ["scene.tif", "scene.img", "scene.xyz", "scene"])
def test_text_of_another_name(refuses, tmp_path, name):
    (tmp_path / name).write_text("a text")
    assert name in refuses("run", name, *UNMIX)


def test_tiff(refuses, tiff):
    values = np.ascontiguousarray(mixture()[0].transpose(2, 0, 1))
    whole = tiff("whole.tif", values, compress="deflate")
    for cut in (9, whole.stat().st_size // 2):
        whole.with_name("cut.tif").write_bytes(whole.read_bytes()[:cut])
        assert "cut.tif" in refuses("run", "cut.tif", *UNMIX)
    assert "complex" in refuses("run", tiff("complex.tif", values.astype("c8")), *UNMIX)
    assert "several bands" in refuses("run", tiff("one.tif", values[:1]), *UNMIX)


# --- scenes that hold nothing to unmix -----------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 0.3, -9999.0, 3e38])
def test_one_value_everywhere(refuses, make, value):
    path = make("flat", np.full((ROWS, COLUMNS, BANDS), value), data_ignore_value=-9999)
    assert "0 pixel(s) with data" in refuses("run", path, *UNMIX)


def test_the_same_spectrum_everywhere(refuses, make):
    path = make("same", np.broadcast_to(spectra()[0], (ROWS, COLUMNS, BANDS)))
    assert "every pixel is the same" in refuses("run", path, *UNMIX)


def test_one_pixel_one_band(refuses, make, write_envi, tmp_path):
    assert "1 pixel(s)" in refuses("run", make("pixel", mixture(1, 1)[0]), "-o", "out", "-k", 2)
    path = write_envi(tmp_path / "band.img", mixture()[0][..., :1])
    assert "several bands" in refuses("run", path, *UNMIX)


def test_values_far_from_reflectance(refuses, make):
    assert "far from reflectance" in refuses("run", make("tiny", mixture()[0] * 1e-30), *UNMIX)


@pytest.mark.parametrize("k", [-3, 0, 1, 25, 65, 118, 10**30])
@pytest.mark.parametrize("method", ["vca-fcls", "spa-fcls", "cresdae"])
def test_number_of_endmembers(refuses, scene, k, method):
    line = refuses("run", scene, "-o", "out", "-k", k, "--method", method)
    assert line.startswith(f"n_endmembers: got {k}")


@pytest.mark.parametrize("k", [0, 1, 99])
def test_number_of_endmembers_elsewhere(refuses, scene, k):
    assert f"got {k}" in refuses("endmembers", scene, "-k", k, "-o", "a.csv")
    assert f"got {k}" in refuses("train", scene, "-k", k, "-o", "model")


def test_more_endmembers_than_pixels(refuses, make):
    line = refuses("run", make("small", mixture(2, 3)[0]), "-o", "out", "-k", 7)
    assert "more than the 6 pixels" in line


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--drop-bands", v) for v in ("1-", "0", "25", "1-24", "1-23", "abc", "5-2", "nan")),
        *(("--water-windows", v) for v in ("x", "1450-1350", "1-inf", "nan-nan", "1-1e9")),
        *(("--set", v) for v in ("x", "=1", "nothing=1", "restarts=0", "restarts=abc")),
        *(("--set", v) for v in ("restarts=1e400", "seed=1", "scale=none", "n_endmembers=4")),
        *(("--set", v) for v in ("endmembers=[[1,2],[3,4]]", "progress=1")),
        *(("--set", v) for v in ("preset=x", "preset=1", "epochs=3", "attention=cbam")),
        ("--scale", "foo"),
        ("--method", "foo"),
        *(("--seed", v) for v in ("-1", str(2**63), str(2**70))),
        *(("--device", v) for v in ("foo", "cuda")),
        *(("--smooth", v) for v in ("nan", "-1", "1e9", "inf")),
        *(("--reflectance-scale", v) for v in ("0", "-1", "nan", "inf", "1e300", "1e-300", "1e25")),
        *(("--mask", v) for v in ("none.tif", "", "scene.hdr", "text.tif")),
        *(("--endmembers", v) for v in ("none.csv", "", "scene.hdr", "text.tif")),
    ],
)
def test_option(refuses, scene, option, value):
    scene.with_name("text.tif").write_text("a text")
    method = ("--method", "vca-fcls") if value.startswith("restarts") else ()
    refuses("run", scene, *UNMIX, *method, option, value)


@pytest.mark.parametrize(
    "value",
    [
        *(f"epochs={v}" for v in ("0", "-1", "1.5", "null", "true", '"a"', "NaN", "9" * 5000)),
        *("batch_size=0 lr=0 lr=abc lr=[1] lr=NaN alpha=-1 alpha=x beta=null".split()),
        *("reduction=0 attention=x attention=[1] preset=x dtype=float16 device=cpu".split()),
        *("pretrain_epochs=-1 seed=1 progress=x".split()),
    ],
)
def test_parameter_of_the_network(refuses, scene, value):
    line = refuses("run", scene, *UNMIX, *QUICK, "--set", value)
    assert value.split("=")[0] in line and len(line) < 2000


def test_gpu_that_is_not_there(refuses, scene, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for device in ("cuda", "cuda:9"):
        assert device in refuses("run", scene, *UNMIX, *QUICK, "--device", device)


@pytest.mark.parametrize(
    "place", [{"transform": Affine(30, 0, 400045, 0, -30, 5e6)}, {"crs": "EPSG:32634"}]
)
def test_a_mask_that_lies_elsewhere(works, refuses, tiff, tmp_path, place):
    scene = tiff("scene.tif", np.moveaxis(mixture()[0], 2, 0))
    mask = np.zeros((1, ROWS, COLUMNS), np.uint8)
    mask[0, 2] = 1
    options = ("run", scene, "--method", "vca-fcls", *UNMIX, "--mask")
    said = "lies on another grid than the scene"
    assert said in refuses(*options, tiff("elsewhere.tif", mask, **place))
    works(*options, tiff("there.tif", mask), "--no-report")


def test_mask(refuses, scene, tiff):
    mask = np.ones((1, ROWS, COLUMNS), np.uint8)
    assert "mask: shape (13, 5)" in refuses(
        "run", scene, *UNMIX, "--mask", tiff("a.tif", mask[..., :5])
    )
    assert "and the mask" in refuses("run", scene, *UNMIX, "--mask", tiff("b.tif", mask))
    mask[0, 0, 0] = 0
    assert "1 pixel(s)" in refuses("run", scene, *UNMIX, "--mask", tiff("c.tif", mask))
    mask[0, 0, 1] = 0
    assert "more than the 2 pixels" in refuses("run", scene, *UNMIX, "--mask", tiff("d.tif", mask))
    assert "has 2 bands" in refuses(
        "run", scene, *UNMIX, "--mask", tiff("e.tif", np.concatenate([mask, mask]))
    )


# --- endmember files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a text\nthat is no library\n",
        "wavelength_nm,a,b\n",
        "wavelength_nm,a,b\n500,x,1\n",
        "wavelength_nm,a,b\n500,1\n",
        "wavelength_nm,a,b\n500,,\n600,,\n",
        "wavelength_nm,a,b\n500,inf,1\n600,1,2\n",
        "band,a,b\n1,.1,.2\n2,.2,.3\n",
        "wavelength_nm,a,b\n5000,.1,.2\n6000,.2,.3\n",
        "a\0b" * 99,
    ],
)
def test_endmember_file(refuses, scene, tmp_path, text):
    (tmp_path / "lib.csv").write_text(text)
    refuses("run", scene, "-o", "out", "--endmembers", "lib.csv")


def test_endmembers_that_do_not_fit(refuses, scene, make, library):
    good = library("good.csv", spectra())
    assert "3 endmembers are given" in refuses("run", scene, *UNMIX[:3], 2, "--endmembers", good)
    one = library("one.csv", spectra()[:1])
    assert "got 1" in refuses("run", scene, "-o", "out", "--endmembers", one)
    far = library("far.csv", spectra(), WAVELENGTH + 5000)
    assert "do not cover a band" in refuses("run", scene, "-o", "out", "--endmembers", far)
    few = library("few.csv", spectra()[:, :5], range(1, 6), head="band")
    assert "5 bands where the scene has 24" in refuses("run", scene, "-o", "o", "--endmembers", few)
    many = np.random.default_rng(0).uniform(0.1, 1, (65, BANDS))
    path = library("many.csv", many, names=[f"n{i}" for i in range(65)])
    assert "at most 64" in refuses("run", scene, "-o", "out", "--endmembers", path)
    half = library("half.csv", spectra()[:, :1], WAVELENGTH[:1])
    assert "do not cover" in refuses("run", scene, "-o", "out", "--endmembers", half)


@pytest.mark.parametrize("name", ["lib.sli", "lib.mat", "lib.txt"])
def test_endmember_file_that_is_something_else(refuses, scene, tmp_path, name):
    (tmp_path / name).write_text("a text")
    assert name in refuses("run", scene, "-o", "out", "--endmembers", name)


# --- OUT -----------------------------------------------------------------------------------------


def test_out_that_is_taken(refuses, result, scene, tmp_path):
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    assert "--overwrite" in refuses("run", scene, *UNMIX)
    (tmp_path / "out" / "mine.txt").write_text("keep me")
    assert "mine.txt" in refuses("run", scene, *UNMIX, "--overwrite")
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "photo.jpg").write_text("keep me")
    assert "photo.jpg" in refuses("run", scene, "-k3", "-o", "foreign", "--overwrite")


@pytest.mark.parametrize(
    "out", ["scene.img", "scene.img/x", ".", "", "/", "/proc/version", "/dev/null/x", "n" * 300]
)
@pytest.mark.parametrize("flag", [(), ("--overwrite",)])
def test_out_that_is_no_place(refuses, scene, out, flag):
    refuses("run", scene, "-k3", "-o", out, *flag)
    refuses("train", scene, "-k3", "-o", out, *QUICK, *flag)


def test_symbolic_links_in_a_circle(refuses, scene, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for out in ("loop", "loop/x"):
        refuses("run", scene, "-k3", "-o", out)


def test_parent_that_cannot_be_written(refuses, scene, monkeypatch):
    allowed = os.access
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK and allowed(path, mode))
    assert "cannot write in" in refuses("run", scene, *UNMIX)
    assert "cannot write in" in refuses("train", scene, *UNMIX)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("where", ["mkdir", "write_text", "rename"])
def test_disk_that_fails(refuses, scene, monkeypatch, reason, where):
    def fails(*_, **__):
        raise OSError(reason, os.strerror(reason))

    target = "os.rename" if where == "rename" else f"pathlib.Path.{where}"
    monkeypatch.setattr(target, fails)
    assert "out: " in refuses("run", scene, "-k3", "-o", "a/b/out")


@pytest.mark.parametrize(
    "command",
    [
        ["endmembers", "scene.hdr", "-k3", "-o", "a.csv"],
        ["endmembers", "scene.hdr", "-k3", "-o", "a.sli"],
        ["simulate", "--size", "5x6", "-o", "a.tif"],
        ["train", "scene.hdr", "-k3", "-o", "a/b/model", "--method", "vca-fcls"],
        ["demo", "-o", "a/b/demo"],
    ],
)
def test_disk_that_is_full(refuses, scene, monkeypatch, command):
    def full(path, *_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    assert "No space left" in refuses(*command)


def test_files_that_are_taken(refuses, works, scene, tmp_path):
    works("endmembers", scene, "-k3", "-o", "a.csv")
    assert "exists" in refuses("endmembers", scene, "-k3", "-o", "a.csv")
    works("endmembers", scene, "-k3", "-o", "a.csv", "--overwrite")
    assert "scene.hdr" in refuses("endmembers", scene, "-k3", "-o", "scene.sli")
    (tmp_path / "dir.csv").mkdir()
    refuses("endmembers", scene, "-k3", "-o", "dir.csv", "--overwrite")
    works("simulate", "--size", "5x6", "-o", "a.mat")
    assert "there already" in refuses("simulate", "--size", "5x6", "-o", "a.mat")


# --- endmembers, simulate ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ["-o", "a.txt"],
        ["-o", "none/a.csv"],
        ["-o", "/proc/a.csv"],
        ["-o", "n" * 300 + ".csv"],
        ["-o", "a.csv", "--method", "foo"],
        ["-o", "a.csv", "--scale", "foo"],
        ["-o", "a.csv", "--seed", "-1"],
    ],
)
def test_endmembers_options(refuses, scene, options):
    refuses("endmembers", scene, "-k3", *options)


@pytest.mark.parametrize(
    "options",
    [
        *(["--size", v] for v in ("0x5", "x", "5", "-1x5", "5x5x5", "999999999x999999999")),
        *(["--snr", v] for v in ("nan", "-inf", "1e308", "-1e308")),
        *(["--members", v] for v in ("a", "", "Calcite", "Calcite,Calcite", "Unobtainium,Calcite")),
        *(["--library", v] for v in ("none.csv", "scene.hdr", "")),
        *(["-o", v] for v in ("a.txt", ".", "none/a.mat", "/proc/a.mat", "n" * 300 + ".mat")),
        ["--model", "foo"],
        ["--field", "foo"],
        ["--seed", "-1"],
    ],
)
def test_simulate_options(refuses, scene, options):
    refuses("simulate", "-o", "a.mat", "--size", "5x6", *options)


def test_demo_folder(refuses, tmp_path):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "photo.jpg").write_text("keep me")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "scene.tif").write_text("an earlier one")
    (tmp_path / "file").write_text("a text")
    for out in ("foreign", "file", "file/x", "/proc/x"):
        refuses("demo", "-o", out)
        refuses("demo", "-o", out, "--overwrite")
    assert "--overwrite" in refuses("demo", "-o", "old")
    for out in ("old", "new/deep"):
        assert "seed" in refuses("demo", "-o", out, "--overwrite", "--seed", "-1")
    assert (tmp_path / "old" / "scene.tif").read_text() == "an earlier one"


# --- models --------------------------------------------------------------------------------------


def test_train_over_something_else(refuses, model, scene, tmp_path):
    assert "--overwrite" in refuses("train", scene, "-k3", "-o", "model")
    (model / "mine.txt").write_text("keep me")
    for out in ("model", ".", "scene.img"):
        line = refuses("train", scene, "-k3", "-o", out, "--overwrite", "--method", "vca-fcls")
        assert "is no model" in line


def test_apply_without_a_model(refuses, model, scene, tmp_path):
    for path in ("none", ".", "", "scene.hdr"):
        assert "no model.json" in refuses("apply", path, scene, "-o", "out")
    assert "no such file" in refuses("apply", model, "none.hdr", "-o", "out")


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "noise", "cut"])
def test_apply_a_damaged_model(refuses, model, scene, name, damage):
    file = model / name
    content = file.read_bytes()
    file.unlink()
    noise = np.random.default_rng(0).bytes(500)
    instead = {"empty": b"", "noise": noise, "cut": content[: len(content) // 2]}
    if damage in instead:
        file.write_bytes(instead[damage])
    assert refuses("apply", model, scene, "-o", "out").startswith("model: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 99),
        ("method", "foo"),
        *(("wavelength_nm", v) for v in ([1, 2], ["a"] * 21, [None] * 21, [[500.0]] * 21)),
        ("names", ["one"]),
        *(("scene", {"smooth": v}) for v in ("x", -5, None, [1])),
        ("parameters", {"foo": 1}),
        ("attributes", {}),
        ("arrays", {}),
    ],
)
def test_apply_a_model_that_contradicts_itself(refuses, model, scene, key, value):
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(card | {key: value}))
    refuses("apply", model, scene, "-o", "out")


@pytest.mark.parametrize(
    "kept",
    [
        *(None, "x", [0], ["a"] * 24, [[1]] * 24, [-1] * 24, [99] * 24),
        *([*range(23), last] for last in (-1, 99, 0, 22.5, float("inf"))),
    ],
)
def test_apply_by_position_of_bands_that_are_not_there(works, refuses, write_envi, tmp_path, kept):
    plain = write_envi(tmp_path / "plain.img", mixture()[0])
    works("train", plain, "-k3", "-o", "model", "--method", "vca-fcls")
    file = tmp_path / "model" / "model.json"
    card = json.loads(file.read_text())
    card["scene"]["kept"] = kept
    file.write_text(json.dumps(card))
    refuses("apply", "model", plain, "-o", "out")


def test_apply_to_another_sensor(refuses, model, make, write_envi, tmp_path):
    other = make("other", mixture()[0], wavelength=WAVELENGTH + 17)
    assert "the scene's nearest is at" in refuses("apply", model, other, "-o", "out")
    few = write_envi(tmp_path / "few.img", mixture()[0][..., :5])
    assert "24 bands, this one has 5" in refuses("apply", model, few, "-o", "out")
    gaps = mixture()[0]
    gaps[..., 4] = np.nan
    line = refuses("apply", model, make("gaps", gaps), "-o", "out")
    assert "band 5, which the model needs" in line


@pytest.mark.parametrize("command", [["run"], ["apply", "model"]])
def test_a_format_there_is_not_is_told_before_any_work(refuses, command):
    line = refuses(*command, "no-such-scene.hdr", "-o", "out", "--format", "png")
    assert line.startswith("format: got 'png'")


# --- evaluate, report ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["report"], ["evaluate", "--truth", "t.mat"]])
@pytest.mark.parametrize("folder", ["none", ".", "", "/", "scene.hdr"])
def test_folder_that_is_no_result(refuses, scene, tmp_path, command, folder):
    savemat(tmp_path / "t.mat", {"A": mixture()[1].reshape(-1, 3).T})
    assert refuses(command[0], folder, *command[1:]).startswith("out: ")


@pytest.mark.parametrize(
    "name", ["manifest.json", "abundances.tif", "residual.tif", "endmembers.csv"]
)
@pytest.mark.parametrize("damage", ["missing", "empty", "noise", "cut"])
def test_damaged_result(pages, refuses, result, name, damage):
    file = result / name
    content = file.read_bytes()
    file.unlink()
    noise = np.random.default_rng(0).bytes(500)
    instead = {"empty": b"", "noise": noise, "cut": content[: len(content) // 2]}
    if damage in instead:
        file.write_bytes(instead[damage])
    assert refuses("report", result).startswith("out: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"A": np.full((3, 100), 0.3)}, "100 pixels"),
        ({"A": np.full((3, 117), np.nan)}, "no pixel is known"),
        ({"A": np.full((3, 117), -1.0)}, "no abundances"),
        ({"A": np.full((3, 117), 1e300)}, "no abundances"),
        ({"A": np.full((99, 117), 0.01)}, "not a scene"),
        ({"A": "text"}, "no real numbers"),
        ({"A": np.full((3, 117), 0.3), "M": np.ones((24, 2))}, "2 members"),
        ({"S_GT": np.full((13, 8, 3), 0.3)}, "13 x 8 pixels"),
        ({"foo": 1.0}, "no abundances in it"),
    ],
)
def test_truth(refuses, result, tmp_path, content, said):
    savemat(tmp_path / "truth.mat", content)
    assert said in refuses("evaluate", result, "--truth", "truth.mat")
    assert said in refuses("evaluate", result, "--truth", "truth.mat", "--json")


def test_truth_that_is_no_truth(refuses, result, tmp_path, tiff):
    for path in ("none.mat", "", ".", "scene.hdr"):
        refuses("evaluate", result, "--truth", path)
    (tmp_path / "text.tif").write_text("a text")
    refuses("evaluate", result, "--truth", "text.tif")
    other = tiff("other.tif", np.full((3, 5, 7), 0.3, np.float32))
    assert "5 x 7 pixels" in refuses("evaluate", result, "--truth", other)
    complex_ = tiff("complex.tif", np.full((3, ROWS, COLUMNS), 0.3, np.complex64))
    assert "complex" in refuses("evaluate", result, "--truth", complex_)


# --- failed work ---------------------------------------------------------------------------------


def test_training_that_diverges_fails(cli, scene):
    for command in ("run", "train"):
        answer = cli(command, scene, *UNMIX, *QUICK, "--set", "lr=1e30")
        assert (answer.code, answer.out, answer.new) == (1, "", [])
        assert "diverged" in answer.err and answer.err.count("\n") == 1


def test_a_bug_is_one_line_and_debug_shows_it(cli, scene, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("unmix.pipeline.stages.fit", broken)
    answer = cli("run", scene, *UNMIX)
    assert answer.code == 1 and answer.new == []
    assert answer.err.startswith("unmix: failed: RuntimeError: two lines")
    assert answer.err.count("\n") == 1
    answer = cli("--debug", "run", scene, *UNMIX)
    assert answer.code == 1 and "Traceback" in answer.err


def test_no_memory(cli, scene, monkeypatch):
    def broken(*_, **__):
        raise MemoryError

    monkeypatch.setattr("unmix.pipeline.stages.fit", broken)
    answer = cli("run", scene, *UNMIX)
    assert answer.code == 1 and "memory" in answer.err and answer.err.count("\n") == 1


def test_names_that_are_no_names(pages, works, scene, tmp_path):
    evil = ["<script>alert(1)</script>", "../../x", "n" * 300]
    with (tmp_path / "evil.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["wavelength_nm", *evil])
        rows.writerows([w, *values] for w, values in zip(WAVELENGTH, spectra().T, strict=True))
    works("run", scene, "-o", "out", "--endmembers", "evil.csv")
    import rasterio

    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        with rasterio.open(tmp_path / "out" / "abundances.tif") as file:
            assert list(file.descriptions) == evil
    assert "<script>alert" not in (tmp_path / "out" / "report.html").read_text()
    assert {p.parent.name for p in tmp_path.rglob("*.tif")} == {"out"}
