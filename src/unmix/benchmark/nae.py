"""The 2019 grid of NAE: four USGS spectra, no spatial structure, 300 000 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from unmix import mixing
from unmix.benchmark.case import Case, Job, Suite, Target
from unmix.benchmark.data import AbsentError, read_usgs
from unmix.benchmark.settings import contenders, parameters
from unmix.types import Endmembers

__all__ = ["SPECTRA", "nae"]

# Fixed by scripts/choose_grid_spectra.py: VCA's published angles, and what accuracy is possible.
SPECTRA = (
    "Ammonio-Smectite GDS86 s06av95a=b",
    "Brookite HS443.2B s06av95a=b",
    "Ulexite GDS138 Boron; CA s06av95a=a",
    "Lawn_Grass GDS91 (Green) s06av95a=a",
)
SNRS = (10, 20, 30)
PIXELS, QUICK_PIXELS = (300, 1000), (100, 200)
SPATIAL = ("conv-ae",)  # there is nothing to see in a pixel's neighbours


def nae(
    data: Path | None, *, seeds: int, quick: bool, methods: Sequence[str] | None = None
) -> Suite:
    """Nine scenes: linear, bilinear (β = 1) and post-nonlinear (exponent 0.7) at 10, 20, 30 dB."""
    try:
        library = read_usgs(data, SPECTRA)
    except AbsentError as absent:
        return Suite("nae", [], [], [str(absent)])
    jobs = []
    for seed in range(seeds):
        for snr in SNRS:
            for model in ("linear", "bilinear", "pnmm"):
                make = partial(scene, library, model, snr, seed, quick)
                target = Target("grid", f"{model}-{snr}db", make)
                jobs += [
                    Job(m, "none", seed, (target,), parameters=parameters(m, quick))
                    for m in contenders(methods, without=SPATIAL)
                ]
    return Suite("nae", jobs, _protocol(quick), [])


def scene(library: Endmembers, model: str, snr: int, seed: int, quick: bool) -> Case:
    """Flat Dirichlet abundances, mixed, with white noise."""
    rng = np.random.default_rng((seed, snr))
    rows, cols = QUICK_PIXELS if quick else PIXELS
    E = np.asarray(library.spectra, np.float32)
    A = rng.dirichlet(np.ones(len(E)), (rows, cols)).astype(np.float32)
    mix = {"linear": mixing.linear, "bilinear": mixing.fan, "pnmm": mixing.post_nonlinear}
    X = mix[model](A, E).astype(np.float32)
    sigma = np.sqrt((X**2).sum(axis=-1).mean() / X.shape[-1] / 10 ** (snr / 10))
    X += np.float32(sigma) * rng.standard_normal(X.shape, dtype=np.float32)
    return Case(
        f"{model}-{snr}db", f"{model}, {snr} dB", X, A, np.asarray(library.spectra),
        library.names, np.asarray(library.wavelength, np.float64), model, float(snr),
    )  # fmt: skip


def _protocol(quick: bool) -> list[str]:
    rows, cols = QUICK_PIXELS if quick else PIXELS
    return [
        f"{rows * cols} pixels with independent flat Dirichlet abundances of four USGS spectra "
        f"({'; '.join(SPECTRA)}; AVIRIS, 224 bands), chosen so that VCA's endmember angle is the "
        "published one; bilinear: strength 1 for every pair; post-nonlinear: exponent 0.7; white "
        "noise. Blind, K given, scale none. ConvAE needs an image and is left out.",
        "Members are matched one to one by spectral angle (Hungarian method); RMSE over all "
        "abundance entries.",
        *(["Quick mode: fewer pixels."] if quick else []),
    ]
