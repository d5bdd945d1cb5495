"""Scale modes: what they undo, and whether "auto" sees what a scene needs."""

from dataclasses import replace

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.scaling import (
    SCALES,
    abundances,
    choose_scale,
    normalise,
    typical_brightness,
)
from unmix.simulate import builtin_library, simulate


def library(n_members=4, n_bands=80, seed=0):
    rng = np.random.default_rng(seed)
    return np.abs(
        np.cumsum(rng.normal(size=(n_members, n_bands)), axis=1) * 0.04
        + rng.uniform(0.2, 0.8, (n_members, 1))
    )


def scene(snr_db=30, brightness=False, n_pixels=2000, seed=1):
    rng = np.random.default_rng(seed)
    E = library()
    A = rng.dirichlet(np.ones(len(E)), n_pixels)
    X = A @ E
    if brightness:
        X *= rng.uniform(0.4, 1.1, (n_pixels, 1))
    X += np.sqrt((X**2).mean() / 10 ** (snr_db / 10)) * rng.standard_normal(X.shape)
    return X, A, E


@pytest.mark.parametrize("scale", ["l2", "max"])
def test_normalised_spectra_have_unit_size(scale):
    X, _, _ = scene()
    unit, size = normalise(X, scale)
    measure = np.linalg.norm(unit, axis=1) if scale == "l2" else unit.max(axis=1)
    np.testing.assert_allclose(measure, 1)
    np.testing.assert_allclose(unit * size[:, None], X)
    dark, one = normalise(np.zeros((1, 5), np.float32), scale)
    assert not dark.any() and one == 1 and dark.dtype == np.float32


@pytest.mark.parametrize("scale", SCALES)
def test_abundances_are_exact_where_the_model_holds(scale):
    E = library()
    A = np.eye(4) if scale in ("l2", "max") else np.random.default_rng(0).dirichlet(np.ones(4), 9)
    s = 1.0 if scale == "none" else 0.6
    found, brightness = abundances(s * A @ E, E, scale)
    np.testing.assert_allclose(found, A, atol=1e-9)
    np.testing.assert_allclose(brightness, s, atol=1e-9)


def test_unknown_scale():
    with pytest.raises(InputError, match="scale: got 'loud'; choose one of none, l2, max, shade"):
        abundances(np.ones((2, 5)), np.eye(3, 5), "loud")


@pytest.mark.parametrize(
    ("known", "snr_db"),
    [(True, 10), (True, 20), (True, 30), (True, 45), (False, 20), (False, 30), (False, 45)],
)
def test_auto_sees_whether_brightness_varies(known, snr_db):
    for brightness in (False, True):
        X, _, E = scene(snr_db, brightness)
        choice = choose_scale(X, E=E if known else None, n_endmembers=4)
        assert choice.mode == ("shade" if brightness else "none")
        assert ("%" in choice.why or "errors off" in choice.why) and choice.evidence[
            "threshold"
        ] == 0.98


def test_typical_brightness_is_that_of_the_purest_pixels():
    E = library()
    rng = np.random.default_rng(2)
    A = rng.dirichlet(np.full(4, 0.1), 4000)
    size = np.linalg.norm(A @ E, axis=1)
    unit = (A @ E) / size[:, None]
    found = typical_brightness(unit, size, 7.0 * E)
    np.testing.assert_allclose(found, E, rtol=0.02)


@pytest.mark.parametrize(
    ("folder", "file", "truth", "divisor", "bar"),
    [
        ("samson", "Samson.mat", "Samson_GT.mat", 1, 0.005),
        ("jasper", "jasperRidge2_R198.mat", "Jasper_GT.mat", 5000, 0.055),
    ],
)
def test_real_scenes_with_known_endmembers(shared_data, folder, file, truth, divisor, bar):
    from scipy.io import loadmat

    raw, known = loadmat(shared_data / folder / file), loadmat(shared_data / folder / truth)
    X = (raw["V"] if "V" in raw else raw["Y"]).T / divisor
    assert choose_scale(X, E=known["M"].T).mode == "shade"
    assert choose_scale(X, n_endmembers=known["M"].shape[1]).mode == "shade"
    found, _ = abundances(X, known["M"].T, "shade")
    assert np.sqrt(((found - known["A"].T) ** 2).mean()) <= bar


@pytest.mark.parametrize("names", [("Asphalt road", "Soil", "Green grass", "Conifer")])
@pytest.mark.parametrize("model", ["linear", "bilinear"])
def test_one_dimension_more_than_members_fill_is_brightness(names, model):
    library = builtin_library()
    rows = [library.names.index(name) for name in names]
    E = replace(library, spectra=library.spectra[rows], names=names)
    for brightness, mode in ((None, "none"), ((0.5, 1.1), "shade")):
        made = simulate(E, model=model, snr=20.0, size=(96, 104), seed=1, brightness=brightness)
        X = made.cube.reshape(-1, made.cube.shape[-1])
        assert choose_scale(X, n_endmembers=4).mode == mode
