"""Simulated scenes as files and folders: an independent reader agrees; all or nothing."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from scipy.io import loadmat, whosmat

import unmix
from unmix import Endmembers, InputError
from unmix.io.truth import read_truth
from unmix.plot.simulated import false_colour_grid, view_of
from unmix.plot.structure import entries_of, file_structure
from unmix.scene import geo_of
from unmix.simulate import located, scenes, simulate, write_geotiff, write_mat, write_scenes

K, L, SIZE = 3, 12, (7, 11)
PAPER = {
    "hyperspectral_cube": (7, 11, 12), "abundance_cube": (7, 11, 3), "mineral_names": (1, 3),
    "spectra_library": (3, 12), "wavelengths": (1, 12), "SNR_dB": (1, 1), "mixing_model": (1,),
}  # fmt: skip


@pytest.fixture(scope="module")
def members():
    spectra = np.random.default_rng(0).uniform(0.05, 0.85, (K, L))
    return Endmembers(spectra, np.linspace(450, 2400, L), ("clay", "rust", "leaf"))


def test_matlab_variables_as_the_paper_names_them(members, tmp_path):
    scene = simulate(members, model="bilinear", snr=20.0, size=SIZE, beta=(0, 1), seed=9)
    path = write_mat(scene, tmp_path / "a.mat")
    found = {name: (shape, kind) for name, shape, kind in whosmat(path)}
    assert {name: found[name][0] for name in PAPER} == PAPER
    kinds = "single single cell double double double char struct".split()
    assert [kind for _, kind in found.values()] == kinds
    assert set(found) - set(PAPER) == {"parameters"}
    inside = loadmat(path, simplify_cells=True)["parameters"]
    assert inside["seed"] == 9 and inside["field"] == "gaussian"
    np.testing.assert_array_equal(inside["beta"], scene.parameters["beta"])
    np.testing.assert_array_equal(inside["noise_sigma"], scene.parameters["noise_sigma"])
    data = path.read_bytes()
    assert data.startswith(b"MATLAB 5.0 MAT-file") and data[124:128] == b"\x00\x01IM"
    assert write_mat(scene, tmp_path / "b.mat").read_bytes() == data  # no date in it


def test_a_pixel_is_where_matlab_looks_for_it(members, tmp_path):
    """The numbers of v5 files lie down the first axis: pixel (r, c), band b at r + R c + R C b."""
    scene = simulate(members, size=SIZE)
    data = write_mat(scene, tmp_path / "a.mat").read_bytes()
    R, C = SIZE
    start = data.index(scene.cube[:, 0, 0].tobytes())
    flat = np.frombuffer(data, "<f4", R * C * L, start)
    for r, c, b in ((0, 0, 0), (6, 0, 0), (2, 5, 0), (3, 10, 7), (6, 10, 11)):
        assert flat[r + R * c + R * C * b] == scene.cube[r, c, b]


def test_everything_drawn_is_in_the_file(members, tmp_path):
    bundles = [members.spectra[k] * np.linspace(0.8, 1, k + 1)[:, None] for k in range(K)]
    scene = simulate(
        members, model="mlm", size=SIZE, brightness=(0.5, 1.0), variability=(0.9, 1.1),
        bundles=bundles, bundle_draw="pixel",
    )  # fmt: skip
    inside = loadmat(write_mat(scene, tmp_path / "a.mat"), simplify_cells=True)["parameters"]
    np.testing.assert_array_equal(inside["brightness"], scene.brightness)
    np.testing.assert_array_equal(inside["scale"], scene.variability.scale)
    np.testing.assert_array_equal(inside["bundle_index"], scene.variability.index + 1)
    np.testing.assert_allclose(inside["probability"], scene.parameters["probability"])
    for k in range(K):
        np.testing.assert_allclose(np.atleast_2d(inside["bundles"][k]), bundles[k])


@pytest.mark.parametrize("suffix", ["mat", "tif"])
def test_a_place_survives(members, tmp_path, suffix):
    scene = located(simulate(members, size=SIZE), "EPSG:32733", (5e5, 4e6), (20.0, 25.0))
    write = write_mat if suffix == "mat" else write_geotiff
    opened = unmix.open_scene(write(scene, tmp_path / f"a.{suffix}"))
    crs, affine = geo_of(opened)
    assert rasterio.crs.CRS.from_wkt(crs).to_epsg() == 32733
    assert affine == (20.0, 0.0, 5e5, 0.0, -25.0, 4e6)
    np.testing.assert_array_equal(opened.values, scene.cube)
    np.testing.assert_allclose(opened.wavelength, members.wavelength, rtol=1e-5)
    bare = replace(scene, crs=None, transform=None)
    if suffix == "mat":
        assert geo_of(unmix.open_scene(write(bare, tmp_path / "b.mat"))) == (None, None)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [("nowhere", [1, 0, 0, 0, 1, 0]), ("EPSG:32650", [1, 0, 0, 0, 0, 0]), ("EPSG:32650", [[1, 2]]),
     ("EPSG:32650", [1, 0, np.nan, 0, 1, 0]), (5.0, [1, 0, 0, 0, 1, 0])],
)  # fmt: skip
def test_other_variables_of_these_names_are_no_place(tmp_path, crs, transform):
    from scipy.io import savemat

    content = {"cube": np.ones((3, 4, 5)), "crs": crs, "transform": np.array(transform, float)}
    savemat(tmp_path / "a.mat", content)
    opened = unmix.open_scene(tmp_path / "a.mat")
    assert geo_of(opened) == (None, None) and opened.shape == (3, 4, 5)


def test_places_that_are_none(members):
    scene = simulate(members, size=SIZE)
    for crs, origin, pixel, message in (
        ("EPSG:nonsense", (0, 0), 30, "crs"),
        ("EPSG:32650", (0, 0), 0, "pixel_size"),
        ("EPSG:32650", (0, 0), (30, -30), "pixel_size"),
        ("EPSG:32650", (0, 0), (30, 30, 30), "pixel_size"),
        ("EPSG:32650", (0, np.nan), 30, "origin"),
        ("EPSG:32650", 5.0, 30, "origin"),
    ):
        with pytest.raises(InputError, match=message):
            located(scene, crs, origin, pixel)


def test_a_geotiff_and_its_truth_or_neither(members, tmp_path):
    scene = simulate(members, size=SIZE)
    write_geotiff(scene, tmp_path / "a.tif", truth=True)
    truth = read_truth(tmp_path / "a_truth.tif")
    np.testing.assert_array_equal(truth.abundances, scene.abundances)
    assert truth.names == members.names
    (tmp_path / "b_truth.tif").write_text("mine")
    with pytest.raises(InputError, match=r"b_truth\.tif: is there already"):
        write_geotiff(scene, tmp_path / "b.tif", truth=True)
    assert not (tmp_path / "b.tif").exists()


def test_more_than_matlab_holds(members, tmp_path):
    scene = simulate(members, size=(1, 1))
    huge = np.broadcast_to(np.float32(0), (2**15, 2**11, 16))
    with pytest.raises(InputError, match="4 GB"):
        write_mat(replace(scene, cube=huge), tmp_path / "a.mat")
    assert not list(tmp_path.iterdir())


# --- several -------------------------------------------------------------------------------------


def test_nine_scenes_share_ground_and_strengths(members):
    made = list(scenes(members, size=SIZE, beta=(0, 1), seed=3))
    assert [(s.model, s.snr) for s in made] == [
        (m, snr) for m in ("linear", "bilinear", "pnmm") for snr in (10.0, 20.0, 30.0)
    ]
    for scene in made:
        np.testing.assert_array_equal(scene.abundances, made[0].abundances)
        alone = simulate(members, model=scene.model, snr=scene.snr, size=SIZE, beta=(0, 1), seed=3)
        np.testing.assert_array_equal(scene.cube, alone.cube)
    betas = [s.parameters["beta"] for s in made if s.model == "bilinear"]
    assert all(np.array_equal(b, betas[0]) for b in betas)


@pytest.mark.parametrize("format", ["mat", "tif"])
def test_a_folder_of_scenes(members, tmp_path, format):
    def make(overwrite=False, seed=0):
        made = scenes(members, ("linear", "hapke"), (10.0, np.inf), size=SIZE, seed=seed)
        return write_scenes(made, tmp_path / "a" / "b", format=format, overwrite=overwrite)

    files = make()
    assert all(f.is_file() for f in files)
    assert {f.name for f in files} == {p.name for p in (tmp_path / "a" / "b").iterdir()}
    names = {f"{m}_{s}dB" for m in ("linear", "hapke") for s in ("10", "inf")}
    assert {f.stem.removesuffix("_truth") for f in files if f.suffix != ".png"} == names
    for name in names:
        opened = unmix.open_scene(tmp_path / "a" / "b" / f"{name}.{format}")
        assert opened.shape == (*SIZE, L)
    first = {f.name: f.read_bytes() for f in files}
    with pytest.raises(InputError, match="give --overwrite"):
        make()
    assert {f.name: f.read_bytes() for f in make(overwrite=True)} == first
    make(overwrite=True, seed=1)
    assert (tmp_path / "a" / "b" / f"linear_10dB.{format}").read_bytes() != first[
        f"linear_10dB.{format}"
    ]
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_folders_that_are_not_ours(members, tmp_path, monkeypatch):
    def make(out, **keywords):
        return write_scenes(scenes(members, size=SIZE), out, overwrite=True, **keywords)

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "linear_10dB.jpg").write_text("keep me")
    (tmp_path / "file").write_text("a text")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for out in ("photos", "file", "file/x", ".", "/proc/x", "n" * 300):
        with pytest.raises(InputError, match="out: "):
            make(out)
    with pytest.raises(InputError, match="format"):
        make("new", format="hdf")
    with pytest.raises(InputError, match="beta"):
        write_scenes(scenes(members, size=SIZE, beta=2.0), "new/deep")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_earlier_folder_survives_a_failure(members, tmp_path, monkeypatch):
    out = tmp_path / "a"
    write_scenes(scenes(members, size=SIZE), out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unmix.plot.style.save_png", full)
    with pytest.raises(InputError, match="No space left"):
        write_scenes(scenes(members, size=SIZE, seed=1), out, overwrite=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_lists_of_models_and_snrs(members):
    for models, snrs, message in (
        ((), (10.0,), "model"), (("linear", "linear"), (10.0,), "each once"),
        (("linear", "cubic"), (10.0,), "cubic"), (("linear",), (), "snr"),
        (("linear",), (10.0, np.nan), "snr"), (("linear",), (10.0, 10), "each once"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            next(scenes(members, models, snrs, size=SIZE))


# --- pictures ------------------------------------------------------------------------------------


def texts(figure):
    found = [t.get_text() for t in figure.texts]
    for axes in figure.axes:
        found += [axes.get_title(), axes.get_ylabel(), *(t.get_text() for t in axes.texts)]
    return found


def test_structure_lists_every_variable_with_its_size_and_type(members, tmp_path):
    scene = located(simulate(members, model="pnmm", size=SIZE), "EPSG:32650", (0, 0))
    path = write_mat(scene, tmp_path / "a.mat")
    entries = {e.name: e for e in entries_of(path)}
    assert {*PAPER, "parameters", "crs", "transform", "gamma", "seed"} <= set(entries)
    cube = entries["hyperspectral_cube"]
    assert (cube.shape, cube.kind, cube.depth) == ("7 × 11 × 12", "single", 0)
    assert entries["mixing_model"].shape == "1 × 4" and "pnmm" in entries["mixing_model"].text
    assert entries["gamma"].depth == 1 and entries["gamma"].text.endswith("0.7")
    assert entries["mineral_names"].text == "clay, rust, leaf"
    drawn = texts(file_structure(path))
    assert all(name in drawn for name in entries) and "a.mat" in drawn
    assert all(e.text for e in entries.values())


def test_views_lie_models_down_and_snrs_across(members):
    made = scenes(members, ("linear", "pnmm"), (10.0, 30.0, np.inf), size=SIZE)
    figure = false_colour_grid([view_of(s) for s in made])
    assert len(figure.axes) == 6
    titles, labels = ({f(a) for a in figure.axes} - {""} for f in (
        lambda a: a.get_title(), lambda a: a.get_ylabel()))  # fmt: skip
    assert titles == {"10 dB", "30 dB", "no noise"} and labels == {"linear", "post-nonlinear"}
    images = np.array([np.asarray(a.images[0].get_array()) for a in figure.axes])
    assert images.shape == (6, *SIZE, 3) and 0 <= images.min() < images.max() <= 1
    assert np.abs(images[0] - images[2]).mean() > 3 * np.abs(images[1] - images[2]).mean()


def test_views_of_scenes_without_wavelengths_or_data(members):
    A = simulate(members, size=SIZE).abundances.copy()
    A[:, 3] = np.nan
    scene = simulate(Endmembers(members.spectra[:, :2]), abundances=A)
    figure = false_colour_grid([view_of(scene)])
    image = np.asarray(figure.axes[0].images[0].get_array())
    assert np.isfinite(image).all() and (np.ptp(image[:, 3], axis=0) == 0).all()
    assert any("band 2" in t for t in texts(figure))
