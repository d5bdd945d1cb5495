"""What abundance RMSE says when members are not matched with the truth first.

    python benchmarks/unaligned.py DATA [--seeds 5]

On the nine scenes of `unmix benchmark paper`: VCA + FCLS matched by the Hungarian method, the same
maps compared in the order in which VCA happened to find them (mean over all K! orders), and three
answers that know nothing: 1/K everywhere, flat random shares, and one random member at 1.
"""

from __future__ import annotations

import argparse
from itertools import permutations
from pathlib import Path

import numpy as np
from common import keep

from unmix.benchmark.case import Case
from unmix.benchmark.data import read_urban_crop
from unmix.benchmark.paper import MODELS, SNRS, simulated
from unmix.methods import METHODS
from unmix.metrics import abundance_rmse, align


def main() -> None:
    """Print and keep a row a scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    members = read_urban_crop(arguments.data, 5)
    rows = []
    for model in MODELS:
        for snr in SNRS:
            found = [
                errors(simulated(members, model, snr, s, False), s) for s in range(arguments.seeds)
            ]
            means = {k: float(np.mean([f[k] for f in found])) for k in found[0]}
            rows.append({"scene": f"{model}-{snr}db"} | {k: round(v, 3) for k, v in means.items()})
    over = {k: round(float(np.mean([r[k] for r in rows])), 3) for k in rows[0] if k != "scene"}
    keep("unaligned", [*rows, {"scene": "mean of nine", **over}])


def errors(case: Case, seed: int) -> dict[str, float]:
    """RMSE of each answer on one scene."""
    k = len(case.E)
    model = METHODS["vca-fcls"](k, seed=seed).fit(case.X)
    A = model.transform(case.X)
    rng = np.random.default_rng(seed)
    shape = case.A.shape[:2]
    guesses = {
        "uniform": np.full(case.A.shape, 1 / k),
        "random_shares": rng.dirichlet(np.ones(k), shape),
        "random_member": np.eye(k)[rng.integers(k, size=shape)],
    }
    order = align(E_est=model.endmembers_, E_true=case.E)
    return {
        "aligned": float(abundance_rmse(A[..., order], case.A)),
        "any_order": float(
            np.mean([abundance_rmse(A[..., list(p)], case.A) for p in permutations(range(k))])
        ),
        **{name: float(abundance_rmse(guess, case.A)) for name, guess in guesses.items()},
    }


if __name__ == "__main__":
    main()
