"""AHSI products: pairs and single images, their tables, their place, and what strangers hand in."""

from __future__ import annotations

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
    assert_survives_damage,
    assert_windows,
    cube,
)

import unmix
from unmix.checks import InputError
from unmix.io.ahsi_files import image_parts
from unmix.prepare.radiance import to_reflectance
from unmix.scene import files_of, geo_of, open_scene, swath_of
from unmix.simulate.products.ahsi import write
from unmix.simulate.products.common import write_tiff

SCALE = 100.0  # radiance in W m-2 sr-1 um-1
PREFIX = "GF5B_AHSI_E110.5_N37.2_20220615_004094_L10000182401"
HIDDEN = np.isnan(cube()).all(axis=2)


def make(folder, **options):
    return write(
        folder, cube(SCALE), WAVELENGTH, FWHM, CRS, options.pop("where", UPRIGHT), **options
    )


@pytest.fixture
def product(tmp_path):
    return make(tmp_path / "p")


def test_the_layout_is_the_missions(product):
    ends = ("SW.rpb", "SW.tif", "VN.rpb", "VN.tif")
    tables = [f"GF5B_AHSI_{k}_{d}.raw" for k in ("RadCal", "Spectralresponse")
              for d in ("SWIR", "VNIR")]  # fmt: skip
    assert sorted(p.name for p in product.parent.iterdir()) == sorted(
        [*(f"{PREFIX}_{end}" for end in ends), f"{PREFIX}.meta.xml", *tables]
    )
    with rasterio.open(product.with_name(f"{PREFIX}_SW.tif")) as file:
        assert file.count == 13 and file.dtypes[0] == "uint16"
    lines = product.with_name("GF5B_AHSI_RadCal_VNIR.raw").read_text().splitlines()
    assert lines[:2] == ["0.02,0.25", "0.0201,0.249"] and len(lines) == 10


@pytest.mark.parametrize("mission", ["GF5B", "ZY1E", "GF5"])
@pytest.mark.parametrize("given", ["image", "folder", "xml"])
def test_reads_the_product_given_any_part_of_it(tmp_path, mission, given):
    image = make(tmp_path / "p", mission=mission, sun_zenith=33.25)
    xml = next(image.parent.glob("*.xml"))
    scene = open_scene({"image": image, "folder": image.parent, "xml": xml}[given])
    np.testing.assert_allclose(scene.values, cube(SCALE), atol=0.0125)
    np.testing.assert_allclose(scene.wavelength, WAVELENGTH, atol=1e-5)
    np.testing.assert_allclose(scene.fwhm, FWHM, atol=1e-5)
    np.testing.assert_array_equal(scene.detector, DETECTOR)
    names = {"GF5B": "GF-5B AHSI", "ZY1E": "ZY1-02D AHSI", "GF5": "GF-5 AHSI"}
    assert scene.attrs["sensor"] == names[mission]
    assert scene.attrs["quantity"] == "radiance" and scene.attrs["units"] == "W m-2 sr-1 um-1"
    assert scene.attrs["sun_zenith"] == 33.25
    assert scene.attrs["acquired"] == "2022-06-15T12:04:11.528"
    assert len(files_of(scene)) == (7 if mission == "GF5" else 8)


@pytest.mark.parametrize("other", ["_SW.tif", "_VN.rpb", "_SW.rpb", "RadCal_VNIR.raw",
                                   "Spectralresponse_SWIR.raw"])  # fmt: skip
def test_reads_the_product_given_its_other_files(product, other):
    path = next(p for p in product.parent.iterdir() if p.name.endswith(other))
    np.testing.assert_array_equal(open_scene(path).values, open_scene(product).values)


@pytest.mark.parametrize("mission", ["GF5B", "GF5"])
def test_windows(tmp_path, mission):
    assert_windows(open_scene(make(tmp_path / "p", mission=mission)))


def test_a_zero_in_some_bands_is_no_gap(product):
    for name in ("VN", "SW"):
        with rasterio.open(product.with_name(f"{PREFIX}_{name}.tif"), "r+") as file:
            stored = file.read()
            if name == "SW":
                stored[:, 2, 3] = 0  # deep water absorbs all of it
            file.write(stored)
    scene = open_scene(product)
    assert np.isfinite(scene[2, 3]).all()
    np.testing.assert_allclose(scene[2, 3, 10:], 0.25 - 1e-3 * np.arange(10, 23), rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(scene.values).all(axis=2), HIDDEN)
    np.testing.assert_array_equal(np.isnan(scene[..., 15].values), HIDDEN)


