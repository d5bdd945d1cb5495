"""Map and histogram of the reconstruction error."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from unmix.blocks import row_blocks
from unmix.plot.maps import show_map, side_ratio
from unmix.plot.style import (
    COLOURS,
    DASHES,
    INK,
    MUTED,
    RESIDUAL,
    colormap,
    curve_axes,
    floats,
    inch_axes,
    note,
    section,
    shrink,
    title,
)
from unmix.summary import fit_of
from unmix.types import Unmixing


def residual_map(result: Unmixing) -> Figure:
    """Map of the reconstruction error and its histogram, with the noise level where it is known."""
    rmse = np.asarray(result.residual.values[..., 0])
    ratio = side_ratio(rmse.shape)
    w = min(5.0, 3.6 / ratio)
    h = w * ratio
    figure = Figure(figsize=(10.4, max(h, 2.4) + 1.2))
    axes = inch_axes(figure, 0.3, 0.3, w, h)
    image = show_map(
        axes, shrink(rmse, 500), cmap=colormap(RESIDUAL), vmin=0, vmax=fit_of(result).shown
    )
    title(axes, "reconstruction RMSE", max(w, 1.8))
    scale = inch_axes(figure, 0.3, h + 0.45, max(min(w, 2.6), 1.6), 0.11)
    bar = figure.colorbar(image, scale, orientation="horizontal", extend="max")
    bar.outline.set_visible(False)
    scale.tick_params(labelsize=8, colors=MUTED, labelcolor=INK, length=2)
    scale.locator_params(nbins=4)
    left = max(w, 3.0) + 1.1
    _draw_histogram(inch_axes(figure, left, 0.3, 10.2 - left, max(h, 2.4)), result)
    return figure


def residual_histogram(result: Unmixing) -> Figure:
    """Histogram of the reconstruction error alone."""
    figure = Figure(figsize=(5.6, 3.7))
    _draw_histogram(inch_axes(figure, 0.7, 0.15, 4.75, 3.0), result)
    return figure


def _draw_histogram(axes: Axes, result: Unmixing) -> None:
    curve_axes(axes, "reconstruction RMSE", "pixels")
    rmse = np.asarray(result.residual.values[..., 0])
    fit, noise = fit_of(result), noise_level(result)
    if not fit.pixels:
        note(axes, "no valid pixel")
        return
    limit = (fit.top or 1.0) * 1.15
    counts, edges = np.zeros(50), np.linspace(0, limit, 51)
    for rows in row_blocks(rmse.shape):
        values = rmse[rows][np.isfinite(rmse[rows])]
        counts += np.histogram(np.minimum(values, limit), edges)[0]
    axes.hist(edges[:-1], edges.tolist(), weights=counts, color="#8a6fae", linewidth=0)
    lines = [("median", fit.median, INK)]
    if noise is not None and noise < limit:
        lines.append(("noise", noise, COLOURS[4]))
    for level, (label, x, colour) in enumerate(lines):
        dash = DASHES[level]
        axes.axvline(x, color=colour, linewidth=1.3, linestyle=dash, label=f"{label} {x:.3g}")
    axes.legend(loc="upper right", frameon=False, fontsize=9, labelcolor=INK)
    axes.set_xlim(0, limit)
    axes.xaxis.set_major_locator(MaxNLocator(5))


def noise_level(result: Unmixing) -> float | None:
    """Root mean square of the noise over bands, the RMSE that a perfect model would leave."""
    noise = floats(section(result, "noise").get("per_band"))
    noise = noise[np.isfinite(noise)]
    return float(np.sqrt(np.mean(noise**2))) if noise.size else None
