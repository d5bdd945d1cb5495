"""Bands in tiles at ever coarser resolutions, written as they come.

Each resolution is a file of compressed tiles, half as large as the one before (rounded up), down to
one that fits into a tile. Full rows of tiles are written, and halved into the next resolution, so
that no more than a row of tiles of each is ever held. GDAL compresses them in memory: what is
written to the disk is written here, where a full disk is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from unmix.output.cog import Level, Tag, framed, overview, parsed
from unmix.output.layers import Layers

__all__ = ["CACHE", "HALVES", "TILE", "Half", "Profile", "sizes_of", "windows", "write_levels"]

TILE = 256
CACHE = 32
"""Megabytes of tiles that GDAL may hold."""
_COLUMNS = 4 * TILE  # of a window
Half = Callable[[NDArray[Any]], NDArray[Any]]


def sizes_of(height: int, width: int) -> list[tuple[int, int]]:
    """Rows and columns of each resolution, the full one first.

    >>> sizes_of(600, 301)
    [(600, 301), (300, 151), (150, 76)]
    """
    sizes = [(height, width)]
    while max(sizes[-1]) > TILE:
        rows, cols = sizes[-1]
        sizes.append((-(-rows // 2), -(-cols // 2)))
    return sizes


@dataclass(frozen=True, eq=False)
class Profile:
    """How a raster is stored: options of GeoTIFF, and what is said of it once it is open.

    `describe` gets the open raster, and whether it is the one of full resolution.
    """

    options: dict[str, Any]
    describe: Callable[[Any, bool], None]

    def tags(
        self, shape: tuple[int, int, int], dtype: str, place: dict[str, Any], full: bool
    ) -> list[Tag]:
        """Of a resolution, full or not."""
        more = {"sparse_ok": True, **place}  # tiles that nobody fills are not there
        tags, _ = self._packed(shape, dtype, lambda file: self.describe(file, full), more)
        return tags if full else overview(tags)

    def tiles(self, values: NDArray[Any]) -> list[bytes]:
        """Whole tiles of values (band, y, x), compressed."""
        return self._packed(values.shape, values.dtype.name, lambda file: file.write(values), {})[1]

    def _packed(
        self, shape: tuple[int, ...], dtype: str, fill: Callable[[Any], Any], more: dict[str, Any]
    ) -> tuple[list[Tag], list[bytes]]:
        """Tags and tiles of a GeoTIFF in memory."""
        from rasterio import MemoryFile

        count, height, width = shape
        with MemoryFile() as memory:
            with memory.open(
                driver="GTiff", count=count, height=height, width=width, dtype=dtype, tiled=True,
                blockxsize=TILE, blockysize=TILE, **self.options, **more,
            ) as file:  # fmt: skip
                fill(file)
            return parsed(memory.getbuffer())


def write_levels(
    layers: Layers, folder: Path, half: Half, profile: Profile, place: dict[str, Any]
) -> list[Level]:
    """The resolutions, the full one, which alone is placed, first; their tiles are in `folder`."""
    count, height, width = layers.shape
    dtype = layers.dtype.name
    levels: list[Level] = []
    with ExitStack() as stack:
        below: _Rows | None = None
        for i, (rows, cols) in reversed(list(enumerate(sizes_of(height, width)))):
            shape = (count, rows, cols)
            tags = profile.tags(shape, dtype, {} if i else place, not i)
            level = Level(tags, [], folder / str(i))
            levels.insert(0, level)
            file = stack.enter_context(level.path.open("wb"))
            held = layers.dtype if i else None
            below = _Rows(file, level.counts, profile, shape, half, below, held)
        assert below is not None
        for y, x in windows(height, width):
            below.write(layers.read(y, x), y, x)
    return levels


def windows(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Windows of whole tiles, row by row."""
    for top in range(0, height, TILE):
        for left in range(0, width, _COLUMNS):
            yield (
                slice(top, min(top + TILE, height)), slice(left, min(left + _COLUMNS, width)),
            )  # fmt: skip