@pytest.mark.parametrize("separator", [",", "\t", " ", ", ", " ; "])
def test_separators_and_blank_lines(product, separator):
    before = open_scene(product).values
    for path in product.parent.glob("*.raw"):
        text = path.read_text().replace(",", separator)
        path.write_text(f"\n{text}\r\n \n")
    np.testing.assert_array_equal(open_scene(product).values, before)


def test_gains_without_offsets(product):
    path = product.with_name("GF5B_AHSI_RadCal_SWIR.raw")
    path.write_text("\n".join(line.split(",")[0] for line in path.read_text().splitlines()))
    scene = open_scene(product)
    offset = 0.25 - 1e-3 * np.arange(10, 23)
    np.testing.assert_allclose(scene.values[..., 10:], cube(SCALE)[..., 10:] - offset, atol=0.0125)


def test_grid_of_orthorectified_images(tmp_path):
    scene = open_scene(make(tmp_path / "p", placed="grid", where=TURNED))
    assert_placed(scene, TURNED)
    assert swath_of(scene) is None


def test_swath_is_placed_by_its_rpcs(tmp_path):
    scene = open_scene(make(tmp_path / "p", where=TURNED))
    assert geo_of(scene) == (None, None)
    swath = swath_of(scene)
    grid = swath.apply(np.arange(ROWS * COLS, dtype=float).reshape(ROWS, COLS))
    a, b, c, d, e, f = TURNED
    inverse = np.linalg.inv([[a, b], [d, e]])
    size, _, left, _, _, top = swath.affine
    assert size == pytest.approx(np.hypot(a, d), rel=1e-3)
    rows, cols = np.indices(grid.shape) + 0.5
    at = np.stack([left + size * cols - c, top - size * rows - f])
    col, row = np.floor(np.tensordot(inverse, at, axes=1))
    inside = (col >= 0) & (col < COLS) & (row >= 0) & (row < ROWS)
    wanted = np.where(inside, row * COLS + col, np.nan)
    np.testing.assert_array_equal(grid, wanted)
    assert np.isfinite(grid).sum() > 0.9 * ROWS * COLS
    assert rasterio.crs.CRS.from_wkt(swath.crs_wkt).to_epsg() == 32633


def test_without_metadata_or_geometry_it_still_opens(product):
    for path in [*product.parent.glob("*.xml"), *product.parent.glob("*.rpb")]:
        path.unlink()
    scene = open_scene(product)
    assert swath_of(scene) is None and "sun_zenith" not in scene.attrs
    assert sum("not known" in line or "neither" in line for line in scene.attrs["history"]) == 2


def test_calibrated_images_are_plain_geotiffs(product):
    with rasterio.open(product) as file:
        profile, stored = file.profile, file.read()
    path = product.with_name(f"{PREFIX}_VN_reflectance.tif")
    with rasterio.open(path, "w", **{**profile, "dtype": "float32", "crs": CRS,
                                     "transform": rasterio.Affine(*UPRIGHT)}) as file:  # fmt: skip
        file.write((stored / 65535).astype("float32"))
    assert open_scene(path).attrs["format"] == "GeoTIFF"
    assert open_scene(product.parent).attrs["format"] == "AHSI GeoTIFF"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("GF5B_AHSI_E1_N2_L1_VN.tif", ("GF5B_AHSI_E1_N2_L1", "VN", "")),
        ("zy1e_ahsi_e1_l1a1_sw.TIFF", ("zy1e_ahsi_e1_l1a1", "SW", "")),
        ("GF5B_AHSI_E1_N2_L1_SW_ORT.tif", ("GF5B_AHSI_E1_N2_L1", "SW", "_ORT")),
        ("GF5_AHSI_E1_N2_L1.geotiff", ("GF5_AHSI_E1_N2_L1", "", "")),
        ("GF5B_VIMI_E1.tif", None),
        ("GF5B_AHSI_E1_N2_L1_VN.rpb", None),
    ],
)
def test_names(name, parts):
    assert image_parts(name) == parts


