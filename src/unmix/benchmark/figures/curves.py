"""How training and iterations went: a row a method, a panel a mixing model or scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from unmix.benchmark.figures.common import (
    WIDTH,
    Facets,
    Picture,
    colour,
    facets,
    file_name,
    heading,
    shown,
    tint,
)
from unmix.benchmark.results import Entry, Results
from unmix.plot.style import DASHES, MUTED, curve_axes, inch_axes, short

__all__ = ["training_curves"]

TERMS = ("loss", "total", "objective")  # which term is drawn where a method has several
LABEL = 1.95
PITCH = 1.25


def training_curves(results: Results, part: str) -> Iterator[Picture]:
    """Loss against epoch, or objective against iteration, of the methods that have them."""
    if part.startswith("transfer"):  # the fits are those of the simulated scenes, in another scale
        return
    layout = facets(results, part)
    found = [(e, c) for e in shown(results, part) if (c := _curves(results, part, layout, e))]
    if found:
        many = len(layout.series) > 1
        yield Picture(
            file_name("curves", part),
            ("Figure 11. " if part == "simulated" else "") + "Training curves",
            "Loss against epoch, or objective against iteration, first seed. Methods minimise "
            "different things, so each has its own axis."
            + (f" Pale to full: {', '.join(layout.series)}." if many else ""),
            _figure(results, part, layout, found),
        )


Curves = dict[tuple[int, int], NDArray[np.float64]]


def _curves(results: Results, part: str, layout: Facets, entry: Entry) -> Curves:
    """History by (panel, series)."""
    found = {}
    for panel, series in layout.where:
        at = layout.at(panel, series, entry)
        kept = results.kept(part, *at) if at else None
        curve = _term(kept) if kept else None
        if curve is not None:
            found[panel, series] = curve
    return found


def _term(kept: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
    """The history of the loss, or of the first term there is."""
    terms = {k.removeprefix("history_"): v for k, v in sorted(kept.items()) if k[:8] == "history_"}
    good = {
        k: np.asarray(v, np.float64)
        for k, v in terms.items()
        if v.ndim == 1 and np.isfinite(v).any()
    }
    name = next((t for t in TERMS if t in good), next(iter(good), None))
    return None if name is None else good[name]


def _figure(
    results: Results, part: str, layout: Facets, found: list[tuple[Entry, Curves]]
) -> Figure:
    panels, n = len(layout.panels), len(layout.series)
    head = 0.6 if n > 1 else 0.3
    figure = Figure(figsize=(WIDTH, head + PITCH * len(found) + 0.3))
    width = (WIDTH - LABEL - 0.1) / panels
    for i, (entry, curves) in enumerate(found):
        top = head + i * PITCH
        values = np.concatenate([c[np.isfinite(c)] for c in curves.values()])
        log = values.min() > 0 and values.max() / values.min() > 30
        for p, name in enumerate(layout.panels):
            left = LABEL + p * width
            axes = inch_axes(figure, left, top, width - 0.22, PITCH - 0.38)
            curve_axes(axes, "epoch or iteration" if i == len(found) - 1 else "", "")
            _draw(axes, {s: c for (q, s), c in curves.items() if q == p}, colour(results, entry), n)
            _scale(axes, values, log, labelled=p == 0)
            if i == 0:
                heading(figure, left, top - 0.06, name, width - 0.22, 9.5)
        heading(figure, 0.05, top + 0.2, results.label(part, entry.method), LABEL - 0.65)
    if n > 1:
        _legend(figure, layout)
    return figure


def _draw(axes: Axes, curves: dict[int, NDArray[Any]], hue: str, n: int) -> None:
    for s, curve in sorted(curves.items()):
        axes.plot(
            np.arange(1, len(curve) + 1), curve, color=tint(hue, s, n), linewidth=1.4,
            linestyle=DASHES[(n - 1 - s) % len(DASHES)], marker="o" if len(curve) == 1 else "",
        )  # fmt: skip
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def _scale(axes: Axes, values: NDArray[Any], log: bool, labelled: bool) -> None:
    """One axis for a row."""
    low, high = float(values.min()), float(values.max())
    if log:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.3, high * 1.3)
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.06 * (high - low or abs(high) or 1.0)
        axes.set_ylim(low - room, high + room)
        axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=8)
    if not labelled:
        axes.tick_params(labelleft=False)


def _legend(figure: Figure, layout: Facets) -> None:
    n = len(layout.series)
    handles = [
        Line2D([], [], color=tint("#4d565e", s, n), linestyle=DASHES[(n - 1 - s) % len(DASHES)])
        for s in range(n)
    ]
    height = figure.get_figheight()
    figure.legend(
        handles, [short(s, 1.2, 8.5) for s in layout.series], loc="upper left",
        bbox_to_anchor=(LABEL / WIDTH, 1 - 0.06 / height), ncols=n, frameon=False, fontsize=8.5,
        labelcolor=MUTED, borderaxespad=0, borderpad=0.2, handlelength=2.4,
    )  # fmt: skip
