"""How `unmix run` and `unmix apply` go through one scene or many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmix.checks import InputError
from unmix.cli.common import print_json, progress, read_mask
from unmix.cli.execution import at_cluster, said, unfinished
from unmix.cli.finish import finish, finished, with_command
from unmix.cli.radiometry import open_reflectance
from unmix.tiles.execution import Execution
from unmix.tiles.job import is_started, work_folder

if TYPE_CHECKING:
    import xarray as xr

    from unmix.pipeline.many import Record, Summary
    from unmix.pipeline.sources import Source
    from unmix.types import Unmixing

__all__ = ["Asset", "Format", "How", "Report", "Scenes", "Shared", "apply_to", "run_on"]

Scenes = Annotated[
    list[Path],
    typer.Argument(
        metavar="SCENE...",
        help="Files, folders, quoted patterns ('scenes/*.hdr'), STAC items or collections.",
    ),
]
Asset = Annotated[
    str | None, typer.Option("--asset", help="Which asset of a STAC item is the scene.")
]
Shared = Annotated[
    bool,
    typer.Option(
        "--shared", help="Train once on blocks of all scenes: the same members everywhere."
    ),
]
Format = Annotated[
    str, typer.Option("--format", help="Large maps: cog (GeoTIFFs) or zarr (one group).")
]
Report = Annotated[
    bool,
    typer.Option(
        "--report/--no-report", help="Draw figures and the page; unmix report does later."
    ),
]
_OF_ONE = ("roi", "leave_out", "pretrain")  # what a shared model cannot be trained with

Unmix = Callable[["xr.DataArray", Execution, Any], "Unmixing"]


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

    @property
    def execution(self) -> Execution:
        """The same for the pipeline."""
        return Execution(
            memory=self.memory, workers=self.workers, scheduler=self.scheduler,
            tile_rows=self.tile_rows, work=work_folder(self.out), resume=self.resume,
            overwrite=self.overwrite and not self.resume, strict=self.strict,
        )  # fmt: skip

    def opened(self, path: Path) -> xr.DataArray:
        """A scene, in reflectance."""
        return open_reflectance(path, self.variable, self.to_reflectance, self.radiometry)


def run_on(scenes: list[Path], options: Mapping[str, Any], how: How, shared: bool) -> None:
    """`unmix run`: of one scene its result, of several a folder each."""
    from unmix.pipeline import run

    mask = None

    def unmix(scene: xr.DataArray, execution: Execution, tell: Any) -> Unmixing:
        return run(scene, mask=mask, progress=tell, execution=execution, **options)

    sources = _sources(scenes, how)
    if len(sources) == 1 and not shared:
        mask = _one_mask(how)
        _one(sources[0].path, unmix, how)
        return
    _check_options(options)
    settings = {"command": "run", "shared": shared, **_shown(options), **_reading(how)}
    mask = _one_mask(how)
    if not shared:
        _several(sources, settings, lambda summary, tell, execution: unmix, how)
        return
    taken = [name for name in _OF_ONE if options[name] is not None]
    if taken:
        name = taken[0].replace("_", "-")
        raise InputError(f"{name}: belongs to one scene; leave it out, or --shared")

    def trained(summary: Summary, tell: Any, execution: Execution) -> Unmix:
        return _trained(summary, options, mask, how, tell, execution)

    _several(sources, settings, trained, how)


def apply_to(model: Path, scenes: list[Path], options: Mapping[str, Any], how: How) -> None:
    """`unmix apply`: of one scene its result, of several a folder each."""
    from unmix.pipeline.checkpoint import FILES, load_model
    from unmix.pipeline.model import apply_model
    from unmix.pipeline.provenance import hash_files

    mask = None

    def unmix(scene: xr.DataArray, execution: Execution, tell: Any) -> Unmixing:
        return apply_model(
            model, scene, mask=mask, progress=tell, execution=execution, **options
        )  # fmt: skip

    sources = _sources(scenes, how)
    mask = _one_mask(how)
    if len(sources) == 1:
        _one(sources[0].path, unmix, how)
        return
    load_model(model)
    digest = [one["sha256"] for one in hash_files([model / name for name in FILES])]
    settings = {"command": "apply", "model": digest, **_shown(options), **_reading(how)}
    _several(sources, settings, lambda summary, tell, execution: unmix, how)


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


def _several(
    sources: list[Source],
    settings: Mapping[str, Any],
    prepared: Callable[[Summary, Any, Execution], Unmix],
    how: How,
) -> None:
    """A folder each; exit code 1 where one failed."""
    from unmix.cli.execution import alone_at
    from unmix.output import check_format
    from unmix.pipeline.many import Summary, work_through

    check_format(how.format)
    execution = how.execution
    with alone_at(how.out):
        summary = Summary(
            how.out, sources, settings, resume=how.resume, overwrite=how.overwrite
        )  # fmt: skip
        with at_cluster(execution, how.json) as execution, progress(how.json) as tell:
            summary.start()
            said["interrupted"] = (
                f"finished scenes are kept in {how.out}; the same command with --resume goes on"
            )
            unmix = _or_withdraw(summary, lambda: prepared(summary, tell, execution))
            records = work_through(
                summary,
                execution,
                opened=how.opened,
                unmix=lambda scene, how_far: unmix(scene, how_far, tell),
                save=lambda result, folder: _save(result, folder, how),
                told=lambda record: _say(record, how.json),
            )
    failed = sum(record.status == "failed" for record in records)
    done = sum(record.status == "done" for record in records)
    if how.json:
        print_json({"out": str(how.out), "done": done, "failed": failed,
                    "results": [asdict(r) for r in records]})  # fmt: skip
    else:
        typer.echo(f"done        {done} of {len(records)} scenes")
        typer.echo(f"summary     {how.out / 'summary.csv'}")
    if failed:
        raise typer.Exit(1)


def _or_withdraw(summary: Summary, prepared: Callable[[], Unmix]) -> Unmix:
    try:
        return prepared()
    except BaseException:
        summary.withdraw()
        raise


def _trained(
    summary: Summary,
    options: Mapping[str, Any],
    mask: Any,
    how: How,
    tell: Any,
    execution: Execution,
) -> Unmix:
    """The model of all scenes, trained if it is not there yet, as what unmixes each of them."""
    from unmix.cover import with_rest
    from unmix.geology.anomalies import check_anomalies
    from unmix.geology.settings import with_settings
    from unmix.pipeline.many import MODEL
    from unmix.pipeline.model import apply_model
    from unmix.pipeline.shared import train_shared

    model = summary.out.resolve() / MODEL
    check_anomalies(options["anomaly_threshold"], options["anomaly_area"])
    if not (model / "model.json").is_file():
        names = ("n_endmembers", "endmembers", "method", "scale", "identify", "seed", "device")
        train_shared(
            [how.opened(Path(record.scene)) for record in summary.records], model,
            **{name: options[name] for name in (*names, "preparation", "parameters")},
            progress=tell, memory=execution.bytes,
        )  # fmt: skip

    def unmix(scene: xr.DataArray, execution: Execution, tell: Any) -> Unmixing:
        result = apply_model(
            model, scene, mask=mask, identify=options["identify"], features=options["features"],
            progress=tell, execution=execution,
        )  # fmt: skip
        if options["cover"] is not None:
            result = with_rest(result, options["cover"])
        wanted = (options[name] for name in ("anomaly_threshold", "anomaly_area", "ternary"))
        return with_settings(result, *wanted)

    return unmix


def _save(result: Unmixing, folder: Path, how: How) -> None:
    with_command(result).save(folder, overwrite=how.overwrite, format=how.format, report=how.report)


def _say(record: Record, json: bool) -> None:
    """A line a scene; failures on standard error."""
    if record.status == "failed":
        typer.echo(f"unmix: failed: {record.folder}: {record.error:.1000}", err=True)
    elif not json:
        found = f"K {record.k}, residual {record.residual:.4g}, {record.seconds:.1f} s"
        more = f", {len(record.warnings)} warnings" if record.warnings else ""
        typer.echo(f"{record.folder:<11} {found}{more}")


def _sources(scenes: list[Path], how: How) -> list[Source]:
    from unmix.pipeline.sources import Source, sources_of

    if len(scenes) == 1 and how.asset is None and scenes[0].suffix.lower() != ".json":
        if not any(c in str(scenes[0]) for c in "*?["):
            return [Source(scenes[0].name, scenes[0])]
    return sources_of(scenes, how.asset)


def _one_mask(how: How) -> Any:
    return read_mask(how.mask)


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

    found = dict(options)
    for name, value in options.items():
        if isinstance(value, Path) and value.is_file():
            found[name] = hash_files([value])[0]
    return found


def _reading(how: How) -> dict[str, Any]:
    """What else shapes results: how scenes are read, and written."""
    mask = None if how.mask is None else str(how.mask)
    return {
        "mask": mask, "variable": how.variable, "to_reflectance": how.to_reflectance,
        "radiometry": how.radiometry, "format": how.format,
    }  # fmt: skip
