"""GeoTIFF scenes: metadata in its many places, windows, masks, damage."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine

from unmix.checks import InputError
from unmix.io.gdal import open_tiff
from unmix.io.raster import TiffPixels
from unmix.scene import files_of, geo_of, open_scene

ROTATED = Affine(25.2, 10.9, 365055, 16.3, -16.8, 5807085)


def write(path, cube, *, placed=True, nodata=None, **options):
    """Write `cube` (rows, cols, bands); gives the path."""
    rows, cols, bands = cube.shape
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": bands}
    profile |= {"dtype": cube.dtype, "nodata": nodata}
    if placed:
        profile |= {"crs": "EPSG:32633", "transform": ROTATED}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile, **options) as file:
            file.write(cube.transpose(2, 0, 1))
    return path


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_round_trip(tmp_path, cube, dtype, interleave):
    small = (cube % 251).astype(dtype)
    scene = open_scene(write(tmp_path / "a.tif", small, interleave=interleave))
    values = scene.values
    np.testing.assert_array_equal(values, small)
    assert values.dtype == np.float32 and values.flags.c_contiguous
    assert scene.attrs["dtype_on_disk"] == dtype and scene.attrs["scale_declared"] is False
    assert scene.attrs["interleave"] == {"pixel": "bip", "band": "bsq"}[interleave]
    crs, affine = geo_of(scene)
    assert rasterio.crs.CRS.from_wkt(crs).to_epsg() == 32633
    assert affine == pytest.approx(tuple(ROTATED)[:6], rel=1e-14)
    assert files_of(scene) == [tmp_path / "a.tif"]


@pytest.mark.parametrize(
    "options", [{"compress": "deflate"}, {"tiled": True, "blockxsize": 16, "blockysize": 16}]
)
def test_windows(tmp_path, cube, options):
    scene = open_scene(write(tmp_path / "a.tif", cube.astype("int16"), **options))
    for window in (np.s_[1:4, 2:6, 3:9], np.s_[2, ::-1], np.s_[:, 5, ::3], np.s_[-1, -1, -1]):
        np.testing.assert_array_equal(scene[window].values, cube[window])
    picked = scene[[3, 1], :, [10, 0, 0]].values
    np.testing.assert_array_equal(picked, cube[[3, 1]][:, :, [10, 0, 0]])


def test_only_the_window_is_read(tiff_scene, monkeypatch):
    asked = []
    original = TiffPixels.__call__

    def spy(self, *key):
        out = original(self, *key)
        asked.append(out.shape)
        return out

    monkeypatch.setattr(TiffPixels, "__call__", spy)
    scene = open_scene(tiff_scene)
    repr(scene), scene.copy(deep=True)
    assert asked == []
    scene[1:3, :, [2, 8]].load()
    assert asked == [(2, 7, 2)]


def test_scale_no_data_and_band_metadata(tiff_scene, cube):
    scene = open_scene(tiff_scene)
    expected = cube * 0.001 + 0.25
    expected[3, 1] = np.nan
    np.testing.assert_allclose(scene.values, expected, rtol=1e-6)
    np.testing.assert_array_equal(scene.wavelength, 400 + 100 * np.arange(1, 12))
    np.testing.assert_array_equal(scene.fwhm, [10] * 11)
    assert scene.good.values.tolist() == [True] * 8 + [False, True, True]
    assert scene.attrs["scale_declared"] is True and scene.attrs["nodata"] == -32768
    np.testing.assert_array_equal(scene.x, 365055 + 30 * (np.arange(7) + 0.5))
    np.testing.assert_array_equal(scene.y, 5807085 - 20 * (np.arange(5) + 0.5))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(scene)).values, scene.values)


def tag_bands(path, **tags):
    with rasterio.open(path, "r+") as file:
        for band in file.indexes:
            file.update_tags(band, **{k: v(band) for k, v in tags.items()})


@pytest.fixture
def plain(tmp_path, cube):
    return write(tmp_path / "a.tif", cube.astype("int16"))


def test_wavelengths_in_the_imagery_domain(plain):
    with rasterio.open(plain, "r+") as file:
        for band in file.indexes:
            file.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=0.4 + band / 10, FWHM_UM=0.01
            )
    scene = open_scene(plain)
    np.testing.assert_allclose(scene.wavelength, 400 + 100 * np.arange(1, 12))
    np.testing.assert_allclose(scene.fwhm, 10)


def test_wavelengths_in_the_dataset_metadata(plain):
    listed = "{" + ", ".join(str(0.4 + b / 10) for b in range(11)) + "}"
    with rasterio.open(plain, "r+") as file:
        file.update_tags(wavelength=listed, wavelength_units="Micrometers", bbl="1 " * 10 + "0")
    scene = open_scene(plain)
    np.testing.assert_allclose(scene.wavelength, 400 + 100 * np.arange(11))
    assert scene.good.values.sum() == 10
    with rasterio.open(plain, "r+") as file:
        file.update_tags(wavelength="{400, 500}")
    scene = open_scene(plain)
    assert "wavelength" not in scene.coords
    assert any("not one number a band" in line for line in scene.attrs["history"])


@pytest.mark.parametrize("form", ["Band {i} ({w} nm)", "{w} Nanometers", "{i}: {w}nm (refl)"])
def test_wavelengths_in_the_descriptions(plain, form):
    with rasterio.open(plain, "r+") as file:
        for i in file.indexes:
            file.set_band_description(i, form.format(i=i, w=400.5 + i))
    scene = open_scene(plain)
    np.testing.assert_allclose(scene.wavelength, 400.5 + np.arange(1, 12))
    assert scene.attrs["band_names"][0] == form.format(i=1, w=401.5)
    with rasterio.open(plain, "r+") as file:
        file.set_band_description(3, "cloud mask")
    scene = open_scene(plain)
    assert "wavelength" not in scene.coords
    assert any("have no wavelength" in line for line in scene.attrs["history"])


def test_partial_or_odd_tags_are_left_out(plain):
    tag_bands(plain, wavelength=lambda b: 500 if b < 5 else "x", fwhm=lambda b: "nan")
    scene = open_scene(plain)
    assert "wavelength" not in scene.coords and "fwhm" not in scene.coords
    assert sum("left out" in line for line in scene.attrs["history"]) == 2


def test_impossible_scale_is_left_out(plain, cube):
    with rasterio.open(plain, "r+") as file:
        file.scales = [0.0] * 11
    scene = open_scene(plain)
    np.testing.assert_array_equal(scene.values, cube)
    assert scene.attrs["scale_declared"] is False


def test_no_georeferencing(tmp_path, cube):
    path = write(tmp_path / "a.tif", cube.astype("int16"), placed=False)
    assert geo_of(open_scene(path)) == (None, None)
    point = rasterio.control.GroundControlPoint
    path = tmp_path / "b.tif"
    gcps = [point(0, 0, 13.0, 52.0), point(0, 7, 13.1, 52.0), point(5, 0, 13.0, 51.9)]
    profile = {"driver": "GTiff", "height": 5, "width": 7, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, gcps=gcps, crs="EPSG:4326") as file:
        file.write(cube[..., :1].transpose(2, 0, 1).astype("uint8"))
    scene = open_scene(path)
    assert geo_of(scene)[1] is None
    assert any("ground control points" in line for line in scene.attrs["history"])


def test_a_mask_inside_the_file(tmp_path, cube):
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write(tmp_path / "a.tif", cube.astype("int16"))
        with rasterio.open(path, "r+") as file:
            mask = np.full((5, 7), 255, "uint8")
            mask[4, 1:3] = 0
            file.write_mask(mask)
    scene = open_scene(path)
    expected = cube.astype("f4")
    expected[4, 1:3] = np.nan
    np.testing.assert_array_equal(scene.values, expected)
    np.testing.assert_array_equal(scene[:3].values, expected[:3])


def test_nan_no_data_and_tags(tmp_path, cube):
    stored = cube.astype("f4")
    stored[0, 0] = np.nan
    path = write(tmp_path / "a.tif", stored, nodata=np.nan, compress="deflate")
    with rasterio.open(path, "r+") as file:
        file.update_tags(TIFFTAG_IMAGEDESCRIPTION="a scene", sensor="EnMAP")
    scene = open_scene(path)
    assert np.isnan(scene.values).sum() == 11
    assert scene.attrs["sensor"] == "EnMAP" and scene.attrs["description"] == "a scene"
    assert scene.attrs["compression"].lower() == "deflate"


def test_complex_is_refused(tmp_path, cube):
    path = write(tmp_path / "a.tif", cube.astype("complex64"))
    with pytest.raises(InputError, match=r"a\.tif: complex data"):
        open_scene(path)


def test_a_bomb_is_refused(tmp_path):
    profile = {"driver": "GTiff", "height": 20_000, "width": 20_000, "count": 50}
    path = tmp_path / "a.tif"
    profile |= {"dtype": "float32", "transform": ROTATED, "sparse_ok": True, "bigtiff": "yes"}
    with rasterio.open(path, "w", **profile):
        pass
    with pytest.raises(InputError, match="declares 80000000000 bytes of pixels in a file of"):
        open_scene(path)


@pytest.mark.parametrize("part", [0.001, 0.3, 0.7, 0.98])
def test_truncated(tmp_path, cube, part):
    path = write(tmp_path / "a.tif", cube.astype("f4"), compress="deflate")
    whole = path.read_bytes()
    path.write_bytes(whole[: max(4, int(len(whole) * part))])
    with pytest.raises(InputError, match=r"a\.tif: damaged or unsupported TIFF") as caught:
        open_scene(path).load()
    assert "\n" not in str(caught.value)


def test_text_named_tif(tmp_path):
    (tmp_path / "a.tif").write_text("hello")
    with pytest.raises(InputError, match=r"a\.tif: does not hold a TIFF"):
        open_scene(tmp_path / "a.tif")


def test_content_decides_not_the_name(plain, cube):
    renamed = plain.rename(plain.with_name("scene"))
    np.testing.assert_array_equal(open_scene(renamed).values, cube)


def test_nothing_is_printed_about_damage(tmp_path, cube):
    path = write(tmp_path / "a.tif", cube.astype("f4"), placed=False)
    good = write(tmp_path / "b.tif", cube.astype("f4"), placed=False)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    code = (
        "import sys; from unmix.scene import open_scene; from unmix.checks import InputError\n"
        "open_scene(sys.argv[2]).load()\n"
        "try: open_scene(sys.argv[1]).load()\n"
        "except InputError: print('refused')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, good], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_text_that_is_not_utf8_makes_no_noise(tmp_path, cube, monkeypatch):
    path = write(tmp_path / "a.tif", cube.astype("int16"))
    data = path.read_bytes()
    assert b"WGS 84" in data
    path.write_bytes(data.replace(b"WGS 84", b"WGS\xff84").replace(b"UTM", b"\xff\xfe\xfd"))
    seen = []
    former, sys.unraisablehook = sys.unraisablehook, seen.append
    try:
        try:
            open_scene(path).load()
        except InputError:
            pass
        assert seen == []
        with open_tiff(write(tmp_path / "b.tif", cube.astype("int16"))):
            event = SimpleNamespace(exc_type=UnicodeDecodeError, object="rasterio.log_error")
            sys.unraisablehook(event)
            assert seen == []
            other = SimpleNamespace(exc_type=ValueError, object="else")
            sys.unraisablehook(other)
            assert seen == [other]
            monkeypatch.setattr(sys, "stderr", io.StringIO())
            sys.excepthook(UnicodeDecodeError, UnicodeDecodeError("utf-8", b"", 0, 1, "x"), None)
            assert sys.stderr.getvalue() == ""
            sys.excepthook(ValueError, ValueError("else"), None)
            assert "else" in sys.stderr.getvalue()
        assert sys.unraisablehook == seen.append
    finally:
        sys.unraisablehook = former


@pytest.mark.data
def test_real_tiles(shared_data):
    for path in sorted((shared_data / "enmap_potsdam").glob("*.tif")):
        scene = open_scene(path)
        assert scene.shape == (32, 32, 224) and scene.good.values.sum() == 218
        np.testing.assert_allclose(scene.wavelength[[0, 90, 91]], [418.24, 993.083, 902.257])
        values = scene.values
        assert np.isnan(values).all(axis=(0, 1)).sum() == 6
        assert 0.3 < np.nanmax(values) < 1 and geo_of(scene)[1][0] == 30
