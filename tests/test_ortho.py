"""Swaths on their map grids: lookup tables, coordinates, parts, result folders."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform

from unmix import run as unmix_run
from unmix.checks import InputError
from unmix.evaluate import evaluate
from unmix.ground import square_degree
from unmix.ortho import from_glt, from_lonlat
from unmix.output import load, save
from unmix.report.facts import pixel_area
from unmix.scene import open_scene, swath_of
from unmix.simulate.products.emit import turned_swath, write

AFFINE = (0.0005, 0.0, -62.5, 0.0, -0.0004, -39.2)
WKT = CRS.from_epsg(4326).to_wkt()


def naive(values, glt_x, glt_y):
    """The lookup, pixel by pixel."""
    out = np.full((*glt_x.shape, *values.shape[2:]), np.nan)
    for i, j in np.ndindex(glt_x.shape):
        if glt_x[i, j] != 0:
            out[i, j] = values[abs(glt_y[i, j]) - 1, abs(glt_x[i, j]) - 1]
    return out


@given(st.floats(-80, 80), st.integers(2, 9), st.integers(2, 7))
def test_a_table_is_applied_as_said(turn, rows, cols):
    glt = turned_swath(rows, cols, turn)
    values = np.arange(rows * cols * 2.0).reshape(rows, cols, 2)
    ortho = from_glt(*glt, (rows, cols), WKT, AFFINE, "x.nc")
    np.testing.assert_array_equal(ortho.apply(values), naive(values, *glt))
    flags = values[..., 0] > 3
    shown = ortho.apply(flags)
    assert shown.dtype == bool and not shown[ortho.index < 0].any()


def test_interpolated_places_are_negative_and_count():
    x, y = turned_swath(12, 9, 14.0)
    assert (x < 0).any() and ((x == 0) == (y == 0)).all()
    ortho = from_glt(x, y, (12, 9), WKT, AFFINE, "x.nc")
    assert ((ortho.index >= 0) == (x != 0)).all()


@given(st.data())
def test_a_part_shows_what_the_whole_shows_there(data):
    shape = (8, 6)
    ortho = from_glt(*turned_swath(*shape, 20.0), shape, WKT, AFFINE, "x.nc")
    rows = data.draw(st.lists(st.integers(0, 7), min_size=1, unique=True))
    cols = data.draw(st.lists(st.integers(0, 5), min_size=1, unique=True))
    number = np.arange(48.0).reshape(shape)
    inside = np.isin(np.arange(48).reshape(shape), np.arange(48).reshape(shape)[np.ix_(rows, cols)])
    whole = ortho.apply(np.where(inside, number, np.nan))
    if np.isnan(whole).all():
        with pytest.raises(InputError, match="nowhere on its grid"):
            ortho.part(rows, cols)
        return
    part = ortho.part(rows, cols)
    shown = part.apply(number[np.ix_(rows, cols)])
    a, _, c, _, e, f = part.affine
    col, row = round((c - AFFINE[2]) / a), round((f - AFFINE[5]) / e)
    window = whole[row : row + shown.shape[0], col : col + shown.shape[1]]
    np.testing.assert_array_equal(shown, window)
    assert np.isfinite(window).sum() == np.isfinite(whole).sum()


def test_the_whole_is_not_trimmed():
    ortho = from_glt(*turned_swath(8, 6, 20.0), (8, 6), WKT, AFFINE, "x.nc")
    assert ortho.part(range(8), range(6)) is ortho
    turned = ortho.part(range(7, -1, -1), range(6))
    number = np.arange(48.0).reshape(8, 6)
    shown = ortho.apply(number)
    kept = ~np.isnan(shown)
    shown = shown[kept.any(axis=1)][:, kept.any(axis=0)]
    np.testing.assert_array_equal(turned.apply(number[::-1]), shown)


@pytest.mark.parametrize(
    ("table", "size", "message"),
    [
        ("glt_x", 7, r"glt_x reaches 7, the swath has 6 columns"),
        ("glt_y", -9, r"glt_y reaches 9, the swath has 8 rows"),
    ],
)
def test_a_table_that_points_outside(table, size, message):
    x, y = (t.copy() for t in turned_swath(8, 6, 0.0))
    {"glt_x": x, "glt_y": y}[table][2, 3] = size
    with pytest.raises(InputError, match=message):
        from_glt(x, y, (8, 6), WKT, AFFINE, "x.nc")


def test_tables_without_sense():
    with pytest.raises(InputError, match="points at no pixel"):
        from_glt(np.zeros((3, 4)), np.zeros((3, 4)), (2, 2), WKT, AFFINE, "x.nc")
    with pytest.raises(InputError, match=r"glt_x of \(3, 4\) and glt_y of \(4, 3\)"):
        from_glt(np.ones((3, 4)), np.ones((4, 3)), (2, 2), WKT, AFFINE, "x.nc")


def test_coordinates_give_the_nearest_pixel():
    utm = CRS.from_epsg(32633).to_wkt()
    affine = (30.0, 0.0, 365055.0, 0.0, -30.0, 5807085.0)
    v, u = np.indices((9, 7), float)
    angle = np.radians(17)
    col = 4 + u * np.cos(angle) - v * np.sin(angle)
    row = 1 + u * np.sin(angle) + v * np.cos(angle)
    lon, lat = transform(
        utm, "EPSG:4326", (365055 + 30 * col).ravel(), (5807085 - 30 * row).ravel()
    )
    lon, lat = np.reshape(lon, (9, 7)), np.reshape(lat, (9, 7))
    ortho = from_lonlat(lon, lat, crs_wkt=utm, affine=affine, shape=(13, 12))
    centre = np.indices((13, 12)) + 0.5
    far = np.hypot(centre[0][..., None] - row.ravel(), centre[1][..., None] - col.ravel())
    seen = ortho.index >= 0
    assert 63 <= seen.sum() < 156
    np.testing.assert_array_equal(ortho.index[seen], far.argmin(axis=-1)[seen])
    assert far.min(axis=-1)[seen].max() < 0.76 <= far.min(axis=-1)[~seen].min() + 0.02
    own = from_lonlat(lon, lat)
    assert CRS.from_wkt(own.crs_wkt).to_epsg() == 32633
    assert own.affine[0] == pytest.approx(30, rel=1e-3)
    assert len(np.unique(own.index)) > 60  # nearest pixels: a few are shown nowhere


def test_coordinates_without_sense():
    with pytest.raises(InputError, match="make no map"):
        from_lonlat(np.full((3, 4), np.nan), np.zeros((3, 4)))
    lon, lat = np.meshgrid(15 + np.arange(9) * 1e-5, 50 - np.arange(7) * 1e-5)
    lon[0, 0] = lat[0, 0] = 17  # one pixel astray
    with pytest.raises(InputError, match=r"span \d+ × \d+ pixels"):
        from_lonlat(lon, lat)


@pytest.fixture(scope="module")
def swath(tmp_path_factory):
    """A granule of three materials, its truth in the swath, and its result folder."""
    rng = np.random.default_rng(5)
    nm = np.linspace(400, 2450, 40)
    E = np.stack([0.2 + 0.1 * np.sin(nm / 300), 0.5 - nm / 9000, 0.1 + nm / 6000])
    A = rng.dirichlet([0.4] * 3, (14, 11))
    cube = A @ E + rng.normal(0, 2e-4, (14, 11, 40))
    cube[3, 4] = np.nan
    folder = tmp_path_factory.mktemp("swath")
    granule = write(folder / "granule", cube, nm, 8.5, transform=AFFINE)
    from unmix.types import Endmembers

    result = unmix_run(
        open_scene(granule), endmembers=Endmembers(E, nm), method="vca-fcls", scale="none"
    )
    return SimpleNamespace(
        granule=granule, A=A, E=E, result=result, out=save(result, folder / "OUT")
    )


def test_results_stay_in_the_swath_until_written(swath):
    assert swath.result.abundances.shape == (14, 11, 3)
    assert swath.result.abundances.attrs["swath"].shape == (14, 11)
    assert np.isnan(swath.result.abundances.values[3, 4]).all()


def test_every_map_is_written_on_the_grid(swath):
    ortho = open_scene(swath.granule).attrs["swath"]
    expected = ortho.apply(swath.result.abundances.values)
    for name in ("abundances", "residual", "false_colour", "glt"):
        with rasterio.open(swath.out / f"{name}.tif") as file:
            assert tuple(file.transform)[:6] == AFFINE
            assert file.crs.to_epsg() == 4326
            assert file.shape == ortho.index.shape
    with rasterio.open(swath.out / "abundances.tif") as file:
        np.testing.assert_array_equal(file.read().transpose(1, 2, 0), expected)
    with rasterio.open(swath.out / "glt.tif") as file:
        glt_x, glt_y = file.read()
    np.testing.assert_array_equal(naive(swath.result.abundances.values, glt_x, glt_y), expected)
    manifest = json.loads((swath.out / "manifest.json").read_text())
    assert manifest["grid"]["swath"] == [14, 11]
    assert manifest["grid"]["shape"] == list(ortho.index.shape)
    assert manifest["input"]["crs"] == ortho.crs_wkt


def test_the_folder_reads_back_and_writes_the_same(swath, tmp_path):
    again = save(load(swath.out), tmp_path / "AGAIN")
    for name in ("abundances.tif", "residual.tif", "glt.tif", "endmembers.csv"):
        assert (again / name).read_bytes() == (swath.out / name).read_bytes()


@pytest.mark.parametrize("form", ["swath", "column-major", "grid"])
def test_a_truth_of_the_swath_or_of_the_grid(swath, form):
    result = load(swath.out)
    truth = swath.A
    if form == "column-major":
        truth = truth.transpose(1, 0, 2).reshape(-1, 3)
    if form == "grid":
        truth = result.abundances.attrs["lookup"].apply(truth)
    known = SimpleNamespace(abundances=truth, endmembers=None, names=("a", "b", "c"))
    found = evaluate(result, known)
    assert found["abundance_rmse"] < 0.01
    assert found["n_pixels"] == int(np.isfinite(result.abundances.values[..., 0]).sum())
    known.abundances = swath.A[:-1]
    with pytest.raises(InputError, match="give the truth of this scene"):
        evaluate(result, known)


def test_the_command_takes_a_truth_of_the_swath(swath, tmp_path):
    from scipy.io import savemat
    from typer.testing import CliRunner

    from unmix.cli import app

    truth = tmp_path / "truth.mat"
    savemat(truth, {"A": swath.A.transpose(1, 0, 2).reshape(-1, 3).T})
    done = CliRunner().invoke(app, ["evaluate", str(swath.out), "--truth", str(truth)])
    assert done.exit_code == 0, done.output


def test_a_damaged_lookup_is_named(swath, tmp_path):
    import shutil

    folder = shutil.copytree(swath.out, tmp_path / "OUT")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["grid"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"says nothing of a swath"):
        load(folder)
    shutil.copy(folder / "residual.tif", folder / "glt.tif")
    (folder / "manifest.json").write_bytes((swath.out / "manifest.json").read_bytes())
    with pytest.raises(InputError, match=r"glt\.tif"):
        load(folder)


def test_the_report_counts_the_swath_alone(swath):
    """Grid pixels outside the swath are neither valid nor masked."""
    from unmix.report.facts import in_scene, key_facts
    from unmix.report.trust import judgements

    result = load(swath.out)
    lookup = result.abundances.attrs["lookup"]
    np.testing.assert_array_equal(in_scene(result), lookup.index >= 0)
    seen = int((lookup.index >= 0).sum())
    _, valid, share = next(f for f in key_facts(result) if f[0] == "Valid pixels")
    hole = 3 * 11 + 4
    assert int(valid) == seen - int((lookup.index == hole).sum())
    assert share.endswith(f"% of {seen} on the map grid") and share.startswith("9")
    assert not any("masked" in j.text for j in judgements(result))


def test_a_crop_lies_where_it_was(swath):
    scene = open_scene(swath.granule)
    whole, crop = scene.attrs["swath"], swath_of(scene[5:12, 2:9])
    number = np.arange(154.0).reshape(14, 11)
    inside = np.full((14, 11), np.nan)
    inside[5:12, 2:9] = number[5:12, 2:9]
    shown, part = whole.apply(inside), crop.apply(number[5:12, 2:9])
    row = round((crop.affine[5] - AFFINE[5]) / AFFINE[4])
    col = round((crop.affine[2] - AFFINE[2]) / AFFINE[0])
    np.testing.assert_array_equal(shown[row : row + part.shape[0], col : col + part.shape[1]], part)


def test_polygons_on_the_map_find_the_swath(swath, tmp_path):
    """A field drawn on the grid: its pixels are those whose places lie inside."""
    import h5py

    from unmix.io.roi import read_regions

    a, _, c, _, e, f = AFFINE
    corners = [(4.2, 5.1), (11.7, 6.3), (10.1, 12.6), (4.2, 5.1)]  # columns and rows of the grid
    ring = [[c + a * x, f + e * y] for x, y in corners]
    shape = {"type": "Polygon", "coordinates": [ring]}
    field = {"type": "Feature", "properties": {"class": "clay"}, "geometry": shape}
    path = tmp_path / "roi.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [field]}))
    scene = open_scene(swath.granule)
    (region,) = read_regions(path, scene)
    with h5py.File(swath.granule) as file:
        lon, lat = file["location/lon"][...], file["location/lat"][...]
    (x0, y0), (x1, y1), (x2, y2), _ = corners
    x, y = (lon - c) / a, (lat - f) / e
    sides = [
        (q - p) * (y - s) - (t - s) * (x - p)
        for (p, s), (q, t) in (((x0, y0), (x1, y1)), ((x1, y1), (x2, y2)), ((x2, y2), (x0, y0)))
    ]
    inside = np.all([side > 0 for side in sides], axis=0)
    found = region.mask((14, 11))
    assert found.sum() >= 15 and inside[found].mean() > 0.9 and found[inside].mean() > 0.9
    far = json.loads(path.read_text().replace(str(ring[0][0]), "-60.0"))
    far["features"][0]["geometry"]["coordinates"][0] = [[p + 1, q] for p, q in ring]
    path.write_text(json.dumps(far))
    with pytest.raises(InputError, match="lies outside the scene"):
        read_regions(path, scene)


def test_a_mask_of_the_grid_or_of_the_swath(swath):
    scene = open_scene(swath.granule)
    ortho = scene.attrs["swath"]
    out = np.zeros((14, 11), bool)
    out[2:9, 3:7] = True
    results = [
        unmix_run(scene, 3, method="vca-fcls", mask=mask).abundances.values[..., 0]
        for mask in (out, ortho.apply(out))
    ]
    shown = np.isin(np.arange(154).reshape(14, 11), ortho.index)
    assert np.isnan(results[0][out]).all() and np.isfinite(results[0][0]).all()
    np.testing.assert_array_equal(np.isnan(results[0])[shown], np.isnan(results[1])[shown])
    from unmix.pipeline.outside import left_out_of

    codes = [left_out_of(scene, mask, "shade").mask for mask in (out, ortho.apply(out))]
    np.testing.assert_array_equal(codes[0][shown], codes[1][shown])
    with pytest.raises(InputError, match="mask: shape"):
        unmix_run(scene, 3, mask=out[:-1])


def test_a_truth_of_neither_size_is_told_both(swath):
    from types import SimpleNamespace

    result = load(swath.out)
    rows, cols = result.abundances.shape[:2]
    inner = result.abundances.attrs["lookup"].shape
    wrong = SimpleNamespace(abundances=np.ones((2, 3, 1)), endmembers=None, names=("a",))
    text = f"{rows} × {cols} pixels on the map grid and {inner[0]} × {inner[1]} in the swath"
    with pytest.raises(InputError, match=f"of 2 × 3 pixels where the result has {text}"):
        evaluate(result, wrong)


def test_areas_in_degrees(swath):
    """Against the area between parallels on the ellipsoid, by the closed formula."""
    assert square_degree(-39.2) == pytest.approx(9_598e6, rel=2e-3)
    result = load(swath.out)
    rows = result.abundances.shape[0]
    middle = AFFINE[5] + AFFINE[4] * rows / 2
    expected = square_degree(middle) * 0.0005 * 0.0004
    assert pixel_area(result) == pytest.approx(expected)
    e = np.sqrt(0.00669437999014)
    b = 6356752.314245

    def zone(phi):
        s = np.sin(np.radians(phi))
        return np.pi * b**2 * (s / (1 - (e * s) ** 2) + np.arctanh(e * s) / e) / 360

    assert square_degree(47.5) == pytest.approx(zone(48) - zone(47), rel=1e-4)


def test_maps_without_a_swath_are_left_alone():
    scene = xr.DataArray(np.ones((2, 3, 4)), dims=("y", "x", "band"))
    assert swath_of(scene) is None
