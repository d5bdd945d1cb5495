"""Box plots of the absolute abundance errors: a row a method, a panel a scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unmix.benchmark.figures.common import (
    WIDTH,
    Picture,
    colour,
    file_name,
    heading,
    labels,
    shown,
    tint,
)
from unmix.benchmark.layout import Column, columns
from unmix.benchmark.results import Entry, Results
from unmix.plot.style import INK, curve_axes, inch_axes, short

__all__ = ["error_boxes"]

FLOOR = 1e-4
LABEL = 1.55


def error_boxes(results: Results, part: str) -> Iterator[Picture]:
    """One figure with every scene of the part whose arrays were kept."""
    entries = shown(results, part)
    found = [
        (column, stats)
        for column in columns(results, part)
        if any(stats := [_box(results, part, column, entry) for entry in entries])
    ]
    if not found:
        return
    modes = {e.scale for e in entries}
    scale = f" Scale {modes.pop()}." if len(modes) == 1 else ""
    yield Picture(
        file_name("errors", part),
        "Absolute abundance errors" + (" (Figures 16–23)" if part.startswith("transfer") else ""),
        "Over all pixels and members, first seed: quartiles and median, whiskers from the 5th to "
        f"the 95th percentile; logarithmic, what is below {FLOOR:g} is drawn there.{scale}",
        _figure(results, part, entries, found),
    )


def _box(results: Results, part: str, column: Column, entry: Entry) -> dict[str, Any] | None:
    """Percentiles of the absolute error; None where the arrays are missing."""
    truth = results.truth(column.place.scene)
    kept = results.kept(part, column.place, entry)
    if not truth or not kept or "A" not in kept or kept["A"].shape != truth["A"].shape:
        return None
    error = np.abs(kept["A"].astype(np.float64) - truth["A"])
    error = error[np.isfinite(error)]
    if not error.size:
        return None
    keys = ("whislo", "q1", "med", "q3", "whishi")
    values = np.maximum(np.percentile(error, [5, 25, 50, 75, 95]), FLOOR).tolist()
    return {**dict(zip(keys, values, strict=True)), "fliers": []}


def _figure(
    results: Results,
    part: str,
    entries: list[Entry],
    found: list[tuple[Column, list[dict[str, Any] | None]]],
) -> Figure:
    widest = max(sum(c.group == g for c, _ in found) for g in {c.group for c, _ in found})
    across = min(widest if widest > 1 else len(found), 3)
    slots = _slots([c for c, _ in found], across, apart=widest > 1)
    height = 0.19 * len(entries) + 0.1
    rows = max(r for r, _ in slots) + 1
    figure = Figure(figsize=(WIDTH, rows * (height + 0.62) + 0.2))
    width = (WIDTH - LABEL - 0.15) / across
    for (column, stats), (r, c) in zip(found, slots, strict=True):
        last = (r + 1, c) not in slots
        left, top = LABEL + c * width, 0.3 + r * (height + 0.62)
        axes = inch_axes(figure, left, top, width - 0.3, height)
        curve_axes(axes, "absolute error" if last else "", "")
        axes.grid(False, axis="y")
        _draw(axes, results, entries, stats)
        names = labels(results, part, entries) if c == 0 else [""] * len(entries)
        axes.set_yticks(range(len(entries)))
        axes.set_yticklabels([short(n, LABEL - 0.1) for n in names], parse_math=False)
        axes.tick_params(axis="y", length=0)
        heading(figure, left, top - 0.05, _title(results, part, column), width, 9.5)
    return figure


def _slots(found: list[Column], across: int, apart: bool) -> list[tuple[int, int]]:
    """Row and column of each panel; with `apart`, each mixing model starts a row."""
    slots: list[tuple[int, int]] = []
    r, c, before = 0, 0, ""
    for column in found:
        if slots and (c == across or (apart and column.group != before and c > 0)):
            r, c = r + 1, 0
        slots.append((r, c))
        c, before = c + 1, column.group
    return slots


def _title(results: Results, part: str, column: Column) -> str:
    named = f"{column.group}, {column.text}" if column.group else column.text
    return f"trained on {named}" if column.place.trained_on else named


def _draw(
    axes: Axes, results: Results, entries: list[Entry], stats: list[dict[str, Any] | None]
) -> None:
    for i, (entry, box) in enumerate(zip(entries, stats, strict=True)):
        if i % 2:
            axes.axhspan(i - 0.5, i + 0.5, color="#f6f7f8", linewidth=0, zorder=0)
        if box is None:
            continue
        hue = colour(results, entry)
        axes.bxp(
            [box], positions=[i], widths=0.62, orientation="horizontal", showfliers=False,
            patch_artist=True, manage_ticks=False, capwidths=0.3,
            boxprops={"facecolor": tint(hue, 0, 2), "edgecolor": hue, "linewidth": 0.9},
            medianprops={"color": INK, "linewidth": 1.3},
            whiskerprops={"color": hue, "linewidth": 1}, capprops={"color": hue, "linewidth": 1},
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set(xlim=(FLOOR * 0.8, 1.1), ylim=(len(entries) - 0.45, -0.55))
    axes.minorticks_off()
    axes.set_xticks([FLOOR, 1e-3, 1e-2, 1e-1, 1], ["", "0.001", "0.01", "0.1", "1"])
