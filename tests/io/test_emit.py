"""EMIT granules: layout, companions, laziness, damage; results on their grids."""

from __future__ import annotations

import pickle
import shutil

import h5py
import numpy as np
import pytest
from rasterio.crs import CRS
from tiny_products import assert_survives_damage, assert_windows

from unmix.checks import InputError
from unmix.cli import app
from unmix.io.hdf5 import H5Pixels
from unmix.scene import files_of, open_scene
from unmix.simulate.products.emit import DEEP_WATER, GRANULE, write

NM = np.linspace(381.0, 2493.0, 48)
SHAPE = (13, 9, 48)


@pytest.fixture(scope="module")
def cube():
    cube = np.random.default_rng(7).uniform(0.03, 0.6, SHAPE)
    cube[4, 6] = np.nan
    return cube


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(8)
    names = ("cloud", "haze", "water", "spacecraft", "dilated_cloud")
    return {name: rng.random(SHAPE[:2]) < 0.2 for name in names}


@pytest.fixture(scope="module")
def granule(tmp_path_factory, cube, layers):
    folder = tmp_path_factory.mktemp("emit") / "granule"
    unc = np.random.default_rng(9).uniform(0.001, 0.01, SHAPE)
    return write(folder, cube, NM, 8.4, layers=layers, uncertainty=unc)


@pytest.fixture
def copy(granule, tmp_path):
    """A granule to break."""
    shutil.copytree(granule.parent, tmp_path / "g")
    return tmp_path / "g" / granule.name


def test_everything_it_says(granule, cube, layers):
    scene = open_scene(granule)
    good = ~(((NM >= 1325) & (NM <= 1435)) | ((NM >= 1770) & (NM <= 1965)))
    np.testing.assert_array_equal(scene.good, good)
    np.testing.assert_allclose(scene.wavelength, NM, rtol=1e-6)
    np.testing.assert_allclose(scene.fwhm, 8.4, rtol=1e-6)
    values = scene.values
    np.testing.assert_array_equal(values[..., good], cube[..., good].astype("f4"))
    assert (values[..., ~good][np.isfinite(cube[..., 0])] == np.float32(DEEP_WATER)).all()
    assert np.isnan(values[4, 6]).all()
    before = layers["cloud"] | layers["dilated_cloud"] | layers["spacecraft"]
    np.testing.assert_array_equal(scene.cloud, before)
    np.testing.assert_array_equal(scene.haze, layers["haze"])
    np.testing.assert_array_equal(scene.water, layers["water"])
    assert scene.cloud.dtype == bool and scene.cloud.dims == ("y", "x")
    assert 0.004 < float(scene.uncertainty.median()) < 0.007
    assert any("reflectance uncertainty 0.005" in line for line in scene.attrs["history"])
    about = {k: scene.attrs[k] for k in ("sensor", "quantity", "acquired", "scale_declared")}
    assert about == {
        "sensor": "EMIT",
        "quantity": "reflectance",
        "acquired": "2022-08-14T16:07:11+00:00",
        "scale_declared": True,
    }
    assert len(files_of(scene)) == 3
    assert CRS.from_wkt(scene.attrs["swath"].crs_wkt).to_epsg() == 4326


def test_the_layout_is_that_of_the_product(granule):
    with h5py.File(granule) as file:
        assert file["reflectance"].dtype == "f4" and file["reflectance"].shape == SHAPE
        assert [d[0].name for d in file["reflectance"].dims] == [
            "/downtrack",
            "/crosstrack",
            "/bands",
        ]
        assert [d[0].name for d in file["location/glt_x"].dims] == ["/ortho_y", "/ortho_x"]
        assert set(file["location"]) == {"glt_x", "glt_y", "lat", "lon"}
        assert file["reflectance"].attrs["_FillValue"] == -9999
        assert file.attrs["geotransform"].shape == (6,)


