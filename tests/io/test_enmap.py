"""EnMAP products: what the mission writes, and what strangers hand in."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
import rasterio
from tiny_products import (
    COLS,
    CRS,
    DETECTOR,
    FWHM,
    ROWS,
    UPRIGHT,
    WAVELENGTH,
    assert_placed,
    assert_refused,
    assert_runs,
    assert_survives_damage,
    assert_windows,
    cube,
)

from unmix.cli import main
from unmix.scene import files_of, open_scene
from unmix.simulate.products.enmap import SCENE, write

CLOUD = np.zeros((ROWS, COLS), bool)
CLOUD[1, 2:5] = True
WATER = np.zeros((ROWS, COLS), bool)
WATER[3, 6] = True


@pytest.fixture
def product(tmp_path):
    """METADATA.XML of a product with a cloud and a lake."""
    return write(
        tmp_path / "p", cube(), WAVELENGTH, FWHM, CRS, UPRIGHT,
        detector=DETECTOR, layers={"cloud": CLOUD, "water": WATER, "haze": ~CLOUD},
        sun_zenith=41.5,
    )  # fmt: skip


def test_the_layout_is_the_missions(product):
    names = sorted(p.name.removeprefix(SCENE) for p in product.parent.iterdir())
    assert names == [
        "-METADATA.XML", "-QL_QUALITY_CLASSES.TIF", "-QL_QUALITY_CLOUD.TIF",
        "-QL_QUALITY_HAZE.TIF", "-SPECTRAL_IMAGE.TIF",
    ]  # fmt: skip
    with rasterio.open(product.with_name(f"{SCENE}-SPECTRAL_IMAGE.TIF")) as file:
        assert file.dtypes[0] == "int16" and file.nodata == -32768
        assert file.tags(1).get("wavelength") is None
    text = product.read_text()
    assert "<level_X" in text and '<bandID number="23">' in text
    assert "<expectedChannelsList>1,2,3,4,5,6,7,8,9,11</expectedChannelsList>" in text


@pytest.mark.parametrize("given", ["metadata", "image", "folder", "parent"])
def test_reads_the_product_given_any_part_of_it(product, given):
    image = product.with_name(f"{SCENE}-SPECTRAL_IMAGE.TIF")
    paths = {"metadata": product, "image": image, "folder": product.parent}
    scene = open_scene({**paths, "parent": product.parent.parent}[given])
    np.testing.assert_allclose(scene.values, cube(), atol=5.1e-5)
    np.testing.assert_allclose(scene.wavelength, WAVELENGTH, atol=1e-3)
    np.testing.assert_allclose(scene.fwhm, FWHM, atol=1e-4)
    np.testing.assert_array_equal(scene.detector, DETECTOR)
    np.testing.assert_array_equal(scene.cloud, CLOUD)
    np.testing.assert_array_equal(scene.water, WATER)
    np.testing.assert_array_equal(scene.haze, ~CLOUD)
    assert "snow" not in scene.coords and scene.good.all()
    assert scene.attrs["sensor"] == "EnMAP" and scene.attrs["quantity"] == "reflectance"
    assert scene.attrs["sun_zenith"] == 41.5 and scene.attrs["acquired"].startswith("2022-07-24T")
    assert scene.attrs["product_bands"][8:12] == [9, 11, 10, 12]
    assert_placed(scene, UPRIGHT)
    assert {p.name for p in files_of(scene)} == {p.name for p in product.parent.iterdir()}


def test_info_tells_what_the_product_says(product, capsys):
    with pytest.raises(SystemExit) as end:
        main(["info", str(product)])
    text = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    for said in (
        "sensor EnMAP", "reflectance, acquired 2022-07-24T10:45:26.083642Z, sun 41.5°",
        "VNIR and SWIR, one after the other, both see 1004 to 1028 nm",
        "3 pixels as cloud, by the product's mask", "1 pixels as water",
    ):  # fmt: skip
        assert said in text


def test_windows(product):
    assert_windows(open_scene(product))


def test_names_in_other_case_and_cloud_optimised_copies(product):
    image = product.with_name(f"{SCENE}-SPECTRAL_IMAGE.TIF")
    image.rename(product.with_name(f"{SCENE}-SPECTRAL_IMAGE_COG.tiff"))
    renamed = product.rename(product.with_name(f"{SCENE}-metadata.xml"))
    np.testing.assert_allclose(open_scene(renamed).values, cube(), atol=5.1e-5)


@pytest.mark.parametrize("interleave", ["bsq", "bil"])
def test_images_in_envi_form(product, write_envi, interleave):
    image = product.with_name(f"{SCENE}-SPECTRAL_IMAGE.TIF")
    with rasterio.open(image) as file:
        stored = file.read().transpose(1, 2, 0)
    image.unlink()
    place = "{UTM, 1, 1, 366015, 5807085, 30, 30, 33, North, WGS-84}"
    write_envi(image.with_suffix(f".{interleave.upper()}"), stored, interleave, "<i2",
               map_info=place)  # fmt: skip
    scene = open_scene(product)
    np.testing.assert_allclose(scene.values, cube(), atol=5.1e-5)
    assert_placed(scene, UPRIGHT)
    assert len(files_of(scene)) == 6


def test_a_band_without_data_is_bad(tmp_path):
    values = cube()
    values[..., 14] = np.nan
    scene = open_scene(write(tmp_path / "p", values, WAVELENGTH, FWHM, CRS, UPRIGHT))
    assert np.flatnonzero(~scene.good.values).tolist() == [14]


def test_level_1c_is_radiance(tmp_path):
    scene = SCENE.replace("L2A", "L1C")
    made = write(tmp_path / "p", cube(), WAVELENGTH, FWHM, CRS, UPRIGHT, scene=scene, level="L1C")
    attrs = open_scene(made).attrs
    assert attrs["quantity"] == "radiance" and attrs["units"] == "W m-2 sr-1 nm-1"


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("vnir", ["", "1,2,3,23"])
def test_channel_lists_that_say_nothing(product, vnir):
    edit(product, ">1,2,3,4,5,6,7,8,9,11<", f">{vnir}<")
    if not vnir:
        edit(product, ">10,12,13,14,15,16,17,18,19,20,21,22,23<", "><")
    scene = open_scene(product)
    assert scene.good.all()
    np.testing.assert_array_equal(scene.detector, scene.wavelength >= 950)
    np.testing.assert_array_equal(scene.wavelength, np.sort(scene.wavelength))


def test_a_band_that_no_list_names_is_bad(product):
    edit(product, ">1,2,3,4,5,6,7,8,9,11<", ">1,2,4,5,6,7,8,9,11<")
    scene = open_scene(product)
    assert np.flatnonzero(~scene.good).tolist() == [2] and scene.detector[2] == 0


def wrong(product, how):
    """Spoil a product; gives what to open."""
    image = product.with_name(f"{SCENE}-SPECTRAL_IMAGE.TIF")
    if how == "no image":
        image.unlink()
    elif how == "no metadata":
        product.unlink()
        return image
    elif how == "no metadata in folder":
        product.unlink()
        return product.parent
    elif how == "two products":
        shutil.copy(product, product.with_name(product.name.replace("_008_", "_009_")))
        return product.parent
    elif how == "bomb":
        edit(product, "<level_X", '<!DOCTYPE x [<!ENTITY a "aaaa">]>\n<level_X')
    elif how == "not XML any more":
        product.write_text(product.read_text()[:2000])
    elif how == "a band less":
        head, table, tail = re.split(
            "(<bandCharacterisation>.*</bandCharacterisation>)",
            product.read_text(),
            flags=re.DOTALL,
        )
        product.write_text(
            head + re.sub('<bandID number="23">.*</bandID>', "", table, flags=re.DOTALL) + tail
        )
    elif how == "a gain of 0":
        edit(product, "<GainOfBand>0.0001<", "<GainOfBand>0<")
    elif how == "a centre that is none":
        edit(product, "<wavelengthCenterOfBand>420<", "<wavelengthCenterOfBand>blue<")
    elif how == "L1B":
        edit(product, "<level>L2A<", "<level>L1B<")
    elif how == "truncated image":
        image.write_bytes(image.read_bytes()[:300])
    elif how == "a layer of another size":
        layer = product.with_name(f"{SCENE}-QL_QUALITY_CLOUD.TIF")
        with rasterio.open(layer, "w", driver="GTiff", height=5, width=9, count=1, dtype="uint8",
                           crs=CRS, transform=rasterio.Affine(*UPRIGHT)) as file:  # fmt: skip
            file.write(np.zeros((1, 5, 9), "u1"))
    elif how == "another name":
        return product.rename(product.with_name("meta.xml"))
    elif how == "zip":
        archive = product.parent / "p.zip"
        archive.write_bytes(b"PK\3\4" + bytes(40))
        return archive
    elif how == "tar.gz":
        shutil.make_archive(str(product.parent.parent / "q"), "gztar", product.parent)
        return product.parent.parent / "q.tar.gz"
    return product


WRONG = {
    "no image": "SPECTRAL_IMAGE.TIF is missing",
    "no metadata": "METADATA.XML, with wavelengths and scale, is missing",
    "no metadata in folder": "METADATA.XML, with wavelengths and scale, is missing",
    "two products": "holds 2 EnMAP products",
    "bomb": "document type declaration",
    "not XML any more": "not readable as XML",
    "a band less": "describes 22 bands where the image has 23",
    "a gain of 0": "band 1 lacks one of",
    "a centre that is none": "band 1 lacks one of",
    "L1B": "level L1B is not read",
    "truncated image": "damaged or unsupported TIFF",
    "a layer of another size": "5 x 9 pixels of 1 band",
    "another name": "under another name",
    "zip": "is a zip archive; unpack it",
    "tar.gz": "is a gzip archive; unpack it",
}


@pytest.mark.parametrize("how", WRONG)
def test_refuses(product, how, capsys):
    assert_refused(wrong(product, how), WRONG[how], capsys)


@pytest.mark.data
def test_tiles_without_metadata_are_still_geotiffs(shared_data):
    scene = open_scene(shared_data / "enmap_potsdam" / "enmap_potsdam_tile_128_96.tif")
    assert scene.shape == (32, 32, 224) and scene.attrs["format"] == "GeoTIFF"


@pytest.mark.data
def test_a_real_tile_survives_the_round_trip(shared_data, tmp_path):
    tile = open_scene(shared_data / "enmap_potsdam" / "enmap_potsdam_tile_128_96.tif")[:20, :]
    affine = (30.0, 0.0, 366015.0, 0.0, -30.0, 5807085.0)
    made = write(tmp_path / "p", tile.values, tile.wavelength, tile.fwhm, CRS, affine)
    scene = open_scene(made)
    np.testing.assert_allclose(scene.wavelength, tile.wavelength, atol=1e-2)
    np.testing.assert_array_equal(scene.good, tile.good)
    np.testing.assert_allclose(scene.values, tile.values, atol=5.1e-5)
    assert (np.diff(scene.detector) != 0).sum() == 1


def test_a_run_keeps_scale_grid_and_wavelengths(product, tmp_path):
    assert_runs(open_scene(product), tmp_path / "out", UPRIGHT)


def test_damaged_files_give_an_answer_or_one_line(product):
    assert_survives_damage(product)
