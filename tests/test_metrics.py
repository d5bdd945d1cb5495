from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix import metrics
from unmix.checks import InputError


def abundances(seed, n=50, k=4):
    return np.random.default_rng(seed).dirichlet(np.ones(k), n)


def test_rmse_family_against_loops():
    A, B = abundances(0), abundances(1)
    per = [np.sqrt(np.mean([(A[i, k] - B[i, k]) ** 2 for i in range(50)])) for k in range(4)]
    assert np.allclose(metrics.abundance_rmse_per_endmember(A, B), per)
    assert np.isclose(metrics.mean_of_per_endmember_rmse(A, B), np.mean(per))
    assert np.isclose(metrics.abundance_rmse(A, B), np.sqrt(np.mean(np.square(per))))
    assert np.isclose(metrics.psnr_db(A, B), 20 * np.log10(1 / metrics.abundance_rmse(A, B)))
    assert metrics.psnr_db(A, A) == np.inf
    assert metrics.abundance_rmse(A, B) >= metrics.mean_of_per_endmember_rmse(A, B)


def test_published_psnr():
    """The PSNR of a published table follows from its RMSE: 0.2184 is 13.21 dB."""
    A = np.zeros((10, 2))
    assert round(metrics.psnr_db(A + 0.2184, A), 2) == 13.21


def test_leading_axes_are_pixels():
    A, B = abundances(0, 12), abundances(1, 12)
    for metric in (
        metrics.abundance_rmse,
        metrics.abundance_sad_rad,
        metrics.abundance_sid,
        metrics.reconstruction_rmse,
    ):
        assert metric(A.reshape(3, 4, 4), B.reshape(3, 4, 4)) == pytest.approx(metric(A, B))


def test_angles():
    def degrees(u, v):
        return float(np.degrees(metrics.endmember_sad_rad([u], [v])[0]))

    assert degrees([1, 0], [1, 1]) == pytest.approx(45)
    assert degrees([1, 2], [-1, -2]) == pytest.approx(180)
    assert degrees([0, 0], [1, 1]) == pytest.approx(90)
    assert degrees([0, 0], [0, 0]) == 0
    tiny = 1e-9  # arccos of the cosine would give 0
    assert metrics.endmember_sad_rad([[1, tiny]], [[1, 0]])[0] == pytest.approx(tiny, rel=1e-6)
    assert metrics.abundance_sad_rad([[1, 0], [1, 1]], [[0, 1], [2, 2]]) == pytest.approx(np.pi / 4)


def test_divergence():
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.4, 0.2])
    both = np.sum(p * np.log(p / q)) + np.sum(q * np.log(q / p))
    assert metrics.endmember_sid([7 * p], [q])[0] == pytest.approx(both, rel=1e-4)
    assert metrics.abundance_sid([p, q], [q, q]) == pytest.approx(both / 2, rel=1e-4)
    with_zero = metrics.abundance_sid([[1, 0]], [[0.5, 0.5]])
    assert np.isfinite(with_zero)
    assert metrics.abundance_sid([[1, 0]], [[0.5, 0.5]], eps=1e-12) > with_zero
    assert metrics.abundance_sid([[1, -0.1]], [[1, 0]]) == 0
    with pytest.raises(InputError, match="eps"):
        metrics.abundance_sid([p], [q], eps=0)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_laws(seed, factor):
    rng = np.random.default_rng(seed)
    E, F = rng.random((3, 8)) + 0.01, rng.random((3, 8)) + 0.01
    sad, sid = metrics.endmember_sad_rad(E, F), metrics.endmember_sid(E, F)
    assert np.allclose(sad, metrics.endmember_sad_rad(F, E))
    assert np.allclose(sid, metrics.endmember_sid(F, E))
    assert np.allclose(sad, metrics.endmember_sad_rad(factor * E, F))
    assert (sid >= 0).all() and (sad >= 0).all()
    assert np.allclose(metrics.endmember_sad_rad(E, E), 0, atol=1e-7)
    cosine = np.sum(E * F, 1) / np.linalg.norm(E, axis=1) / np.linalg.norm(F, axis=1)
    assert np.allclose(np.cos(sad), cosine)


@pytest.mark.parametrize("by", ["endmembers", "abundances"])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_align_undoes_a_permutation(by, k):
    rng = np.random.default_rng(k)
    E, A = rng.random((k, 30)), abundances(k, 80, k)
    shuffle = rng.permutation(k)
    E_est = 3 * E[shuffle] + 0.01 * rng.standard_normal((k, 30))
    A_est = A[:, shuffle] + 0.01 * rng.standard_normal((80, k))
    known = {"E_est": E_est, "E_true": E} if by == "endmembers" else {"A_est": A_est, "A_true": A}
    order = metrics.align(**known)
    assert np.array_equal(shuffle[order], np.arange(k))
    assert metrics.abundance_rmse(metrics.take(A_est, order), A) < 0.02
    assert metrics.endmember_sad_rad(metrics.take(E_est, order, axis=0), E).max() < 0.1


def test_align_is_the_best_of_all_permutations():
    rng = np.random.default_rng(0)
    A, B = rng.random((20, 4)), rng.random((20, 4))

    def cost(order):
        return metrics.abundance_rmse_per_endmember(A[:, list(order)], B).sum()

    order = metrics.align(A_est=A, A_true=B)
    assert cost(order) == pytest.approx(min(map(cost, permutations(range(4)))))


def test_align_prefers_spectra():
    E = np.eye(2)
    A = np.array([[1.0, 0.0], [0.9, 0.1]])
    assert metrics.align(E_est=E, E_true=E, A_est=A[:, ::-1], A_true=A).tolist() == [0, 1]


def test_align_unequal_numbers():
    A = abundances(3, 40, 4)
    fewer = metrics.align(A_est=A[:, [2, 0]], A_true=A)
    assert fewer.tolist() == [1, -1, 0, -1]
    assert np.array_equal(metrics.take(A[:, [2, 0]], fewer)[:, 1], np.zeros(40))
    more = metrics.align(A_est=A, A_true=A[:, [3, 1]])
    assert more.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("estimate", "truth"),
    [
        (np.ones((3, 2)), np.ones((3, 4))),
        (np.ones(3), np.ones(3)),
        (np.ones((0, 2)), np.ones((0, 2))),
        (np.array([[np.nan, 1]]), np.ones((1, 2))),
        (np.ones((1, 2)), np.array([[np.inf, 1]])),
    ],
)
def test_validate(estimate, truth):
    with pytest.raises(InputError, match="abundances"):
        metrics.abundance_rmse(estimate, truth)
    with pytest.raises(InputError, match="endmembers"):
        metrics.endmember_sad_rad(estimate, truth)


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"E_est": np.eye(2), "A_true": np.eye(2)},
        {"E_est": np.ones((2, 3)), "E_true": np.ones((2, 4))},
        {"E_est": np.ones((2, 3)), "E_true": np.full((2, 3), np.nan)},
        {"A_est": np.ones((2, 3)), "A_true": np.ones((4, 3))},
    ],
)
def test_align_refuses(known):
    with pytest.raises(InputError):
        metrics.align(**known)
