"""How the work is carried out: in how much memory, by how many workers, kept where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from unmix.checks import InputError
from unmix.tiles.job import memory_of
from unmix.tiles.memory import budget

__all__ = ["Execution"]

MOST_WORKERS = 1024


@dataclass(frozen=True)
class Execution:
    """How a scene is worked at; nothing in it changes a map.

    Parameters
    ----------
    memory : int or str, optional
        Bytes a process may take, or a text such as "2GB"; half of what is free if left out.
    workers : int
        Processes on this machine. With 1 the work is done by threads of this process.
    scheduler : str, optional
        Address of a running Dask scheduler, whose workers do the work instead. They must see the
        scene's files and `work` under the same paths.
    tile_rows : int, optional
        Rows of a tile; by memory if left out.
    work : path, optional
        Folder of finished tiles: work that is interrupted goes on from there. A scene that is one
        tile needs none; without one the maps are kept in memory.
    resume, overwrite : bool
        Go on with what `work` holds, or throw it away; without either, work that is there is an
        error.
    strict : bool
        A part of the scene that cannot be read ends the work; else it is left out, and said so.
    client : distributed.Client, optional
        An open connection to a Dask cluster, in place of `scheduler`.

    >>> Execution(memory="2GB").bytes
    2000000000
    """

    memory: int | str | None = None
    workers: int = 1
    scheduler: str | None = None
    tile_rows: int | None = None
    work: str | Path | None = None
    resume: bool = False
    overwrite: bool = False
    strict: bool = False
    client: Any = None

    def __post_init__(self) -> None:
        if not (isinstance(self.workers, int) and 1 <= self.workers <= MOST_WORKERS):
            raise InputError(f"workers: got {self.workers}; give 1 to {MOST_WORKERS} processes")
        if self.tile_rows is not None and self.tile_rows < 1:
            raise InputError(f"tile-rows: got {self.tile_rows}; give 1 or more")
        if self.scheduler is not None and self.workers != 1:
            raise InputError("workers: given beside a scheduler, which has its own; leave one out")
        if self.several and self.work is None:
            raise InputError("work: several processes hand over their tiles in a folder; give one")
        if self.memory is not None:
            budget(self.memory)
        if self.scheduler is not None and "://" not in self.scheduler:
            raise InputError(
                f"scheduler: got {self.scheduler!r:.60}; give an address such as tcp://host:8786"
            )

    @property
    def several(self) -> bool:
        """Whether other processes do the work."""
        return self.workers > 1 or self.scheduler is not None or self.client is not None

    @cached_property
    def bytes(self) -> int:
        """Memory that may be taken, by each process: what interrupted work was begun with, too."""
        if self.memory is None and self.resume and self.work is not None:
            before = memory_of(Path(self.work))
            if before is not None:
                return before
        return budget(self.memory)
