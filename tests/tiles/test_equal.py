"""Tiles change nothing: every method, every size of tile, with gaps and with uncertain features."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from unmix.methods import METHODS
from unmix.pipeline.ready import Ready, prepared_with
from unmix.pipeline.tiled import unmixed, work_of
from unmix.prepare import plan
from unmix.tiles.execution import Execution
from unmix.tiles.job import Job

ROWS, COLS, BANDS, K = 269, 23, 12, 3
QUICK = {
    "cresdae": {"preset": "paper", "epochs": 1, "pretrain_epochs": 0},
    "nae": {"epochs": 1, "pretrain_steps": 2},
    "linear-ae": {"epochs": 1, "n_spectra": 20},
    "conv-ae": {"epochs": 1, "n_patches": 4, "patch_size": 8, "window": 3},
}


@pytest.fixture(scope="module")
def ready() -> Ready:
    """A narrow scene with a gap across tiles, single holes, and a masked corner."""
    rng, t = np.random.default_rng(4), np.linspace(0, 1, BANDS)
    E = [0.15 + 0.4 * np.exp(-(((t - c) / 0.2) ** 2)) + 0.1 * t * c for c in (0.1, 0.5, 0.9)]
    A = rng.dirichlet(np.full(K, 0.5), (ROWS, COLS))
    A.reshape(-1, K)[:K] = np.eye(K)
    cube = (A @ np.stack(E) + 2e-3 * rng.standard_normal((ROWS, COLS, BANDS))).astype(np.float32)
    cube[28:41, 4:15] = cube[99:101] = cube[200, 7] = np.nan
    mask = np.zeros((ROWS, COLS), bool)
    mask[250:, 18:] = True
    scene = xr.DataArray(
        cube, {"wavelength": ("band", np.linspace(450.0, 2400.0, BANDS))}, ("y", "x", "band")
    )
    return prepared_with(scene, plan(scene, mask=mask, detect_bad_bands=False))


def maps_of(ready, estimator, execution, rows, name):
    decisions = {"method": {"name": name}, "scale": {"mode": "none"}}
    work = work_of(ready, estimator, decisions, features=True, seed=0)
    maps, outcome = unmixed(work, (rows, COLS), execution, lambda *_: None)
    return {k: np.array(v) for k, v in maps.items()}, outcome


@pytest.mark.parametrize("name", list(METHODS))
def test_tiles_change_nothing(ready, name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of methods stopped early
        method = METHODS[name](n_endmembers=K, scale="none", seed=0, **QUICK.get(name, {}))
        estimator = method.fit(ready.seen_by(method))
        whole, outcome = maps_of(ready, estimator, Execution(), ROWS, name)
        assert outcome.tiles == 1 and np.isnan(whole["abundances"][30, 6]).all()
        assert np.isfinite(whole["abundances"][0, 0]).all()
        for rows in (32, 100, 257):
            work = tmp_path / f"{rows}.partial"
            Job(work, {}, resume=False)
            for execution in (Execution(), Execution(work=work)):
                found, outcome = maps_of(ready, estimator, execution, rows, name)
                assert outcome.tiles == -(-ROWS // rows)
                assert found.keys() == whole.keys()
                for key, values in found.items():
                    assert values.tobytes() == whole[key].tobytes()


def test_the_scene_is_not_prepared_as_a_whole(ready):
    """Tiles are read one by one: no window has more rows than a tile asks for."""
    asked = []

    class Counting:
        def __init__(self, scene):
            self.scene = scene

        def __getattr__(self, name):
            return getattr(self.scene, name)

        def __getitem__(self, key):
            if isinstance(key, tuple):
                asked.append(key[0].stop - key[0].start)
            return self.scene[key]

    estimator = METHODS["vca-fcls"](n_endmembers=K, scale="none", seed=0).fit(ready.X)
    maps_of(replace(ready, scene=Counting(ready.scene)), estimator, Execution(), 32, "vca-fcls")
    assert max(asked) <= 32 and sum(asked) == ROWS
