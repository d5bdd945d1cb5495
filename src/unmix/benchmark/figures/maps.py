"""Abundance maps of the truth and of every method, on one scale, and views of the scenes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.benchmark.figures.common import (
    WIDTH,
    Picture,
    about,
    chosen,
    file_name,
    heading,
    labels,
    remark,
    shown,
)
from unmix.benchmark.layout import Column
from unmix.benchmark.results import Entry, Results
from unmix.plot.maps import show_map, side_ratio
from unmix.plot.style import ABUNDANCE, INK, MUTED, colormap, inch_axes, short, shrink

__all__ = ["abundance_maps", "scene_views"]

Maps = list[tuple[str, NDArray[np.float64]]]
SIDE = 150  # pixels of a map that are drawn
LEFT, WIDE_LEFT, GAP, BELOW = 0.32, 0.95, 0.06, 0.17


def scene_views(results: Results, part: str) -> Iterator[Picture]:
    """False-colour views of the scenes, once: with the first part that has them."""
    if part not in results.parts[:1]:
        return
    parts = [p for p in results.parts if p != "grid"]  # whose pixels have no places
    scenes = dict.fromkeys(c.place.scene for p in parts for c in chosen(results, p))
    found: list[tuple[str, NDArray[Any]]] = []
    for scene in scenes:
        rgb = (results.truth(scene) or {}).get("rgb", np.empty(0))
        label = next(r.scene_label for r in results.runs if r.scene == scene)
        if rgb.ndim == 3 and found and np.array_equal(rgb, found[-1][1]):
            found[-1] = (f"{found[-1][0]}, {label}", rgb)  # one image, other members
        elif rgb.ndim == 3:
            found.append((label, rgb))
    if not found:
        return
    across = min(max(len(found), 4), 6)
    width = WIDTH / across
    ratio = max(side_ratio(rgb.shape) for _, rgb in found)
    pitch = (width - 0.15) * ratio + 0.35
    figure = Figure(figsize=(WIDTH, pitch * math.ceil(len(found) / across)))
    for i, (label, rgb) in enumerate(found):
        r, c = divmod(i, across)
        top = r * pitch + 0.28
        high = (width - 0.15) * side_ratio(rgb.shape)
        axes = inch_axes(figure, c * width + 0.05, top, width - 0.15, high)
        show_map(axes, np.nan_to_num(shrink(rgb, 300), nan=0.83).clip(0, 1))
        heading(figure, c * width + 0.05, top - 0.05, label, width - 0.15)
    yield Picture("scenes", "The scenes", "False-colour views.", figure, kind="photograph")


def abundance_maps(results: Results, part: str) -> Iterator[Picture]:
    """A figure a scene: rows are members, columns the truth and the methods."""
    if part == "grid":  # its pixels have no places
        return
    entries = shown(results, part)
    for column in chosen(results, part):
        truth = results.truth(column.place.scene)
        if not truth or truth["A"].ndim != 3:
            continue
        maps = _maps(results, part, column, entries, truth["A"])
        if not maps:
            continue
        number = "Figure 15. " if part == "simulated" else ""
        yield Picture(
            file_name("maps", part, column.place.scene),
            f"{number}Abundance maps: {about(results, part, column)}",
            "The truth and what each method found, first seed, all on one scale. Below a map: its "
            "RMSE over the pixels.",
            _figure(truth, maps),
            kind="maps",
        )


def _maps(
    results: Results, part: str, column: Column, entries: list[Entry], A: NDArray[Any]
) -> Maps:
    """Name and maps of the methods whose arrays were kept."""
    found = []
    for entry, label in zip(entries, labels(results, part, entries), strict=True):
        kept = results.kept(part, column.place, entry)
        if kept and "A" in kept and kept["A"].shape == A.shape:
            found.append((label, np.asarray(kept["A"], np.float64)))
    return found


def _figure(truth: dict[str, NDArray[Any]], maps: Maps) -> Figure:
    """Blocks of columns, the truth first in each; one axes in inches holds all maps."""
    A = np.asarray(truth["A"], np.float64)
    K, ratio = A.shape[2], side_ratio(A.shape)
    most = 6 if K <= 6 else 9  # methods side by side
    blocks = math.ceil(len(maps) / most)
    most = math.ceil(len(maps) / blocks)  # as many in each block
    flat = (WIDTH - LEFT) / (most + 1) * ratio < 0.8  # no room for names on their side
    margin = WIDE_LEFT if flat else LEFT
    slot = min((WIDTH - margin) / (most + 1), 2.2, 2.0 / ratio + GAP)
    width = slot - GAP
    pitch = width * ratio + BELOW
    height = 0.5 + K * pitch
    figure = Figure(figsize=(WIDTH, blocks * height + 0.4))
    axes = inch_axes(figure, 0, 0, WIDTH, blocks * height)
    for b in range(blocks):
        top = b * height + 0.3
        for c, (label, values) in enumerate([("truth", A), *maps[b * most : (b + 1) * most]]):
            left = margin + c * slot
            heading(figure, left, top - 0.05, label, width, 8.5)
            for k in range(K):
                y = top + k * pitch
                box = (left, left + width, y + width * ratio, y)
                show_map(
                    axes, shrink(values[..., k], SIDE), cmap=colormap(ABUNDANCE), vmin=0, vmax=1,
                    extent=box,
                )  # fmt: skip
                below = y + width * ratio + 0.14
                if c:
                    error = float(np.sqrt(np.nanmean((values[..., k] - A[..., k]) ** 2)))
                    remark(figure, left, below, f"{error:.3f}")
        for k, name in enumerate(truth["names"]):
            y = top + k * pitch + width * ratio / 2
            words = short(str(name), WIDE_LEFT - 0.1 if flat else width * ratio, 8)
            axes.text(
                margin - 0.08, y, words, fontsize=8, color=INK, rotation=0 if flat else 90,
                ha="right", va="center", parse_math=False,
            )  # fmt: skip
    axes.set(xlim=(0, WIDTH), ylim=(blocks * height, 0))
    axes.set_axis_off()
    _scale_bar(figure, blocks * height)
    return figure


def _scale_bar(figure: Figure, top: float) -> None:
    """The colourbar that all maps share."""
    axes = inch_axes(figure, LEFT, top, 2.6, 0.1)
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), colormap(ABUNDANCE)), axes, orientation="horizontal"
    )
    bar.outline.set_visible(False)
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "0.25", "0.5", "0.75", "1"])
    axes.tick_params(labelsize=8, colors=MUTED, labelcolor=INK, length=2)
    remark(figure, LEFT + 2.75, top + 0.14, "abundance")
