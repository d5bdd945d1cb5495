"""The dominant material of every pixel as a paletted map, and its confidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from unmix.blocks import remembered
from unmix.geology.dominant import Dominant, dominant
from unmix.output.rasters import georeferencing, write_tiff
from unmix.plot.style import member_colour, rgb_of
from unmix.types import Unmixing

__all__ = ["MIXED", "MIXED_COLOUR", "class_entries", "classes_of", "write_classes"]

MIXED, MIXED_COLOUR = "mixed or unsure", "#B9BEC4"


def class_entries(names: Sequence[str]) -> list[tuple[int, str, str]]:
    """Code, name and colour of each class: the members, then what is mixed.

    >>> class_entries(["clay"])
    [(1, 'clay', '#0072B2'), (2, 'mixed or unsure', '#B9BEC4')]
    """
    members = [(k + 1, name, member_colour(k)) for k, name in enumerate(names)]
    return [*members, (len(members) + 1, MIXED, MIXED_COLOUR)]


@remembered
def classes_of(result: Unmixing) -> Dominant:
    """Dominant materials of a result, by the uncertainty that it has."""
    sd = None if result.uncertainty is None else result.uncertainty.values[..., 0]
    return dominant(result.abundances.values, sd)


def write_classes(result: Unmixing, found: Dominant, folder: Path) -> None:
    """`classes.tif` (bytes with colours and names, 0 no data) and `confidence.tif` (0 to 1)."""
    where = georeferencing(result.abundances)
    entries = class_entries(result.endmembers.names)
    palette = {0: (0, 0, 0, 0)}
    for code, _, colour in entries:
        red, green, blue = (round(255 * v) for v in rgb_of(colour))
        palette[code] = (red, green, blue, 255)
    tags = {f"class_{code}": name for code, name, _ in entries}
    write_tiff(
        folder / "classes.tif", found.code[None], ["dominant material"], *where,
        palette=palette, tags=tags,
    )  # fmt: skip
    _write_names(folder / "classes.tif.aux.xml", ["no data", *(name for _, name, _ in entries)])
    write_tiff(
        folder / "confidence.tif", np.asarray(found.confidence, np.float32)[None],
        ["least probability of the dominant material"], *where,
    )  # fmt: skip


def _write_names(path: Path, names: Sequence[str]) -> None:
    """Category names beside a raster, where GDAL looks for them."""
    root = ET.Element("PAMDataset")
    listed = ET.SubElement(ET.SubElement(root, "PAMRasterBand", band="1"), "CategoryNames")
    for name in names:
        ET.SubElement(listed, "Category").text = name
    ET.indent(root)
    path.write_bytes(ET.tostring(root, encoding="utf-8") + b"\n")
