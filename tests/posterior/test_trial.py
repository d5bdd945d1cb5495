"""An answer put to the trial: nearer the truth on average, and how much is hidden."""

import numpy as np
import pytest

from unmix.posterior import trial as module
from unmix.posterior.explain import explain
from unmix.posterior.observe import focus
from unmix.posterior.trial import trial

K, L = 3, 30
SIZE = (30, 41)
NOISE = 0.012


def scene(seed, purest=0.8, blocks=False):
    """Pixels in which no abundance exceeds `purest`, and the endmembers."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, L)
    E = np.array([0.3 + 0.5 * t, 0.7 - 0.4 * t**2, 0.45 + 0.25 * np.sin(6 * t)])
    A = rng.dirichlet(np.ones(K), 20 * SIZE[0] * SIZE[1])
    A = A[A.max(axis=1) <= purest][: SIZE[0] * SIZE[1]]
    if blocks:
        cells = A[:30].reshape(5, 6, K).transpose(2, 0, 1)
        A = np.kron(cells, np.ones((6, 7)))[:, :, : SIZE[1]].reshape(K, -1).T
    return A @ E + NOISE * rng.standard_normal((len(A), L)), E, A


def tried(seed, known=False, **keywords):
    X, E, A = scene(seed, **keywords)
    lens, view = focus(X, SIZE, K, "none", 0)
    found = explain(lens, view, K, E=E if known else None, surfaces=("linear",))
    return E, A, found, trial(lens, view, found, SIZE, seed=0, known=known)


def angle(found, true):
    """Mean angle of members to their nearest."""
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (found, true)]
    return np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1)).min(axis=0).mean()


def test_the_correction_brings_endmembers_nearer_on_average():
    """Without pixels near the vertices the fit alone is drawn in."""
    before, after = [], []
    for seed in range(5):
        E, _, found, better = tried(seed)
        before.append(angle(found.best.vertices, E))
        after.append(angle(better.best.vertices, E))
    assert np.mean(after) < 0.85 * np.mean(before)


def test_the_correction_does_no_harm_where_there_is_little_to_correct():
    before, after = [], []
    for seed in range(5):
        E, _, found, better = tried(seed, purest=1.0)
        before.append(angle(found.best.vertices, E))
        after.append(angle(better.best.vertices, E))
    assert np.mean(after) < 1.1 * np.mean(before) + 0.001


@pytest.mark.parametrize("blocks", [True, False])
def test_what_it_gives(blocks):
    _, _, found, better = tried(0, blocks=blocks)
    assert np.isfinite(better.best.vertices).all() and better.hidden >= 0
    assert better.alternatives.ndim == 3 and better.alternatives.shape[1:] == (K, L)
    np.testing.assert_allclose(better.alternatives[0], found.best.vertices)
    assert not np.array_equal(better.best.vertices, found.best.vertices)
    for other in better.alternatives[1:]:  # members are in the order of the first
        apart = np.linalg.norm(other[:, None] - found.best.vertices, axis=2)
        assert (apart.argmin(axis=1) == np.arange(K)).all()


def test_known_endmembers_are_not_corrected():
    E, _, _, better = tried(0, known=True)
    np.testing.assert_allclose(better.best.surface.endmembers(better.best.vertices), E, rtol=1e-9)


def test_same_bytes_with_the_same_seed():
    first, again = (tried(3)[3] for _ in range(2))
    assert first.best.vertices.tobytes() == again.best.vertices.tobytes()
    assert first.hidden == again.hidden


def test_a_trial_that_fails_leaves_the_answer_as_it_is(monkeypatch):
    def fails(*_, **__):
        raise FloatingPointError("the likelihood is not finite")

    monkeypatch.setattr(module, "fit", fails)
    _, _, found, better = tried(0)
    assert better.best is found.best and better.hidden == 0
    np.testing.assert_allclose(better.alternatives[0], found.best.vertices)


def test_a_member_that_the_first_rows_lack_is_not_corrected(monkeypatch):
    """Of a large image the first rows are made again; what is elsewhere has nothing to hold it."""
    rows, cols = SIZE
    monkeypatch.setattr(module, "_PIXELS", rows * cols // 3)
    _, E, _ = scene(0)
    rng = np.random.default_rng(3)
    A = rng.dirichlet(np.full(K, 0.6), SIZE)
    A[: rows // 2, :, 2] = 0
    A[: rows // 2] /= A[: rows // 2].sum(axis=-1, keepdims=True)
    A = A.reshape(-1, K)
    X = A @ E + NOISE * rng.standard_normal((len(A), L))
    lens, view = focus(X, SIZE, K, "none", 0)
    found = explain(lens, view, K, surfaces=("linear",))
    better = trial(lens, view, found, SIZE, seed=0, known=False)
    still = [
        np.array_equal(*pair)
        for pair in zip(better.best.vertices, found.best.vertices, strict=True)
    ]
    lost = np.linalg.norm(found.best.vertices[:, None] - E, axis=2).argmin(axis=0)[2]
    assert still == [k == lost for k in range(K)]
    assert angle(better.best.vertices, E) < 0.02
