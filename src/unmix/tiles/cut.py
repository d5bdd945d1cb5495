"""A scene cut into tiles, and the window a tile needs to be read with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Tile", "cut", "tile_shape"]

LARGEST = 2**18  # pixels: more in a tile make nothing faster
SMALLEST = 32  # rows and columns of a rectangle
FEWEST = 8  # full rows


class Tile(NamedTuple):
    """Rows and columns of a scene.

    >>> Tile(slice(0, 4), slice(2, 9)).shape
    (4, 7)
    """

    rows: slice
    cols: slice

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @property
    def name(self) -> str:
        """The same for the same tile of any run: where it starts."""
        return f"{self.rows.start:07d}-{self.cols.start:07d}"

    def around(self, reach: int, shape: tuple[int, int]) -> Tile:
        """The tile with `reach` more pixels on every side, as far as the scene goes.

        >>> Tile(slice(0, 4), slice(2, 9)).around(3, (5, 20))
        Tile(rows=slice(0, 5, None), cols=slice(0, 12, None))
        """
        rows, cols = (
            slice(max(part.start - reach, 0), min(part.stop + reach, size))
            for part, size in zip(self, shape, strict=True)
        )
        return Tile(rows, cols)

    def within(self, other: Tile) -> tuple[slice, slice]:
        """Where the tile lies in a window that holds it.

        >>> Tile(slice(4, 6), slice(2, 9)).within(Tile(slice(1, 9), slice(0, 12)))
        (slice(3, 5, None), slice(2, 9, None))
        """
        rows, cols = (
            slice(part.start - window.start, part.stop - window.start)
            for part, window in zip(self, other, strict=True)
        )
        return rows, cols


def cut(shape: tuple[int, int], rows: int, cols: int | None = None) -> list[Tile]:
    """Tiles of so many rows and columns (all of them if left out), row by row.

    >>> [t.shape for t in cut((5, 9), 2)]
    [(2, 9), (2, 9), (1, 9)]
    """
    across = shape[1] if cols is None else cols
    return [Tile(r, c) for r in _parts(shape[0], rows) for c in _parts(shape[1], across)]


def tile_shape(
    shape: tuple[int, int],
    pixel_bytes: int,
    halo: int,
    memory: int,
    together: int = 1,
    stored: int = 1,
) -> tuple[int, int]:
    """Rows and columns of tiles, `together` of which are worked at in so much memory.

    Bands of full rows where they fit, since files store rows together; else rectangles. With a
    halo tiles are no smaller than twice that, and what lies around them counts.

    Parameters
    ----------
    shape : (rows, columns)
        Of the scene.
    pixel_bytes : int
        What a pixel takes while it is worked at.
    halo : int
        Pixels around a tile that are read with it.
    memory : int
        Bytes.
    stored : int
        Rows that the file stores as one: fewer are not read faster.

    >>> tile_shape((4000, 500), 2000, 0, 10**9)
    (524, 500)
    >>> tile_shape((4000, 500), 2000, 0, 10**8, stored=256)
    (256, 195)
    """
    pixels = min(max(memory // (together * pixel_bytes), SMALLEST**2), LARGEST)
    rows = pixels // (shape[1] + 2 * halo) - 2 * halo
    if rows >= min(max(FEWEST, 2 * halo, stored), shape[0]):
        return min(rows - rows % stored if rows < shape[0] else rows, shape[0]), shape[1]
    side = int(pixels**0.5) - 2 * halo
    high = min(
        max(side, SMALLEST, 2 * halo, stored if stored < pixels // SMALLEST else 1), shape[0]
    )
    wide = max(pixels // (high + 2 * halo) - 2 * halo, SMALLEST, 2 * halo)
    return high, min(wide, shape[1])


def _parts(size: int, step: int) -> Iterator[slice]:
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))
