"""N-FINDR against a determinant a pixel, SISAL's Newton steps against the published algorithm.

    python benchmarks/bench_simplex.py [--pysptools FOLDER]

94 249 pixels × 162 bands, float32. Bar: a pass of N-FINDR at least 10 × faster than that of
pysptools, the final volume no smaller. FOLDER is one that
`pip install --target FOLDER --no-deps pysptools==0.15.0` filled; its call of a determinant that
SciPy no longer has is mended here, with LAPACK's. Without it, a compiled loop of the same passes
stands in. The published SISAL is written here in NumPy, from its description, with its settings
(80 approximations of 4 steps, 100 in the last).
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from common import announce, interleaved, keep, read_once, scene
from numba import njit
from scipy.linalg.lapack import sgetrf

from unmix.extract import nfindr, sisal
from unmix.extract.facets import hinge, smallest_simplex
from unmix.extract.hyperplane import Hyperplane
from unmix.extract.nfindr import exchange, largest_simplex
from unmix.extract.vca import log_volume
from unmix.parallel import n_threads

N_PIXELS, N_BANDS = 94_249, 162


def sdet(a: np.ndarray) -> tuple[float, int]:
    """Determinant from LAPACK's LU, in place of the one SciPy dropped."""
    lu, _, info = sgetrf(a)
    return float(lu.diagonal().prod()), info


