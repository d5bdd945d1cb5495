"""Methods that look at a pixel's neighbours get the image, and nothing leaks out of its gaps."""

import numpy as np
import pytest
import xarray as xr

from unmix.methods import METHODS
from unmix.methods.linear import VCAFCLS
from unmix.pipeline import run
from unmix.pipeline.model import apply_model
from unmix.pipeline.ready import filled, make_ready
from unmix.pipeline.train import train_model
from unmix.simulate import simulate
from unmix.types import Endmembers

ROWS, COLUMNS, BANDS, K = 13, 17, 20, 3
TINY = {"epochs": 2, "n_patches": 4, "batch_size": 2, "patch_size": 8, "window": 3}


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, BANDS)
    E = np.stack([0.1 + 0.4 * np.exp(-(((t - c) / 0.2) ** 2)) for c in (0.1, 0.5, 0.9)])
    A = rng.dirichlet(np.full(K, 0.6), (ROWS, COLUMNS))
    A[4, 4 : 4 + K] = np.eye(K)
    cube = A @ E + 1e-3 * rng.standard_normal((ROWS, COLUMNS, BANDS))
    return xr.DataArray(cube.astype(np.float32), dims=("y", "x", "band"))


class Neighbours(VCAFCLS):
    """FCLS on the mean of a pixel and its eight neighbours: spatial, and exact to compare with."""

    halo = 1

    def transform(self, X):
        if X.ndim != 3:
            return super().transform(X)
        padded = np.pad(X, ((1, 1), (1, 1), (0, 0)), mode="edge")
        rows, columns = X.shape[:2]
        shifted = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        return super().transform(np.mean(shifted, axis=0))


@pytest.fixture(params=["conv-ae", "neighbours"])
def method(request, monkeypatch):
    monkeypatch.setitem(METHODS, "neighbours", Neighbours)
    return {"method": request.param, "parameters": TINY if request.param == "conv-ae" else {}}


def border(scene):
    """No data in a border two pixels wide on the left and below, NaN at the top."""
    cube = scene.copy(deep=True)
    cube.values[:, :2], cube.values[-2:], cube.values[0] = 0, 0, np.nan
    out = np.zeros((ROWS, COLUMNS), bool)
    out[:, :2], out[-2:], out[0] = True, True, True
    return cube, out


def test_gaps_mirror_the_valid_pixels_next_to_them():
    valid = np.array([[True, True, False, False], [False, False, False, True]])
    X = np.array([[1.0, 10], [2, 20], [3, 30]])
    image = filled(X, valid)
    np.testing.assert_array_equal(image[..., 1], 10 * image[..., 0])
    np.testing.assert_array_equal(image[valid], X)
    assert image[0, 2, 0] == 1 and image[0, 3, 0] == 3 and image[1, 0, 0] == 1
    whole = np.arange(8.0).reshape(4, 2)
    assert np.shares_memory(filled(whole, np.ones((2, 2), bool)), whole)


def test_a_wide_gap_does_not_repeat_one_pixel():
    rng = np.random.default_rng(0)
    valid = np.ones((40, 50), bool)
    valid[:12] = valid[:, :9] = False
    image = filled(rng.standard_normal((valid.sum(), 2)), valid)
    _, times = np.unique(image.reshape(-1, 2), axis=0, return_counts=True)
    assert np.isfinite(image).all() and times.max() <= 4
    np.testing.assert_array_equal(image[11, 20:], image[13, 20:])


def test_a_masked_wedge_is_no_signal():
    """What fills a gap must not look like materials that vary."""
    members = Endmembers(np.random.default_rng(3).uniform(0.1, 0.9, (K, BANDS)))
    made = simulate(members, size=(48, 52), snr=30, seed=0)
    cube = made.cube.astype(np.float32)
    rows, columns = np.indices(cube.shape[:2])
    cube[rows + columns < 22] = np.nan
    result = run(xr.DataArray(cube, dims=("y", "x", "band")), K, scale="shade")
    evidence = result.provenance["evidence"]
    assert evidence["components"] == K and evidence["misfit"] < 1.5
    assert evidence["surface"] == "linear"


def test_pixelwise_methods_get_the_valid_pixels_only(scene):
    ready = make_ready(border(scene)[0])
    assert ready.seen_by(METHODS["vca-fcls"]) is ready.X
    assert ready.seen_by(METHODS["conv-ae"]).shape == (*ready.valid.shape, ready.X.shape[1])
    assert np.isfinite(ready.image).all()


def test_no_data_stays_out_and_does_not_leak(scene, method):
    cube, out = border(scene)
    result = run(cube, K, scale="none", **method)
    A = result.abundances.values
    assert (np.isnan(A).all(axis=-1) == out).all() and np.isfinite(A[~out]).all()
    assert np.isfinite(result.residual.values[~out]).all()
    np.testing.assert_allclose(A[~out].sum(axis=-1), 1, atol=1e-5)


def test_what_a_mask_covers_does_not_matter(scene, method):
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[6:9, 7:11] = True
    spoilt = scene.copy(deep=True)
    spoilt.values[mask] = np.random.default_rng(1).uniform(0, 0.5, (int(mask.sum()), BANDS))
    spoilt.values[7, 8] = np.nan
    options = {"scale": "none", "preparation": {"detect_bad_bands": False}} | method
    one, other = (run(cube, K, mask=mask, **options).abundances.values for cube in (scene, spoilt))
    np.testing.assert_array_equal(one, other)
    assert (np.isnan(one).all(axis=-1) == mask).all()


def test_neighbours_are_those_of_the_image(scene, monkeypatch):
    monkeypatch.setitem(METHODS, "neighbours", Neighbours)
    E = make_ready(scene).X[[4 * COLUMNS + 4 + i for i in range(K)]]
    found = run(scene, endmembers=E, method="neighbours", scale="none").abundances.values
    smooth = np.stack(
        [
            np.pad(scene.values, ((1, 1), (1, 1), (0, 0)), mode="edge")[
                i : i + ROWS, j : j + COLUMNS
            ]
            for i in range(3)
            for j in range(3)
        ]
    ).mean(axis=0)
    expected = VCAFCLS(endmembers=E).fit(smooth).transform(smooth)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_model_applied_to_its_own_scene_is_the_run(scene, method, tmp_path):
    cube, out = border(scene)
    options = {"n_endmembers": K, "scale": "none"} | method
    train_model(cube, tmp_path / "m", **options)
    applied = apply_model(tmp_path / "m", cube).abundances.values
    np.testing.assert_array_equal(applied, run(cube, **options).abundances.values)
    assert (np.isnan(applied).all(axis=-1) == out).all()
