import numpy as np
import pytest
import xarray as xr

from unmix.identify.shipped import shipped_library
from unmix.prepare import WATER_WINDOWS, plan
from unmix.prepare.edges import window_edges
from unmix.resample import values_on

NM = np.arange(1000.0, 2400.0, 8.0)
FWHM = np.full(NM.size, 9.0)
KEPT = np.flatnonzero(~np.any([(NM >= a) & (NM <= b) for a, b in WATER_WINDOWS], axis=0))
MATERIALS = ("Calcite WS272", "Gypsum SU2202", "Lawn_Grass GDS91", "Goethite", "Montmorillonite")


def pixels(materials=MATERIALS, count=300, noise=0.003, seed=0):
    """Mixtures of shipped spectra under uneven light, (pixel, band)."""
    library = shipped_library()
    rows = [next(i for i, n in enumerate(library.names) if n.startswith(m)) for m in materials]
    E = values_on(library, NM, FWHM)[rows]
    rng = np.random.default_rng(seed)
    X = rng.dirichlet(np.ones(len(rows)), count) @ E * rng.uniform(0.6, 1.1, (count, 1))
    return X + noise * rng.standard_normal(X.shape)


def line(centre, depth, width):
    """Transmission of an absorption by the air."""
    return 1 - depth * np.exp(-(((NM - centre) / width) ** 2))


def edges(X, fwhm=FWHM, kept=KEPT, windows=WATER_WINDOWS):
    return NM[window_edges(X, NM, fwhm, kept, windows)]


@pytest.mark.parametrize("materials", [MATERIALS, *((m,) for m in MATERIALS)])
def test_ground_is_kept_whatever_it_is(materials):
    assert len(edges(pixels(materials))) == 0


def test_a_material_the_library_lacks_is_kept():
    """The window's own hydration feature is steep; a shifted and deepened one stays ground."""
    X = pixels() * line(1940.0, 0.5, 60.0)
    assert len(edges(X)) == 0


def test_the_shoulder_of_a_window_and_carbon_dioxide_go():
    X = pixels() * line(1870.0, 0.95, 62.0) * line(2008.0, 0.25, 11.0)
    found = edges(X)
    assert {1792.0, 2000.0, 2008.0, 2016.0} <= set(found)
    assert found.min() > 1750
    assert found.max() < 2050
    assert np.array_equal(edges(7e3 * X), found)


def test_neighbours_of_what_goes_are_judged_without_themselves():
    """Bands that pull the fit along, as those between two that went, are found, too."""
    air = np.interp(NM, [1940, 1964, 1980, 1996, 2012, 2028], [0.4, 0.9, 1.0, 0.75, 0.78, 1.0])
    found = edges(pixels() * air)
    assert {1952.0, 1960.0, 1992.0, 2000.0, 2008.0} <= set(found)
    assert found.max() < 2050


@pytest.mark.parametrize("count", [12, 40, 1000])
def test_noise_is_no_air(count):
    for seed in range(5):
        assert len(edges(pixels(count=count, noise=0.05, seed=seed))) == 0


def test_values_unlike_any_ground_leave_all_bands():
    X = pixels() * (1 + 0.5 * np.sin(NM / 9.0))
    assert len(edges(X)) == 0


def test_widths_may_be_unknown_and_bands_disordered():
    X = pixels() * line(2008.0, 0.3, 11.0)
    turned = np.arange(NM.size)[::-1]
    kept = np.sort(NM.size - 1 - KEPT)
    found = window_edges(X[:, turned], NM[turned], None, kept, WATER_WINDOWS)
    assert 2008.0 in NM[turned][found]
    assert np.array_equal(found, np.sort(found))
    assert np.isin(found, kept).all()


def scene(X, wavelength=NM):
    coords = {} if wavelength is None else {"wavelength": ("band", wavelength)}
    return xr.DataArray(
        X.reshape(15, 20, -1).astype(np.float32), dims=("y", "x", "band"), coords=coords
    )


def test_plan_says_which_and_why():
    X = pixels() * line(2008.0, 0.3, 11.0)
    found = plan(scene(X))
    gone = NM[[b for b, why in found.reasons.items() if why == "edge of a water-vapour window"]]
    assert 2008.0 in gone
    assert any("any mixture" in str(s["why"]) for s in found.steps)
    for options in ({"detect_bad_bands": False}, {"water_windows": ()}):
        assert "edge of a water-vapour window" not in plan(scene(X), **options).reasons.values()
    assert "edge of a water-vapour window" not in plan(scene(X, None)).reasons.values()


@pytest.mark.data
def test_real_scenes(shared_data):
    from unmix import open_scene

    gamsberg = open_scene(shared_data / "gamsberg" / "cubus_gamsberg_subset.hdr")
    emit = open_scene(shared_data / "emit" / "emit20250324t221005_jpl_unmix_ex.hdr")
    gone = {
        name: [b + 1 for b, why in plan(s).reasons.items() if why.startswith("edge of")]
        for name, s in (("gamsberg", gamsberg), ("emit", emit))
    }
    assert gone == {"gamsberg": [135, 136, *range(152, 159)], "emit": []}
