"""Endmember spectra over wavelength."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.plot.style import (
    COLOURS,
    DASHES,
    SHADE,
    curve_axes,
    inch_axes,
    line_handle,
    member_colour,
    name_legend,
    short,
)
from unmix.types import Endmembers, Unmixing

_LABELLED = 14  # names that find room at the ends of their lines


def endmember_spectra(result: Unmixing | Endmembers) -> Figure:
    """Spectra over wavelength; blank where bands were left out, one line a detector.

    A band of ± 1 standard deviation over restarts lies behind each where it is known.
    """
    endmembers = result if isinstance(result, Endmembers) else result.endmembers
    figure = Figure(figsize=(10.4, 4.1 + legend_height(len(endmembers))))
    draw_spectra(figure, endmembers, 0.1, 0.15, 10.2, 3.35)
    return figure


def draw_spectra(
    figure: Figure, endmembers: Endmembers, left: float, top: float, width: float, height: float
) -> None:
    """Spectra of a result into `figure`, placed in inches from its top left corner."""
    n, wavelength = len(endmembers), endmembers.wavelength
    bands = endmembers.spectra.shape[1]
    x = np.arange(1.0, bands + 1) if wavelength is None else np.asarray(wavelength, dtype=float)
    labelled, room = n <= _LABELLED, label_room(n)
    finite = endmembers.spectra[np.isfinite(endmembers.spectra)]
    unit = "reflectance" if finite.size and -0.5 < finite.min() and finite.max() < 2 else "value"
    axes = inch_axes(figure, left + 0.65, top, width - 0.65 - room, height)
    curve_axes(axes, "band" if wavelength is None else "wavelength [nm]", unit)
    shade_left_out(axes, x, np.isfinite(endmembers.spectra).any(axis=0))
    for i, spectrum in enumerate(endmembers.spectra):
        style = {"color": member_colour(i), "linestyle": DASHES[i // len(COLOURS) % len(DASHES)]}
        for run in runs(x, np.isfinite(spectrum) & np.isfinite(x)):
            mark = "o" if len(run) == 1 or bands <= 16 else ""
            axes.plot(x[run], spectrum[run], linewidth=1.5, marker=mark, markersize=3, **style)
            if endmembers.spread is not None:
                low, high = (spectrum[run] + s * endmembers.spread[i][run] for s in (-1, 1))
                axes.fill_between(x[run], low, high, color=style["color"], alpha=0.2, linewidth=0)
    axes.margins(x=0.01)
    _label_lines(figure, axes, endmembers, x, labelled, (height, room))


def label_room(n: int) -> float:
    """Inches to the right of the spectra for the names of their lines."""
    return 2.0 if n <= _LABELLED else 0.1


def shade_left_out(axes: Axes, x: NDArray[Any], kept: NDArray[np.bool_]) -> None:
    """Grey where bands were left out and no other detector's band stands in."""
    for run in runs(x, ~kept & np.isfinite(x)):
        low, high = x[run].min(), x[run].max()
        if high > low and not (kept & (x > low) & (x < high)).any():
            axes.axvspan(low, high, color=SHADE, linewidth=0, zorder=0)


def runs(x: NDArray[Any], good: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Bands joined by a line: split where bands were left out, or a detector or gap intervenes.

    >>> runs(np.array([1.0, 2, 3, 2.5, 3.5]), np.array([True, True, True, True, True]))
    [array([0, 1, 2]), array([3, 4])]
    """
    step = np.diff(x)
    if np.nansum(np.sign(step)) < 0:
        return [len(x) - 1 - run[::-1] for run in runs(x[::-1], good[::-1])][::-1]
    if (step <= 0).sum() > 5:  # not detectors but no order at all
        order = np.argsort(x, kind="stable")
        return [order[run] for run in runs(np.arange(len(x)), good[order])]
    usual = np.median(step[step > 0]) if (step > 0).any() else np.inf
    cut = (step <= 0) | ((step > 5 * usual) & (len(x) > 30)) | (good[1:] != good[:-1])
    return [run for run in np.split(np.arange(len(x)), np.flatnonzero(cut) + 1) if good[run[0]]]


def _label_lines(
    figure: Figure,
    axes: Axes,
    endmembers: Endmembers,
    x: NDArray[Any],
    labelled: bool,
    size: tuple[float, float],
) -> None:
    """Names at the right ends of the lines, moved apart; below in columns where they are many."""
    names = endmembers.names
    if not labelled:
        handles, below = [line_handle(i) for i in range(len(names))], (0, -0.45 / size[0])
        name_legend(axes, handles, names, 1.9, ncols=4, bbox_to_anchor=below, fontsize=8)
        return
    low, high = axes.get_ylim()
    ends = [_end(s, x) for s in endmembers.spectra]
    wanted = np.nan_to_num((np.array(ends) - low) / (high - low or 1.0), nan=0.5)
    for i, y in enumerate(_spread(wanted, 0.19 / size[0])):
        axes.annotate(
            short(names[i], size[1] - 0.2),
            (1, y),
            (8, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=9,
            fontweight="bold",
            color=member_colour(i),
            annotation_clip=False,
            parse_math=False,
        )


def _end(spectrum: NDArray[Any], x: NDArray[Any]) -> float:
    """Value at the longest wavelength that has one."""
    good = np.flatnonzero(np.isfinite(spectrum) & np.isfinite(x))
    return float(spectrum[good[np.argmax(x[good])]]) if good.size else math.nan


def _spread(wanted: NDArray[Any], gap: float) -> NDArray[Any]:
    """Places in 0..1 in the order of `wanted`, at least `gap` apart, each as near as that allows.

    >>> _spread(np.array([0.5, 0.5, 0.9]), 0.1).round(2)
    array([0.45, 0.55, 0.9 ])
    """
    order = np.argsort(wanted, kind="stable")
    offset = gap * np.arange(len(wanted))
    blocks: list[list[float]] = []  # isotonic regression of wanted - offset: [mean, count]
    for value in wanted[order] - offset:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (b, n), (a, m) = blocks.pop(), blocks.pop()
            blocks.append([(a * m + b * n) / (m + n), m + n])
    level = np.repeat([b[0] for b in blocks], [int(b[1]) for b in blocks])
    places = np.empty(len(wanted))
    places[order] = np.clip(level, 0, max(0.0, 1 - offset[-1])) + offset
    return places


def legend_height(n: int) -> float:
    """Inches below the spectra for the names where they are too many for the line ends."""
    return 0.0 if n <= _LABELLED else 0.3 + 0.19 * math.ceil(n / 4)
