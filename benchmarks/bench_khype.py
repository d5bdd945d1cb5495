"""K-Hype and SK-Hype against reading the cube once and against the full QPs of every pixel.

    UNMIX_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/bench_khype.py [--pixels 200000]

Bars: K-Hype at 162 bands at least 3000 × the per-pixel rate of a cvxopt loop over the dual of
L + K + 1 unknowns, as everybody solves it, and answers within 1e-5 of it at tolerances of 1e-12; at
305 bands in float32 at most 6 × reading. The last rows are abundance RMSEs on simulated scenes with
the true endmembers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from common import announce, interleaved, keep, read_once, scene

from unmix.methods.khype import VCAKHype, VCASKHype
from unmix.methods.linear import VCAFCLS
from unmix.simulate.demo import MEMBERS, builtin_library
from unmix.simulate.scene import simulate
from unmix.solve import fcls, khype, skhype
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


def skhype_loop(X: np.ndarray, E: np.ndarray, **options: float) -> np.ndarray:
    """The authors' alternation, each turn a QP of L + K unknowns by cvxopt."""
    from cvxopt import matrix, solvers

    M, n, n_bands = E.T, *E.shape
    K_M, linear = band_kernel(E, "gaussian", 2.0), E.T @ E
    G = matrix(np.hstack([np.zeros((n, n_bands)), -np.eye(n)]))
    chosen = {"show_progress": False, **options}

    def turn(x: np.ndarray, d: float) -> tuple[np.ndarray, np.ndarray]:
        top = d * linear + (1 - d) * K_M + MU * np.eye(n_bands)
        H = np.block([[top, d * M], [d * M.T, d * np.eye(n)]])
        f = matrix(np.r_[-x, np.zeros(n)])
        z = np.ravel(solvers.qp(matrix(H), f, G, matrix(np.zeros(n)), options=chosen)["x"])
        return z[:n_bands], d * (M.T @ z[:n_bands] + z[n_bands:])

    def solve(x: np.ndarray) -> np.ndarray:
        d = 0.5
        beta, h = turn(x, d)
        for step in range(1, 16):
            before = d
            d = 1 / (1 + (1 - d) * np.sqrt((beta @ K_M @ beta) / (h @ h)))
            beta, h = turn(x, d)
            if step > 1 and np.sqrt(2) * abs(d - before) / n < 1e-4:
                break
        return h / h.sum()

    return np.array([solve(x) for x in X])


def rates(
    solvers: Mapping[str, tuple[Callable[..., Any], int]], X: np.ndarray, E: np.ndarray
) -> Any:
    """Median seconds a pixel of every solver on its first pixels, all in turn."""
    paths = {name: lambda f=f, n=n: f(X[:n], E) for name, (f, n) in solvers.items()}
    seconds = interleaved(paths, rounds=5)
    return {name: seconds[name] / n for name, (_, n) in solvers.items()}


def against_loops(n_pixels: int, n_bands: int) -> list[dict[str, Any]]:
    """K = 5 in float64 against the full duals, pixel by pixel."""
    X32, E32 = scene(n_pixels, n_bands, 5)
    unit = float(E32.max())
    X, E = X32.astype(float) / unit, E32.astype(float) / unit
    few = n_pixels // 20
    seconds = rates(
        {
            "khype": (khype, n_pixels),
            "cvxopt": (cvxopt_loop, 30),
            "quadprog": (quadprog_loop, 10),
            "skhype": (skhype, few),
            "cvxopt, SK-Hype": (skhype_loop, 5),
        },
        X,
        E,
    )
    sharp = {"abstol": 1e-12, "reltol": 1e-12, "feastol": 1e-12}
    exact = cvxopt_loop(X[:100], E, **sharp)
    turns = np.abs(skhype(X[:20], E)[0] - skhype_loop(X[:20], E, **sharp)).max()
    about = {"bands": n_bands, "K": 5, "dtype": "float64"}
    return [
        {
            "method": "K-Hype",
            **about,
            "us_per_pixel": round(1e6 * seconds["khype"], 3),
            "times_cvxopt_loop": round(seconds["cvxopt"] / seconds["khype"]),
            "times_quadprog_loop": round(seconds["quadprog"] / seconds["khype"]),
            "error_to_cvxopt_1e-12": float(f"{np.abs(khype(X[:100], E) - exact).max():.1e}"),
            "cvxopt_default_error": float(f"{np.abs(cvxopt_loop(X[:100], E) - exact).max():.1e}"),
        },
        {
            "method": "SK-Hype",
            **about,
            "us_per_pixel": round(1e6 * seconds["skhype"], 3),
            "times_cvxopt_loop": round(seconds["cvxopt, SK-Hype"] / seconds["skhype"]),
            "error_to_cvxopt_1e-12": float(f"{turns:.1e}"),
        },
    ]


def against_reading(n_pixels: int, n_members: int, kernel: str, snr_db: int) -> dict[str, Any]:
    """305 bands in float32 against reading them."""
    X, E = scene(n_pixels, 305, n_members, snr_db)
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
        "method": "K-Hype",
        "bands": 305,
        "K": n_members,
        "dtype": "float32",
        "kernel": kernel,
        "snr_db": snr_db,
        "pixels": n_pixels,
        "times_reading": round(seconds["khype"] / seconds["read"], 2),
        "times_fcls": round(seconds["khype"] / seconds["fcls"], 2),
        "pixels_with_a_zero": round(float((A == 0).any(axis=1).mean()), 3),
        "error_to_float64": float(f"{np.abs(A - A64).max():.1e}"),
    }


def accuracy(model: str, snr_db: float) -> dict[str, Any]:
    """Abundance RMSE with the true endmembers on a simulated scene of 64 × 80 pixels."""
    library = builtin_library()
    rows = [library.names.index(name) for name in MEMBERS]
    members = replace(library, spectra=library.spectra[rows], names=MEMBERS)
    made = simulate(members, model=model, snr=snr_db, size=(64, 80), field="dirichlet")
    X, E = made.cube.reshape(-1, made.cube.shape[-1]), made.endmembers.spectra
    truth = made.abundances.reshape(-1, len(E))
    row: dict[str, Any] = {"scene": model, "snr_db": snr_db}
    for name, method in (
        ("FCLS", VCAFCLS(endmembers=E)),
        ("K-Hype", VCAKHype(endmembers=E)),
        ("K-Hype, polynomial", VCAKHype(endmembers=E, kernel="polynomial")),
        ("SK-Hype", VCASKHype(endmembers=E)),
        ("SK-Hype, polynomial", VCASKHype(endmembers=E, kernel="polynomial")),
    ):
        error = method.fit(X).transform(X) - truth
        row[name] = round(float(np.sqrt((error**2).mean())), 4)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=200_000)
    n_pixels = parser.parse_args().pixels
    announce()
    rows = [row for bands in (162, 305) for row in against_loops(min(n_pixels, 100_000), bands)]
    cases = ((5, "gaussian", 30), (5, "polynomial", 30), (5, "gaussian", 10), (10, "gaussian", 20))
    rows += [against_reading(n_pixels, *case) for case in cases]
    models = ("linear", "bilinear", "gbm", "pnmm")
    rows += [accuracy(model, snr_db) for model in models for snr_db in (30, 20)]
    keep("khype", rows)


if __name__ == "__main__":
    main()
