"""Abundance RMSE and endmember angle of VCA, N-FINDR and SISAL, each with exact FCLS.

    python benchmarks/simplex_accuracy.py [DATA]

Simulated scenes without a pure pixel (no abundance above 0.8), three seeds, scale none; and, where
DATA is given (see scale_modes.py), the published scenes by `unmix.run` and `unmix.evaluate`, K
given, scale l2 and auto. Everything else is its default on all of them, but for the rows that say
which share of the pixels SISAL leaves outside a facet.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr
from common import keep
from scale_modes import scenes

from unmix import run
from unmix.evaluate import evaluate
from unmix.methods import METHODS
from unmix.metrics import align

SHAPES = {"samson": (95, 95), "jasper": (100, 100), "urban": (80, 100)}
SHARES = {"sisal-fcls": (None, 1e-9, 0.03, 0.1)}


def without_pure_pixels(
    n: int, alpha: float, snr_db: float, seed: int, n_pixels: int = 5000, n_bands: int = 100
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, endmembers, abundances: Dirichlet(alpha) where no abundance exceeds 0.8."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n, n_bands)), axis=1) * 0.05
    E = np.abs(walk + rng.uniform(0.2, 0.8, (n, 1))) + 0.05
    A = rng.dirichlet(np.full(n, alpha), 30 * n_pixels)
    A = A[A.max(axis=1) <= 0.8][:n_pixels]
    X = A @ E
    sigma = np.sqrt((X**2).mean() / 10 ** (snr_db / 10))
    return X + sigma * rng.standard_normal(X.shape), E, A


def simulated(method: str, parameters: dict[str, Any], n: int, alpha: float, snr: float) -> str:
    """Means over three seeds, as "RMSE / SAD"."""
    scores = []
    for seed in range(3):
        X, E, A = without_pure_pixels(n, alpha, snr, seed)
        model = METHODS[method](n_endmembers=n, seed=seed, **parameters).fit(X)
        found = model.endmembers_
        order = align(E_true=E, E_est=found)
        unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found[order], E)]
        angle = np.arccos(np.clip((unit[0] * unit[1]).sum(axis=1), -1, 1))
        error = model.transform(X)[:, order] - A
        scores.append((np.sqrt((error**2).mean()), angle.mean()))
    rmse, sad = np.mean(scores, axis=0)
    return f"{rmse:.3f} / {sad:.3f}"


def published(
    name: str, X: np.ndarray, E: np.ndarray, A: np.ndarray, method: str, parameters: dict[str, Any]
) -> dict[str, str]:
    """`unmix.run` and `unmix.evaluate`, as "RMSE / SAD" for each scale."""
    rows, columns = SHAPES[name.split("-")[0]]
    cube = X.reshape(rows, columns, -1, order="C" if name.startswith("urban") else "F")
    maps = A.reshape(rows, columns, -1, order="C" if name.startswith("urban") else "F")
    truth = SimpleNamespace(abundances=maps, endmembers=E, names=[])
    out = {}
    for scale in ("l2", "auto"):
        scene = xr.DataArray(cube.astype(np.float32), dims=("y", "x", "band"))
        plain = {"detect_bad_bands": False}
        found = run(
            scene, len(E), method=method, scale=scale, preparation=plain, parameters=parameters
        )
        score = evaluate(found, truth)
        out[scale] = f"{score['abundance_rmse']:.3f} / {score['endmember_sad_rad']:.3f}"
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    data = parser.parse_args().data
    if data is None:
        print("# no DATA: simulated scenes only")
    rows: list[dict[str, Any]] = []
    for method in ("vca-fcls", "nfindr-fcls", "sisal-fcls"):
        for share in SHARES.get(method, (None,)):
            parameters = {} if share is None else {"outside": share}
            row: dict[str, Any] = {"method": method} | parameters
            for n in (3, 5, 8):
                for alpha in (1.0, 0.4):
                    for snr in (np.inf, 30.0, 20.0):
                        cell = simulated(method, parameters, n, alpha, snr)
                        row[f"K {n}, alpha {alpha}, {snr:.0f} dB"] = cell
            for name, X, E, A in [] if data is None else scenes(data):
                for scale, cell in published(name, X, E, A, method, parameters).items():
                    row[f"{name} {scale}"] = cell
            rows.append(row)
    keep("simplex_accuracy", rows)


if __name__ == "__main__":
    main()
