"""`unmix simulate`: what it makes, and how it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from scipy.io import loadmat

import unmix
from unmix.scene import geo_of
from unmix.simulate import MODELS, builtin_library, simulate

from .conftest import BANDS, NAMES, WAVELENGTH, spectra

SMALL = ("--size", "5x6")
FOUR = ("Alunite", "Kaolinite", "Goethite", "Calcite")


def made(path):
    return loadmat(path, simplify_cells=True)


def four():
    from unmix.io.library import select_members

    return select_members(builtin_library(), FOUR)


@pytest.mark.parametrize("model", MODELS)
def test_the_command_makes_what_python_makes(works, model, tmp_path):
    works("simulate", "-o", "a.mat", *SMALL, "--model", model, "--snr", 25, "--seed", 4)
    scene = simulate(four(), model=model, snr=25.0, size=(5, 6), seed=4)
    found = made(tmp_path / "a.mat")
    np.testing.assert_array_equal(found["hyperspectral_cube"], scene.cube)
    np.testing.assert_array_equal(found["abundance_cube"], scene.abundances)
    assert (found["mixing_model"], found["SNR_dB"]) == (model, 25.0)
    opened = unmix.open_scene(tmp_path / "a.mat")
    np.testing.assert_array_equal(opened.values, scene.cube)
    np.testing.assert_allclose(opened.wavelength, scene.endmembers.wavelength)


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        (["--field", "blocks", "--no-pure", "--max-members", 2],
         {"field": "blocks", "pure": False, "max_members": 2}),
        (["--field", "dirichlet", "--concentration", "0.5,1,2,1"],
         {"field": "dirichlet", "concentration": (0.5, 1, 2, 1)}),
        (["--field", "patches", "--concentration", 3, "--max-purity", 0.7],
         {"field": "patches", "concentration": 3.0, "max_purity": 0.7}),
        (["--model", "bilinear", "--beta", "0.2,0.8"], {"model": "bilinear", "beta": (0.2, 0.8)}),
        (["--model", "bilinear", "--beta", 0.4, "--interactions", "all"],
         {"model": "bilinear", "beta": 0.4, "interactions": "all"}),
        (["--model", "pnmm", "--kind", "sigmoid", "--gamma", 5],
         {"model": "pnmm", "kind": "sigmoid", "gamma": 5.0}),
        (["--model", "ppnm", "--b", "-0.1,0.4"], {"model": "ppnm", "b": (-0.1, 0.4)}),
        (["--model", "mlm", "--probability", "0.1,0.3"],
         {"model": "mlm", "probability": (0.1, 0.3)}),
        (["--model", "hapke", "--incidence", 50, "--emergence", 20],
         {"model": "hapke", "incidence": 50.0, "emergence": 20.0}),
        (["--brightness", "0.5,1", "--variability", "0.9,1.1", "--variability-field", "white"],
         {"brightness": (0.5, 1), "variability": (0.9, 1.1), "variability_field": "white"}),
        (["--noise", "bands"], {"noise_profile": "bands"}),
    ],
)  # fmt: skip
def test_every_option_is_its_keyword(works, tmp_path, options, keywords):
    works("simulate", "-o", "a.mat", *SMALL, *options)
    scene = simulate(four(), size=(5, 6), **keywords)
    np.testing.assert_array_equal(made(tmp_path / "a.mat")["hyperspectral_cube"], scene.cube)
    plain = simulate(four(), size=(5, 6))
    assert np.abs(scene.cube - plain.cube).max() > 1e-4


@pytest.mark.parametrize(
    "options",
    [["--nine"], ["--model", "linear,bilinear,pnmm", "--snr", "10,20,30", "--format", "mat"]],
)
def test_the_nine(works, tmp_path, options):
    answer = works("simulate", *options, "--beta", "0,1", *SMALL, "-o", "deep/nine")
    names = [f"{m}_{s}dB.mat" for m in ("linear", "bilinear", "pnmm") for s in (10, 20, 30)]
    pictures = ["file_structure.png", "false_colour.png"]
    assert answer.out.split() == [f"deep/nine/{name}" for name in names + pictures]
    assert {p.name for p in (tmp_path / "deep/nine").iterdir()} == {*names, *pictures}
    scenes = [made(tmp_path / "deep/nine" / name) for name in names]
    for scene in scenes:
        np.testing.assert_array_equal(scene["abundance_cube"], scenes[0]["abundance_cube"])
        np.testing.assert_array_equal(scene["spectra_library"], four().spectra)
    assert {float(s["SNR_dB"]) for s in scenes} == {10.0, 20.0, 30.0}
    for picture in pictures:
        head = (tmp_path / "deep/nine" / picture).read_bytes()[:8]
        assert head == b"\x89PNG\r\n\x1a\n"
    works("simulate", "-o", "a.mat", *SMALL, "--model", "pnmm", "--snr", 20)
    one = (tmp_path / "a.mat").read_bytes()
    assert one == (tmp_path / "deep/nine/pnmm_20dB.mat").read_bytes()


def test_geotiffs_with_their_truth_and_place(works, tmp_path):
    place = ["--crs", "EPSG:32733", "--origin", "500000,4000000", "--pixel-size", "20,25"]
    works("simulate", "-o", "a.tif", *SMALL, *place)
    works("simulate", "-o", "b", *SMALL, *place, "--snr", "10,inf", "--format", "tif")
    names = {f"linear_{s}dB{t}.tif" for s in ("10", "inf") for t in ("", "_truth")}
    assert names <= {p.name for p in (tmp_path / "b").iterdir()}
    for name in ("a.tif", "a_truth.tif", "b/linear_10dB.tif", "b/linear_infdB_truth.tif"):
        with rasterio.open(tmp_path / name) as file:
            assert file.crs.to_epsg() == 32733
            assert tuple(file.transform)[:6] == (20.0, 0.0, 5e5, 0.0, -25.0, 4e6)
    works("simulate", "-o", "c.mat", *SMALL, *place)
    crs, affine = geo_of(unmix.open_scene(tmp_path / "c.mat"))
    assert "33S" in crs and affine == (20.0, 0.0, 5e5, 0.0, -25.0, 4e6)


def test_maps_of_a_truth_make_a_scene(works, library, tiff, tmp_path):
    library("lib.csv", spectra())
    place = ["--crs", "EPSG:32733", "--origin", "500000,4000000"]
    works("simulate", "-o", "a.tif", "--library", "lib.csv", *SMALL, *place)
    maps = ["--library", "lib.csv", "--abundances", "a_truth.tif", "--snr", "inf"]
    works("simulate", "-o", "b.tif", *maps, "--model", "fan")
    for suffix in ("", "_truth"):
        with rasterio.open(tmp_path / f"b{suffix}.tif") as b:
            assert b.crs.to_epsg() == 32733 and b.transform.c == 5e5
    with rasterio.open(tmp_path / "a_truth.tif") as a, rasterio.open(tmp_path / "b_truth.tif") as b:
        np.testing.assert_allclose(a.read(), b.read(), atol=1e-6)
    works("simulate", "-o", "c.mat", *maps, "--members", "road,clay,tree")  # maps follow names
    with rasterio.open(tmp_path / "a_truth.tif") as a:
        expected = np.moveaxis(a.read(), 0, -1)[..., [2, 0, 1]]
    np.testing.assert_allclose(made(tmp_path / "c.mat")["abundance_cube"], expected, atol=1e-6)


def test_bundles_are_the_spectra_named_after_the_member(works, library, tmp_path):
    library("lib.csv", spectra())
    variants = np.concatenate([spectra() * s for s in (0.9, 1.1, 0.5)])
    names = [f"{n} {i}" for i in (1, 2) for n in NAMES]
    library("more.csv", variants, names=[*names, "clayey", "roads", "treetop"])
    options = ["--library", "lib.csv", "--bundles", "more.csv", "--bundle-draw", "pixel"]
    works("simulate", "-o", "a.mat", *SMALL, *options, "--snr", "inf")
    found = made(tmp_path / "a.mat")
    A, index = found["abundance_cube"], found["parameters"]["bundle_index"] - 1
    scale = np.array([0.9, 1.1])[index]
    np.testing.assert_allclose(found["hyperspectral_cube"], (A * scale) @ spectra(), rtol=1e-4)


def test_noise_from_a_table(works, library, tmp_path):
    sigma = np.linspace(1, 3, 5)
    lines = [f"{w},{s}" for w, s in zip(np.linspace(400, 2500, 5), sigma, strict=True)]
    (tmp_path / "noise.csv").write_text("wavelength_nm,noise\n" + "\n".join(lines) + "\n")
    library("lib.csv", spectra())
    works("simulate", "-o", "a.mat", *SMALL, "--library", "lib.csv", "--noise", "noise.csv")
    got = made(tmp_path / "a.mat")["parameters"]["noise_sigma"]
    expected = np.interp(WAVELENGTH, np.linspace(400, 2500, 5), sigma)
    np.testing.assert_allclose(got / got.mean(), expected / expected.mean(), rtol=1e-6)
    lines = [f"{i},{i}" for i in range(1, BANDS + 1)]
    (tmp_path / "bands.csv").write_text("band,noise\n" + "\n".join(lines) + "\n")
    works("simulate", "-o", "b.mat", *SMALL, "--library", "lib.csv", "--noise", "bands.csv")
    got = made(tmp_path / "b.mat")["parameters"]["noise_sigma"]
    np.testing.assert_allclose(got / got[0], np.arange(1, BANDS + 1))


def test_a_spectrum_that_is_not_there(refuses):
    said = refuses("simulate", "-o", "a.mat", "--members", "Calcite,Kaolinitte")
    assert "no spectrum 'Kaolinitte'" in said and "Kaolinite" in said.split("close ones are")[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--snr", "nan"], "snr: got nan"),
        (["--snr", "ten"], "snr: cannot read 'ten'"),
        (["--snr", ""], "snr"),
        (["--snr", "10,10"], "each once"),
        (["--snr", "10,nan"], "snr: got nan"),
        (["--size", "0x0"], "size"),
        (["--size", "0x7"], "size"),
        (["--model", "cubic"], "model: got 'cubic'; choose one of linear"),
        (["--model", "linear,cubic"], "model: got 'cubic'"),
        (["--model", "linear,linear"], "each once"),
        (["--model", ""], "model"),
        (["--kind", "cube"], "kind: got 'cube'"),
        (["--field", "fractal"], "field: got 'fractal'"),
        (["--beta", "1.5"], "beta"),
        (["--beta", "0.5,0.2"], "beta"),
        (["--beta", "nan"], "beta"),
        (["--beta", "much"], "beta: cannot read"),
        (["--interactions", "none"], "interactions"),
        (["--gamma", "0"], "gamma: got 0"),
        (["--gamma", "-1", "--kind", "log"], "gamma"),
        (["--gamma", "nan"], "gamma"),
        (["--b", "3"], "b: got 3"),
        (["--probability", "1"], "probability: got 1"),
        (["--probability", "-0.5,0.5"], "probability"),
        (["--incidence", "95"], "incidence"),
        (["--emergence", "-1"], "emergence"),
        (["--max-members", "0"], "max_members"),
        (["--max-members", "9"], "max_members: got 9"),
        (["--max-members", "1", "--no-pure"], "cannot sum to 1"),
        (["--max-purity", "0.1"], "give 0.25 or more"),
        (["--max-purity", "0.4", "--max-members", "2"], "give 0.5 or more"),
        (["--concentration", "2"], "concentration"),
        (["--concentration", "0", "--field", "patches"], "concentration"),
        (["--concentration", "1,2", "--field", "dirichlet"], "concentration"),
        (["--brightness", "1,0.5"], "brightness"),
        (["--brightness", "1"], "brightness"),
        (["--variability", "0,1"], "variability"),
        (["--variability", "1,2,3"], "variability"),
        (["--variability-field", "rough"], "variability_field"),
        (["--bundle-draw", "row"], "bundle_draw"),
        (["--bundles", "lib.csv"], "begins with 'alunite'"),
        (["--bundles", "none.csv"], "none.csv"),
        (["--noise", "pink"], "noise: got 'pink'"),
        (["--noise", "none.csv"], "none.csv"),
        (["--noise", "lib.csv"], "3 columns"),
        (["--noise", "below.csv"], "below 0"),
        (["--noise", "few.csv"], "2 numbers for 210 bands"),
        (["--abundances", "none.tif"], "none.tif"),
        (["--abundances", "lib.csv"], "lib.csv"),
        (["--abundances", "maps.tif"], "3 maps (member 1, member 2, member 3) for 4 members"),
        (["--abundances", "four.tif"], "off by 3"),
        (["--crs", "EPSG:32650"], "origin"),
        (["--origin", "1,2"], "crs"),
        (["--pixel-size", "30"], "crs"),
        (["--crs", "nowhere", "--origin", "1,2"], "crs: got 'nowhere'"),
        (["--crs", "EPSG:32650", "--origin", "1"], "origin"),
        (["--crs", "EPSG:32650", "--origin", "1,x"], "origin"),
        (["--crs", "EPSG:32650", "--origin", "1,2", "--pixel-size", "0"], "pixel_size"),
        (["--format", "hdf", "--nine", "-o", "new"], "format: got 'hdf'"),
        (["--nine"], "is one file for 9 scenes"),
        (["--nine", "--snr", "20", "-o", "new"], "nine"),
        (["--nine", "--model", "fan", "-o", "new"], "nine"),
        (["--nine", "-o", "photos"], "holds 'photo.jpg'"),
        (["--nine", "-o", "photos", "--overwrite"], "holds 'photo.jpg'"),
        (["--nine", "-o", "lib.csv", "--overwrite"], "is a file"),
        (["--nine", "-o", "."], "current folder"),
        (["--nine", "-o", "/proc/x"], "cannot write"),
        (["--nine", "-o", "deep/new", "--beta", "7"], "beta"),
        (["--nine", "-o", "deep/new", "--gamma", "7"], "gamma"),
        (["-o", "plain"], "neither .mat nor .tif"),
        (["-o", "taken.mat"], "is there already"),
        (["-o", "taken.tif"], "taken_truth.tif: is there already"),
        (["-o", "none/a.mat"], "folder"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(refuses, library, tiff, tmp_path, options, words):
    library("lib.csv", spectra())
    tiff("maps.tif", np.full((3, 5, 6), 1 / 3, np.float32))
    tiff("four.tif", np.ones((4, 5, 6), np.float32))
    (tmp_path / "below.csv").write_text("wavelength_nm,noise\n400,1\n2500,-1\n")
    (tmp_path / "few.csv").write_text("band,noise\n1,1\n2,1\n")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "photo.jpg").write_text("keep me")
    (tmp_path / "taken.mat").write_text("mine")
    (tmp_path / "taken_truth.tif").write_text("mine")
    size = () if "--size" in options or "--abundances" in options else SMALL
    out = () if "-o" in options else ("-o", "a.mat")
    assert words in refuses("simulate", *size, *out, *options)
    assert (tmp_path / "taken.mat").read_text() == "mine"


def test_an_earlier_folder_is_replaced_when_asked(works, refuses, tmp_path):
    works("simulate", "--snr", "10,20", *SMALL, "-o", "a")
    assert "give --overwrite" in refuses("simulate", "--snr", "10,20", *SMALL, "-o", "a")
    works("simulate", "--snr", "30,40", *SMALL, "-o", "a", "--overwrite")
    names = {p.name for p in (tmp_path / "a").glob("*.mat")}
    assert names == {"linear_30dB.mat", "linear_40dB.mat"}
    works("simulate", *SMALL, "-o", "b.mat")
    works("simulate", *SMALL, "-o", "b.mat", "--overwrite", "--seed", 1)
