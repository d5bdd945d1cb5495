"""CResDAE as published, one part left out at a time, on the nine scenes of `unmix benchmark paper`.

    python benchmarks/ablation.py DATA [--seeds 3]

Blind, K given, members matched by spectral angle; abundance RMSE, mean over nine scenes and seeds
with the spread of that mean over seeds, and endmember SAD.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from common import keep

from unmix.benchmark.case import Case
from unmix.benchmark.data import read_urban_crop
from unmix.benchmark.paper import MODELS, SNRS, simulated
from unmix.methods import METHODS
from unmix.metrics import abundance_rmse, align, endmember_sad_rad

VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "without squared error": {"alpha": 0.0},
    "without angle": {"beta": 0.0},
    "without uniform term": {"gamma_uniform": 0.0},
    "without entropy term": {"gamma_entropy": 0.0},
    "without sparsity term": {"gamma_sparsity": 0.0},
    "without the three abundance terms": {
        "gamma_uniform": 0.0, "gamma_entropy": 0.0, "gamma_sparsity": 0.0,
    },
    "without attention": {"attention": "none"},
    "attention of Section 2.3 (cbam)": {"attention": "cbam"},
    "without residual block": {"residual": False},
    "without nonlinear decoder": {"nonlinear": False},
    "nonlinear decoder not pre-trained": {"pretrain_epochs": 0},
    "ten times the steps": {"batch_size": 102},
    "ten times the steps, no abundance terms": {
        "batch_size": 102, "gamma_uniform": 0.0, "gamma_entropy": 0.0, "gamma_sparsity": 0.0,
    },
    "decoder learns as fast as the encoder": {"decoder_lr": 1e-3},
}  # fmt: skip


def main() -> None:
    """Print and keep a row a variant, as they come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    members = read_urban_crop(arguments.data, 5)
    runs = {"VCA + FCLS": ("vca-fcls", {})} | {
        k: ("cresdae", {"preset": "paper"} | v) for k, v in VARIANTS.items()
    }
    for name, (method, keywords) in runs.items():
        keep("ablation", [row(name, method, keywords, members, arguments.seeds)])


def row(
    name: str, method: str, keywords: dict[str, Any], members: Case, seeds: int
) -> dict[str, Any]:
    """One variant over the nine scenes and the seeds."""
    values = np.empty((seeds, len(MODELS) * len(SNRS), 2))
    for seed in range(seeds):
        for i, (model, snr) in enumerate(product(MODELS, SNRS)):
            case = simulated(members, model, snr, seed, False)
            estimator = METHODS[method](5, seed=seed, **keywords).fit(case.X)
            order = align(E_est=estimator.endmembers_, E_true=case.E)
            A = estimator.transform(case.X)[..., order]
            angle = endmember_sad_rad(estimator.endmembers_[order], case.E).mean()
            values[seed, i] = abundance_rmse(A, case.A), angle
    by_seed = values[..., 0].mean(axis=1)
    by_model = values[..., 0].reshape(seeds, len(MODELS), len(SNRS))
    return {
        "variant": name,
        "rmse": f"{by_seed.mean():.3f} ± {by_seed.std():.3f}",
        **dict(zip(MODELS, by_model.mean(axis=(0, 2)).round(3).tolist(), strict=True)),
        **dict(
            zip([f"{s}db" for s in SNRS], by_model.mean(axis=(0, 1)).round(3).tolist(), strict=True)
        ),
        "endmember_sad_rad": round(float(values[..., 1].mean()), 3),
        "seeds": seeds,
    }


if __name__ == "__main__":
    main()
