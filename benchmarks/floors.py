"""Every hot path's ratio to its floor, in one table, kept over time.

    python benchmarks/floors.py [--pixels 1000000] [--bands 305] [--members 5] [--only NAME ...]
    python benchmarks/floors.py --table

Path and floor run in turn, in one process, on the same pixels, so that a machine that slows down
slows both. The ratio is that of medians, "quiet" that of the quickest path and the quickest floor,
which other work on the machine disturbed least. Results are appended to results/floors.jsonl;
`--table` prints the latest of each path and size, and the ratios before it, the oldest first.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from common import RESULTS, announce, keep
from paths import PATHS, Hot, Setting

_SECONDS = 20.0  # of rounds per path
_LEAST, _MOST = 3, 25
_SHOWN = 6  # of the ratios before


def measured(hot: Hot, seconds: float = _SECONDS, most: int = _MOST) -> dict[str, Any]:
    """Seconds of path and floor by turns, and their ratio; in so many seconds where it can."""
    rounds: list[tuple[float, float]] = []
    hot.floor(), hot.path()
    begin = time.perf_counter()
    while len(rounds) < _LEAST or (len(rounds) < most and time.perf_counter() - begin < seconds):
        start = time.perf_counter()
        hot.floor()
        middle = time.perf_counter()
        hot.path()
        rounds.append((middle - start, time.perf_counter() - middle))
    floors, paths = np.array(rounds).T
    return {
        "floor": hot.floor_is,
        "pixels": hot.pixels,
        "threads": hot.threads,
        "path_ms": round(1e3 * float(np.median(paths)), 3),
        "floor_ms": round(1e3 * float(np.median(floors)), 3),
        "ratio": round(float(np.median(paths) / np.median(floors)), 3),
        "quiet": round(float(paths.min() / floors.min()), 3),
        "quiet_path_ms": round(1e3 * float(paths.min()), 3),
        "bar": hot.bar,
        "rounds": len(rounds),
    }


def table(lines: Sequence[str]) -> list[str]:
    """The latest result of every path and size, with those before it, as rows of Markdown."""
    kept: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        row = json.loads(line)
        key = tuple(row[name] for name in ("path", "pixels", "bands", "members", "threads"))
        kept.setdefault(key, []).append(row)
    heads = ("path", "pixels × bands, K", "threads", "times its floor", "quiet", "bar", "floor")
    heads += ("µs a pixel", "before")
    out = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (path, pixels, bands, members, threads), rows in kept.items():
        last, before = rows[-1], rows[-1 - _SHOWN : -1]
        met = "" if last["bar"] is None else f"{last['bar']:g}"
        trend = ", ".join(f"{row['ratio']:.3g}" for row in before)
        each = 1e3 * last["quiet_path_ms"] / pixels
        out.append(
            f"| {path} | {pixels:,} × {bands}, {members} | {threads} | {last['ratio']:.3g} "
            f"| {last['quiet']:.3g} | {met} "
            f"| {last['floor']} | {each:.3g} | {trend} |"
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=1_000_000)
    parser.add_argument("--bands", type=int, default=305)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PATHS, default=list(PATHS), metavar="NAME")
    parser.add_argument("--table", action="store_true", help="print what was kept, measure nothing")
    options = parser.parse_args()
    if options.table:
        file = RESULTS / "floors.jsonl"
        print("\n".join(table(file.read_text().splitlines() if file.exists() else [])))
        return
    announce()
    setting = Setting(options.pixels, options.bands, options.members)
    for name in options.only:
        about = {"path": name, "bands": options.bands, "members": options.members}
        keep("floors", [about | measured(PATHS[name](setting))])


if __name__ == "__main__":
    main()
