from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.geology.materials import check_ternary, grounds, three_of
from unmix.geology.settings import settings_of
from unmix.types import Endmembers

NM = np.array([550.0, 660.0, 860.0])


def result(provenance=None, names=("leaf", "clay", "iron", "lime")):
    spectra = np.array([[0.1, 0.05, 0.5], [0.3, 0.4, 0.5], [0.2, 0.3, 0.3], [0.6, 0.6, 0.6]])
    A = np.full((2, 3, 4), [0.4, 0.1, 0.2, 0.3])
    return SimpleNamespace(
        endmembers=Endmembers(spectra, NM, names),
        abundances=SimpleNamespace(values=A),
        provenance=provenance or {},
    )


def test_vegetation_and_cover_are_no_ground():
    assert grounds(result()).tolist() == [False, True, True, True]
    assert grounds(result({"cover": {"index": [3, True, "x", 99]}})).tolist() == [
        *(False, True, False, True)
    ]
    assert grounds(result({"cover": {"index": [2, 3, 4]}})).all()  # nothing would be left


@pytest.mark.parametrize(
    "about",
    [None, 3, "x", [], {}, {"anomaly_threshold": "a", "ternary": 4}, {"ternary": [1, 1, 2]},
     {"anomaly_threshold": 7, "anomaly_area": -1, "ternary": [0, 1, 2]},
     {"anomaly_threshold": True, "anomaly_area": 10**400, "ternary": [[1], {}, None]},
     {"ternary": [1, 2, 9]}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_the_defaults(about):
    found = settings_of(result({"geology": about}))
    assert (found.threshold, found.area, found.ternary) == (None, None, (3, 2, 1))
    assert found.asked is isinstance(about, dict)


def test_settings_that_were_made():
    about = {"anomaly_threshold": 0.4, "anomaly_area": 5000, "ternary": [4, 1, 2]}
    found = settings_of(result({"geology": about}))
    assert (found.threshold, found.area, found.ternary) == (0.4, 5000.0, (3, 0, 1))


@pytest.mark.parametrize("asked", ["", "a", "clay,iron", "clay,Clay,iron", "clay,,iron", "a,b,c,d"])
def test_a_composite_of_three_different_names(asked):
    with pytest.raises(InputError, match="three different names"):
        check_ternary(asked, None, None)


def test_names_are_checked_where_they_are_known():
    given = result().endmembers
    with pytest.raises(InputError, match="no member is called 'zinc'"):
        check_ternary("clay, iron,zinc", given, None)
    check_ternary("clay, iron,zinc", given, 6)  # others are still to be found
    check_ternary("LIME, iron,clay", given, 4)
    assert three_of(None, ["a", "b"], np.ones(2), np.ones(2, bool)) is None
