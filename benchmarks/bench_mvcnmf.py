"""MVC-NMF in the hull of K − 1 components against its full-band form, an iteration and the end.

    python benchmarks/bench_mvcnmf.py [--rounds 5] [--iterations 150]

94 249 pixels × 162 bands, K = 5, 20 dB, one thread, both from VCA and FCLS on the same denoised
pixels. The full-band form is the published alternation, as it is written: a projected gradient
step with Armijo's rule for the abundances and one for the endmembers, every step tried with the
whole objective; steps start from ten times the last accepted one, which is quicker than from 1.
Objectives at the end are the full-band form's, on all bands, for both.
"""

from __future__ import annotations

import os

os.environ["UNMIX_THREADS"] = "1"

import argparse

import numpy as np
from common import announce, interleaved, keep, read_once, scene

from unmix.extract import vca
from unmix.extract.hull import Hull
from unmix.extract.mvcnmf import Descent, volume_price
from unmix.parallel import one_blas_thread
from unmix.solve import fcls, nnls

PIXELS, BANDS, K = 94_249, 162, 5
DELTA = 20.0


class FullBand:
    """The published iteration: X (band, pixel), A (band, member), S (member, pixel)."""

    def __init__(self, X, A, S, U, mu, tau) -> None:
        self.X, self.A, self.S, self.U, self.mu, self.tau = X, A, S, U, mu[:, None], tau
        self.steps = [1.0, 1.0]
        self.value = self.objective(A, S)

    def Z(self, A):
        """The simplex matrix."""
        return np.vstack([np.ones(A.shape[1]), self.U.T @ (A - self.mu)])

    def objective(self, A, S):
        """On all bands."""
        fit = ((self.X - A @ S) ** 2).sum() + DELTA**2 * ((1 - S.sum(axis=0)) ** 2).sum()
        return 0.5 * fit + 0.5 * self.tau * np.linalg.det(self.Z(A)) ** 2

    def search(self, which, start, gradient, value):
        """Armijo's rule along the projected gradient."""
        step = self.steps[which]
        for _ in range(50):
            trial = np.maximum(start - step * gradient, 0)
            new = value(trial)
            if new - self.value <= 0.01 * (gradient * (trial - start)).sum():
                self.steps[which], self.value = 10 * step, new
                return trial
            step *= 0.1
        return start

    def iterate(self) -> None:
        """One step each."""
        gradient = self.A.T @ (self.A @ self.S - self.X) + DELTA**2 * (self.S.sum(axis=0) - 1)
        self.S = self.search(0, self.S, gradient, lambda S: self.objective(self.A, S))
        Z = self.Z(self.A)
        gradient = (self.A @ self.S - self.X) @ self.S.T
        gradient += self.tau * np.linalg.det(Z) ** 2 * self.U @ np.linalg.inv(Z).T[1:]
        self.A = self.search(1, self.A, gradient, lambda A: self.objective(A, self.S))


def row(X, E, hull, tau, rounds, iterations):
    """Times of an iteration, and objectives at the start and the end."""
    denoised = (hull.space.mean + hull.z.T @ hull.space.axes).T
    S = fcls(denoised.T, E).T.copy()
    full = FullBand(denoised, E.T.copy(), S, hull.space.axes.T, hull.space.mean, tau)
    ours = Descent(hull, tau, DELTA, E)
    first = full.value
    seconds = interleaved(
        {
            "read": lambda: read_once(X),
            "full_band": full.iterate,
            "ours": lambda: [ours.iterate() for _ in range(10)],
        },
        rounds,
    )
    while len(ours.history) <= iterations:
        ours.iterate()
    for _ in range(iterations - rounds - 1):
        full.iterate()
    ones = np.full((PIXELS, 1), DELTA)
    S = nnls(np.hstack([denoised.T, ones]), np.hstack([ours.E, np.full((K, 1), DELTA)])).T
    return {
        "tau": float(f"{tau:.3g}"),
        "read_ms": round(1e3 * seconds["read"], 2),
        "ours_ms": round(1e2 * seconds["ours"], 2),
        "full_band_ms": round(1e3 * seconds["full_band"], 1),
        "ratio": round(10 * seconds["full_band"] / seconds["ours"]),
        "iterations": iterations,
        "objective_start": round(first, 3),
        "objective_full_band": round(full.value, 3),
        "objective_ours": round(full.objective(ours.E.T, S), 3),
    }


def main() -> None:
    """Print and keep a row a price."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=150)
    arguments = parser.parse_args()
    announce()
    X, _ = scene(PIXELS, BANDS, K, 20.0)
    X /= X.max()
    hull = Hull.of(X, K - 1)
    E = np.maximum(vca(X, K), 0).astype(np.float64)
    with one_blas_thread():
        rows = [
            row(X, E, hull, tau, arguments.rounds, arguments.iterations)
            for tau in (0.015, volume_price(hull, E))
        ]
    keep("mvcnmf", rows)


if __name__ == "__main__":
    main()
