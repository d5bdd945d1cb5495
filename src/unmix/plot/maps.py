"""Abundance maps on one scale, and the whole result at a glance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from unmix.plot.spectra import draw_spectra, legend_height
from unmix.plot.style import (
    ABUNDANCE,
    GRID,
    INK,
    MASKED,
    MUTED,
    colormap,
    inch_axes,
    member_colour,
    short,
    shrink,
    title,
)
from unmix.types import Unmixing

__all__ = ["abundance_maps", "overview", "show_map", "side_ratio"]

Place = tuple[float, float, float, float]
STRETCHED = 12.0  # beyond this ratio of the sides a map is stretched so that it can be seen


def abundance_maps(result: Unmixing) -> Figure:
    """One map an endmember, all on one scale from 0 to 1."""
    figure = Figure(figsize=(10.4, _maps_height(result, 10, view=False) + 0.2))
    _draw_maps(figure, result, 0.2, 0.0, 10, view=False)
    return figure


def overview(result: Unmixing) -> Figure:
    """The whole result at a glance: false-colour view, abundance maps, spectra."""
    maps = _maps_height(result, 10.6, view=True)
    legend = legend_height(len(result.endmembers))
    figure = Figure(figsize=(11, 0.55 + maps + 0.45 + 3.0 + legend + 0.1))
    method = result.provenance.get("method")
    label = str(method.get("label") or method.get("name") or "") if isinstance(method, dict) else ""
    rows, columns, n = result.abundances.shape
    facts = [label, f"{n} endmembers", f"{rows} × {columns} pixels"]
    text = " · ".join(short(f, 6, 11) for f in facts if f)
    figure.text(
        0.2 / 11, 1 - 0.32 / figure.get_figheight(), text, fontsize=11, color=INK, parse_math=False
    )
    end = _draw_maps(figure, result, 0.2, 0.55, 10.6, view=True)
    draw_spectra(figure, result.endmembers, 0.2, end + 0.35, 10.6, 2.45)
    return figure


def _draw_maps(
    figure: Figure, result: Unmixing, left: float, top: float, width: float, view: bool
) -> float:
    """Abundance maps, the false-colour view first if wanted; returns where they end."""
    values = shrink(np.asarray(result.abundances.values), 400)
    n, first = values.shape[2], int(view and result.rgb is not None)
    goal = 4.5 if n < 12 else 7.5
    places, height = _grid(n + first, side_ratio(result.abundances.shape), width, goal)
    for i, (x, y, w, h) in enumerate(places):
        axes = inch_axes(figure, left + x, top + y, w, h)
        if i < first:
            assert result.rgb is not None
            show_map(axes, _opaque(shrink(result.rgb, 400)))
            title(axes, "false colour", max(w, 1.1))
        else:
            k = i - first
            show_map(axes, values[..., k], cmap=colormap(ABUNDANCE), vmin=0, vmax=1)
            title(axes, result.endmembers.names[k], max(w, 1.1), member_colour(k))
    masked = bool(np.isnan(values).any())
    _scale_bar(figure, left, top + height + 0.22, masked)
    return top + height + 0.6


def _maps_height(result: Unmixing, width: float, view: bool) -> float:
    n = len(result.endmembers) + int(view and result.rgb is not None)
    goal = 4.5 if len(result.endmembers) < 12 else 7.5
    return _grid(n, side_ratio(result.abundances.shape), width, goal)[1] + 0.6


def _grid(n: int, ratio: float, width: float, goal: float) -> tuple[list[Place], float]:
    """Places (left, top, width, height) of `n` maps of height/width `ratio`; the total height."""
    gap, head = 0.15, 0.28
    best: tuple[float, list[Place], float] | None = None
    for columns in range(1, n + 1):
        slot = (width - gap * (columns - 1)) / columns
        w = min(slot, 5.0, 4.5 / ratio)
        slot = min(slot, max(w, 1.1))
        rows, pitch = math.ceil(n / columns), w * ratio + head + gap
        empty = (width - columns * (slot + gap)) / width + (rows * columns - n) / n
        score = abs(math.log(rows * pitch / goal)) + 0.6 * empty
        corners = [(i % columns * (slot + gap), i // columns * pitch + head) for i in range(n)]
        places = [(x, y, w, w * ratio) for x, y in corners]
        if best is None or score < best[0]:
            best = (score, places, rows * pitch)
    assert best is not None
    return best[1], best[2]


def side_ratio(shape: Sequence[int]) -> float:
    """Height over width at which a scene is drawn: its own, unless it is a mere sliver."""
    return float(np.clip(shape[0] / shape[1], 1 / STRETCHED, STRETCHED))


def show_map(axes: Axes, image: NDArray[Any], **options: Any) -> Any:
    """`imshow` that fills `axes` and has no ticks."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=GRID, linewidth=0.6)
    return axes.imshow(image, aspect="auto", interpolation="nearest", **options)


def _opaque(rgb: NDArray[Any]) -> NDArray[Any]:
    """Masked pixels painted in the grey of masked pixels."""
    return np.where(np.isfinite(rgb), rgb, matplotlib.colors.to_rgb(MASKED)).clip(0, 1)


def _scale_bar(figure: Figure, left: float, top: float, masked: bool) -> None:
    """The colourbar that all abundance maps share, and what grey means."""
    axes = inch_axes(figure, left, top, 2.6, 0.11)
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), colormap(ABUNDANCE)), axes, orientation="horizontal"
    )
    bar.outline.set_visible(False)
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "0.25", "0.5", "0.75", "1"])
    axes.tick_params(labelsize=8, colors=MUTED, labelcolor=INK, length=2)
    axes.set_title("abundance", fontsize=8, loc="left", color=MUTED, pad=3)
    if masked:
        axes.legend(
            [Patch(facecolor=MASKED)],
            ["masked"],
            loc="center left",
            bbox_to_anchor=(1.06, 0.5),
            frameon=False,
            fontsize=8,
            handlelength=1,
            labelcolor=INK,
        )
