"""From a scene to maps: prepare, decide, fit, solve, check; every decision is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from unmix.checks import check_option
from unmix.cover import check_cover, with_rest
from unmix.geology.anomalies import check_anomalies
from unmix.geology.materials import check_ternary
from unmix.geology.settings import with_settings
from unmix.pipeline import assemble, decide
from unmix.pipeline.dark import dark_members, dark_warning
from unmix.pipeline.given import as_given, names_with
from unmix.pipeline.naming import library_of, named
from unmix.pipeline.progress import Progress, Stages
from unmix.pipeline.provenance import code
from unmix.pipeline.ready import Ready, make_ready
from unmix.pipeline.tiled import begun, unmixed, work_of
from unmix.pipeline.workflow import check_pretrain, pretrained
from unmix.tiles.execution import Execution
from unmix.types import Endmembers, Unmixing

if TYPE_CHECKING:
    import xarray as xr

    from unmix.io.roi import Region
    from unmix.methods.base import Unmixer
    from unmix.tiles.runner import Outcome

__all__ = ["fit", "members_of", "run", "solve"]


def run(
    scene: xr.DataArray | str | Path,
    n_endmembers: int | None = None,
    *,
    endmembers: Endmembers | ArrayLike | str | Path | None = None,
    roi: str | Path | Sequence[Region] | None = None,
    roi_field: str | None = None,
    method: str | None = None,
    scale: str = "auto",
    mask: ArrayLike | None = None,
    leave_out: str | None = None,
    cover: str | None = None,
    pretrain: str | None = None,
    identify: bool | Endmembers | str | Path = True,
    features: bool = True,
    anomaly_threshold: float | None = None,
    anomaly_area: float | None = None,
    ternary: str | None = None,
    seed: int = 0,
    device: str = "auto",
    preparation: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    execution: Execution | None = None,
) -> Unmixing:
    """Unmix a scene.

    A scene of more than 2¹⁸ pixels is decided from a sample of blocks spread over it
    (`unmix.tiles.sample`) and read tile by tile; tiles change no map.

    Parameters
    ----------
    scene : xarray.DataArray or path-like
        As `open_scene` gives it, or what it opens.
    n_endmembers : int, optional
        K. Estimated from the scene when no endmembers are given. Above the number of those given,
        the others are found beside them.
    endmembers : Endmembers, array_like (member, band) or path-like, optional
        Known spectra, resampled to the scene's bands; they stay as they are.
    roi : path-like, str or sequence of Region, optional
        Regions of the scene, a class each, whose means are known spectra too; see
        `unmix.io.roi.read_regions`.
    roi_field : str, optional
        The field of the regions that holds the class.
    method : str, optional
        A name in `unmix.METHODS`; `unmix.methods.DEFAULT` when left out.
    scale : {"auto", "none", "l2", "max", "shade"}
        What is done about brightness; "auto" decides from the scene.
    mask : array_like of bool, shape (y, x), optional
        True where a pixel is to be left out.
    leave_out : str, optional
        What else is to be left out: "clouds,water,vegetation>0.5,shade"; see
        `unmix.prepare.land.land_masks`.
    cover : str, optional
        Members that cover the ground, by name or "vegetation": shares of the others among
        themselves are given besides, see `unmix.cover`.
    pretrain : str, optional
        A mixing model: the method is trained on a scene simulated from the endmembers first, then
        fine-tuned on the scene; see `unmix.pipeline.workflow`.
    identify : bool, Endmembers or path-like
        Name the endmembers that were not given by the shipped library, or by the one given here.
    features : bool
        Map absorption features, where the bands cover some.
    anomaly_threshold : float, optional
        Abundance above which a material makes an anomaly; each material's from the scene if left
        out, see `unmix.geology.anomalies`.
    anomaly_area : float, optional
        Smallest area of an anomaly in m² (pixels where the scene has no ground area); 4 pixels.
    ternary : str, optional
        Names of the three members of the ternary composite, with commas.
    seed : int
    device : {"auto", "cpu", "cuda"}
        For the networks.
    preparation : mapping, optional
        Keywords of `unmix.prepare.plan`: water windows, bands to drop, smoothing, ...
    parameters : mapping, optional
        Keywords of the method's constructor.
    progress : callable, optional
        Called with a stage's name and the fraction of it that is done.
    execution : Execution, optional
        In how much memory, by how many workers, and where unfinished work is kept.

    Returns
    -------
    Unmixing

    Raises
    ------
    InputError
        The scene, the endmembers or a keyword cannot be used; one line says why.

    >>> from unmix.simulate import demo_scene
    >>> import xarray as xr
    >>> cube = demo_scene(0).cube[:40, 40:90]
    >>> result = run(xr.DataArray(cube, dims=("y", "x", "band")), 3, method="vca-fcls")
    >>> result.abundances.shape
    (40, 50, 3)
    """
    check_anomalies(anomaly_threshold, anomaly_area)
    stage, library = Stages(progress), library_of(identify)
    execution = execution or Execution()
    with stage("prepare"):
        ready = make_ready(
            scene, endmembers=endmembers, roi=roi, roi_field=roi_field, mask=mask,
            leave_out=leave_out, seed=seed, options=preparation, memory=execution.bytes,
        )  # fmt: skip
    if cover is not None:
        check_cover(cover, ready.given, n_endmembers)
    check_ternary(ternary, ready.given, n_endmembers)
    options: dict[str, Any] = {
        "n_endmembers": n_endmembers, "method": method, "scale": scale, "seed": seed,
        "device": device, "parameters": parameters, "pretrain": pretrain,
    }  # fmt: skip
    halo = decide.halo(method, parameters)
    job, shape = begun(ready, execution, halo, {**options, "features": features})
    before = None if job is None else job.fitted()
    if before is None:
        estimator, decisions = fit(ready, stage, **options)
        if job is not None:
            job.keep_fit(estimator, decisions)
    else:
        estimator, decisions = before
    result = solve(
        ready, estimator, decisions, stage, seed=seed, library=library, features=features,
        execution=execution, shape=shape,
    )  # fmt: skip
    result = result if cover is None else with_rest(result, cover)
    return with_settings(result, anomaly_threshold, anomaly_area, ternary)


def fit(
    ready: Ready,
    stage: Stages,
    *,
    n_endmembers: int | None,
    method: str | None,
    scale: str,
    seed: int,
    device: str,
    parameters: Mapping[str, Any] | None,
    pretrain: str | None = None,
) -> tuple[Unmixer, dict[str, Any]]:
    """Decide what the scene leaves open, and fit the method; the decisions go into the manifest."""
    from unmix.methods import DEFAULT, METHODS

    name = check_option(method or DEFAULT, tuple(METHODS), "method")
    with stage("noise"):
        noise = decide.noise(ready.X, seed)
    with stage("count"):
        count = decide.count(ready.X, n_endmembers, ready.E, seed)
    with stage("scale"):
        mode = decide.scale_mode(ready.X, ready.E, count["k"], scale, seed)
    with stage("fit") as tell:
        estimator = decide.configure(
            name, ready.E, count["k"], mode["mode"], seed, device, parameters, tell
        )
        about = {}
        if pretrain is None:
            estimator.fit(ready.seen_by(estimator))
        else:
            check_pretrain(estimator, name, pretrain)
            about["pretrained"] = pretrained(
                ready, estimator, stage, model=pretrain, scale=mode["mode"], noise=noise, seed=seed
            )
            estimator.finetune(ready.seen_by(estimator))
    about = assemble.describe(estimator, name) | about
    return estimator, {"method": about, "scale": mode, "n_endmembers": count, "noise": noise}


def solve(
    ready: Ready,
    estimator: Unmixer,
    decisions: dict[str, Any],
    stage: Stages,
    *,
    seed: int,
    names: tuple[str, ...] = (),
    library: Endmembers | None = None,
    features: bool = True,
    execution: Execution,
    shape: tuple[int, int],
) -> Unmixing:
    """Maps by a fitted method, tile by tile, and the record of it all."""
    mode = decisions["scale"]["mode"]
    with stage("plan"):
        work = work_of(ready, estimator, decisions, features=features, seed=seed)
        convergence = assemble.convergence(estimator, ready.X, mode)
        endmembers, n_given = members_of(ready, estimator, decisions, names, seed)
    identification: list[dict[str, Any]] = []
    if library is not None:
        with stage("identify"):
            endmembers, identification = named(endmembers, library, n_given)
    with stage("unmix") as tell:
        maps, outcome = unmixed(work, shape, execution, tell)
    outside = assemble.left_out(ready, maps, outcome.unread)
    provenance = {
        **code(seed),
        **decisions,
        **assemble.record(ready, outside),
        "convergence": convergence,
        "identification": identification,
        "evidence": getattr(estimator, "evidence_", None),
        "history": getattr(estimator, "history_", None),
        "timings": stage.timings,
        "tiles": {
            "count": outcome.tiles, "shape": list(shape), "halo": work.halo,
            "resumed": outcome.kept, "seconds": outcome.seconds, "unread": outcome.errors,
        },
        "warnings": [
            *ready.warnings, *map(str, getattr(estimator, "warnings_", ())),
            *decide.noise_warning(decisions["noise"]["snr_db"]),
            *_dark(estimator, decisions, maps), *_unread(outcome),
        ],
    }  # fmt: skip
    return assemble.assemble(ready, maps, endmembers, provenance, outside, work.features)


def members_of(
    ready: Ready,
    estimator: Unmixer,
    decisions: dict[str, Any],
    names: tuple[str, ...],
    seed: int,
) -> tuple[Endmembers, int]:
    """Endmembers on all the scene's bands, and how many of them have the names they were given."""
    spread = getattr(estimator, "spread_", None)
    spectra, source = estimator.endmembers_, f"{decisions['method']['label']}, seed {seed}"
    if ready.given is not None and ready.E is not None:
        names = names_with(ready.given.names, len(spectra))
        n = len(ready.E)
        if np.allclose(spectra[:n], ready.E, rtol=1e-6):  # solved with: shown as they were given
            kept = ready.preparation.kept
            spectra, spread = as_given(ready.given, kept, np.asarray(spectra), spread)
            source = ready.given.source if n == len(spectra) else f"{ready.given.source}, {source}"
        else:
            source = f"{ready.given.source}, then {source}"
    endmembers = assemble.member_spectra(ready, spectra, names, source, spread)
    return endmembers, len(names) if ready.given is None else len(ready.given)


def _dark(estimator: Unmixer, decisions: Mapping[str, Any], maps: Mapping[str, Any]) -> list[str]:
    """A warning of members that are as dark as the noise."""
    noise = np.asarray(decisions["noise"]["per_band"], float)
    members = dark_members(
        maps["abundances"], maps["residual"][..., 2], np.asarray(estimator.endmembers_), noise
    )
    return dark_warning(members)


def _unread(outcome: Outcome) -> list[str]:
    if not outcome.unread:
        return []
    rows = len({tile.rows.start for tile in outcome.unread})
    first = next(iter(outcome.errors.values()))
    what = "row" if rows == 1 else "rows"
    return [f"{rows} {what} of the scene could not be read ({first:.120}) and are left out"]
