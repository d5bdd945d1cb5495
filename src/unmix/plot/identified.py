"""Endmembers against the library spectra they were named by, absorptions marked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.plot.spectra import runs
from unmix.plot.style import INK, MUTED, curve_axes, floats, inch_axes, member_colour, short
from unmix.types import Unmixing

__all__ = ["identified_spectra", "records"]

_WIDTH, _PANEL, _COLUMNS = 10.4, (4.35, 1.75), 2
_ROOM = 0.07  # of the axis between the labels of neighbouring absorptions


def records(result: Unmixing) -> list[dict[str, Any]]:
    """What was found of each member, in their order; empty where it does not fit the result."""
    found = result.provenance.get("identification")
    if not isinstance(found, list | tuple) or len(found) != len(result.endmembers):
        return []
    return [dict(r) for r in found] if all(isinstance(r, dict) for r in found) else []


def identified_spectra(result: Unmixing) -> Figure | None:
    """A panel a member: its spectrum, the nearest library spectrum at its brightness, absorptions.

    None where nothing was identified.
    """
    found, wavelength = records(result), result.endmembers.wavelength
    if wavelength is None or not any(floats(r.get("reference")).size for r in found):
        return None
    rows = math.ceil(len(found) / _COLUMNS)
    height = rows * (_PANEL[1] + 0.85) + 0.1
    figure = Figure(figsize=(_WIDTH, height))
    x = np.asarray(wavelength, np.float64)
    for i, record in enumerate(found):
        row, column = divmod(i, _COLUMNS)
        left, top = 0.65 + column * 5.2, 0.35 + row * (_PANEL[1] + 0.85)
        axes = inch_axes(figure, left, top, *_PANEL)
        curve_axes(axes, "wavelength [nm]" if row == rows - 1 else "", "")
        name = short(result.endmembers.names[i], _PANEL[0])
        axes.set_title(
            name,
            fontsize=9,
            fontweight="bold",
            loc="left",
            color=member_colour(i),
            parse_math=False,
        )
        _draw(axes, x, np.asarray(result.endmembers.spectra[i], np.float64), record, i)
    return figure


def _draw(axes: Axes, x: NDArray, spectrum: NDArray, record: dict[str, Any], i: int) -> None:
    """One member's panel."""
    reference = floats(record.get("reference"))
    if reference.shape == spectrum.shape:
        both = np.isfinite(reference) & np.isfinite(spectrum)
        power = float((reference[both] ** 2).sum())
        gain = float((reference[both] * spectrum[both]).sum()) / power if power > 0 else 1.0
        for run in runs(x, both & np.isfinite(x)):
            axes.plot(x[run], gain * reference[run], color=MUTED, linewidth=1.1, linestyle="--")
    for run in runs(x, np.isfinite(spectrum) & np.isfinite(x)):
        axes.plot(x[run], spectrum[run], color=member_colour(i), linewidth=1.5)
    axes.margins(x=0.01, y=0.12)
    _mark(axes, record.get("absorptions"))


def _mark(axes: Axes, absorptions: Any) -> None:
    """A line and the wavelength of each absorption; of labels that would overlap, the deepest's."""
    low, high = axes.get_xlim()
    labelled: list[float] = []
    entries = absorptions if isinstance(absorptions, list | tuple) else ()
    known = [e for e in entries if isinstance(e, dict) and _is_number(e.get("centre"))]
    for entry in sorted(known, key=lambda e: -e["depth"] if _is_number(e.get("depth")) else 0.0):
        place = (entry["centre"] - low) / (high - low)
        if not 0 < place < 1:
            continue
        axes.axvline(entry["centre"], color=INK, linewidth=0.6, alpha=0.45, linestyle=":")
        if all(abs(place - other) >= _ROOM for other in labelled):
            labelled.append(place)
            axes.annotate(
                f"{entry['centre']:.0f}", (place, 0), (0, 2), xycoords="axes fraction",
                textcoords="offset points", ha="center", va="bottom", fontsize=7, color=INK,
            )  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
