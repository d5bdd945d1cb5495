"""FCLS against reading the cube once, and against other solvers, in one run.

    python benchmarks/bench_fcls.py [--pixels 1000000]

Bars: K = 5 at most 2 × reading, K = 10 at most 5 ×, K = 20 at most 60 × (10⁶ × 305, float32); at
K = 5 at least 3000 × the per-pixel rate of a cvxopt loop and 30 × that of a DAQP loop; answers
within 1e-5 of quadprog.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import announce, interleaved, keep, read_once, scene

from unmix.solve import fcls, kkt_residual


def cvxopt_loop(X: np.ndarray, E: np.ndarray) -> np.ndarray:
    from cvxopt import matrix, solvers

    solvers.options.update(show_progress=False)
    n = len(E)
    P, G, h = matrix(E @ E.T), matrix(-np.eye(n)), matrix(np.zeros(n))
    A, b = matrix(np.ones((1, n))), matrix(1.0)
    return np.array([np.ravel(solvers.qp(P, matrix(-(E @ x)), G, h, A, b)["x"]) for x in X])


def daqp_loop(X: np.ndarray, E: np.ndarray) -> np.ndarray:
    import daqp

    n = len(E)
    H, ones = E @ E.T, np.ones((1, n))
    upper, lower = np.r_[np.full(n, 1e30), 1.0], np.r_[np.zeros(n), 1.0]
    sense = np.r_[np.zeros(n), 5].astype(np.int32)
    return np.array([daqp.solve(H, -(E @ x), ones, upper, lower, sense)[0] for x in X])


def quadprog_loop(X: np.ndarray, E: np.ndarray) -> np.ndarray:
    import quadprog

    n = len(E)
    G, C, b = E @ E.T, np.column_stack([np.ones(n), np.eye(n)]), np.r_[1.0, np.zeros(n)]
    return np.array([quadprog.solve_qp(G, E @ x, C, b, 1)[0] for x in X])


def rate(solver: Callable[..., Any], X: np.ndarray, E: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds a pixel of a loop, and its answers."""
    solver(X[:5], E)
    start = time.perf_counter()
    answer = solver(X, E)
    return (time.perf_counter() - start) / len(X), answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=1_000_000)
    n_pixels = parser.parse_args().pixels
    announce()
    rows = []
    for n_members, snr_db in ((5, 30), (5, 20), (10, 30), (10, 20), (20, 30), (20, 20)):
        X, E = scene(n_pixels, 305, n_members, snr_db)
        paths = {"read": lambda X=X: read_once(X), "fcls": lambda X=X, E=E: fcls(X, E)}
        seconds = interleaved(paths, rounds=9 if n_members < 20 else 3)
        A = fcls(X[:2000], E)
        x64, e64 = X[:2000].astype(float), E.astype(float)
        row: dict[str, Any] = {
            "K": n_members,
            "snr_db": snr_db,
            "read_ms": round(1e3 * seconds["read"], 1),
            "fcls_ms": round(1e3 * seconds["fcls"], 1),
            "times_reading": round(seconds["fcls"] / seconds["read"], 2),
            "pixels_with_a_zero": round(float((A == 0).any(axis=1).mean()), 3),
            "kkt": float(f"{kkt_residual(x64, e64, A).max():.1e}"),
            "error_to_quadprog": float(f"{np.abs(A - quadprog_loop(x64, e64)).max():.1e}"),
        }
        if n_members == 5 and snr_db == 30:
            per_pixel = seconds["fcls"] / n_pixels
            row["times_cvxopt_loop"] = round(rate(cvxopt_loop, x64[:300], e64)[0] / per_pixel)
            row["times_daqp_loop"] = round(rate(daqp_loop, x64, e64)[0] / per_pixel)
        rows.append(row)
    keep("fcls", rows)


if __name__ == "__main__":
    main()
