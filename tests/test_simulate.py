"""Simulated scenes: the truth is a truth, the noise is the noise asked for, files read back."""

import importlib.resources as resources

import numpy as np
import pytest
import rasterio
from scipy.io import loadmat

from unmix import Endmembers, InputError, mixing
from unmix.io.library import read_endmembers
from unmix.resample import resample
from unmix.simulate import (
    FIELDS,
    MODELS,
    builtin_library,
    demo_scene,
    simulate,
    write_demo_scene,
    write_geotiff,
    write_mat,
    write_truth,
)

SIZE = (33, 47)


@pytest.fixture(scope="module")
def members():
    rng = np.random.default_rng(0)
    wavelength = np.linspace(450, 2400, 40)
    return Endmembers(rng.uniform(0.05, 0.9, (4, 40)), wavelength, ("a", "b", "c", "d"))


@pytest.fixture(scope="module")
def demo():
    return demo_scene()


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("pure", [True, False])
@pytest.mark.parametrize("size", [SIZE, (1, 1), (2, 3), (64, 5)])
def test_abundances_lie_on_the_simplex(members, field, pure, size):
    A = simulate(members, field=field, pure=pure, size=size, seed=7).abundances
    assert A.shape == (*size, 4)
    assert A.dtype == np.float32
    assert (A >= 0).all()
    np.testing.assert_allclose(A.sum(-1), 1, atol=1e-6)
    if not pure:
        assert A.max() <= 0.8 + 1e-6
    elif A.size > 100:
        assert A.reshape(-1, 4).max(0).min() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [2, 4])
def test_smooth_fields_give_every_member_ground_of_its_own(members, seed, k):
    E = Endmembers(members.spectra[:k])
    A = simulate(E, seed=seed, size=(60, 80)).abundances
    share = np.bincount(A.argmax(-1).ravel(), minlength=k) / (60 * 80)
    assert share.min() > 0.25 / k
    assert ((A > 0.999).sum((0, 1)) >= 4).all()
    step = np.abs(np.diff(A, axis=1)).mean()
    scattered = np.abs(np.diff(simulate(E, field="dirichlet").abundances, axis=1)).mean()
    assert step < 0.25 * scattered


def test_dirichlet_is_flat(members):
    A = simulate(members, field="dirichlet", size=(120, 130), pure=True).abundances
    np.testing.assert_allclose(A.mean((0, 1)), 0.25, atol=0.01)
    np.testing.assert_allclose(A.var((0, 1)), 0.25 * 0.75 / 5, atol=0.003)


def test_the_seed_decides_everything(members):
    first, again, other = (
        simulate(members, model="gbm", brightness=(0.7, 1.0), size=SIZE, seed=s) for s in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.cube, again.cube)
    assert np.abs(first.cube - other.cube).max() > 0.05
    assert np.abs(first.abundances - other.abundances).max() > 0.5


@pytest.mark.parametrize(
    ("model", "clean"),
    [
        ("linear", mixing.linear),
        ("bilinear", lambda A, E: mixing.bilinear(A, E, 0.6)),
        ("pnmm", lambda A, E: mixing.post_nonlinear(A, E, "power", 0.5)),
        ("fan", mixing.fan),
    ],
)
def test_the_cube_is_the_model_of_the_truth(members, model, clean):
    scene = simulate(members, model=model, snr=np.inf, beta=0.6, gamma=0.5, size=SIZE)
    np.testing.assert_allclose(scene.cube, clean(scene.abundances, members.spectra), atol=2e-6)


def test_random_models_stay_within_their_range(members):
    kwargs = {"snr": np.inf, "size": SIZE}
    gbm = simulate(members, model="gbm", beta=0.5, **kwargs)
    low, high = (
        gbm.abundances @ members.spectra,
        mixing.bilinear(gbm.abundances, members.spectra, 0.5),
    )
    assert ((gbm.cube >= low - 1e-5) & (gbm.cube <= high + 1e-5)).all()
    assert 0.3 < ((gbm.cube - low).sum() / (high - low).sum()) < 0.7
    ppnm = simulate(members, model="ppnm", **kwargs)
    y = ppnm.abundances @ members.spectra
    b = ((ppnm.cube - y) / y**2).mean(-1)
    assert -0.301 < b.min() < -0.25 and 0.25 < b.max() < 0.301


