"""Cloud Optimized GeoTIFF put together from tiled GeoTIFFs, one a resolution.

The compressed tiles are moved as they are: all directories first, then the tiles of the coarsest
resolution, and those of the full one last, each tile row by row with its size before it and its
last four bytes after it, as GDAL's driver of that name lays files out and announces it in the
header. Nothing is compressed twice and no more than a tile is held, which that driver, made to copy
a whole raster that is there already, cannot do.

Layout: https://gdal.org/en/stable/drivers/raster/cog.html; BigTIFF: https://www.awaresystems.be.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["assemble"]

_GHOST = (
    "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
_SUBFILE, _OFFSETS, _COUNTS = 254, 324, 325
_PLACED = (33550, 33922, 34264, 34735, 34736, 34737, 42112)
"""Tags of georeferencing and metadata, which belong to the full resolution alone."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}
_LONG, _LONG8 = 4, 16
_CLASSIC = 2**32 - 2**26  # bytes up to which offsets of four bytes do

Tag = tuple[int, int, int, bytes]  # number, type, count, value


@dataclass(frozen=True, eq=False)
class _Part:
    """A resolution: its tags but those of tiles, and where its tiles lie in its own file."""

    path: Path
    tags: list[Tag]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]


def assemble(parts: Sequence[Path], path: Path) -> None:
    """Write the file at `path` from little-endian BigTIFFs, the full resolution first.

    Raises
    ------
    OSError
        No space left, or a part is not what it should be.
    """
    levels = [_parsed(part, i == 0) for i, part in enumerate(parts)]
    data = sum(int(level.counts.sum()) + 8 * len(level.counts) for level in levels)
    heads = sum(len(value) + 64 for level in levels for *_, value in level.tags)
    big = data + heads + sum(16 * len(level.counts) for level in levels) > _CLASSIC
    ghost = _GHOST.encode()
    announced = f"GDAL_STRUCTURAL_METADATA_SIZE={len(ghost):06d} bytes\n".encode() + ghost
    first = (16 if big else 8) + len(announced)
    first += first % 2
    places = [np.zeros(len(level.counts), np.int64) for level in levels]
    end = first + len(_directories(levels, places, first, big))
    for level, place in reversed(list(zip(levels, places, strict=True))):
        sizes = level.counts + 8
        place[:] = end + np.cumsum(sizes) - sizes + 4
        end += int(sizes.sum())
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, first) if big else struct.pack(
        "<2sHI", b"II", 42, first
    )  # fmt: skip
    with path.open("wb") as out:
        out.write((head + announced).ljust(first, b"\0"))
        out.write(_directories(levels, places, first, big))
        for level in reversed(levels):
            with level.path.open("rb") as source:
                _move(source, out, level)


def _move(source: BinaryIO, out: BinaryIO, level: _Part) -> None:
    """The tiles of a resolution, each with its size before it and its end repeated."""
    for offset, count in zip(level.offsets.tolist(), level.counts.tolist(), strict=True):
        source.seek(offset)
        tile = source.read(count)
        if len(tile) != count or count < 4:
            raise OSError(errno.EIO, f"{level.path.name} is cut short")
        out.write(struct.pack("<I", count))
        out.write(tile)
        out.write(tile[-4:])


def _parsed(path: Path, full: bool) -> _Part:
    """The one directory of a BigTIFF."""
    try:
        return _read(path, full)
    except (struct.error, KeyError, ValueError):
        raise OSError(errno.EIO, f"{path.name} is cut short") from None


def _read(path: Path, full: bool) -> _Part:
    with path.open("rb") as file:
        magic, version, _, _, start = struct.unpack("<2sHHHQ", file.read(16))
        if (magic, version) != (b"II", 43):
            raise OSError(errno.EIO, f"{path.name} is no BigTIFF")
        file.seek(start)
        (n,) = struct.unpack("<Q", file.read(8))
        entries = [struct.unpack("<HHQ8s", file.read(20)) for _ in range(n)]
        tags: dict[int, Tag] = {}
        for number, kind, count, value in entries:
            size = count * _SIZES[kind]
            if size > 8:
                file.seek(struct.unpack("<Q", value)[0])
                value = file.read(size)
            tags[number] = (number, kind, count, value[:size])
    offsets, counts = (_numbers(tags.pop(t)) for t in (_OFFSETS, _COUNTS))
    if not full:
        tags = {k: v for k, v in tags.items() if k not in _PLACED}
        tags[_SUBFILE] = (_SUBFILE, _LONG, 1, struct.pack("<I", 1))
    return _Part(path, list(tags.values()), offsets, counts)


def _numbers(tag: Tag) -> NDArray[np.int64]:
    kinds = {3: "<u2", _LONG: "<u4", _LONG8: "<u8"}
    return np.frombuffer(tag[3], kinds[tag[1]]).astype(np.int64)


def _directories(
    levels: Sequence[_Part], places: Sequence[NDArray[np.int64]], first: int, big: bool
) -> bytes:
    """All directories as they follow each other from byte `first` on."""
    out = b""
    for i, (level, place) in enumerate(zip(levels, places, strict=True)):
        kind, dtype = (_LONG8, "<u8") if big else (_LONG, "<u4")
        tags = [
            *level.tags,
            (_OFFSETS, kind, len(place), place.astype(dtype).tobytes()),
            (_COUNTS, _LONG, len(place), level.counts.astype("<u4").tobytes()),
        ]
        out += _directory(sorted(tags), first + len(out), big, i == len(levels) - 1)
    return out


def _directory(tags: Sequence[Tag], start: int, big: bool, last: bool) -> bytes:
    """A directory at byte `start`, its longer values behind it; the next one follows, if any."""
    head, entry, room = ("<Q", "<HHQ", 8) if big else ("<H", "<HHI", 4)
    offset = "<Q" if big else "<I"
    size = struct.calcsize(head) + len(tags) * (struct.calcsize(entry) + room) + room
    listed, values = struct.pack(head, len(tags)), b""
    for number, kind, count, value in tags:
        listed += struct.pack(entry, number, kind, count)
        if len(value) <= room:
            listed += value.ljust(room, b"\0")
        else:
            listed += struct.pack(offset, start + size + len(values))
            values += value + b"\0" * (len(value) % 2)
    values += b"\0" * ((size + len(values)) % 2)
    following = 0 if last else start + size + len(values)
    return listed + struct.pack(offset, following) + values