@pytest.mark.parametrize("name", ["", "MASK", "RFLUNCERT"])
def test_folder_and_companions_lead_to_the_granule(granule, name):
    path = granule.parent / f"EMIT_L2A_{name}_{GRANULE}.nc" if name else granule.parent
    assert open_scene(path).attrs["files"][0] == str(granule)


def test_without_companions(granule, tmp_path):
    alone = shutil.copy(granule, tmp_path / granule.name)
    scene = open_scene(alone)
    assert not {"cloud", "water", "uncertainty"} & set(scene.coords)
    renamed = shutil.copy(granule, tmp_path / "mine.nc")
    np.testing.assert_array_equal(open_scene(renamed).values, scene.values)


def test_flags_are_told_by_name(copy):
    mask = copy.with_name(copy.name.replace("RFL", "MASK"))
    with h5py.File(mask, "r+") as file:  # another version's order and spelling
        flags = file["mask"][...]
        names = file["sensor_band_parameters/mask_bands"][...]
        order = [2, 0, 1, 4, 5]
        del file["mask"], file["sensor_band_parameters/mask_bands"]
        file["mask"] = flags[..., order]
        file["sensor_band_parameters/mask_bands"] = [names[i].title() for i in order]
    scene = open_scene(copy)
    np.testing.assert_array_equal(scene.water, flags[..., 2] > 0)
    np.testing.assert_array_equal(scene.cloud, (flags[..., 0] > 0) | (flags[..., 4] > 0))


def test_only_the_window_is_read(granule, cube, monkeypatch):
    asked = []
    original = H5Pixels.__call__

    def spy(self, *key):
        out = original(self, *key)
        asked.append(out.shape)
        return out

    monkeypatch.setattr(H5Pixels, "__call__", spy)
    scene = pickle.loads(pickle.dumps(open_scene(granule)))
    repr(scene)
    assert asked == []
    part = scene[2:7, 3:5, [1, 40, 3]].values
    np.testing.assert_array_equal(part, cube[2:7, 3:5, [1, 40, 3]].astype("f4"))
    assert [shape[:2] for shape in asked] == [(5, 2)]


def test_radiance_granule(tmp_path, cube):
    path = write(tmp_path / "r", cube * 10, NM, 8.4, quantity="radiance", sun_zenith=41.5)
    scene = open_scene(path)
    about = [scene.attrs[k] for k in ("quantity", "units", "sun_zenith", "scale_declared")]
    assert about == ["radiance", "uW/cm^2/SR/nm", 41.5, False]
    assert scene.good.all()


BREAKS = {
    "no bands": (lambda f: f.pop("sensor_band_parameters"), "has no group sensor_band_parameters"),
    "no place": (lambda f: f.pop("location"), "has no group location"),
    "no glt_y": (lambda f: f["location"].pop("glt_y"), "has no data set location/glt_y"),
    "no transform": (lambda f: f.attrs.pop("geotransform"), "has no geotransform of 6 numbers"),
    "no area": (
        lambda f: f.attrs.modify("geotransform", np.zeros(6)),
        "the pixels of its geotransform have no area",
    ),
    "47 bands": (
        lambda f: replace(f, "sensor_band_parameters/wavelengths", NM[:-1]),
        "47 wavelength values for 48 bands",
    ),
    "flags": (
        lambda f: replace(f, "sensor_band_parameters/good_wavelengths", np.ones(50)),
        "50 bbl values for 48 bands",
    ),
    "outside": (lambda f: outside(f), "GLT points outside the swath .glt_y reaches 14, .* 13 rows"),
    "far outside": (lambda f: outside(f, -(2**31)), "glt_y reaches 2147483648, .* 13 rows"),
    "flat": (lambda f: replace(f, "reflectance", np.ones((13, 9))), "reflectance is 2-dimensional"),
    "text": (
        lambda f: replace(f, "sensor_band_parameters/wavelengths", [b"a"] * 48),
        "is no list of numbers",
    ),
}


