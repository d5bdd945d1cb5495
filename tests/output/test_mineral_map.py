from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.shutil
import shapely
from affine import Affine
from matplotlib.figure import Figure
from mineral_scenes import NAMES, ROTATED, mineral_scene, on_map, swath_scene
from rasterio.crs import CRS
from rasterio.features import rasterize

from unmix.checks import InputError
from unmix.geology import dominant, ternary
from unmix.ground import square_degree
from unmix.io.roi import read_regions
from unmix.output import load, save
from unmix.output.anomalies import anomalies_of, outlines
from unmix.output.classes import write_classes


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Figures and report in no time."""
    monkeypatch.setattr("unmix.plot.overview", lambda _: Figure((1, 1)))
    monkeypatch.setattr("unmix.report.render", lambda _: "<!doctype html>")


def polygons(out):
    """Shapes, fields and CRS of anomalies.gpkg."""
    about, _, wkb, columns = pyogrio.raw.read(out / "anomalies.gpkg")
    return shapely.from_wkb(wkb), dict(zip(about["fields"], columns, strict=True)), about["crs"]


# --- anomalies -----------------------------------------------------------------------------------


def test_polygons_lie_on_the_patches_of_a_rotated_grid(tmp_path):
    result = mineral_scene()
    out = save(result, tmp_path / "OUT")
    shapes, fields, crs = polygons(out)
    assert CRS.from_user_input(crs) == CRS.from_epsg(32633)
    assert sorted(fields["material"]) == sorted([NAMES[1], NAMES[2], NAMES[0]])
    assert shapely.is_valid(shapes).all()
    assert set(shapely.get_type_id(shapes)) == {shapely.GeometryType.MULTIPOLYGON}
    limit = dict(zip(fields["material"], fields["threshold"], strict=True))
    for k, name in enumerate(NAMES):
        drawn = rasterize([shapes[fields["material"] == name][0]], (9, 13), transform=ROTATED)
        above = np.nan_to_num(result.abundances.values[..., k]) > limit[name]
        above[8, 0] &= k == 0
        np.testing.assert_array_equal(drawn > 0, above)
    pixel = abs(ROTATED.determinant)
    np.testing.assert_allclose(fields["area_m2"], fields["pixels"] * pixel)
    np.testing.assert_allclose(fields["area_ha"] * 1e4, fields["area_m2"])
    np.testing.assert_allclose(shapely.area(shapes), fields["area_m2"])
    centres = shapely.get_coordinates(shapely.centroid(shapes))
    np.testing.assert_allclose(np.c_[fields["x"], fields["y"]], centres)


def test_fields_of_a_patch(tmp_path):
    _, fields, _ = polygons(save(mineral_scene(), tmp_path / "OUT"))
    [i] = np.flatnonzero(fields["material"] == NAMES[1])
    assert fields["pixels"][i] == 10  # nine, and one that touches them at a corner
    assert fields["abundance_mean"][i] == pytest.approx((9 * 0.9 + 0.6) / 10)
    assert fields["abundance_max"][i] == pytest.approx(0.9)
    assert 0.99 < fields["confidence"][i] <= 1


def test_vegetation_makes_no_anomaly(tmp_path):
    result = mineral_scene()
    spectra = result.endmembers.spectra.copy()
    spectra[0] = [0.05, 0.04, 0.5, 0.3, 0.2]
    green = replace(result, endmembers=replace(result.endmembers, spectra=spectra))
    _, fields, _ = polygons(save(green, tmp_path / "OUT"))
    assert NAMES[0] not in fields["material"]


def test_a_scene_without_coordinates_has_pixels_for_coordinates(tmp_path):
    out = save(mineral_scene(None, None), tmp_path / "OUT")
    shapes, fields, crs = polygons(out)
    assert crs is None or "Undefined" in crs
    assert np.isnan(fields["area_m2"]).all()
    [i] = np.flatnonzero(fields["material"] == NAMES[2])
    assert shapes[i].bounds == (9.0, -8.0, 12.0, -6.0)
    assert (fields["x"][i], fields["y"][i]) == (10.5, -7.0)


def test_degrees_have_areas_in_metres(tmp_path):
    grid = Affine(0.001, 0, 15, 0, -0.002, 50)
    _, fields, _ = polygons(save(mineral_scene(4326, grid), tmp_path / "OUT"))
    expected = 2e-6 * square_degree(50 - 0.002 * 4.5)
    np.testing.assert_allclose(fields["area_m2"], fields["pixels"] * expected)


def test_polygons_and_maps_of_a_swath_lie_on_its_grid(tmp_path):
    scene, (glt_x, glt_y) = swath_scene()
    out = save(scene, tmp_path / "OUT")
    shown = np.full((11, 15, 3), np.nan, np.float32)
    there = glt_x > 0
    shown[there] = scene.abundances.values[glt_y[there] - 1, glt_x[there] - 1]
    grid = Affine(60, 0, 4e5, 0, -60, 5e6)
    for name in ("classes", "confidence", "ternary", "features"):
        with rasterio.open(out / f"{name}.tif") as raster:
            assert (raster.shape, raster.transform) == ((11, 15), grid)
            assert raster.crs == CRS.from_epsg(32633)
    with rasterio.open(out / "classes.tif") as raster:
        sd = np.where(np.isfinite(shown), 0.03, np.nan)
        np.testing.assert_array_equal(raster.read(1), dominant(shown, sd).code)
    shapes, fields, crs = polygons(out)
    assert CRS.from_user_input(crs) == CRS.from_epsg(32633)
    [i] = np.flatnonzero(fields["material"] == NAMES[2])
    drawn = rasterize([shapes[i]], (11, 15), transform=grid) > 0
    np.testing.assert_array_equal(drawn, shown[..., 2] > fields["threshold"][i])
    assert load(out).features.shape == (11, 15, 3)


def test_settings_shape_the_anomalies(tmp_path):
    result = mineral_scene()
    pixel = abs(ROTATED.determinant)
    about = {"anomaly_threshold": 0.65, "anomaly_area": 1.0, "ternary": None}
    asked = replace(result, provenance={"geology": about})
    _, fields, _ = polygons(save(asked, tmp_path / "one"))
    assert sorted(fields["pixels"][fields["material"] == NAMES[1]]) == [1, 9]
    assert set(fields["threshold"]) == {0.65}
    about = about | {"anomaly_area": 6.5 * pixel}
    out = save(replace(result, provenance={"geology": about}), tmp_path / "two")
    _, fields, _ = polygons(out)
    assert fields["pixels"].min() == 9
    said = json.loads((out / "manifest.json").read_text())["output"]["anomalies"]
    assert said["threshold"] == "given" and said["least_pixels"] == pytest.approx(6.5)
    assert [m["patches"] for m in said["materials"]] == [1, 1, 0]


def test_nothing_that_stands_out_is_a_layer_without_features(tmp_path):
    about = {"anomaly_threshold": 0.999999, "anomaly_area": 1e12, "ternary": None}
    out = save(replace(mineral_scene(), provenance={"geology": about}), tmp_path / "OUT")
    shapes, fields, crs = polygons(out)
    assert len(shapes) == 0 and "material" in fields
    assert CRS.from_user_input(crs) == CRS.from_epsg(32633)


def test_holes_and_corners_make_valid_polygons():
    result = mineral_scene()
    for seed in range(20):
        A = result.abundances.copy(
            data=np.random.default_rng(seed).dirichlet([0.2] * 3, (9, 13)).astype(np.float32)
        )
        for patches in anomalies_of(replace(result, abundances=A)).patches:
            shapes = outlines(patches, ROTATED)
            assert all(shapely.is_valid(s) for s in shapes)
            areas = np.array([s.area for s in shapes]) / abs(ROTATED.determinant)
            np.testing.assert_allclose(areas, patches.pixels)


def test_anomalies_are_regions_for_the_next_run(tmp_path):
    out = save(mineral_scene(), tmp_path / "OUT")
    regions = read_regions(out / "anomalies.gpkg", load(out).abundances, field="material")
    assert {r.name for r in regions} == set(NAMES)


# --- classes, composite, features ----------------------------------------------------------------


def test_classes_have_colours_and_names(tmp_path):
    out = save(mineral_scene(), tmp_path / "OUT")
    with rasterio.open(out / "classes.tif") as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (raster.dtypes, raster.nodata, raster.count) == (("uint8",), 0, 1)
        assert raster.colorinterp[0].name == "palette"
        assert raster.colormap(1)[1] == (0, 114, 178, 255)
        tags, code = raster.tags(), raster.read(1)
        rasterio.shutil.copy(raster, tmp_path / "names.vrt", driver="VRT")
    assert [tags[f"class_{k}"] for k in (1, 2, 3, 4)] == [*NAMES, "mixed or unsure"]
    listed = ET.parse(tmp_path / "names.vrt").find("VRTRasterBand/CategoryNames")
    assert [c.text for c in listed] == ["no data", *NAMES, "mixed or unsure"]
    assert (code[0, 12], code[2, 3], code[7, 10], code[0, 0]) == (0, 2, 3, 1)
    with rasterio.open(out / "confidence.tif") as raster:
        assert np.isnan(raster.nodata) and np.isnan(raster.read(1)[0, 12])
        assert raster.read(1)[0, 0] == 1


def test_overviews_of_classes_are_classes(tmp_path):
    result = mineral_scene()
    rng = np.random.default_rng(1)
    A = rng.dirichlet([0.1] * 3, (600, 301)).astype(np.float32)
    large = replace(result, abundances=on_map(A, member=list(NAMES)))
    write_classes(large, dominant(A), tmp_path)
    with rasterio.open(tmp_path / "classes.tif", overview_level=0) as raster:
        small = raster.read(1)
    assert small.shape == (300, 151) and set(np.unique(small)) <= {1, 2, 3, 4}


def test_composite_shows_three_members(tmp_path):
    result = mineral_scene()
    about = {"anomaly_threshold": None, "anomaly_area": None, "ternary": [3, 1, 2]}
    out = save(replace(result, provenance={"geology": about}), tmp_path / "OUT")
    with rasterio.open(out / "ternary.tif") as raster:
        view, tags = raster.read(), raster.tags()
        assert [c.name for c in raster.colorinterp] == ["red", "green", "blue", "alpha"]
    assert (tags["red"], tags["green"], tags["blue"]) == (NAMES[2], NAMES[0], NAMES[1])
    colours = ternary(result.abundances.values, (2, 0, 1))
    np.testing.assert_array_equal(view[3] == 0, np.isnan(colours[..., 0]))
    np.testing.assert_allclose(view[:3, 7, 10] / 255, colours[7, 10], atol=0.003)
    two = mineral_scene(names=NAMES[:2])
    assert not (save(two, tmp_path / "two") / "ternary.tif").exists()


def test_features_come_back(tmp_path):
    result = mineral_scene()
    out = save(result, tmp_path / "OUT")
    with rasterio.open(out / "features.tif") as raster:
        assert raster.descriptions == ("2200 nm depth", "2200 nm centre [nm]", "2200 nm mask")
        assert raster.transform.almost_equals(ROTATED, 1e-9)
    back = load(out)
    np.testing.assert_array_equal(back.features.values, result.features.values)
    again = save(back, tmp_path / "AGAIN")
    for path in out.iterdir():
        if path.name != "manifest.json":
            assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_results_without_these_files_load(tmp_path):
    """As they were written before, and with features left out."""
    out = save(mineral_scene(), tmp_path / "OUT")
    for path in out.iterdir():
        if re.match(r"(classes|confidence|anomalies|ternary|features|abundances_\d)", path.name):
            path.unlink()
    assert load(out).features is None
    assert save(load(out), out, overwrite=True) == out
    assert (out / "anomalies.gpkg").exists() and not (out / "features.tif").exists()


def test_damaged_features_are_named(tmp_path):
    out = save(mineral_scene(), tmp_path / "OUT")
    for content, why in (
        (b"x", "cannot be read"),
        ((out / "residual.tif").read_bytes(), "holds no features"),
    ):
        (out / "features.tif").write_bytes(content)
        with pytest.raises(InputError, match=why):
            load(out)
    small = mineral_scene()
    small = replace(small, features=small.features[1:])
    with pytest.raises(InputError, match="features"):
        save(small, tmp_path / "SMALL")


def test_the_manifest_counts_classes_and_lists_the_files(tmp_path):
    out = save(mineral_scene(sure=False), tmp_path / "OUT")
    said = json.loads((out / "manifest.json").read_text())["output"]
    assert said["classes"]["sd"] == "assumed" and said["classes"]["pixels"] == 9 * 13 - 1
    listed = {f["path"] for f in said["files"]}
    assert {"classes.tif", "confidence.tif", "features.tif", "anomalies.gpkg"} <= listed
