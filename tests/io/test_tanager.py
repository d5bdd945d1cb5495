"""Tanager scenes, basic and ortho: layout, grid, masks, damage."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from tiny_products import assert_survives_damage

from unmix.checks import InputError
from unmix.scene import geo_of, open_scene
from unmix.simulate.products.tanager import SCENE, write

NM = np.linspace(376.4, 2499.0, 30)
WHERE = (30.0, 0.0, 570300.0, 0.0, -30.0, 3555450.0)
ORTHO, BASIC = "HDFEOS/GRIDS/HYP", "HDFEOS/SWATHS/HYP"


@pytest.fixture(scope="module")
def cube():
    cube = np.random.default_rng(2).uniform(0.02, 0.7, (11, 8, 30))
    cube[0, :3] = np.nan
    return cube


@pytest.fixture(scope="module")
def clouds():
    return np.random.default_rng(3).random((11, 8)) < 0.3


@pytest.fixture(params=["ortho", "basic"])
def file(request, tmp_path, cube, clouds):
    good = NM < 2400
    return write(
        tmp_path / "t", cube, NM, 5.6, "EPSG:32613", WHERE,
        geometry=request.param, good=good, layers={"cloud": clouds, "haze": ~clouds},
    )  # fmt: skip


def test_everything_it_says(file, cube, clouds):
    scene = open_scene(file)
    np.testing.assert_array_equal(scene.values, cube.astype("f4"))
    np.testing.assert_allclose(scene.wavelength, NM)
    np.testing.assert_array_equal(scene.good, NM < 2400)
    np.testing.assert_array_equal(scene.cloud, clouds)
    np.testing.assert_array_equal(scene.haze, ~clouds)
    about = [scene.attrs[k] for k in ("sensor", "quantity", "sun_zenith", "acquired")]
    assert about == ["Tanager", "reflectance", 30.0, "2025-05-11T07:43:11+00:00"]
    np.testing.assert_array_equal(
        scene[3:9, 1:5, [0, 29]].values, cube[3:9, 1:5, [0, 29]].astype("f4")
    )
    assert open_scene(file.parent).attrs["files"] == scene.attrs["files"]


@pytest.mark.parametrize("code", [32613, 32734])
@pytest.mark.parametrize("said", ["epsg_code", "zone"])
def test_ortho_grid_to_the_last_digit(tmp_path, cube, code, said):
    where = (30.1, 0.0, 570300.3, 0.0, -29.9, 3555450.7)
    file = write(tmp_path / "t", cube, NM, 5.6, f"EPSG:{code}", where)
    if said == "zone":
        with h5py.File(file, "r+") as h5:
            del h5[ORTHO].attrs["epsg_code"]
    crs, affine = geo_of(open_scene(file))
    assert CRS.from_wkt(crs).to_epsg() == code
    assert affine == pytest.approx(where, rel=1e-14)


def test_basic_is_put_on_the_grid_it_names(tmp_path, cube):
    file = write(tmp_path / "t", cube, NM, 5.6, "EPSG:32613", WHERE, geometry="basic", turn=10.0)
    ortho = open_scene(file).attrs["swath"]
    assert CRS.from_wkt(ortho.crs_wkt).to_epsg() == 32613 and ortho.affine == WHERE
    assert ortho.shape == (11, 8)
    # pixels without data lie nowhere; every other one is a pixel away at most from its place
    row, col = np.nonzero(ortho.index >= 0)
    v, u = np.divmod(ortho.index[row, col], 8)
    angle = np.radians(10)
    vv, uu = np.indices((11, 8), float)
    x, y = uu * np.cos(angle) - vv * np.sin(angle), uu * np.sin(angle) + vv * np.cos(angle)
    x, y = x - x.min() + 0.5, y - y.min() + 0.5
    far = np.hypot(x[v, u] - col - 0.5, y[v, u] - row - 0.5)
    assert far.max() < 0.8 and not np.isin([0, 1, 2], ortho.index).any()
    with h5py.File(file, "r+") as h5:
        del h5[f"{BASIC}/Geolocation Fields"].attrs["Planet_Ortho_Framing"]
    own = open_scene(file).attrs["swath"]
    assert CRS.from_wkt(own.crs_wkt).to_epsg() == 32613


def test_result_of_a_basic_scene(tmp_path, cube):
    from unmix import run

    file = write(tmp_path / "t", cube, NM, 5.6, "EPSG:32613", WHERE, geometry="basic")
    run(file, 3, method="vca-fcls").save(tmp_path / "OUT")
    with rasterio.open(tmp_path / "OUT" / "abundances.tif") as tiff:
        assert tuple(tiff.transform)[:6] == WHERE and tiff.crs.to_epsg() == 32613


def test_radiance(tmp_path, cube):
    scene = open_scene(write(tmp_path / "r", cube * 90, NM, 5.6, quantity="radiance"))
    about = [scene.attrs[k] for k in ("quantity", "units", "scale_declared")]
    assert about == ["radiance", "W/(m^2 sr um)", False]


def framing(text):
    def change(h5):
        h5[f"{BASIC}/Geolocation Fields"].attrs["Planet_Ortho_Framing"] = text

    return change


def struct(text):
    def change(h5):
        del h5["HDFEOS INFORMATION/StructMetadata.0"], h5[ORTHO].attrs["epsg_code"]
        h5["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_(text)

    return change


def shorter(h5):
    data = h5[f"{ORTHO}/Data Fields/surface_reflectance"]
    data.attrs["wavelengths"] = NM[1:]


def small_mask(h5):
    del h5[f"{ORTHO}/Data Fields/nodata_pixels"]
    h5[f"{ORTHO}/Data Fields/nodata_pixels"] = np.zeros((8, 11), "u4")


BREAKS = [
    ("ortho", lambda h5: h5[f"{ORTHO}/Data Fields"].pop("surface_reflectance"), "has neither"),
    ("ortho", shorter, "29 wavelength values for 30 bands"),
    ("ortho", small_mask, "8 × 11 values where the scene has 11 × 8 pixels"),
    ("ortho", struct("GROUP=GridStructure"), r"StructMetadata\.0 names no usable grid"),
    ("basic", lambda h5: h5.pop(f"{BASIC}/Geolocation Fields/Latitude"), "no Longitude and Lat"),
    ("basic", framing("{}"), "Planet_Ortho_Framing names no usable grid"),
    ("basic", framing("[" * 100_000), "Planet_Ortho_Framing names no usable grid"),
    (
        "basic",
        framing('{"epsg_code":32613,"rows":9e9,"cols":9,"geotransform":[0,30,0,0,0,-30]}'),
        "names no usable grid",
    ),
]


@pytest.mark.parametrize(("geometry", "change", "message"), BREAKS)
def test_broken_scenes_are_one_line(tmp_path, cube, geometry, change, message):
    file = write(tmp_path / "t", cube, NM, 5.6, geometry=geometry)
    with h5py.File(file, "r+") as h5:
        change(h5)
    with pytest.raises(InputError, match=message) as caught:
        open_scene(file)
    assert file.name in str(caught.value) and "\n" not in str(caught.value)


def test_truncated(tmp_path, cube):
    file = write(tmp_path / "t", cube, NM, 5.6)
    file.write_bytes(file.read_bytes()[:9000])
    with pytest.raises(InputError, match="truncated or damaged HDF5"):
        open_scene(file)


@pytest.mark.parametrize("geometry", ["ortho", "basic"])
def test_whatever_byte_is_wrong(tmp_path, cube, geometry):
    assert_survives_damage(write(tmp_path / "t", cube, NM, 5.6, geometry=geometry))


def test_a_folder_of_two(tmp_path, cube):
    file = write(tmp_path / "t", cube, NM, 5.6)
    file.with_name("20250512_074311_00_4001_basic_sr_hdf5.h5").write_bytes(file.read_bytes())
    with pytest.raises(InputError, match="holds 2 Tanager scenes"):
        open_scene(file.parent)
    assert SCENE in file.name
