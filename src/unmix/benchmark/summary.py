"""The rows as a tidy CSV, and their means and spreads as JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from unmix.benchmark.results import COSTS, METRICS, Results, Run, failed, stat
from unmix.output.tables import json_safe, plain

__all__ = ["to_csv", "to_json"]

TEXT = ("part", "scene", "scene_label", "trained_on", "model", "method", "label", "scale")


def to_csv(results: Results) -> str:
    """A line a run; text that a spreadsheet would take for a formula gets an apostrophe before it.

    The errors by member are one cell of JSON, because members differ between scenes.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        (
            *("suite", "part", "scene", "scene_label", "trained_on", "model", "snr_db", "method"),
            *("label", "scale", "seed", "status", "message", *METRICS, *COSTS),
            *("member_rmse", "fit_status", "arrays"),
        )
    )
    for r in results.runs:
        members = json.dumps(r.member_rmse, ensure_ascii=False) if r.member_rmse else ""
        snr = "" if r.snr_db is None else f"{r.snr_db:g}"
        head = [r.part, r.scene, r.scene_label, r.trained_on or "", r.model or "", snr, r.method]
        head += [r.label, r.scale, str(r.seed), "failed" if r.failed else "ok", r.message]
        numbers = [repr(r.values[k]) if k in r.values else "" for k in (*METRICS, *COSTS)]
        text = [*map(_defuse, [results.suite, *head])]
        writer.writerow([*text, *numbers, members, _defuse(r.fit_status), _defuse(r.arrays or "")])
    return buffer.getvalue()


def _defuse(cell: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> _defuse("=1+1"), _defuse("VCA")
    ("'=1+1", 'VCA')
    """
    cell = plain(cell)
    return f"'{cell}" if re.match(r"'*[=+\-@]", cell) else cell


def to_json(results: Results) -> str:
    """Mean, standard deviation and number of seeds of every metric, a record a cell."""
    cells = []
    for part in results.parts:
        for place in results.places(part):
            for entry in results.entries(part):
                runs = results.cell(part, place, entry)
                if runs:
                    cells.append(_record(runs))
    whole = {"suite": results.suite, "quick": bool(results.manifest.get("quick")), "cells": cells}
    return json.dumps(json_safe(whole), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _record(runs: list[Run]) -> dict[str, Any]:
    first = runs[0]
    members = dict.fromkeys(m for r in runs for m in r.member_rmse)
    return {
        **{k: getattr(first, k) for k in (*TEXT, "snr_db")},
        "runs": len(runs),
        "failed": failed(runs),
        "metrics": {k: _spread([r.values.get(k) for r in runs]) for k in (*METRICS, *COSTS)},
        "member_rmse": {m: _spread([r.member_rmse.get(m) for r in runs]) for m in members},
    }


def _spread(values: Sequence[float | None]) -> dict[str, float | int | None]:
    found = stat(values)
    return {"mean": found.mean, "std": found.std, "n": found.n}
