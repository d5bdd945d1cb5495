"""A fitted method carried over the whole scene, tile by tile."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import unmix
from unmix.pipeline.features import plan_features
from unmix.pipeline.ready import Ready, band_values
from unmix.tiles.cut import SMALLEST, cut, tile_shape
from unmix.tiles.execution import Execution
from unmix.tiles.job import Job, is_work
from unmix.tiles.runner import TOGETHER, Outcome, carry_out, connected
from unmix.tiles.store import FolderStore, MemoryStore
from unmix.tiles.work import Work

if TYPE_CHECKING:
    from unmix.methods.base import Unmixer

__all__ = ["begun", "unmixed", "work_of"]

_COPIES = 3  # of the spectra while they are worked at
_MAPS = 64  # values a pixel has in maps, roughly, before the method is fitted
_EACH = 4  # tiles for every worker, at least
_UNKNOWN = 16  # workers that a cluster is taken to have
_SHARE = 0.6  # of the memory goes to tiles; the rest is the sample, libraries and the fitted method


def begun(
    ready: Ready, execution: Execution, halo: int, about: Mapping[str, Any]
) -> tuple[Job | None, tuple[int, int]]:
    """The unfinished work of a scene that is more than one tile, and how large its tiles are.

    Parameters
    ----------
    halo : int
        The method's.
    about : mapping
        What shapes the result besides the scene and its preparation.
    """
    rows, cols, n_bands = ready.scene.shape
    several = execution.several
    memory = int(_SHARE * execution.bytes)
    pixel = 4 * ((_COPIES + (halo > 0)) * n_bands + 4 * _MAPS)
    stored = int(ready.scene.encoding.get("preferred_chunks", {}).get("y", 1))
    shape = tile_shape((rows, cols), pixel, halo, memory, 1 if several else TOGETHER, stored)
    if several:  # enough for everybody, and for the last ones not to be waited for
        share = -(-rows // (_EACH * (execution.workers if execution.workers > 1 else _UNKNOWN)))
        shape = max(min(shape[0], share), min(SMALLEST, rows)), shape[1]
    if execution.tile_rows is not None:
        shape = min(execution.tile_rows, rows), cols
    begun_before = execution.work is not None and is_work(Path(execution.work))
    whole = shape == (rows, cols) and not several and not begun_before
    if execution.work is None or whole:
        return None, shape
    prepared = ready.preparation
    full = {
        "scene": _identity(ready), "unmix_version": unmix.__version__, **about,
        "kept_bands": prepared.kept.tolist(), "divisor": prepared.divisor,
        "smooth": prepared.smooth, "steps": [str(step) for step in prepared.steps],
        "endmembers": None if ready.E is None else ready.E.tolist(),
        "sample": ready.sample.about,
    }  # fmt: skip
    job = Job(
        Path(execution.work), full, resume=execution.resume, overwrite=execution.overwrite,
        memory=execution.bytes,
    )  # fmt: skip
    return job, job.tile_shape(shape)


def work_of(
    ready: Ready,
    estimator: Unmixer,
    decisions: Mapping[str, Any],
    *,
    features: bool,
    seed: int,
) -> Work:
    """What is done with every tile."""
    from unmix.plot.view import view_bands

    if "progress" in inspect.signature(type(estimator)).parameters:
        estimator.progress = None  # belongs to this process
    uncertain = estimator.transform_with_uncertainty(_probe(ready, estimator))[1] is not None
    reasons = ready.preparation.reasons
    return Work(
        ready.scene,
        ready.preparation,
        estimator,
        decisions["method"]["name"],
        decisions["scale"]["mode"],
        uncertain,
        plan_features(ready, denoise=estimator.halo > 0, seed=seed) if features else None,
        view_bands(
            ready.scene.sizes["band"],
            band_values(ready.scene, "wavelength"),
            {b for b, why in reasons.items() if why == "no data"},
            reasons,
        ),
    )


def unmixed(
    work: Work, shape: tuple[int, int], execution: Execution, tell: Callable[..., None]
) -> tuple[Mapping[str, NDArray[np.float32]], Outcome]:
    """Maps (y, x, ...) of the whole scene, and what became of its tiles."""
    size = work.scene.sizes["y"], work.scene.sizes["x"]
    tiles = cut(size, *shape)
    store: MemoryStore | FolderStore
    if execution.work is not None and is_work(Path(execution.work)):
        store = FolderStore(Path(execution.work), size, work.layers)
    else:
        store = MemoryStore(size, work.layers)
    with connected(execution) as client:
        outcome = carry_out(work, tiles, store, execution, tell, client)
    return store.maps(tiles), outcome


def _probe(ready: Ready, estimator: Unmixer) -> NDArray[np.floating]:
    """A pixel, or an image of one: enough to see what a method gives."""
    pixel: NDArray[np.floating] = ready.X[:1]
    return pixel[None] if estimator.halo else pixel


def _identity(ready: Ready) -> list[dict[str, Any]]:
    """The scene's files by name, size and time; a scene in memory by a few of its values."""
    from unmix.scene import files_of

    files = files_of(ready.scene)
    if not files:
        return [{"values": float(np.abs(ready.X[:1000]).sum()), "shape": ready.scene.shape}]
    return [
        {"path": str(f.resolve()), "bytes": f.stat().st_size, "changed": f.stat().st_mtime_ns}
        for f in files
        if f.exists()
    ]
