"""Figures of a result: maps, spectra, residual, training and evidence curves.

Every function takes an `Unmixing` and returns a matplotlib `Figure` without touching pyplot. One
scale (0 to 1) and one colourbar for all abundance maps; the colour of an endmember is the same
everywhere; masked pixels are light grey; names are drawn as they are, never as formulas.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from unmix.types import Endmembers, Unmixing

__all__ = [
    "abundance_maps",
    "band_strip",
    "endmember_spectra",
    "false_colour",
    "k_curves",
    "loss_curves",
    "member_colour",
    "noise_curve",
    "noise_level",
    "overview",
    "residual_histogram",
    "residual_map",
    "residual_top",
    "save_png",
    "shrink",
]

INK, MUTED, GRID, SHADE, MASKED = "#1d2329", "#68717a", "#e2e5e9", "#f0f2f4", "#d5d9dd"
ABUNDANCE, RESIDUAL = "viridis", "magma"
# Okabe and Ito's colours for all kinds of colour vision, without black and yellow, then four more.
COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"),
    *("#8F6BC4", "#8C9A1F", "#B0405A", "#80664D"),
)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
RED_GREEN_BLUE = ((650, 550, 450), (2200, 1650, 1250))  # nm: natural, then short-wave infrared
Place = tuple[float, float, float, float]
STRETCHED = 12.0  # beyond this ratio of the sides a map is stretched so that it can be seen


# --- colours and small pieces ---------------------------------------------------------------------


def member_colour(i: int) -> str:
    """Colour of endmember `i`; from the eleventh on, a lighter or darker round of the first ten.

    >>> member_colour(0), member_colour(10) != member_colour(0)
    ('#0072B2', True)
    """
    turn, base = divmod(i, len(COLOURS))
    rgb = np.array(matplotlib.colors.to_rgb(COLOURS[base]))
    toward, part = ((1.0, 0.4), (0.0, 0.35), (1.0, 0.65), (0.0, 0.6))[(turn - 1) % 4]
    mixed = rgb + (toward - rgb) * part if turn else rgb
    return str(matplotlib.colors.to_hex(tuple(mixed.tolist()))).upper()


def false_colour(scene_block: Any, wavelength: ArrayLike | None) -> NDArray[np.float32]:
    """False-colour view of a scene, each channel stretched from its 2nd to 98th percentile.

    Bands nearest 650, 550 and 450 nm; where there is no visible light 2200, 1650 and 1250 nm;
    otherwise, or without wavelengths, the middle of each third of the bands.

    Parameters
    ----------
    scene_block : array_like, shape (y, x, band)
        Only the three bands are read, so it may be lazy. NaN marks masked pixels.
    wavelength : array_like, shape (band,), optional
        Band centres in nm.

    Returns
    -------
    ndarray, shape (y, x, 3)
        0..1, a constant channel 0.5, NaN where any of the three is not finite.

    >>> false_colour(np.linspace(0, 1, 24).reshape(2, 3, 4), [450, 550, 650, 850]).shape
    (2, 3, 3)
    """
    channels = [_stretch(scene_block, order) for order in _band_orders(scene_block, wavelength)]
    view = np.stack(channels, axis=-1)
    view[~np.isfinite(view).all(axis=-1)] = np.nan
    return view.astype(np.float32)


def _band_orders(block: Any, wavelength: ArrayLike | None) -> list[NDArray[np.intp]]:
    """For red, green and blue: all bands, the best first."""
    n_bands = block.shape[-1]
    if wavelength is not None:
        centre = np.asarray(wavelength, dtype=float)
        off = [np.abs(np.nan_to_num(centre, nan=np.inf) - np.c_[list(t)]) for t in RED_GREEN_BLUE]
        for distance in off:
            if (distance.min(axis=1) <= 60).all():
                return [np.argsort(d, kind="stable") for d in distance]
        rank = np.argsort(np.argsort(-centre))  # long wavelengths are red
    else:
        rank = np.arange(n_bands)
    targets = (np.arange(3) + 0.5) * n_bands / 3 - 0.5
    return [np.argsort(np.abs(rank - t), kind="stable") for t in targets]


def _stretch(block: Any, order: NDArray[np.intp]) -> NDArray[np.float64]:
    """The first band of `order` that has a value, stretched to 0..1."""
    for i in order[:10]:
        band = np.asarray(block[..., int(i)], dtype=np.float64)
        finite = band[np.isfinite(band)]
        if finite.size:
            low, high = np.percentile(finite, [2, 98])
            spread = high - low
            good = np.isfinite(band)
            scaled = np.clip((np.where(good, band, 0) - low) / spread, 0, 1) if spread > 0 else 0.5
            return np.where(good, scaled, np.nan)
    return np.full(block.shape[:-1], np.nan)


def shrink(values: NDArray[Any], limit: int) -> NDArray[np.float64]:
    """Mean over square blocks so that no side of (y, x, ...) exceeds `limit`; NaN is left out.

    >>> shrink(np.array([[1.0, 3.0, np.nan, np.nan]]), 2)
    array([[ 2., nan]])
    """
    step = math.ceil(max(values.shape[:2]) / limit)
    values = np.asarray(values, dtype=np.float64)
    if step <= 1:
        return values
    good = np.isfinite(values)
    rows, columns = (np.arange(0, n, step) for n in values.shape[:2])
    total, count = (
        np.add.reduceat(np.add.reduceat(v, rows, axis=0), columns, axis=1)
        for v in (np.where(good, values, 0.0), good.astype(np.float64))
    )
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def save_png(figure: Figure, path: str | Path, dpi: int = 110) -> None:
    """Write a PNG; the same figure gives the same bytes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(path, dpi=dpi, metadata={"Software": None}, format="png")