def peer(folder: Path | None) -> Any:
    """The N-FINDR module of pysptools alone, mended; None where it is not installed."""
    place = None if folder is None else folder / "pysptools" / "eea"
    if place is None or not (place / "nfindr.py").is_file():
        return None
    package = types.ModuleType("peer_eea")
    package.__path__ = [str(place)]
    sys.modules["peer_eea"] = package
    for name in ("eea", "nfindr"):
        spec = importlib.util.spec_from_file_location(f"peer_eea.{name}", place / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        setattr(package, name, module)
    flinalg = types.SimpleNamespace(sdet_c=sdet)
    module.sp = types.SimpleNamespace(linalg=types.SimpleNamespace(_flinalg=flinalg))
    return package


@njit(cache=True)
def determinants(z: Any, picks: Any) -> None:
    """One pass with a determinant a pixel and vertex; `picks` is overwritten."""
    n = len(picks)
    Y = np.ones((n, n))
    for i in range(n):
        Y[: n - 1, i] = z[:, picks[i]]
    best = abs(np.linalg.det(Y))
    for i in range(n):
        for row in range(z.shape[1]):
            Y[: n - 1, i] = z[:, row]
            volume = abs(np.linalg.det(Y))
            if volume > best:
                best = volume
                picks[i] = row
        Y[: n - 1, i] = z[:, picks[i]]


def published_sisal(z: np.ndarray, V: np.ndarray, tau: float) -> np.ndarray:
    """Q by variable splitting; V (K, K) the vertices' (z, 1), a column each; z spherised."""
    n, n_pixels = len(V), z.shape[1]
    Y = np.vstack([z, np.ones(n_pixels)])
    mu, curvature = 1000.0 * n / n_pixels, 1e-6
    centre = V.mean(axis=1, keepdims=True)
    Q = np.linalg.inv(V + n * (V - centre))  # the start is blown up to hold most pixels
    # Row i of Q: (curvature I + mu Y Yᵀ) q = right side, and Σ_i q_i = (0, …, 0, 1).
    inverse = np.linalg.inv(curvature * np.eye(n) + mu * Y @ Y.T)
    total = np.eye(n)[-1]
    Z, D = Q @ Y, np.zeros((n, n_pixels))

    def objective(Q: np.ndarray, QY: np.ndarray) -> float:
        return float(tau * np.maximum(-QY, 0).sum() - np.linalg.slogdet(Q)[1])

    f = objective(Q, Z)
    for step in range(80):
        before = Q
        right = curvature * Q + np.linalg.inv(Q).T
        for _ in range(100 if step == 79 else 4):
            Q = (right + mu * (Z + D) @ Y.T) @ inverse
            Q += (total - Q.sum(axis=0)) / n
            QY = Q @ Y
            shifted = QY - D
            Z = np.maximum(shifted, 0) + np.minimum(shifted + tau / mu, 0)
            D = Z - shifted
        value, halvings = objective(Q, QY), 0
        while value > f and halvings < 60:
            Q = (Q + before) / 2
            value, halvings = objective(Q, Q @ Y), halvings + 1
        f = value
    return Q


def of_nfindr(n: int, package: Any) -> dict[str, Any]:
    """A pass of each from the same start, the whole of each, and the volumes."""
    X, _ = scene(N_PIXELS, N_BANDS, n)
    z = Hyperplane.of(X, n).points
    random.seed(0)
    start = np.array([int(random.random() * N_PIXELS) for _ in range(n)])
    paths = {
        "read": lambda: read_once(X),
        "pass": lambda: exchange(z, start, 1),
        "determinants": lambda: determinants(z, start.copy()),
        "whole": lambda: nfindr(X, n),
    }
    row: dict[str, Any] = {"method": "nfindr", "k": n, "threads": n_threads()}
    if package is not None:
        transformed = np.ascontiguousarray(z.T)

        def one_pass() -> Any:
            random.seed(0)
            with patch.object(package.eea, "_PCA_transform", lambda data, count: transformed):
                return package.nfindr.NFINDR(X, n, maxit=0)

        def whole() -> Any:
            random.seed(0)
            return package.nfindr.NFINDR(X, n)

        paths |= {"peer_pass": one_pass, "peer_whole": whole}
    seconds = interleaved(paths, rounds=3)
    picks, passes = largest_simplex(z)
    row |= {
        "pass_ms": round(1e3 * seconds["pass"], 2),
        "whole_ms": round(1e3 * seconds["whole"], 1),
        "whole_times_reading": round(seconds["whole"] / seconds["read"], 2),
        "passes": passes,
        "compiled_determinants_times_slower": round(seconds["determinants"] / seconds["pass"], 1),
        "log_volume": round(log_volume(z[:, picks].T), 6),
    }
    if package is not None:
        theirs = whole()
        row |= {
            "pysptools_pass_times_slower": round(seconds["peer_pass"] / seconds["pass"]),
            "pysptools_whole_times_slower": round(seconds["peer_whole"] / seconds["whole"]),
            "pysptools_passes": int(theirs[3]),
            "pysptools_log_volume": round(log_volume(z[:, theirs[2]].T), 6),
            "same_first_pass": bool(set(one_pass()[2]) == set(exchange(z, start, 1)[0])),
        }
    return row


def of_sisal(n: int, share: float) -> dict[str, Any]:
    """The same objective, start and pixels; and the whole extractor."""
    X, _ = scene(N_PIXELS, N_BANDS, n)
    z = Hyperplane.of(X, n).points
    V = np.vstack([z[:, largest_simplex(z)[0]], np.ones(n)])
    tau = (n - 1) / (share * N_PIXELS)
    seconds = interleaved(
        {
            "newton": lambda: smallest_simplex(z, np.linalg.inv(V), tau),
            "published": lambda: published_sisal(z, V, tau),
            "whole": lambda: sisal(X, n),
        },
        rounds=3,
    )
    found = {
        "newton": smallest_simplex(z, np.linalg.inv(V), tau).Q,
        "published": published_sisal(z, V, tau),
    }
    return {
        "method": "sisal",
        "k": n,
        "share_outside": share,
        "tau": float(f"{tau:.3g}"),
        "threads": n_threads(),
        "newton_ms": round(1e3 * seconds["newton"]),
        "published_times_slower": round(seconds["published"] / seconds["newton"], 1),
        "whole_ms": round(1e3 * seconds["whole"]),
    } | {
        f"objective_{name}": round(tau * hinge(z, Q) - float(np.linalg.slogdet(Q)[1]), 4)
        for name, Q in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pysptools", type=Path)
    package = peer(parser.parse_args().pysptools)
    announce()
    if package is None:
        print("# pysptools: not given or not there; compared with the compiled loop only")
    rows = [of_nfindr(n, package) for n in (5, 10)]
    rows += [of_sisal(n, share) for n, share in ((5, 1e-6), (5, 0.01), (10, 0.01))]
    keep("simplex", rows)


if __name__ == "__main__":
    main()
