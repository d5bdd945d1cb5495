"""Users' own arrays, netCDF and zarr: any order and common names, or one clear line."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

import unmix
from unmix.checks import InputError
from unmix.scene import from_array, geo_of, open_scene, swath_of

ROWS, COLS, BANDS = 7, 5, 12
NM = np.linspace(420.0, 2400.0, BANDS)
AFFINE = (30.0, 0.0, 365055.0, 0.0, -20.0, 5807085.0)
X = AFFINE[2] + AFFINE[0] * (np.arange(COLS) + 0.5)
Y = AFFINE[5] + AFFINE[4] * (np.arange(ROWS) + 0.5)
WKT = CRS.from_epsg(32633).to_wkt()


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(4).uniform(0.05, 0.6, (ROWS, COLS, BANDS))


def make(values, order=(0, 1, 2), names=("y", "x", "band"), **coords):
    """An array of `values` with axes in another order and under other names."""
    return xr.DataArray(
        values.transpose(order), dims=[names[i] for i in order], coords=coords, name="mine"
    )


@given(
    st.permutations([0, 1, 2]),
    st.sampled_from(["y", "lat", "latitude", "row", "lines", "northing", "downtrack", "Y"]),
    st.sampled_from(["x", "lon", "longitude", "col", "samples", "easting", "crosstrack", "X"]),
    st.sampled_from(["band", "bands", "wavelength", "Wavelengths", "channel", "wl"]),
)
def test_any_order_and_common_names(order, y, x, band):
    values = np.arange(60.0).reshape(3, 4, 5)
    nm = np.linspace(0.45, 2.4, 5)
    scene = from_array(make(values, order, (y, x, band), **{band: nm}))
    assert scene.dims == ("y", "x", "band") and scene.dtype == np.float32
    np.testing.assert_array_equal(scene.values, values)
    np.testing.assert_allclose(scene.wavelength, nm * 1000)
    assert "band" not in scene.coords and scene.good.all()


def test_the_same_answer_as_a_plain_scene(values):
    plain = make(values).assign_coords(wavelength=("band", NM))
    other = make(values, (2, 1, 0), ("lat", "lon", "wavelength"), wavelength=NM / 1000)
    results = [unmix.run(a, 3, method="vca-fcls") for a in (plain, other)]
    np.testing.assert_array_equal(*(r.abundances.values for r in results))
    np.testing.assert_allclose(results[1].endmembers.wavelength, NM)


def test_two_named_dimensions_leave_one(values):
    scene = from_array(make(values, (2, 0, 1), ("y", "x", "spec")))
    np.testing.assert_array_equal(scene.values, values.astype("f4"))
    assert "dimension 'spec' taken for band" in scene.attrs["history"]


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        (("a", "b", "c"), r"dims \('a', 'b', 'c'\) leave open which is y, x, band"),
        (("a", "x", "c"), r"leave open which is y, band; name them"),
        (("row", "line", "band"), "'row' and 'line' are both y; rename"),
    ],
)
def test_open_questions_are_not_guessed(values, dims, message):
    with pytest.raises(InputError, match=message):
        unmix.run(make(values, names=dims), 3)


def test_a_wavelength_coordinate_tells_the_band_dimension(values):
    own = make(values, (2, 0, 1), ("i", "x", "c")).assign_coords(wavelength=("c", NM))
    np.testing.assert_array_equal(from_array(own).values, values.astype("f4"))


def test_what_is_no_image(values):
    with pytest.raises(InputError, match="has 2 dimensions"):
        from_array(make(values)[0])
    with pytest.raises(InputError, match="has 4 dimensions"):
        from_array(xr.concat([make(values)] * 2, "time"))
    with pytest.raises(InputError, match="give numbers"):
        from_array(make(values.astype(str)).assign_coords(band=NM))
    with pytest.raises(InputError, match="got ndarray; give a DataArray"):
        unmix.run(values, 3)
    one = make(values).expand_dims("time").assign_coords(band=NM)
    np.testing.assert_array_equal(from_array(one).values, values.astype("f4"))


def test_band_numbers_are_no_wavelengths(values):
    for numbers in (np.arange(BANDS), np.arange(BANDS) + 1):
        scene = from_array(make(values, band=numbers))
        assert "wavelength" not in scene.coords
    assert "wavelength" in from_array(make(values, band=np.arange(BANDS) + 400)).coords


@pytest.mark.parametrize("unit", ["um", "nm", "micrometers", "m"])
def test_units_of_wavelengths(values, unit):
    factor = {"um": 1e-3, "nm": 1, "micrometers": 1e-3, "m": 1e-9}[unit]
    nm = xr.DataArray(NM * factor, dims="band", attrs={"units": unit})
    scene = from_array(make(values, x=X).assign_coords(wavelength=nm))
    np.testing.assert_allclose(scene.wavelength, NM)
    with pytest.raises(InputError, match="unknown wavelength unit 'cm-1'"):
        from_array(make(values, x=X).assign_coords(wavelength=nm.assign_attrs(units="cm-1")))


def test_a_grid_as_rioxarray_writes_it(values):
    gdal = " ".join(map(repr, (AFFINE[2], AFFINE[0], 0.0, AFFINE[5], 0.0, AFFINE[4])))
    where = xr.DataArray(0, attrs={"crs_wkt": WKT, "GeoTransform": gdal})
    own = make(values, (2, 0, 1), band=np.arange(BANDS) + 1, x=X, y=Y, spatial_ref=where)
    for part, expected in (
        (own, AFFINE),
        (own[:, 2:, 1:4], (30.0, 0.0, 365085.0, 0.0, -20.0, 5807045.0)),
        (own[:, ::2], (30.0, 0.0, 365055.0, 0.0, -40.0, 5807095.0)),
    ):
        crs, affine = geo_of(from_array(part))
        assert affine == expected and CRS.from_wkt(crs).to_epsg() == 32633


def test_longitudes_and_latitudes(values):
    lat, lon = 52 - 0.001 * np.arange(ROWS), 13 + 0.002 * np.arange(COLS)
    own = make(values, names=("lat", "lon", "band"), lat=lat, lon=lon)
    crs, affine = geo_of(from_array(own))
    assert CRS.from_wkt(crs).to_epsg() == 4326
    assert affine == pytest.approx((0.002, 0, 12.999, 0, -0.001, 52.0005))
    uneven = from_array(own.assign_coords(lat=np.exp(lat - 52) ** 9))
    assert geo_of(uneven) == (None, None)
    assert "lat and lon are not evenly spaced: no grid" in uneven.attrs["history"]


def test_two_dimensional_longitudes_make_a_swath(values):
    lon, lat = np.meshgrid(13 + 4e-4 * np.arange(COLS), 52 - 3e-4 * np.arange(ROWS))
    own = make(values).assign_coords(lon=(("y", "x"), lon), lat=(("y", "x"), lat))
    ortho = swath_of(from_array(own))
    assert ortho.shape == (ROWS, COLS) and CRS.from_wkt(ortho.crs_wkt).to_epsg() == 32633


def test_undecoded_numbers(values):
    stored = np.round(values * 1e4).astype("i2")
    stored[2, 3] = -9999
    own = make(stored).assign_attrs(_FillValue=-9999, scale_factor=1e-4)
    scene = from_array(own)
    assert np.isnan(scene.values[2, 3]).all() and scene.attrs["scale_declared"] is True
    np.testing.assert_allclose(scene.values[0], stored[0] * 1e-4, rtol=1e-6)


def test_masks_come_along(values):
    cloud = values[..., 0] > 0.4
    own = make(values, (1, 2, 0)).assign_coords(cloud=(("x", "y"), cloud.T))
    np.testing.assert_array_equal(from_array(own).cloud, cloud)


def test_scenes_come_back_as_they_are(values, tmp_path, write_envi):
    scene = open_scene(write_envi(tmp_path / "a.img", values, "bil", "<f4"))
    assert from_array(scene) is scene and from_array(scene[1:, 2:]).shape == (6, 3, BANDS)
    bare = make(values)
    assert from_array(bare) is bare
    own = bare.assign_coords(wavelength=("band", NM), good=("band", NM > 500))
    assert from_array(own) is own
    assert from_array(own.assign_coords(wavelength=("band", NM / 1000))).wavelength[0] == NM[0]
    assert geo_of(from_array(own.assign_coords(x=X, y=Y)))[1] == AFFINE


@pytest.fixture(scope="module")
def dataset(values):
    gdal = " ".join(map(repr, (AFFINE[2], AFFINE[0], 0.0, AFFINE[5], 0.0, AFFINE[4])))
    where = xr.DataArray(0, attrs={"crs_wkt": WKT, "GeoTransform": gdal})
    nm = ("band", NM, {"units": "nm"})
    cube = values.astype("f4").copy()
    cube[1, 2] = np.nan
    own = make(cube, (2, 0, 1), x=X, y=Y, spatial_ref=where).assign_coords(wavelength=nm)
    return own.rename("reflectance").to_dataset()


def check(scene, values):
    expected = values.astype("f4")
    expected[1, 2] = np.nan
    np.testing.assert_array_equal(scene.values, expected)
    np.testing.assert_array_equal(scene[2:5, 1, [0, 7]].values, expected[2:5, 1, [0, 7]])
    np.testing.assert_allclose(scene.wavelength, NM)
    crs, affine = geo_of(scene)
    assert CRS.from_wkt(crs).to_epsg() == 32633 and affine == AFFINE


@pytest.mark.parametrize("version", [2, 3])
def test_zarr(dataset, values, tmp_path, version):
    path = tmp_path / "a.zarr"
    dataset.to_zarr(path, zarr_format=version, consolidated=version == 2)
    check(open_scene(path), values)
    result = unmix.run(open_scene(path), 3, method="vca-fcls")
    result.save(tmp_path / "OUT")


def test_zarr_is_read_lazily(dataset, tmp_path):
    path = tmp_path / "a.zarr"
    dataset.to_zarr(path, zarr_format=2, consolidated=False)
    scene = open_scene(path)
    for chunk in (path / "reflectance").glob("[0-9]*"):
        chunk.write_bytes(b"not a chunk")
    assert scene.shape == (ROWS, COLS, BANDS)
    with pytest.raises(InputError, match="its pixels cannot be read"):
        scene.load()


def test_classic_netcdf(dataset, values, tmp_path):
    dataset.to_netcdf(tmp_path / "a.nc", engine="scipy")
    check(open_scene(tmp_path / "a.nc"), values)
    (tmp_path / "b.nc").write_bytes((tmp_path / "a.nc").read_bytes()[:900])
    with pytest.raises(InputError, match="truncated or damaged netCDF"):
        open_scene(tmp_path / "b.nc").load()


def netcdf4(path, dims, variables, attrs=None):
    """A netCDF-4 file as the C library writes it: dimension scales, coordinates by name."""
    with h5py.File(path, "w") as file:
        for name, size in dims.items():
            values, extra = variables.pop(name, (None, {}))
            data = np.zeros(size, "f4") if values is None else values
            scale = file.create_dataset(name, data=data)
            unnamed = f"This is a netCDF dimension but not a netCDF variable.{size:10d}"
            scale.make_scale(name if values is not None else unnamed)
            scale.attrs.update(extra)
        for name, (over, values, extra) in variables.items():
            data = file.create_dataset(name, data=values)
            for axis, dim in enumerate(over):
                data.dims[axis].attach_scale(file[dim])
            data.attrs.update(extra)
        file.attrs.update(attrs or {})
    return path


def test_netcdf4(values, tmp_path):
    cube = values.transpose(2, 0, 1).astype("f4")
    cube[:, 1, 2] = -9999
    path = netcdf4(
        tmp_path / "a.nc",
        {"band": BANDS, "y": ROWS, "x": COLS},
        {
            "y": (Y, {}),
            "x": (X, {}),
            "wavelength": (("band",), NM / 1000, {"units": "um"}),
            "crs": ((), 0, {"crs_wkt": WKT, "grid_mapping_name": "transverse_mercator"}),
            "rfl": (
                ("band", "y", "x"),
                cube,
                {"_FillValue": np.float32(-9999), "grid_mapping": "crs"},
            ),
        },
    )
    check(open_scene(path), values)


def test_aviris_3_layout(values, tmp_path):
    """Group `reflectance` with its lists, coordinates and grid mapping at the root."""
    cube = values.transpose(2, 0, 1).astype("f4")
    cube[:, 1, 2] = -9999
    path = netcdf4(
        tmp_path / "AV320231008t173943_000_L2A_OE_98b13fff_RFL_ORT.nc",
        {"wavelength": BANDS, "northing": ROWS, "easting": COLS},
        {
            "northing": (Y, {}),
            "easting": (X, {}),
            "transverse_mercator": (
                (), b"", {"grid_mapping_name": "transverse_mercator", "spatial_ref": WKT},
            ),
            "reflectance/fwhm": (("wavelength",), np.full(BANDS, 7.4), {"units": "nm"}),
            "reflectance/wavelength": (("wavelength",), NM, {"units": "nm"}),
            "reflectance/reflectance": (
                ("wavelength", "northing", "easting"), cube,
                {"_FillValue": np.float32(-9999), "grid_mapping": "transverse_mercator"},
            ),
        },
        {"title": "AVIRIS-3 L2A", "time_coverage_start": "2023-10-08T17:39:43Z"},
    )  # fmt: skip
    scene = open_scene(path)
    check(scene, values)
    np.testing.assert_allclose(scene.fwhm, 7.4)
    about = [scene.attrs.get(k) for k in ("sensor", "quantity", "acquired", "scale_declared")]
    assert about == ["AVIRIS-3", "reflectance", "2023-10-08T17:39:43Z", False]


def test_several_images(values, tmp_path):
    two = {"a": make(values), "b": make(values * 2)}
    xr.Dataset(two).to_netcdf(tmp_path / "a.nc", engine="scipy")
    with pytest.raises(InputError, match=r"several images .*'a', 'b'.*--variable"):
        open_scene(tmp_path / "a.nc")
    twice = open_scene(tmp_path / "a.nc", variable="b").values
    np.testing.assert_allclose(twice, 2 * values, rtol=1e-6)
    with pytest.raises(InputError, match="has no image 'c'"):
        open_scene(tmp_path / "a.nc", variable="c")
    xr.Dataset({"flat": make(values)[0]}).to_netcdf(tmp_path / "b.nc", engine="scipy")
    with pytest.raises(InputError, match="holds no image"):
        open_scene(tmp_path / "b.nc")


def test_damaged_stores(dataset, tmp_path):
    path = tmp_path / "a.zarr"
    dataset.to_zarr(path, zarr_format=2, consolidated=False)
    (path / "reflectance" / ".zarray").write_text("{")
    with pytest.raises(InputError, match=r"a\.zarr: damaged zarr store"):
        open_scene(path)
    (tmp_path / "c.nc").write_bytes(b"CDF\x01" + b"\xff" * 40)
    with pytest.raises(InputError, match="damaged netCDF"):
        open_scene(tmp_path / "c.nc")


def test_a_store_that_would_run_code_is_refused(dataset, tmp_path):
    path = tmp_path / "a.zarr"
    dataset.to_zarr(path, zarr_format=2, consolidated=True)
    meta = path / "reflectance" / ".zarray"
    found = json.loads(meta.read_text())
    meta.write_text(json.dumps(found | {"filters": [{"id": "pickle", "protocol": 5}]}))
    with pytest.raises(InputError, match="its codec 'pickle' is not one of those unmix reads"):
        open_scene(path)
    deep = {"name": "sharding_indexed", "configuration": {"codecs": [{"name": "numcodecs.pickle"}]}}
    dataset.to_zarr(tmp_path / "b.zarr", zarr_format=3, consolidated=False)
    meta = tmp_path / "b.zarr" / "reflectance" / "zarr.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"codecs": [deep]}))
    with pytest.raises(InputError, match=r"codec 'numcodecs\.pickle'"):
        open_scene(tmp_path / "b.zarr")


def test_a_store_that_declares_too_much(dataset, tmp_path):
    path = tmp_path / "a.zarr"
    dataset.drop_vars(["x", "y", "wavelength"]).to_zarr(path, zarr_format=2, consolidated=False)
    meta = path / "reflectance" / ".zarray"
    found = json.loads(meta.read_text())
    meta.write_text(json.dumps(found | {"shape": [12, 10**6, 10**6]}))
    with pytest.raises(InputError, match="values but holds"):
        open_scene(path)


def test_a_store_that_leads_outside(dataset, tmp_path):
    path = tmp_path / "a.zarr"
    dataset.to_zarr(path, zarr_format=2, consolidated=False)
    (tmp_path / "secret").write_bytes(b"x")
    (path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="lies outside the store"):
        open_scene(path)


@pytest.mark.parametrize("form", ["a.nc", "a.zarr"])
def test_whatever_byte_is_wrong(dataset, tmp_path, form):
    """An answer, or one line."""
    path, rng = tmp_path / form, np.random.default_rng(2)
    if form == "a.nc":
        dataset.to_netcdf(path, engine="scipy")
    else:
        dataset.to_zarr(path, zarr_format=2, consolidated=False)
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    answers = 0
    for turn in range(60):
        file = files[turn % len(files)]
        whole = file.read_bytes()
        data = bytearray(whole)
        for at in rng.integers(0, min(len(data), 2000), 3):
            data[at] = rng.integers(256)
        file.write_bytes(data if rng.random() < 0.8 else data[: rng.integers(len(data))])
        try:
            answers += np.asarray(open_scene(path)[:3].values).ndim == 3
        except InputError as error:
            assert "\n" not in str(error)
        file.write_bytes(whole)
    assert 0 < answers < 60
