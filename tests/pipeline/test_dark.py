"""The warning of members that are as dark as the noise."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmix.pipeline import apply_model, run, train_model
from unmix.pipeline.dark import dark_members, dark_warning

ROWS, COLUMNS, NOISE = 26, 31, 2e-3
X = np.linspace(450.0, 2400.0, 90)


def spectra(water: float, visible: float) -> np.ndarray:
    """Soil, leaves, and water that is brighter below 1000 nm by `visible`."""
    soil = 0.2 + 0.2 * (X - 450) / 2000
    leaves = 0.05 + 0.4 * ((X > 700) & (X < 1350))
    return np.stack([soil, leaves, np.where(X < 1000, visible, 0) + water])


def scene(water: float, visible: float = 0.0) -> xr.DataArray:
    rng = np.random.default_rng(4)
    A = rng.dirichlet((0.5, 0.5, 0.1), (ROWS, COLUMNS))
    A[:8, :9] = (0, 0, 1)
    A[9:12, :2], A[9:12, 3:5] = (1, 0, 0), (0, 1, 0)
    noise = NOISE * rng.standard_normal((ROWS, COLUMNS, len(X)))
    cube = A @ spectra(water, visible) + noise
    return xr.DataArray(
        cube.astype(np.float32), {"wavelength": ("band", X)}, ("y", "x", "band"), "dark"
    )


def dark_of(result):
    return [line for line in result.provenance["warnings"] if "below twice the noise" in line]


@pytest.mark.parametrize(("given", "scale"), [(True, "none"), (True, "shade"), (False, "none")])
def test_members_made_of_dark_pixels_are_told(given, scale):
    known = {"endmembers": spectra(2e-4, 0.02)} if given else {"n_endmembers": 3}
    keywords = {"method": "vca-fcls", "scale": scale, "features": False, "identify": False}
    result = run(scene(2e-4, 0.02), **keywords, **known)
    lines = dark_of(result)
    assert len(lines) == 1 and "--leave-out water,shade" in lines[0] and "\n" not in lines[0]
    fills = np.nanmedian(result.abundances.values[:8, :9], axis=(0, 1))
    assert fills.max() > 0.9 and lines[0].startswith(f"member {fills.argmax() + 1}: ")


def test_without_them_nothing_is_told():
    keywords = {"method": "vca-fcls", "scale": "shade", "features": False, "identify": False}
    assert dark_of(run(scene(0.05), 3, **keywords)) == []
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[:8, :9] = True
    assert dark_of(run(scene(2e-4), 2, mask=mask, **keywords)) == []
    assert dark_of(run(scene(0, 0.05)[..., X < 1000], 3, **keywords)) == []


def test_a_model_that_is_applied_tells_it_too(tmp_path):
    dark = scene(2e-4, 0.02)
    train_model(dark, tmp_path / "m", n_endmembers=3, method="vca-fcls", scale="none")
    assert len(dark_of(apply_model(tmp_path / "m", dark, features=False))) == 1


def test_what_prevails_nowhere_is_not_judged():
    A = np.full((5, 7, 3), 1 / 3)
    E, noise = np.full((3, 20), 1e-4), np.full(20, 1e-3)
    assert dark_members(A, np.ones((5, 7)), E, noise) == []
    A[2] = (0, 0, 1)
    A[3] = np.nan
    assert dark_members(A, np.ones((5, 7)), E, noise) == [2]
    assert dark_members(A, np.full((5, 7), 100.0), E, noise) == []
    assert dark_warning([]) == []
