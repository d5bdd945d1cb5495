"""Others' printed figures put beside our own: as a column, as rows, and as a ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import radians

from unmix.benchmark import published
from unmix.benchmark.order import scene_order
from unmix.benchmark.results import Entry, Place, Results
from unmix.benchmark.tables import Cell, Row, Table

__all__ = ["grid_table", "paper_means", "published_grid", "real_figures", "vca_angles"]


def paper_means(results: Results, part: str, table: Table) -> Table:
    """A last column with what the publication reports for a method."""
    known = published.PAPER if part == "simulated" else published.URBAN
    rows = []
    for row, entry in zip(table.rows, results.entries(part), strict=True):
        names = (entry.method, results.label(part, entry.method))
        value = next((v for k, v in known.items() if published.matches(k, *names)), None)
        text = Cell() if value is None else Cell(f"{value:.3f}", "quiet")
        rows.append(replace(row, cells=(*row.cells, text)))
    what, source = (
        ("mean", published.PAPER_SOURCE)
        if part == "simulated"
        else ("Urban", published.URBAN_SOURCE)
    )
    note = f"Published: {source.citation}. {source.protocol}"
    return replace(
        table,
        columns=(*table.columns, f"published {what}"),
        rows=tuple(rows),
        groups=(*table.groups, ("", 1)) if table.groups else (),
        notes=(*table.notes, note),
    )


def published_grid(name: str, label: str, scene: str) -> float | None:
    """RMSE printed for a method on a scene of NAE's grid, where there is one."""
    rank, snr, _ = scene_order(scene)
    for method, values in published.NAE_GRID.items():
        if published.matches(method, name, label):
            return values.get((rank[1], int(snr)))
    return None


def grid_table(results: Results, table: Table, places: Sequence[Place]) -> Table:
    """Three rows a method that has printed figures (ours, published, ratio), then the others."""
    entries = results.entries("grid")
    first: list[Row] = []
    later: list[Row] = []
    over: list[str] = []
    compared = broken = 0
    scenes = [results.about("grid", p).scene_label for p in places]
    for row, entry in zip(table.rows, entries, strict=True):
        theirs = _theirs(results, entry, places)
        head = (row.head[0], "ours", *row.head[1:])
        if not any(v is not None for v in theirs):
            later.append(Row(head, row.cells, "first" if not later else ""))
            continue
        ratios = [_ratio(c, v) for c, v in zip(row.cells, theirs, strict=True)]
        compared += sum(c.value is not None for c in ratios[: len(places)])
        broken += sum(c.kind == "failed" for c in row.cells[: len(places)])
        over += [
            f"{row.head[0]} on {scene} ({c.value:.2f}×)"
            for scene, c in zip(scenes, ratios, strict=False)
            if c.kind == "over" and c.value is not None
        ]
        blank = ("",) * (len(row.head) - 1)
        first += [
            Row(head, row.cells, "first"),
            Row(("", "published", *blank), tuple(map(_quiet, theirs)), "other"),
            Row(("", "ratio", *blank), tuple(replace(c, value=None) for c in ratios), "other"),
        ]
    source = published.NAE_SOURCE
    return replace(
        table,
        columns=(table.columns[0], "figures", *table.columns[1:]),
        rows=(*first, *later),
        leads=table.leads + 1,
        notes=(
            *table.notes,
            _verdict(over, compared, broken),
            f"Published: {source.citation}. {source.protocol}",
        ),
    )


def _verdict(over: Sequence[str], compared: int, broken: int) -> str:
    bar = f"{published.BAR:g} times the published figure"
    left = f" Not compared, because runs failed: {broken}." if broken else ""
    if not compared:
        return f"No cell has both our own and a published figure.{left}"
    if not over:
        return f"None of the {compared} cells with a published figure is above {bar}.{left}"
    return f"Above {bar} in {len(over)} of {compared} cells: {', '.join(over)}.{left}"


def _theirs(results: Results, entry: Entry, places: Sequence[Place]) -> list[float | None]:
    """Printed figures in the table's columns, their mean last where all nine are columns."""
    label = results.label("grid", entry.method)
    values = [published_grid(entry.method, label, p.scene) for p in places]
    good = [v for v in values if v is not None]
    mean = sum(good) / len(good) if len(good) == len(places) else None
    return [*values, mean] if len(places) > 1 else values


def _ratio(ours: Cell, theirs: float | None) -> Cell:
    """Ours over theirs; "over" beyond the bar.

    >>> _ratio(Cell("0.15", "", 0.15), 0.1)
    Cell(text='1.50× over', kind='over', value=1.4999999999999998)
    """
    if ours.value is None or theirs is None:
        return Cell()
    ratio = ours.value / theirs
    if ratio > published.BAR:
        return Cell(f"{ratio:.2f}× over", "over", ratio)
    return Cell(f"{ratio:.2f}×", "", ratio)


def _quiet(value: float | None) -> Cell:
    return Cell() if value is None else Cell(f"{value:.4f}", "quiet")


def vca_angles(table: Table, places: Sequence[Place]) -> Table:
    """A last row with the angles printed for VCA."""
    found = []
    for place in places:
        rank, snr, _ = scene_order(place.scene)
        degrees = published.VCA_SAD_DEGREES.get((rank[1], int(snr)))
        found.append(None if degrees is None else radians(degrees))
    good = [v for v in found if v is not None]
    if not good:
        return table
    mean = [sum(good) / len(good) if len(good) == len(found) else None] if len(found) > 1 else []
    head = ("VCA, published", *[""] * (table.leads - 1))
    row = Row(head, tuple(_quiet(v) for v in [*found, *mean]), "other")
    note = "Published: the same source, printed in degrees."
    return replace(table, rows=(*table.rows, row), notes=(*table.notes, note))


def real_figures(table: Table, places: Sequence[Place], metric: str) -> Table:
    """Rows of others' figures on the real scenes, each method once."""
    which = 0 if metric == "abundance_rmse" else 1
    printed = [published.real_rows(p.scene) for p in places]
    rows: list[Row] = []
    sources: list[published.Source] = []
    for name in dict.fromkeys(n for rows_ in printed for n in rows_):
        values = [found[name][1][which] if name in found else None for found in printed]
        if not any(values):
            continue
        source = next(found[name][0] for found in printed if name in found)
        sources.append(source)
        mark = ", authors’ code" if source is published.MEASURED_SOURCE else ", published"
        cells = [Cell(v.text(3), "quiet") if v else Cell() for v in values]
        cells += [Cell()] * (len(table.columns) - table.leads - len(cells))
        head = (f"{name}{mark}", *[""] * (table.leads - 1))
        rows.append(Row(head, tuple(cells), "other" if rows else "other first"))
    notes = [
        f"{s.name[0].upper()}{s.name[1:]}: {s.citation}. {s.protocol}" for s in _unique(sources)
    ]
    return replace(table, rows=(*table.rows, *rows), notes=(*table.notes, *notes))


def _unique(sources: Sequence[published.Source]) -> list[published.Source]:
    return list(dict.fromkeys(sources))
