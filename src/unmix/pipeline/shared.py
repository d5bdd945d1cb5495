"""One model for many scenes: trained on blocks of all of them, so that members are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.pipeline.checkpoint import check_free
from unmix.pipeline.model import SAME_BAND
from unmix.pipeline.naming import library_of
from unmix.pipeline.progress import Progress, Stages
from unmix.pipeline.ready import (
    Ready,
    as_scene,
    band_values,
    gaps_of,
    prepared_with,
    readable,
    with_given,
)
from unmix.pipeline.train import train_on
from unmix.prepare import plan
from unmix.prepare.preparation import Preparation
from unmix.tiles.sample import FIT_PIXELS, Sample
from unmix.types import Endmembers

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["pooled", "train_shared"]

_LEAST = 64 * 64  # pixels of a scene: a block


def train_shared(
    scenes: Sequence[xr.DataArray],
    out: Path,
    *,
    n_endmembers: int | None = None,
    endmembers: Endmembers | ArrayLike | str | Path | None = None,
    method: str | None = None,
    scale: str = "auto",
    identify: bool | Endmembers | str | Path = True,
    seed: int = 0,
    device: str = "auto",
    preparation: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    memory: int | None = None,
    overwrite: bool = False,
) -> str:
    """Fit a method to blocks of all scenes and write the model folder; how it ended.

    2¹⁸ pixels in all: each scene gives the same number, at least a block of 64 × 64. Bands that
    one scene leaves out are left out of all. Keywords are those of `unmix.run`.

    Raises
    ------
    InputError
        Scenes of different bands; as `unmix.run`.
    """
    check_free(out, overwrite)
    stage, library = Stages(progress), library_of(identify)
    with stage("prepare"):
        ready = _ready(
            [readable(as_scene(s)) for s in scenes], endmembers, seed, preparation or {}, memory
        )
    return train_on(
        ready, out, stage, source=f"{len(scenes)} scenes", library=library, seed=seed,
        overwrite=overwrite, n_endmembers=n_endmembers, method=method, scale=scale, device=device,
        parameters=parameters,
    )  # fmt: skip


def pooled(samples: Sequence[Sample]) -> Sample:
    """Samples one below the other, the narrower ones filled up with pixels that are not valid.

    >>> one = Sample(np.ones((2, 3), np.float32), np.array([[True, True]]))
    >>> two = Sample(np.zeros((1, 3), np.float32), np.array([[True]]))
    >>> pooled([one, two]).valid
    array([[ True,  True],
           [ True, False]])
    """
    widest = max(sample.valid.shape[1] for sample in samples)
    valid = [np.pad(s.valid, ((0, 0), (0, widest - s.valid.shape[1]))) for s in samples]
    X = np.concatenate([sample.X for sample in samples])
    return Sample(X, np.concatenate(valid), sum(max(sample.blocks, 1) for sample in samples))


def _ready(
    scenes: Sequence[xr.DataArray],
    endmembers: Endmembers | ArrayLike | str | Path | None,
    seed: int,
    options: Mapping[str, Any],
    memory: int | None,
) -> Ready:
    """The first scene, decided from blocks of all."""
    _check_bands(scenes)
    excluded = gaps_of(scenes[0], endmembers)
    plans = [plan(scene, seed=seed, excluded=excluded, **options) for scene in scenes]
    kept = plans[0].kept
    for prepared in plans[1:]:
        kept = np.intersect1d(kept, prepared.kept)
    if len(kept) < 2:
        raise InputError("scene: the scenes have fewer than 2 good bands in common; leave some out")
    share = max(FIT_PIXELS // len(scenes), 1)
    samples = [
        _cropped(_drawn(scene, replace(prepared, kept=kept), seed, memory, share), share)
        for scene, prepared in zip(scenes, plans, strict=True)
    ]
    ready = Ready(scenes[0], replace(plans[0], kept=kept), pooled(samples))
    return with_given(ready, scenes[0], endmembers)


def _drawn(
    scene: xr.DataArray, prepared: Preparation, seed: int, memory: int | None, share: int
) -> Sample:
    most = max(share, _LEAST)
    return prepared_with(scene, prepared, seed=seed, memory=memory, most=most).sample


def _cropped(sample: Sample, share: int) -> Sample:
    """No more than a share: the upper left part of a block that is more."""
    rows, cols = sample.valid.shape
    if rows * cols <= max(share, 2):
        return sample
    keep = np.zeros_like(sample.valid)
    high = min(rows, max(int(share**0.5), 2))
    keep[:high, : max(share // high, 1)] = True
    if not (keep & sample.valid).any():
        return sample
    wide: NDArray[np.bool_] = sample.valid[:high, : max(share // high, 1)]
    return Sample(sample.X[keep[sample.valid]], wide, sample.blocks)


def _check_bands(scenes: Sequence[xr.DataArray]) -> None:
    first = scenes[0]
    here = band_values(first, "wavelength")
    for scene in scenes[1:]:
        names = [Path(str(s.attrs.get("source", "scene"))).name for s in (scene, first)]
        if scene.sizes["band"] != first.sizes["band"]:
            raise InputError(
                f"shared: {names[0]} has {scene.sizes['band']} bands where {names[1]} has "
                f"{first.sizes['band']}; give scenes of one sensor"
            )
        there = band_values(scene, "wavelength")
        if (here is None) != (there is None) or (
            here is not None
            and there is not None
            and not np.allclose(here, there, 0, SAME_BAND, equal_nan=True)
        ):
            raise InputError(
                f"shared: the wavelengths of {names[0]} are not those of {names[1]}; give scenes "
                "of one sensor"
            )
