"""`unmix evaluate`, `unmix report`: look at a finished result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmix.cli import app
from unmix.cli.common import Json, print_json

Result = Annotated[Path, typer.Argument(metavar="OUT", help="Folder made by unmix run.")]


@app.command()
def evaluate(
    out: Result,
    truth: Annotated[Path, typer.Option("--truth", metavar="GT", help=".mat or .tif truth.")],
    json: Json = False,
) -> None:
    """Compare a result with the truth, endmembers matched by the Hungarian method."""
    from unmix.evaluate import evaluate as compare
    from unmix.evaluate import table
    from unmix.io.truth import read_truth
    from unmix.output import load

    result = load(out)
    grid = (result.abundances.sizes["y"], result.abundances.sizes["x"])
    swath = result.abundances.attrs.get("lookup") is not None  # then a truth may be of either size
    found = compare(result, read_truth(truth, shape=None if swath else grid))
    if json:
        print_json(found)
        return
    from rich.console import Console

    Console().print(table(found))


@app.command()
def report(out: Result) -> None:
    """Write a result's report.html again."""
    from unmix.output import load
    from unmix.report import write_report

    typer.echo(write_report(load(out), out / "report.html"))
