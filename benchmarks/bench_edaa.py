"""One run of entropic descent against its equations in NumPy, and against reading its coordinates.

    python benchmarks/bench_edaa.py [--outer 10]

94 249 × 162 float32, K = 5, one thread; the same start, step sizes and iterations for both, and the
objective ½‖Y − Y B A‖² of both in all bands. Bar: 5 times the speed at an equal or lower objective.
"""

from __future__ import annotations

import argparse
import os

os.environ["UNMIX_THREADS"] = "1"

import numpy as np
from common import announce, interleaved, keep, read_once, scene

from unmix.extract.edaa import COMPONENTS
from unmix.extract.reduce import Moments
from unmix.parallel import one_blas_thread
from unmix.scaling import normalise
from unmix.solve.edaa import descend, weights

N, L, K, N_INNER, FACTOR = 94_249, 162, 5, 5, 8.0


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def etas(X: np.ndarray, LB: np.ndarray) -> tuple[np.float32, np.float32]:
    B = softmax(LB.T)
    eta = FACTOR / np.linalg.svd(X.T @ B, compute_uv=False)[0] ** 2
    return np.float32(eta), np.float32(eta * np.sqrt(K / N))


def transcription(X: np.ndarray, LB: np.ndarray, n_outer: int) -> tuple[np.ndarray, np.ndarray]:
    """A and B by the published updates in float32; products in the cheapest order."""
    Y = X.T
    eta_a, eta_b = etas(X, LB)
    A, B = np.full((K, N), 1 / K, np.float32), softmax(LB.T)
    with np.errstate(divide="ignore"):
        for _ in range(n_outer):
            M = Y @ B
            for _ in range(N_INNER):
                A = softmax(np.log(A) - eta_a * (M.T @ (M @ A - Y)))
            for _ in range(N_INNER):
                B = softmax(np.log(B) - eta_b * (Y.T @ ((Y @ B @ A - Y) @ A.T)))
    return A, B


def reduced(X: np.ndarray, LB: np.ndarray, n_outer: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """The same on r coordinates, everything that leads to A and B included."""
    space = Moments.of(X).subspace(r, affine=True)
    Y = np.ascontiguousarray(space.coordinates(X).T)
    eta_a, eta_b = etas(X, LB)
    LA = np.zeros((K, N), np.float32)
    _, W, _ = descend(Y, LB, LA, float(eta_a), float(eta_b), n_outer, N_INNER, 0.0)
    return softmax(LA), weights(Y, LB, W).T


def objective(X: np.ndarray, A: np.ndarray, B: np.ndarray) -> float:
    M = B.T.astype(np.float64) @ X
    return 0.5 * sum(
        float(((X[i : i + 10_000] - A[:, i : i + 10_000].T @ M) ** 2).sum())
        for i in range(0, N, 10_000)
    )


def compare(snr_db: float, n_outer: int, n_long: int) -> dict[str, object]:
    X, _ = scene(N, L, K, snr_db)
    X = np.ascontiguousarray(normalise(X, "l2")[0])
    LB = 0.1 * np.random.default_rng(0).random((K, N), dtype=np.float32)
    coordinates = np.ascontiguousarray(X[:, :COMPONENTS])
    seconds = interleaved(
        {
            "floor": lambda: [read_once(coordinates) for _ in range(n_outer * (1 + N_INNER))],
            "numpy": lambda: transcription(X, LB, n_outer),
            "unmix": lambda: reduced(X, LB, n_outer, COMPONENTS),
            "all_bands": lambda: reduced(X, LB, n_outer, L),
        },
        rounds=3,
    )
    return {
        "snr_db": snr_db,
        "outer": n_outer,
        "ms_per_outer": round(1e3 * seconds["unmix"] / n_outer, 1),
        "times_floor": round(seconds["unmix"] / seconds["floor"], 2),
        "numpy_over_unmix": round(seconds["numpy"] / seconds["unmix"], 1),
        "numpy_over_all_bands": round(seconds["numpy"] / seconds["all_bands"], 1),
        "objective_after": n_long,
        "objective_numpy": round(objective(X, *transcription(X, LB, n_long)), 3),
        "objective_unmix": round(objective(X, *reduced(X, LB, n_long, COMPONENTS)), 3),
        "objective_all_bands": round(objective(X, *reduced(X, LB, n_long, L)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outer", type=int, default=10, help="timed")
    parser.add_argument("--long", type=int, default=100, help="until the objectives are compared")
    asked = parser.parse_args()
    announce()
    with one_blas_thread():
        keep("edaa", [compare(snr_db, asked.outer, asked.long) for snr_db in (30, 15)])


if __name__ == "__main__":
    main()
