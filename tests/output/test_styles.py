"""Styles as QGIS reads them: the elements, attributes and values that its renderers look for."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from mineral_scenes import NAMES, mineral_scene

from unmix.output import save
from unmix.output.styles import categorised, paletted, pseudocolour, write_style

RASTERS = ("abundances", "residual", "uncertainty", "classes", "confidence", "features")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unmix.plot.overview", lambda _: Figure((1, 1)))
        patch.setattr("unmix.report.render", lambda _: "<!doctype html>")
        return save(mineral_scene(), tmp_path_factory.mktemp("styles") / "OUT")


def style(out, name):
    text = (out / f"{name}.qml").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis ")
    root = ET.fromstring(text)
    assert root.tag == "qgis" and root.get("version").startswith("3.")
    return root


@pytest.mark.parametrize("name", RASTERS)
def test_a_raster_has_one_opaque_renderer_in_a_pipe(out, name):
    root = style(out, name)
    [pipe] = root.findall("pipe")
    [renderer] = pipe.findall("rasterrenderer")
    assert (renderer.get("opacity"), renderer.get("alphaBand")) == ("1", "-1")
    assert int(renderer.get("band")) == 1
    assert {"brightnesscontrast", "huesaturation", "rasterresampler"} <= {e.tag for e in pipe}
    assert [e.tag for e in renderer][:2] == ["rasterTransparency", "minMaxOrigin"]
    assert renderer.find("minMaxOrigin/limits").text == "None"


def ramp_of(root):
    renderer = root.find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor"
    shader = renderer.find("rastershader/colorrampshader")
    values = [float(item.get("value")) for item in shader.findall("item")]
    assert shader.get("colorRampType") == "INTERPOLATED" and shader.get("clip") == "0"
    assert values == sorted(values) and len(set(values)) == len(values)
    for low, high in (("classificationMin", "classificationMax"), ("minimumValue", "maximumValue")):
        holder = renderer if low.startswith("class") else shader
        assert [values[0], values[-1]] == [float(holder.get(low)), float(holder.get(high))]
    for item in shader.findall("item"):
        assert item.get("alpha") == "255" and len(item.get("color")) == 7
    return renderer, shader, values


@pytest.mark.parametrize("k", [0, 1, 2])
def test_every_abundance_band_has_its_style(out, k):
    renderer, shader, values = ramp_of(style(out, f"abundances_{k + 1}"))
    assert int(renderer.get("band")) == k + 1
    assert (values[0], values[-1]) == (0, 1)
    assert shader.findall("item")[-1].get("label") == f"1 {NAMES[k]}"
    assert shader.find("rampLegendSettings").get("maximumLabel") == f"1 {NAMES[k]}"


def test_the_first_band_is_shown_when_the_layer_is_opened(out):
    for name in ("abundances", "features"):
        assert (out / f"{name}.qml").read_bytes() == (out / f"{name}_1.qml").read_bytes()


def test_limits_are_the_data_s(out):
    residual = mineral_scene().residual.values[..., 0]
    assert ramp_of(style(out, "residual"))[2][-1] == pytest.approx(np.percentile(residual, 99))
    _, shader, values = ramp_of(style(out, "features_2"))
    assert (values[0], values[-1]) == (2155, 2226)
    assert shader.findall("item")[0].get("label") == "2155 nm"


def test_classes_are_paletted_with_their_names(out):
    renderer = style(out, "classes").find("pipe/rasterrenderer")
    entries = renderer.findall("colorPalette/paletteEntry")
    assert renderer.get("type") == "paletted"
    assert [e.get("label") for e in entries] == [*NAMES, "mixed or unsure"]
    assert [int(e.get("value")) for e in entries] == [1, 2, 3, 4]


def test_anomalies_are_categorised_by_material(out):
    root = style(out, "anomalies")
    renderer = root.find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "material")
    categories = renderer.findall("categories/category")
    assert [c.get("value") for c in categories] == list(NAMES)
    symbols = {s.get("name"): s for s in renderer.findall("symbols/symbol")}
    for category in categories:
        symbol = symbols[category.get("symbol")]
        layer = symbol.find("layer")
        assert symbol.get("type") == "fill" and layer.get("class") == "SimpleFill"
        options = {o.get("name"): o.get("value") for o in layer.find("Option")}
        assert len(options["color"].split(",")) == 4
    assert root.find("layerGeometryType").text == "2"


def test_a_constant_band_has_a_ramp_still():
    _, _, values = ramp_of(pseudocolour(1, "flat", 0.3, 0.3, "magma"))
    assert values[-1] > values[0]


@pytest.mark.parametrize("name", ["]]><x>", "&amp;", '"><script>', "a\tb", "高岭石 \U0001f600"])
def test_names_stay_names(tmp_path, name):
    for i, made in enumerate(
        (pseudocolour(1, name, 0, 1, "viridis"), paletted([(1, name, "#000000")]),
         categorised("material", [(1, name, "#123456")]))
    ):  # fmt: skip
        write_style(made, tmp_path / f"{i}.qml")
        root = ET.fromstring((tmp_path / f"{i}.qml").read_text(encoding="utf-8"))
        texts = [v for e in root.iter() for v in e.attrib.values()]
        assert any(name in v for v in texts)
        assert not root.findall(".//script") and not root.findall(".//x")
