"""Resampling against numerical quadrature, analytic integrals and the rules for gaps."""

import numpy as np
import pytest
from scipy.integrate import quad

from unmix import Endmembers, InputError
from unmix.resample import FWHM_TO_SIGMA, resample


def library(x, spectra, **kwargs):
    return Endmembers(np.atleast_2d(spectra), np.asarray(x, float), **kwargs)


@pytest.mark.parametrize("fwhm", [2.0, 11.0, 40.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_gaussian_band_is_the_integral_over_the_interpolated_spectrum(fwhm, seed):
    rng = np.random.default_rng(seed)
    x = 400 + np.cumsum(rng.uniform(1, 18, 60))  # uneven, coarser and finer than the band
    y = rng.uniform(0, 1, (2, 60))
    centres = rng.uniform(x[0] + 110, x[-1] - 110, 5)
    got = resample(library(x, y), centres, fwhm).spectra
    sigma = fwhm * FWHM_TO_SIGMA

    for row, spectrum in zip(got, y, strict=True):
        for value, c in zip(row, centres, strict=True):

            def integrand(t, c=c, spectrum=spectrum):
                g = np.exp(-0.5 * ((t - c) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
                return g * np.interp(t, x, spectrum)

            low, high = max(c - 8 * sigma, x[0]), min(c + 8 * sigma, x[-1])
            inside = x[(x > low) & (x < high)]
            reference = quad(integrand, low, high, points=inside, limit=400)[0]
            assert value == pytest.approx(reference, abs=2e-7)


def test_a_wave_is_damped_by_the_response():
    x, k, fwhm = np.arange(400.0, 1000.0, 0.1), 2 * np.pi / 50, 20.0
    centres = np.array([450.0, 613.0, 700.5, 880.0])
    got = resample(library(x, 0.5 + 0.3 * np.cos(k * x)), centres, fwhm).spectra[0]
    damping = np.exp(-((k * fwhm * FWHM_TO_SIGMA) ** 2) / 2)
    np.testing.assert_allclose(got, 0.5 + 0.3 * damping * np.cos(k * centres), atol=5e-6)


def test_without_width_it_interpolates():
    rng = np.random.default_rng(3)
    x, y = np.arange(500.0, 600.0, 7.0), rng.uniform(size=(3, 15))
    centres = np.array([500.0, 598.0, 533.3, 507.0])
    for fwhm in (None, np.full(4, np.nan), 0.0):
        got = resample(library(x, y), centres, fwhm).spectra
        np.testing.assert_allclose(got, [np.interp(centres, x, row) for row in y], atol=1e-12)


def test_mixed_widths_and_scalar_width():
    x = np.arange(400.0, 900.0)
    lib = library(x, np.sin(x / 20) + 2)
    centres, widths = np.array([500.0, 600.0, 700.0]), np.array([10.0, np.nan, 30.0])
    got = resample(lib, centres, widths).spectra[0]
    assert got[1] == pytest.approx(np.sin(30) + 2)
    assert got[2] == resample(lib, centres, 30.0).spectra[0, 2]
    assert resample(lib, centres, 30.0).fwhm.tolist() == [30.0] * 3


def test_order_of_source_and_target_does_not_matter():
    rng = np.random.default_rng(4)
    x, y = np.arange(400.0, 1000.0, 3.0), rng.uniform(size=(2, 200))
    centres = np.array([500.0, 993.0 - 100, 902.0 - 100, 700.0, 893.0])  # overlapping detectors
    widths = np.array([5.0, 6.0, 12.0, 5.0, 12.0])
    expected = resample(library(x, y), centres, widths)
    shuffle, turn = rng.permutation(200), rng.permutation(5)
    got = resample(library(x[shuffle], y[:, shuffle]), centres[turn], widths[turn])
    np.testing.assert_allclose(got.spectra, expected.spectra[:, turn], atol=1e-14)
    np.testing.assert_array_equal(got.wavelength, centres[turn])
    np.testing.assert_array_equal(got.fwhm, widths[turn])


def test_repeated_source_wavelengths_are_averaged():
    x = np.array([500.0, 510.0, 510.0, 520.0])
    got = resample(library(x, [0.1, 0.2, 0.4, 0.5]), [510.0]).spectra
    assert got[0, 0] == pytest.approx(0.3)


def test_a_wide_gap_stays_and_a_narrow_one_is_bridged():
    x = np.arange(1000.0, 2000.0, 5.0)
    y = np.vstack([0.2 + x / 5000, 0.3 + x / 5000])
    y[0, (x > 1350) & (x < 1450)] = np.nan  # water vapour
    y[1, (x > 1350) & (x < 1370)] = np.nan  # 20 nm
    centres = np.arange(1200.0, 1700.0, 10.0)
    got = resample(library(x, y), centres, 10.0).spectra
    hole = np.isnan(got[0])
    assert hole[(centres > 1351) & (centres < 1449)].all()
    assert not hole[(centres < 1340) | (centres > 1460)].any()
    np.testing.assert_allclose(got[0][~hole], (0.2 + centres / 5000)[~hole], atol=2e-3)
    np.testing.assert_allclose(got[1], 0.3 + centres / 5000, atol=1e-9)
    assert not np.isnan(resample(library(x, y), centres, 10.0, max_gap=150).spectra).any()
    assert np.isnan(resample(library(x, y), centres, max_gap=6).spectra[1]).any()


def test_a_coarse_library_is_not_all_gaps():
    x = np.array([480.0, 560.0, 655.0, 865.0, 1610.0])
    got = resample(library(x, [0.1, 0.2, 0.3, 0.4, 0.5]), [600.0, 700.0, 1200.0]).spectra[0]
    np.testing.assert_array_equal(np.isnan(got), [False, False, True])


def test_a_few_values_are_no_spectrum_for_many_bands():
    few = Endmembers(np.array([[0.1, 0.3]]), np.array([600.0, 700.0]), ("two",))
    fine = np.arange(560.0, 760.0, 5.0)
    with pytest.raises(InputError, match="2 values a spectrum for 21 bands of the scene, which"):
        resample(few, fine)
    assert resample(few, fine[::4]).spectra.shape == (1, 10)


def test_band_at_the_edge_of_the_library_needs_ninety_percent():
    x = np.arange(500.0, 601.0)
    got = resample(library(x, np.ones_like(x)), [499.0, 500.0, 502.0, 508.0, 550.0], 10.0)
    np.testing.assert_array_equal(np.isnan(got.spectra[0]), [True, True, True, False, False])
    np.testing.assert_allclose(got.spectra[0, 3:], 1.0)


def test_a_library_on_the_scenes_bands_passes_unchanged():
    rng = np.random.default_rng(5)
    centres = np.array([900.0, 950.0, 990.0, 905.0, 955.0, 1000.0])
    lib = library(centres, rng.uniform(size=(2, 6)))
    got = resample(lib, centres + 0.01, 7.0)
    np.testing.assert_array_equal(got.spectra, lib.spectra)
    order = np.argsort(centres)
    back = resample(library(centres[order], lib.spectra[:, order]), centres, 7.0)
    np.testing.assert_array_equal(back.spectra, lib.spectra)


def test_own_width_is_taken_off_in_quadrature():
    x = np.arange(400.0, 1000.0, 1.0)
    lib = library(x, np.sin(x / 10) + 2, fwhm=np.full(600, 12.0))
    got = resample(lib, [500.0, 700.5], 13.0).spectra
    np.testing.assert_allclose(got, resample(library(x, lib.spectra), [500.0, 700.5], 5.0).spectra)
    every_third = resample(lib, x[::3], 12.0).spectra
    np.testing.assert_allclose(every_third, lib.spectra[:, ::3], atol=1e-12)


def test_no_wavelengths_means_equal_counts():
    lib = Endmembers(np.ones((2, 4)), source="two.mat")
    got = resample(lib, [500.0, 600.0, 700.0, 800.0], 9.0)
    assert got.source == "two.mat; taken band for band (no wavelengths to compare)"
    assert got.wavelength.tolist() == [500, 600, 700, 800]
    assert resample(lib, None, n_bands=4).wavelength is None
    with_axis = library([500.0, 600, 700, 800], np.ones((1, 4)), fwhm=np.full(4, 9.0))
    assert resample(with_axis, None, n_bands=4).fwhm.tolist() == [9.0] * 4
    with pytest.raises(InputError, match="4 bands where the scene has 3"):
        resample(lib, [500.0, 600.0, 700.0])
    with pytest.raises(InputError, match="the scene has no wavelengths"):
        resample(with_axis, None, n_bands=5)
    with pytest.raises(InputError, match="n_bands"):
        resample(lib, None)


@pytest.mark.parametrize(
    ("wavelength", "fwhm", "message"),
    [
        ([], None, "band centres"),
        ([500.0, np.nan], None, "band centres"),
        ([500.0, -1.0], None, "band centres"),
        ([[500.0]], None, "band centres"),
        ([500.0, 600.0], [1.0, 2.0, 3.0], "3 values for 2 bands"),
        ([500.0, 600.0], [1.0, -2.0], "negative"),
        ([0.5, 2.2], None, "400-899 nm do not cover"),
        ([2000.0, 2100.0], 10.0, "do not cover"),
    ],
)
def test_bad_bands_are_refused(wavelength, fwhm, message):
    lib = library(np.arange(400.0, 900.0), np.ones(500))
    with pytest.raises(InputError, match=message):
        resample(lib, wavelength, fwhm)


def test_a_member_without_a_value_there_is_named():
    x = np.arange(400.0, 900.0)
    y = np.ones((2, 500))
    y[1, x > 600] = np.nan
    with pytest.raises(InputError, match="quartz without a value in the scene's 700-800"):
        resample(library(x, y, names=("clay", "quartz")), [700.0, 800.0])


def test_members_with_one_value_have_no_support():
    y = np.full((1, 500), np.nan)
    y[0, 3] = 0.5
    with pytest.raises(InputError, match="do not cover"):
        resample(library(np.arange(400.0, 900.0), y), [403.0, 500.0])


def test_real_field_spectra_on_enmap_bands(shared_data):
    from unmix.io.library import read_endmembers

    field = read_endmembers(shared_data / "gamsberg" / "gamsberg_field_library")
    table = np.genfromtxt(shared_data / "responses" / "response_enmap.csv", delimiter=",")[1:]
    got = resample(field, *table.T)
    x = field.wavelength[:, None]
    weight = np.exp(-0.5 * ((x - table[:, 0]) / (table[:, 1] * FWHM_TO_SIGMA)) ** 2)
    np.testing.assert_allclose(got.spectra, field.spectra @ (weight / weight.sum(0)), atol=1e-3)
