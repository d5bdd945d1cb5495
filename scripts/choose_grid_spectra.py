"""Which four USGS spectra the 2019 grid of NAE is run with.

    python scripts/choose_grid_spectra.py DATA

The publication does not name its four spectra, and spectra differ a lot in how well they can be
told apart. So the four are fixed by two things that involve no method that is compared:

* the published accuracy must be possible at all: the Bayesian Cramér-Rao bound (mixing model,
  spectra and noise known, flat prior) may exceed the best published error of no cell by more than
  a tenth;
* among those, VCA's mean endmember angle on the nine scenes must come nearest to the published one
  (sum of squared logarithms of the ratio).

Candidates are random sets of four from USGS splib06a at 224 AVIRIS bands: the first complete
spectrum of each material, without mixtures. Sets that are possible are tried on the linear scenes
in the four dimensions that the spectra span; the twenty best on all nine scenes, the five best of
these at full size. VCA's directions are random: its angle is averaged over seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from unmix.extract import vca
from unmix.io.library import read_endmembers
from unmix.metrics import align, endmember_sad_rad
from unmix.mixing import bilinear, linear, post_nonlinear
from unmix.types import Endmembers

SETS = 300_000
SNRS = (10.0, 20.0, 30.0)
K, N_BANDS, PIXELS = 4, 224, 300_000
# Wang et al. 2019: VCA's endmember angle in degrees, and the lowest abundance RMSE of any method
ANGLE = {
    "linear": (3.29, 1.46, 0.67),
    "bilinear": (4.68, 2.44, 3.38),
    "pnmm": (5.08, 5.04, 4.97),
}
LOWEST = {
    "linear": (0.0564, 0.0241, 0.0104),
    "bilinear": (0.0621, 0.0427, 0.0427),
    "pnmm": (0.0364, 0.0373, 0.0372),
}
MIX = {"linear": linear, "bilinear": bilinear, "pnmm": post_nonlinear}
# Directions in which shares can change, and the precision of the flat prior along them
CHANGE = np.linalg.svd(np.ones((1, K)))[2][1:]
PRIOR = np.linalg.inv(CHANGE @ (np.eye(K) / K - 1 / K**2) @ CHANGE.T / (K + 1))


def candidates(data: Path) -> Endmembers:
    """One spectrum of each material, bands sorted by wavelength."""
    library = read_endmembers(data / "usgs" / "s06av95a_envi.hdr")
    rows: dict[str, int] = {}
    for row, name in enumerate(library.names):
        spectrum, material = library.spectra[row], name.split()[0]
        whole = np.isfinite(spectrum).all() and spectrum.min() > 0.001 and spectrum.max() < 1.2
        if whole and not set(material) & set("+.0123456789"):
            rows.setdefault(material, row)
    order = np.argsort(library.wavelength)
    chosen = list(rows.values())
    names = tuple(library.names[row] for row in chosen)
    return Endmembers(library.spectra[chosen][:, order], library.wavelength[order], names)


def bound(E: np.ndarray, A: np.ndarray, model: str, snr: float) -> float:
    """Bayesian Cramér-Rao bound of the abundance RMSE, averaged over the pixels A."""
    X, step = MIX[model](A, E), 1e-5
    slopes = np.stack([(MIX[model](A + step * d, E) - X) / step for d in CHANGE], axis=1)
    noise = (X**2).sum(axis=1).mean() / E.shape[1] / 10 ** (snr / 10)
    information = slopes @ slopes.transpose(0, 2, 1) / noise + PRIOR
    return float(np.sqrt(np.trace(np.linalg.inv(information), axis1=1, axis2=2).mean() / K))


def linear_bound(gram: np.ndarray, A: np.ndarray, snr: float) -> float:
    """The same for linear mixing, from the spectra's inner products."""
    noise = np.einsum("nk,kl,nl->n", A, gram, A).mean() / N_BANDS / 10 ** (snr / 10)
    information = CHANGE @ gram @ CHANGE.T / noise + PRIOR
    return float(np.sqrt(np.trace(np.linalg.inv(information)) / K))


