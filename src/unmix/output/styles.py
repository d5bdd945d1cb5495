"""QGIS layer styles (.qml): of one band by a colour ramp, of classes, of polygons by an attribute.

The elements and attributes are those that QGIS 3 writes itself; a style lies beside its layer under
the layer's name, so that QGIS takes it when the layer is opened.

References
----------
QGIS: qgssinglebandpseudocolorrenderer.cpp, qgspalettedrasterrenderer.cpp,
qgscategorizedsymbolrenderer.cpp (readXML, writeXml).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib
from matplotlib.colors import to_hex, to_rgb

__all__ = ["Entry", "categorised", "paletted", "pseudocolour", "write_style"]

Entry = tuple[int, str, str]
"""Code, name and colour ("#rrggbb") of a class."""

VERSION = "3.28.0-Firenze"
_STOPS = 9
_ORIGIN = {
    "limits": "None", "extent": "WholeRaster", "statAccuracy": "Estimated",
    "cumulativeCutLower": "0.02", "cumulativeCutUpper": "0.98", "stdDevFactor": "2",
}  # fmt: skip


def pseudocolour(
    band: int, name: str, low: float, high: float, ramp: str, unit: str = ""
) -> ET.Element:
    """Style of one band: values from `low` to `high` by a colour map of matplotlib's.

    Parameters
    ----------
    band : int
        Counted from 1.
    name : str
        What the band shows; stands in the legend.
    unit : str
        Follows the numbers of the legend.

    >>> style = pseudocolour(2, "clay", 0, 1, "viridis")
    >>> shader = style.find("pipe/rasterrenderer/rastershader/colorrampshader")
    >>> [item.get("value") for item in shader.iter("item")][:2], shader.get("colorRampType")
    (['0', '0.125'], 'INTERPOLATED')
    """
    high = high if high > low else low + 1.0
    parts = [i / (_STOPS - 1) for i in range(_STOPS)]
    colours = [to_hex(matplotlib.colormaps[ramp](part)) for part in parts]
    style, renderer = _raster("singlebandpseudocolor", band)
    renderer.attrib |= {"classificationMin": _text(low), "classificationMax": _text(high)}
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"), "colorrampshader",
        colorRampType="INTERPOLATED", classificationMode="1", clip="0", labelPrecision="4",
        minimumValue=_text(low), maximumValue=_text(high),
    )  # fmt: skip
    _gradient(shader, parts, colours)
    for part, colour in zip(parts, colours, strict=True):
        value = low + part * (high - low)
        label = f"{value:.4g}{unit}" + (f" {name}" if part == 1 else "")
        ET.SubElement(shader, "item", value=_text(value), color=colour, alpha="255", label=label)
    ET.SubElement(
        shader, "rampLegendSettings", minimumLabel=f"{low:.4g}{unit}",
        maximumLabel=f"{high:.4g}{unit} {name}", prefix="", suffix="", direction="0",
        orientation="2", useContinuousLegend="1",
    )  # fmt: skip
    return style


def paletted(entries: Sequence[Entry]) -> ET.Element:
    """Style of a band of classes.

    >>> style = paletted([(1, "a & b", "#FF0000")])
    >>> style.find("pipe/rasterrenderer/colorPalette/paletteEntry").get("label")
    'a & b'
    """
    style, renderer = _raster("paletted", 1)
    palette = ET.SubElement(renderer, "colorPalette")
    for code, name, colour in entries:
        ET.SubElement(
            palette, "paletteEntry", value=str(code), color=colour.lower(), alpha="255", label=name
        )
    return style


def categorised(attribute: str, entries: Sequence[Entry]) -> ET.Element:
    """Style of polygons coloured by an attribute, half transparent with a solid outline.

    >>> style = categorised("material", [(1, "clay", "#FF0000")])
    >>> [c.get("value") for c in style.iter("category")], len(list(style.iter("symbol")))
    (['clay'], 1)
    """
    style = ET.Element("qgis", version=VERSION, styleCategories="Symbology")
    renderer = ET.SubElement(
        style, "renderer-v2", type="categorizedSymbol", attr=attribute, forceraster="0",
        symbollevels="0", enableorderby="0", referencescale="-1",
    )  # fmt: skip
    categories, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    for i, (_, name, colour) in enumerate(entries):
        ET.SubElement(
            categories, "category", type="string", value=name, label=name, symbol=str(i),
            render="true",
        )  # fmt: skip
        symbol = ET.SubElement(
            symbols, "symbol", name=str(i), type="fill", alpha="1", clip_to_extent="1",
            force_rhr="0",
        )  # fmt: skip
        layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill"}, enabled="1", locked="0")
        layer.set("pass", "0")
        _options(layer, {
            "color": _rgba(colour, 110), "style": "solid", "joinstyle": "bevel",
            "outline_color": _rgba(colour, 255), "outline_style": "solid",
            "outline_width": "0.4", "outline_width_unit": "MM",
        })  # fmt: skip
    for name, value in (("blendMode", "0"), ("featureBlendMode", "0"), ("layerGeometryType", "2")):
        ET.SubElement(style, name).text = value
    return style


def write_style(style: ET.Element, path: Path) -> None:
    """Write a style with the document type that QGIS expects."""
    ET.indent(style)
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    path.write_text(head + ET.tostring(style, encoding="unicode") + "\n", encoding="utf-8")


def _raster(kind: str, band: int) -> tuple[ET.Element, ET.Element]:
    """A raster's style and its renderer, which is still to be filled."""
    style = ET.Element("qgis", version=VERSION, styleCategories="Symbology")
    pipe = ET.SubElement(style, "pipe")
    nearest = "nearestNeighbour"
    ET.SubElement(
        ET.SubElement(pipe, "provider"), "resampling", enabled="false", maxOversampling="2",
        zoomedInResamplingMethod=nearest, zoomedOutResamplingMethod=nearest,
    )  # fmt: skip
    renderer = ET.SubElement(
        pipe, "rasterrenderer", type=kind, band=str(band), opacity="1", alphaBand="-1",
        nodataColor="",
    )  # fmt: skip
    ET.SubElement(renderer, "rasterTransparency")
    origin = ET.SubElement(renderer, "minMaxOrigin")
    for name, value in _ORIGIN.items():
        ET.SubElement(origin, name).text = value
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(
        pipe, "huesaturation", saturation="0", grayscaleMode="0", invertColors="0",
        colorizeOn="0", colorizeRed="255", colorizeGreen="128", colorizeBlue="128",
        colorizeStrength="100",
    )  # fmt: skip
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(pipe, "resamplingStage").text = "resamplingFilter"
    ET.SubElement(style, "blendMode").text = "0"
    return style, renderer


def _gradient(shader: ET.Element, parts: Sequence[float], colours: Sequence[str]) -> None:
    """The ramp by which QGIS classifies again when limits are changed."""
    ramp = ET.SubElement(shader, "colorramp", type="gradient", name="[source]")
    inner = zip(parts[1:-1], colours[1:-1], strict=True)
    _options(ramp, {
        "color1": _rgba(colours[0], 255), "color2": _rgba(colours[-1], 255), "discrete": "0",
        "rampType": "gradient",
        "stops": ":".join(f"{part:g};{_rgba(colour, 255)}" for part, colour in inner),
    })  # fmt: skip


def _options(parent: ET.Element, values: dict[str, str]) -> None:
    listed = ET.SubElement(parent, "Option", type="Map")
    for name, value in values.items():
        ET.SubElement(listed, "Option", type="QString", name=name, value=value)


def _rgba(colour: str, alpha: int) -> str:
    """A colour as QGIS writes it: red,green,blue,alpha.

    >>> _rgba("#FF0080", 255)
    '255,0,128,255'
    """
    return ",".join(str(round(255 * v)) for v in to_rgb(colour)) + f",{alpha}"


def _text(value: float) -> str:
    return f"{value:.9g}"
