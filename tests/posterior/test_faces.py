"""The posterior over faces against draws from the prior, and where there is an exact answer."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

from unmix.posterior.faces import faces_of, posterior

DRAWS = 150_000


def random_case(k, d, seed, n=4, blur=0.1):
    """Members, offset, log-shares, noise of `blur` the thinnest side, and pixels of all faces."""
    rng = np.random.default_rng(seed)
    faces = faces_of(k)
    J, offset = rng.normal(size=(k, d)), rng.normal(size=d)
    noise = blur * np.linalg.svd(J[:-1] - J[-1])[1].min()
    shares = rng.dirichlet(np.full(len(faces.sizes), 2.0))
    A = np.zeros((n, k))
    for row, face in zip(A, rng.choice(len(shares), n, p=shares), strict=True):
        size = faces.sizes[face]
        row[faces.members[face, :size]] = rng.dirichlet(np.ones(size))
    Y = A @ J + offset + noise * rng.standard_normal((n, d))
    return faces, J, offset, np.log(shares), noise, Y


def by_draws(y, J, faces, log_shares, noise, rng):
    """Mean, covariance, shares and log-likelihood of a pixel, and the effective number of draws.

    Every face has as many draws, uniform on it, so that rare faces are as well known as the others.
    """
    each = DRAWS // len(faces.sizes)
    A = np.zeros((len(faces.sizes), each, len(J)))
    for i, size in enumerate(faces.sizes):
        A[i][:, faces.members[i, :size]] = rng.dirichlet(np.ones(size), each)
    log = norm.logpdf(A @ J, y, noise).sum(axis=2) + (log_shares - np.log(each))[:, None]
    total = logsumexp(log)
    w = np.exp(log - total)
    mean = np.einsum("fn,fnk->k", w, A)
    second = np.einsum("fn,fnk,fnl->kl", w, A, A)
    return mean, second - np.outer(mean, mean), w.sum(axis=1), total, 1 / (w**2).sum()


@pytest.mark.parametrize("blur", [0.07, 0.2])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("k", "d"), [(2, 1), (2, 4), (3, 2), (3, 5), (4, 3), (4, 6)])
def test_draws_from_the_prior_say_the_same(k, d, seed, blur):
    """Within 5 standard errors of the draws and, of several bounds, a tenth of the spread.

    The moments of a truncated Gaussian are taken bound by bound, which is exact for one bound.
    """
    faces, J, offset, shares, noise, Y = random_case(k, d, seed, blur=blur)
    variance = np.full(len(Y), noise**2)
    found = posterior(Y, J[None], offset[None], faces, shares, variance)
    rng, total, room = np.random.default_rng(0), 0.0, 0.0
    for i, y in enumerate(Y):
        mean, C, on, log, n = by_draws(y - offset, J, faces, shares, noise, rng)
        chance, sd = 5 / np.sqrt(n), np.sqrt(np.diag(C)).max()
        assert chance < 1.0
        np.testing.assert_allclose(found.mean[i], mean, atol=(chance + 0.1) * sd)
        np.testing.assert_allclose(found.covariance[i], C, atol=(2 * chance + 0.25) * sd**2 + 1e-4)
        np.testing.assert_allclose(found.on[i], on, atol=chance / 2 + 0.04)
        total, room = total + log, room + chance + 0.05
    assert found.log_likelihood == pytest.approx(total, abs=room)


@pytest.mark.parametrize("y", [-0.2, 0.04, 0.5, 1.1])
def test_two_members_by_quadrature(y):
    """∫ over the edge, and both ends: the edge has two bounds, each far from the other."""
    s, shares = 0.08, np.array([0.2, 0.3, 0.5])
    found = posterior(
        np.array([[y]]), np.array([[[1.0], [0.0]]]), np.zeros((1, 1)), faces_of(2),
        np.log(shares), np.array([s**2]),
    )  # fmt: skip
    moments = [quad(lambda a, p=p: a**p * norm.pdf(y, a, s), 0, 1)[0] for p in range(3)]
    ends = norm.pdf(y, 1, s), norm.pdf(y, 0, s)
    w = shares * [*ends, moments[0]]
    mean = (w[0] + shares[2] * moments[1]) / w.sum()
    variance = (w[0] + shares[2] * moments[2]) / w.sum() - mean**2
    assert found.log_likelihood == pytest.approx(np.log(w.sum()), abs=1e-3)
    np.testing.assert_allclose(found.on[0], w / w.sum(), atol=2e-3)
    assert found.mean[0, 0] == pytest.approx(mean, abs=2e-3)
    assert found.covariance[0, 0, 0] == pytest.approx(variance, rel=0.02, abs=1e-6)


def test_on_a_vertex_alone_the_density_is_gaussian():
    """A dimension across every face adds the same to every pixel, whatever the face."""
    rng = np.random.default_rng(0)
    J, faces = rng.normal(size=(3, 4)), faces_of(3)
    shares = np.full(7, -40.0)
    shares[1] = 0.0
    y = J[1] + 0.05 * rng.standard_normal((6, 4))
    found = posterior(y, J[None], np.zeros((1, 4)), faces, shares, np.full(6, 0.05**2))
    assert found.log_likelihood == pytest.approx(norm.logpdf(y, J[1], 0.05).sum(), abs=1e-6)
    np.testing.assert_allclose(found.mean, np.tile([0, 1, 0], (6, 1)), atol=1e-9)
    np.testing.assert_allclose(found.covariance, 0, atol=1e-9)


@pytest.mark.parametrize("k", [2, 3, 5, 8])
def test_abundances_sum_to_one_and_so_do_faces(k):
    faces, J, offset, shares, noise, Y = random_case(k, k + 1, seed=k, n=50)
    found = posterior(Y, J[None], offset[None], faces, shares, np.full(50, noise**2))
    np.testing.assert_allclose(found.mean.sum(axis=1), 1, atol=1e-7)
    np.testing.assert_allclose(found.on.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(found.covariance.sum(axis=2), 0, atol=1e-6)
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-6
    assert found.mean.min() > -1e-3


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("wide", [0.5, 1.0, 3.0, 30.0])
def test_noise_wider_than_the_simplex_leaves_the_prior(k, wide):
    """A dark pixel says little: what is known of it is that abundances are on the simplex."""
    faces, shares = faces_of(k), np.full(2**k - 1, -40.0)
    shares[-1] = 0.0
    n = 20
    Y = wide * np.random.default_rng(0).standard_normal((n, k)) + 1 / k
    found = posterior(Y, np.eye(k)[None], np.zeros((1, k)), faces, shares, np.full(n, wide**2))
    assert found.mean.min() > -0.02 and found.mean.max() < 1.02
    flat = np.sqrt((k - 1) / (k * k * (k + 1)))
    sd = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    assert sd.max() < 1.5 * flat


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("far", [3.0, 30.0, 3000.0])
def test_far_outside_is_the_vertex(k, far):
    faces = faces_of(k)
    Y = 1 / k + far * (np.eye(k) - 1 / k)
    shares, noise = np.full(len(faces.sizes), -np.log(len(faces.sizes))), np.full(k, 0.02**2)
    found = posterior(Y, np.eye(k)[None], np.zeros((1, k)), faces, shares, noise)
    np.testing.assert_allclose(found.mean, np.eye(k), atol=0.05)
    assert np.isfinite(found.covariance).all()
    nearest = norm.logpdf(Y, np.eye(k), 0.02).sum()
    assert found.log_likelihood == pytest.approx(nearest, rel=0.01, abs=15 * k)


@pytest.mark.parametrize("k", [3, 4, 6])
@pytest.mark.parametrize("blur", [0.02, 0.2])
def test_wherever_a_pixel_is_its_abundances_are_on_the_simplex(k, blur):
    """Twenty and more standard deviations outside, on sides where several bounds are broken."""
    faces, J, offset, shares, noise, _ = random_case(k, k, seed=3, blur=blur)
    outside = np.random.default_rng(1).normal(size=(200, k))
    outside += (1 - outside.sum(axis=1, keepdims=True)) / k
    found = posterior(outside @ J, J[None], 0 * offset[None], faces, shares, np.full(200, noise**2))
    assert found.mean.min() > -0.02 and found.mean.max() < 1.02


def test_far_off_the_plane_changes_nothing_but_the_likelihood():
    faces, J, offset, shares, noise, Y = random_case(3, 5, seed=1)
    edges = J[:-1] - J[-1]
    across = np.linalg.svd(edges)[2][-1] * 30 * noise
    found, far = (
        posterior(y, J[None], offset[None], faces, shares, np.full(len(Y), noise**2))
        for y in (Y, Y + across)
    )
    np.testing.assert_allclose(far.mean, found.mean, atol=1e-6)
    change = ((Y + across - offset - J[0]) @ across / noise**2).sum()
    change -= len(Y) * (across @ across) / 2 / noise**2
    assert far.log_likelihood - found.log_likelihood == pytest.approx(-change, rel=1e-6)


def test_more_noise_in_a_pixel_is_less_known_of_it():
    faces, J, offset, shares, noise, Y = random_case(3, 3, seed=2)
    Y = np.repeat(J.mean(axis=0)[None] + offset, 3, axis=0)
    variance = noise**2 * np.array([1.0, 2.0, 4.0])
    found = posterior(Y, J[None], offset[None], faces, shares, variance)
    apart = [
        posterior(Y[i : i + 1], J[None], offset[None], faces, shares, variance[i : i + 1])
        for i in range(3)
    ]
    np.testing.assert_array_equal(found.mean, np.concatenate([p.mean for p in apart]))
    assert found.log_likelihood == pytest.approx(sum(p.log_likelihood for p in apart))
    assert (np.diff(np.trace(found.covariance, axis1=1, axis2=2)) > 0).all()


def test_members_seen_from_each_pixel():
    """J and offset pixel by pixel, equal for all, are those that hold for all."""
    faces, J, offset, shares, noise, Y = random_case(4, 3, seed=2)
    n, variance = len(Y), np.full(len(Y), noise**2)
    one = posterior(Y, J[None], offset[None], faces, shares, variance)
    each = posterior(
        Y, np.repeat(J[None], n, axis=0), np.repeat(offset[None], n, axis=0), faces, shares,
        variance,
    )  # fmt: skip
    for a, b in zip(one, each, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-5])
def test_members_that_are_alike_give_no_nan(apart):
    faces, J, offset, shares, noise, Y = random_case(4, 5, seed=4)
    J[1] = J[0] + apart
    found = posterior(Y, J[None], offset[None], faces, shares, np.full(len(Y), noise**2))
    for part in found:
        assert np.isfinite(part).all()
    np.testing.assert_allclose(found.mean.sum(axis=1), 1, atol=1e-6)
    assert found.mean.min() > -1e-3


def test_all_members_alike_give_no_nan():
    faces = faces_of(3)
    found = posterior(
        np.ones((2, 2)), np.ones((1, 3, 2)), np.zeros((1, 2)), faces, np.full(7, -np.log(7)),
        np.ones(2),
    )  # fmt: skip
    assert all(np.isfinite(part).all() for part in found)
    np.testing.assert_allclose(found.mean, 1 / 3)


def test_one_member():
    found = posterior(
        np.array([[0.3, 0.1]]), np.array([[[0.2, 0.0]]]), np.zeros((1, 2)), faces_of(1),
        np.zeros(1), np.full(1, 0.01),
    )  # fmt: skip
    assert found.mean.tolist() == [[1.0]] and found.covariance.tolist() == [[[0.0]]]
    assert found.log_likelihood == pytest.approx(norm.logpdf([0.1, 0.1], 0, 0.1).sum())


def test_same_bytes_whatever_the_threads(monkeypatch):
    faces, J, offset, shares, noise, Y = random_case(4, 4, seed=5, n=2300)
    answers = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("UNMIX_THREADS", threads)
        answers.append(
            posterior(Y, J[None], offset[None], faces, shares, np.full(len(Y), noise**2))
        )
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("k", [1, 2, 5, 9, 16, 40])
def test_faces_are_supports_each_once(k):
    faces = faces_of(k)
    supports = [tuple(m[:s]) for m, s in zip(faces.members, faces.sizes, strict=True)]
    assert len(set(supports)) == len(supports) <= 600
    assert supports[-1] == tuple(range(k)) and all(tuple(sorted(s)) == s for s in supports)
    if k > 1:
        assert supports[:k] == [(i,) for i in range(k)]
    if k < 10:
        assert len(supports) == 2**k - 1
