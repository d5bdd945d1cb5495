"""Blind endmembers get names from a library; those that the user gave keep theirs."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmix.checks import InputError
from unmix.identify import shipped_library
from unmix.pipeline import run
from unmix.pipeline.naming import library_of, named
from unmix.resample import resample
from unmix.types import Endmembers

X = np.arange(400.0, 2491.0, 10.0)
TITLES = ("Kaolinite CM9 (wxl)", "Gypsum SU2202", "Lawn_Grass GDS91 (Green)")


@pytest.fixture(scope="module")
def members() -> Endmembers:
    library = shipped_library()
    rows = [library.names.index(title) for title in TITLES]
    few = Endmembers(library.spectra[rows], library.wavelength, TITLES)
    return resample(few, X, 10.0)


@pytest.fixture(scope="module")
def scene(members) -> xr.DataArray:
    rng = np.random.default_rng(0)
    A = rng.dirichlet(np.full(3, 0.4), (9, 13))
    A[0, :3] = np.eye(3)
    cube = A @ members.spectra
    cube = (cube + 2e-3 * rng.standard_normal(cube.shape)).astype(np.float32)
    coords = {"wavelength": ("band", X), "fwhm": ("band", np.full(len(X), 10.0))}
    return xr.DataArray(cube, dims=("y", "x", "band"), coords=coords)


def test_blind_endmembers_are_named_and_the_record_says_why(scene):
    result = run(scene, 3, method="vca-fcls")
    assert sorted(result.endmembers.names) == ["green vegetation", "gypsum", "kaolinite"]
    assert list(result.abundances["member"].values) == list(result.endmembers.names)
    record = result.provenance["identification"]
    assert [r["name"] for r in record] == list(result.endmembers.names)
    assert [r["endmember"] for r in record] == [f"endmember {k + 1}" for k in range(3)]
    for entry in record:
        assert entry["match"] == entry["candidates"][0]["name"] == entry["name"]
        assert entry["margin"] > 0.03 and "convincing match" in entry["verdict"]
        assert len(entry["reference"]) == len(X)
        assert [c["score"] for c in entry["candidates"]] == sorted(
            (c["score"] for c in entry["candidates"]), reverse=True
        )


def test_names_given_stay(scene, members):
    own = Endmembers(members.spectra, X, ("one", "two", "three"), fwhm=members.fwhm)
    result = run(scene, endmembers=own, method="vca-fcls")
    assert result.endmembers.names == ("one", "two", "three")
    record = result.provenance["identification"]
    assert [r["match"] for r in record] == ["kaolinite", "gypsum", "green vegetation"]
    assert [r["name"] for r in record] == ["one", "two", "three"]


def test_no_identification_leaves_numbers(scene):
    result = run(scene, 3, method="vca-fcls", identify=False)
    assert result.endmembers.names == ("endmember 1", "endmember 2", "endmember 3")
    assert result.provenance["identification"] == []


def test_a_library_of_ones_own(scene, members):
    own = Endmembers(members.spectra, X, ("White clay", "Rock rose", "Meadow"))
    result = run(scene, 3, method="vca-fcls", identify=own)
    assert sorted(result.endmembers.names) == ["Meadow", "Rock rose", "White clay"]


def test_a_scene_without_wavelengths_is_not_named(scene):
    plain = xr.DataArray(scene.values, dims=scene.dims)
    result = run(plain, 3, method="vca-fcls")
    assert result.endmembers.names == ("endmember 1", "endmember 2", "endmember 3")
    assert result.provenance["identification"] == []


def test_what_materials_vary_little_over_is_not_named():
    rng = np.random.default_rng(1)
    flat = np.abs(0.3 + 0.02 * rng.standard_normal((2, len(X))).cumsum(axis=1) / 5)
    found, record = named(Endmembers(flat, X), shipped_library(), 0)
    assert found.names == ("endmember 1", "endmember 2")
    assert all(r["match"] == "" and "no convincing match" in r["verdict"] for r in record)


def test_the_library_is_read_before_the_work(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("band,a\n1,0.2\n2,0.3\n")
    with pytest.raises(InputError, match="no wavelengths"):
        library_of(path)
    with pytest.raises(InputError, match="no such file"):
        run(xr.DataArray(np.ones((2, 2, 3)), dims=("y", "x", "band")), identify=tmp_path / "no.csv")
    assert library_of(True) is shipped_library()
