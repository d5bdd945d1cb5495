"""Tiles given out to threads of this process, to processes of this machine, or to a Dask cluster.

Dask does the scheduling. A tile is read, computed and kept by one task, so that while one reads
another computes and a third writes, and a worker that dies costs no more than the tiles it had.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unmix.checks import InputError
from unmix.parallel import n_threads
from unmix.tiles.cut import Tile
from unmix.tiles.execution import Execution
from unmix.tiles.memory import used_memory
from unmix.tiles.store import FolderStore, MemoryStore
from unmix.tiles.work import Unreadable, Work

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["TOGETHER", "Outcome", "carry_out", "connected"]

TOGETHER = 2
"""Tiles that threads of one process work at: one is read or written while the other computes."""

_TRIES = 3
_ALMOST = 0.999  # the stage itself says when it is over
_PAUSE = 0.1  # seconds before a block that could not be read is tried again

Tell = Callable[[float, str], None]


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
        Why a tile could not be read, by its name.
    """

    tiles: int
    kept: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def add(self, tile: Tile, seconds: dict[str, float], error: str) -> None:
        """Take note of a tile."""
        for name, value in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + value
        if error:
            self.errors[tile.name] = error


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
    left = [tile for tile in tiles if not store.has(tile)]
    outcome = Outcome(len(tiles), len(tiles) - len(left))
    said = _Said(work, tiles, _pixels(left), tell)
    if client is None:
        answers = _here(work, left, store, execution.strict)
    else:
        answers = _there(work, left, store, execution.strict, client)
    for tile, seconds, error in answers:
        outcome.add(tile, seconds, error)
        said(tile)
    outcome.seconds = {k: round(v, 3) for k, v in outcome.seconds.items()}
    return outcome


def one_tile(
    work: Work, tile: Tile, store: MemoryStore | FolderStore, strict: bool
) -> tuple[Tile, dict[str, float], str]:
    """A tile read, computed and kept; the seconds it took, and why it could not be read."""
    for attempt in range(_TRIES):
        try:
            done = work(tile)
            break
        except Unreadable as error:
            if attempt < _TRIES - 1:
                time.sleep(_PAUSE * 4**attempt)
                continue
            if strict:
                raise InputError(
                    f"scene: rows {tile.rows.start}-{tile.rows.stop - 1} cannot be read "
                    f"({error}); leave out --strict to go on without them"
                ) from None
            done = work.unread(tile, str(error))
    start = time.perf_counter()
    store.put(tile, done)
    return tile, {**done.seconds, "keep": time.perf_counter() - start}, done.error


def _here(
    work: Work,
    tiles: Sequence[Tile],
    store: MemoryStore | FolderStore,
    strict: bool,
) -> Iterator[tuple[Tile, dict[str, float], str]]:
    """By threads of this process; a single tile without any."""
    if len(tiles) < 2:
        for tile in tiles:
            yield one_tile(work, tile, store, strict)
        return
    import queue

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
) -> Iterator[tuple[Tile, dict[str, float], str]]:
    """By the workers of a cluster."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    sent = client.scatter(work, broadcast=False, hash=False)
    futures = [
        client.submit(one_tile, sent, tile, store, strict, pure=False, retries=1) for tile in tiles
    ]
    try:
        for future in as_completed(futures):
            try:
                yield future.result()
            except KilledWorker as error:
                raise InputError(
                    f"workers: one after another was killed over the same tile ({error}); give "
                    "less --memory to each, or smaller tiles with --tile-rows; --resume goes on"
                ) from None
    finally:
        if client.status == "running":
            client.cancel(futures)


@contextmanager
def connected(execution: Execution) -> Iterator[Client | None]:
    """A client of the cluster asked for, or of one that is started here; None for threads.

    Raises
    ------
    InputError
        No scheduler at that address.
    """
    if not execution.several or execution.client is not None:
        yield execution.client
        return
    import logging

    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    if execution.scheduler is not None:
        try:
            client = Client(execution.scheduler, timeout=10)
        except (OSError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(
                f"scheduler: no Dask scheduler answers at {execution.scheduler} ({reason}); start "
                "one with dask scheduler"
            ) from None
        with client:
            yield client
        return
    share = str(max(1, n_threads() // execution.workers))
    threads = dict.fromkeys(
        ("UNMIX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), share
    )
    with (
        LocalCluster(
            n_workers=execution.workers, threads_per_worker=1, memory_limit=0, env=threads,
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


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
