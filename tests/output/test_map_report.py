"""The report's material map says what the files hold."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from mineral_scenes import NAMES, ROTATED, mineral_scene, on_map, swath_scene
from PIL import Image

from unmix.geology import dominant
from unmix.geology.settings import with_settings
from unmix.output.ortho import on_grid
from unmix.report import render
from unmix.report.geology import geology


def picture(address) -> np.ndarray:
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1])))
    return np.asarray(image.convert("RGBA"))


def texts(about) -> str:
    return " ".join(judgement.text for judgement in about["trust"])


def test_legend_and_areas_are_those_of_the_classes():
    result = mineral_scene()
    about = geology(result)["geology"]
    code = dominant(result.abundances.values, result.uncertainty.values[..., 0]).code
    counts = np.bincount(code.ravel(), minlength=5)[1:]
    assert [c["name"] for c in about["classes"]] == [*NAMES, "mixed or unsure"]
    np.testing.assert_allclose([c["share"] for c in about["classes"]], counts / counts.sum())
    pixel = abs(ROTATED.determinant)  # the scene is smaller than 0.1 km², or areas are in km²
    unit = 1e6 if pixel * code.size >= 1e5 else 1
    np.testing.assert_allclose([c["area"] for c in about["classes"]], counts * pixel / unit)
    shown = picture(about["class_map"])
    for c, number in zip(about["classes"], range(1, 5), strict=True):
        colour = [int(c["colour"][i : i + 2], 16) for i in (1, 3, 5)]
        assert (shown[code == number, :3] == colour).all()
    np.testing.assert_array_equal(shown[..., 3] == 0, code == 0)


def test_the_rarer_patch_is_on_top():
    result = mineral_scene()
    A = result.abundances.values.copy()
    A[6:8, 9:12] = [0, 0.45, 0.55]
    A[5:9, 5:13] = np.where(A[5:9, 5:13] == [1, 0, 0], [0, 1, 0], A[5:9, 5:13])
    about = geology(replace(result, abundances=result.abundances.copy(data=A)))["geology"]
    colour = {a["name"]: a["colour"] for a in about["anomalies"]}[NAMES[2]]
    assert picture(about["anomaly_map"])[7, 10, :3].tolist() == list(bytes.fromhex(colour[1:]))


def test_features_have_scales_of_their_own():
    [feature] = geology(mineral_scene())["geology"]["features"]
    assert feature["name"] == "2200 nm" and feature["cause"] == "Al-OH"
    assert feature["share"] == pytest.approx(11 / 116)  # ten of one patch, and one by itself
    assert (feature["low"], feature["high"]) == (2205.0, 2209.0)
    assert (picture(feature["centre"])[..., 3] > 0).sum() == 11


def test_what_to_trust_is_drawn_from_the_numbers():
    result = mineral_scene()
    assert "at least 0.02" in texts(geology(result)["geology"])
    assumed = texts(geology(replace(result, uncertainty=None))["geology"])
    assert "an error of 0.1 in every abundance" in assumed
    half = result.abundances.copy(data=np.full((9, 13, 3), [0.49, 0.02, 0.49], np.float32))
    mixed = texts(geology(replace(result, abundances=half))["geology"])
    assert mixed.startswith("100% of the pixels are mixed")
    assert f"between “{NAMES[0]}” and “{NAMES[2]}”" in mixed
    nothing = replace(result, provenance={"geology": {"anomaly_threshold": 0.9999999}})
    nothing = replace(nothing, abundances=half)
    assert "No material stands out anywhere" in texts(geology(nothing)["geology"])


def test_files_are_named_only_where_the_result_was_made_with_them():
    result = mineral_scene()
    assert "classes.tif" not in render(result)
    page = render(with_settings(result, None, None, None))
    assert "classes.tif, confidence.tif, anomalies.gpkg, ternary.tif, features.tif" in page


def test_a_large_map_is_shown_smaller():
    result = mineral_scene(sure=False, features=False)
    A = np.tile(result.abundances.values, (120, 90, 1))
    maps = on_map(A, member=list(NAMES))
    residual = on_map(np.zeros_like(A), quantity=["rmse", "angle", "scale"])
    about = geology(replace(result, abundances=maps, residual=residual))["geology"]
    sizes = {picture(about[k]).shape[:2] for k in ("class_map", "confidence", "anomaly_map")}
    sizes.add(picture(about["ternary"]["map"]).shape[:2])
    assert len(sizes) == 1 and max(sizes.pop()) < 1080


def test_a_swath_is_shown_on_its_grid():
    scene, (glt_x, _) = swath_scene()
    about = geology(on_grid(scene))["geology"]
    shown = picture(about["class_map"])
    assert shown.shape[:2] == (11, 15)
    assert (shown[glt_x == 0, 3] == 0).all()
