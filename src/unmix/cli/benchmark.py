"""`unmix benchmark`: methods against methods on scenes with a known truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from unmix.cli import app
from unmix.cli.common import Overwrite, progress
from unmix.cli.execution import said


@app.command()
def benchmark(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="paper, nae or real.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder to write.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder with samson/, jasper/, urban/, usgs/."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Minutes instead of hours.")] = False,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="Seeds a run. [default: 5; quick: 1]")
    ] = None,
    methods: Annotated[
        str | None, typer.Option("--methods", help="Names, comma-separated. [default: all]")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare the methods; an interrupted benchmark goes on when called again."""
    from unmix.benchmark.suites import benchmark as run_benchmark

    said["interrupted"] = f"finished runs are kept in {out}; the same command goes on"
    names = None if methods is None else [name.strip() for name in methods.split(",")]
    with progress(False) as tell:
        written = run_benchmark(
            suite, out, data=data, quick=quick, seeds=seeds, methods=names, overwrite=overwrite,
            progress=tell,
        )  # fmt: skip
    for line in json.loads((out / "manifest.json").read_text())["skipped"]:
        typer.echo(f"unmix: {line}", err=True)
    for path in written:
        if path.name in ("tables.md", "cost.md", "index.html"):
            typer.echo(f"{path.stem:<8} {path}")