def test_a_matrix_of_strengths_is_used_as_it_is(members):
    beta = np.random.default_rng(1).uniform(0, 1, (4, 4))
    scene = simulate(members, model="bilinear", beta=beta, snr=np.inf, size=SIZE)
    expected = mixing.bilinear(scene.abundances, members.spectra, beta)
    np.testing.assert_allclose(scene.cube, expected, atol=2e-6)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("snr", [0.0, 10.0, 30.0])
def test_noise_has_the_power_asked_for(members, model, snr):
    kwargs = {"model": model, "size": (60, 70), "seed": 5, "brightness": (0.6, 1.1)}
    clean, noisy = (simulate(members, snr=s, **kwargs).cube.astype(float) for s in (np.inf, snr))
    noise = noisy - clean
    measured = 10 * np.log10((clean**2).sum() / (noise**2).sum())
    assert measured == pytest.approx(snr, abs=0.05)
    assert abs(noise.mean()) < 0.01 * noise.std()


def test_noise_follows_its_profile(members):
    profile = np.linspace(1, 4, 40)
    clean, noisy = (
        simulate(members, snr=s, size=(90, 90), noise_profile=profile).cube for s in (np.inf, 25.0)
    )
    noise = (noisy - clean).astype(float)
    spread = noise.std((0, 1))
    np.testing.assert_allclose(spread / spread.mean(), profile / profile.mean(), rtol=0.05)
    assert 10 * np.log10((clean**2).sum() / (noise**2).sum()) == pytest.approx(25, abs=0.1)


def test_brightness_is_smooth_and_in_range(members):
    scene = simulate(members, snr=np.inf, brightness=(0.6, 1.1), size=(50, 70))
    s = scene.brightness
    assert s.min() == pytest.approx(0.6) and s.max() == pytest.approx(1.1)
    assert np.abs(np.diff(s, axis=1)).max() < 0.12
    np.testing.assert_allclose(
        scene.cube, s[..., None] * (scene.abundances @ members.spectra), atol=1e-6
    )
    assert simulate(members, size=SIZE).brightness is None
    np.testing.assert_allclose(simulate(members, brightness=(0.9, 0.9), size=SIZE).brightness, 0.9)
    assert simulate(members, brightness=(0.6, 1.1), size=(1, 1)).brightness.shape == (1, 1)


def test_bands_without_a_value_are_left_out(members):
    spectra = members.spectra.copy()
    spectra[1, 3:6] = np.nan
    E = Endmembers(spectra, members.wavelength, members.names, fwhm=np.full(40, 9.0))
    scene = simulate(E, size=SIZE, noise_profile=np.arange(40.0))
    assert scene.cube.shape == (*SIZE, 37)
    assert np.isfinite(scene.cube).all()
    np.testing.assert_array_equal(
        scene.endmembers.wavelength, np.delete(members.wavelength, [3, 4, 5])
    )
    assert scene.endmembers.fwhm.shape == (37,)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"model": "cubic"}, "model: got 'cubic'; choose one of linear, bilinear"),
        ({"field": "fractal"}, "field"),
        ({"snr": np.nan}, "snr: got nan"),
        ({"snr": -np.inf}, "snr"),
        ({"snr": "20"}, "snr"),
        ({"snr": None}, "snr"),
        ({"snr": [10.0, 20.0]}, "snr"),
        ({"size": (0, 5)}, "size"),
        ({"size": (5,)}, "size"),
        ({"size": 5}, "size"),
        ({"size": (2.5, 3)}, "size"),
        ({"size": (np.inf, 3)}, "size"),
        ({"size": "128x96"}, "size"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"beta": 1.5}, "beta"),
        ({"beta": np.nan}, "beta"),
        ({"beta": np.ones((3, 3))}, "beta"),
        ({"gamma": 0.0}, "gamma"),
        ({"gamma": np.nan}, "gamma"),
        ({"gamma": [0.7]}, "gamma"),
        ({"brightness": (1.1, 0.6)}, "brightness"),
        ({"brightness": (0.0, 1.0)}, "brightness"),
        ({"brightness": "high"}, "brightness"),
        ({"brightness": (0.5, np.nan)}, "brightness"),
        ({"noise_profile": np.ones(3)}, "noise_profile"),
        ({"noise_profile": -np.ones(40)}, "noise_profile"),
        ({"noise_profile": np.zeros(40)}, "zero in every band"),
    ],
)
def test_bad_input_is_refused(members, kwargs, message):
    with pytest.raises(InputError, match=message):
        simulate(members, **{"size": (4, 6), **kwargs})


