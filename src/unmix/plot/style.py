"""Colours, axes and small pieces that every figure shares."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.types import Unmixing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

INK, MUTED, GRID, SHADE, MASKED = "#1d2329", "#68717a", "#e2e5e9", "#f0f2f4", "#d5d9dd"
ABUNDANCE, RESIDUAL = "viridis", "magma"
# Okabe and Ito's colours for all kinds of colour vision, without black and yellow, then four more.
COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"),
    *("#8F6BC4", "#8C9A1F", "#B0405A", "#80664D"),
)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


def member_colour(i: int) -> str:
    """Colour of endmember `i`; from the eleventh on, a lighter or darker round of the first ten.

    >>> member_colour(0), member_colour(10) != member_colour(0)
    ('#0072B2', True)
    """
    turn, base = divmod(i, len(COLOURS))
    if not turn:
        return COLOURS[base]
    rgb = np.array(rgb_of(COLOURS[base]))
    toward, part = ((1.0, 0.4), (0.0, 0.35), (1.0, 0.65), (0.0, 0.6))[(turn - 1) % 4]
    mixed = np.rint((rgb + (toward - rgb) * part) * 255).astype(int)
    return "#{:02X}{:02X}{:02X}".format(*mixed.tolist())


def rgb_of(colour: str) -> tuple[float, float, float]:
    """Red, green and blue, 0 to 1, of a colour such as #0072B2.

    >>> rgb_of("#FF0033")
    (1.0, 0.0, 0.2)
    """
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def shrink(values: NDArray[Any], limit: int) -> NDArray[np.float64]:
    """Mean over square blocks so that no side of (y, x, ...) exceeds `limit`; NaN is left out.

    >>> shrink(np.array([[1.0, 3.0, np.nan, np.nan]]), 2)
    array([[ 2., nan]])
    """
    step = math.ceil(max(values.shape[:2]) / limit)
    if step <= 1:
        return np.asarray(values, dtype=np.float64)
    height, width = (-(-n // step) for n in values.shape[:2])
    out = np.empty((height, width, *values.shape[2:]))
    for i in range(height):
        out[i] = _columns_mean(np.asarray(values[i * step : (i + 1) * step]), step)
    return out


def _columns_mean(rows: NDArray[Any], step: int) -> NDArray[np.float64]:
    """Mean over all of few rows and over each so many columns; NaN is left out."""
    good = np.isfinite(rows)
    total = np.where(good, rows, 0).sum(axis=0, dtype=np.float64)
    count = good.sum(axis=0)
    columns = np.arange(0, rows.shape[1], step)
    total, count = np.add.reduceat(total, columns), np.add.reduceat(count, columns)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def save_png(figure: Figure, path: str | Path, dpi: int = 110) -> None:
    """Write a PNG; the same figure gives the same bytes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(path, dpi=dpi, metadata={"Software": None}, format="png")


def short(text: str, room: float, size: float = 9) -> str:
    """`text` cut to about `room` inches, with an ellipsis before its last letters.

    >>> short("endmember 12", 0.8)
    'endme… 12'
    """
    characters = max(6, int(room * 72 / (0.65 * size)))
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    return text if len(text) <= characters else f"{text[: characters - 4]}…{text[-3:]}"


def colormap(name: str) -> Colormap:
    """A colormap that paints masked pixels grey."""
    import matplotlib

    return matplotlib.colormaps[name].with_extremes(bad=MASKED)


def inch_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at inches from the figure's top left corner."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))


def curve_axes(axes: Axes, xlabel: str, ylabel: str) -> Axes:
    """Quiet axes for curves."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=9, length=3)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel(xlabel, fontsize=9, color=MUTED, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=9, color=MUTED, parse_math=False)
    return axes


def title(axes: Axes, text: str, room: float, colour: str | None = None) -> None:
    """A title within `room` inches, after a square of the endmember's colour."""
    axes.set_title(
        ("    " if colour else "") + short(text, room - (0.2 if colour else 0)),
        fontsize=9,
        loc="left",
        color=INK,
        pad=4,
        parse_math=False,
    )
    if colour:
        box = {"facecolor": colour, "edgecolor": "none", "boxstyle": "square,pad=0.1"}
        axes.annotate(
            "  ",
            (0, 1),
            (2, 5),
            textcoords="offset points",
            xycoords="axes fraction",
            fontsize=6,
            bbox=box,
        )


def note(axes: Axes, text: str) -> None:
    """A word in place of what cannot be drawn."""
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=axes.transAxes)


def line_handle(i: int) -> Line2D:
    """Legend entry of line `i`."""
    from matplotlib.lines import Line2D

    dash = DASHES[i // len(COLOURS) % len(DASHES)]
    return Line2D([], [], color=member_colour(i), linestyle=dash, linewidth=1.5)


def name_legend(
    axes: Axes, handles: Sequence[Any], names: Sequence[str], room: float, **options: Any
) -> None:
    """Legend of `names` as they are, each within `room` inches."""
    options = {"loc": "upper left", "fontsize": 9, **options}
    legend = axes.legend(handles, ["."] * len(names), frameon=False, labelcolor=INK, **options)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=short(name, room), parse_math=False)


def section(result: Unmixing, name: str) -> dict[str, Any]:
    """A section of the provenance; empty when it is missing or something else."""
    value = result.provenance.get(name)
    return dict(value) if isinstance(value, dict) else {}


def floats(values: Any) -> NDArray[np.float64]:
    """A list of numbers with None or NaN in it; empty when it is none."""
    try:
        array = np.asarray([np.nan if v is None else v for v in values], dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)
    return array if array.ndim == 1 else np.empty(0)
