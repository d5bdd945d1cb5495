"""Reading what the runner left: rows and manifest, never trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from unmix.benchmark.order import PARTS, SCALES, method_order, rank, scene_order
from unmix.benchmark.results import COSTS, METRICS, Results, Run
from unmix.checks import InputError
from unmix.output.tables import plain

__all__ = ["read"]


def read(out: Path) -> Results:
    """The folder a benchmark wrote.

    Raises
    ------
    InputError
        There is no such folder, it has no results or no manifest, or a line is damaged. Half a
        line at the very end, which an interrupted run leaves, is passed over.
    """
    path, manifest = out / "results.jsonl", out / "manifest.json"
    for file in (path, manifest):
        if not file.is_file():
            raise InputError(
                f"out: {out} has no {file.name}; give a folder `unmix benchmark` wrote"
            )
    try:
        about = json.loads(manifest.read_bytes())
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"out: {out} cannot be read ({error}); run the benchmark anew") from None
    rows = list(_rows(lines, path))
    if not rows:
        raise InputError(f"out: {path} has no results; run the benchmark, or give it data")
    about = about if isinstance(about, dict) else {}
    unique = {(r.part, r.place, r.entry, r.seed): r for r in rows}  # a repeated run replaces
    order = method_order(about)
    runs = sorted(unique.values(), key=lambda r: _order(r, order))
    return Results(out, about, tuple(runs))


def _rows(lines: list[str], path: Path) -> Iterable[Run]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _run(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):  # no newline after it: it was being written
                return
            raise InputError(
                f"out: {path.name}, line {number}, is damaged ({error}); delete the line"
            ) from None


def _run(row: Mapping[str, Any]) -> Run:
    numbers = {k: _number(row.get(k)) for k in (*METRICS, *COSTS)}
    numbers["n_iter"] = numbers["n_iter"] or None  # 0: it does not iterate
    failed = row["status"] != "ok"
    method, scene = str(row["method"]), str(row["scene"])
    return Run(
        part=str(row["part"]),
        scene=scene,
        scene_label=_words(row.get("scene_label")) or _words(scene),
        trained_on=None if row.get("trained_on") is None else str(row["trained_on"]),
        model=None if row.get("model") is None else str(row["model"]),
        snr_db=_number(row.get("snr_db")),
        method=method,
        label=_words(row.get("label")) or _words(method),
        scale=str(row.get("scale") or "none"),
        seed=int(row.get("seed") or 0),
        failed=failed,
        message=_words(row.get("message")),
        values={k: v for k, v in numbers.items() if v is not None and (k in COSTS or not failed)},
        member_rmse=_numbers({} if failed else row.get("member_rmse")),
        fit_status=_words(row.get("fit_status")),
        arrays=str(row["arrays"]) if row.get("arrays") else None,
    )


def _words(value: Any) -> str:
    """Text on one line."""
    return "" if value is None else " ".join(plain(str(value)).split())


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _numbers(value: Any) -> dict[str, float]:
    items = value.items() if isinstance(value, Mapping) else ()
    return {_words(k): n for k, v in items if (n := _number(v)) is not None}


def _order(run: Run, of_method: Any) -> Any:
    return (
        rank(PARTS, run.part),
        scene_order(run.scene, run.model, run.snr_db),
        scene_order(run.trained_on),
        of_method(run.method),
        rank(SCALES, run.scale),
        run.seed,
    )
