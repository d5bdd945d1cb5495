"""Where the maps of finished tiles are kept: in memory, or in a folder that outlives the process.

A folder holds a file a tile, written beside and renamed, so that a tile is there whole or not at
all, whatever happens to whom wrote it. When all are there they are put together to maps, which
stay in files and are read from there.
"""

from __future__ import annotations

import errno
import math
import secrets
import zipfile
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np

from unmix.checks import InputError
from unmix.parallel import over_items
from unmix.tiles.cut import Tile
from unmix.tiles.work import Done, Maps

__all__ = ["FolderStore", "MemoryStore"]

Layers = dict[str, tuple[int, ...]]


class MemoryStore:
    """Maps of a scene in memory.

    >>> store = MemoryStore((2, 3), {"a": (1,)})
    >>> maps = {"a": np.zeros((2, 3, 1), np.float32)}
    >>> store.put(Tile(slice(0, 2), slice(0, 3)), Done(maps, {}))
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
        for name, values in done.maps.items():
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
                maps = [np.ascontiguousarray(done.maps[name], "<f4") for name in self.layers]
                about = {"descr": "<f4", "fortran_order": False}
                size = sum(values.size for values in maps)
                np.lib.format.write_array_header_1_0(stream, about | {"shape": (size,)})
                for values in maps:
                    stream.write(values.data)
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
        over_items(partial(self._write, tiles), list(self.layers))
        return {
            name: np.load(self._map(name), mmap_mode="r", allow_pickle=False)
            for name in self.layers
        }

    def _map(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _write(self, tiles: Sequence[Tile], name: str) -> None:
        """One map from its tiles, a row of tiles after the other."""
        shape = (*self.shape, *self.layers[name])
        about = {"descr": "<f4", "fortran_order": False, "shape": shape}
        with self._map(name).open("wb") as file:
            np.lib.format.write_array_header_1_0(file, about)
            for _, row in groupby(tiles, key=lambda tile: tile.rows.start):
                parts = []
                for tile in row:
                    found = self._open(tile)
                    blank = (*tile.shape, *self.layers[name])
                    parts.append(np.full(blank, np.nan, "<f4") if found is None else found[name])
                for block in (
                    parts if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
                ):
                    file.write(np.ascontiguousarray(block).data)

    def _open(self, tile: Tile) -> Maps | None:
        """Maps of a tile, one after the other in its file; None where that is not as it should."""
        shapes = {name: (*tile.shape, *shape) for name, shape in self.layers.items()}
        try:
            values = np.load(self.file(tile), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        if values.shape != (sum(map(math.prod, shapes.values())),) or values.dtype != np.float32:
            return None
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()])[:-1]
        parts = np.split(values, ends)
        return {k: v.reshape(shapes[k]) for k, v in zip(shapes, parts, strict=True)}


def _failure(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"work: no space left for {folder}; free some, then go on with --resume"
    return f"work: cannot write {folder} ({error.strerror or error}); --resume goes on"
