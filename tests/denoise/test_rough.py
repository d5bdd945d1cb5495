"""What differs between neighbours is taken out where that is all that materials vary by."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unmix.denoise import smoother

SIZE = (44, 56)


def scene(field, scale, seed=0, noise=0.002):
    """Three materials, each with a spectrum of its own in every pixel; brightness for "shade"."""
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.2, 0.8, (3, 40))
    z = rng.standard_normal((*SIZE, 3))
    A = np.exp(12 * gaussian_filter(z, (5, 5, 0)) if field == "smooth" else 2 * z)
    A = (A / A.sum(axis=2, keepdims=True)).reshape(-1, 3)
    shapes = np.stack([np.linspace(-1, 1, 40), np.sin(np.linspace(0, 5, 40))])
    vary = 1 + 0.15 * rng.standard_normal((len(A), 3, 2)) @ shapes
    s = rng.uniform(0.4, 1.3, len(A)) if scale == "shade" else np.ones(len(A))
    X = s[:, None] * np.einsum("nk,nkb->nb", A, vary * E)
    X += noise * rng.standard_normal(X.shape)
    return X.astype(np.float32), s[:, None] * (A @ E)


@pytest.mark.parametrize("scale", ["none", "shade", "l2"])
def test_what_varies_between_neighbours_is_averaged_away(scale):
    X, mean = scene("smooth", scale)
    found = smoother(X, SIZE, 3, scale, 0)
    smooth = found(X, SIZE)
    assert smooth.dtype == X.dtype and smooth.shape == X.shape

    def error(Y):
        s = (
            1
            if scale == "none"
            else (Y * mean).sum(1, keepdims=True) / (mean**2).sum(1, keepdims=True)
        )  # brightness is not averaged
        return np.sqrt(((Y / s - mean) ** 2).mean())

    assert error(smooth) < 0.5 * error(X)


def test_where_shares_differ_between_neighbours_nothing_is_done():
    X, _ = scene("rough", "none")
    assert smoother(X, SIZE, 3, "none", 0) is None


def test_where_materials_vary_over_larger_distances_nothing_is_done():
    X, mean = scene("smooth", "none")
    rng = np.random.default_rng(1)
    maps = gaussian_filter(rng.standard_normal((*SIZE, 4)), (4, 4, 0)).reshape(-1, 4)
    X = (mean * (1 + 2 * maps @ rng.standard_normal((4, 40)) / 4)).astype(np.float32)
    X += (0.002 * rng.standard_normal(X.shape)).astype(np.float32)
    assert smoother(X, SIZE, 3, "none", 0) is None


def test_small_images_and_even_ones():
    X, _ = scene("smooth", "none")
    assert smoother(X[: 7 * 30], (7, 30), 3, "none", 0) is None
    assert smoother(np.full((400, 5), 0.3, np.float32), (20, 20), 2, "none", 0) is None


def test_what_is_learned_does_for_another_image():
    X, _ = scene("smooth", "none")
    found = smoother(X, SIZE, 3, "none", 0)
    Y, mean = scene("smooth", "none", seed=0)
    part = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE)[5:35, 8:50]
    smooth = found(Y[part.ravel()], part.shape)
    apart = [np.abs(v - mean[part.ravel()]).mean() for v in (smooth, Y[part.ravel()])]
    assert apart[0] < 0.6 * apart[1]
