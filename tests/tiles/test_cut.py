"""Tiles cover a scene once, and their windows hold what they need."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmix.tiles.cut import cut, tile_shape

SIZE = st.integers(1, 97)


@given(SIZE, SIZE, st.integers(1, 40), st.integers(1, 40))
def test_every_pixel_once_in_order(rows, cols, high, wide):
    count = np.zeros((rows, cols), int)
    tiles = cut((rows, cols), high, wide)
    for tile in tiles:
        count[tile] += 1
    assert (count == 1).all()
    assert tiles == sorted(tiles, key=lambda t: (t.rows.start, t.cols.start))
    assert len({tile.name for tile in tiles}) == len(tiles)


@given(SIZE, SIZE, st.integers(1, 40), st.integers(0, 60), st.integers(0, 10**6))
def test_a_window_has_the_reach_and_finds_its_tile(rows, cols, high, reach, pick):
    tiles = cut((rows, cols), high)
    tile = tiles[pick % len(tiles)]
    window = tile.around(reach, (rows, cols))
    number = np.arange(rows * cols).reshape(rows, cols)
    assert (number[window][tile.within(window)] == number[tile]).all()
    for part, around, size in zip(tile, window, (rows, cols), strict=True):
        assert around.start == max(part.start - reach, 0)
        assert around.stop == min(part.stop + reach, size)


@given(
    st.integers(1, 20_000), st.integers(1, 20_000), st.integers(40, 10**5), st.integers(0, 64),
    st.integers(10**6, 10**11),
)  # fmt: skip
def test_the_shape_of_tiles_is_within_the_scene(rows, cols, pixel, halo, memory):
    high, wide = tile_shape((rows, cols), pixel, halo, memory)
    assert 1 <= high <= rows and 1 <= wide <= cols


def test_more_memory_makes_no_smaller_tiles():
    sizes = [np.prod(tile_shape((5000, 700), 4000, 24, m)) for m in 10 ** np.arange(7, 11)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
