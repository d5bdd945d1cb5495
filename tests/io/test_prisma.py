"""PRISMA products of all levels: cubes, lists, scales, errors, place, and damaged files."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
import rasterio
from tiny_products import (
    COLS,
    CRS,
    DETECTOR,
    FWHM,
    ROWS,
    TURNED,
    UPRIGHT,
    WAVELENGTH,
    assert_placed,
    assert_refused,
    assert_runs,
    assert_survives_damage,
    assert_windows,
    cube,
)

from unmix.scene import files_of, geo_of, open_scene, swath_of
from unmix.simulate.products.prisma import NAME, write

HIDDEN = np.isnan(cube()).all(axis=2)
SCALE = {"L1": 100.0, "L2B": 100.0, "L2C": 1.0, "L2D": 1.0}
FIELDS = "HDFEOS/SWATHS/PRS_{}_HCO/Data Fields"


def make(folder, level="L2D", where=UPRIGHT, **options):
    values = cube(SCALE[level])
    return write(folder, values, WAVELENGTH, FWHM, CRS, where, level=level, **options)


@pytest.fixture
def product(tmp_path):
    return make(tmp_path / "p")


def test_the_layout_is_the_missions(product):
    assert product.name == NAME.format("L2D")
    with h5py.File(product) as file:
        cubes = {n: file[f"{FIELDS.format('L2D')}/{n}_Cube"] for n in ("VNIR", "SWIR")}
        assert cubes["VNIR"].shape == (ROWS, 13, COLS) and cubes["SWIR"].shape == (ROWS, 15, COLS)
        assert cubes["VNIR"].dtype == np.uint16
        centres = file.attrs["List_Cw_Vnir"]
        assert centres[:3].tolist() == [0, 0, 0] and (np.diff(centres[3:]) < 0).all()
        assert file.attrs["List_Cw_Swir"][-2:].tolist() == [0, 0]
        assert file.attrs["List_Cw_Swir_Flags"].tolist() == [1] * 13 + [0] * 2
        assert file.attrs["Processing_Level"] == b"2D" and file.attrs["Epsg_Code"] == 32633
        assert file.attrs["Product_ULcorner_easting"] == UPRIGHT[2] + 15
        assert file.attrs["Product_LRcorner_northing"] == UPRIGHT[5] - 30 * (ROWS - 0.5)


@pytest.mark.parametrize("level", ["L1", "L2B", "L2C", "L2D"])
def test_reads_every_level(tmp_path, level):
    scene = open_scene(make(tmp_path / "p", level, sun_zenith=41.25))
    tolerance = 0.0051 if level == "L1" else SCALE[level] * 1e-5
    np.testing.assert_allclose(scene.values, cube(SCALE[level]), atol=tolerance)
    np.testing.assert_allclose(scene.wavelength, WAVELENGTH, atol=1e-4)
    np.testing.assert_allclose(scene.fwhm, FWHM, atol=1e-4)
    np.testing.assert_array_equal(scene.detector, DETECTOR)
    radiance = level in ("L1", "L2B")
    assert scene.attrs["quantity"] == ("radiance" if radiance else "reflectance")
    assert ("units" in scene.attrs) == radiance
    assert scene.attrs["sensor"] == "PRISMA" and scene.attrs["sun_zenith"] == 41.25
    assert scene.attrs["acquired"] == "2020-11-07T10:14:04.000"
    assert scene.attrs["product_bands"] == [*range(13, 3, -1), *range(13, 0, -1)]
    assert [p.name for p in files_of(scene)] == [NAME.format(level)]


def test_grid_of_l2d(product):
    scene = open_scene(product)
    assert_placed(scene, UPRIGHT)
    assert swath_of(scene) is None


def test_corners_that_span_the_pixels(product):
    with h5py.File(product, "r+") as file:
        for key, value in (("UL", (0, 0)), ("LR", (COLS, ROWS))):
            file.attrs[f"Product_{key}corner_easting"] = UPRIGHT[2] + 30 * value[0]
            file.attrs[f"Product_{key}corner_northing"] = UPRIGHT[5] - 30 * value[1]
    assert geo_of(open_scene(product))[1] == UPRIGHT


@pytest.mark.parametrize("level", ["L1", "L2B", "L2C"])
def test_swaths_are_placed_by_their_coordinates(tmp_path, level):
    scene = open_scene(make(tmp_path / "p", level, TURNED))
    assert geo_of(scene) == (None, None)
    swath = swath_of(scene)
    grid = swath.apply(np.arange(ROWS * COLS, dtype=float).reshape(ROWS, COLS))
    seen = np.isfinite(grid)
    assert len(np.unique(grid[seen])) > 0.9 * ROWS * COLS
    a, b, c, d, e, f = TURNED
    rows, cols = np.divmod(grid[seen], COLS)
    size, _, left, _, _, top = swath.affine
    y, x = np.nonzero(seen)
    away = np.hypot(
        a * (cols + 0.5) + b * (rows + 0.5) + c - left - size * (x + 0.5),
        d * (cols + 0.5) + e * (rows + 0.5) + f - top + size * (y + 0.5),
    )
    assert away.max() < 30
    assert rasterio.crs.CRS.from_wkt(swath.crs_wkt).to_epsg() == 32633


def test_windows(product):
    assert_windows(open_scene(product))


def test_errors(tmp_path):
    errors = np.zeros(cube().shape, int)
    errors[1, 2, 3], errors[1, 2, 15], errors[4, 4, 9], errors[3, 3, 12] = 1, 4, 2, 5
    values = open_scene(make(tmp_path / "a", errors=errors)).values
    flagged = np.zeros(values.shape, bool)
    flagged[1, 2, 3] = flagged[1, 2, 15] = flagged[3, 3, 12] = True
    np.testing.assert_array_equal(np.isnan(values), flagged | HIDDEN[..., None])
    values = open_scene(make(tmp_path / "b", "L1", errors=errors)).values
    flagged[4, 4, 9], flagged[1, 2, 15] = True, False
    np.testing.assert_array_equal(np.isnan(values), flagged | HIDDEN[..., None])


def test_masks_of_l1(tmp_path):
    layers = {name: np.zeros((ROWS, COLS), bool) for name in ("cloud", "water", "snow")}
    layers["cloud"][1, :3] = layers["water"][4, 2] = layers["snow"][5, 1:4] = True
    scene = open_scene(make(tmp_path / "p", "L1", layers=layers))
    for name, values in layers.items():
        np.testing.assert_array_equal(scene[name], values)
    assert "cloud" not in open_scene(make(tmp_path / "q")).coords


def test_given_the_folder_or_another_name(product):
    values = open_scene(product).values
    np.testing.assert_array_equal(open_scene(product.parent).values, values)
    renamed = product.rename(product.with_name("scene.h5"))
    np.testing.assert_array_equal(open_scene(renamed).values, values)


def wrong(product, how):
    """Spoil a product; gives what to open."""
    if how == "two products":
        shutil.copy(product, product.with_name(product.name.replace("0001", "0002")))
        return product.parent
    if how == "truncated":
        product.write_bytes(product.read_bytes()[:3000])
        return product
    if how == "zip":
        shutil.make_archive(str(product.parent.parent / "q"), "zip", product.parent)
        return product.parent.parent / "q.zip"
    fields = FIELDS.format("L2D")
    with h5py.File(product, "r+") as file:
        if how == "no SWIR":
            del file[f"{fields}/SWIR_Cube"]
        elif how == "a centre less":
            file.attrs["List_Cw_Vnir"] = file.attrs["List_Cw_Vnir"][:-1]
        elif how == "no centres":
            del file.attrs["List_Cw_Swir"]
        elif how == "centres are words":
            file.attrs["List_Cw_Swir"] = np.bytes_("a b c")
        elif how == "the sun is words":
            file.attrs["Sun_zenith_angle"] = np.bytes_("high")
        elif how == "no scale":
            del file.attrs["L2ScaleSwirMax"]
        elif how == "scale of nothing":
            file.attrs["L2ScaleSwirMax"] = np.float32(0)
        elif how == "no band at all":
            file.attrs["List_Cw_Vnir"] = 0 * file.attrs["List_Cw_Vnir"]
        elif how == "no EPSG":
            del file.attrs["Epsg_Code"]
        elif how == "an unknown EPSG":
            file.attrs["Epsg_Code"] = 999999
        elif how == "no corners":
            del file.attrs["Product_LRcorner_easting"]
        elif how == "corners swapped":
            file.attrs["Product_LRcorner_easting"] = 0.0
        elif how == "cubes of different size":
            stored = file[f"{fields}/SWIR_Cube"][:, :, 1:]
            del file[f"{fields}/SWIR_Cube"], file[f"{fields}/SWIR_PIXEL_L2_ERR_MATRIX"]
            file[f"{fields}/SWIR_Cube"] = stored
        elif how == "error matrix of another size":
            del file[f"{fields}/SWIR_PIXEL_L2_ERR_MATRIX"]
            file[f"{fields}/SWIR_PIXEL_L2_ERR_MATRIX"] = np.zeros((3, 4, 5), np.uint8)
        elif how == "cube elsewhere":
            del file[f"{fields}/SWIR_Cube"]
            shape = (ROWS, 15, COLS)
            file.create_dataset(
                f"{fields}/SWIR_Cube", shape, "u2", external=[("/etc/passwd", 0, 2 * 6 * 15 * 9)]
            )
    return product


WRONG = {
    "two products": "holds 2 PRISMA products",
    "truncated": "truncated or damaged HDF5",
    "zip": "is a zip archive; unpack it",
    "no SWIR": "has no data set",
    "a centre less": "has 12 values of List_Cw_Vnir for a cube of 13 bands",
    "no centres": "has no List_Cw_Swir",
    "centres are words": "List_Cw_Swir is no list of numbers",
    "the sun is words": "0001.he5: Sun_zenith_angle is no list of numbers",
    "no scale": "L2ScaleSwirMax are missing or no scale",
    "scale of nothing": "L2ScaleSwirMax are missing or no scale",
    "no band at all": "no band of VNIR was acquired",
    "no EPSG": "Epsg_Code is missing or unknown",
    "an unknown EPSG": "Epsg_Code is missing or unknown",
    "no corners": "lacks corner coordinates",
    "corners swapped": "corner coordinates make no map",
    "cubes of different size": "6 x 9 and 6 x 8 pixels",
    "error matrix of another size": "error matrix does not fit",
    "cube elsewhere": "refers to other files",
}


@pytest.mark.parametrize("how", WRONG)
def test_refuses(product, how, capsys):
    assert_refused(wrong(product, how), WRONG[how], capsys)


def test_swath_without_coordinates(tmp_path, capsys):
    path = make(tmp_path / "p", "L2C")
    with h5py.File(path, "r+") as file:
        del file["HDFEOS/SWATHS/PRS_L2C_HCO/Geolocation Fields/Latitude"]
    assert_refused(path, "has no data set", capsys)


def test_a_run_keeps_grid_and_wavelengths(product, tmp_path):
    assert_runs(open_scene(product), tmp_path / "out", UPRIGHT)


def test_a_run_on_a_swath_lies_on_its_map(tmp_path):
    scene = open_scene(make(tmp_path / "p", "L2C", TURNED))
    assert_runs(scene, tmp_path / "out", swath_of(scene).affine)


@pytest.mark.parametrize("level", ["L1", "L2D"])
def test_damaged_files_give_an_answer_or_one_line(tmp_path, level):
    assert_survives_damage(make(tmp_path / "p", level))
