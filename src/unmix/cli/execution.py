"""Options on how work is carried out, and what is said of work that is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from unmix.tiles.execution import Execution
from unmix.tiles.job import discard, is_started, work_folder

__all__ = ["Memory", "Resume", "Scheduler", "Strict", "TileRows", "Workers", "unfinished"]

Memory = Annotated[
    str | None,
    typer.Option("--memory", help="What a process may take: 2GB. [default: half of what is free]"),
]
Workers = Annotated[int, typer.Option("--workers", help="Processes on this machine.")]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="A running Dask cluster: tcp://host:8786."),
]
TileRows = Annotated[
    int | None, typer.Option("--tile-rows", help="Rows read at a time. [default: by memory]")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with interrupted work.")]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Fail where a part of the scene cannot be read."),
]

NOTHING = "nothing was written; run the same command again"
said = {"interrupted": NOTHING}
"""What is said when the command is interrupted."""


@contextmanager
def unfinished(
    out: Path,
    *,
    memory: str | None,
    workers: int,
    scheduler: str | None,
    tile_rows: int | None,
    resume: bool,
    overwrite: bool,
    strict: bool,
) -> Iterator[Execution]:
    """How the work for a result folder is carried out; unfinished work is kept beside it.

    The folder goes when the work is done, or when it fails before there is anything to go on with.
    """
    folder = work_folder(out)
    said["interrupted"] = NOTHING
    try:
        yield Execution(
            memory=memory, workers=workers, scheduler=scheduler, tile_rows=tile_rows, work=folder,
            resume=resume, overwrite=overwrite and not resume, strict=strict,
        )  # fmt: skip
    except BaseException as error:
        if not is_started(folder):
            discard(folder)
        elif isinstance(error, KeyboardInterrupt):
            kept = f"finished tiles are kept in {folder}; the same command with --resume goes on"
            said["interrupted"] = kept
        raise
    discard(folder)