def short(text: str, room: float, size: float = 9) -> str:
    """`text` cut to about `room` inches, with an ellipsis before its last letters.

    >>> short("endmember 12", 0.8)
    'endm… 12'
    """
    characters = max(6, int(room * 72 / (0.65 * size)))
    text = " ".join(text.split())
    return text if len(text) <= characters else f"{text[: characters - 4]}…{text[-3:]}"


def _cmap(name: str) -> Colormap:
    return matplotlib.colormaps[name].with_extremes(bad=MASKED)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at inches from the figure's top left corner."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))


def _curve_axes(axes: Axes, xlabel: str, ylabel: str) -> Axes:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=9, length=3)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel(xlabel, fontsize=9, color=MUTED, parse_math=False)
    axes.set_ylabel(ylabel, fontsize=9, color=MUTED, parse_math=False)
    return axes


def _title(axes: Axes, text: str, room: float, colour: str | None = None) -> None:
    axes.set_title(
        ("    " if colour else "") + short(text, room - (0.2 if colour else 0)),
        fontsize=9,
        loc="left",
        color=INK,
        pad=4,
        parse_math=False,
    )
    if colour:
        box = {"facecolor": colour, "edgecolor": "none", "boxstyle": "square,pad=0.1"}
        axes.annotate(
            "  ",
            (0, 1),
            (2, 5),
            textcoords="offset points",
            xycoords="axes fraction",
            fontsize=6,
            bbox=box,
        )


def _note(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=axes.transAxes)


# --- maps -----------------------------------------------------------------------------------------


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


def _ratio(shape: Sequence[int]) -> float:
    return float(np.clip(shape[0] / shape[1], 1 / STRETCHED, STRETCHED))


def _show(axes: Axes, image: NDArray[Any], **options: Any) -> Any:
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=GRID, linewidth=0.6)
    return axes.imshow(image, aspect="auto", interpolation="nearest", **options)


def _scale_bar(figure: Figure, left: float, top: float, masked: bool) -> None:
    """The colourbar that all abundance maps share, and what grey means."""
    axes = _axes(figure, left, top, 2.6, 0.11)
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), _cmap(ABUNDANCE)), axes, orientation="horizontal"
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


def _draw_maps(
    figure: Figure, result: Unmixing, left: float, top: float, width: float, view: bool
) -> float:
    """Abundance maps, the false-colour view first if wanted; returns where they end."""
    values = shrink(np.asarray(result.abundances.values), 400)
    n, first = values.shape[2], int(view and result.rgb is not None)
    goal = 4.5 if n < 12 else 7.5
    places, height = _grid(n + first, _ratio(result.abundances.shape), width, goal)
    for i, (x, y, w, h) in enumerate(places):
        axes = _axes(figure, left + x, top + y, w, h)
        if i < first:
            assert result.rgb is not None
            _show(axes, _opaque(shrink(result.rgb, 400)))
            _title(axes, "false colour", max(w, 1.1))
        else:
            k = i - first
            _show(axes, values[..., k], cmap=_cmap(ABUNDANCE), vmin=0, vmax=1)
            _title(axes, result.endmembers.names[k], max(w, 1.1), member_colour(k))
    masked = bool(np.isnan(values).any())
    _scale_bar(figure, left, top + height + 0.22, masked)
    return top + height + 0.6


def _opaque(rgb: NDArray[Any]) -> NDArray[Any]:
    """Masked pixels painted in the grey of masked pixels."""
    return np.where(np.isfinite(rgb), rgb, matplotlib.colors.to_rgb(MASKED)).clip(0, 1)


