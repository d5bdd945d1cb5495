"""K-Hype against reading the cube once and against the full QP of every pixel, in one run.

    UNMIX_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/bench_khype.py [--pixels 200000]

Bars: at 162 bands at least 3000 × the per-pixel rate of a cvxopt loop over the dual of L + K + 1
unknowns, as everybody solves it, and answers within 1e-5 of it at tolerances of 1e-12; at 305 bands
in float32 at most 6 × reading.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import announce, interleaved, keep, read_once, scene

from unmix.solve import fcls, khype
from unmix.solve.khype import band_kernel

MU = 1e-2


def dual(E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H of the paper's dual in (β, γ ≥ 0, λ), and what takes its solution to α."""
    M = E.T
    n_bands, n = M.shape
    K = M @ M.T + band_kernel(E, "gaussian", 2.0) + MU * np.eye(n_bands)
    one = np.ones((n, 1))
    H = np.block(
        [
            [K, M, -M @ one],
            [M.T, np.eye(n), -one],
            [-(M @ one).T, -one.T, np.full((1, 1), float(n))],
        ]
    )
    return (H + H.T) / 2, np.hstack([M.T, np.eye(n), -one])


def cvxopt_loop(X: np.ndarray, E: np.ndarray, **options: float) -> np.ndarray:
    from cvxopt import matrix, solvers

    n, n_bands = E.shape
    H, to_alpha = dual(E)
    positive = np.hstack([np.zeros((n, n_bands)), -np.eye(n), np.zeros((n, 1))])
    P, G, h = matrix(H), matrix(positive), matrix(np.zeros(n))
    chosen = {"show_progress": False, **options}

    def solve(x: np.ndarray) -> np.ndarray:
        f = matrix(np.r_[-x, np.zeros(n), 1.0])
        return to_alpha @ np.ravel(solvers.qp(P, f, G, h, options=chosen)["x"])

    return np.array([solve(x) for x in X])


def quadprog_loop(X: np.ndarray, E: np.ndarray) -> np.ndarray:
    import quadprog

    n, n_bands = E.shape
    H, to_alpha = dual(E)
    H = H + 1e-9 * np.eye(len(H))  # it needs a definite matrix
    C = np.vstack([np.zeros((n_bands, n)), np.eye(n), np.zeros((1, n))])
    f = np.r_[np.zeros(n_bands + n), -1.0]

    def solve(x: np.ndarray) -> np.ndarray:
        f[:n_bands] = x
        return to_alpha @ quadprog.solve_qp(H, f, C, np.zeros(n))[0]

    return np.array([solve(x) for x in X])


def rates(
    solvers: dict[str, Callable[..., Any]], X: np.ndarray, E: np.ndarray, few: int
) -> dict[str, float]:
    """Median seconds a pixel of every solver, in turn; loops see the first `few` pixels."""
    times: dict[str, list[float]] = {name: [] for name in solvers}
    for _ in range(5):
        for name, solver in solvers.items():
            pixels = X[:few] if name.endswith("loop") else X
            start = time.perf_counter()
            solver(pixels, E)
            times[name].append((time.perf_counter() - start) / len(pixels))
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def against_loops(n_pixels: int, n_bands: int) -> dict[str, Any]:
    """K = 5 in float64 against the full dual, pixel by pixel."""
    X32, E32 = scene(n_pixels, n_bands, 5)
    X, E = X32.astype(float), E32.astype(float) / float(E32.max())
    X /= float(E32.max())
    khype(X, E)
    seconds = rates({"khype": khype, "cvxopt_loop": cvxopt_loop, "quadprog_loop": quadprog_loop},
                    X, E, few=30)  # fmt: skip
    sharp = cvxopt_loop(X[:100], E, abstol=1e-12, reltol=1e-12, feastol=1e-12)
    return {
        "bands": n_bands,
        "K": 5,
        "dtype": "float64",
        "khype_us": round(1e6 * seconds["khype"], 4),
        "times_cvxopt_loop": round(seconds["cvxopt_loop"] / seconds["khype"]),
        "times_quadprog_loop": round(seconds["quadprog_loop"] / seconds["khype"]),
        "error_to_cvxopt_1e-12": float(f"{np.abs(khype(X[:100], E) - sharp).max():.1e}"),
        "cvxopt_default_error": float(f"{np.abs(cvxopt_loop(X[:100], E) - sharp).max():.1e}"),
    }


def against_reading(n_pixels: int, n_members: int, kernel: str) -> dict[str, Any]:
    """305 bands in float32 against reading them."""
    X, E = scene(n_pixels, 305, n_members)
    unit = float(E.max())
    paths = {
        "read": lambda: read_once(X),
        "khype": lambda: khype(X, E, kernel=kernel, unit=unit),
        "fcls": lambda: fcls(X, E),
    }
    seconds = interleaved(paths)
    A = khype(X[:20_000], E, kernel=kernel, unit=unit)
    A64 = khype(X[:20_000].astype(float), E, kernel=kernel, unit=unit)
    return {
        "bands": 305,
        "K": n_members,
        "dtype": "float32",
        "kernel": kernel,
        "pixels": n_pixels,
        "times_reading": round(seconds["khype"] / seconds["read"], 2),
        "times_fcls": round(seconds["khype"] / seconds["fcls"], 2),
        "pixels_with_a_zero": round(float((A == 0).any(axis=1).mean()), 3),
        "error_to_float64": float(f"{np.abs(A - A64).max():.1e}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=200_000)
    n_pixels = parser.parse_args().pixels
    announce()
    rows = [against_loops(min(n_pixels, 100_000), n_bands) for n_bands in (162, 305)]
    rows += [
        against_reading(n_pixels, n_members, kernel)
        for n_members, kernel in ((5, "gaussian"), (5, "polynomial"), (10, "gaussian"))
    ]
    keep("khype", rows)


if __name__ == "__main__":
    main()
