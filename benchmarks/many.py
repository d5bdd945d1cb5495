"""A hundred small scenes in one job: what each costs beyond its own work.

    python benchmarks/many.py [--scenes 100] [--report]

Scenes of 30 × 30 pixels and 50 bands, FCLS with given endmembers, one `unmix run` for all. Kept are
seconds a scene by the wall clock, start included, and the median of the job's own summary.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import keep

from unmix.io.library import write_csv
from unmix.types import Endmembers

SIZE, BANDS = (30, 30), 50


def main() -> None:
    """Make the scenes, run, print and keep a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unmix-many-") as name:
        folder = Path(name)
        spectra = made(folder, arguments.scenes)
        command = [sys.executable, "-m", "unmix", "run", str(folder / "*.hdr")]
        command += ["-o", str(folder / "out"), "--endmembers", str(spectra)]
        command += ["--method", "vca-fcls", "--no-identify"]
        command += [] if arguments.report else ["--no-report"]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken = time.perf_counter() - start
        results = json.loads((folder / "out" / "summary.json").read_text())["results"]
    median = float(np.median([r["seconds"] for r in results]))
    row = {
        "scenes": arguments.scenes, "report": arguments.report,
        "seconds_a_scene": round(taken / arguments.scenes, 3), "median": round(median, 3),
    }  # fmt: skip
    keep("many", [row])


def made(folder: Path, n: int) -> Path:
    """So many ENVI scenes, and the file of their spectra."""
    rng, nm = np.random.default_rng(0), np.linspace(420, 2400, BANDS)
    centres = np.array([600, 1200, 2000])[:, None]
    E = 0.15 + 0.4 * np.exp(-0.5 * ((nm - centres) / 250) ** 2)
    bands = ", ".join(f"{v:.3f}" for v in nm)
    header = (
        f"ENVI\nsamples = {SIZE[1]}\nlines = {SIZE[0]}\nbands = {BANDS}\ndata type = 4\n"
        "interleave = bip\nbyte order = 0\nwavelength units = Nanometers\n"
        f"wavelength = {{{bands}}}\n"
    )
    for i in range(n):
        X = rng.dirichlet(np.ones(3), SIZE) @ E + 0.003 * rng.standard_normal((*SIZE, BANDS))
        X.astype("<f4").tofile(folder / f"s{i:03d}.img")
        (folder / f"s{i:03d}.hdr").write_text(header)
    write_csv(Endmembers(E, nm), folder / "known.csv")
    return folder / "known.csv"


if __name__ == "__main__":
    main()
