"""A job of several scenes, a folder each: carried out, told, and by one model if asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from unmix.cli.common import print_json, progress
from unmix.cli.execution import alone_at, at_cluster, said
from unmix.cli.finish import with_command
from unmix.tiles.execution import Execution

if TYPE_CHECKING:
    import xarray as xr

    from unmix.cli.jobs import How
    from unmix.pipeline.many import Record, Summary
    from unmix.pipeline.sources import Source
    from unmix.types import Unmixing

__all__ = ["Unmix", "several", "trained"]

Unmix = Callable[["xr.DataArray", Execution, Any], "Unmixing"]


def several(
    sources: list[Source],
    settings: Mapping[str, Any],
    prepared: Callable[[Summary, Any, Execution], Unmix],
    how: How,
) -> None:
    """Unmix scenes into a folder each; exit code 1 where one failed.

    `prepared` gives what unmixes a scene, once the folder of the job is there.
    """
    from unmix.pipeline.many import Summary, work_through

    execution = how.execution
    with alone_at(how.out):
        summary = Summary(how.out, sources, settings, resume=how.resume, overwrite=how.overwrite)
        with at_cluster(execution, how.json) as execution, progress(how.json) as tell:
            summary.start()
            said["interrupted"] = (
                f"finished scenes are kept in {how.out}; the same command with --resume goes on"
            )
            try:
                unmix = prepared(summary, tell, execution)
            except BaseException:
                summary.withdraw()
                raise
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


def trained(
    summary: Summary,
    options: Mapping[str, Any],
    mask: Any,
    how: How,
    tell: Any,
    execution: Execution,
) -> Unmix:
    """The model of all scenes, trained if it is not there yet, as what unmixes each of them."""
    from unmix.cover import with_rest
    from unmix.geology.settings import with_settings
    from unmix.pipeline.many import MODEL
    from unmix.pipeline.model import apply_model
    from unmix.pipeline.shared import train_shared

    model = summary.out.resolve() / MODEL
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
        count = len(record.warnings)
        more = f", {count} warning{'s' if count > 1 else ''}" if count else ""
        typer.echo(f"{record.folder:<11} {found}{more}")
