"""What a pixel costs as pixels, bands and members grow, beside reading it.

    python benchmarks/cost.py [--only NAME ...] [--table]

On one thread. One of the three changes at a time; the others stay at 100 000 pixels, 200 bands and
5 members. Each point is the path by turns with its floor, as in floors.py. Results are appended to
results/cost.jsonl; `--table` prints the quickest of each that was kept.
"""

from __future__ import annotations

import os

os.environ["UNMIX_THREADS"] = "1"

import argparse
import json
from collections.abc import Iterator

from common import RESULTS, announce, keep
from floors import measured
from paths import PATHS, Setting

_MIDDLE = (100_000, 200, 5)
_AXES = {
    "pixels": (10_000, 100_000, 1_000_000),
    "bands": (50, 100, 200, 400),
    "members": (3, 4, 5, 8, 10, 15, 20),
}
_SHOWN = ("FCLS", "NNLS", "K-Hype", "network, transform", "default, pixels")
_SECONDS = 1.0
_ROUNDS = 100
_MOST_OF_DEFAULT = 8  # members: fitting more takes minutes


def sizes() -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Axis and (pixels, bands, members) of every point."""
    for i, (axis, values) in enumerate(_AXES.items()):
        for value in values:
            size = list(_MIDDLE)
            size[i] = value
            yield axis, (size[0], size[1], size[2])


def print_tables() -> None:
    best: dict[tuple, dict] = {}
    for line in (RESULTS / "cost.jsonl").read_text().splitlines():
        row = json.loads(line)
        key = row["path"], row["axis"], tuple(row["size"])
        if key not in best or row["quiet_path_ms"] < best[key]["quiet_path_ms"]:
            best[key] = row
    for axis in _AXES:
        points = [size for other, size in sizes() if other == axis]
        heads = [f"{value:,}" for value in _AXES[axis]]
        print(f"\n| {axis} | {' | '.join(heads)} |\n|{'---|' * (1 + len(heads))}")
        for name in _SHOWN:
            cells = [_cell(best.get((name, axis, size))) for size in points]
            print(f"| {name} | {' | '.join(cells)} |")


def _cell(row: dict | None) -> str:
    """µs a pixel and times the floor, in the round that other work disturbed least."""
    if row is None:
        return ""
    return f"{1e3 * row['quiet_path_ms'] / row['pixels']:.2g} ({row['quiet']:.2g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PATHS, default=list(_SHOWN), metavar="NAME")
    parser.add_argument("--axis", choices=_AXES, help="this axis alone")
    parser.add_argument("--table", action="store_true", help="print what was kept, measure nothing")
    options = parser.parse_args()
    if options.table:
        print_tables()
        return
    announce()
    for axis, size in sizes():
        if options.axis in (None, axis):
            setting = Setting(*size)
            for name in options.only:
                if name.startswith("default") and size[2] > _MOST_OF_DEFAULT:
                    continue
                row = measured(PATHS[name](setting), _SECONDS, _ROUNDS)
                keep("cost", [{"path": name, "axis": axis, "size": size} | row])


if __name__ == "__main__":
    main()
