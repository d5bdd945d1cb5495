"""Run the jobs of a suite: fit, unmix, compare with the truth, one row a run.

A run that raises is a row that says so, and the others go on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix import metrics
from unmix.benchmark.case import Case, Job, Suite, Target
from unmix.benchmark.measure import Cost, measured
from unmix.benchmark.settings import estimator, label
from unmix.benchmark.store import Store
from unmix.methods import METHODS
from unmix.methods.base import Unmixer
from unmix.scaling import choose_scale

__all__ = ["Progress", "run_jobs"]

Progress = Callable[[str, float], None]

_EMPTY: dict[str, Any] = {
    "model": None, "snr_db": None, "status": "", "message": "", "abundance_rmse": None,
    "abundance_sad_rad": None, "abundance_sid": None, "psnr_db": None, "endmember_sad_rad": None,
    "reconstruction_rmse": None, "member_rmse": None, "seconds": None, "peak_mb": None,
    "n_iter": None, "fit_status": None, "scale_used": None, "arrays": None,
}  # fmt: skip
_CHUNK = 65_536


def run_jobs(suite: Suite, store: Store, progress: Progress | None = None) -> None:
    """Do every job that the store does not hold yet."""
    made = lru_cache(maxsize=4)(lambda target: target.make())
    _warm_up()
    for i, job in enumerate(suite.jobs):
        first = job.targets[0]
        if progress is not None:
            progress(f"{first.scene} {job.method}", i / len(suite.jobs))
        done = store.finished()
        todo = [target for target in job.targets if job.key(target) not in done]
        if todo:
            _run(suite.name, job, todo, store, made)
    if progress is not None:
        progress("done", 1.0)


def _run(
    suite: str, job: Job, todo: list[Target], store: Store, made: Callable[[Target], Case]
) -> None:
    """One fit, applied to each of the targets; a row each."""
    model: Unmixer | None = None
    why, training_cost = "", Cost()
    base = _description(suite, job, todo[0])
    with store.running(job.key(todo[0]), base | _EMPTY):
        try:
            training = made(job.training or todo[0])
            with quiet(), measured() as training_cost:
                model = _configured(job, training).fit(training.X)
        except Exception as error:  # a method that fails is a result, too
            why = _one_line(error)
    for target in todo:
        base = _description(suite, job, target) | _EMPTY
        with store.running(job.key(target), base):
            cost = Cost()
            try:
                case = made(target)
                base |= {"scene_label": case.label, "model": case.model, "snr_db": case.snr_db}
                if job.training is not None:
                    source = made(job.training)
                    base |= {"model": source.model, "snr_db": source.snr_db}
                if model is None:
                    row: dict[str, Any] = {"status": "failed", "message": why}
                else:
                    with quiet(), measured() as cost:
                        A = np.asarray(model.transform(case.X))
                    row = _compared(job, target, model, case, A, store)
            except Exception as error:
                row = {"status": "failed", "message": _one_line(error)}
            row |= {
                "seconds": round(training_cost.seconds + cost.seconds, 4),
                "peak_mb": round(max(training_cost.peak_mb, cost.peak_mb), 1),
            }
            store.add(job.key(target), base | row)


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings: what a method says of its fit is in its status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _description(suite: str, job: Job, target: Target) -> dict[str, Any]:
    """What a row says of its run before it is made."""
    return {
        "suite": suite, "part": target.part, "scene": target.scene, "scene_label": target.scene,
        "trained_on": None if job.training is None else job.training.scene,
        "method": job.method, "label": job.label or label(job.method),
        "scale": job.scale, "seed": job.seed, "parameters": dict(job.parameters),
    }  # fmt: skip


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _configured(job: Job, training: Case) -> Unmixer:
    """The method with the keywords of the job, "auto" decided from the scene."""
    scale = job.scale
    if scale == "auto":
        pixels = training.X.reshape(-1, training.X.shape[-1])
        E = training.E if job.known else None
        scale = choose_scale(pixels, E=E, n_endmembers=len(training.E), seed=job.seed).mode
    members = {"endmembers": training.E} if job.known else {"n_endmembers": len(training.E)}
    return estimator(job.method, **members, scale=scale, seed=job.seed, **job.parameters)


def _compared(
    job: Job, target: Target, model: Unmixer, case: Case, A: NDArray[np.floating], store: Store
) -> dict[str, Any]:
    """The numbers of a run; maps, spectra and history of the first seed are kept."""
    E = np.asarray(model.endmembers_, np.float64)
    if not (np.isfinite(A).all() and np.isfinite(E).all()):
        raise FloatingPointError("abundances or endmembers are not finite")
    order = metrics.align(E_est=E, E_true=case.E)
    found, true = metrics.take(A, order).reshape(-1, len(order)), case.A.reshape(-1, len(order))
    aligned = metrics.take(E, order, axis=0)
    per_member = metrics.abundance_rmse_per_endmember(found, true).tolist()
    status = getattr(model, "status_", None)
    row: dict[str, Any] = {
        "status": "ok",
        "abundance_rmse": float(metrics.abundance_rmse(found, true)),
        "abundance_sad_rad": float(metrics.abundance_sad_rad(found, true)),
        "abundance_sid": float(metrics.abundance_sid(found, true)),
        "psnr_db": float(metrics.psnr_db(found, true)),
        "endmember_sad_rad": float(metrics.endmember_sad_rad(aligned, case.E).mean()),
        "reconstruction_rmse": _reconstruction(model, case, A),
        "member_rmse": dict(zip(case.names, per_member, strict=True)),
        "scale_used": model.scale,
        "fit_status": status,
        "n_iter": None if status is None else int(getattr(model, "n_iter_", 0)),
    }
    if job.seed == 0:
        _keep_scene(store, case)
        history = getattr(model, "history_", None) or {}
        terms = {f"history_{k}": np.asarray(v, np.float32) for k, v in history.items()}
        maps = found.reshape(*A.shape[:-1], -1).astype(np.float32)
        arrays = {"A": maps, "E": aligned.astype(np.float32), **terms}
        row["arrays"] = store.keep(f"runs/{job.key(target)}", arrays)
    return row


def _reconstruction(model: Unmixer, case: Case, A: NDArray[np.floating]) -> float:
    """RMSE of the spectra, at each pixel's own brightness unless the scale mode is none."""
    X, rows = case.X.reshape(-1, case.X.shape[-1]), A.reshape(-1, A.shape[-1])
    total = 0.0
    for start in range(0, len(X), _CHUNK):
        x, fit = X[start : start + _CHUNK], model.inverse_transform(rows[start : start + _CHUNK])
        if model.scale != "none":
            power = np.maximum((fit * fit).sum(axis=-1), np.finfo(np.float32).tiny)
            fit = fit * ((x * fit).sum(axis=-1) / power)[:, None]
        total += float(np.square(x - fit, dtype=np.float64).sum())
    return float(np.sqrt(total / X.size))


def _keep_scene(store: Store, case: Case) -> None:
    """The truth and a view of the scene, for the figures."""
    if (store.out / "scenes" / f"{case.name}.npz").is_file():
        return
    from unmix.plot import false_colour

    wavelength = np.empty(0) if case.wavelength is None else case.wavelength
    store.keep(
        f"scenes/{case.name}",
        {
            "A": case.A.astype(np.float32), "E": np.asarray(case.E, np.float32),
            "names": np.asarray(case.names), "wavelength": wavelength,
            "rgb": np.asarray(false_colour(case.X, case.wavelength), np.float32),
        },
    )  # fmt: skip


def _warm_up() -> None:
    """Load what is compiled or imported at first use, so that no run is charged for it."""
    import torch

    X = np.random.default_rng(0).random((64, 8), dtype=np.float32)
    METHODS["vca-fcls"](3).fit_transform(X)
    torch.ones(2, 2) @ torch.ones(2, 2)
