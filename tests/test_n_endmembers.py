import json

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.n_endmembers import split_half, suggest
from unmix.simulate import builtin_library, simulate
from unmix.subspace import estimate_noise
from unmix.types import Endmembers

LIBRARY = builtin_library()


def simulated(k, snr, seed, **options):
    """Pixels of a scene of k members drawn from the built-in library."""
    rows = np.random.default_rng(seed).choice(len(LIBRARY), k, replace=False)
    E = LIBRARY.spectra[rows]
    covered = np.isfinite(E).all(axis=0)
    members = Endmembers(E[:, covered], LIBRARY.wavelength[covered])
    scene = simulate(members, snr=snr, size=(64, 75), seed=seed, **options)
    return scene.cube.reshape(-1, int(covered.sum()))


def test_simulated_scenes_within_one():
    """K = 3 … 8, 20 to 40 dB, both fields, with and without shade: 9 of 10 within ±1."""
    errors = []
    for seed in range(12):
        k = 3 + seed % 6
        X = simulated(
            k,
            (20.0, 30.0, 40.0)[seed % 3],
            seed,
            field=("gaussian", "dirichlet")[seed % 2],
            brightness=None if seed % 4 < 2 else (0.5, 1.1),
            pure=seed % 5 > 0,
        )
        errors.append(suggest(X).k - k)
    assert np.mean(np.abs(errors) <= 1) >= 0.9, errors
    assert np.mean(np.equal(errors, 0)) >= 0.6, errors


def test_variable_materials_do_not_count_as_more():
    """Smooth changes within each material raise the signal's dimension, not the suggestion."""
    rng = np.random.default_rng(4)
    x = np.linspace(0, 1, 120)
    E = np.stack([0.2 + 0.5 * x, 0.6 - 0.4 * x, 0.3 + 0.25 * np.sin(7 * x)])
    A = rng.dirichlet(np.full(3, 0.4), 4000)
    X = A @ E
    for i in range(12):
        X += 0.012 * 0.9**i * (A * rng.standard_normal((4000, 3))) @ (E * np.sin((i + 2) * 3 * x))
    X += 0.0005 * rng.standard_normal(X.shape)
    found = suggest(X)
    directions = {c["name"]: c["k"] for c in found.criteria}
    assert directions["HySime"] > 12 and directions["directions above noise"] > 12
    assert found.k == 3
    assert "variability" in found.why


def test_split_half_sees_no_shade():
    rng = np.random.default_rng(0)
    E = rng.random((4, 40))
    X = rng.dirichlet(np.full(4, 0.5), 3000) @ E
    X += 0.002 * rng.standard_normal(X.shape)
    shaded = X * rng.uniform(0.4, 1.2, (3000, 1))
    assert split_half(X)[0] == split_half(shaded)[0] == 4


def test_a_few_outliers_do_not_count():
    rng = np.random.default_rng(0)
    X = rng.dirichlet(np.full(3, 0.5), 4000) @ rng.random((3, 40))
    X += 0.002 * rng.standard_normal(X.shape)
    X[:3] = rng.random((3, 40))
    assert split_half(X)[0] == 3


def test_criteria_are_plain_and_complete():
    found = suggest(simulated(4, 30.0, 1))
    assert [c["name"] for c in found.criteria] == [
        "split halves",
        "directions above noise",
        "HySime",
        "NWHFC",
    ]
    for c in json.loads(json.dumps(found.criteria)):
        assert set(c) == {"name", "k", "x", "y", "xlabel", "ylabel", "threshold"}
        assert len(c["x"]) == len(c["y"]) > 0
        assert np.isfinite(c["y"]).all() and c["xlabel"] and c["ylabel"]
    by = {c["name"]: c for c in found.criteria}
    above = by["directions above noise"]
    assert sum(y > 1 for y in above["y"]) == above["k"]
    energy = by["HySime"]
    assert energy["x"][int(np.argmin(energy["y"]))] == energy["k"]
    assert min(energy["y"]) == 0
    halves = by["split halves"]
    assert all(y <= 0.5 for x, y in zip(halves["x"], halves["y"], strict=True) if x <= halves["k"])


def test_same_seed_same_answer():
    X = simulated(5, 25.0, 2)
    first = suggest(X, seed=3)
    for again in (suggest(X, seed=3), suggest(X, estimate_noise(X, seed=3), seed=3)):
        assert (again.k, again.why) == (first.k, first.why)
        for a, b in zip(again.criteria, first.criteria, strict=True):
            assert a["k"] == b["k"]
            assert np.allclose(a["y"], b["y"], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 9, 40])
def test_few_pixels(n):
    X = np.random.default_rng(n).random((n, 30))
    found = suggest(X)
    assert 2 <= found.k <= max(2, n)


def test_k_max_holds():
    X = simulated(6, 40.0, 7)
    found = suggest(X, k_max=3)
    assert found.k <= 3
    assert len(found.why) > 20
    for why in (found.why, suggest(X).why):
        assert "\n" not in why


def test_noise_free_and_dark_pixels():
    rng = np.random.default_rng(0)
    X = rng.dirichlet(np.ones(3), 500) @ rng.random((3, 20))
    assert suggest(X).k == 3
    X[::2] = 0
    assert suggest(X).k in (3, 4)
    X[::3] = 0
    assert suggest(X).k >= 2


@pytest.mark.parametrize(
    ("X", "options"),
    [
        (np.ones((4, 1)), {}),
        (np.full((4, 5), np.inf), {}),
        (np.ones((1, 5)), {}),
        (np.random.default_rng(0).random((9, 5)), {"k_max": 1}),
    ],
)
def test_refused(X, options):
    with pytest.raises(InputError):
        suggest(X, **options)


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("samson/Samson.mat", 3, 5),
        ("jasper/jasperRidge2_R198.mat", 4, 5),
        ("urban/urban_162band.mat", 4, 6),
    ],
)
def test_real_scenes(shared_data, path, low, high):
    from unmix.prepare import plan
    from unmix.scene import open_scene

    scene = open_scene(shared_data / path)
    pixels, valid = plan(scene).apply(scene.values)
    assert low <= suggest(pixels[valid]).k <= high