def possible(library: Endmembers, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Random sets of four on which no published error lies below the bound."""
    A = rng.dirichlet(np.ones(K), 200)
    gram = library.spectra @ library.spectra.T
    found = set()
    for _ in range(SETS):
        rows = tuple(sorted(rng.choice(len(library), K, replace=False).tolist()))
        if linear_bound(gram[np.ix_(rows, rows)], A[:40], 10.0) > LOWEST["linear"][0]:
            continue
        E = library.spectra[list(rows)]
        if all(
            bound(E, A, model, snr) < 1.1 * lowest
            for model in ("pnmm", "bilinear", "linear")
            for snr, lowest in zip(SNRS, LOWEST[model], strict=True)
        ):
            found.add(rows)
    return sorted(found)


def vca_angle(X: np.ndarray, E: np.ndarray, seeds: int) -> float:
    """Mean angle of VCA's endmembers to the true ones, degrees, over seeds."""
    angles = []
    for seed in range(seeds):
        found = vca(X, len(E), seed=seed)
        order = align(E_est=found, E_true=E)
        angles.append(np.degrees(endmember_sad_rad(found[order], E).mean()))
    return float(np.mean(angles))


def misfit(found: list[float], published: tuple[float, ...]) -> float:
    """Sum of squared logarithms of found over published."""
    return float(np.square(np.log(np.divide(found, published))).sum())


def in_span(E: np.ndarray, A: np.ndarray, Z: np.ndarray, snr: float) -> tuple[np.ndarray, ...]:
    """A linear scene and its members in the span of E: noise outside it is never seen."""
    members = np.linalg.qr(E.T).R.T.astype(np.float32)
    clean = A @ members
    sigma = np.sqrt((clean**2).sum(axis=1).mean() / E.shape[1] / 10 ** (snr / 10))
    return clean + np.float32(sigma) * Z, members


def full(E: Endmembers, n_pixels: int, seed: int) -> dict[str, list[float]]:
    """VCA's angles on the nine scenes."""
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.ones(K), n_pixels).astype(np.float32)
    found: dict[str, list[float]] = {}
    for model in ANGLE:
        for snr in SNRS:
            X = MIX[model](A, E.spectra.astype(np.float32))
            sigma = np.sqrt((X**2).sum(axis=1).mean() / X.shape[1] / 10 ** (snr / 10))
            X += np.float32(sigma) * rng.standard_normal(X.shape, dtype=np.float32)
            found.setdefault(model, []).append(vca_angle(X, E.spectra, 4))
    return found


def main() -> None:
    """Print the sets of four, the best ones at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    library = candidates(parser.parse_args().data)
    rng = np.random.default_rng(0)
    sets = possible(library, rng)
    print(f"{len(library)} materials; possible on {len(sets)} of {SETS} sets", flush=True)
    A = rng.dirichlet(np.ones(K), PIXELS // 3).astype(np.float32)
    Z = rng.standard_normal(A.shape, dtype=np.float32)
    tried = []
    for rows in sets:
        E = library.spectra[list(rows)]
        found = [vca_angle(*in_span(E, A, Z, snr), 2) for snr in SNRS]
        tried.append((misfit(found, ANGLE["linear"]), rows))
    best = []
    for _, rows in sorted(tried)[:20]:
        names = tuple(library.names[r] for r in rows)
        four = Endmembers(library.spectra[list(rows)], library.wavelength, names)
        found = full(four, PIXELS // 3, 0)
        best.append((sum(misfit(found[m], p) for m, p in ANGLE.items()), four))
        print(f"{best[-1][0]:.3f}", "; ".join(names), flush=True)
    print("\nthe best at full size")
    for _, four in sorted(best, key=lambda item: item[0])[:5]:
        found = full(four, PIXELS, 1)
        print(f"{sum(misfit(found[m], p) for m, p in ANGLE.items()):.3f}", "; ".join(four.names))
        for model, angles in found.items():
            print("   ", model, " ".join(f"{a:.2f}" for a in angles), "published", ANGLE[model])


if __name__ == "__main__":
    main()
