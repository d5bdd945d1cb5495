"""Endmembers of regions, alone and through the whole pipeline."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from unmix.checks import InputError
from unmix.extract.regions import bundles, region_spectrum
from unmix.output import load
from unmix.pipeline import run
from unmix.pipeline.ready import make_ready
from unmix.simulate import simulate
from unmix.types import Endmembers

ROWS, COLS, BANDS = 24, 31, 36
NAMES = ("soil", "tree", "rock")
ROI = "soil=0:5,0:6;tree=0:5,10:16;rock=10:15,20:26"


def members():
    rng = np.random.default_rng(4)
    nm = np.linspace(420, 1300, BANDS)
    return Endmembers(rng.uniform(0.1, 0.8, (3, BANDS)), nm, NAMES)


def made(noise=0.002, dead=()):
    """A scene whose windows of `ROI` are pure."""
    A = np.random.default_rng(0).dirichlet(np.full(3, 0.7), (ROWS, COLS))
    A[0:5, 0:6], A[0:5, 10:16], A[10:15, 20:26] = np.eye(3)
    E = members()
    snr = 10 * np.log10(((A @ E.spectra) ** 2).mean() / noise**2)
    cube = simulate(E, abundances=A, snr=float(snr), seed=1).cube.copy()
    for row, col in dead:
        cube[row, col] = np.nan
    coords = {"wavelength": ("band", E.wavelength)}
    return xr.DataArray(cube, coords, ("y", "x", "band")), A, E


def test_odd_pixels_do_not_count():
    rng = np.random.default_rng(0)
    X = np.array([0.2, 0.4, 0.3, 0.5]) * (1 + 0.02 * rng.standard_normal((60, 4)))
    clean = region_spectrum(X)
    X[:6] = [0.7, 0.1, 0.1, 0.2]  # another material
    X[6:10] *= 0.2  # a shadow
    found = region_spectrum(X)
    assert not found.kept[:10].any() and found.kept[10:].sum() > 45
    np.testing.assert_allclose(found.mean, clean.mean, rtol=0.01)
    np.testing.assert_allclose(found.spread, 0.02 * found.mean, rtol=0.4)
    assert [len(b) for b in bundles([X, X[:2]])] == [found.kept.sum(), 2]


def test_a_single_pixel_is_its_own_mean():
    found = region_spectrum(np.array([[0.1, 0.2]]))
    assert found.mean.tolist() == [0.1, 0.2] and found.spread.tolist() == [0, 0]


def test_regions_are_given_endmembers(tmp_path):
    scene, A, E = made()
    result = run(scene, roi=ROI, method="vca-fcls", scale="none")
    assert result.endmembers.names == NAMES
    np.testing.assert_allclose(result.endmembers.spectra, E.spectra, atol=0.002)
    assert result.endmembers.spread is not None
    np.testing.assert_allclose(result.endmembers.spread, 0.002, rtol=0.7)
    assert np.sqrt(((result.abundances.values - A) ** 2).mean()) < 0.01
    about = result.provenance
    assert [r["name"] for r in about["regions"]] == list(NAMES)
    assert about["regions"][0] | {"used": 0} == {
        "name": "soil", "parts": 1, "pixels": 30, "valid": 30, "used": 0,
    }  # fmt: skip
    assert about["n_endmembers"]["why"] == "the endmembers are given"
    back = load(result.save(tmp_path / "out"))
    np.testing.assert_allclose(back.endmembers.spread, result.endmembers.spread)


@pytest.mark.parametrize("method", ["vca-fcls", "cresdae"])
def test_some_regions_and_the_rest_found(method):
    scene, A, E = made(noise=0.004)
    result = run(scene, 3, roi="tree=0:5,10:16", method=method, scale="none")
    assert result.endmembers.names == ("tree", "endmember 2", "endmember 3")
    others = result.endmembers.spectra[1:]
    first = np.abs(others[0] - E.spectra[0]).mean() < np.abs(others[0] - E.spectra[2]).mean()
    order = [1, 0, 2] if first else [1, 2, 0]
    np.testing.assert_allclose(result.endmembers.spectra, E.spectra[order], atol=0.03)
    assert np.sqrt(((result.abundances.values - A[..., order]) ** 2).mean()) < 0.03
    assert result.provenance["n_endmembers"]["given"] == 1
    assert "1 given, 2 found beside them" in result.provenance["n_endmembers"]["why"]


def test_regions_beside_a_library():
    scene, A, E = made()
    library = replace(E, spectra=E.spectra[:1], names=("soil",))
    result = run(scene, endmembers=library, roi="tree=0:5,10:16;rock=10:15,20:26",
                 method="vca-fcls", scale="none")  # fmt: skip
    assert result.endmembers.names == NAMES
    assert np.array_equal(result.endmembers.spectra[0], E.spectra[0])
    assert np.sqrt(((result.abundances.values - A) ** 2).mean()) < 0.01
    with pytest.raises(InputError, match="'soil' is the name of a region and of an endmember"):
        run(scene, endmembers=library, roi=ROI, method="vca-fcls")


def test_pixels_without_data_do_not_count_and_all_without_are_an_error():
    dead = [(row, col) for row in range(5) for col in range(6)]
    scene, _, _ = made(dead=dead[:-3])
    ready = make_ready(scene, roi=ROI)
    assert ready.regions[0]["valid"] == 3
    scene, _, _ = made(dead=dead)
    with pytest.raises(InputError, match="none of the 30 pixels of 'soil' holds data"):
        make_ready(scene, roi=ROI)


def test_a_region_may_lie_where_pixels_are_left_out():
    scene, _, _E = made()
    mask = np.zeros((ROWS, COLS), bool)
    mask[0:5, 0:6] = True
    result = run(scene, roi=ROI, mask=mask, method="vca-fcls", scale="none")
    assert np.isnan(result.abundances.values[mask]).all()
    assert result.provenance["regions"][0]["valid"] == 30


def test_a_field_without_regions_is_an_error():
    with pytest.raises(InputError, match="roi-field: names a field of the regions"):
        run(made()[0], 3, roi_field="class", method="vca-fcls")
    with pytest.raises(InputError, match="got 1; a mixture has at least 2"):
        run(made()[0], roi="tree=0:5,10:16", method="vca-fcls")
    with pytest.raises(InputError, match="n_endmembers: 2, but 3 endmembers are given"):
        run(made()[0], 2, roi=ROI, method="vca-fcls")
