"""Train once: a fitted method written as a model folder."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.extract.reduce import sample_rows
from unmix.pipeline.checkpoint import check_free, save_model
from unmix.pipeline.naming import library_of, named
from unmix.pipeline.progress import Progress, Stages
from unmix.pipeline.ready import Ready, as_scene, make_ready
from unmix.pipeline.stages import fit, members_of
from unmix.tiles.residual import residuals
from unmix.types import Endmembers

if TYPE_CHECKING:
    import xarray as xr

    from unmix.methods.base import Unmixer

__all__ = ["train_model", "train_on"]

_TRIED = 1000  # pixels on which a model must work before it is kept


def train_model(
    scene: xr.DataArray | str | Path,
    out: str | Path,
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
    overwrite: bool = False,
) -> str:
    """Fit a method on a scene and write the model folder; how the training ended.

    Without endmembers and their number, those the data file carries are used (simulated scenes
    have their `spectra_library`); if it carries none, K is estimated. Members that were not given
    are named here, once, so that they are called the same in every scene the model is applied to.
    The other parameters are those of `unmix.run`.

    Raises
    ------
    InputError
        As `unmix.run`; or `out` exists.
    """
    check_free(Path(out).expanduser().absolute(), overwrite)
    data = as_scene(scene)
    if endmembers is None and n_endmembers is None:
        endmembers = _carried_by(data)
    stage, library = Stages(progress), library_of(identify)
    with stage("prepare"):
        ready = make_ready(data, endmembers=endmembers, seed=seed, options=preparation)
    return train_on(
        ready, out, stage, source=str(data.attrs.get("source", "")), library=library, seed=seed,
        overwrite=overwrite, n_endmembers=n_endmembers, method=method, scale=scale, device=device,
        parameters=parameters,
    )  # fmt: skip


def train_on(
    ready: Ready,
    out: str | Path,
    stage: Stages,
    *,
    source: str,
    library: Endmembers | None,
    seed: int,
    overwrite: bool,
    **options: Any,
) -> str:
    """Fit a method to a prepared scene, name its members, write the model; how training ended.

    `options` are those of `unmix.pipeline.stages.fit`.
    """
    estimator, decisions = fit(ready, stage, seed=seed, **options)
    with stage("identify"):
        members, n_given = members_of(ready, estimator, decisions, (), seed)
        if library is not None:
            members, _ = named(members, library, n_given)
    angle = _tried(estimator, ready.X[sample_rows(len(ready.X), _TRIED, seed)])
    prepared = ready.preparation
    save_model(
        estimator,
        out,
        wavelength=prepared.kept_wavelength,
        names=members.names,
        scene={
            "source": source,
            "n_bands": prepared.n_bands,
            "kept": prepared.kept.tolist(),
            "smooth": prepared.smooth,
            "angle_rad": angle,
        },
        overwrite=overwrite,
    )
    return str(getattr(estimator, "status_", "Fitted."))


def _tried(estimator: Unmixer, X: NDArray[np.floating]) -> float:
    """Median angle [rad] of some pixels from the model's mixtures; a model must work on them."""
    A = estimator.transform(X)
    if not (np.isfinite(A).all() and np.isfinite(estimator.inverse_transform(A)).all()):
        raise FloatingPointError("the training diverged; lower the learning rates set for it")
    return float(np.median(residuals(estimator, X, A, "shade")[:, 1]))


def _carried_by(scene: xr.DataArray) -> Endmembers | None:
    """Endmembers in the scene's own .mat file."""
    from unmix.io.library import read_endmembers

    source = str(scene.attrs.get("source", ""))
    if not source.lower().endswith(".mat"):
        return None
    with contextlib.suppress(InputError):
        return read_endmembers(source)
    return None
