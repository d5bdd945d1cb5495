"""Simulated training data, a model trained on it, fine-tuned on the scene."""

import numpy as np
import pytest
import xarray as xr

from unmix.checks import InputError
from unmix.pipeline import run
from unmix.pipeline.decide import noise
from unmix.pipeline.ready import make_ready
from unmix.pipeline.workflow import starting_members, training_scene
from unmix.simulate import simulate
from unmix.types import Endmembers

ROWS, COLS, BANDS = 22, 27, 30
ROI = "soil=0:4,0:5;tree=0:4,10:15;rock=10:14,18:23"


def made(brightness=None):
    rng = np.random.default_rng(2)
    E = Endmembers(rng.uniform(0.1, 0.8, (3, BANDS)), np.linspace(420, 1300, BANDS))
    A = rng.dirichlet(np.ones(3), (ROWS, COLS))
    A[0:4, 0:5], A[0:4, 10:15], A[10:14, 18:23] = np.eye(3)
    cube = simulate(E, abundances=A, snr=35.0, seed=1, brightness=brightness).cube
    coords = {"wavelength": ("band", E.wavelength)}
    return xr.DataArray(cube, coords, ("y", "x", "band")), A, E


def test_training_data_are_like_the_scene():
    scene, _, E = made(brightness=(0.5, 1.0))
    ready = make_ready(scene)
    measured = noise(ready.X, 0)
    sim = training_scene(ready, E.spectra, model="fan", scale="shade", noise=measured, seed=0)
    assert sim.model == "fan" and sim.snr == pytest.approx(measured["snr_db"])
    assert 0.45 < sim.brightness.min() < 0.7 < 0.8 < sim.brightness.max() < 1.1
    ratio = sim.parameters["noise_sigma"] / np.array(measured["per_band"])
    np.testing.assert_allclose(ratio / ratio[0], 1, rtol=1e-6)
    plain = training_scene(ready, E.spectra, model="linear", scale="none", noise=measured, seed=0)
    assert plain.brightness is None


def test_members_to_start_from_are_given_or_found():
    scene, _, E = made()
    found = starting_members(make_ready(scene, roi=ROI), 3, "none", 0)
    np.testing.assert_allclose(found, E.spectra, atol=0.02)
    some = starting_members(make_ready(scene, roi=ROI.split(";")[1]), 3, "none", 0)
    np.testing.assert_allclose(some[0], E.spectra[1], atol=0.02)
    assert starting_members(make_ready(scene), 3, "none", 0).shape == (3, BANDS)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [("cresdae", {}), ("cresdae", {"preset": "paper", "epochs": 2}), ("nae", {"epochs": 2})],
)
def test_pretrained_then_finetuned(method, parameters):
    scene, A, _ = made()
    result = run(scene, roi=ROI, method=method, parameters=parameters, pretrain="linear",
                 scale="none")  # fmt: skip
    about = result.provenance["method"]["pretrained"]
    assert about["model"] == "linear" and about["members"] == "given"
    assert {"simulate", "pretrain", "fit"} <= set(result.provenance["timings"])
    assert result.endmembers.names == ("soil", "tree", "rock")
    if not parameters:
        assert np.sqrt(((result.abundances.values - A) ** 2).mean()) < 0.02


def test_what_cannot_be_pretrained():
    scene, _, _ = made()
    with pytest.raises(InputError, match="vca-fcls learns nothing that could be fine-tuned"):
        run(scene, roi=ROI, method="vca-fcls", pretrain="linear")
    with pytest.raises(InputError, match="pretrain: got 'foo'; choose one of linear"):
        run(scene, roi=ROI, method="nae", pretrain="foo")
