"""Tiles given out to threads of this process, to processes of this machine, or to a Dask cluster.

Dask does the scheduling. A tile is read, computed and kept by one task, so that while one reads
another computes and a third writes, and a worker that dies costs no more than the tiles it had.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmix.checks import InputError
from unmix.io.salvage import salvaged
from unmix.tiles.cluster import Lost, check_sees, connected
from unmix.tiles.cut import Tile
from unmix.tiles.execution import Execution
from unmix.tiles.job import CARD
from unmix.tiles.memory import used_memory
from unmix.tiles.store import FolderStore, MemoryStore
from unmix.tiles.work import Done, Unreadable, Work

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["TOGETHER", "Lost", "Outcome", "carry_out", "connected"]

TOGETHER = 2
"""Tiles that threads of one process work at: one is read or written while the other computes."""

_TRIES = 3
_ALMOST = 0.999  # the stage itself says when it is over
_PAUSE = 0.1  # seconds before a block that could not be read is tried again

_ROUNDS = 20  # times that lost tiles are handed out again
_LOOK = 1.0  # seconds between looks at whether the cluster is there
_PATIENCE = 60.0  # seconds without a worker, or for an answer to come

Tell = Callable[[float, str], None]
Answer = tuple[Tile, dict[str, float], dict[int, str]]
"""A tile, the seconds it took, and why rows of it could not be read."""


@dataclass
class Outcome:
    """What became of the tiles of a scene.

    Parameters
    ----------
    tiles, kept : int
        How many there are, and how many of them an earlier run had finished.
    seconds : dict
        Spent on reading, computing and keeping, summed over tiles.
    errors : dict
        Why parts of a tile could not be read, by its name.
    unread : list of Tile
        Those parts.
    """

    tiles: int
    kept: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    unread: list[Tile] = field(default_factory=list)

    def add(self, tile: Tile, seconds: dict[str, float], lost: Mapping[int, str]) -> None:
        """Take note of a tile."""
        for name, value in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value
        if lost:
            self.errors[tile.name] = next(iter(lost.values()))
            self.unread += [Tile(slice(row, row + 1), tile.cols) for row in sorted(lost)]


def carry_out(
    work: Work,
    tiles: Sequence[Tile],
    store: MemoryStore | FolderStore,
    execution: Execution,
    tell: Tell,
    client: Client | None = None,
) -> Outcome:
    """Work at every tile that the store does not have yet.

    Raises
    ------
    InputError
        With `strict`, a tile that cannot be read; a cluster that is gone.
    FloatingPointError
        The method gave no numbers.
    """
    left = [tile for tile in tiles if not store.has(tile) or _noted(store, tile)]
    outcome = Outcome(len(tiles), len(tiles) - len(left))
    said = _Said(work, tiles, _pixels(left), tell)
    if client is None:
        answers = _here(work, left, store, execution.strict)
    else:
        answers = _there(work, left, store, execution.strict, client)
    for tile, seconds, lost in answers:
        outcome.add(tile, seconds, lost)
        _check_lost(outcome, work)
        said(tile)
    outcome.errors = dict(sorted(outcome.errors.items()))
    outcome.unread.sort(key=lambda tile: (tile.rows.start, tile.cols.start))
    outcome.seconds = {k: round(v, 3) for k, v in outcome.seconds.items()}
    return outcome


def _check_lost(outcome: Outcome, work: Work) -> None:
    """`InputError` where half of the scene cannot be read: nobody wants the other half alone."""
    if 2 * _pixels(outcome.unread) > work.scene.sizes["y"] * work.scene.sizes["x"]:
        why = next(iter(outcome.errors.values()))
        raise InputError(
            f"scene: more than half of it cannot be read ({why}); --resume goes on once it can"
        )


def one_tile(work: Work, tile: Tile, store: MemoryStore | FolderStore, strict: bool) -> Answer:
    """A tile read, computed and kept; the seconds it took, and what could not be read of it."""
    lost: dict[int, str] = {}
    done = _worked(work, tile)
    if isinstance(done, Unreadable):
        if strict:
            rows = f"{tile.rows.start}-{tile.rows.stop - 1}"
            raise InputError(
                f"scene: rows {rows} cannot be read ({done}); leave out --strict to go on without "
                "what is damaged"
            )
        scene, source = salvaged(work.scene)
        done = replace(work, scene=scene)(tile)
        lost = {r: w for r, w in source.lost.items() if tile.rows.start <= r < tile.rows.stop}
    start = time.perf_counter()
    _take_note(_note(store, tile), lost)
    store.put(tile, done)
    return tile, {**done.seconds, "keep": time.perf_counter() - start}, lost


def _note(store: MemoryStore | FolderStore, tile: Tile) -> Path | None:
    """The file that says that a tile is kept with rows missing, and to be tried again."""
    if isinstance(store, MemoryStore):
        return None
    return store.folder / "unread" / f"{tile.name}.json"


def _noted(store: MemoryStore | FolderStore, tile: Tile) -> bool:
    note = _note(store, tile)
    return note is not None and note.exists()


def _take_note(note: Path | None, lost: Mapping[int, str]) -> None:
    if note is None:
        return
    if lost:
        note.parent.mkdir(exist_ok=True)
        note.write_text(json.dumps(lost), encoding="utf-8")
    else:
        with suppress(OSError):
            note.unlink()


def _worked(work: Work, tile: Tile) -> Done | Unreadable:
    """The maps of a tile, or why it cannot be read however often that is tried."""
    for attempt in range(_TRIES):
        try:
            return work(tile)
        except Unreadable as error:
            failed = error
        if attempt < _TRIES - 1:
            time.sleep(_PAUSE * 4**attempt)
    return failed


def _here(
    work: Work,
    tiles: Sequence[Tile],
    store: MemoryStore | FolderStore,
    strict: bool,
) -> Iterator[Answer]:
    """By threads of this process; a single tile without any."""
    if len(tiles) < 2:
        for tile in tiles:
            yield one_tile(work, tile, store, strict)
        return
    import dask

    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stopped = threading.Event()

    def task(number: int) -> None:
        if not stopped.is_set():
            answers.put(one_tile(work, tiles[number], store, strict))

    def compute() -> None:
        try:
            jobs = [dask.delayed(task, pure=False)(i) for i in range(len(tiles))]
            dask.compute(*jobs, scheduler="threads", num_workers=TOGETHER)
            answers.put(None)
        except BaseException as error:  # handed to the thread that waits
            answers.put(error)

    thread = threading.Thread(target=compute, daemon=True, name="unmix-tiles")
    thread.start()
    try:
        while (answer := answers.get()) is not None:
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    finally:
        stopped.set()


def _there(
    work: Work,
    tiles: Sequence[Tile],
    store: MemoryStore | FolderStore,
    strict: bool,
    client: Client,
) -> Iterator[Answer]:
    """By the workers of a cluster; tiles that go down with their workers are handed out again."""
    _check_shared(work, store, client)
    left = dict(enumerate(tiles))
    for _ in range(_ROUNDS):
        before = len(left)
        for number, answer in _round(work, left, store, strict, client):
            del left[number]
            yield answer
        if not left:
            return
        if len(left) == before:
            time.sleep(_PAUSE)
    raise Lost("workers: they end before any tile is finished; look at their log; --resume goes on")


def _round(
    work: Work,
    tiles: Mapping[int, Tile],
    store: MemoryStore | FolderStore,
    strict: bool,
    client: Client,
) -> Iterator[tuple[int, Answer]]:
    """Every tile handed out once; those that are lost on the way are left out of the answers."""
    from distributed.scheduler import KilledWorker

    finished: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    try:
        sent = client.submit(_itself, work, pure=False)  # a task: made again where it is lost
        futures = {
            number: client.submit(one_tile, sent, tile, store, strict, pure=False, retries=1)
            for number, tile in tiles.items()
        }
    except (OSError, TimeoutError, CancelledError) as error:
        raise Lost(_gone(client)) from error
    for number, future in futures.items():
        future.add_done_callback(lambda one, number=number: finished.put((number, one)))
    for _ in futures:
        number, future = _next(finished, client)
        try:
            answer = future.result(timeout=_PATIENCE)
        except KilledWorker as error:
            raise InputError(
                f"workers: one after another was killed over the same tile ({error}); give "
                "less --memory to each, or smaller tiles with --tile-rows; --resume goes on"
            ) from None
        except (CancelledError, OSError, TimeoutError) as error:
            if isinstance(error, OSError) and future.status == "error":
                raise
            if client.status != "running":
                raise Lost(_gone(client)) from None
            continue
        yield number, answer


def _itself(work: Work) -> Work:
    return work


def _next(finished: queue.SimpleQueue[tuple[int, Any]], client: Client) -> tuple[int, Any]:
    """The next tile that is over; `Lost` when nobody is left who could finish one."""
    alone = 0.0
    while True:
        try:
            return finished.get(timeout=_LOOK)
        except queue.Empty:
            pass
        if client.status not in ("running", "connecting"):
            raise Lost(_gone(client))
        try:
            alone = 0.0 if client.status == "running" and client.nthreads() else alone + _LOOK
        except (OSError, TimeoutError, CancelledError):
            alone += _LOOK
        if alone >= _PATIENCE:
            raise Lost(_gone(client))


def _gone(client: Client) -> str:
    if client.status == "running":
        return f"scheduler: no worker is left for {_PATIENCE:.0f} s; start some; --resume goes on"
    return "scheduler: the connection to it is lost; start it again; --resume goes on"


def _check_shared(work: Work, store: MemoryStore | FolderStore, client: Client) -> None:
    """`InputError` unless the workers see the scene's files and the folder of tiles."""
    files = [Path(name).absolute() for name in work.scene.attrs.get("files", [])]
    if isinstance(store, FolderStore):
        files.append(store.folder.absolute() / CARD)
    check_sees(client, files)


class _Said:
    """Progress in words: what share is done, how fast, in how much memory."""

    def __init__(self, work: Work, tiles: Sequence[Tile], left: int, tell: Tell) -> None:
        self.pixel = 4 * work.scene.shape[2]
        self.total, self.new = _pixels(tiles), 0
        self.before = self.total - left
        self.tell, self.start = tell, time.perf_counter()

    def __call__(self, tile: Tile) -> None:
        self.new += _pixels([tile])
        rate = self.new * self.pixel / max(time.perf_counter() - self.start, 1e-6)
        words = f"{rate / 1e6:.0f} MB/s, {used_memory() / 1e6:.0f} MB"
        self.tell(min((self.before + self.new) / self.total, _ALMOST), words)


def _pixels(tiles: Sequence[Tile]) -> int:
    return sum(rows * cols for rows, cols in (tile.shape for tile in tiles))