def _maps_height(result: Unmixing, width: float, view: bool) -> float:
    n = len(result.endmembers) + int(view and result.rgb is not None)
    goal = 4.5 if len(result.endmembers) < 12 else 7.5
    return _grid(n, _ratio(result.abundances.shape), width, goal)[1] + 0.6


def abundance_maps(result: Unmixing) -> Figure:
    """One map an endmember, all on one scale from 0 to 1."""
    figure = Figure(figsize=(10.4, _maps_height(result, 10, view=False) + 0.2))
    _draw_maps(figure, result, 0.2, 0.0, 10, view=False)
    return figure


def overview(result: Unmixing) -> Figure:
    """The whole result at a glance: false-colour view, abundance maps, spectra."""
    maps = _maps_height(result, 10.6, view=True)
    legend = _legend_height(len(result.endmembers))
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
    _draw_spectra(figure, result.endmembers, 0.2, end + 0.35, 10.6, 2.45)
    return figure


def residual_map(result: Unmixing) -> Figure:
    """Map of the reconstruction error and its histogram, with the noise level where it is known."""
    rmse = np.asarray(result.residual.values[..., 0], dtype=float)
    ratio = _ratio(rmse.shape)
    w = min(5.0, 3.6 / ratio)
    h = w * ratio
    figure = Figure(figsize=(10.4, max(h, 2.4) + 1.2))
    axes = _axes(figure, 0.3, 0.3, w, h)
    image = _show(axes, shrink(rmse, 500), cmap=_cmap(RESIDUAL), vmin=0, vmax=residual_top(rmse))
    _title(axes, "reconstruction RMSE", max(w, 1.8))
    scale = _axes(figure, 0.3, h + 0.45, max(min(w, 2.6), 1.6), 0.11)
    bar = figure.colorbar(image, scale, orientation="horizontal", extend="max")
    bar.outline.set_visible(False)
    scale.tick_params(labelsize=8, colors=MUTED, labelcolor=INK, length=2)
    scale.locator_params(nbins=4)
    left = max(w, 3.0) + 1.1
    _draw_histogram(_axes(figure, left, 0.3, 10.2 - left, max(h, 2.4)), result)
    return figure


def residual_top(rmse: NDArray[Any]) -> float:
    """Upper end of the residual's colour scale: its 99th percentile."""
    finite = rmse[np.isfinite(rmse)]
    return float(np.percentile(finite, 99)) or 1.0 if finite.size else 1.0


def residual_histogram(result: Unmixing) -> Figure:
    """Histogram of the reconstruction error alone."""
    figure = Figure(figsize=(7.0, 3.6))
    _draw_histogram(_axes(figure, 0.7, 0.15, 6.2, 2.9), result)
    return figure


def _draw_histogram(axes: Axes, result: Unmixing) -> None:
    _curve_axes(axes, "reconstruction RMSE", "pixels")
    rmse = np.asarray(result.residual.values[..., 0], dtype=float)
    values, noise = rmse[np.isfinite(rmse)], noise_level(result)
    if not values.size:
        _note(axes, "no valid pixel")
        return
    limit = residual_top(rmse) * 1.15
    axes.hist(np.minimum(values, limit), bins=50, range=(0, limit), color="#8a6fae", linewidth=0)
    lines = [("median", float(np.median(values)), INK)]
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
    noise = _floats(_section(result, "noise").get("per_band"))
    noise = noise[np.isfinite(noise)]
    return float(np.sqrt(np.mean(noise**2))) if noise.size else None


# --- spectra --------------------------------------------------------------------------------------


def endmember_spectra(result: Unmixing | Endmembers) -> Figure:
    """Spectra over wavelength; blank where bands were left out, one line a detector."""
    endmembers = result if isinstance(result, Endmembers) else result.endmembers
    figure = Figure(figsize=(10.4, 4.1 + _legend_height(len(endmembers))))
    _draw_spectra(figure, endmembers, 0.1, 0.15, 10.2, 3.35)
    return figure


def _legend_height(n: int) -> float:
    return 0.0 if n <= 14 else 0.3 + 0.19 * math.ceil(n / 4)


