"""What each part of the default is worth: one left out at a time, over scenes and seeds.

    python benchmarks/parts.py DATA [--seeds 5] [--first 0] [--size 64]

Scenes of the five Urban spectra in smooth fields: linear, bilinear and post-nonlinear at 20 dB,
linear at 10 dB. Blind, K given. A row a variant, scene and seed goes to
benchmarks/results/parts.jsonl, and what is there is not run again; means over seeds are printed.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from common import RESULTS, keep

from unmix.benchmark.data import read_urban_crop
from unmix.methods import METHODS, best
from unmix.metrics import abundance_rmse, align
from unmix.metrics import endmember_sad_rad as angles
from unmix.posterior.trial import Trial
from unmix.simulate import simulate
from unmix.types import Endmembers

SCENES = (("linear", 20), ("bilinear", 20), ("pnmm", 20), ("linear", 10))
found_last: list[np.ndarray] = []  # members of the default on the scene at hand
Answer = dict[str, float | None]


def main() -> None:
    """Run what is not there yet, then print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    E = read_urban_crop(arguments.data, 5).E
    file = RESULTS / "parts.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(r["variant"], r["scene"], r["seed"]) for r in rows}
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        for model, snr in SCENES:
            name = f"{model} {snr} dB"
            size = (arguments.size, arguments.size)
            made = simulate(Endmembers(E), model=model, snr=snr, size=size, seed=seed)
            for variant, work in VARIANTS.items():
                if (variant, name, seed) in done:
                    continue
                start = time.perf_counter()
                found = work(np.asarray(made.cube), made.abundances, E, seed)
                row = {"variant": variant, "scene": name, "seed": seed, **found}
                row["seconds"] = round(time.perf_counter() - start, 2)
                keep("parts", [row])
                rows.append(row)
    for line in table(rows):
        print(line)


def whole(X: np.ndarray, A: np.ndarray, E: np.ndarray, seed: int) -> Answer:
    """The default."""
    model = METHODS["cresdae"](5, seed=seed).fit(X)
    found_last[:] = [model.endmembers_]
    return judged(model, X, A, E)


def judged(model: Any, X: np.ndarray, A: np.ndarray, E: np.ndarray) -> Answer:
    """Errors of a fitted method, and the share of the truth within its 90 % intervals."""
    order = align(E_est=model.endmembers_, E_true=E)
    found, sure = model.transform_with_uncertainty(X)
    covered = None
    if sure is not None:
        inside = (sure["low"][..., order] <= A) & (A <= sure["high"][..., order])
        covered = round(float(inside.mean()), 4)
    return {
        "rmse": round(float(abundance_rmse(found[..., order], A)), 5),
        "angle": round(float(angles(model.endmembers_[order], E).mean()), 5),
        "covered": covered,
    }


def patched(**parts: Any) -> Callable[..., Answer]:
    """The default with names in `unmix.methods.best` replaced."""

    def work(X: np.ndarray, A: np.ndarray, E: np.ndarray, seed: int) -> Answer:
        with ExitStack() as stack:
            for name, value in parts.items():
                stack.enter_context(patch.object(best, name, value))
            return whole(X, A, E, seed)

    return work


def pixels_alone(X: np.ndarray, A: np.ndarray, E: np.ndarray, seed: int) -> Answer:
    """Pixels as a list: nothing is known of neighbours, and nothing averaged."""
    return whole(X.reshape(-1, X.shape[-1]), A.reshape(-1, A.shape[-1]), E, seed)


def untried(lens: Any, view: Any, found: Any, image: Any, **_: Any) -> Trial:
    """The answer as it is found, intervals those of noise alone."""
    fit = found.best
    return Trial(fit, fit.surface.endmembers(fit.vertices)[None], 0.0)


def least_squares(X: np.ndarray, A: np.ndarray, E: np.ndarray, seed: int) -> Answer:
    """FCLS on the pixels with the members of the default."""
    members = found_last[0]
    return judged(METHODS["vca-fcls"](endmembers=members).fit(X), X, A, E)


def classical(X: np.ndarray, A: np.ndarray, E: np.ndarray, seed: int) -> Answer:
    """The extraction it starts from, and FCLS."""
    return judged(METHODS["nfindr-fcls"](5, seed=seed).fit(X), X, A, E)


VARIANTS: dict[str, Callable[..., Answer]] = {
    "all of it": whole,
    "FCLS with its members, no posterior": least_squares,
    "pixels alone, not denoised": pixels_alone,
    "linear mixing only": patched(explain=partial(best.explain, surfaces=("linear",))),
    "without the trial": patched(trial=untried),
    "N-FINDR + FCLS, where it starts": classical,
}


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Mean and spread over seeds, a variant a line."""
    names = [f"{model} {snr} dB" for model, snr in SCENES]
    yield f"| variant | {' | '.join(names)} | all | member angle | intervals hold |"
    yield "|---" * (len(names) + 4) + "|"
    for variant in VARIANTS:
        of = [r for r in rows if r["variant"] == variant]
        cells = []
        for name in names:
            v = [r["rmse"] for r in of if r["scene"] == name]
            cells.append(f"{np.mean(v):.4f} ± {np.std(v):.4f}")
        held = [r["covered"] for r in of if r["covered"] is not None]
        yield (
            f"| {variant} | {' | '.join(cells)} | {np.mean([r['rmse'] for r in of]):.4f} | "
            f"{np.mean([r['angle'] for r in of]):.4f} | {f'{np.mean(held):.2f}' if held else ''} |"
        )


if __name__ == "__main__":
    main()
