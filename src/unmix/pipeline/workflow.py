"""Simulated training data from endmembers, a model trained on it, then fine-tuned on the scene.

The workflow of Section 4.5 of the CResDAE paper. The simulated scene holds the endmembers that are
known (or were found) on the bands that are kept, mixed in smooth maps with noise as measured band
by band and, where the scale mode says so, brightness as found in the scene.

References
----------
CResDAE, Remote Sensing 2025, 17(21), 3622, Section 4.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError, check_option
from unmix.extract.reduce import sample_rows
from unmix.scaling import abundances
from unmix.types import Endmembers

if TYPE_CHECKING:
    from unmix.methods.base import Unmixer
    from unmix.pipeline.progress import Stages
    from unmix.pipeline.ready import Ready
    from unmix.simulate.scene import Simulation

__all__ = ["check_pretrain", "pretrained", "starting_members", "training_scene"]

SIZE = (96, 128)
"""Of the simulated scene, rows and columns."""
_SNR = (5.0, 60.0)  # dB: the measured one within these
_SAMPLE = 5000
_SPAN = (0.05, 0.95)  # quantiles of the brightness found
_DARKEST = 0.05


def check_pretrain(estimator: Unmixer, name: str, model: str) -> None:
    """`InputError` for a mixing model there is not, or a method with nothing to fine-tune."""
    from unmix.simulate.models import MODELS

    check_option(model, MODELS, "pretrain")
    if not hasattr(estimator, "finetune"):
        raise InputError(
            f"pretrain: {name} learns nothing that could be fine-tuned; use a network or cresdae"
        )


def pretrained(
    ready: Ready,
    estimator: Unmixer,
    stage: Stages,
    *,
    model: str,
    scale: str,
    noise: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Fit the estimator to a scene simulated from its endmembers; what the manifest says of it."""
    with stage("simulate"):
        E = starting_members(ready, int(estimator.get_params()["n_endmembers"]), scale, seed)
        made = training_scene(ready, E, model=model, scale=scale, noise=noise, seed=seed)
    with stage("pretrain"):
        estimator.fit(made.cube if estimator.halo else made.cube.reshape(-1, made.cube.shape[-1]))
    return {
        "model": model,
        "size": list(made.cube.shape[:2]),
        "snr_db": made.snr,
        "members": "given" if estimator.n_given == len(E) else "given and found"
        if estimator.n_given else "found by VCA",
    }  # fmt: skip


def starting_members(ready: Ready, k: int, scale: str, seed: int) -> NDArray[np.floating]:
    """Endmembers to simulate from (member, kept band): those given, completed, or VCA's."""
    from unmix.methods import EXTRACTORS

    start = EXTRACTORS["vca"](n_endmembers=k, endmembers=ready.E, scale=scale, seed=seed)
    E: NDArray[np.floating] = np.asarray(start.fit(ready.X).endmembers_, np.float64)
    return E


def training_scene(
    ready: Ready,
    E: NDArray[np.floating],
    *,
    model: str,
    scale: str,
    noise: Mapping[str, Any],
    seed: int,
) -> Simulation:
    """A scene simulated from endmembers E (member, kept band), as the prepared scene is.

    Parameters
    ----------
    model : str
        Mixing model, one of `unmix.simulate.MODELS`.
    scale : str
        With any but "none" pixels differ in brightness, over the range found in the scene.
    noise : mapping
        "snr_db" and "per_band" as `unmix.pipeline.decide.noise` measures them.
    """
    from unmix.simulate.scene import simulate

    span = None
    if scale != "none":
        rows = sample_rows(len(ready.X), _SAMPLE, seed)
        s = abundances(ready.X[rows], E.astype(ready.X.dtype), "shade")[1]
        low, high = np.quantile(s, _SPAN)
        span = (max(float(low), _DARKEST), max(float(high), 2 * _DARKEST))
    per_band = np.asarray(noise["per_band"], float)
    profile = per_band if np.isfinite(per_band).all() and (per_band > 0).any() else None
    snr = float(np.clip(noise["snr_db"], *_SNR))
    return simulate(
        Endmembers(np.maximum(E, 0)), model=model, snr=snr, size=SIZE, seed=seed,
        brightness=span, noise_profile=profile,
    )  # fmt: skip
