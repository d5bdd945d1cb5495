"""Features of synthetic spectra whose absorptions are known exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.checks import InputError
from unmix.features import FEATURES, MAPPED, convex_hull, feature, hull_quotient, measure
from unmix.features.sampling import sample_feature, sorted_bands

FINE = np.arange(400.0, 2501.0, 5.0)


def dip(x, centre, depth=0.3, sigma=10.0, level=0.5, slope=0.0):
    """Reflectance with one Gaussian absorption below a straight continuum."""
    return (level + slope * (x - 2200)) * (1 - depth * np.exp(-0.5 * ((x - centre) / sigma) ** 2))


@pytest.mark.parametrize(("name", "centre"), [("2200", 2207), ("2330", 2341), ("2250", 2252)])
def test_depth_centre_width_and_area_of_a_gaussian(name, centre):
    # the narrow window of 2250 nm holds a narrow absorption only
    sigma = {"2250": 5.0}.get(name, 10.0)
    fine = np.arange(2000.0, 2500.0, 1.0)
    found = measure(dip(fine, centre, sigma=sigma), fine, name, smooth=0)
    assert found.centre == pytest.approx(centre, abs=0.5)
    assert found.depth == pytest.approx(0.3, abs=0.01)
    area = 0.3 * sigma * np.sqrt(2 * np.pi)
    assert found.area == pytest.approx(area, rel=0.03)
    assert found.width == pytest.approx(area / 0.3, rel=0.05)
    assert abs(found.asymmetry) < 0.05


def test_the_side_with_more_area_gives_asymmetry_its_sign():
    def skew(left, right):
        sigma = np.where(FINE > 2330, right, left)
        spectrum = 0.5 * (1 - 0.3 * np.exp(-0.5 * ((FINE - 2330) / sigma) ** 2))
        return float(measure(spectrum, FINE, "2330", smooth=0).asymmetry)

    assert skew(20, 10) < -0.15 and skew(10, 20) > 0.15
    assert abs(skew(14, 14)) < 0.05


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 50), st.floats(-1e-4, 1e-4), st.floats(2195.0, 2215.0))
def test_brightness_and_slope_change_neither_depth_nor_centre(gain, slope, centre):
    plain = measure(dip(FINE, centre), FINE, "2200")
    other = measure(gain * dip(FINE, centre, slope=slope), FINE, "2200")
    assert other.depth == pytest.approx(plain.depth, abs=0.01)
    assert other.centre == pytest.approx(plain.centre, abs=1.0)


def test_bands_in_any_order_overlapping_and_missing():
    x = np.concatenate([np.arange(400.0, 1030.0, 6.0), np.arange(1004.0, 2500.0, 8.0)])
    spectrum = dip(x, 930, sigma=60) * dip(x, 2207) / 0.5
    alone = measure(spectrum, x, "2200")
    order = np.random.default_rng(0).permutation(len(x))
    mixed = measure(spectrum[order], x[order], "2200")
    assert mixed.centre == pytest.approx(float(alone.centre))
    holed = spectrum.copy()
    holed[np.abs(x - 2140) < 5] = np.nan
    assert measure(holed, x, "2200").centre == pytest.approx(float(alone.centre), abs=1.0)
    iron = measure(spectrum, x, "900")
    assert iron.centre == pytest.approx(930, abs=4)


def test_many_spectra_at_once_are_those_one_by_one():
    rng = np.random.default_rng(1)
    stack = np.stack([dip(FINE, c) for c in rng.uniform(2190, 2220, 6)]).reshape(2, 3, -1)
    together = measure(stack, FINE, "2200")
    for i in range(2):
        for j in range(3):
            one = measure(stack[i, j], FINE, "2200")
            assert together.centre[i, j] == pytest.approx(float(one.centre), abs=1e-6)
            assert together.depth[i, j] == pytest.approx(float(one.depth), abs=1e-12)


def test_no_absorption_has_no_centre_and_a_dark_continuum_no_depth():
    flat = measure(0.3 + 1e-5 * FINE, FINE, "2200")
    assert np.isnan(flat.centre)
    assert abs(flat.depth) < 1e-3
    assert np.isnan(measure(np.zeros(FINE.shape), FINE, "2200").depth)


def test_what_cannot_be_measured_is_said():
    visible = np.arange(400.0, 700.0, 5.0)
    with pytest.raises(InputError, match="do not cover feature 2200"):
        measure(np.ones(visible.shape), visible, "2200")
    with pytest.raises(InputError, match="choose one of"):
        measure(np.ones(FINE.shape), FINE, "nonsense")
    with pytest.raises(InputError, match="bands for"):
        measure(np.ones(3), FINE, "2200")


def test_the_table_holds_together():
    names = [f.name for f in FEATURES]
    assert len(set(names)) == len(names)
    assert set(MAPPED) <= set(names)
    for entry in FEATURES:
        assert entry.left[0] < entry.left[1] <= entry.centre[0] + 40
        assert entry.left[1] < entry.right[0] < entry.right[1]
        assert entry.left[0] < entry.centre[0] < entry.centre[1] < entry.right[1]
        assert entry.source and entry.cause and entry.materials
        assert feature(entry.name) is entry


def test_a_sampling_reproduces_lines():
    x = np.sort(np.random.default_rng(2).uniform(2050, 2300, 60))
    sampling = sample_feature(feature("2200"), x)
    line = 0.1 + 0.002 * x[sampling.bands]
    assert np.allclose(sampling.smooth @ line, 0.1 + 0.002 * sampling.nodes)


def test_bad_bands_are_left_out_and_counts_must_agree():
    order, x = sorted_bands([2.0, np.nan, 1.0, 3.0], [True, True, True, False])
    assert order.tolist() == [2, 0] and x.tolist() == [1.0, 2.0]
    with pytest.raises(InputError, match="good"):
        sorted_bands([1.0, 2.0], [True])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=25))
def test_the_hull_lies_on_top_and_touches_the_ends(values):
    x, y = np.arange(len(values), dtype=float) + 1, np.array(values)
    hull = convex_hull(x, y)
    assert (hull >= y - 1e-12).all()
    assert hull[0] == y[0] and hull[-1] == y[-1]
    assert (np.diff(hull, 2) <= 1e-9).all()  # concave
    assert np.nanmax(hull_quotient(x, y)) <= 1 + 1e-12


def test_the_hull_skips_bad_bands_and_repeated_wavelengths():
    hull = convex_hull([1.0, 2.0, 2.0, 3.0, 4.0], [1.0, 0.5, 3.0, np.nan, 1.0])
    assert hull[2] == 3.0 and np.isnan(hull[3]) and hull[1] == 3.0
