"""A trained model applied to other scenes of its sensor, whose bands it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_option
from unmix.geology.settings import with_settings
from unmix.pipeline import assemble, decide
from unmix.pipeline.checkpoint import FILES, load_model, model_info
from unmix.pipeline.naming import library_of
from unmix.pipeline.progress import Progress, Stages
from unmix.pipeline.provenance import hash_files
from unmix.pipeline.ready import Ready, as_scene, band_values, prepared_with, readable
from unmix.pipeline.stages import solve
from unmix.pipeline.tiled import begun
from unmix.prepare import plan
from unmix.tiles.execution import Execution
from unmix.types import Endmembers, Unmixing

if TYPE_CHECKING:
    import xarray as xr

    from unmix.methods.base import Unmixer

__all__ = ["SAME_BAND", "apply_model"]

SAME_BAND = 1.0  # nm: band centres no farther apart are the same band
_LEAST = 1e-3  # rad: angles below are as good as none
_FARTHER = 2.0  # times as far from the model's mixtures: the scene is another kind of scene


def apply_model(
    model: str | Path,
    scene: xr.DataArray | str | Path,
    *,
    mask: ArrayLike | None = None,
    finetune: bool = False,
    identify: bool | Endmembers | str | Path = True,
    features: bool = True,
    device: str | None = None,
    progress: Progress | None = None,
    execution: Execution | None = None,
) -> Unmixing:
    """Unmix a scene with a model that `train_model` wrote.

    The scene must have the model's bands: centres within 1 nm where both have wavelengths, the
    same number of bands otherwise. With `finetune` the model is first fitted to the scene, from
    what it holds; its members keep their order and names, and the model file stays as it is.
    `identify` tells what they resemble in this scene, and renames none that the model has a name
    for; it, `features` and `execution` as in `unmix.run`. `device` is the model's own if left out.

    Raises
    ------
    InputError
        No usable model, a band of it that the scene lacks, a scene that cannot be used, or
        `finetune` for a method that has nothing to go on from.
    """
    card, estimator = model_info(model), load_model(model)
    _put(estimator, card["method"], device)
    data, execution = as_scene(scene), execution or Execution()
    stage, library = Stages(progress), library_of(identify)
    with stage("prepare"):
        ready = _ready_for(card, estimator.n_features_in_, data, mask, execution.bytes)
    about = {"model": hash_files([Path(model) / name for name in FILES]), "features": features}
    job, shape = begun(ready, execution, int(estimator.halo), about | {"finetune": finetune})
    before = None if job is None else job.fitted()
    if before is None:
        decisions = _decided(card, estimator, ready, str(model), finetune, stage)
        if job is not None:
            job.keep_fit(estimator, decisions)
    else:
        estimator, decisions = before
    result = solve(
        ready, estimator, decisions, stage, seed=estimator.seed, names=tuple(card["names"] or ()),
        library=library, features=features, execution=execution, shape=shape,
    )  # fmt: skip
    result = with_settings(result, None, None, None)
    found = [*result.provenance["warnings"], *_farther(card, result, finetune)]
    return replace(result, provenance={**result.provenance, "warnings": found})


def _put(estimator: Unmixer, name: str, device: str | None) -> None:
    """A model that has a network on the device asked for."""
    if device is None:
        return
    check_option(device, ("auto", "cpu", "cuda"), "device")
    if hasattr(estimator, "network_"):
        from unmix.nets.device import pick_device

        estimator.network_.to(pick_device(device))
        estimator.set_params(device=device)
    elif device == "cuda":
        raise InputError(f"device: this {name} does not use a GPU; leave it out")


def _decided(
    card: Mapping[str, Any],
    estimator: Unmixer,
    ready: Ready,
    model: str,
    finetune: bool,
    stage: Stages,
) -> dict[str, Any]:
    """The scene's noise, the model fitted to it if asked for, and what the model settles."""
    with stage("noise"):
        noise = decide.noise(ready.X, estimator.seed)
    if finetune:
        with stage("fit") as tell:
            _finetune(estimator, card["method"], ready, tell)
    trained = f"the model was trained so ({Path(model).name})"
    about = assemble.describe(estimator, card["method"])
    return {
        "method": about | {"model": model, "finetuned": finetune},
        "scale": {"mode": estimator.scale, "chosen": "model", "why": trained, "evidence": {}},
        "n_endmembers": {"k": len(estimator.endmembers_), "chosen": "model", "why": trained},
        "noise": noise,
    }


