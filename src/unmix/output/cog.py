"""Cloud Optimized GeoTIFF put together from compressed tiles, a file of them for each resolution.

All directories come first, then the tiles of the coarsest resolution, and those of the full one
last, each tile row by row with its size before it and its last four bytes after it, as GDAL's
driver of that name lays files out and announces it in the header. Nothing is compressed twice and
no more than a few tiles are held, which that driver, made to copy a whole raster that is there
already, cannot do.

Layout: https://gdal.org/en/stable/drivers/raster/cog.html; BigTIFF: https://www.awaresystems.be.
"""

from __future__ import annotations

import errno
import shutil
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Level", "Tag", "assemble", "framed", "overview", "parsed"]

_GHOST = (
    "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
_SUBFILE, _OFFSETS, _COUNTS = 254, 324, 325
_PLACED = (33550, 33922, 34264, 34735, 34736, 34737, 42112)
"""Tags of georeferencing and metadata, which belong to the full resolution alone."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}
_LONG, _LONG8 = 4, 16
_COPIED = 2**23  # bytes at a time
_CLASSIC = 2**32 - 2**26  # bytes up to which offsets of four bytes do

Tag = tuple[int, int, int, bytes]  # number, type, count, value


@dataclass(frozen=True, eq=False)
class Level:
    """A resolution.

    Parameters
    ----------
    tags : list of Tag
        All but those of where tiles lie.
    counts : list of int
        Bytes of each tile, row by row.
    path : path
        The tiles, `framed`, one after the other.
    """

    tags: list[Tag]
    counts: list[int]
    path: Path


def framed(tile: bytes) -> tuple[bytes, bytes, bytes]:
    r"""A compressed tile with its size before it and its end repeated.

    >>> b"".join(framed(b"tile"))
    b'\x04\x00\x00\x00tiletile'
    """
    return struct.pack("<I", len(tile)), tile, tile[-4:]


def assemble(levels: Sequence[Level], path: Path) -> None:
    """Write the file at `path`, the full resolution given first.

    Raises
    ------
    OSError
        No space left, or tiles are missing.
    """
    sizes = [np.array(level.counts, np.int64) + 8 for level in levels]
    data = sum(int(size.sum()) for size in sizes)
    heads = sum(len(value) + 64 for level in levels for *_, value in level.tags)
    big = data + heads + sum(16 * len(size) for size in sizes) > _CLASSIC
    ghost = _GHOST.encode()
    announced = f"GDAL_STRUCTURAL_METADATA_SIZE={len(ghost):06d} bytes\n".encode() + ghost
    first = (16 if big else 8) + len(announced)
    first += first % 2
    places = [np.zeros_like(size) for size in sizes]
    end = first + len(_directories(levels, places, first, big))
    for size, place in reversed(list(zip(sizes, places, strict=True))):
        place[:] = end + np.cumsum(size) - size + 4
        end += int(size.sum())
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, first) if big else struct.pack(
        "<2sHI", b"II", 42, first
    )  # fmt: skip
    with path.open("wb") as out:
        out.write((head + announced).ljust(first, b"\0"))
        out.write(_directories(levels, places, first, big))
        for level in reversed(levels):
            with level.path.open("rb") as tiles:
                shutil.copyfileobj(tiles, out, _COPIED)
    if path.stat().st_size != end:
        raise OSError(errno.EIO, f"{path.name} is cut short")


def parsed(content: bytes | memoryview) -> tuple[list[Tag], list[bytes]]:
    """Tags but those of where tiles lie, and the tiles, of a little-endian BigTIFF."""
    start = struct.unpack_from("<2sHHHQ", content)[4]
    (n,) = struct.unpack_from("<Q", content, start)
    tags: dict[int, Tag] = {}
    for i in range(n):
        number, kind, count, value = struct.unpack_from("<HHQ8s", content, start + 8 + 20 * i)
        size = count * _SIZES[kind]
        if size > 8:
            (at,) = struct.unpack("<Q", value)
            value = bytes(content[at : at + size])
        tags[number] = (number, kind, count, value[:size])
    offsets, counts = (_numbers(tags.pop(t)) for t in (_OFFSETS, _COUNTS))
    places = zip(offsets, counts, strict=True)
    return list(tags.values()), [bytes(content[at : at + size]) for at, size in places if size]


def overview(tags: Sequence[Tag]) -> list[Tag]:
    """The tags of a coarser resolution: without a place, and marked."""
    marked = (_SUBFILE, _LONG, 1, struct.pack("<I", 1))
    return [tag for tag in tags if tag[0] not in (*_PLACED, _SUBFILE)] + [marked]


def _numbers(tag: Tag) -> list[int]:
    kinds = {3: "<u2", _LONG: "<u4", _LONG8: "<u8"}
    return list(np.frombuffer(tag[3], kinds[tag[1]]).tolist())


def _directories(
    levels: Sequence[Level], places: Sequence[NDArray[np.int64]], first: int, big: bool
) -> bytes:
    """All directories as they follow each other from byte `first` on."""
    out = b""
    for i, (level, place) in enumerate(zip(levels, places, strict=True)):
        kind, dtype = (_LONG8, "<u8") if big else (_LONG, "<u4")
        tags = [
            *level.tags,
            (_OFFSETS, kind, len(place), place.astype(dtype).tobytes()),
            (_COUNTS, _LONG, len(place), np.array(level.counts, "<u4").tobytes()),
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
