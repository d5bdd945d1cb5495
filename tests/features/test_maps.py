"""Feature maps against the measurement of single spectra, and in awkward cubes."""

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.features import MAPPED, feature_maps, measure, signal, signal_of

X = np.linspace(400.0, 2490.0, 211)


def cube(rows=7, columns=11, seed=0):
    """Pixels (row, column, band) with absorptions at all four places, depths and centres vary."""
    rng = np.random.default_rng(seed)
    pixels = np.full((rows, columns, len(X)), 0.4) * rng.uniform(0.3, 2, (rows, columns, 1))
    for centre, sigma in ((905, 60), (2203, 14), (2252, 6), (2335, 14)):
        c = centre + rng.uniform(-5, 5, (rows, columns, 1))
        d = rng.uniform(0.08, 0.3, (rows, columns, 1))
        pixels = pixels * (1 - d * np.exp(-0.5 * ((X - c) / sigma) ** 2))
    return pixels


def test_maps_are_what_is_measured_of_each_spectrum():
    pixels = cube()
    maps = feature_maps(pixels.astype(np.float32), X)
    assert maps.names == MAPPED and maps.depth.shape == (7, 11, 4)
    for k, name in enumerate(MAPPED):
        one = measure(pixels, X, name)
        deep = one.depth > 0.011  # below half the least depth no parabola is laid
        assert np.allclose(maps.depth[..., k][deep], one.depth[deep], atol=1e-4)
        assert np.allclose(maps.depth[..., k], one.depth, atol=2e-3)
        told = np.isfinite(maps.centre[..., k])
        assert told.mean() > 0.8
        assert np.allclose(maps.centre[..., k][told], one.centre[told], atol=0.3)


def test_stored_integers_need_no_scale():
    pixels = cube()
    plain = feature_maps(pixels.astype(np.float32), X)
    stored = feature_maps(np.round(pixels * 20_000).astype(np.int16), X)
    both = np.isfinite(plain.centre) & np.isfinite(stored.centre)
    assert both.mean() > 0.8
    assert np.allclose(plain.centre[both], stored.centre[both], atol=1.0)
    assert np.allclose(plain.depth, stored.depth, atol=2e-3)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 5000])
def test_any_number_of_pixels_on_any_number_of_threads(n, monkeypatch):
    pixels = np.resize(cube().reshape(-1, len(X)), (n, len(X))).astype(np.float32)
    monkeypatch.setenv("UNMIX_THREADS", "1")
    one = feature_maps(pixels, X)
    monkeypatch.setenv("UNMIX_THREADS", "3")
    three = feature_maps(pixels, X)
    assert np.array_equal(one.depth, three.depth)
    assert np.array_equal(one.centre, three.centre, equal_nan=True)


def test_a_band_that_is_missing_throughout_and_one_pixel_with_holes():
    pixels = cube().astype(np.float32)
    plain = feature_maps(pixels, X)
    gone = pixels.copy()
    gone[..., np.abs(X - 2150) < 6] = np.nan
    assert np.allclose(feature_maps(gone, X).depth, plain.depth, atol=0.01)
    holed = pixels.copy()
    holed[2, 3, np.abs(X - 2150) < 6] = np.nan
    holed[4, 5] = np.nan
    maps = feature_maps(holed, X)
    assert np.allclose(maps.depth[2, 3], plain.depth[2, 3], atol=0.01)
    assert np.isnan(maps.depth[4, 5]).all() and np.isnan(maps.centre[4, 5]).all()
    rest = np.ones((7, 11), bool)
    rest[[2, 4], [3, 5]] = False
    assert np.array_equal(maps.depth[rest], plain.depth[rest])


def test_no_data_of_integers():
    stored = np.round(cube() * 20_000).astype(np.int16)
    stored[1, 2] = -9999
    maps = feature_maps(stored, X, nodata=-9999)
    assert np.isnan(maps.depth[1, 2]).all()
    assert np.isfinite(maps.depth[0, 0]).all()


