"""Which tables a suite has: rows are methods, columns scenes or what was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from unmix.benchmark.beside import grid_table, paper_means, real_figures, vca_angles
from unmix.benchmark.order import scene_order
from unmix.benchmark.results import Entry, Place, Results, failed, stat
from unmix.benchmark.tables import Cell, Row, Table, cell, mark_best

__all__ = ["PART_TITLES", "TITLES", "columns", "costs", "failures", "tables"]

MODEL_NAMES = {"linear": "linear", "bilinear": "bilinear", "pnmm": "post-nonlinear"}
PART_TITLES = {
    "simulated": "Simulated scenes",
    "transfer-crop": "Transfer to the real Urban crop",
    "transfer-full": "Transfer to the full Urban scene, semi-synthetic",
    "grid": "The grid of NAE",
    "blind": "Blind: endmembers estimated",
    "known": "With the published endmembers given",
}


@dataclass(frozen=True)
class Metric:
    """How a metric is titled and printed."""

    name: str
    title: str
    digits: int = 3
    higher: bool = False


TITLES = {
    m.name: m
    for m in (
        Metric("abundance_rmse", "Abundance RMSE"),
        Metric("abundance_sad_rad", "Abundance SAD [rad]"),
        Metric("abundance_sid", "Abundance SID"),
        Metric("psnr_db", "PSNR of the abundances [dB]", 2, higher=True),
        Metric("endmember_sad_rad", "Endmember SAD [rad]"),
        Metric("reconstruction_rmse", "Reconstruction RMSE", 4),
        Metric("seconds", "Time [s]", 2),
        Metric("peak_mb", "Peak memory above the start [MB]", 0),
        Metric("n_iter", "Iterations or epochs", 0),
    )
}
_ALL = ("abundance_rmse", "abundance_sad_rad", "abundance_sid")
_SPECTRA = ("endmember_sad_rad", "reconstruction_rmse")
SHOWN = {
    "simulated": (*_ALL, *_SPECTRA),
    "transfer-crop": ("psnr_db", *_ALL),
    "transfer-full": ("psnr_db", *_ALL),
    "grid": ("abundance_rmse", *_SPECTRA),
    "blind": ("abundance_rmse", "endmember_sad_rad", "reconstruction_rmse"),
    "known": ("abundance_rmse", "reconstruction_rmse"),
}
NUMBERS = {
    ("simulated", "abundance_rmse"): "Table 3. ",
    ("simulated", "abundance_sad_rad"): "Table 4. ",
    ("simulated", "abundance_sid"): "Table 5. ",
}


@dataclass(frozen=True)
class Column:
    """A column's place, its text and the group it stands in."""

    place: Place
    text: str
    group: str = ""


def columns(results: Results, part: str) -> list[Column]:
    """Columns of a part: by mixing model and SNR where scenes have them, else one a scene."""
    found = []
    for place in results.places(part):
        run = results.about(part, place)
        rank, snr, _ = scene_order(place.trained_on or place.scene, run.model, run.snr_db)
        model = rank[1]
        if place.trained_on is None and part.startswith("transfer"):
            found.append(Column(place, "itself", "trained on"))
        elif model in MODEL_NAMES and snr >= 0:
            found.append(Column(place, f"{snr:g} dB", MODEL_NAMES[model]))
        else:
            found.append(Column(place, place.trained_on or run.scene_label))
    return found


def groups(found: Sequence[Column]) -> tuple[tuple[str, int], ...]:
    """Runs of columns that share a group, where there are any."""
    if not any(c.group for c in found):
        return ()
    return tuple((name, len(list(run))) for name, run in groupby(found, lambda c: c.group))


def tables(results: Results, part: str) -> list[Table]:
    """All tables of scores of a part."""
    made = [
        score_table(results, part, TITLES[name])
        for name in SHOWN.get(part, (*_ALL, *_SPECTRA))
        if any(name in r.values for r in results.runs if r.part == part) or name in _ALL[:1]
    ]
    if part.startswith("transfer"):
        made.append(_members(results, part))
    return made


def score_table(results: Results, part: str, metric: Metric) -> Table:
    """A metric of a part: a row a method and scale mode, a column a place, the mean last."""
    found = columns(results, part)
    digits = 4 if part == "grid" and metric.digits == 3 else metric.digits
    scales = _scales(results, part)
    rows = [
        Row(
            (results.label(part, e.method), *([e.scale] if scales else [])),
            _cells(results, part, found, e, metric.name, digits),
        )
        for e in results.entries(part)
    ]
    averaged = len(found) > 1
    names = [c.text for c in found] + (["mean"] if averaged else [])
    spans = groups(found)
    table = Table(
        name=f"{part}-{metric.name}".replace("_", "-"),
        title=_title(results, part, metric),
        columns=("method", *(["scale"] if scales else []), *names),
        rows=mark_best(rows, len(names), metric.higher),
        leads=2 if scales else 1,
        groups=(*spans, ("", 1)) if spans and averaged else spans,
        notes=_notes(results, part),
    )
    return _beside(results, part, metric, table, found)


