"""The publication's experiment: nine simulated scenes, then what was trained on them, on Urban."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.benchmark.case import Case, Job, Suite, Target
from unmix.benchmark.data import AbsentError, read_urban_crop, read_urban_truth
from unmix.benchmark.settings import contenders, parameters
from unmix.simulate import simulate
from unmix.solve import snnls
from unmix.subspace import estimate_noise
from unmix.types import Endmembers

__all__ = ["paper", "semi_synthetic"]

MODELS = ("linear", "bilinear", "pnmm")
SNRS = (10, 20, 30)
SIZE, QUICK_SIZE = (100, 100), (64, 64)
QUICK_TRANSFERS = (20,)  # SNRs of the scenes from which the quick mode transfers
TRANSFER_SCALE = "l2"  # simulated scenes have no shade, Urban has: directions are what transfers


def paper(
    data: Path | None, *, seeds: int, quick: bool, methods: Sequence[str] | None = None
) -> Suite:
    """Nine scenes of the five Urban spectra, and the transfer to the real and the full scene."""
    try:
        members = read_urban_crop(data, 5)
    except AbsentError as absent:
        return Suite("paper", [], [], [str(absent)])
    names = contenders(methods)
    published = read_urban_truth(data, 5).abundances
    targets = (
        Target("transfer-crop", "urban-5", lambda: members),
        Target("transfer-full", "urban-full", partial(semi_synthetic, members, published, 0)),
    )
    jobs: list[Job] = []
    transfers: list[Job] = []
    for seed in range(seeds):
        for model, snr in product(MODELS, SNRS):
            make = partial(simulated, members, model, snr, seed, quick)
            scene = Target("simulated", f"{model}-{snr}db", make)
            for m in names:
                options = parameters(m, quick)
                jobs.append(Job(m, "none", seed, (scene,), parameters=options))
                if not quick or (seed == 0 and snr in QUICK_TRANSFERS):
                    transfers.append(
                        Job(m, TRANSFER_SCALE, seed, targets, scene, parameters=options)
                    )
    jobs += transfers
    return Suite("paper", jobs, _protocol(quick), [])


def simulated(members: Case, model: str, snr: int, seed: int, quick: bool) -> Case:
    """One of the nine; they share abundances and interactions for a seed."""
    rng = np.random.default_rng((seed, 7))
    beta = rng.random((len(members.E),) * 2)
    library = Endmembers(members.E, members.wavelength, members.names, "Urban, five members")
    scene = simulate(
        library, model=model, snr=float(snr), size=QUICK_SIZE if quick else SIZE, seed=seed,
        beta=beta, gamma=0.7,
    )  # fmt: skip
    return Case(
        f"{model}-{snr}db", f"{model}, {snr} dB", scene.cube, scene.abundances,
        np.asarray(library.spectra), members.names, members.wavelength, model, float(snr),
    )  # fmt: skip


def semi_synthetic(crop: Case, A: NDArray[np.floating], seed: int) -> Case:
    """The full Urban scene mixed from its published members and abundances.

    Its brightness is the crop's, mirrored over the scene; its noise has the crop's standard
    deviation in every band. Linear but for the brightness, so easier than the real scene.
    """
    rng = np.random.default_rng(seed)
    _, s = snnls(crop.X.astype(np.float64), crop.E)
    rows, cols = A.shape[:2]
    pad = ((0, max(rows - s.shape[0], 0)), (0, max(cols - s.shape[1], 0)))
    brightness = np.pad(s, pad, mode="symmetric")[:rows, :cols]
    sigma = estimate_noise(crop.X.reshape(-1, crop.X.shape[-1])).sigma
    clean = (brightness[..., None] * (A @ crop.E)).astype(np.float32)
    noise = rng.standard_normal(clean.shape, dtype=np.float32) * sigma.astype(np.float32)
    return Case(
        "urban-full", "Urban 307 x 307, semi-synthetic", clean + noise, A.astype(np.float32),
        crop.E, crop.names, crop.wavelength,
    )  # fmt: skip


def _protocol(quick: bool) -> list[str]:
    rows, cols = QUICK_SIZE if quick else SIZE
    lines = [
        f"Nine scenes of {rows} x {cols} pixels: the five published Urban spectra (162 bands), "
        "Gaussian-filtered abundance fields, linear, bilinear (a strength in [0, 1] drawn for "
        "every ordered pair) and post-nonlinear (exponent 0.7) mixing, white noise; the nine of a "
        "seed share abundances and strengths. Blind, K given, scale none.",
        "Transfer: fitted on a simulated scene, applied as it is to Urban, pixels and endmembers "
        "divided by their norm (scale l2). The full scene is semi-synthetic: published members "
        "and abundances, with the brightness and noise measured in the real crop.",
        "Members are matched one to one by spectral angle (Hungarian method); RMSE over all "
        "abundance entries; SAD and SID between abundance vectors, averaged over pixels.",
    ]
    if quick:
        lines.append(
            "Quick mode: smaller scenes, one transfer a mixing model (20 dB), shortened training "
            "where the settings below say so."
        )
    return lines