def _runs(x: NDArray[Any], good: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Bands joined by a line: split where bands were left out, or a detector or gap intervenes.

    >>> _runs(np.array([1.0, 2, 3, 2.5, 3.5]), np.array([True, True, True, True, True]))
    [array([0, 1, 2]), array([3, 4])]
    """
    step = np.diff(x)
    if np.nansum(np.sign(step)) < 0:
        return [len(x) - 1 - run[::-1] for run in _runs(x[::-1], good[::-1])][::-1]
    if (step <= 0).sum() > 5:  # not detectors but no order at all
        order = np.argsort(x, kind="stable")
        return [order[run] for run in _runs(np.arange(len(x)), good[order])]
    usual = np.median(step[step > 0]) if (step > 0).any() else np.inf
    cut = (step <= 0) | ((step > 5 * usual) & (len(x) > 30)) | (good[1:] != good[:-1])
    return [run for run in np.split(np.arange(len(x)), np.flatnonzero(cut) + 1) if good[run[0]]]


def _draw_spectra(
    figure: Figure, endmembers: Endmembers, left: float, top: float, width: float, height: float
) -> None:
    n, wavelength = len(endmembers), endmembers.wavelength
    bands = endmembers.spectra.shape[1]
    x = np.arange(1.0, bands + 1) if wavelength is None else np.asarray(wavelength, dtype=float)
    labelled = n <= 14
    room = 2.0 if labelled else 0.1
    finite = endmembers.spectra[np.isfinite(endmembers.spectra)]
    unit = "reflectance" if finite.size and -0.5 < finite.min() and finite.max() < 2 else "value"
    axes = _axes(figure, left + 0.65, top, width - 0.65 - room, height)
    _curve_axes(axes, "band" if wavelength is None else "wavelength [nm]", unit)
    left_out = np.isnan(endmembers.spectra).all(axis=0) & np.isfinite(x)
    for run in _runs(x, left_out):
        if len(run) > 1 and x[run].max() > x[run].min():
            axes.axvspan(x[run].min(), x[run].max(), color=SHADE, linewidth=0, zorder=0)
    for i, spectrum in enumerate(endmembers.spectra):
        style = {"color": member_colour(i), "linestyle": DASHES[i // len(COLOURS) % len(DASHES)]}
        for run in _runs(x, np.isfinite(spectrum) & np.isfinite(x)):
            mark = "o" if len(run) == 1 or bands <= 16 else ""
            axes.plot(x[run], spectrum[run], linewidth=1.5, marker=mark, markersize=3, **style)
    axes.margins(x=0.01)
    _label_lines(figure, axes, endmembers, x, labelled, (height, room))


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
        legend = axes.legend(
            [_handle(i) for i in range(len(names))],
            ["."] * len(names),
            ncols=4,
            loc="upper left",
            bbox_to_anchor=(0, -0.45 / size[0]),
            frameon=False,
            fontsize=8,
            labelcolor=INK,
        )
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set(text=short(name, 1.7, 8), parse_math=False)
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


def _handle(i: int) -> Any:
    dash = DASHES[i // len(COLOURS) % len(DASHES)]
    return matplotlib.lines.Line2D([], [], color=member_colour(i), linestyle=dash, linewidth=1.5)


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


# --- curves ---------------------------------------------------------------------------------------


def _section(result: Unmixing, name: str) -> dict[str, Any]:
    """A section of the provenance; empty when it is missing or something else."""
    value = result.provenance.get(name)
    return dict(value) if isinstance(value, dict) else {}


def _floats(values: Any) -> NDArray[np.float64]:
    """A list of numbers with None or NaN in it; empty when it is none."""
    try:
        array = np.asarray([np.nan if v is None else v for v in values], dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)
    return array if array.ndim == 1 else np.empty(0)


def loss_curves(result: Unmixing) -> Figure | None:
    """Training loss by epoch, a line a term; None where nothing was trained."""
    terms = {str(k): _floats(v) for k, v in _section(result, "history").items()}
    terms = {k: v for k, v in terms.items() if np.isfinite(v).any()}
    if not terms:
        return None
    figure = Figure(figsize=(10.4, 3.2))
    axes = _curve_axes(_axes(figure, 0.75, 0.15, 7.6, 2.5), "epoch", "loss")
    values = np.concatenate([v[np.isfinite(v)] for v in terms.values()])
    if values.min() > 0 and values.max() / values.min() > 20:
        axes.set_yscale("log")
    for i, loss in enumerate(terms.values()):
        mark = "o" if len(loss) == 1 else ""
        epochs = np.arange(1, len(loss) + 1)
        axes.plot(epochs, loss, color=member_colour(i), linewidth=1.5, marker=mark)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.margins(x=0.01)
    legend = axes.legend(
        [_handle(i) for i in range(len(terms))],
        ["."] * len(terms),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.03),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )
    for text, name in zip(legend.get_texts(), terms, strict=True):
        text.set(text=short(name, 1.5), parse_math=False)
    return figure


def k_curves(result: Unmixing) -> Figure | None:
    """The evidence for the number of endmembers, one panel a criterion; None without any."""
    section = _section(result, "n_endmembers")
    found = [c for c in section.get("criteria") or [] if isinstance(c, dict)]
    curves = [(c, _floats(c.get("x")), _floats(c.get("y"))) for c in found]
    curves = [(c, x, y) for c, x, y in curves if len(x) == len(y) and np.isfinite(y).any()]
    if not curves:
        return None
    columns = min(3, len(curves))
    rows, w = math.ceil(len(curves) / columns), 10.2 / columns
    figure = Figure(figsize=(10.4, 2.9 * rows))
    for i, (criterion, x, y) in enumerate(curves):
        left, top = i % columns * w + 0.75, i // columns * 2.9 + 0.3
        axes = _axes(figure, left, top, w - 0.95, 2.0)
        labels = [
            short(str(criterion.get(k) or d), 2.4) for k, d in (("xlabel", "K"), ("ylabel", ""))
        ]
        _draw_criterion(_curve_axes(axes, *labels), criterion, x, y, section.get("k"))
        _title(axes, str(criterion.get("name", "")), w - 0.95)
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


def noise_curve(result: Unmixing) -> Figure | None:
    """Noise by band (standard deviation in the scene's unit); None where it was not estimated."""
    noise, wavelength = (
        _floats(_section(result, "noise").get("per_band")),
        result.endmembers.wavelength,
    )
    if not np.isfinite(noise).any() or len(noise) != result.endmembers.spectra.shape[1]:
        return None
    x = np.arange(1.0, len(noise) + 1) if wavelength is None else np.asarray(wavelength, float)
    figure = Figure(figsize=(10.4, 2.7))
    axes = _curve_axes(
        _axes(figure, 0.75, 0.15, 9.4, 2.0),
        "band" if wavelength is None else "wavelength [nm]",
        "noise",
    )
    for run in _runs(x, np.isfinite(noise) & np.isfinite(x)):
        mark = "o" if len(run) == 1 else ""
        axes.plot(x[run], noise[run], color=COLOURS[0], linewidth=1.3, marker=mark, markersize=3)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    return figure


def band_strip(result: Unmixing) -> Figure | None:
    """Which bands were used and why the others were not; None where nothing is known."""
    section = _section(result, "bands")
    kept = section.get("kept")
    if not isinstance(kept, list | tuple | np.ndarray) or not len(kept):
        return None
    given = section.get("reason")
    why = {str(k): str(v) for k, v in given.items()} if isinstance(given, dict) else {}
    kinds = sorted({why.get(str(i), "left out") for i, k in enumerate(kept) if not k})
    kinds = ["kept", *kinds]
    kind = np.array(
        [0 if k else kinds.index(why.get(str(i), "left out")) for i, k in enumerate(kept)]
    )
    figure = Figure(figsize=(10.4, 1.05))
    axes = _axes(figure, 0.35, 0.38, 9.6, 0.26)
    axes.spines[:].set_visible(False)
    edges = np.r_[0, np.flatnonzero(np.diff(kind)) + 1, len(kind)]
    shades = ["#b7c3cd", *(member_colour(i + 4) for i in range(len(kinds)))]
    for a, b in pairwise(edges):
        axes.axvspan(a, b, color=shades[kind[a]], linewidth=0)
    axes.set(xlim=(0, len(kind)), yticks=[])
    _band_ticks(axes, result.endmembers.wavelength, len(kind))
    legend = axes.legend(
        [Patch(facecolor=shades[i]) for i in range(len(kinds))],
        ["."] * len(kinds),
        ncols=6,
        loc="lower left",
        bbox_to_anchor=(-0.005, 1.0),
        frameon=False,
        fontsize=9,
        handlelength=1,
        labelcolor=INK,
        borderpad=0,
    )
    for i, text in enumerate(legend.get_texts()):
        label = f"{kinds[i]} ({int((kind == i).sum())})"
        text.set(text=short(label, 2.2), parse_math=False)
    return figure


def _band_ticks(axes: Axes, wavelength: NDArray[Any] | None, n: int) -> None:
    """Band numbers, with the wavelength where the scene has it."""
    ticks = np.unique(np.linspace(0, n - 1, min(n, 9)).round().astype(int))
    labels = [str(i + 1) for i in ticks]
    if wavelength is not None and len(wavelength) == n:
        labels = [f"{wavelength[i]:.0f} nm" for i in ticks]
    axes.set_xticks(ticks + 0.5, labels)
    axes.tick_params(labelsize=8, colors=MUTED, labelcolor=INK, length=3)