def test_endmembers_must_mix(members):
    with pytest.raises(InputError, match="at least 2"):
        simulate(Endmembers(members.spectra[:1]))
    apart = members.spectra.copy()
    apart[0, :20] = apart[1, 20:] = np.nan
    with pytest.raises(InputError, match="no band in which every member"):
        simulate(Endmembers(apart))


def test_mat_file_reads_back(members, tmp_path):
    scene = simulate(members, model="bilinear", snr=20.0, size=SIZE)
    path = write_mat(scene, tmp_path / "scene.mat")
    content = loadmat(path)
    np.testing.assert_array_equal(content["hyperspectral_cube"], scene.cube)
    np.testing.assert_array_equal(content["abundance_cube"], scene.abundances)
    assert [str(cell[0]) for cell in content["mineral_names"].ravel()] == list("abcd")
    np.testing.assert_allclose(content["spectra_library"], members.spectra)
    np.testing.assert_allclose(content["wavelengths"], members.wavelength[None])
    assert content["SNR_dB"].item() == 20.0
    assert content["mixing_model"].item() == "bilinear"
    back = read_endmembers(path)
    np.testing.assert_allclose(back.spectra, members.spectra)
    assert back.names == members.names
    without = write_mat(simulate(Endmembers(members.spectra), size=SIZE), tmp_path / "plain.mat")
    assert "wavelengths" not in loadmat(without)


def test_nothing_is_overwritten_and_nothing_is_left_behind(members, tmp_path):
    scene = simulate(members, size=(4, 6))
    path = write_mat(scene, tmp_path / "scene.mat")
    before = path.read_bytes()
    for write in (write_mat, write_truth, write_geotiff):
        with pytest.raises(InputError, match="is there already"):
            write(scene, path)
    assert path.read_bytes() == before
    write_mat(simulate(members, size=(5, 7)), path, overwrite=True)
    assert loadmat(path)["abundance_cube"].shape == (5, 7, 4)
    for bad in (tmp_path / "no" / "scene.mat", tmp_path):
        with pytest.raises(InputError, match="folder"):
            write_mat(scene, bad, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["scene.mat"]


def test_a_failed_write_is_an_input_error(members, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unmix.io.simulated.savemat", full)
    with pytest.raises(InputError, match="No space left"):
        write_mat(simulate(members, size=(4, 6)), tmp_path / "scene.mat")
    assert not list(tmp_path.iterdir())


TURNED = (24.0, 8.0, 500_000.0, 8.0, -24.0, 4_000_000.0)


def test_geotiff_carries_place_and_wavelengths(members, tmp_path):
    E = Endmembers(members.spectra, members.wavelength, members.names, fwhm=np.full(40, 9.5))
    scene = simulate(E, size=SIZE)
    path = write_geotiff(scene, tmp_path / "scene.tif", "EPSG:32733", TURNED)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), np.moveaxis(scene.cube, -1, 0))
        assert file.crs.to_epsg() == 32733
        assert tuple(file.transform)[:6] == TURNED
        assert np.isnan(file.nodata)
        tags = file.tags(3)
        assert float(tags["wavelength"]) == pytest.approx(members.wavelength[2])
        assert (tags["wavelength_units"], float(tags["fwhm"])) == ("Nanometers", 9.5)
        assert file.descriptions[2] == "band 3 (550 Nanometers)"
    plain = write_geotiff(simulate(Endmembers(members.spectra), size=SIZE), tmp_path / "plain.tif")
    with rasterio.open(plain) as file:
        assert file.descriptions[2] == "band 3"
        assert file.crs.to_epsg() == 32650
    with pytest.raises(InputError, match="crs"):
        write_geotiff(scene, tmp_path / "bad.tif", "EPSG:nonsense")
    with pytest.raises(InputError, match="dtype"):
        write_geotiff(scene, tmp_path / "bad.tif", dtype="uint8")


def test_truth_in_either_format(demo, tmp_path):
    raster, matlab = (write_truth(demo, tmp_path / name) for name in ("t.tif", "t.mat"))
    with rasterio.open(raster) as file:
        assert file.descriptions == demo.endmembers.names
        np.testing.assert_array_equal(file.read(), np.moveaxis(demo.abundances, -1, 0))
        assert file.crs.to_string() == demo.crs
    np.testing.assert_array_equal(loadmat(matlab)["abundance_cube"], demo.abundances)
    assert "hyperspectral_cube" not in loadmat(matlab)
    with pytest.raises(InputError, match=r"ends in \.tif or \.mat"):
        write_truth(demo, tmp_path / "truth.csv")


