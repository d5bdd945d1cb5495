"""Entropic descent: its kernels against the equations, its runs against what they must do."""

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.extract.edaa import Run, archetypes, choose
from unmix.extract.reduce import Moments
from unmix.solve.edaa import absolute_error, archetype_sums, descend, share_sums, weights

K, N, L = 4, 1300, 11  # more than two blocks, the last one short


def softmax(z, axis=0):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def scene(seed=0, snr=200.0):
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.1, 1.0, (K, L))
    A = rng.dirichlet(np.full(K, 0.5), N)
    A[:K] = np.eye(K)
    return A @ E + rng.standard_normal((N, L)) / snr, E, A


def centred(X):
    """Y (band, pixel) about its mean, as the kernels take it."""
    return np.ascontiguousarray((X - X.mean(axis=0)).T, dtype=np.float32)


def starts(seed=1):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 2, (K, N)).astype(np.float32), rng.normal(size=(K, N)).astype(np.float32)


def transcription(X, LB, LA, eta_a, eta_b, n_outer, n_inner):
    """The published equations in full bands and float64; Y is (band, pixel)."""
    Y, B, A = X.T, softmax(LB.T.astype(float)), softmax(LA.astype(float))
    for _ in range(n_outer):
        for _ in range(n_inner):
            A = softmax(np.log(A) - eta_a * (Y @ B).T @ (Y @ B @ A - Y))
        for _ in range(n_inner):
            B = softmax(np.log(B) - eta_b * Y.T @ (Y @ B @ A - Y) @ A.T)
    return A, B


def test_one_step_on_the_shares():
    X, _, _ = scene()
    LB, LA = starts()
    Y = centred(X)
    A, _ = transcription(X, LB, LA, 0.7, 0.0, 1, 1)
    M = np.empty((L, K))
    archetype_sums(Y, LB, np.zeros((L, K)), M)
    S, P = np.empty((K, K)), np.empty((L, K))
    share_sums(Y, M, LA, 0.7, 1, S, P)
    np.testing.assert_allclose(softmax(LA), A, atol=1e-5)
    np.testing.assert_allclose(S, A @ A.T, rtol=1e-5)
    np.testing.assert_allclose(P, Y @ A.T, atol=1e-5 * np.abs(Y @ A.T).max())


def test_one_step_on_the_archetypes():
    X, _, _ = scene()
    LB, LA = starts()
    _, B = transcription(X, LB, LA, 0.0, 0.05, 1, 1)
    M, W, _ = descend(centred(X), LB, LA.copy(), 0.0, 0.05, 1, 1, 0.0)
    np.testing.assert_allclose(weights(centred(X), LB, W).T, B, atol=1e-5 * B.max())
    np.testing.assert_allclose(M.T + X.mean(axis=0), B.T @ X, atol=1e-5)


def test_ten_by_five_steps_and_the_objective():
    X, _, _ = scene()
    LB, _ = starts()
    LA = np.zeros((K, N), np.float32)
    A, B = transcription(X, LB, LA, 0.3, 0.3 * np.sqrt(K / N), 10, 5)
    Y = centred(X)
    half = 0.5 * (Y.astype(float) ** 2).sum()
    _, W, history = descend(Y, LB, LA, 0.3, 0.3 * np.sqrt(K / N), 10, 5, half)
    np.testing.assert_allclose(softmax(LA), A, atol=1e-4)
    ours = weights(Y, LB, W).T
    np.testing.assert_allclose(ours, B, atol=2e-4 * B.max())
    value = 0.5 * ((X.T - X.T @ B @ A) ** 2).sum()
    assert history[-1] == pytest.approx(value, rel=1e-4)
    E = (ours.T @ X).astype(np.float32)
    error = np.abs(X.T - X.T @ B @ A).sum()
    assert absolute_error(X, LA, E) == pytest.approx(error, rel=1e-4)


def test_logarithms_far_from_zero_lose_nothing():
    """Weights concentrated on one pixel, the largest logarithm in the last block."""
    X, _, _ = scene()
    Y, W = centred(X), np.zeros((L, K))
    LB = np.full((K, N), -500.0, np.float32)
    LB[:, 5], LB[:, N - 1] = 200.0, 900.0
    M = np.empty((L, K))
    archetype_sums(Y, LB, W, M)
    np.testing.assert_allclose(M, np.repeat(Y[:, -1:], K, axis=1), atol=1e-6)


