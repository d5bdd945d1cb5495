"""True and estimated spectra: a panel a member."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from unmix.benchmark.figures.common import (
    WIDTH,
    Picture,
    about,
    chosen,
    colour,
    file_name,
    heading,
    labels,
    shown,
)
from unmix.benchmark.results import Results
from unmix.plot.spectra import runs
from unmix.plot.style import COLOURS, DASHES, INK, MUTED, curve_axes, inch_axes, short

__all__ = ["spectra"]

Lines = list[tuple[str, str, Any, NDArray[np.float64]]]  # label, colour, dash, E


def spectra(results: Results, part: str) -> Iterator[Picture]:
    """A figure a scene; nothing where the spectra were given."""
    if part == "known":
        return
    entries = shown(results, part)
    names = labels(results, part, entries)
    for column in chosen(results, part):
        truth = results.truth(column.place.scene)
        if not truth:
            continue
        lines: Lines = []
        for entry, label in zip(entries, names, strict=True):
            kept = results.kept(part, column.place, entry)
            if kept and "E" in kept and kept["E"].shape == truth["E"].shape:
                dash = DASHES[results.methods.index(entry.method) // len(COLOURS) % len(DASHES)]
                E = _scaled(kept["E"].astype(np.float64), truth["E"].astype(np.float64))
                lines.append((label, colour(results, entry), dash, E))
        if lines:
            yield Picture(
                file_name("spectra", part, column.place.scene),
                f"Endmember spectra: {about(results, part, column)}",
                "Black and broad: the truth. Each estimate, first seed, is scaled to the truth by "
                "least squares, because the spectral angle does not see brightness.",
                _figure(truth, lines),
            )


def _scaled(E: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row times the factor that brings it nearest to the truth's.

    >>> _scaled(np.array([[1.0, 2.0]]), np.array([[2.0, 4.0]]))
    array([[2., 4.]])
    """
    square = np.sum(E * E, axis=1, keepdims=True)
    return np.asarray(E * np.sum(E * truth, axis=1, keepdims=True) / np.maximum(square, 1e-30))


def _figure(truth: dict[str, NDArray[Any]], lines: Lines) -> Figure:
    E = np.asarray(truth["E"], np.float64)
    wavelength = truth.get("wavelength", np.empty(0))
    known = wavelength.shape == (E.shape[1],)
    x = wavelength.astype(np.float64) if known else np.arange(1.0, E.shape[1] + 1)
    across = min(len(E), 4 if len(E) in (4, 7, 8) or len(E) > 9 else 3)
    rows = math.ceil(len(E) / across)
    width = (WIDTH - 0.1) / across
    high, legend = 1.75, 0.22 * math.ceil((len(lines) + 1) / 5) + 0.15
    figure = Figure(figsize=(WIDTH, rows * (high + 0.5) + 0.35 + legend))
    for k in range(len(E)):
        r, c = divmod(k, across)
        left, top = 0.5 + c * width, 0.3 + r * (high + 0.5)
        last = k + across >= len(E)
        axes = inch_axes(figure, left, top, width - 0.6, high)
        curve_axes(axes, ("wavelength [nm]" if known else "band") if last else "", "")
        axes.tick_params(labelsize=8)
        _draw(axes, x, E[k], [(hue, dash, e[k]) for _, hue, dash, e in lines])
        heading(figure, left, top - 0.05, str(truth["names"][k]), width - 0.6, 9.5)
    _legend(figure, lines)
    return figure


def _draw(axes: Axes, x: NDArray[Any], true: NDArray[Any], lines: list[Any]) -> None:
    for run in runs(x, np.isfinite(x) & np.isfinite(true)):
        axes.plot(x[run], true[run], color=INK, linewidth=3.2, alpha=0.85, solid_capstyle="butt")
        for hue, dash, e in lines:
            axes.plot(x[run], e[run], color=hue, linestyle=dash, linewidth=1.1)
    low, high = np.nanmin(true), np.nanmax(true)
    room = 0.35 * (high - low or 1.0)  # a wild estimate may leave the panel
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, low - room), min(top, high + room))
    axes.margins(x=0.01)


def _legend(figure: Figure, lines: Lines) -> None:
    handles = [Line2D([], [], color=INK, linewidth=3.2, alpha=0.85)]
    handles += [
        Line2D([], [], color=hue, linestyle=dash, linewidth=1.5) for _, hue, dash, _ in lines
    ]
    height = figure.get_figheight()
    legend = figure.legend(
        handles, ["."] * len(handles), loc="lower left", bbox_to_anchor=(0.04, 0.02 / height),
        ncols=min(5, len(handles)), frameon=False, fontsize=8.5, labelcolor=MUTED,
        handlelength=2.4, columnspacing=1.8, borderaxespad=0,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), ["truth", *(n for n, *_ in lines)], strict=True):
        text.set(text=short(name, 1.5, 8.5), parse_math=False)