def test_overlapping_detectors_and_scrambled_bands():
    x = np.concatenate([np.arange(400.0, 1030.0, 6.0), np.arange(1004.0, 2490.0, 8.0)])
    pixels = np.stack([np.interp(x, X, p) for p in cube().reshape(-1, len(X))])
    plain = feature_maps(pixels.astype(np.float32), x)
    order = np.random.default_rng(3).permutation(len(x))
    mixed = feature_maps(pixels[:, order].astype(np.float32), x[order])
    assert np.allclose(plain.depth, mixed.depth, atol=1e-5)
    assert np.isfinite(plain.centre).mean() > 0.8


def test_a_shallow_feature_has_no_centre():
    pixels = 0.4 * (1 - 0.015 * np.exp(-0.5 * ((X - 2205) / 12) ** 2))[None]
    maps = feature_maps(pixels.astype(np.float32), X, ["2200"])
    assert 0.005 < maps.depth[0, 0] < 0.02 and np.isnan(maps.centre[0, 0])
    told = feature_maps(pixels.astype(np.float32), X, ["2200"], least_depth=0.005)
    assert told.centre[0, 0] == pytest.approx(2205, abs=2)


def test_noise_hides_what_it_may_feign():
    pixels = cube().astype(np.float32)
    quiet = feature_maps(pixels, X, noise=np.full(len(X), 1e-4))
    loud = feature_maps(pixels, X, noise=np.full(len(X), 0.04))
    assert np.isfinite(quiet.centre).mean() > 0.8
    assert np.isfinite(loud.centre).mean() < 0.5
    assert np.array_equal(quiet.depth, loud.depth)
    told = feature_maps(pixels, X, noise=np.full(len(X), 0.04), sure=0)
    assert np.array_equal(told.centre, quiet.centre, equal_nan=True)


def test_what_is_as_dark_as_the_noise_has_no_depth():
    rng = np.random.default_rng(8)
    pixels, sd = cube(20, 30), 2e-3
    pixels[:, 20:] *= 1e-3  # water
    noisy = (pixels + sd * rng.standard_normal(pixels.shape)).astype(np.float32)
    bare = feature_maps(noisy, X)
    assert np.nanmax(bare.depth[:, 20:]) > 1  # noise divided by noise
    assert np.isfinite(bare.depth[:, 20:]).mean() > 0.3
    maps = feature_maps(noisy, X, noise=np.full(len(X), sd))
    assert np.isnan(maps.depth[:, 20:]).mean() > 0.9
    assert np.isnan(maps.centre[np.isnan(maps.depth)]).all()
    assert np.array_equal(maps.depth[:, :20], bare.depth[:, :20])


def test_either_end_of_the_continuum_may_be_too_dark():
    pixels = np.where(X < 1100, 0.02, 1e-5)[None].astype(np.float32)  # water with some glint
    noise = np.full(len(X), 1e-3)
    assert feature_maps(pixels, X, ["900"]).depth > -1
    assert np.isnan(feature_maps(pixels, X, ["900"], noise=noise).depth).all()
    assert np.isnan(feature_maps(pixels[:, ::-1].copy(), X, ["900"], noise=noise).depth).all()


def test_noise_may_be_correlated():
    pixels, sd = np.full((2, len(X)), 0.007, np.float32), np.full(len(X), 4e-3)
    alone = feature_maps(pixels, X, ["900"], noise=sd)  # three bands and more at either end
    diagonal = feature_maps(pixels, X, ["900"], noise=np.diag(sd))
    alike = feature_maps(pixels, X, ["900"], noise=sd[:, None])  # the same in all bands
    assert np.isfinite(alone.depth).all() and np.isfinite(diagonal.depth).all()
    assert np.isnan(alike.depth).all()


