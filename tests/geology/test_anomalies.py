from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unmix.geology.anomalies import find_anomalies, thresholds

GRID = arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 9)))


def naive(flags: np.ndarray) -> list[set[tuple[int, int]]]:
    """Patches by walking from pixel to neighbour, diagonals included."""
    left = {(int(y), int(x)) for y, x in np.argwhere(flags)}
    patches = []
    while left:
        todo, patch = [left.pop()], set()
        while todo:
            y, x = todo.pop()
            patch.add((y, x))
            near = {(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            todo += near
        patches.append(patch)
    return patches


@settings(max_examples=60, deadline=None)
@given(GRID, st.integers(1, 4))
def test_patches_are_those_found_by_walking(flags, least):
    A = np.where(flags, 0.7, 0.1)[..., None]
    [found] = find_anomalies(A, None, np.array([0.3]), [0], least)
    expected = [p for p in naive(flags) if len(p) >= least]
    mine = [
        {(int(y), int(x)) for y, x in np.argwhere(found.labels == i + 1)}
        for i in range(len(found.pixels))
    ]
    assert sorted(map(sorted, mine)) == sorted(map(sorted, expected))
    assert found.pixels.tolist() == [len(p) for p in mine]
    assert found.labels.max(initial=0) == len(expected)


def test_what_is_said_of_a_patch():
    rng = np.random.default_rng(2)
    A = np.zeros((6, 9, 2))
    A[2:4, 3:8, 1] = rng.uniform(0.4, 0.9, (2, 5))
    A[5, 0] = np.nan
    sd = np.full(A.shape, 0.05)
    [found] = find_anomalies(A, sd, np.array([0.5, 0.3]), [1], 4)
    values = A[2:4, 3:8, 1]
    assert (found.member, found.threshold) == (1, 0.3)
    assert found.mean[0] == pytest.approx(values.mean())
    assert found.highest[0] == pytest.approx(values.max())
    assert found.centre[0].tolist() == [3.0, 5.5]
    draws = values.ravel() + 0.05 * rng.standard_normal((50_000, 10))
    assert found.confidence[0] == pytest.approx((draws > 0.3).mean(), abs=0.005)


def test_nothing_stands_out_of_an_empty_or_masked_map():
    for A in (np.zeros((3, 4, 1)), np.full((3, 4, 1), np.nan)):
        [found] = find_anomalies(A, None, thresholds(A), [0])
        assert not len(found.pixels) and not found.labels.any() and found.centre.shape == (0, 2)


def test_thresholds_come_from_the_scene():
    """A rare material, a usual one, one that is everywhere, one that is hardly known."""
    rng = np.random.default_rng(1)
    A = np.zeros((500, 4))
    A[:20, 0] = 0.9
    A[:, 1] = rng.normal(0.2, 0.02, 500)
    A[:, 2] = rng.normal(0.7, 0.01, 500)
    sd = np.full(A.shape, 0.01)
    sd[:, 3] = 0.13
    found = thresholds(A, sd)
    assert found[0] == 0.2 and found[2] == 0.5
    assert found[1] == pytest.approx(0.26, abs=0.02)
    assert found[3] == pytest.approx(0.39)
    A[3] = np.nan
    sd[3] = np.nan
    assert np.isfinite(thresholds(A, sd)).all()
