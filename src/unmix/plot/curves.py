"""Curves of what led to the result: training, number of endmembers, noise, bands."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from unmix.plot.spectra import label_room, runs, shade_left_out
from unmix.plot.style import (
    COLOURS,
    DASHES,
    INK,
    MUTED,
    curve_axes,
    floats,
    inch_axes,
    line_handle,
    member_colour,
    name_legend,
    section,
    short,
    title,
)
from unmix.summary import summary_of
from unmix.types import Unmixing

LIKELIHOOD = "log_likelihood"  # name of a history that is no loss


def loss_curves(result: Unmixing) -> Figure | None:
    """Training loss by epoch, a line a term, or what a fit gained in log-likelihood; None without.

    A fit that took no step has no curve.
    """
    terms = {str(k): floats(v) for k, v in section(result, "history").items()}
    terms = {k: v for k, v in terms.items() if np.isfinite(v).any()}
    if not terms:
        return None
    fitted = list(terms) == [LIKELIHOOD]
    if fitted and len(terms[LIKELIHOOD]) < 2:
        return None
    figure = Figure(figsize=(10.4, 3.2))
    words = ("step", "log-likelihood gained") if fitted else ("epoch", "loss")
    if fitted:  # six digits that no step changes tell nothing and have no room
        terms = {k: v - v[np.isfinite(v)][0] for k, v in terms.items()}
    axes = curve_axes(inch_axes(figure, 0.75, 0.15, 7.6, 2.5), *words)
    values = np.concatenate([v[np.isfinite(v)] for v in terms.values()])
    if not fitted and values.min() > 0 and values.max() / values.min() > 20:
        axes.set_yscale("log")
    for i, loss in enumerate(terms.values()):
        mark = "o" if len(loss) == 1 else ""
        epochs = np.arange(1, len(loss) + 1)
        axes.plot(epochs, loss, color=member_colour(i), linewidth=1.5, marker=mark)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.margins(x=0.01)
    if not fitted:
        handles = [line_handle(i) for i in range(len(terms))]
        name_legend(axes, handles, list(terms), 1.5, bbox_to_anchor=(1.01, 1.03))
    return figure


def k_curves(result: Unmixing) -> Figure | None:
    """The evidence for the number of endmembers, one panel a criterion; None without any."""
    evidence = section(result, "n_endmembers")
    found = evidence.get("criteria")
    found = [c for c in found if isinstance(c, dict)] if isinstance(found, list | tuple) else []
    curves = [(c, floats(c.get("x")), floats(c.get("y"))) for c in found]
    curves = [(c, x, y) for c, x, y in curves if len(x) == len(y) and np.isfinite(y).any()]
    if not curves:
        return None
    columns = min(3, len(curves))
    rows, w = math.ceil(len(curves) / columns), 10.2 / columns
    figure = Figure(figsize=(10.4, 2.9 * rows))
    for i, (criterion, x, y) in enumerate(curves):
        left, top = i % columns * w + 0.75, i // columns * 2.9 + 0.3
        axes = inch_axes(figure, left, top, w - 0.95, 2.0)
        labels = [
            short(str(criterion.get(k) or d), 2.4) for k, d in (("xlabel", "K"), ("ylabel", ""))
        ]
        _draw_criterion(curve_axes(axes, *labels), criterion, x, y, evidence.get("k"))
        title(axes, str(criterion.get("name", "")), w - 0.95)
    return figure


def _draw_criterion(axes: Axes, criterion: dict[str, Any], x: Any, y: Any, used: Any) -> None:
    axes.plot(x, y, color=COLOURS[0], linewidth=1.4, marker="o", markersize=3)
    positive = y[np.isfinite(y) & (y > 0)]
    if positive.size == np.isfinite(y).sum() and positive.max() / positive.min() > 100:
        axes.set_yscale("log")
    if np.isfinite(x).all():
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if isinstance(used, int | float):
        axes.axvline(used, color=MUTED, linewidth=1, linestyle=DASHES[2])
    own = criterion.get("k")
    at = np.flatnonzero(x == own) if isinstance(own, int | float) else np.empty(0, int)
    if len(at):
        axes.plot(x[at[0]], y[at[0]], "o", markersize=8, color=COLOURS[4])
        axes.annotate(
            f"K = {own}",
            (x[at[0]], y[at[0]]),
            (8, 6),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            color=COLOURS[4],
        )


def information_curve(result: Unmixing) -> Figure | None:
    """Share of the information on abundances by band [%]; None where no mixing was fitted.

    From the result's own endmembers, mixing, mean abundances and noise, see `unmix.information`.
    """
    share, wavelength = information(result), result.endmembers.wavelength
    if share is None:
        return None
    x = np.arange(1.0, len(share) + 1) if wavelength is None else np.asarray(wavelength, float)
    figure = Figure(figsize=(10.4, 2.7))
    room = label_room(len(result.endmembers))  # under the spectra, wavelength by wavelength
    axes = curve_axes(
        inch_axes(figure, 0.75, 0.15, 9.55 - room, 2.0),
        "band" if wavelength is None else "wavelength [nm]",
        "information [%]",
    )
    shade_left_out(axes, x, np.isfinite(share))
    for run in runs(x, np.isfinite(share) & np.isfinite(x)):
        mark = "o" if len(run) == 1 or len(share) <= 16 else ""
        values = 100 * share[run]
        axes.fill_between(x[run], 0, values, color=COLOURS[0], alpha=0.15, linewidth=0)
        axes.plot(x[run], values, color=COLOURS[0], linewidth=1.4, marker=mark, markersize=3)
    low, high = np.nanmin(x[np.isfinite(share)]), np.nanmax(x[np.isfinite(share)])
    axes.set_ylim(bottom=0)
    axes.set_xlim(low - 0.01 * (high - low), high + 0.01 * (high - low))
    return figure


def information(result: Unmixing) -> NDArray[np.float64] | None:
    """Share of the information on abundances (band,), NaN in bands left out; None without a fit."""
    from unmix.information import band_information
    from unmix.posterior.surfaces import SURFACES, surface_of

    name, E = section(result, "evidence").get("surface"), result.endmembers.spectra
    found = summary_of(result)
    kept = np.isfinite(E).all(axis=0)
    if not isinstance(name, str) or not found.valid or kept.sum() < 2:
        return None
    options: dict[str, Any] = {"free": section(result, "scale").get("mode") != "none"}
    if name in SURFACES:
        noise = np.maximum(_noise(result)[kept], 1e-6 * np.abs(E[:, kept]).max())
        options["sigma"] = noise if np.isfinite(noise).all() else None
        constants = floats(section(result, "evidence").get("constants"))
        if len(constants) == len(surface_of(name, len(E)).theta) and np.isfinite(constants).all():
            options["surface"] = surface_of(name, len(E), constants)
    full = np.full(len(kept), np.nan)
    full[kept] = band_information(E[:, kept], found.mean, **options)
    return full if np.isfinite(full[kept]).all() else None


def noise_curve(result: Unmixing) -> Figure | None:
    """Noise by band (standard deviation in the scene's unit); None where it was not estimated."""
    noise, wavelength = _noise(result), result.endmembers.wavelength
    if not np.isfinite(noise).any():
        return None
    x = np.arange(1.0, len(noise) + 1) if wavelength is None else np.asarray(wavelength, float)
    figure = Figure(figsize=(10.4, 2.7))
    axes = curve_axes(
        inch_axes(figure, 0.75, 0.15, 9.4, 2.0),
        "band" if wavelength is None else "wavelength [nm]",
        "noise",
    )
    for run in runs(x, np.isfinite(noise) & np.isfinite(x)):
        mark = "o" if len(run) == 1 else ""
        axes.plot(x[run], noise[run], color=COLOURS[0], linewidth=1.3, marker=mark, markersize=3)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    return figure


def _noise(result: Unmixing) -> NDArray[np.float64]:
    """Noise on the scene's bands, whether it was noted for all of them or for those kept."""
    noise = floats(section(result, "noise").get("per_band"))
    kept = np.isfinite(result.endmembers.spectra).any(axis=0)
    if len(noise) == len(kept):
        return noise
    full = np.full(len(kept), np.nan)
    if len(noise) == kept.sum():
        full[kept] = noise
    return full


def band_strip(result: Unmixing) -> Figure | None:
    """Which bands were used and why the others were not; None where nothing is known."""
    names, kind = _band_kinds(result)
    if not kind.size:
        return None
    more = 0.22 * (math.ceil(len(names) / 3) - 1)  # further lines of the legend
    figure = Figure(figsize=(10.4, 1.05 + more))
    axes = inch_axes(figure, 0.35, 0.38 + more, 9.6, 0.26)
    axes.spines[:].set_visible(False)
    edges = np.r_[0, np.flatnonzero(np.diff(kind)) + 1, len(kind)]
    shades = ["#b7c3cd", *(member_colour(i + 4) for i in range(len(names)))]
    for a, b in pairwise(edges):
        axes.axvspan(a, b, color=shades[kind[a]], linewidth=0)
    axes.set(xlim=(0, len(kind)), yticks=[])
    _band_ticks(axes, result.endmembers.wavelength, len(kind))
    counted = [f"{name} ({int((kind == i).sum())})" for i, name in enumerate(names)]
    handles = [Patch(facecolor=shades[i]) for i in range(len(names))]
    place = {"loc": "lower left", "bbox_to_anchor": (-0.005, 1.0), "borderpad": 0}
    name_legend(axes, handles, counted, 3.0, ncols=3, handlelength=1, **place)
    return figure


def _band_kinds(result: Unmixing) -> tuple[list[str], NDArray[np.intp]]:
    """Names of the kinds (kept, then each reason to leave out) and the kind of each band."""
    bands = section(result, "bands")
    kept, given = bands.get("kept"), bands.get("reason")
    if not isinstance(kept, list | tuple | np.ndarray):
        return [], np.empty(0, np.intp)
    reasons = {str(k): str(v) for k, v in given.items()} if isinstance(given, dict) else {}
    why = ["" if k else reasons.get(str(i), "left out") for i, k in enumerate(kept)]
    names = ["", *sorted(set(why) - {""})]
    return ["kept", *names[1:]], np.array([names.index(w) for w in why], np.intp)


def _band_ticks(axes: Axes, wavelength: NDArray[Any] | None, n: int) -> None:
    """Band numbers, with the wavelength where the scene has it."""
    ticks = np.unique(np.linspace(0, n - 1, min(n, 9)).round().astype(int))
    labels = [str(i + 1) for i in ticks]
    if wavelength is not None and len(wavelength) == n:
        labels = [f"{wavelength[i]:.0f} nm" for i in ticks]
    axes.set_xticks(ticks + 0.5, labels)
    axes.tick_params(labelsize=8, colors=MUTED, labelcolor=INK, length=3)
