"""ENVI scenes: every layout, every header field, every contradiction."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.io.envi import EnviPixels
from unmix.scene import files_of, geo_of, open_scene

DTYPES = ["u1", "<i2", ">i2", "<i4", ">i4", "<f4", ">f4", "<f8", ">f8"]
DTYPES += ["<u2", ">u2", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8"]
WINDOWS = [
    np.s_[:, :, :],
    np.s_[1:4, 2:5, 3:9],
    np.s_[2],
    np.s_[:, 6, ::-2],
    np.s_[::2, ::-3, 4],
    np.s_[[4, 0, 4], 1:3, [7, 7, 2]],
    np.s_[3:3, :, 1],
    np.s_[-1, -2, -3],
]


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_of_every_layout(tmp_path, cube, write_envi, interleave, dtype):
    small = cube % 251
    for offset in (0, 3, 64):
        hdr = write_envi(tmp_path / "a.img", small, interleave, dtype, offset)
        values = open_scene(hdr).values
        assert values.dtype == np.float32
        assert values.flags.c_contiguous and values.flags.aligned and values.flags.writeable
        np.testing.assert_array_equal(values, small)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
def test_window_is_the_whole_cropped(tmp_path, cube, write_envi, interleave, window):
    scene = open_scene(write_envi(tmp_path / "a.img", cube, interleave, ">i2", 5))
    keys = window if isinstance(window, tuple) else (window,)
    expected, axis = cube.astype("f4"), 0
    for key in keys:
        expected = np.take(expected, np.arange(expected.shape[axis])[key], axis)
        axis += not isinstance(key, int)
    np.testing.assert_array_equal(scene[keys].values, expected)


def test_only_the_window_is_read(tmp_path, cube, write_envi, monkeypatch):
    asked = []
    original = EnviPixels.__call__

    def spy(self, rows, cols, bands):
        asked.append((rows, cols, bands))
        return original(self, rows, cols, bands)

    monkeypatch.setattr(EnviPixels, "__call__", spy)
    scene = open_scene(write_envi(tmp_path / "a.img", cube))
    repr(scene), scene.sizes, scene.copy(deep=True), scene._repr_html_()
    assert asked == []
    scene[1:3, 2:4].isel(band=5).values  # noqa: B018
    assert asked == [(slice(1, 3), slice(2, 4), slice(5, 6))]


def test_row_windows_map_only_their_rows(tmp_path, cube, write_envi, monkeypatch):
    hdr = write_envi(tmp_path / "a.img", cube)
    mapped = []
    original = np.memmap

    def spy(*args, **kwargs):
        mapped.append(args[3:5])
        return original(*args, **kwargs)

    monkeypatch.setattr(np, "memmap", spy)
    open_scene(hdr)[3:5].load()
    assert mapped == [(3 * 7 * 11 * 4, (2, 7, 11))]


def test_native_bip_is_handed_out_without_a_copy(tmp_path, cube, write_envi):
    hdr = write_envi(tmp_path / "a.img", cube)
    values = open_scene(hdr)[1:4].values
    base = values
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    values[:] = -1  # private to this array
    np.testing.assert_array_equal(open_scene(hdr).values, cube)


def test_assigning_to_the_scene_leaves_the_file(tmp_path, cube, write_envi):
    hdr = write_envi(tmp_path / "a.img", cube)
    scene = open_scene(hdr)
    scene[0, 0, 0] = -1
    assert scene.values[0, 0, 0] == -1
    assert open_scene(hdr).values[0, 0, 0] == cube[0, 0, 0]


def test_pickles_lazily(envi_scene):
    scene = open_scene(envi_scene)
    packed = pickle.dumps(scene)
    again = pickle.loads(packed)
    np.testing.assert_array_equal(again[1:3].values, scene.values[1:3])
    assert again.attrs == scene.attrs


def test_scale_no_data_and_coordinates(envi_scene, cube):
    scene = open_scene(envi_scene)
    expected = (cube.astype("f4") / np.float32(1000)).astype("f4")
    expected[1, 2] = np.nan
    np.testing.assert_array_equal(scene.values, expected)
    np.testing.assert_allclose(scene.wavelength[[0, 6, 7, 10]], [400, 990, 900, 2200])
    np.testing.assert_allclose(scene.fwhm, 10)
    assert scene.good.values.tolist() == [True] * 8 + [False, True, True]
    assert scene.attrs["scale_declared"] is True
    assert scene.attrs["scale_factor"] == 1000 and scene.attrs["nodata"] == -9999
    assert scene.attrs["interleave"] == "bil" and scene.attrs["dtype_on_disk"] == "<i2"
    assert scene.attrs["description"] == "a made-up scene"
    assert any("step back after band 7 (990 to 900 nm)" in line for line in scene.attrs["history"])
    assert [path.name for path in files_of(scene)] == ["rotated.hdr", "rotated.img"]


@pytest.mark.parametrize(
    ("dtype", "nodata", "hit"),
    [
        ("<i2", "-9999", True),
        ("u1", "255", True),
        ("u1", "-9999", False),
        ("<u2", "1e3", True),
        ("<i2", "0.5", False),
        ("<f4", "-1.23e34", True),
        (">f8", "-1.23e34", True),
        ("<f4", "nan", False),
        ("<f4", "9" * 400, False),
        ("<u8", "18446744073709551615", True),
    ],
)
def test_no_data_is_compared_in_the_stored_type(tmp_path, write_envi, dtype, nodata, hit):
    stored = np.arange(1, 25).reshape(2, 3, 4).astype(dtype)
    if hit:
        number = int(nodata) if nodata.lstrip("-").isdigit() else float(nodata)
        stored[1, 2, 0] = np.array(number).astype(dtype)
    hdr = write_envi(tmp_path / "a.img", stored, "bsq", dtype, data_ignore_value=nodata)
    blank = np.isnan(open_scene(hdr).values)
    assert blank.sum() == hit and blank[1, 2, 0] == hit


def test_gain_and_offset_values(tmp_path, cube, write_envi):
    gain, offset = np.arange(1, 12) / 4, np.arange(11) / 8
    fields = {"data_gain_values": gain, "data_offset_values": offset}
    scene = open_scene(write_envi(tmp_path / "a.img", cube, "bsq", "<i2", **fields))
    np.testing.assert_allclose(scene[1:, :, 2:7].values, (cube * gain + offset)[1:, :, 2:7])
    np.testing.assert_allclose(scene[:, :, [9, 1]].values, (cube * gain + offset)[:, :, [9, 1]])
    assert scene.attrs["scale_declared"] is True


MAP_INFOS = [
    "UTM, 1, 1, 500000.5, 4000000, 30, 20, 33, North, WGS-84, units=Meters",
    "UTM, 1, 1, 500000, 4000000, 30, 20, 12, South, WGS-84, units=Meters, rotation=75",
    "UTM, 2.5, 3.5, 500000, 4000000, 30, 20, 33, South, WGS-84, rotation=-33",
    "Geographic Lat/Lon, 1.5, 1.5, 13, 52, 0.01, 0.02, WGS-84, units=Degrees, rotation=20",
    "Geographic Lat/Lon, 1, 1, 46800, 187200, 36, 72, WGS-84, units=Seconds",
    "Arbitrary, 1, 1, 100, 50, 2, 3, 0, North",
    "UTM, 1, 1, 500000, 4000000, 30, 20, 33, North, European 1950, units=Meters",
]


@pytest.mark.parametrize("text", MAP_INFOS)
def test_map_info_places_the_grid_as_gdal_does(tmp_path, cube, write_envi, text):
    import rasterio

    hdr = write_envi(tmp_path / "a.img", cube, map_info="{" + text + "}")
    crs, affine = geo_of(open_scene(hdr))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(hdr.with_suffix(".img")) as file:
            np.testing.assert_allclose(affine, tuple(file.transform)[:6], rtol=1e-15)
            if not text.startswith("Arbitrary"):
                assert rasterio.crs.CRS.from_wkt(crs) == file.crs
            else:
                assert crs is None


def test_wkt_wins_over_map_info(tmp_path, cube, write_envi):
    from rasterio.crs import CRS

    text = "{UTM, 1, 1, 500000, 4000000, 30, 20, 33, North, WGS-84}"
    wkt = CRS.from_epsg(3035).to_wkt(version="WKT1_ESRI")
    hdr = write_envi(
        tmp_path / "a.img", cube, map_info=text, coordinate_system_string="{" + wkt + "}"
    )
    scene = open_scene(hdr)
    assert CRS.from_wkt(geo_of(scene)[0]).to_epsg() == 3035
    hdr = write_envi(
        tmp_path / "a.img", cube, map_info=text, coordinate_system_string="{PROJCS[broken}"
    )
    scene = open_scene(hdr)
    assert CRS.from_wkt(geo_of(scene)[0]).to_epsg() == 32633
    assert any("not understood" in line for line in scene.attrs["history"])


@pytest.mark.parametrize(
    "text",
    [
        "UTM, 1, 1, 5e5, 4e6, 30, 20, 33, North, Foobar 1999",
        "UTM, 1, 1, 5e5, 4e6, 30, 20, 33, North, WGS-84, units=Feet",
        "UTM, 1, 1, 5e5, 4e6, 30, 20, 99, North, WGS-84",
        "UTM, 1, 1, 5e5, 4e6, 30, 20, 33, South, European 1950",
        "Lambert Conformal Conic, 1, 1, 5e5, 4e6, 30, 20, WGS-84, units=Meters",
    ],
)
def test_a_doubtful_crs_is_left_out_and_said(tmp_path, cube, write_envi, text):
    scene = open_scene(write_envi(tmp_path / "a.img", cube, map_info="{" + text + "}"))
    assert geo_of(scene) == (None, (30.0, 0.0, 5e5, 0.0, -20.0, 4e6))
    assert any("not known" in line for line in scene.attrs["history"])


@pytest.mark.parametrize(
    ("unit", "values", "first"),
    [
        ("Nanometers", [450.5, 2500], 450.5),
        ("Micrometers", [0.4505, 2.5], 450.5),
        ("um", [0.4505, 2.5], 450.5),
        ("Unknown", [0.4505, 2.5], 450.5),
        (None, [450.5, 2500], 450.5),
        ("Millimeters", [0.0004505, 0.0025], 450.5),
        ("Index", [1, 2], None),
    ],
)
def test_wavelength_units(tmp_path, write_envi, unit, values, first):
    stored = np.ones((3, 4, 2))
    scene = open_scene(
        write_envi(tmp_path / "a.img", stored, wavelength_units=unit, wavelength=values)
    )
    if first is None:
        assert "wavelength" not in scene.coords
    else:
        assert scene.wavelength.values[0] == pytest.approx(first)


def test_bands_without_a_wavelength_are_bad(tmp_path, write_envi):
    hdr = write_envi(
        tmp_path / "a.img", np.ones((3, 4, 3)), wavelength=[0, 500, 600], fwhm=[0, 9, 9]
    )
    scene = open_scene(hdr)
    assert scene.good.values.tolist() == [False, True, True]
    assert np.isnan(scene.wavelength.values[0])


@pytest.mark.parametrize(
    ("data", "header"),
    [
        ("a.img", "a.hdr"),
        ("a.img", "a.img.hdr"),
        ("a", "a.hdr"),
        ("a.DAT", "a.HDR"),
        ("b.c.bsq", "b.c.hdr"),
        ("a.raw", "a.hdr"),
        ("a.xyz", "a.xyz.hdr"),
    ],
)
def test_either_file_of_a_pair_opens_it(tmp_path, cube, write_envi, data, header):
    write_envi(tmp_path / "t.img", cube).rename(tmp_path / header)
    (tmp_path / "t.img").rename(tmp_path / data)
    for name in (data, header):
        scene = open_scene(tmp_path / name)
        np.testing.assert_array_equal(scene.values, cube)
        assert {path.name for path in files_of(scene)} == {data, header}


def test_the_data_file_is_the_one_that_fits(tmp_path, cube, write_envi):
    hdr = write_envi(tmp_path / "a.img", cube)
    (tmp_path / "a.dat").write_bytes(b"other")
    np.testing.assert_array_equal(open_scene(hdr).values, cube)
    (tmp_path / "a.dat").write_bytes((tmp_path / "a.img").read_bytes())
    with pytest.raises(InputError, match=r"several data files fit \(a.dat, a.img\)"):
        open_scene(hdr)


def test_header_oddities_that_are_fine(tmp_path, cube, write_envi):
    hdr = write_envi(tmp_path / "a.img", cube, wavelength=list(range(400, 1500, 100)))
    text = hdr.read_text().replace("bands =", "; a comment = 3\n  Bands  =", 1)
    text = text.replace("samples", "SAMPLES").replace("500,", "\n; within\n 500 ,\n")
    text += "band names = {a, b}\nstray list = {1,\n 2\n}\nsamples = 7\n"
    hdr.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode("latin-1"))
    scene = open_scene(hdr)
    np.testing.assert_array_equal(scene.values, cube)
    assert scene.wavelength.values.tolist() == list(range(400, 1500, 100))
    hdr.write_bytes(text.encode() + b"operator = J\xf6rg\n")
    assert open_scene(hdr).shape == cube.shape


def test_assumptions_are_said(tmp_path, write_envi):
    hdr = write_envi(tmp_path / "a.img", np.ones((3, 4, 1)), "bsq", "<i2")
    text = hdr.read_text().replace("interleave = bsq\n", "").replace("byte order = 0\n", "")
    hdr.write_text(text)
    history = " ".join(open_scene(hdr).attrs["history"])
    assert "little-endian assumed" in history and "one band, bsq" in history


BROKEN = [
    ("samples = 7", "", "'samples' is missing"),
    ("samples = 7", "samples = seven", "not a whole number"),
    ("samples = 7", "samples = -7", "samples = -7; must lie between"),
    ("samples = 7", "samples = 1000000000000", "must lie between"),
    ("samples = 7", "samples = 700000000", "shorter than the 154000000000 bytes"),
    ("samples = 7", "samples = 6", "1540 bytes, longer than the 1320 bytes"),
    ("samples = 7", "samples = 7\nsamples = 8", "given twice"),
    ("bands = 11", "bands = 0", "bands = 0; must"),
    ("lines = 5", "lines = " + "9" * 5000, "not a whole number"),
    ("header offset = 0", "header offset = -4", "header offset = -4"),
    ("data type = 4", "data type = 6", "complex"),
    ("data type = 4", "data type = 99", "data type = 99 is unknown"),
    ("byte order = 0", "byte order = 2", "byte order = 2"),
    ("interleave = bip", "interleave = bqs", "must be bsq, bil or bip"),
    ("interleave = bip", "", "must be bsq, bil or bip"),
    ("file type = ENVI Standard", "file type = ENVI Spectral Library", "--endmembers"),
    ("file type = ENVI Standard", "file type = ENVI Meta File", "not read"),
    ("file type = ENVI Standard", "file compression = 1", "not read"),
    ("file type = ENVI Standard", "major frame offsets = {4, 0}", "not read"),
    ("file type = ENVI Standard", "wavelength = {1, 2", "never closes"),
    ("file type = ENVI Standard", "nonsense", "line 6 has no 'name = value'"),
    ("file type = ENVI Standard", "wavelength = {400, 500}", "2 wavelength values for 11 bands"),
    ("file type = ENVI Standard", "bbl = {1}", "1 bbl values for 11 bands"),
    ("file type = ENVI Standard", "wavelength = {400, x}", "could not convert"),
    ("file type = ENVI Standard", "wavelength = {nan, 5}", "not finite"),
    ("file type = ENVI Standard", "data gain values = {2}", "data gain/offset"),
    ("file type = ENVI Standard", "reflectance scale factor = 0", "must be above 0"),
    ("file type = ENVI Standard", "reflectance scale factor = nan", "must be above 0"),
    ("file type = ENVI Standard", "reflectance scale factor = 1" + "0" * 400, "must be above 0"),
    ("file type = ENVI Standard", "data ignore value = none", "is not a number"),
    ("file type = ENVI Standard", "map info = {UTM, 1, 1}", "map info needs"),
    ("file type = ENVI Standard", "map info = {UTM, 1, 1, 2, 2, 0, 3}", "pixel sizes above 0"),
    ("file type = ENVI Standard", "map info = {UTM,1,1,2,2,3,3,rotation=x}", "map info needs"),
    ("ENVI\n", "ENVY\n", "not an ENVI header"),
]


@pytest.mark.parametrize(("old", "new", "message"), BROKEN)
def test_contradictions_are_refused_in_one_line(tmp_path, cube, write_envi, old, new, message):
    hdr = write_envi(tmp_path / "a.img", cube)
    text = hdr.read_text()
    assert old in text
    hdr.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        open_scene(hdr)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert "a.hdr" in str(caught.value) or "a.img" in str(caught.value)


WAVES = [
    ("Nanometers", [0.4] * 11, "cannot be in"),
    ("Micrometers", [400] * 11, "cannot be in"),
    ("Furlongs", [400] * 11, "unknown wavelength unit"),
    ("Unknown", [50] * 5 + [400] * 6, "fit no single unit"),
    ("Nanometers", [-400] * 11, "must be positive"),
]


@pytest.mark.parametrize(("unit", "values", "message"), WAVES)
def test_impossible_wavelengths(tmp_path, cube, write_envi, unit, values, message):
    hdr = write_envi(tmp_path / "a.img", cube, wavelength=values, wavelength_units=unit)
    with pytest.raises(InputError, match=message):
        open_scene(hdr)
    hdr = write_envi(tmp_path / "a.img", cube, wavelength=[500] * 11, fwhm=[-1] * 11)
    with pytest.raises(InputError, match="fwhm"):
        open_scene(hdr)


def test_missing_files(tmp_path, cube, write_envi):
    hdr = write_envi(tmp_path / "a.img", cube)
    (tmp_path / "a.img").unlink()
    with pytest.raises(InputError, match=r"a\.hdr: its data file is missing"):
        open_scene(hdr)
    (tmp_path / "b.img").write_bytes(b"\0" * 40)
    with pytest.raises(InputError, match="no ENVI header beside it"):
        open_scene(tmp_path / "b.img")
    hdr.write_bytes(b"ENVI\n" + b" " * (2**24))
    with pytest.raises(InputError, match="larger than any ENVI header"):
        open_scene(hdr)


def test_a_file_cut_after_opening_is_an_input_error(tmp_path, cube, write_envi):
    for interleave in ("bsq", "bip"):
        scene = open_scene(write_envi(tmp_path / "a.img", cube, interleave))
        (tmp_path / "a.img").write_bytes(b"\0" * 100)
        with pytest.raises(InputError, match="cannot be read any more"):
            scene.load()
        (tmp_path / "a.img").unlink()
        with pytest.raises(InputError, match="cannot be read any more"):
            scene.load()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "shape", "epsg", "ends"),
    [
        ("enmap_potsdam/enmap_potsdam_128x64.hdr", (64, 128, 224), 32633, (418.24, 2445.53)),
        ("emit/emit20250324t221005_jpl_unmix_ex", (10, 10, 285), None, (381.0056, 2492.9239)),
        ("gamsberg/cubus_gamsberg_subset", (25, 10, 189), None, (426.82, 2324.91)),
        (
            "avirisng/ang20140912t192359_corr_v1c_img_2580-2590_540-550.img",
            (10, 10, 432),
            32613,
            (346.2996, 2505.0364),
        ),
    ],
)
def test_real_scenes(shared_data, name, shape, epsg, ends):
    import rasterio

    scene = open_scene(shared_data / name)
    assert scene.shape == shape
    np.testing.assert_allclose(scene.wavelength.values[[0, -1]], ends, atol=1e-3)
    crs, affine = geo_of(scene)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(files_of(scene)[1]) as file:
            raw = file.read().astype("f4")
            if epsg is not None:
                assert rasterio.crs.CRS.from_wkt(crs).to_epsg() == epsg
                assert affine == pytest.approx(tuple(file.transform)[:6], rel=1e-15)
            else:
                assert crs is affine is None
    expected = raw.transpose(1, 2, 0) / np.float32(scene.attrs.get("scale_factor", 1))
    if "nodata" in scene.attrs:
        expected[raw.transpose(1, 2, 0) == scene.attrs["nodata"]] = np.nan
    np.testing.assert_array_equal(scene.values, expected)


def test_a_pixel_too_small_for_arithmetic_is_refused(tmp_path, cube, write_envi):
    path = write_envi(tmp_path / "a.img", cube, map_info="{UTM, 1, 1, 2, 2, 1e-300, 1e-300}")
    with pytest.raises(InputError, match="its georeferencing gives pixels without area; correct"):
        open_scene(path)
