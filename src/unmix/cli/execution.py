"""Options on how work is carried out, and what is said of work that is interrupted."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from unmix.tiles.execution import Execution
from unmix.tiles.job import discard, is_started, work_folder

__all__ = [
    "Memory",
    "Resume",
    "Scheduler",
    "Strict",
    "TileRows",
    "Workers",
    "alone_at",
    "at_cluster",
    "interruptible",
    "unfinished",
]

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
    typer.Option("--strict", help="Fail where a scene, or a part of one, cannot be read."),
]

NOTHING = "nothing was written; run the same command again"
said = {"interrupted": NOTHING}
"""What is said when the command is interrupted."""

_PATIENCE = 1.5  # seconds that compiled code has to come to an end after Ctrl-C


@contextmanager
def unfinished(out: Path, execution: Execution) -> Iterator[Execution]:
    """The execution with a folder for the unfinished work of a result, which is held meanwhile.

    The folder goes when the work is done, or when it fails before there is anything to go on with.
    """
    from unmix.tiles.lock import alone

    folder = work_folder(out)

    def left_behind() -> None:
        if is_started(folder):
            kept = f"finished tiles are kept in {folder}; the same command with --resume goes on"
            said["interrupted"] = kept
        else:
            discard(folder)

    with alone(out), interruptible(out, left_behind):
        try:
            yield replace(execution, work=folder)
        except BaseException:
            left_behind()
            raise
        discard(folder)


@contextmanager
def alone_at(out: Path) -> Iterator[None]:
    """Hold the folder of a job of several scenes; Ctrl-C ends it soon."""
    from unmix.tiles.lock import alone

    with alone(out), interruptible(out, lambda: None):
        yield


@contextmanager
def at_cluster(execution: Execution, json: bool) -> Iterator[Execution]:
    """The execution at a cluster, if one is asked for: reached or started before anything else."""
    if not execution.several:
        yield execution
        return
    from unmix.tiles.cluster import connected, dashboard

    with connected(execution) as client:
        if not json:
            typer.echo(f"dashboard   {dashboard(client)}")
        yield replace(execution, client=client)


@contextmanager
def interruptible(out: Path, left_behind: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C ends the process soon, even within compiled code that does not look up.

    Python acts upon the signal between its own instructions. Where that takes longer than a moment
    another thread, which the signal wakes as well, clears up and ends the process.
    """
    said["interrupted"] = NOTHING
    if threading.current_thread() is not threading.main_thread() or os.name != "posix":
        yield
        return
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    over = threading.Event()
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watch = threading.Thread(
        target=_watch, args=(reader, over, out, left_behind), daemon=True, name="unmix-interrupt"
    )
    watch.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        with suppress(OSError):
            writer.send(b"\0")  # wakes the thread, which ends
        watch.join(1)
        reader.close()
        writer.close()


def _watch(
    reader: socket.socket, over: threading.Event, out: Path, left_behind: Callable[[], None]
) -> None:
    """Wait for SIGINT; end the process if the main thread does not."""
    import select

    while not over.is_set():
        select.select([reader], [], [])
        with suppress(OSError):
            if signal.SIGINT not in reader.recv(64):
                continue
        if over.wait(_PATIENCE):
            return
        _end(out, left_behind)


def _end(out: Path, left_behind: Callable[[], None]) -> None:
    from unmix.tiles.lock import clear, lock_file

    with suppress(Exception):  # nothing may keep the process from ending
        clear(out)
        lock_file(out).unlink(missing_ok=True)
        left_behind()
        print(f"unmix: interrupted: {said['interrupted']}", file=sys.stderr, flush=True)
    os._exit(130)
