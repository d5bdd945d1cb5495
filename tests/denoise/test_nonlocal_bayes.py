"""Non-local Bayes against scenes whose truth is known, and its promises about bytes and reach."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from unmix.denoise import denoise, halo_of, nonlocal_bayes, smoothed, stretched

SIZE = (37, 52)


def fields(seed=0, size=SIZE):
    """Two piecewise-constant coordinates of standard deviations about 4 and 2."""
    rows, cols = np.indices(size)
    slanted = (rows + 2 * cols) // 17 % 3
    other = np.where(cols - rows // 2 > 19, 1.0, -1.0)
    return np.stack([4.9 * (slanted - 1), 2.0 * other], axis=-1)


def noisy(truth, seed=0):
    Z = truth + np.random.default_rng(seed).standard_normal(truth.shape)
    return Z, Z.var(axis=(0, 1))


@pytest.fixture(scope="module")
def pieces():
    truth = fields()
    Z, power = noisy(truth)
    return truth, Z, power, denoise(Z, power)


def test_noise_falls_and_what_is_left_is_told(pieces):
    truth, _, _, found = pieces
    error = ((found.values - truth) ** 2).mean(axis=(0, 1))
    assert (error < 0.25).all()
    chance = np.sqrt(2 / truth[..., 0].size)  # standard deviation of a mean square of noise
    np.testing.assert_allclose(found.mse, error, rtol=0.3, atol=chance)
    assert found.values.dtype == np.float32 and found.values.shape == truth.shape


@pytest.mark.parametrize("blur", [0.8, 1.5])
def test_what_is_left_is_told_where_it_is_half_of_the_noise(blur):
    """A rough field, of which neighbours tell something and not all."""
    truth = gaussian_filter(np.random.default_rng(5).standard_normal((45, 58)), blur)[..., None]
    truth *= 4 / truth.std()
    Z, power = noisy(truth)
    found = denoise(Z, power)
    error = ((found.values - truth) ** 2).mean()
    assert 0.2 < error < 0.95
    assert found.mse[0] == pytest.approx(error, rel=0.2)


def test_means_and_sizes_are_kept(pieces):
    truth, _, _, found = pieces
    np.testing.assert_allclose(found.values.mean((0, 1)), truth.mean((0, 1)), atol=0.1)
    for k in range(2):
        slope = np.cov(found.values[..., k].ravel(), truth[..., k].ravel())[0, 1]
        assert slope / truth[..., k].var() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("sd", [2.0, 5.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_without_structure_the_image_comes_back_as_it_was(sd, seed):
    """Neighbours tell nothing: drawn apart again, the noise is what it was, and it is said so."""
    truth = sd * np.random.default_rng(seed).standard_normal((30, 33, 1))
    Z, power = noisy(truth, seed + 10)
    found = denoise(Z, power)
    slope = np.cov(found.values.ravel(), truth.ravel())[0, 1] / truth.var()
    assert slope == pytest.approx(1, abs=0.1)
    error = ((found.values - truth) ** 2).mean()
    assert found.mse[0] > 0.8 and error < 1.25


def test_noise_alone_is_flattened():
    Z, power = noisy(np.zeros((30, 33, 1)))
    assert smoothed(Z.astype(np.float32), power).var() < 0.25


def test_other_noise_another_error_the_same_answer_to_its_size():
    """A stronger edge does not change what is done to the noise beside it."""
    one, two = fields()[..., :1], 2 * fields()[..., :1]
    errors = []
    for truth in (one, two):
        Z, power = noisy(truth)
        errors.append(((denoise(Z, power).values - truth) ** 2).mean())
    assert errors[1] == pytest.approx(errors[0], rel=0.15)


def test_same_bytes_whatever_the_threads_and_bands(pieces, monkeypatch):
    _, Z, power, found = pieces
    monkeypatch.setenv("UNMIX_THREADS", "2")
    two = denoise(Z, power)
    monkeypatch.setenv("UNMIX_THREADS", "1")
    one = denoise(Z, power)
    for a in ("values", "mse", "slope", "middle"):
        assert getattr(one, a).tobytes() == getattr(two, a).tobytes() == getattr(found, a).tobytes()
    monkeypatch.setattr(nonlocal_bayes, "_BAND", 5)
    bands = smoothed(Z.astype(np.float32), power)
    monkeypatch.setattr(nonlocal_bayes, "_BAND", 1000)
    np.testing.assert_allclose(smoothed(Z.astype(np.float32), power), bands, rtol=1e-5, atol=1e-5)


def test_seed_is_of_the_probe_alone(pieces):
    _, Z, power, found = pieces
    other = denoise(Z, power, seed=1)
    assert other.mse.tobytes() != found.mse.tobytes()
    np.testing.assert_allclose(other.mse, found.mse, atol=0.1)
    np.testing.assert_allclose(other.values, found.values, atol=0.3)


def test_a_pixel_depends_on_no_pixel_beyond_the_halo():
    """A crop with its halo, cropped, is the crop of the whole; beyond it anything may be."""
    halo, size = halo_of(), (2 * halo_of() + 9, 2 * halo_of() + 12)
    Z, power = noisy(fields(size=size)[..., :1])
    Z = Z.astype(np.float32)
    whole = smoothed(Z, power)
    inside = (slice(0, 4), slice(size[1] - 5, size[1]))
    crop = smoothed(np.ascontiguousarray(Z[: 4 + halo, size[1] - 5 - halo :]), power)
    np.testing.assert_allclose(crop[:4, -5:], whole[inside], atol=1e-5)
    middle = (halo + 4, halo + 5)
    far = Z.copy()
    far[: middle[0] - halo] = far[middle[0] + halo + 1 :] = 99
    far[:, : middle[1] - halo] = far[:, middle[1] + halo + 1 :] = -99
    np.testing.assert_allclose(smoothed(far, power)[middle], whole[middle], atol=1e-5)


@pytest.mark.parametrize("size", [(2, 40), (40, 2), (1, 1)])
def test_smaller_than_a_patch_it_stays_as_it_is(size):
    Z, power = noisy(3 * fields(size=(40, 40))[: size[0], -size[1] :])
    power = np.maximum(power, 2.0)
    np.testing.assert_array_equal(smoothed(Z.astype(np.float32), power), Z.astype(np.float32))
    found = denoise(Z, power)
    np.testing.assert_allclose(found.values, Z, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.mse, 1, atol=0.01)


@pytest.mark.parametrize("size", [(3, 3), (3, 17), (9, 4)])
def test_hardly_larger_than_a_patch_is_finite(size):
    Z, _ = noisy(fields(size=size))
    found = denoise(Z, np.array([25.0, 5.0]))
    assert np.isfinite(found.values).all() and np.isfinite(found.mse).all()
    assert ((found.mse > 0) & (found.mse <= 1)).all()


def test_a_constant_image_is_finite():
    found = denoise(np.full((12, 13, 2), 3.0), np.ones(2))
    np.testing.assert_allclose(found.values, 3, atol=1e-4)
    assert np.isfinite(found.mse).all()


def test_stretching_undoes_the_drawing_together():
    values = np.array([[1.0, 4.0], [3.0, 8.0]], np.float32)
    slope, middle = np.array([0.5, 0.25]), np.array([2.0, 6.0])
    np.testing.assert_allclose(stretched(values, slope, middle), [[0, -2], [4, 14]])


@pytest.mark.parametrize("rough", [False, True])
def test_pixels_that_differ_in_brightness_alone_are_alike(rough):
    """Noise is added to t z: what is found of t z is as good as with t = 1, however t varies."""
    rng = np.random.default_rng(3)
    truth = np.concatenate([fields(), np.full((*SIZE, 1), 30.0)], axis=2)
    t = rng.uniform(0.35, 1.3, SIZE)
    if not rough:
        t = gaussian_filter(t, 4)
        t = 0.35 + 0.95 * (t - t.min()) / np.ptp(t)
    t /= np.sqrt((t**2).mean())
    Z, _ = noisy(truth * t[..., None])
    Z0, _ = noisy(truth)
    power = (Z0**2).mean(axis=(0, 1))
    found, plain = denoise(Z, power, brightness=t), denoise(Z0, power)
    error = ((found.values - truth * t[..., None]) ** 2).mean(axis=(0, 1))
    even = ((plain.values - truth) ** 2).mean(axis=(0, 1))
    blind = ((denoise(Z, power).values - truth * t[..., None]) ** 2).mean(axis=(0, 1))
    assert (error < 1.3 * even + 0.02).all()
    np.testing.assert_allclose(found.mse, error, rtol=0.35, atol=0.06)
    if rough:
        assert (error < 0.5 * blind)[:2].all()  # the third has no structure to go by