def test_centres_of_noisy_spectra_are_within_3_nm_where_deep():
    rng = np.random.default_rng(5)
    pixels = cube(30, 40)
    truth = feature_maps(pixels.astype(np.float32), X)
    sigma = np.sqrt((pixels**2).mean() / 10**4.5)  # 45 dB: what 20-35 dB leave when projected
    noisy = pixels + sigma * rng.standard_normal(pixels.shape)
    found = feature_maps(noisy.astype(np.float32), X)
    deep = (truth.depth > 0.1) & np.isfinite(found.centre) & np.isfinite(truth.centre)
    off = np.abs(found.centre - truth.centre)[deep]
    assert deep.mean() > 0.3
    assert np.median(off) < 1.5
    assert (off < 3).mean() > 0.9


def test_features_that_the_bands_do_not_cover_are_nan():
    near = X < 1400
    maps = feature_maps(cube()[..., near].astype(np.float32), X[near])
    assert np.isfinite(maps.depth[..., 0]).all()
    assert np.isnan(maps.depth[..., 1:]).all()


@pytest.mark.parametrize(
    ("pixels", "wavelength", "keywords", "words"),
    [
        (np.ones((2, 5), np.float32), X[:4], {}, "wavelength: 4 for 5 bands"),
        (np.ones((2, 5), np.float32), X[:5], {}, "cover none"),
        (np.array([["a", "b"]]), X[:2], {}, "give numbers"),
        (np.ones((2, 211), np.float32), X, {"features": ["nonsense"]}, "choose one of"),
        (np.ones((2, 211), np.float32), X, {"features": []}, "none given"),
        (np.ones((2, 211), np.float32), X, {"least_depth": 2}, "least_depth"),
        (np.ones((2, 211), np.float32), X, {"good": [True]}, "good"),
        (np.ones((2, 211), np.float32), X, {"noise": [0.1, 0.2]}, "noise: got shape"),
    ],
)
def test_bad_input_is_one_line(pixels, wavelength, keywords, words):
    with pytest.raises(InputError, match=words) as raised:
        feature_maps(pixels, wavelength, **keywords)
    assert "\n" not in str(raised.value)


def smooth_scene(rows=30, columns=37, seed=2):
    """A clean image (row, column, band) of four materials in smooth fields, and a noisy one."""
    rng = np.random.default_rng(seed)
    E = cube(2, 2, seed).reshape(4, -1)
    phase = np.arange(rows)[:, None, None] / 7 + np.arange(columns)[None, :, None] / 9
    A = np.exp(2 * np.sin(phase + np.arange(4) * 1.7))
    clean = A / A.sum(axis=-1, keepdims=True) @ E
    return clean, clean + 0.03 * rng.standard_normal(clean.shape)


def test_the_noise_that_projection_leaves_is_known():
    clean, noisy = smooth_scene(40, 50)
    pixels = noisy.reshape(-1, len(X)).astype(np.float32)
    found = signal(pixels)
    left = found.apply(pixels) - clean.reshape(pixels.shape)
    sd = np.linalg.norm(found.noise, axis=1)
    assert np.median(sd) == pytest.approx(np.median(left.std(axis=0)), rel=0.15)
    assert np.median(sd) < 0.3 * 0.03
    assert signal(pixels[:20]).noise is None


def test_what_is_signal_has_less_noise_and_an_image_less_still():
    clean, noisy = smooth_scene()
    error = [
        float(np.sqrt(((found - clean) ** 2).mean()))
        for found in (
            noisy,
            signal_of(noisy.reshape(-1, len(X))).reshape(clean.shape),
            signal_of(noisy),
        )
    ]
    assert error[1] < 0.3 * error[0]
    assert error[2] < 0.7 * error[1]


def test_pixels_without_a_value_stay_and_few_pixels_do_too():
    clean, noisy = smooth_scene()
    noisy[3, 4, 5] = np.nan
    found = signal_of(noisy)
    assert np.array_equal(found[3, 4], noisy[3, 4].astype(np.float32), equal_nan=True)
    assert np.isfinite(np.delete(found.reshape(-1, len(X)), 3 * 37 + 4, axis=0)).all()
    few = clean.reshape(-1, len(X))[:20]
    assert np.array_equal(signal_of(few), few.astype(np.float32))
    with pytest.raises(InputError, match="give"):
        signal_of(X)
