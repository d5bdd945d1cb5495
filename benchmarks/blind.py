"""How near blind unmixing comes to the oracle, on scenes whose truth is known.

    python benchmarks/blind.py DATA [--seeds 5] [--first 0] [--only gaussian] [--methods cresdae]

Two families of the nine scenes (3 models × 10, 20, 30 dB, 100 × 100 pixels): smooth Gaussian
fields, and windows of the published Urban maps; each with the five Urban spectra and with five of
USGS. Then scenes without pure pixels (no share above 0.8, 25 dB) and with brightness from 0.35 to
1.3. Only K is given, with brightness also `scale="auto"`. The oracle is FCLS with the true
endmembers. A line a run goes to benchmarks/results/blind.jsonl, what is there is not run again;
means are printed.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import RESULTS
from numpy.typing import NDArray

from unmix.benchmark.data import read_urban_crop, read_urban_truth, read_usgs
from unmix.methods import METHODS
from unmix.metrics import abundance_rmse, abundance_sad_rad, abundance_sid, align
from unmix.metrics import endmember_sad_rad as angles
from unmix.scaling import choose_scale
from unmix.simulate import simulate
from unmix.solve import fcls
from unmix.types import Endmembers

MODELS, SNRS = ("linear", "bilinear", "pnmm"), (10, 20, 30)
SIZE = (100, 100)
USGS = (
    "Alunite GDS84 Na03 s06av95a=a", "Kaolinite CM3 s06av95a=a", "Calcite HS48.3B s06av95a=a",
    "Goethite WS222 Medium Gr. s06av95a=a", "Lawn_Grass GDS91 (Green) s06av95a=a",
)  # fmt: skip


class Scene(NamedTuple):
    """What is unmixed, and the truth."""

    family: str
    library: str
    name: str
    X: NDArray[np.floating]
    A: NDArray[np.floating]
    E: NDArray[np.floating]


def main() -> None:
    """Run what is not there yet, then print means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="", help="families, by commas")
    parser.add_argument("--methods", default="cresdae")
    arguments = parser.parse_args()
    file = RESULTS / "blind.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(r["method"], r["family"], r["library"], r["scene"], r["seed"]) for r in rows}
    warnings.simplefilter("ignore")
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        for scene in scenes(arguments.data, seed):
            if arguments.only and scene.family not in arguments.only.split(","):
                continue
            for method in arguments.methods.split(","):
                if (method, *scene[:3], seed) in done:
                    continue
                rows.append(run(scene, method, seed))
                with file.open("a") as out:
                    out.write(json.dumps(rows[-1]) + "\n")
                print(rows[-1], flush=True)
    for line in means(rows):
        print(line)


def scenes(data: Path, seed: int) -> Iterator[Scene]:
    """All of a seed, made when asked for."""
    crop = read_urban_crop(data, 5)
    urban = Endmembers(crop.E, crop.wavelength, crop.names, "Urban")
    for library, E in (("Urban", urban), ("USGS", read_usgs(data, USGS))):
        maps = {"gaussian": None, "urban maps": window(data, seed)}
        common = {
            "seed": seed, "gamma": 0.7, "beta": np.random.default_rng((seed, 7)).random((5, 5)),
        }  # fmt: skip
        for (family, A), model, snr in product(maps.items(), MODELS, SNRS):
            where = {"size": SIZE} if A is None else {"abundances": A}
            made = simulate(E, model=model, snr=float(snr), **common, **where)
            yield Scene(family, library, f"{model} {snr} dB", made.cube, made.abundances, E.spectra)
        for field in ("gaussian", "dirichlet"):
            made = simulate(
                E, snr=25.0, seed=seed, size=SIZE, pure=False, max_purity=0.8, field=field
            )
            yield Scene("no pure pixels", library, field, made.cube, made.abundances, E.spectra)
        for snr in (20, 30):
            made = simulate(E, snr=float(snr), seed=seed, size=SIZE, brightness=(0.35, 1.3))
            yield Scene("brightness", library, f"{snr} dB", made.cube, made.abundances, E.spectra)


def window(data: Path, seed: int) -> NDArray[np.floating]:
    """A window of the published Urban maps in which every member is nearly pure somewhere."""
    A = read_urban_truth(data, 5).abundances
    rng = np.random.default_rng((seed, 3))
    best, purest = A[: SIZE[0], : SIZE[1]], -1.0
    for _ in range(50):
        i, j = rng.integers(0, A.shape[0] - SIZE[0]), rng.integers(0, A.shape[1] - SIZE[1])
        part = A[i : i + SIZE[0], j : j + SIZE[1]]
        least = part.reshape(-1, A.shape[2]).max(axis=0).min()
        if least > purest:
            best, purest = part, least
    best = np.maximum(best, 0)
    return best / best.sum(axis=-1, keepdims=True)


def run(scene: Scene, method: str, seed: int) -> dict[str, Any]:
    """One method on one scene."""
    X, A, E = scene.X, scene.A, np.asarray(scene.E)
    pixels = X.reshape(-1, X.shape[-1])
    scale = "none"
    if scene.family == "brightness":
        scale = choose_scale(pixels, n_endmembers=len(E), seed=seed).mode
    start = time.perf_counter()
    model = METHODS[method](len(E), scale=scale, seed=seed).fit(X)
    found, sure = model.transform_with_uncertainty(X)
    seconds = time.perf_counter() - start
    order = align(E_est=model.endmembers_, E_true=E)
    found = found[..., order]
    row = {
        "method": method, "family": scene.family, "library": scene.library, "scene": scene.name,
        "seed": seed, "rmse": abundance_rmse(found, A),
        "oracle": abundance_rmse(fcls(X, E.astype(np.float32)), A),
        "abundance_sad": float(np.mean(abundance_sad_rad(found, A))),
        "abundance_sid": float(np.mean(abundance_sid(found, A))),
        "endmember_sad": float(np.mean(angles(model.endmembers_[order], E))),
        "scale": scale, "seconds": seconds,
    }  # fmt: skip
    if sure is not None:
        low, high = sure["low"][..., order], sure["high"][..., order]
        row["covered"] = float(((low <= A) & (A <= high)).mean())
        row["surface"] = model.evidence_["surface"]
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}


def means(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Means over scenes, with the spread over seeds, a family and library a line."""
    columns = "method family library seeds RMSE /oracle worst SAD SID member-SAD 90% s"
    yield f"| {' | '.join(columns.split())} |"
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for key in dict.fromkeys((r["method"], r["family"], r["library"]) for r in rows):
        part = [r for r in rows if (r["method"], r["family"], r["library"]) == key]
        seeds = sorted({r["seed"] for r in part})
        by_seed = [np.mean([r["rmse"] for r in part if r["seed"] == s]) for s in seeds]
        ratio = np.array([r["rmse"] / r["oracle"] for r in part])

        def mean(name: str, part: list[dict[str, Any]] = part) -> float:
            return float(np.mean([r.get(name, np.nan) for r in part]))

        yield (
            f"| {' | '.join(key)} | {len(seeds)} | {np.mean(by_seed):.4f} ± {np.std(by_seed):.4f} "
            f"| {np.exp(np.log(ratio).mean()):.2f} | {ratio.max():.2f} "
            f"| {mean('abundance_sad'):.3f} | {mean('abundance_sid'):.3f} "
            f"| {mean('endmember_sad'):.3f} | {mean('covered'):.2f} | {mean('seconds'):.0f} |"
        )


if __name__ == "__main__":
    main()
