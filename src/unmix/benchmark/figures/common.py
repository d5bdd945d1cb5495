"""What the figures share: which scenes, panels and colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from unmix.benchmark.layout import Column, columns
from unmix.benchmark.results import Entry, Place, Results
from unmix.plot.style import COLOURS, INK, MUTED, member_colour, short

__all__ = ["WIDTH", "Facets", "Picture", "chosen", "facets", "heading", "labels", "shown", "tint"]

WIDTH = 10.4  # inches of every figure
SCALE_CHOICE = ("auto", "l2", "shade", "max", "none")  # which mode is drawn where one must be


@dataclass(frozen=True)
class Picture:
    """A figure with its file name, title and a sentence on what it shows.

    `kind` tells which colours it needs: "chart", "maps", or "photograph".
    """

    name: str
    title: str
    caption: str
    figure: Figure
    kind: str = "chart"


@dataclass(frozen=True)
class Facets:
    """Panels of a part and what is drawn side by side in each (`series`): SNRs or scale modes.

    `where` gives the place and, if series are scale modes, the mode, of (panel, series).
    """

    panels: tuple[str, ...]
    series: tuple[str, ...]
    where: dict[tuple[int, int], tuple[Place, str | None]]

    def at(self, panel: int, series: int, entry: Entry) -> tuple[Place, Entry] | None:
        """Place and entry drawn for a method there."""
        found = self.where.get((panel, series))
        if found is None:
            return None
        return found[0], Entry(entry.method, entry.scale if found[1] is None else found[1])


def facets(results: Results, part: str) -> Facets:
    """Mixing models by SNR where scenes have them, scenes by scale mode otherwise."""
    found = columns(results, part)
    scales = list(dict.fromkeys(e.scale for e in results.entries(part)))
    if all(c.group and c.group != "trained on" for c in found):
        panels = list(dict.fromkeys(c.group for c in found))
        series = sorted({c.text for c in found}, key=lambda t: float(t.split()[0]))
        at = {(panels.index(c.group), series.index(c.text)): (c.place, None) for c in found}
        trained = "trained on " if part.startswith("transfer") else ""
        alone = f", {series[0]}" if len(series) == 1 else ""
        return Facets(tuple(f"{trained}{p}{alone}" for p in panels), tuple(series), {**at})
    series = [f"scale {s}" for s in scales]
    many = len(scales) > 1
    at_scale = {
        (i, j): (c.place, s if many else None)
        for i, c in enumerate(found)
        for j, s in enumerate(scales)
    }
    return Facets(tuple(_name(c) for c in found), tuple(series) if many else ("",), at_scale)


def _name(column: Column) -> str:
    return f"{column.group} {column.text}".strip()


def shown(results: Results, part: str) -> list[Entry]:
    """One entry a method: where there are several scale modes, `auto`, else the next in line."""
    found: dict[str, Entry] = {}
    for entry in results.entries(part):
        old = found.get(entry.method)
        if old is None or _rank(entry.scale) < _rank(old.scale):
            found[entry.method] = entry
    return list(found.values())


def _rank(scale: str) -> int:
    return SCALE_CHOICE.index(scale) if scale in SCALE_CHOICE else len(SCALE_CHOICE)


def labels(results: Results, part: str, entries: Sequence[Entry]) -> list[str]:
    """Names of the entries, with the scale mode where they differ in it."""
    mixed = len({e.scale for e in entries}) > 1
    names = [results.label(part, e.method) for e in entries]
    return [f"{n} ({e.scale})" if mixed else n for n, e in zip(names, entries, strict=True)]


def colour(results: Results, entry: Entry) -> str:
    """The method's colour in every figure; from the eleventh on darker: pale has a meaning."""
    i = results.methods.index(entry.method)
    return member_colour(i if i < len(COLOURS) else i + len(COLOURS))


def tint(hue: str, step: int, steps: int) -> str:
    """A colour mixed with white: the first of `steps` the palest, the last as it is.

    >>> tint("#0072B2", 2, 3), tint("#0072B2", 0, 1)
    ('#0072b2', '#0072b2')
    """
    rgb = np.array(matplotlib.colors.to_rgb(hue))
    part = 0.62 * (1 - (step + 1) / steps) * steps / max(steps - 1, 1)
    return str(matplotlib.colors.to_hex(tuple((rgb + (1 - rgb) * part).tolist())))


def chosen(results: Results, part: str) -> list[Column]:
    """Scenes whose arrays are drawn: every real one, and the middle SNR of each mixing model.

    Where the model is what was trained on, only the first one's.
    """
    found = columns(results, part)
    if not all(c.group for c in found):
        return found
    groups = list(dict.fromkeys(c.group for c in found))
    middle = []
    for group in groups:
        own = [c for c in found if c.group == group]
        middle.append(own[len(own) // 2])
    return middle[:1] if part.startswith("transfer") else middle


def about(results: Results, part: str, column: Column) -> str:
    """Words on a scene, and on what was trained on."""
    label = results.about(part, column.place).scene_label
    if column.place.trained_on is None:
        return label
    return f"{label}, trained on {column.group} {column.text}".replace("  ", " ")


def file_name(*parts: str) -> str:
    """A file name from words.

    >>> file_name("maps", "a/../b c")
    'maps-a-b-c'
    """
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def heading(
    figure: Figure, left: float, top: float, text: str, room: float, size: float = 9
) -> None:
    """Words at inches from the figure's top left corner."""
    w, h = figure.get_size_inches()
    figure.text(
        left / w, 1 - top / h, short(text, room, size), fontsize=size, color=INK, va="bottom",
        parse_math=False,
    )  # fmt: skip


def remark(figure: Figure, left: float, top: float, text: str) -> None:
    """Small grey words, as `heading`."""
    w, h = figure.get_size_inches()
    figure.text(left / w, 1 - top / h, text, fontsize=8, color=MUTED, va="bottom", parse_math=False)
