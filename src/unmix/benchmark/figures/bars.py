"""Scores as horizontal bars: a row a method, a panel a mixing model or scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from unmix.benchmark import published
from unmix.benchmark.beside import published_grid
from unmix.benchmark.figures.common import (
    WIDTH,
    Facets,
    Picture,
    colour,
    facets,
    file_name,
    heading,
    labels,
    shown,
    tint,
)
from unmix.benchmark.layout import TITLES
from unmix.benchmark.results import Entry, Results, Stat
from unmix.plot.style import GRID, INK, MUTED, curve_axes, inch_axes, short

__all__ = ["score_bars"]

DRAWN = {
    "simulated": ("abundance_rmse", "abundance_sad_rad", "abundance_sid"),
    "transfer-crop": ("abundance_rmse",),
    "transfer-full": ("abundance_rmse",),
    "grid": ("abundance_rmse",),
    "blind": ("abundance_rmse", "endmember_sad_rad"),
    "known": ("abundance_rmse",),
}
NUMBERS = {"abundance_rmse": "12", "abundance_sad_rad": "13", "abundance_sid": "14"}
LABEL = 1.55  # inches for the methods' names
THIN = (0.085, 0.13)  # a bar's height in inches, in figures with many bars and with few


def score_bars(results: Results, part: str) -> Iterator[Picture]:
    """A figure a metric."""
    entries, layout = shown(results, part), facets(results, part)
    for metric in DRAWN.get(part, ("abundance_rmse",)):
        if not any(metric in r.values for r in results.runs if r.part == part):
            continue
        named = TITLES[metric].title
        number = f"Figure {NUMBERS[metric]}. " if part == "simulated" else ""
        yield Picture(
            file_name("bars", part, metric),
            f"{number}{named} in bars",
            _caption(results, part, layout, metric),
            _figure(results, part, entries, layout, metric),
        )


def _caption(results: Results, part: str, layout: Facets, metric: str) -> str:
    seeds = len({r.seed for r in results.runs if r.part == part})
    words = ["Lower is better."]
    if len(layout.series) > 1:
        kind = "SNR" if layout.series[0].endswith("dB") else "scale mode"
        words.append(f"Pale to full: {kind} {', '.join(_bare(s) for s in layout.series)}.")
    words.append(f"Whiskers: standard deviation over {seeds} seeds." if seeds > 1 else "One seed.")
    if part == "grid":
        words.append(
            f"Diamond: published. Upright mark: {published.BAR:g} times that, the bar to meet."
        )
    if _lowest(results, part, layout, 0, metric) is not None or part == "blind":
        words.append("Dotted line: lowest published figure, under its authors’ own protocol.")
    return " ".join(words)


def _bare(series: str) -> str:
    return series.removeprefix("scale ")


def _figure(
    results: Results, part: str, entries: list[Entry], layout: Facets, metric: str
) -> Figure:
    n, panels = len(layout.series), len(layout.panels)
    pitch = max(n * float(np.clip(3 / (n * len(entries)), *THIN)) + 0.09, 0.22)
    height = pitch * len(entries) + 0.1
    legend = 0.34 if n > 1 or part == "grid" else 0.05
    figure = Figure(figsize=(WIDTH, legend + 0.3 + height + 0.55))
    width = (WIDTH - LABEL - 0.15) / panels
    top = _limit(results, part, entries, layout, metric)
    _legend(figure, layout, part)
    for p, name in enumerate(layout.panels):
        left = LABEL + p * width
        axes = inch_axes(figure, left, legend + 0.3, width - 0.3, height)
        curve_axes(axes, TITLES[metric].title, "")
        axes.grid(False, axis="y")
        axes.set(xlim=(0, top), ylim=(pitch * len(entries) + 0.05, -0.05))
        axes.xaxis.set_major_locator(MaxNLocator(max(2, int(width * 1.9)), steps=[1, 2, 5, 10]))
        _rows(axes, results, part, entries, layout, metric, p, (pitch, top))
        axes.set_yticks([(i + 0.5) * pitch for i in range(len(entries))])
        names = labels(results, part, entries) if p == 0 else [""] * len(entries)
        axes.set_yticklabels([short(t, LABEL - 0.1, 9) for t in names], parse_math=False)
        axes.tick_params(axis="y", length=0)
        heading(figure, left, legend + 0.24, name, width, 9.5)
        line = _lowest(results, part, layout, p, metric)
        if line is not None and line < top:
            axes.axvline(line, color=INK, linewidth=1, linestyle=(0, (1, 1.5)))
    return figure


def _rows(
    axes: Axes,
    results: Results,
    part: str,
    entries: list[Entry],
    layout: Facets,
    metric: str,
    panel: int,
    size: tuple[float, float],
) -> None:
    """All bars of a panel."""
    pitch, top = size
    n = len(layout.series)
    bar = (pitch - 0.09) / n
    for i, entry in enumerate(entries):
        if i % 2:
            axes.axhspan(i * pitch, (i + 1) * pitch, color="#f6f7f8", linewidth=0, zorder=0)
        for s in range(n):
            found = layout.at(panel, s, entry)
            if found is None:
                continue
            y = i * pitch + 0.045 + (s + 0.5) * bar
            hue = colour(results, entry)
            stat = results.stat(part, *found, metric)
            _bar(axes, stat, y, bar, (tint(hue, s, n), hue), top)
            theirs = _grid_mark(results, part, found, metric)
            if theirs is not None and theirs < top:
                _mark(axes, theirs, y, bar, top)


def _bar(
    axes: Axes, stat: Stat | None, y: float, height: float, hues: tuple[str, str], top: float
) -> None:
    """A bar with its whisker; a word where the runs failed; a number where it leaves the axes."""
    if stat is None:
        return
    if stat.mean is None:
        if stat.failed:
            axes.text(0.01 * top, y, "failed", fontsize=6.5, color="#b4540a", va="center")
        return
    axes.barh(
        y, min(stat.mean, top), height * 0.92, color=hues[0], edgecolor=hues[1], linewidth=0.4
    )
    if stat.mean > top:
        text = f"{stat.mean:.3g} ›"
        axes.text(
            0.985 * top, y, text, fontsize=6.5, color=INK, va="center", ha="right",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
        )  # fmt: skip
        return
    ends = [max(stat.mean - (stat.std or 0), 0), min(stat.mean + (stat.std or 0), top)]
    if stat.std:
        axes.plot(ends, [y, y], color=INK, linewidth=0.8, solid_capstyle="butt")
    if stat.failed:
        text = f"{stat.failed} failed"
        axes.text(ends[1] + 0.015 * top, y, text, fontsize=6.5, color="#b4540a", va="center")


def _mark(axes: Axes, value: float, y: float, height: float, top: float) -> None:
    """The published figure, and the bar to meet."""
    axes.plot(
        value, y, "D", markersize=3.2, color="white", markeredgecolor=INK, markeredgewidth=0.8
    )
    limit = value * published.BAR
    if limit < top:
        ends = [y - 0.46 * height, y + 0.46 * height]
        axes.plot([limit, limit], ends, color="#b4540a", linewidth=1.6, solid_capstyle="butt")


def _grid_mark(results: Results, part: str, found: Any, metric: str) -> float | None:
    if part != "grid" or metric != "abundance_rmse":
        return None
    place, entry = found
    return published_grid(entry.method, results.label(part, entry.method), place.scene)


def _lowest(results: Results, part: str, layout: Facets, panel: int, metric: str) -> float | None:
    """The lowest figure printed by others for the scene of a panel."""
    found = layout.where.get((panel, 0))
    if part != "blind" or found is None:
        return None
    which = 0 if metric == "abundance_rmse" else 1
    pairs = [
        pair[which]
        for source, pair in published.real_rows(found[0].scene).values()
        if source is not published.MEASURED_SOURCE
    ]
    return min((v.low for v in pairs if v is not None and not v.at_least), default=None)


def _limit(results: Results, part: str, entries: list[Entry], layout: Facets, metric: str) -> float:
    """End of the axis: the largest value, unless a few lie far beyond all others."""
    values = []
    for entry in entries:
        for panel, series in layout.where:
            found = layout.at(panel, series, entry)
            stat = results.stat(part, *found, metric) if found else None
            if stat and stat.mean is not None:
                values.append(stat.mean + (stat.std or 0.0))
    if not values or max(values) <= 0:
        return 1.0
    usual = 3 * float(np.percentile(values, 75))
    clipped = max(values) > usual > 0
    return 1.05 * (usual if clipped else max(values))


def _legend(figure: Figure, layout: Facets, part: str) -> None:
    """What pale and full mean, above the panels."""
    n = len(layout.series)
    handles: list[Any] = []
    names: list[str] = []
    if n > 1:
        handles = [
            Patch(facecolor=tint("#4d565e", s, n), edgecolor="#4d565e", linewidth=0.4)
            for s in range(n)
        ]
        names = list(layout.series)
    if part == "grid":
        handles += [
            Line2D([], [], marker="D", linestyle="", color="white", mec=INK, markersize=4.5),
            Line2D([], [], marker="|", linestyle="", color="#b4540a", markersize=8, mew=1.8),
        ]
        names += ["published", f"{published.BAR:g} × published"]
    if handles:
        height = figure.get_figheight()
        figure.legend(
            handles, names, loc="upper left", bbox_to_anchor=(LABEL / WIDTH, 1 - 0.06 / height),
            ncols=len(names), frameon=False, fontsize=8.5, labelcolor=MUTED, borderaxespad=0,
            handlelength=1.3, columnspacing=1.6, borderpad=0.2, edgecolor=GRID,
        )  # fmt: skip
