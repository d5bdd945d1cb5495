"""Pictures inside the page: maps as PNG, one byte a pixel, and curves as SVG."""

from __future__ import annotations

import base64
import io
import math
import re
import warnings
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from unmix.output.rasters import georeferencing, to_rgba
from unmix.plot import member_colour, shrink
from unmix.plot.maps import side_ratio
from unmix.plot.style import ABUNDANCE, GRID, INK, MASKED, MUTED, RESIDUAL, SHADE
from unmix.report.sure import largest_sd
from unmix.summary import fit_of, highest_shown, summary_of
from unmix.types import Unmixing

LEVELS = 255  # colours of a map; one more means masked
PIXELS = 1_600_000  # in all maps together, so that the page stays small enough to send


def pictures(result: Unmixing) -> dict[str, Any]:
    """Maps as data addresses with what it takes to show them."""
    maps = np.asarray(result.abundances.values)
    rows, columns, members = maps.shape
    step = math.ceil(math.sqrt(max(1.0, rows * columns * (members + 6) / PIXELS)))
    limit = math.ceil(max(rows, columns) / step)
    small = shrink(maps, limit)
    rmse = np.asarray(result.residual.values[..., 0])
    top = fit_of(result).shown
    sd = largest_sd(result)
    sd_top = 1.0 if sd is None else highest_shown(sd)
    _, transform = georeferencing(result.abundances)
    return {
        "view": None if result.rgb is None else rgba_png(shrink(result.rgb, limit)),
        "maps": [map_png(small[..., k], ABUNDANCE) for k in range(members)],
        "dominant": _dominant_png(small),
        "residual": map_png(shrink(rmse, limit) / top, RESIDUAL),
        "residual_top": top,
        "sd": None if sd is None else map_png(shrink(sd, limit) / sd_top, RESIDUAL),
        "sd_top": sd_top,
        "masked": summary_of(result).valid < rows * columns,
        "aspect": 1 / side_ratio(maps.shape),
        "stretched": not math.isclose(side_ratio(maps.shape), rows / columns),
        "step": math.ceil(max(rows, columns) / limit),
        "ramp": ramp(ABUNDANCE),
        "residual_ramp": ramp(RESIDUAL),
        "colours": "".join(c[1:] for c in _colours(ABUNDANCE, LEVELS)),
        "transform": " ".join(repr(float(v)) for v in transform.to_gdal()) if transform else "",
    }


def _colours(name: str, n: int) -> list[str]:
    table = matplotlib.colormaps[name](np.linspace(0, 1, n))
    return [matplotlib.colors.to_hex(tuple(c)) for c in table.tolist()]


def ramp(name: str) -> str:
    """The colormap as a CSS gradient."""
    return f"linear-gradient(90deg, {', '.join(_colours(name, 17))})"


def map_png(values: NDArray[Any], name: str) -> str:
    """Values 0..1 as a palette image, transparent where NaN."""
    good = np.isfinite(values)
    index = np.rint(np.where(good, np.clip(values, 0, 1), 0) * (LEVELS - 1))
    return palette_png(np.where(good, index, LEVELS), _colours(name, LEVELS))


def _dominant_png(maps: NDArray[Any]) -> str:
    """The endmember with the largest abundance in each pixel, in its colour."""
    good, members = np.isfinite(maps).all(axis=-1), maps.shape[-1]
    largest = np.argmax(np.where(good[..., None], maps, 0), axis=-1)
    colours = [member_colour(k) for k in range(members)]
    return palette_png(np.where(good, largest, members), colours)


def palette_png(index: NDArray[Any], colours: list[str]) -> str:
    """Palette image; the index after the last colour is transparent."""
    image = Image.fromarray(index.astype(np.uint8))
    image.putpalette([round(255 * v) for c in [*colours, MASKED] for v in to_rgb(c)])
    return _data(image, transparency=len(colours))


def rgba_png(rgb: NDArray[np.floating]) -> str:
    """Colours 0..1 (y, x, 3) as an image, transparent where NaN."""
    return _data(Image.fromarray(np.ascontiguousarray(np.moveaxis(to_rgba(rgb), 0, -1))))


def _data(image: Image.Image, **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def svg(figure: Figure | None) -> Markup | None:
    """A figure as inline SVG: text stays text, and the page's theme sets the neutral colours."""
    if figure is None:
        return None
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "unmix"}):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'^<svg ([^>]*?)height="[^"]*"', r"<svg \1", text)
    text = re.sub(r'^<svg ([^>]*?)width="[^"]*"', r"<svg \1", text)
    for colour, name in ((INK, "ink"), (MUTED, "muted"), (GRID, "grid"), (SHADE, "shade")):
        text = text.replace(f": {colour}", f": var(--{name})")
    return Markup(text)