def test_the_objective_goes_down():
    X = np.random.default_rng(0).dirichlet(np.full(K, 0.3), N)
    runs = archetypes(X, K, n_restarts=8, n_outer=100, n_inner=10)
    assert {run.factor for run in runs} > {0.125, 8.0}
    for run in runs:
        assert run.history[-1] < 0.8 * run.history[0]
        if run.factor <= 0.5:
            assert np.diff(run.history).max() <= 1e-6 * run.history[0]


def test_fewer_directions_change_little():
    rng = np.random.default_rng(3)
    E = np.cumsum(rng.normal(size=(3, 80)), axis=1) * 0.05 + 0.5
    X = rng.dirichlet(np.ones(3), 600) @ E + 0.01 * rng.standard_normal((600, 80))
    some = archetypes(X, 3, n_restarts=3, n_components=10)
    every = archetypes(X, 3, n_restarts=3, n_components=80)
    for a, b in zip(some, every, strict=True):
        assert a.error == pytest.approx(b.error, rel=2e-3)


@pytest.mark.parametrize("unit", [1.0, 1e4, 1e-4])
def test_truth_of_a_noiseless_scene_with_pure_pixels(unit):
    X, E, _ = scene(snr=np.inf)
    found = choose(archetypes(unit * X, K, n_restarts=12, n_inner=20, n_outer=200)).spectra / unit
    distance = np.linalg.norm(found[:, None] - E[None], axis=-1)
    assert sorted(distance.argmin(axis=0)) == list(range(K))
    assert distance.min(axis=0).max() < 0.05 * np.linalg.norm(E, axis=1).mean()


def test_runs_repeat_to_the_byte_on_any_number_of_threads(monkeypatch):
    X, _, _ = scene()
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("UNMIX_THREADS", threads)
        found.append(archetypes(X, K, n_restarts=5, n_outer=10, seed=7))
    for a, b in zip(*found, strict=True):
        assert a.spectra.tobytes() == b.spectra.tobytes() and a.error == b.error
    again = archetypes(X, K, n_restarts=2, n_outer=10, seed=7)
    assert again[1].spectra.tobytes() == found[0][1].spectra.tobytes()
    other = archetypes(X, K, n_restarts=1, n_outer=10, seed=8)
    assert not np.array_equal(other[0].spectra, found[0][0].spectra)


def test_float32_stays_and_a_large_scene_is_sampled():
    X, _, _ = scene()
    run = archetypes(X.astype(np.float32), K, n_restarts=1, n_outer=5, max_pixels=500)[0]
    assert run.spectra.dtype == np.float32 and np.isfinite(run.spectra).all()
    assert Moments.of(X).mean.shape == (L,)


def test_the_rule_of_choice():
    def run(error, coherence):
        return Run(np.eye(2), error, coherence, 1.0, np.zeros(1))

    assert choose((run(1.0, 0.9), run(1.049, 0.3), run(1.06, 0.0))).coherence == 0.3
    assert choose((run(1.0, 0.9), run(1.2, 0.3))).coherence == 0.9


@pytest.mark.parametrize("name", ["n_restarts", "n_outer", "n_inner", "n_components", "max_pixels"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, None])
def test_a_wrong_number_is_named(name, value):
    with pytest.raises(InputError, match=name):
        archetypes(scene()[0], K, **{name: value})


def test_steps_by_contrast_leave_equal_shares_where_the_published_stay():
    """Spectra that differ by a twentieth of their mean."""
    X = 1.0 + 0.05 * np.random.default_rng(0).dirichlet(np.full(K, 0.3), N)
    stays = archetypes(X, K, n_restarts=4)
    leaves = archetypes(X, K, n_restarts=4, step="contrast")
    assert min(run.history[-1] / run.history[0] for run in stays) > 0.98
    assert max(run.history[-1] / run.history[0] for run in leaves) < 0.9
    with pytest.raises(InputError, match="step"):
        archetypes(X, K, step="long")


def test_pixels_that_are_no_numbers():
    X = scene()[0]
    X[3, 3] = np.nan
    with pytest.raises(InputError, match="NaN"):
        archetypes(X, K)
