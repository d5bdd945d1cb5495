"""What `unmix run` and `unmix apply` end with: the folder written, a few lines said."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from unmix.checks import InputError
from unmix.cli.common import print_json
from unmix.tiles.job import discard, is_started, work_folder

if TYPE_CHECKING:
    from unmix.types import Unmixing

__all__ = ["finish", "finished", "library_option", "with_command"]


def finished(out: Path, resume: bool, overwrite: bool) -> bool:
    """Whether the result is there and is to stay; else `InputError` unless it may be written.

    Interrupted work beside a result is work that was to replace it, and is gone on with.
    """
    from unmix.output import check_out, is_result
    from unmix.tiles.lock import alone

    again = resume and is_started(work_folder(out))
    if resume and not overwrite and not again and is_result(out):
        with alone(out):
            discard(work_folder(out))
        typer.echo(f"finished    {out} is complete; there is nothing to resume")
        return True
    check_out(out, overwrite or again)
    return False


def library_option(identify: bool, library: Path | None) -> bool | Path:
    """What `unmix.run` takes to name endmembers by."""
    if library is not None and not identify:
        raise InputError("library: given beside --no-identify; leave one of them out")
    return identify if library is None else library


def with_command(result: Unmixing) -> Unmixing:
    """The result with the command line in its provenance."""
    command = shlex.join(["unmix", *sys.argv[1:]])
    return replace(result, provenance={**result.provenance, "command": command})


def finish(
    result: Unmixing, out: Path, *, overwrite: bool, format: str, report: bool, json: bool
) -> None:
    """Write the result and say in a few lines what came out."""
    folder = with_command(result).save(out, overwrite=overwrite, format=format, report=report)
    if json:
        print_json({"out": str(folder), **_summary(result)})
        return
    for key, value in _summary(result).items():
        typer.echo(f"{key:<11} {value}")
    for warning in result.provenance["warnings"]:
        typer.echo(f"warning     {warning}")
    what, where = ("report", folder / "report.html") if report else ("result", folder)
    typer.echo(f"{what:<11} {where}")


def _summary(result: Unmixing) -> dict[str, Any]:
    """The lines a run ends with."""
    from unmix.summary import fit_of

    about = result.provenance
    return {
        "method": about["method"]["label"],
        "endmembers": f"{about['n_endmembers']['k']} ({about['n_endmembers']['why']})",
        "scale": f"{about['scale']['mode']} ({about['scale']['why']})",
        "pixels": f"{about['pixels']['total'] - about['pixels']['masked']} of "
        f"{about['pixels']['total']}",
        "residual": f"{fit_of(result).median:.4g} (median RMSE, reflectance)",
        "status": about["convergence"]["status"],
        "seconds": f"{sum(about['timings'].values()):.1f}",
    }
