"""Accuracy against time: every method over the simulated scenes of `unmix benchmark paper`.

    python benchmarks/accuracy_time.py RESULTS[,RESULTS...] FIGURE.svg

Prints mean abundance RMSE and median seconds a scene (fit and abundances) of each method's blind
runs, and draws them.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from unmix.plot.style import INK, MUTED, member_colour


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results")
    parser.add_argument("figure", type=Path)
    arguments = parser.parse_args()
    found = defaultdict(list)
    for folder in arguments.results.split(","):
        for text in (Path(folder) / "results.jsonl").read_text().splitlines():
            row = json.loads(text)
            if row["part"] == "simulated" and row["abundance_rmse"] is not None:
                found[row["label"]].append((row["abundance_rmse"], row["seconds"]))
    points = {
        k: (np.mean([a for a, _ in v]), np.median([t for _, t in v])) for k, v in found.items()
    }
    order = sorted(points, key=lambda k: points[k][0])
    print("| method | abundance RMSE | seconds a scene | runs |\n|---|---:|---:|---:|")
    for label in order:
        rmse, seconds = points[label]
        print(f"| {label} | {rmse:.4f} | {seconds:.2f} | {len(found[label])} |")
    draw({label: points[label] for label in order}).savefig(
        arguments.figure, bbox_inches="tight", dpi=110
    )


def draw(points: dict[str, tuple[float, float]]) -> Figure:
    """Each method at its seconds and RMSE, both logarithmic."""
    figure = Figure(figsize=(7, 4.2))
    axes = figure.add_axes((0.1, 0.13, 0.86, 0.83))
    for label, (rmse, seconds) in points.items():
        ours = label == "CResDAE"
        colour = member_colour(0) if ours else MUTED
        axes.plot(seconds, rmse, "o", color=colour, markersize=8 if ours else 6)
        axes.annotate(
            label, (seconds, rmse), **aside(points, label), textcoords="offset points", fontsize=9,
            color=INK, fontweight="bold" if ours else "normal",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("seconds a scene of 64 × 64 pixels, 162 bands")
    axes.set_ylabel("abundance RMSE, mean of nine scenes")
    axes.set_xlim(min(s for _, s in points.values()) / 10, max(s for _, s in points.values()) * 5)
    ticks = [0.02, 0.05, 0.1, 0.2, 0.3]
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def aside(points: dict[str, tuple[float, float]], label: str) -> dict[str, Any]:
    """Where a label does not run into that of a point close above."""
    rmse, seconds = points[label]
    above = [s for r, s in points.values() if rmse < r < 1.15 * rmse and 0.5 < s / seconds < 2]
    if not above:
        return {"xytext": (6, 4)}
    return {"xytext": (-4, -12) if above[0] < seconds else (-6, -3), "ha": "right"}


if __name__ == "__main__":
    main()
