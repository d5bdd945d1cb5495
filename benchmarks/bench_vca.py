"""VCA against reading the cube once, and the sampled subspace against the full one over 20 seeds.

    python benchmarks/bench_vca.py

Bar: 300 000 × 305 float32 in at most 10 × reading, endmembers as good as the full-pass form.
"""

from __future__ import annotations

import numpy as np
from common import announce, interleaved, keep, read_once, scene
from scipy.optimize import linear_sum_assignment

from unmix.extract import reduce, vca


def mean_angle(found: np.ndarray, true: np.ndarray) -> float:
    """Mean spectral angle [rad] of the best one-to-one match."""
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, true))
    S = np.arccos(np.clip(a @ b.T, -1, 1))
    return float(S[linear_sum_assignment(S)].mean())


def full_pass(X: np.ndarray, n: int, seed: int) -> np.ndarray:
    """VCA with the subspace of all pixels."""
    kept, reduce.SAMPLE = reduce.SAMPLE, len(X)
    try:
        return vca(X, n, seed=seed)
    finally:
        reduce.SAMPLE = kept


def main() -> None:
    announce()
    rows = []
    X, _ = scene(300_000, 305, 5)
    seconds = interleaved(
        {
            "read": lambda: read_once(X),
            "vca": lambda: vca(X, 5),
            "vca_full_pass": lambda: full_pass(X, 5, 0),
        },
        rounds=5,
    )
    rows.append(
        {
            "read_ms": round(1e3 * seconds["read"], 1),
            "vca_ms": round(1e3 * seconds["vca"], 1),
            "full_pass_ms": round(1e3 * seconds["vca_full_pass"], 1),
            "times_reading": round(seconds["vca"] / seconds["read"], 2),
        }
    )
    for snr_db in (30, 20, 10):
        sampled, full = [], []
        for seed in range(20):
            x, e = scene(60_000, 305, 5, snr_db, seed)
            sampled.append(mean_angle(vca(x, 5, seed=seed), e))
            full.append(mean_angle(full_pass(x, 5, seed), e))
        rows.append(
            {
                "snr_db": snr_db,
                "seeds": 20,
                "sad_rad_sampled": f"{np.mean(sampled):.4f} ± {np.std(sampled):.4f}",
                "sad_rad_full_pass": f"{np.mean(full):.4f} ± {np.std(full):.4f}",
            }
        )
    keep("vca", rows)


if __name__ == "__main__":
    main()
