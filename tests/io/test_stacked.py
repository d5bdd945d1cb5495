"""Bands from several readers against plain indexing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.io.lazy import PixelSource
from unmix.io.stacked import Flagged, Hiding, Stacked, as_key

CUBES = [np.arange(n * 30, dtype="u2").reshape(5, 6, n) + 1000 * n for n in (3, 4)]


def strict(cube):
    """A reader that takes only what the contract allows: step-1 slices, sorted unique bands."""

    def read(rows, cols, bands):
        for part in (rows, cols):
            assert isinstance(part, slice) and part.step is None
        if not isinstance(bands, slice):
            assert (np.diff(bands) > 0).all()
        return cube[rows, cols, bands]

    return read


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(7)), data=st.data())
def test_any_order_and_any_window(order, data):
    part, band = np.repeat([0, 1], [3, 4])[list(order)], np.r_[0:3, 0:4][list(order)]
    whole = np.concatenate(CUBES, axis=2)[..., list(order)]
    source = PixelSource(whole.shape, Stacked(tuple(map(strict, CUBES)), part, band))
    rows = slice(*sorted(data.draw(st.tuples(*[st.integers(0, 5)] * 2))))
    picks = np.array(data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=9)))
    window = source.window((rows, slice(1, 5), picks))
    np.testing.assert_array_equal(window, whole[rows, 1:5][..., picks])


def test_hiding_looks_at_the_reference_only_where_it_must():
    cube = np.ones((3, 4, 5), "u2")
    cube[0, 0] = cube[2, 3, :2] = 0
    asked = []

    def read(rows, cols, bands):
        asked.append(bands)
        return cube[rows, cols, bands]

    hiding = Hiding(read, np.array([4]))
    assert hiding(slice(1, 2), slice(0, 4), slice(0, 2)).dtype == np.uint16 and len(asked) == 1
    found = hiding(slice(0, 3), slice(0, 4), slice(0, 2))
    assert np.isnan(found[0, 0]).all() and np.isnan(found).sum() == 2 and found[2, 3, 0] == 0
    assert len(asked) == 3


def test_flags_that_are_not_asked_for_pass():
    cube, flags = np.full((2, 3, 2), 7, "u2"), np.zeros((2, 3, 2), "u1")
    flags[0, 0, 0], flags[1, 1, 1], flags[1, 2, 0] = 1, 2, 6
    found = Flagged(strict(cube), strict(flags), 5)(slice(0, 2), slice(0, 3), slice(0, 2))
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 0, 0], [1, 2, 0]]


def test_as_key():
    assert as_key(np.array([2])) == slice(2, 3) and as_key(np.array([], int)).size == 0