def test_demo_scene_is_what_it_says(demo):
    outside = np.isnan(demo.cube).all(-1)
    np.testing.assert_array_equal(outside, np.isnan(demo.cube).any(-1))
    np.testing.assert_array_equal(outside, np.isnan(demo.abundances).any(-1))
    assert 0.02 < outside.mean() < 0.1
    A, s, E = demo.abundances[~outside], demo.brightness[~outside], demo.endmembers
    assert (A.max(0) > 0.999).all()
    clean = s[:, None] * (A @ E.spectra)
    noise = demo.cube[~outside] - clean
    assert 10 * np.log10((clean**2).sum() / (noise**2).sum()) == pytest.approx(30, abs=0.3)
    spread = noise.std(0)
    assert spread.max() > 2 * spread.min()
    w = E.wavelength
    assert (np.diff(w) < 0).sum() == 1  # two detectors overlap
    assert not ((w > 1350) & (w < 1435)).any()
    assert (E.fwhm > 0).all()


@pytest.mark.parametrize("seed", range(1, 4))
def test_demo_keeps_pure_pixels_inside_the_swath(seed):
    assert np.nanmax(demo_scene(seed).abundances, axis=(0, 1)).min() > 0.999


def test_demo_files(demo, tmp_path):
    scene, truth = write_demo_scene(tmp_path / "demo.tif")
    assert truth.name == "demo_truth.tif"
    with rasterio.open(scene) as file:
        counts = file.read()
        assert counts.dtype == np.int16
        assert (file.nodata, file.scales[0]) == (-9999, 0.0001)
        assert tuple(file.transform)[:6] == demo.transform
        values = np.where(counts == -9999, np.nan, counts * file.scales[0])
    np.testing.assert_allclose(np.moveaxis(values, 0, -1), demo.cube, atol=5.1e-5)
    first = scene.read_bytes()
    with pytest.raises(InputError, match="is there already"):
        write_demo_scene(scene)
    write_demo_scene(scene, overwrite=True)
    assert scene.read_bytes() == first


def depth(library, name, left, centre, right):
    """Depth of an absorption under the straight line between its shoulders."""
    x, y = library.wavelength, library.spectra[library.names.index(name)]
    value = np.interp([left, centre, right], x[np.isfinite(y)], y[np.isfinite(y)])
    line = value[0] + (value[2] - value[0]) * (centre - left) / (right - left)
    return 1 - value[1] / line


def test_builtin_spectra_show_their_diagnostic_features():
    library = builtin_library()
    for name, band in {
        "Kaolinite": (2120, 2210, 2240),
        "Alunite": (2100, 2170, 2260),
        "Muscovite": (2140, 2200, 2270),
        "Calcite": (2250, 2340, 2380),
        "Dolomite": (2240, 2320, 2370),
        "Gypsum": (1690, 1750, 1810),
        "Goethite": (760, 940, 1300),
        "Jarosite": (2220, 2270, 2290),
        "Pyrophyllite": (2120, 2170, 2210),
        "Chlorite": (2190, 2330, 2370),
        "Green grass": (560, 670, 740),
        "Conifer": (1120, 1200, 1260),
    }.items():
        assert depth(library, name, *band) > 0.08, name
    at_900 = library.spectra[:, np.flatnonzero(library.wavelength == 900)[0]]
    assert at_900[library.names.index("Water")] < 0.05
    assert np.nanmin(library.spectra) > 0 and np.nanmax(library.spectra) < 1


def test_builtin_library_resamples_and_every_spectrum_has_its_provenance():
    library = builtin_library()
    text = (resources.files("unmix") / "data" / "PROVENANCE.md").read_text()
    assert all(f"| {name} |" in text for name in library.names)
    size = len((resources.files("unmix") / "data" / "library.csv").read_bytes())
    assert size < 300_000
    got = resample(library, np.arange(420.0, 2400.0, 9.0), 12.0)
    urban = got.spectra[got.names.index("Asphalt road")]
    water = (got.wavelength > 1365) & (got.wavelength < 1445)
    assert np.isnan(urban[water]).all()
    assert np.isfinite(got.spectra[got.names.index("Kaolinite")]).all()
