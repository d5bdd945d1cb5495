"""What the page shows of masks and of what lies under a cover."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unmix.plot import shrink
from unmix.plot.style import ABUNDANCE, section
from unmix.report.images import PIXELS, map_png, palette_png
from unmix.types import Unmixing

__all__ = ["land"]

COLOURS = {
    "vegetation": "#4b9b57",
    "water": "#3b78c2",
    "shade": "#4a4f57",
    "cloud": "#d9dde3",
    "snow": "#5fb0b7",
    "haze": "#b8b2a7",
    "left out": "#d9a441",
}
"""Of a reason by how it begins; no data is grey."""
GREY = "#8a8f98"


def land(result: Unmixing) -> dict[str, Any]:
    """`left_out` and `under_cover` (None where there is none), and what spreads are over."""
    regions = bool(result.provenance.get("regions"))
    over = "the pixels of each region" if regions else "fits from different starts"
    return {
        "left_out": _left_out(result),
        "under_cover": _under_cover(result),
        "spread_over": over,
    }


def _limit(shape: tuple[int, ...], maps: int) -> int:
    """Longest side of a map, so that the page stays small."""
    step = math.ceil(math.sqrt(max(1.0, shape[0] * shape[1] * maps / PIXELS)))
    return math.ceil(max(shape[:2]) / step)


def _left_out(result: Unmixing) -> dict[str, Any] | None:
    """Map and legend of the reasons for which pixels are left out."""
    pixels = section(result, "pixels")
    counts = dict(pixels.get("by") or {})
    names = [str(name) for name in counts]
    if result.left_out is None or not names:
        return None
    code = np.asarray(result.left_out.values)
    step = math.ceil(max(code.shape) / _limit(code.shape, 4))
    few = np.nan_to_num(code[::step, ::step].astype(float))
    colours = [next((c for k, c in COLOURS.items() if n.startswith(k)), GREY) for n in names]
    rows = [
        {"name": name, "colour": colour, "pixels": counts.get(name, 0),
         "share": counts.get(name, 0) / max(int(pixels.get("total") or 0), 1)}
        for name, colour in zip(names, colours, strict=True)
    ]  # fmt: skip
    return {"map": palette_png(np.where(few > 0, few - 1, len(names)), colours), "rows": rows}


def _under_cover(result: Unmixing) -> dict[str, Any] | None:
    """Maps of the shares among the members that are no cover."""
    about = section(result, "cover")
    if result.rest is None or not about:
        return None
    maps = np.asarray(result.rest.values)
    small = shrink(maps, _limit(maps.shape, 2 * maps.shape[2]))
    names = [str(name) for name in result.rest.coords["member"].values]
    return {
        "cover": ", ".join(str(name) for name in about.get("members", ())),
        "least": about.get("least"),
        "covered": about.get("covered"),
        "pixels": about.get("pixels"),
        "maps": [(name, map_png(small[..., k], ABUNDANCE)) for k, name in enumerate(names)],
    }
