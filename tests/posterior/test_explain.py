"""What a scene is explained by: the surface it was mixed with, and its endmembers."""

import json
from functools import cache

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from unmix.checks import InputError
from unmix.posterior.explain import FITTED, Candidate, explain
from unmix.posterior.observe import focus
from unmix.simulate import builtin_library, simulate
from unmix.types import Endmembers

SIZE = (40, 33)
NAMES = ("Green grass", "Soil", "Concrete bridge")
MODELS = {
    "linear": {"model": "linear"},
    "bilinear": {"model": "bilinear", "beta": 1.0},
    "post-nonlinear": {"model": "pnmm", "gamma": 0.7},
}


def library(names=NAMES, step=5):
    found = builtin_library()
    rows = [found.names.index(name) for name in names]
    return Endmembers(found.spectra[rows][:, ::step], found.wavelength[::step], names)


def sad(found, true):
    """Mean angle of the best one-to-one match."""
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, true)]
    S = np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1))
    return S[linear_sum_assignment(S)].mean()


@cache
def explained(kind, known=False):
    made = simulate(library(), snr=30, size=SIZE, seed=1, field="dirichlet", **MODELS[kind])
    E = np.asarray(made.endmembers.spectra, np.float64)
    X = made.cube.reshape(-1, E.shape[1]).astype(np.float64)
    lens, view = focus(X, SIZE, len(E), "none", 0)
    return E, view, explain(lens, view, len(E), E=E if known else None)


@pytest.mark.parametrize("kind", MODELS)
def test_the_surface_is_the_one_the_scene_was_mixed_with(kind):
    E, _, found = explained(kind)
    assert found.best.surface.name == kind
    assert sad(found.best.surface.endmembers(found.best.vertices), E) < 0.015
    assert 0 < found.misfit < 1.3


@pytest.mark.parametrize("kind", MODELS)
def test_the_surface_of_known_endmembers(kind):
    E, _, found = explained(kind, known=True)
    assert found.best.surface.name == kind
    np.testing.assert_allclose(
        found.best.surface.endmembers(found.best.vertices), E, rtol=1e-6, atol=1e-9
    )
    assert 0 < found.misfit < 1.3


@pytest.mark.parametrize("kind", MODELS)
def test_candidates_are_best_first_and_can_be_written_down(kind):
    _, view, found = explained(kind)
    scores = [c.score for c in found.candidates]
    assert scores == sorted(scores, reverse=True)
    assert found.candidates[0].surface == found.best.surface.name
    assert {c.surface for c in found.candidates} == set(MODELS)
    json.dumps([c.record() for c in found.candidates], allow_nan=False)
    assert len(found.best.mean) == min(len(view.Y), FITTED)
    others = found.alike()
    assert found.candidates[0] not in others
    assert all(c.surface == found.best.surface.name and c.fit is not None for c in others)


def test_the_curve_is_found_with_its_exponent():
    assert explained("post-nonlinear")[2].best.surface.theta[0] == pytest.approx(0.7, abs=0.06)


def test_a_surface_left_out_is_not_chosen():
    E, _, _ = explained("linear")
    made = simulate(library(), snr=30, size=SIZE, seed=1, field="dirichlet", **MODELS["bilinear"])
    X = made.cube.reshape(-1, E.shape[1]).astype(np.float64)
    lens, view = focus(X, None, 3, "none", 0)
    found = explain(lens, view, 3, surfaces=("linear",))
    assert {c.surface for c in found.candidates} == {"linear"}
    assert found.misfit > explained("bilinear")[2].misfit


def test_progress_rises_to_one():
    E, view, _ = explained("linear")
    A = np.random.default_rng(0).dirichlet(np.ones(3), 400)
    X = A @ E + 0.01 * np.random.default_rng(1).standard_normal((400, E.shape[1]))
    told = []
    lens, view = focus(X, None, 3, "none", 0)
    explain(lens, view, 3, progress=told.append)
    assert told == sorted(told) and 0 < told[0] and told[-1] <= 1 and len(told) > 2


def test_a_failed_candidate_is_written_down_as_failed():
    record = Candidate("largest simplex", "linear", None, -np.inf).record()
    assert record["failed"] is True
    json.dumps(record, allow_nan=False)


@pytest.mark.parametrize("scale", ["none", "l2", "shade"])
def test_more_members_than_there_are(scale):
    E, *_ = explained("linear")
    X = np.random.default_rng(0).dirichlet(np.ones(3), 400) @ E
    lens, view = focus(X, None, 6, scale, 0)
    with pytest.raises(InputError, match=r"fewer|at most"):
        explain(lens, view, 6)


def test_two_members_in_a_line_are_mixed_linearly():
    """A bend along a line is another spacing of the abundances: nothing in the pixels tells."""
    rng = np.random.default_rng(0)
    E = explained("linear")[0][:2]
    a = 1 / (1 + np.exp(-3 * rng.standard_normal(1500) - 1))
    X = np.column_stack([a, 1 - a]) @ E + 0.01 * rng.standard_normal((1500, E.shape[1]))
    for scale in ("none", "shade"):
        lens, view = focus(X, None, 2, scale, 0)
        found = explain(lens, view, 2)
        assert {c.surface for c in found.candidates} == {"linear"}
        assert sad(found.best.surface.endmembers(found.best.vertices), E) < 0.01
