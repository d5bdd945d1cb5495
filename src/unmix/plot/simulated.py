"""How simulated scenes look beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.plot.maps import show_map, side_ratio
from unmix.plot.style import INK, MASKED, MUTED, inch_axes, shrink
from unmix.plot.view import RED_GREEN_BLUE

if TYPE_CHECKING:
    from unmix.simulate.scene import Simulation

__all__ = ["View", "false_colour_grid", "view_of"]

MODEL_NAMES = {
    "linear": "linear",
    "bilinear": "bilinear",
    "pnmm": "post-nonlinear",
    "fan": "Fan",
    "gbm": "generalised bilinear",
    "ppnm": "polynomial",
    "mlm": "multilinear",
    "hapke": "Hapke",
}
COMPOSITES = (*RED_GREEN_BLUE, (2200, 860, 560))
LARGEST = 500


@dataclass(frozen=True, eq=False)
class View:
    """Three bands of a scene.

    Parameters
    ----------
    model : str
    snr : float
    bands : ndarray, shape (y, x, 3)
        Reflectance in the bands shown red, green and blue.
    names : tuple of str, of length 3
        Which bands they are.
    """

    model: str
    snr: float
    bands: NDArray[np.floating]
    names: tuple[str, ...]


def view_of(scene: Simulation) -> View:
    """Three bands of the scene: of a few usual triples the one that spreads its materials most."""
    E, wavelength = scene.endmembers.spectra, scene.endmembers.wavelength
    n_bands = E.shape[1]
    triples = [[int((i + 0.5) * n_bands / 3) for i in (2, 1, 0)]]
    if wavelength is not None:
        off = [np.abs(wavelength - np.c_[list(centres)]) for centres in COMPOSITES]
        triples = [list(d.argmin(axis=1)) for d in off if (d.min(axis=1) <= 60).all()] or triples
    bands = max(triples, key=lambda t: _spread(E[:, t]))
    names = [f"band {b + 1}" if wavelength is None else f"{wavelength[b]:.0f}" for b in bands]
    return View(scene.model, scene.snr, shrink(scene.cube[..., bands], LARGEST), tuple(names))


def _spread(colours: NDArray[Any]) -> float:
    """How far apart colours (member, 3) lie, whatever their common brightness."""
    return float(np.prod(np.linalg.svd(colours - colours.mean(axis=0))[1][:2]))


def false_colour_grid(views: Sequence[View]) -> Figure:
    """False-colour views, models down and SNRs across.

    Each row is stretched as its cleanest scene is, from the 2nd to the 98th percentile of each
    channel, so that along a row nothing but the noise differs.
    """
    models = list(dict.fromkeys(v.model for v in views))
    levels = list(dict.fromkeys(v.snr for v in views))
    ratio = side_ratio(views[0].bands.shape)
    gap, left, top = 0.09, 0.42, 0.62
    w = min(3.0, 9.0 / len(levels), 3.2 / ratio)
    h = w * ratio
    width = left + len(levels) * (w + gap) + 0.2
    figure = Figure(figsize=(max(width, 3.6), top + len(models) * (h + gap) + 0.55))
    limits = {m: _limits([v for v in views if v.model == m]) for m in models}
    for view in views:
        row, column = models.index(view.model), levels.index(view.snr)
        x, y = left + column * (w + gap), top + row * (h + gap)
        axes = inch_axes(figure, x, y, w, h)
        show_map(axes, _coloured(view.bands, *limits[view.model]))
        if row == 0:
            axes.set_title(_decibel(view.snr), fontsize=11, color=INK, pad=6)
        if column == 0:
            name = MODEL_NAMES[view.model]
            size = float(np.clip(h * 72 / (0.6 * len(name)), 6, 11))
            axes.set_ylabel(name, fontsize=size, color=INK, labelpad=6)
    _line(figure, left, 0.24, "False colour", 12, INK, "bold")
    names = views[0].names
    unit = "" if names[0].startswith("band") else " nm"
    said = [
        f"red, green, blue = {names[0]}, {names[1]}, {names[2]}{unit}",
        "a stretch for each row",
    ]
    lines = [" · ".join(said)] if width > 5.2 else said
    for i, text in enumerate(reversed(lines)):
        _line(figure, left, figure.get_figheight() - 0.2 - 0.17 * i, text, 8.5, MUTED)
    return figure


def _decibel(snr: float) -> str:
    return "no noise" if np.isinf(snr) else f"{snr:g} dB"


def _limits(views: list[View]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Least and greatest value of each channel of the cleanest of these views."""
    bands = max(views, key=lambda v: v.snr).bands.reshape(-1, 3)
    low, high = np.nanpercentile(bands, [2, 98], axis=0)
    return low, high


def _coloured(bands: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
    unit = (bands - low) / np.where(high > low, high - low, 1.0)
    return np.where(np.isfinite(unit), unit, to_rgb(MASKED)).clip(0, 1)


def _line(
    figure: Figure, x: float, y: float, text: str, size: float, colour: str, weight: str = "normal"
) -> None:
    """Text at inches from the figure's top left corner."""
    w, h = figure.get_size_inches()
    figure.text(
        x / w, 1 - y / h, text, fontsize=size, color=colour, weight=weight, va="center",
        parse_math=False,
    )  # fmt: skip
