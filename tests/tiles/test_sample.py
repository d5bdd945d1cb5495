"""The sample that a large scene is decided from."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmix.pipeline.shared import pooled
from unmix.prepare import plan
from unmix.tiles.sample import Sample, draw

ROWS, COLS, BANDS = 331, 287, 5


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    """Every pixel knows where it is: bands 0 and 1 are its row and column; a wide edge is empty."""
    y, x = np.mgrid[:ROWS, :COLS].astype(np.float32)
    rng = np.random.default_rng(0)
    cube = np.dstack([0.1 + y / 1e3, 0.1 + x / 1e3, *(0.5 + rng.random((3, ROWS, COLS)))])
    cube[:, :70] = np.nan
    cube[-40:] = np.nan
    return xr.DataArray(cube.astype(np.float32), dims=("y", "x", "band"))


@pytest.fixture(scope="module")
def prepared(scene):
    return plan(scene, detect_bad_bands=False)


def places(sample: Sample) -> np.ndarray:
    return np.rint((sample.X[:, :2] - 0.1) * 1e3).astype(int)


def test_a_small_scene_is_its_own_sample(scene, prepared):
    sample = draw(scene, prepared, 0)
    assert sample.blocks == 0 and sample.valid.shape == (ROWS, COLS)
    assert len(sample.X) == (ROWS - 40) * (COLS - 70)


def test_blocks_lie_in_every_part_and_where_there_is_data(scene, prepared):
    sample = draw(scene, prepared, 0, most=2**15)
    assert sample.blocks == 8
    found = places(sample)
    assert (found[:, 0] < ROWS - 40).all() and (found[:, 1] >= 70).all()
    thirds = np.histogram(found[:, 0], [0, 97, 194, 291])[0]
    assert (thirds > 0).all()
    assert sample.valid.mean() > 0.5


def test_a_seed_is_a_sample(scene, prepared):
    one, same, other = (draw(scene, prepared, seed, most=2**14) for seed in (1, 1, 2))
    assert np.array_equal(one.X, same.X) and np.array_equal(one.valid, same.valid)
    assert one.X.shape != other.X.shape or not np.array_equal(one.X, other.X)


def test_little_memory_makes_a_smaller_sample(scene, prepared):
    little = draw(scene, prepared, 0, memory=8 * 4 * BANDS * 2**14)
    assert little.blocks and little.valid.size <= 2**14


def test_samples_of_several_scenes_become_one(scene, prepared):
    parts = [
        draw(scene[:90, 60:], prepared_of(scene[:90, 60:]), 0),
        draw(scene, prepared, 0, most=1),
    ]
    both = pooled(parts)
    assert both.valid.sum() == len(both.X) == sum(len(p.X) for p in parts)
    rows = parts[0].valid.shape[0]
    assert np.array_equal(both.X[: both.valid[:rows].sum()], parts[0].X)
    assert np.array_equal(both.X[both.valid[:rows].sum() :], parts[1].X)


def prepared_of(scene):
    return plan(scene, detect_bad_bands=False)
