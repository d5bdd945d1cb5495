"""What a thousand granules would take: two scenes measured, the rest a model.

    python benchmarks/granules.py FOLDER [--granules 1000] [--pixels 1240000] [--bandwidth 1e9]

`unmix run` with given endmembers (FCLS), `unmix apply` of a trained model and `unmix run` with K
alone are timed on two scenes of 200 bands, 300 × 300 and 900 × 900 pixels, files, figures and pages
included. A line through both gives seconds a scene f and seconds a pixel c. For G granules of P
pixels on M machines like this one, which share storage of B bytes a second,

    T = max(⌈G / M⌉ (f + c P),  G P (b + w) / B),

b the bytes of a pixel read and w those written. Assumed: c holds from 0.8 to P million pixels (all
paths are linear, see docs/speed.md); machines share nothing but storage; granules are handed out
evenly, one `unmix run` a machine; none fails. Rows go to benchmarks/results/granules.jsonl.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from apply import trained
from common import keep
from stream import make, timed

SIDES = (300, 900)
BANDS = 200
MACHINES = (1, 10, 100)


def main() -> None:
    """Time both scenes, print the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--granules", type=int, default=1000)
    parser.add_argument("--pixels", type=float, default=1.24e6)
    parser.add_argument("--bandwidth", type=float, default=1e9)
    arguments = parser.parse_args()
    rows = [measured(arguments.folder, name) for name in ("fcls", "apply", "blind")]
    keep("granules", rows)
    heads = " | ".join(f"{m} machine{'s' * (m > 1)}" for m in MACHINES)
    print(f"| | s a scene | µs a pixel | one granule, s | {heads} |")
    for row in rows:
        one = row["f"] + row["c"] * arguments.pixels
        moved = arguments.granules * arguments.pixels * (4 * BANDS + row["written"])
        hours = [
            max(math.ceil(arguments.granules / m) * one, moved / arguments.bandwidth) / 3600
            for m in MACHINES
        ]
        cells = " | ".join(f"{h:.2g} h" for h in hours)
        print(f"| {row['what']} | {row['f']:.1f} | {1e6 * row['c']:.2f} | {one:.0f} | {cells} |")


def measured(folder: Path, what: str) -> dict[str, object]:
    """Seconds a scene and a pixel, and bytes written for a pixel."""
    seconds = []
    for side in SIDES:
        names = {"rows": side, "cols": side, "bands": BANDS, "preset": "best"}
        about = argparse.Namespace(folder=folder, dtype="float32", interleave="bip", **names)
        scene, spectra = make(about)
        out = folder / f"{what}-{side}"
        if what == "apply":
            words = ["apply", str(trained(scene, about))]
        elif what == "fcls":
            words = ["run", "--method", "vca-fcls", "--endmembers", str(spectra)]
        else:
            words = ["run", "-k", "5"]
        command = [sys.executable, "-m", "unmix", *words, str(scene), "-o", str(out), "--overwrite"]
        seconds.append(timed(command, "")[0])
    written = sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) / SIDES[1] ** 2
    c = (seconds[1] - seconds[0]) / (SIDES[1] ** 2 - SIDES[0] ** 2)
    f = seconds[0] - c * SIDES[0] ** 2
    return {
        "benchmark": "granules", "what": what, "sides": SIDES, "seconds": seconds,
        "f": f, "c": c, "written": written,
    }  # fmt: skip


if __name__ == "__main__":
    main()