def replace(file, name, values):
    del file[name]
    file[name] = values


def outside(file, row=14):
    table = file["location/glt_y"]
    table[5, 5] = row


@pytest.mark.parametrize("case", BREAKS)
def test_broken_granules_are_one_line(copy, case):
    change, message = BREAKS[case]
    with h5py.File(copy, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=message) as caught:
        open_scene(copy)
    assert copy.name in str(caught.value) and "\n" not in str(caught.value)


def test_companions_of_another_granule(copy):
    for kind, name in (("MASK", "mask"), ("RFLUNCERT", "reflectance_uncertainty")):
        companion = copy.with_name(copy.name.replace("RFL", kind))
        kept = companion.read_bytes()
        with h5py.File(companion, "r+") as file:
            replace(file, name, np.zeros((12, *file[name].shape[1:])))
        with pytest.raises(InputError, match=f"{companion.name}.*12.*13"):
            open_scene(copy)
        companion.write_bytes(kept)


@pytest.mark.parametrize("size", [0.3, 0.9])
def test_truncated(copy, size, tmp_path, capsys, monkeypatch):
    data = copy.read_bytes()
    copy.write_bytes(data[: int(size * len(data))])
    with pytest.raises(InputError, match="truncated or damaged"):
        open_scene(copy)
    from unmix.cli import main

    monkeypatch.setattr("sys.argv", ["unmix", "run", str(copy), "-o", str(tmp_path / "OUT")])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and said.count("\n") == 0 and "Traceback" not in said
    assert not (tmp_path / "OUT").exists() and not list(tmp_path.glob(".unmix*"))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_byte_is_wrong(copy, seed):
    assert_survives_damage(copy, seed)


def test_windows(granule):
    small = open_scene(granule)[:, :, :23]
    assert_windows(small)


def test_a_companion_alone(granule, tmp_path):
    mask = granule.with_name(granule.name.replace("RFL", "MASK"))
    alone = shutil.copy(mask, tmp_path / mask.name)
    with pytest.raises(InputError, match="companion of an EMIT granule; put its EMIT_L2A_RFL_"):
        open_scene(alone)


def test_external_data_are_refused(copy, tmp_path):
    (tmp_path / "secret").write_bytes(b"x" * 13 * 9 * 48 * 4)
    with h5py.File(copy, "r+") as file:
        del file["reflectance"]
        outer = [(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("reflectance", SHAPE, "f4", external=outer)
    with pytest.raises(InputError, match="refers to other files"):
        open_scene(copy)


def test_linked_data_are_refused(copy, granule):
    with h5py.File(copy, "r+") as file:
        del file["reflectance"]
        file["reflectance"] = h5py.ExternalLink(str(granule), "/reflectance")
    with pytest.raises(InputError, match="refers to other files"):
        open_scene(copy)


def test_a_bomb_is_refused(copy):
    with h5py.File(copy, "r+") as file:
        del file["reflectance"]
        file.create_dataset("reflectance", (2**15, 2**15, 48), "f4", chunks=(64, 64, 48))
    with pytest.raises(InputError, match=r"declares .* numbers but holds"):
        open_scene(copy)


def test_command_line(granule, tmp_path):
    import json

    from typer.testing import CliRunner

    said = CliRunner().invoke(app, ["info", str(granule.parent), "--json"])
    found = json.loads(said.stdout)
    assert found["swath_grid"] == list(open_scene(granule).attrs["swath"].index.shape)
    assert found["details"]["sensor"] == "EMIT" and "swath" not in found["details"]
    out = tmp_path / "OUT"
    words = ["run", str(granule), "-o", str(out), "--method", "vca-fcls", "-k", "3"]
    assert CliRunner().invoke(app, words).exit_code == 0
    header = (out / "endmembers.csv").read_text().splitlines()
    assert header[0].startswith("wavelength_nm") and len(header) == 49
