"""CResDAE as published against VCA + FCLS on nine simulated scenes, blind, K given.

    python benchmarks/cresdae_paper.py [--seeds 3]

Scenes: linear, bilinear and post-nonlinear mixing at 10, 20 and 30 dB, 96 × 104 pixels of five
spectra of the built-in library. Members are matched with the truth by spectral angle (Hungarian
method); the mean and the spread of the abundance RMSE over seeds (scene, extraction and training).
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from common import keep

from unmix.io.library import select_members
from unmix.methods import METHODS
from unmix.metrics import abundance_rmse, align
from unmix.simulate import builtin_library, simulate

MEMBERS = ("Alunite", "Kaolinite", "Goethite", "Calcite", "Green grass")
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "vca-fcls": ("vca-fcls", {}),
    "cresdae_paper": ("cresdae", {"preset": "paper"}),
    "cresdae_no_uniform_term": ("cresdae", {"preset": "paper", "gamma_uniform": 0.0}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    library = select_members(builtin_library(), MEMBERS)
    for model in ("linear", "bilinear", "pnmm"):
        for snr in (10.0, 20.0, 30.0):
            errors: dict[str, list[float]] = {name: [] for name in RUNS}
            for seed in range(seeds):
                scene = simulate(library, model=model, snr=snr, size=(96, 104), seed=seed)
                for name, (method, keywords) in RUNS.items():
                    estimator = METHODS[method](n_endmembers=5, seed=seed, **keywords)
                    A = estimator.fit(scene.cube).transform(scene.cube)
                    order = align(E_est=estimator.endmembers_, E_true=scene.endmembers.spectra)
                    errors[name].append(float(abundance_rmse(A[..., order], scene.abundances)))
            row: dict[str, Any] = {"model": model, "snr_db": snr, "seeds": seeds}
            for name, values in errors.items():
                row[name] = f"{np.mean(values):.3f} ± {np.std(values):.3f}"
            keep("cresdae_paper", [row])


if __name__ == "__main__":
    main()