class _Rows:
    """One resolution: a file, and a row of its tiles while it fills."""

    def __init__(
        self, file: BinaryIO, counts: list[int], profile: Profile, shape: tuple[int, int, int],
        half: Half, below: _Rows | None, dtype: np.dtype[Any] | None,
    ) -> None:  # fmt: skip
        self.file, self.counts, self.profile, self.shape = file, counts, profile, shape
        self.half, self.below = half, below
        held = (shape[0], min(TILE, shape[1]), shape[2])
        self.rows = None if dtype is None else np.empty(held, dtype)

    def write(self, values: NDArray[Any], y: slice, x: slice) -> None:
        """Whole tiles, to the file and halved to the next resolution."""
        values = np.ascontiguousarray(values)
        tiles = self.profile.tiles(values)
        self.counts += map(len, tiles)
        self.file.write(b"".join(part for tile in tiles for part in framed(tile)))
        if self.below is not None:
            self.below.take(self.half(values), y.start // 2, x.start // 2)

    def take(self, values: NDArray[Any], top: int, left: int) -> None:
        """A part of a row of tiles; the row is written when its last part has come."""
        assert self.rows is not None
        height, width = self.shape[1:]
        first, bottom, right = top % TILE, top + values.shape[1], left + values.shape[2]
        self.rows[:, first : first + values.shape[1], left:right] = values
        if right == width and (bottom % TILE == 0 or bottom == height):
            start = bottom - (first + values.shape[1])
            for part in range(0, width, _COLUMNS):
                x = slice(part, min(part + _COLUMNS, width))
                self.write(self.rows[:, : bottom - start, x], slice(start, bottom), x)


# --- half the resolution, values (band, y, x) -----------------------------------------------------


def _corners(values: NDArray[Any]) -> list[NDArray[Any]]:
    """The four pixels of each 2 × 2 block; the last row or column twice where it is alone."""
    odd = [(0, 0), (0, values.shape[1] % 2), (0, values.shape[2] % 2)]
    if odd[1][1] or odd[2][1]:
        values = np.pad(values, odd, mode="edge")
    return [values[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]


def mean(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mean of the pixels that are not NaN.

    >>> mean(np.array([[[1.0, 3, 5], [np.nan, 2, np.nan]]])).tolist()
    [[[2.0, 5.0]]]
    """
    a, b, c, d = _corners(values)
    with np.errstate(invalid="ignore"):
        out = (a + b + (c + d)) * values.dtype.type(0.25)
    bad = np.isnan(out)
    if bad.any():
        some = np.stack([v[bad] for v in (a, b, c, d)])
        known = np.isfinite(some)
        count = known.sum(axis=0)
        total = np.where(known, some, 0).sum(axis=0)
        out[bad] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out


def picture(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean colour of the pixels that are seen; the last band says how much is.

    >>> picture(np.array([[[10, 90]], [[255, 0]]], np.uint8)).ravel().tolist()
    [10, 128]
    """
    corners = [v.astype(np.uint16) for v in _corners(values)]
    seen = [v[-1] > 0 for v in corners]
    count = np.maximum(np.sum(seen, axis=0, dtype=np.uint16), 1)
    colours = np.zeros((values.shape[0] - 1, *count.shape), np.uint16)
    for v, s in zip(corners, seen, strict=True):
        colours += v[:-1] * s
    alpha = np.sum([v[-1:] for v in corners], axis=0, dtype=np.uint16)
    out = np.concatenate([(colours + count // 2) // count, (alpha + 2) // 4])
    return np.asarray(out, np.uint8)


def majority(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The most frequent class that is not 0, of equally frequent ones the first.

    >>> majority(np.array([[[3, 0, 7], [5, 5, 0]]], np.uint8)).tolist()
    [[[5, 7]]]
    """
    corners = _corners(values)
    best, most = np.zeros_like(corners[0]), np.zeros(corners[0].shape, np.int8)
    for v in corners:
        votes = np.where(v > 0, np.sum([v == w for w in corners], axis=0, dtype=np.int8), 0)
        best = np.where(votes > most, v, best)
        most = np.maximum(votes, most)
    return best


def first(values: NDArray[Any]) -> NDArray[Any]:
    """One pixel of four: numbers of pixels have no mean.

    >>> first(np.array([[[1, 2, 3], [4, 5, 6]]])).tolist()
    [[[1, 3]]]
    """
    return values[:, ::2, ::2]


HALVES: dict[str, Half] = {
    "mean": mean, "picture": picture, "majority": majority, "first": first
}  # fmt: skip
