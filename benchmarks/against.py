"""The default against every other method, over the results of `unmix benchmark`.

    python benchmarks/against.py DEFAULT[,DEFAULT...] RIVALS[,RIVALS...]

Both are result folders of the same suites (blind runs only; of Urban the crop). Prints, a suite a
line and over all scenes, the default's mean abundance RMSE, the best single rival's with one fixed
setting, and what choosing the best rival of each scene with the truth would give.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

BLIND = ("simulated", "grid", "blind")
SCALES = {"real": "auto"}  # of the default; "none" elsewhere


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("default")
    parser.add_argument("rivals")
    arguments = parser.parse_args()
    ours: dict[tuple[str, str], float] = {}
    for row in rows(arguments.default):
        if row["method"] == "cresdae" and row["scale"] == SCALES.get(row["suite"], row["scale"]):
            ours[row["suite"], row["scene"]] = row["abundance_rmse"]
    theirs: dict[tuple[str, str], dict[tuple[str, str], float]] = defaultdict(dict)
    for row in rows(arguments.rivals):
        key = (row["label"], row["scale"] if row["suite"] == "real" else "")
        theirs[key][row["suite"], row["scene"]] = row["abundance_rmse"]
    print("| suite | scenes | CResDAE | best rival | rivals chosen by truth |")
    print("|---|---:|---:|---|---:|")
    for suite in (*dict.fromkeys(s for s, _ in ours), ""):
        scenes = [scene for scene in ours if scene[0] == suite or not suite]
        print(line(suite or "all", scenes, ours, theirs))


def rows(folders: str) -> Iterator[dict[str, Any]]:
    """Finished blind runs."""
    for folder in folders.split(","):
        for text in (Path(folder) / "results.jsonl").read_text().splitlines():
            row = json.loads(text)
            if row["part"] in BLIND and row["abundance_rmse"] is not None:
                yield row


def line(
    suite: str, scenes: list[Any], ours: dict[Any, float], theirs: dict[Any, dict[Any, float]]
) -> str:
    """One line of the table; a rival counts if it has all scenes of the suite."""
    means = {}
    for label, scale in theirs:
        if suite == "all":  # what it has at one scale, and where there is only one
            found = theirs[label, scale] | theirs.get((label, ""), {})
        else:
            found = theirs[label, scale]
        if all(scene in found for scene in scenes):
            means[label, scale] = float(np.mean([found[scene] for scene in scenes]))
    best = min(means, key=lambda key: means[key])
    chosen = np.mean([min(f[s] for f in theirs.values() if s in f) for s in scenes])
    name = f"{best[0]} ({best[1]})" if best[1] else best[0]
    mean = np.mean([ours[scene] for scene in scenes])
    return f"| {suite} | {len(scenes)} | {mean:.4f} | {name} {means[best]:.4f} | {chosen:.4f} |"


if __name__ == "__main__":
    main()
