"""Typical spectra: materials that vary, smoothly or from pixel to pixel."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unmix.methods import METHODS
from unmix.methods.typical import Typical, typical
from unmix.metrics import align
from unmix.pipeline.checkpoint import load_model, save_model

SIZE = (42, 50)


def scene(seed=0, spread=0.2, scale="shade"):
    """A spectrum of its own for every material in every pixel, and smooth abundances."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, 40)
    E = np.stack([0.3 + 0.4 * x, 0.7 - 0.4 * x, 0.35 + 0.3 * np.sin(6 * x)])
    z = gaussian_filter(rng.standard_normal((*SIZE, 3)), (3, 3, 0))
    A = np.exp(40 * z)
    A /= A.sum(axis=2, keepdims=True)
    shapes = np.stack([np.cos(3 * x), np.sin(9 * x), x])
    vary = 1 + spread * rng.standard_normal((*SIZE, 3, 3)) @ shapes
    X = np.einsum("ijk,ijkb->ijb", A, vary * E)
    if scale == "shade":
        X *= rng.uniform(0.5, 1.2, SIZE)[..., None]
    return (X + 0.002 * rng.standard_normal(X.shape)).astype(np.float32), A, E


@pytest.mark.parametrize("scale", ["shade", "none"])
def test_materials_that_vary_from_pixel_to_pixel(scale):
    X, A, E = scene(scale=scale)
    model = METHODS["cresdae"](3, scale=scale, seed=0).fit(X)
    assert model.evidence_["surface"] == "typical spectra" and "smoothed pixels" in model.status_
    found, sure = model.transform_with_uncertainty(X)
    order = align(E_est=model.endmembers_, E_true=E)
    error = np.abs(found[..., order] - A)
    assert np.sqrt((error**2).mean()) < 0.1
    inside = (sure["low"] <= found) & (found <= sure["high"])
    covered = (sure["low"][..., order] <= A) & (A <= sure["high"][..., order])
    assert inside.all() and covered.mean() > 0.75
    rival = METHODS["edaa"](3, scale=scale, seed=0).fit(X)
    order = align(E_est=rival.endmembers_, E_true=E)
    other = np.sqrt(((np.asarray(rival.transform(X))[..., order] - A) ** 2).mean())
    assert np.sqrt((error**2).mean()) < 0.8 * other


@pytest.mark.parametrize("scale", ["shade", "none"])
def test_the_status_says_what_the_spectra_are(scale):
    X, _, E = scene(scale=scale)
    blind = METHODS["cresdae"](3, scale=scale, seed=0).fit(X)
    assert ("all have the same maximum" in blind.status_) == (scale == "shade")
    given = METHODS["cresdae"](endmembers=E, scale=scale, seed=0).fit(X)
    some = METHODS["cresdae"](3, endmembers=E[:2], scale=scale, seed=0).fit(X)
    for model in (given, some):
        assert model.evidence_["surface"] == "typical spectra"
        assert "given spectra" in model.status_ and "maximum" not in model.status_
        assert "runs" not in model.status_


def test_noise_in_the_residual_is_noise_in_the_span():
    """White variation: abundances are as unsure as least squares says."""
    rng = np.random.default_rng(0)
    E = rng.uniform(0.2, 0.8, (3, 400))
    A = 0.2 + 0.4 * rng.dirichlet(np.ones(3), 3000)
    M = A @ E
    size = np.linalg.norm(M, axis=1, keepdims=True)
    X = M + 0.02 * size / 20 * rng.standard_normal(M.shape)
    found = Typical(E, E[None]).measured(X, "shade")
    mean, variance = found.abundances(X, None, "shade", True)
    actual = ((mean - A) ** 2).mean(axis=0)
    ratio = variance.mean(axis=0) / actual
    assert ((ratio > 0.8) & (ratio < 2.5)).all()  # the largest of 400 eigenvalues, not their mean
    assert (found.abundances(X, None, "shade", False)[1] == 0).all()


def test_held_spectra_stay():
    X, _, E = scene()
    held = np.array([True, False, True])
    start = E + 0.02
    found = typical(X.reshape(-1, 40), SIZE, 3, "shade", 0, None, start, held)
    np.testing.assert_array_equal(found.endmembers[held], start[held])
    assert not np.allclose(found.endmembers[1], start[1])


def test_a_saved_model_smooths_as_it_did(tmp_path):
    X, _, _ = scene()
    model = METHODS["cresdae"](3, scale="shade", seed=0).fit(X)
    assert model.smooths_
    again = load_model(save_model(model, tmp_path / "model"))
    for name, values in model.uncertainty(X).items():
        assert values.tobytes() == again.uncertainty(X)[name].tobytes()
    assert model.transform(X).tobytes() == again.transform(X).tobytes()