def _beside(
    results: Results, part: str, metric: Metric, table: Table, found: Sequence[Column]
) -> Table:
    """The table with what others have printed."""
    places = [c.place for c in found]
    if metric.name == "abundance_rmse" and part in ("simulated", "transfer-crop"):
        return paper_means(results, part, table)
    if metric.name == "abundance_rmse" and part == "grid":
        return grid_table(results, table, places)
    if metric.name == "endmember_sad_rad" and part == "grid":
        return vca_angles(table, places)
    if part == "blind" and metric.name in ("abundance_rmse", "endmember_sad_rad"):
        return real_figures(table, places, metric.name)
    return table


def _cells(
    results: Results, part: str, found: Sequence[Column], entry: Entry, metric: str, digits: int
) -> tuple[Cell, ...]:
    """A row's cells; a mean over fewer scenes than the others' says so and is not compared."""
    places = [c.place for c in found]
    cells = [cell(results.stat(part, p, entry, metric), digits) for p in places]
    if len(places) < 2:
        return tuple(cells)
    mean = results.mean_stat(part, places, entry, metric)
    if mean is None or mean[0].mean is None:
        return (*cells, Cell())
    if mean[1] < len(places):
        whole = cell(mean[0]._replace(failed=0), digits)
        return (*cells, Cell(f"{whole.text} ({mean[1]} of {len(places)})", "failed"))
    return (*cells, cell(mean[0], digits))


def _scales(results: Results, part: str) -> bool:
    """Whether the scale mode takes a column."""
    return len({e.scale for e in results.entries(part)}) > 1


def _title(results: Results, part: str, metric: Metric) -> str:
    base = f"{NUMBERS.get((part, metric.name), '')}{metric.title}"
    if not part.startswith("transfer"):
        return base
    number = {"transfer-crop": "Tables 6–7", "transfer-full": "Tables 6–7, full scene"}[part]
    return f"{number}. {base}, by the scene trained on"


def _notes(results: Results, part: str) -> tuple[str, ...]:
    """What the numbers in a table are."""
    seeds = len({r.seed for r in results.runs if r.part == part})
    entries = results.entries(part)
    scale = f" Scale {entries[0].scale}." if not _scales(results, part) else ""
    if seeds < 2:
        return (f"One seed, so no spread.{scale} The best of a column is bold.",)
    return (
        f"Mean ± standard deviation over {seeds} seeds.{scale} The best mean of a column is bold; "
        "what failed for a seed is left out of that comparison.",
    )


def _members(results: Results, part: str) -> Table:
    """RMSE of each member: the mean over seeds and what was trained on."""
    own = [r for r in results.runs if r.part == part]
    names = list(dict.fromkeys(m for r in own for m in r.member_rmse))
    scales, rows = _scales(results, part), []
    for entry in results.entries(part):
        runs = [r for r in own if r.entry == entry]
        by_seed: dict[int, list[dict[str, float]]] = {}
        for run in runs:
            if run.member_rmse:
                by_seed.setdefault(run.seed, []).append(dict(run.member_rmse))
        cells = [
            cell(
                stat([stat([r.get(m) for r in v]).mean for v in by_seed.values()], failed(runs)), 3
            )
            for m in names
        ]
        head = (results.label(part, entry.method), *([entry.scale] if scales else []))
        rows.append(Row(head, tuple(cells)))
    return Table(
        f"{part}-members",
        "Abundance RMSE by member, mean over the scenes trained on",
        ("method", *(["scale"] if scales else []), *names),
        mark_best(rows, len(names)),
        leads=2 if scales else 1,
        notes=_notes(results, part),
    )


def costs(results: Results, part: str) -> list[Table]:
    """Time, memory and iterations of a part, in the order of the scores."""
    made = []
    for name in ("seconds", "peak_mb", "n_iter"):
        if any(name in r.values for r in results.runs if r.part == part):
            table = score_table(results, part, TITLES[name])
            plain = tuple(Row(r.head, tuple(_unmarked(c) for c in r.cells)) for r in table.rows)
            made.append(
                Table(
                    table.name, TITLES[name].title, table.columns, plain, table.leads, table.groups
                )
            )
    return made


def _unmarked(found: Cell) -> Cell:
    return Cell(found.text, "" if found.kind == "best" else found.kind)


def failures(results: Results) -> Table | None:
    """The runs that failed and why; None where all went well."""
    bad = [r for r in results.runs if r.failed]
    if not bad:
        return None
    rows = [
        Row(
            (
                *(r.part, f"{r.scene}{f' from {r.trained_on}' if r.trained_on else ''}"),
                *(r.label, r.scale, str(r.seed), r.message or "no reason was recorded"),
            ),
            (),
        )
        for r in bad
    ]
    names = ("part", "scene", "method", "scale", "seed", "why")
    return Table("failed", "Runs that failed", names, tuple(rows), leads=6)
