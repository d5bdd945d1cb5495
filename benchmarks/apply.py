"""A trained CResDAE on a large scene: streamed, against the same model on the scene in memory.

    python benchmarks/apply.py FOLDER [--rows 600] [--cols 600] [--memory 500MB] [--preset best]

Makes a scene as `stream.py` does and trains on its first 96 × 96 pixels. Three times are taken: the
model alone on the whole scene, prepared and in memory (`transform_with_uncertainty`: the rate that
nothing can beat); `unmix apply` with memory for one tile; and with `--memory`. Both commands read,
write and draw. A row goes to benchmarks/results/apply.jsonl.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import keep
from stream import make, timed

from unmix.pipeline.checkpoint import load_model, model_info
from unmix.scene import open_scene

SIDE = 96


def main() -> None:
    """Train, time, print and keep a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--cols", type=int, default=600)
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--memory", default="500MB")
    parser.add_argument("--preset", choices=("best", "paper"), default="best")
    parser.set_defaults(dtype="float32", interleave="bip")
    arguments = parser.parse_args()
    scene, _ = make(arguments)
    model = trained(scene, arguments)
    alone = in_memory(scene, model)
    command = [sys.executable, "-m", "unmix", "apply", str(model), str(scene), "--no-features"]
    command += ["-o", str(arguments.folder / "applied"), "--overwrite", "--no-report", "--memory"]
    whole = timed([*command, "64GB"], "")
    streamed = timed([*command, arguments.memory], "")
    row = {
        "benchmark": "apply", "preset": arguments.preset, "memory": arguments.memory,
        "shape": [arguments.rows, arguments.cols, arguments.bands],
        "model_s": round(alone, 2), "whole_s": round(whole[0], 2),
        "streamed_s": round(streamed[0], 2), "whole_mb": round(whole[1] / 1e6),
        "streamed_mb": round(streamed[1] / 1e6),
        "rate": round(alone / streamed[0], 3), "rate_of_command": round(whole[0] / streamed[0], 3),
    }  # fmt: skip
    keep("apply", [row])


def trained(scene: Path, arguments: argparse.Namespace) -> Path:
    """A model of the scene's first pixels."""
    folder: Path = arguments.folder
    corner = np.ascontiguousarray(open_scene(scene)[:SIDE, :SIDE].values)
    corner.tofile(folder / "corner.img")
    lines = scene.read_text().replace(f"samples = {arguments.cols}", f"samples = {SIDE}")
    lines = lines.replace(f"lines = {arguments.rows}", f"lines = {SIDE}")
    (folder / "corner.hdr").write_text(lines)
    model = folder / f"model-{arguments.preset}"
    command = [sys.executable, "-m", "unmix", "train", str(folder / "corner.hdr"), "-k", "5"]
    command += ["-o", str(model), "--overwrite", "--no-identify", "--set"]
    subprocess.run([*command, f"preset={arguments.preset}"], check=True)
    return model


def in_memory(scene: Path, model: Path) -> float:
    """Seconds of the model alone."""
    estimator, card = load_model(model), model_info(model)
    cube = open_scene(scene)
    kept = np.searchsorted(cube["wavelength"].values, card["wavelength_nm"])
    pixels = np.ascontiguousarray(cube.values[..., kept])
    start = time.perf_counter()
    estimator.transform_with_uncertainty(pixels)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
