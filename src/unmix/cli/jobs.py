"""How `unmix run` and `unmix apply` go through one scene or many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmix.checks import InputError
from unmix.cli.common import check_mask_lies, progress, read_mask
from unmix.cli.execution import at_cluster, unfinished
from unmix.cli.finish import finish, finished
from unmix.cli.radiometry import open_reflectance
from unmix.cli.several import Unmix, several, trained
from unmix.tiles.execution import Execution
from unmix.tiles.job import is_started, work_folder

if TYPE_CHECKING:
    import xarray as xr

    from unmix.pipeline.many import Summary
    from unmix.pipeline.sources import Source
    from unmix.types import Unmixing

__all__ = ["How", "apply_to", "run_on"]

_OF_ONE = ("roi", "leave_out", "pretrain")  # what a shared model cannot be trained with


@dataclass(frozen=True)
class How:
    """What was typed on where results go, how the work is carried out, and how files are read."""

    out: Path
    memory: str | None
    workers: int
    scheduler: str | None
    tile_rows: int | None
    resume: bool
    strict: bool
    overwrite: bool
    format: str
    report: bool
    json: bool
    mask: Path | None
    variable: str | None
    to_reflectance: str | None
    radiometry: list[str] | None
    asset: str | None

    def __post_init__(self) -> None:
        from unmix.output import check_format

        check_format(self.format)  # now, not when all the work is done

    @property
    def execution(self) -> Execution:
        """The same for the pipeline."""
        return Execution(
            memory=self.memory, workers=self.workers, scheduler=self.scheduler,
            tile_rows=self.tile_rows, work=work_folder(self.out), resume=self.resume,
            overwrite=self.overwrite and not self.resume, strict=self.strict,
        )  # fmt: skip

    @property
    def reading(self) -> dict[str, Any]:
        """What shapes results beside the options of a method: how files are read and written."""
        names = ("mask", "variable", "to_reflectance", "radiometry", "format")
        return {name: getattr(self, name) for name in names}

    def opened(self, path: Path) -> xr.DataArray:
        """A scene, in reflectance."""
        scene = open_reflectance(path, self.variable, self.to_reflectance, self.radiometry)
        if self.mask is not None:
            check_mask_lies(self.mask, scene)
        return scene


def run_on(scenes: list[Path], options: Mapping[str, Any], how: How, shared: bool) -> None:
    """`unmix run`: of one scene its result, of several a folder each."""
    from unmix.pipeline import run

    sources = _sources(scenes, how)
    if len(sources) > 1 or shared:
        _check_options(options)
    mask = read_mask(how.mask)

    def unmix(scene: xr.DataArray, execution: Execution, tell: Any) -> Unmixing:
        return run(scene, mask=mask, progress=tell, execution=execution, **options)

    if len(sources) == 1 and not shared:
        _one(sources[0].path, unmix, how)
        return
    settings = {"command": "run", "shared": shared, **_shown({**options, **how.reading})}
    if not shared:
        several(sources, settings, lambda summary, tell, execution: unmix, how)
        return
    taken = [name for name in _OF_ONE if options[name] is not None]
    if taken:
        name = taken[0].replace("_", "-")
        raise InputError(f"{name}: belongs to one scene; leave it out, or --shared")

    def by_one_model(summary: Summary, tell: Any, execution: Execution) -> Unmix:
        return trained(summary, options, mask, how, tell, execution)

    several(sources, settings, by_one_model, how)


def apply_to(model: Path, scenes: list[Path], options: Mapping[str, Any], how: How) -> None:
    """`unmix apply`: of one scene its result, of several a folder each."""
    from unmix.pipeline import apply_model
    from unmix.pipeline.checkpoint import FILES, load_model
    from unmix.pipeline.provenance import hash_files

    sources, mask = _sources(scenes, how), read_mask(how.mask)

    def unmix(scene: xr.DataArray, execution: Execution, tell: Any) -> Unmixing:
        return apply_model(model, scene, mask=mask, progress=tell, execution=execution, **options)

    if len(sources) == 1:
        _one(sources[0].path, unmix, how)
        return
    load_model(model)
    digest = [one["sha256"] for one in hash_files([model / name for name in FILES])]
    settings = {"command": "apply", "model": digest, **_shown({**options, **how.reading})}
    several(sources, settings, lambda summary, tell, execution: unmix, how)


def _one(path: Path, unmix: Unmix, how: How) -> None:
    from unmix.pipeline.many import is_summary

    if is_summary(how.out):
        raise InputError(f"out: {how.out} holds a job of several scenes; choose another folder")
    if finished(how.out, how.resume, how.overwrite):
        return
    replaced = how.overwrite or (how.resume and is_started(work_folder(how.out)))
    with (
        unfinished(how.out, how.execution) as execution,
        at_cluster(execution, how.json) as execution,
        progress(how.json) as tell,
    ):
        result = unmix(how.opened(path), execution, tell)
        finish(
            result, how.out, overwrite=replaced, format=how.format, report=how.report,
            json=how.json,
        )  # fmt: skip


def _sources(scenes: list[Path], how: How) -> list[Source]:
    from unmix.pipeline.sources import Source, sources_of

    if len(scenes) == 1 and how.asset is None and scenes[0].suffix.lower() != ".json":
        if not any(c in str(scenes[0]) for c in "*?["):
            return [Source(scenes[0].name, scenes[0])]
    return sources_of(scenes, how.asset)


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse, before any scene, what no scene could be unmixed with."""
    from unmix.checks import check_option, check_seed
    from unmix.geology.anomalies import check_anomalies
    from unmix.pipeline.decide import configure
    from unmix.pipeline.naming import library_of
    from unmix.scaling import SCALES

    check_seed(options["seed"])
    check_option(options["scale"], ("auto", *SCALES), "scale")
    check_anomalies(options["anomaly_threshold"], options["anomaly_area"])
    library_of(options["identify"])
    if options["endmembers"] is not None:
        from unmix.io.library import read_endmembers

        read_endmembers(options["endmembers"])
    method, parameters = options["method"], options["parameters"]
    configure(method, None, 2, "none", 0, options["device"], parameters)


def _shown(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON has them, files with what tells them from others."""
    from unmix.pipeline.provenance import hash_files

    files = {
        k: hash_files([v])[0] for k, v in options.items() if isinstance(v, Path) and v.is_file()
    }
    return {**options, **files}