def wrong(product, how):
    """Spoil a product; gives what to open."""
    beside = {p.name.removeprefix(PREFIX): p for p in product.parent.iterdir()}
    gains, response = beside["GF5B_AHSI_RadCal_VNIR.raw"], "GF5B_AHSI_Spectralresponse_SWIR.raw"
    if how == "no SWIR image":
        beside["_SW.tif"].unlink()
    elif how == "no gains":
        gains.unlink()
    elif how == "no centres":
        beside[response].unlink()
    elif how == "no image":
        beside["_SW.tif"].unlink()
        beside["_VN.tif"].unlink()
        return beside[".meta.xml"]
    elif how == "no image in folder":
        beside["_SW.tif"].unlink()
        beside["_VN.tif"].unlink()
        return product.parent
    elif how == "a gain less":
        gains.write_text("\n".join(gains.read_text().splitlines()[1:]))
    elif how == "gains are words":
        gains.write_text(gains.read_text().replace("0.02,", "high,"))
    elif how == "binary gains":
        gains.write_bytes(bytes(range(256)))
    elif how == "a gain of 0":
        gains.write_text(gains.read_text().replace("0.02,", "0,"))
    elif how == "a gain of nan":
        gains.write_text(gains.read_text().replace("0.02,", "nan,"))
    elif how == "three columns":
        gains.write_text(gains.read_text().replace(",", ",1,"))
    elif how == "centres in no unit":
        beside[response].write_text(beside[response].read_text().replace("1004", "-1004"))
    elif how == "another size":
        with rasterio.open(beside["_SW.tif"]) as file:
            stored = file.read()
        write_tiff(beside["_SW.tif"], stored[:, :5].transpose(1, 2, 0), None, None)
    elif how == "truncated":
        beside["_SW.tif"].write_bytes(beside["_SW.tif"].read_bytes()[:200])
    elif how == "bomb":
        text = beside[".meta.xml"].read_text()
        beside[".meta.xml"].write_text(text.replace("<Prod", "<!DOCTYPE a><Prod"))
    elif how == "rpb without numbers":
        beside["_VN.rpb"].write_text('SpecId = "RPC00B";')
    elif how == "rpb to nowhere":
        text = beside["_VN.rpb"].read_text()
        beside["_VN.rpb"].write_text(text.replace("E+00", "E-09").replace("E-01", "E-09"))
    elif how == "two products":
        for part in ("VN", "SW"):
            new = product.with_name(f"{PREFIX.replace('_E110', '_E111')}_{part}.tif")
            new.write_bytes(beside[f"_{part}.tif"].read_bytes())
        return product.parent
    elif how == "tar":
        archive = product.with_name(f"{PREFIX}.tar")
        archive.write_bytes(bytes(257) + b"ustar" + bytes(300))
        return archive
    return product


WRONG = {
    "no SWIR image": "_SW.tif, is missing",
    "no gains": "GF5B_AHSI_RadCal_VNIR.raw, are missing",
    "no centres": "GF5B_AHSI_Spectralresponse_SWIR.raw, are missing",
    "no image": "without its image",
    "no image in folder": "without its image",
    "a gain less": "9 gains where",
    "gains are words": "no table of numbers",
    "binary gains": "no table of numbers",
    "a gain of 0": "gains must be finite numbers, not 0",
    "a gain of nan": "gains must be finite numbers, not 0",
    "three columns": "lines must hold 2 numbers",
    "centres in no unit": "wavelengths must be positive",
    "another size": "6 x 9 and 5 x 9 pixels",
    "truncated": "damaged or unsupported TIFF",
    "bomb": "document type declaration",
    "rpb without numbers": "lacks a number of the RPC00B model",
    "rpb to nowhere": "put the product's own file there",
    "two products": "holds 2 AHSI products",
    "tar": "is a tar archive; unpack it",
}


@pytest.mark.parametrize("how", WRONG)
def test_refuses(product, how, capsys):
    assert_refused(wrong(product, how), WRONG[how], capsys)


def test_one_image_of_one_detector(tmp_path):
    image = make(tmp_path / "p", mission="GF5")
    with rasterio.open(image) as file:
        stored = file.read()
    write_tiff(image, stored[10:].transpose(1, 2, 0), None, None)
    scene = open_scene(image)
    np.testing.assert_allclose(scene.values, cube(SCALE)[..., 10:], atol=0.0125)
    assert (scene.detector == 1).all() and scene.sizes["band"] == 13


def test_one_image_of_other_bands_than_its_tables(tmp_path, capsys):
    image = make(tmp_path / "p", mission="GF5")
    table = image.with_name("GF5_AHSI_SWIR_RadCal.raw")
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    assert_refused(image, "10 + 12 gains where", capsys)


def test_radiance_is_not_unmixed_unasked(product, tmp_path):
    with pytest.raises(InputError, match="unmixing needs reflectance"):
        unmix.run(product, 2, method="vca-fcls")
    found = unmix.run(to_reflectance(open_scene(product), "sun"), 2, method="vca-fcls")
    assert found.abundances.shape == (ROWS, COLS, 2)


@pytest.mark.parametrize("mission", ["GF5", "GF5B"])
def test_damaged_files_give_an_answer_or_one_line(tmp_path, mission):
    assert_survives_damage(make(tmp_path / "p", mission=mission))
