"""Endmembers of materials that vary: the knee of the scatter, and directions of the members."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from unmix.extract.variable import knee, members, recentre

K, L, SIZE = 3, 24, (34, 47)


def spectra():
    t = np.linspace(0, 1, L)
    return np.array([0.2 + 0.6 * t, 0.8 - 0.6 * t, 0.15 + 0.7 * np.exp(-(((t - 0.5) / 0.15) ** 2))])


def scene(seed=0, vary=0.05, noise=0.004, bright=(0.3, 1.2), size=SIZE):
    """Mixtures of spectra that are others in every pixel, times a brightness."""
    rng = np.random.default_rng(seed)
    E = spectra()
    A = rng.dirichlet(np.full(K, 0.4), size[0] * size[1])
    own = E * (1 + vary * rng.standard_normal((len(A), K, L)))
    X = np.einsum("nk,nkl->nl", A, own) * rng.uniform(*bright, (len(A), 1))
    return X + noise * rng.standard_normal(X.shape), E


def angles(found, true):
    """Angles of the best one-to-one match."""
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, true)]
    S = np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1))
    return S[linear_sum_assignment(S)]


def one_material(vary, noise, seed=0, size=(60, 71)):
    """Pixels at twenty-fold brightness whose scatter has α = 2 vary² L and β = 2 noise² L."""
    rng = np.random.default_rng(seed)
    slope = np.geomspace(0.2, 4, size[1])  # as terrain does, neighbours are lit nearly alike
    bright = np.tile(slope, size[0])[:, None]
    X = bright * (1 + vary * rng.standard_normal((len(bright), 20)))
    return X + noise * rng.standard_normal(X.shape)


@pytest.mark.parametrize("vary", [0.03, 0.08])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_the_knee_is_where_noise_and_variability_are_equal(vary, ratio):
    X = one_material(vary, ratio * vary)
    assert knee(X, (60, 71)) == pytest.approx(ratio * np.sqrt(20), rel=0.25)


def test_the_unit_of_the_pixels_is_the_unit_of_the_knee():
    X = one_material(0.05, 0.05)
    c = knee(X, (60, 71))
    assert knee(1e4 * X, (60, 71)) == pytest.approx(1e4 * c, rel=1e-3)
    assert knee(1e-4 * X, (60, 71)) == pytest.approx(1e-4 * c, rel=1e-3)


def test_noise_alone_and_variability_alone():
    """As far out as the pixels go, and next to nothing."""
    noisy, varying = one_material(0.0, 0.05), one_material(0.05, 0.0)
    assert knee(noisy, (60, 71)) > 0.7 * np.linalg.norm(noisy, axis=1).max()
    assert knee(varying, (60, 71)) < 0.1 * np.median(np.linalg.norm(varying, axis=1))


@pytest.mark.parametrize(
    "X", [np.zeros((30, 5)), np.ones((30, 5)), np.eye(30)[:, :5]], ids=["zero", "even", "dark"]
)
def test_a_knee_of_odd_scenes_is_a_number(X):
    assert np.isfinite(knee(X, (5, 6))) and knee(X, (5, 6)) >= 0


@pytest.mark.parametrize("image", [SIZE, None], ids=["image", "list"])
@pytest.mark.parametrize("scale", ["shade", "l2"])
@pytest.mark.parametrize("seed", [0, 1])
def test_directions_are_recovered(image, scale, seed):
    X, E = scene(seed)
    found, every = members(X, image, K, scale, 0)
    assert found.shape == (K, L) and every.shape[1:] == (K, L) and len(every) >= 1
    assert angles(found, E).max() < 0.1
    np.testing.assert_array_equal(every[0], found)
    np.testing.assert_allclose(found.max(axis=1), 1)


def test_without_a_scale_sizes_are_those_of_the_pixels():
    X, E = scene(bright=(1.0, 1.0))
    found, _ = members(X, SIZE, K, "none", 0)
    assert angles(found, E).max() < 0.1
    norm = [np.sort(np.linalg.norm(v, axis=1)) for v in (found, E)]
    np.testing.assert_allclose(*norm, rtol=0.1)


def test_alternatives_are_in_the_members_order():
    X, _ = scene(vary=0.2)
    found, every = members(X, SIZE, K, "shade", 0)
    for other in every:
        apart = np.linalg.norm(other[:, None] - found, axis=2)
        assert (linear_sum_assignment(apart)[1] == np.arange(K)).all()


def test_dark_pixels_of_noise_are_no_material():
    """A fifth of the scene in shadow, where noise is all there is."""
    X, E = scene()
    rng = np.random.default_rng(5)
    dark = rng.random(len(X)) < 0.2
    X[dark] = 0.02 * X[dark] + 0.004 * rng.standard_normal((dark.sum(), L))
    found, _ = members(X, SIZE, K, "shade", 0)
    assert angles(found, E).max() < 0.12


@pytest.mark.parametrize("scale", ["shade", "none"])
def test_same_seed_same_bytes(scale):
    X, _ = scene()
    first, again = (members(X, SIZE, K, scale, 3) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert a.tobytes() == b.tobytes()


def test_types_and_zero_pixels():
    X, E = scene()
    X[5:9] = 0
    found, _ = members(X.astype(np.float32), SIZE, K, "shade", 0)
    assert np.isfinite(found).all() and angles(found, E).max() < 0.1


@pytest.mark.parametrize("scale", ["shade", "none"])
def test_members_are_brought_to_another_scene(scale):
    X, E = scene(bright=(1, 1) if scale == "none" else (0.3, 1.2))
    start = E * (1 + 0.2 * np.random.default_rng(1).standard_normal(E.shape))
    found = recentre(X, start, scale)
    assert angles(found, E).max() < min(0.1, 0.6 * angles(start, E).max())
    cosine = (found * E).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(E, axis=1)
    assert (np.arccos(cosine) < 0.1).all()  # the order is kept


def test_a_member_that_is_nowhere_stays():
    X, E = scene(bright=(1, 1))
    rare = np.vstack([E, 0.3 + 0.2 * np.sin(np.arange(L))])
    np.testing.assert_allclose(recentre(X, rare, "none")[-1], rare[-1])
