"""What the benchmarks share: interleaved timing, the floor of reading, one JSON line a result."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from unmix.parallel import n_threads, over_pixels
from unmix.pipeline.provenance import code

RESULTS = Path(__file__).parent / "results"


@njit(nogil=True, fastmath=True)
def _sum(X: Any, start: int, stop: int) -> Any:
    total = X.dtype.type(0)
    for i in range(start, stop):
        for j in range(X.shape[1]):
            total += X[i, j]
    return total


def read_once(X: np.ndarray) -> None:
    """Touch every value once, on all threads: the floor of whatever needs all pixels."""

    def kernel(start: int, stop: int) -> int:
        return int(_sum(X, start, stop) * 0)

    over_pixels(kernel, len(X))


def interleaved(paths: Mapping[str, Callable[[], Any]], rounds: int = 7) -> dict[str, float]:
    """Median seconds of each path, run in turn so that a drifting machine drifts for all."""
    times: dict[str, list[float]] = {name: [] for name in paths}
    for path in paths.values():
        path()
    for _ in range(rounds):
        for name, path in paths.items():
            start = time.perf_counter()
            path()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def scene(n_pixels: int, n_bands: int, n_members: int, snr_db: float = 30.0, seed: int = 0) -> Any:
    """Flat Dirichlet mixtures of smooth random spectra in float32, and their endmembers."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n_members, n_bands)), axis=1) * 0.03
    E = np.abs(walk + rng.random((n_members, 1))).astype(np.float32)
    A = rng.dirichlet(np.ones(n_members), n_pixels).astype(np.float32)
    X = A @ E
    sigma = np.float32(np.sqrt((X[:10_000] ** 2).mean() / 10 ** (snr_db / 10)))
    for start in range(0, n_pixels, 50_000):
        part = X[start : start + 50_000]
        part += sigma * rng.standard_normal(part.shape, dtype=np.float32)
    return X, E


def keep(name: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows as JSON lines and append them, with versions, to results/NAME.jsonl."""
    about = {k: v for k, v in code(0).items() if k != "seed"}
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as file:
        for row in rows:
            print(json.dumps(row))
            file.write(json.dumps({"benchmark": name, **row, "about": about}) + "\n")


def announce() -> None:
    """One line on what runs where."""
    print(f"# {n_threads()} threads, medians of interleaved rounds")