def _finetune(estimator: Unmixer, name: str, ready: Ready, tell: Callable[[float], None]) -> None:
    """Fit a model to the scene, from what it holds."""
    if not hasattr(estimator, "finetune"):
        raise InputError(f"finetune: {name} has nothing to go on from; train on the scene instead")
    if "progress" in estimator.get_params():
        estimator.progress = tell
    estimator.finetune(ready.seen_by(estimator))


def _farther(card: Mapping[str, Any], result: Unmixing, finetuned: bool) -> Iterator[str]:
    """A warning where the pixels are farther from the model's mixtures than those it learned."""
    there = (card["scene"] or {}).get("angle_rad")
    here = float(result.residual.sel(quantity="angle").median())
    if not isinstance(there, float) or not here > _FARTHER * max(there, _LEAST):
        return
    remedy = "train on this scene" if finetuned else "try --finetune, or train on this scene"
    yield (
        f"pixels are {here / max(there, _LEAST):.1f} times as far from the model's mixtures as "
        f"those it was trained on (median angle {here:.3f} rad): other materials, light or noise; "
        f"{remedy}"
    )


def _ready_for(
    card: Mapping[str, Any],
    n_features: int,
    scene: xr.DataArray,
    mask: ArrayLike | None,
    memory: int,
) -> Ready:
    """The scene prepared to the model's bands."""
    kept = _bands_for(card, scene)
    if len(kept) != n_features:
        raise InputError(f"model: lists {len(kept)} bands but takes {n_features}; train it again")
    others = np.setdiff1d(np.arange(scene.sizes["band"]), kept)
    data = readable(scene)
    prepared = plan(
        data,
        excluded=dict.fromkeys(others.tolist(), "not used by the model"),
        water_windows=(),
        detect_bad_bands=False,
        overlap="keep",
        smooth=float(_numbers((card["scene"] or {}).get("smooth", 0.0), "smooth", 0)),
        mask=mask,
    )
    lost = np.setdiff1d(kept, prepared.kept)
    if len(lost):
        raise InputError(
            f"scene: band {lost[0] + 1}, which the model needs, cannot be used "
            f"({prepared.reasons[int(lost[0])]}); train a model without it"
        )
    ready = prepared_with(data, replace(prepared, kept=kept), memory=memory)
    return replace(ready, scene=scene)


def _bands_for(card: Mapping[str, Any], scene: xr.DataArray) -> NDArray[np.intp]:
    """Which of the scene's bands are the model's, in the model's order."""
    here, there = band_values(scene, "wavelength"), card["wavelength_nm"]
    if here is not None and there is not None:
        return _by_wavelength(_numbers(there, "wavelength_nm", 1), here)
    about = card["scene"] or {}
    n_bands, kept = about.get("n_bands"), about.get("kept")
    if not isinstance(kept, list):
        raise InputError("model: does not say which bands it uses; train it again")
    if n_bands != scene.sizes["band"]:
        raise InputError(
            f"model: made for scenes of {n_bands} bands, this one has {scene.sizes['band']}; "
            "wavelengths on both sides would allow matching"
        )
    bands = _numbers(kept, "kept", 1)
    if not np.isin(bands, np.arange(n_bands)).all() or len(np.unique(bands)) < len(bands):
        raise _damaged("kept")
    return bands.astype(np.intp)


def _numbers(value: Any, name: str, ndim: int) -> NDArray[np.float64]:
    """What a model's card lists, as finite numbers."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
        good = numbers.ndim == ndim and bool(np.isfinite(numbers).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        raise _damaged(name)
    return numbers


def _damaged(name: str) -> InputError:
    return InputError(f"model: its {name!r} is damaged; train it again")


def _by_wavelength(model: NDArray[np.float64], scene: NDArray[np.float64]) -> NDArray[np.intp]:
    """The scene's nearest band for each of the model's; ascending, one each."""
    found = np.empty(len(model), np.intp)
    first = 0
    for i, wavelength in enumerate(model):  # bands keep their order, so repeats are told apart
        near = np.flatnonzero(np.abs(scene[first:] - wavelength) <= SAME_BAND)
        if not len(near):
            nearest = scene[np.nanargmin(np.abs(scene - wavelength))]
            if abs(nearest - wavelength) <= SAME_BAND:
                raise InputError(
                    f"model: uses its band at {wavelength:.1f} nm after the others, the scene has "
                    "it before them; bring the scene's bands into the model's order"
                )
            raise InputError(
                f"model: uses a band at {wavelength:.1f} nm, the scene's nearest is at "
                f"{nearest:.1f} nm; apply it to scenes of the sensor it was trained on"
            )
        found[i] = first + near[np.argmin(np.abs(scene[first:][near] - wavelength))]
        first = found[i] + 1
    return found
