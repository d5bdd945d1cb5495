"""Where the maps of finished tiles are kept: in memory, or in a folder that outlives the process.

A folder holds a file a tile, written beside and renamed, so that a tile is there whole or not at
all, whatever happens to whom wrote it. When all are there they are put together to maps, which
stay in files and are read from there.
"""

from __future__ import annotations

import errno
import secrets
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.tiles.cut import Tile
from unmix.tiles.work import Done, layers_of

__all__ = ["FolderStore", "MemoryStore"]

Maps = dict[str, NDArray[np.float32]]
Layers = dict[str, tuple[int, ...]]


class MemoryStore:
    """Maps of a scene in memory.

    >>> store = MemoryStore((2, 3), {"a": (1,)})
    >>> store.put(Tile(slice(0, 2), slice(0, 3)), Done(np.zeros((2, 3, 1), np.float32), {}))
    >>> store.maps()["a"].shape
    (2, 3, 1)
    """

    def __init__(self, shape: tuple[int, int], layers: Layers) -> None:
        self.layers = layers
        self._maps = {k: np.full((*shape, *s), np.nan, np.float32) for k, s in layers.items()}

    def has(self, tile: Tile) -> bool:
        """Whether the tile was finished by an earlier run."""
        return False

    def put(self, tile: Tile, done: Done) -> None:
        """Keep a tile."""
        for name, values in layers_of(done.values, self.layers).items():
            self._maps[name][tile] = values

    def maps(self, tiles: Sequence[Tile] = ()) -> Maps:
        """Whole maps (y, x, ...) by name."""
        return self._maps


class FolderStore:
    """Tiles in files of a folder, and whole maps in files beside them.

    Any number of processes may put tiles; one puts the maps together.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], layers: Layers) -> None:
        self.folder, self.shape, self.layers = folder, shape, layers
        (folder / "tiles").mkdir(parents=True, exist_ok=True)

    def file(self, tile: Tile) -> Path:
        """Where a tile is kept."""
        return self.folder / "tiles" / f"{tile.name}.npy"

    def has(self, tile: Tile) -> bool:
        """Whether the tile is there, whole and of the right shape."""
        return self._open(tile) is not None

    def put(self, tile: Tile, done: Done) -> None:
        """Keep a tile: all of it or nothing."""
        file = self.file(tile)
        beside = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
        try:
            with beside.open("wb") as stream:
                np.save(stream, done.values, allow_pickle=False)
            beside.replace(file)
        except OSError as error:
            raise InputError(_failure(error, self.folder)) from error
        finally:
            beside.unlink(missing_ok=True)

    def maps(self, tiles: Sequence[Tile]) -> Maps:
        """Whole maps (y, x, ...) in files, NaN where a tile is missing."""
        try:
            return self._put_together(tiles)
        except OSError as error:
            raise InputError(_failure(error, self.folder)) from error

    def _put_together(self, tiles: Sequence[Tile]) -> Maps:
        made = {}
        for name, shape in self.layers.items():
            file = self.folder / f"{name}.npy"
            made[name] = np.lib.format.open_memmap(file, "w+", np.float32, (*self.shape, *shape))
        for tile in tiles:
            values = self._open(tile)
            for name, shape in self.layers.items():
                part = np.full((*tile.shape, *shape), np.nan, np.float32)
                made[name][tile] = part if values is None else layers_of(values, self.layers)[name]
        for maps in made.values():
            maps.flush()
        return {
            name: np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in made
        }

    def _open(self, tile: Tile) -> NDArray[Any] | None:
        width = sum(int(np.prod(shape)) for shape in self.layers.values())
        try:
            values = np.load(self.file(tile), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        good = values.shape == (*tile.shape, width) and values.dtype == np.float32
        return values if good else None


def _failure(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"work: no space left for {folder}; free some, then go on with --resume"
    return f"work: cannot write {folder} ({error.strerror or error}); --resume goes on"
