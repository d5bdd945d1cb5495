"""Materials that vary: every pixel mixes a spectrum of its own of each material.

    python benchmarks/bundles.py DATA [--seeds 3] [--methods cresdae,edaa,mvc-nmf,sisal-fcls]

Spectra are drawn from the published bundles of Urban (pure pixels of asphalt, grass, tree, roof and
dirt), abundances are smooth Gaussian fields or independent Dirichlet draws, 80 × 80 pixels at 30
and 20 dB. Every method has K and, except CResDAE, both scale "shade" and "l2": the better one,
judged by the truth, is shown. A line a run goes to benchmarks/results/bundles.jsonl, what is there
is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS
from scipy.io import loadmat

from unmix.benchmark.data import find, read_urban_crop
from unmix.methods import METHODS
from unmix.metrics import abundance_rmse, align
from unmix.metrics import endmember_sad_rad as angles
from unmix.scaling import choose_scale
from unmix.simulate import simulate
from unmix.types import Endmembers

SIZE = (80, 80)
METHODS_SHOWN = "cresdae,edaa,mvc-nmf,sisal-fcls,nfindr-fcls,vca-fcls,spa-fcls"


def main() -> None:
    """Run what is not there yet, then print means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", default=METHODS_SHOWN)
    arguments = parser.parse_args()
    file = RESULTS / "bundles.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(r["field"], r["snr"], r["seed"], r["method"]) for r in rows}
    mean, bundles = urban_bundles(arguments.data)
    warnings.simplefilter("ignore")
    grid = product(("gaussian", "dirichlet"), (30, 20), range(arguments.seeds))
    for field, snr, seed in grid:
        made = simulate(
            mean, snr=float(snr), seed=seed, size=SIZE, field=field, bundles=bundles,
            bundle_draw="pixel",
        )  # fmt: skip
        for method in arguments.methods.split(","):
            if (field, snr, seed, method) in done:
                continue
            found = run(made.cube, made.abundances, np.asarray(mean.spectra), method, seed)
            rows.append({"field": field, "snr": snr, "seed": seed, "method": method, **found})
            with file.open("a") as out:
                out.write(json.dumps(rows[-1]) + "\n")
            print(rows[-1], flush=True)
    for field, snr in product(("gaussian", "dirichlet"), (30, 20)):
        for method in arguments.methods.split(","):
            part = [r for r in rows if (r["field"], r["snr"], r["method"]) == (field, snr, method)]
            if part:
                rmse, sad = (np.array([r[k] for r in part]) for k in ("rmse", "member_sad"))
                print(
                    f"| {field} | {snr} dB | {method} | {rmse.mean():.3f} ± {rmse.std():.3f} "
                    f"| {sad.mean():.3f} | {len(part)} |"
                )


def urban_bundles(data: Path) -> tuple[Endmembers, list[Any]]:
    """Means of five materials of Urban, and the spectra (spectrum, band) of each."""
    file = loadmat(str(find(data, "urban", "spectral_library_urban.mat")))
    bundles = [np.asarray(file[f"lib{i}"], float).T for i in (1, 2, 3, 4, 6)]
    means = np.array([spectra.mean(axis=0) for spectra in bundles])
    names = ("asphalt", "grass", "tree", "roof", "dirt")
    wavelength = read_urban_crop(data, 5).wavelength
    unit = means.max()
    return Endmembers(means / unit, wavelength, names, "Urban"), [b / unit for b in bundles]


def run(X: Any, A: Any, E: Any, method: str, seed: int) -> dict[str, Any]:
    """One method on one scene; the better of two scales for all but CResDAE."""
    own = choose_scale(X.reshape(-1, X.shape[-1]), n_endmembers=len(E), seed=seed).mode
    tried = []
    for scale in [own] if method == "cresdae" else ["shade", "l2"]:
        start = time.perf_counter()
        model = METHODS[method](len(E), scale=scale, seed=seed).fit(X)
        found = np.asarray(model.transform(X))
        order = align(E_est=model.endmembers_, E_true=E)
        tried.append(
            {
                "rmse": round(float(abundance_rmse(found[..., order], A)), 5),
                "member_sad": round(float(np.mean(angles(model.endmembers_[order], E))), 5),
                "scale": scale,
                "seconds": round(time.perf_counter() - start, 1),
            }
        )
    return min(tried, key=lambda row: row["rmse"])


if __name__ == "__main__":
    main()
