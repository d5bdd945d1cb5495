"""Evidence of kernel and regularisation against the density written out."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from unmix.methods.khype import VCAKHype, VCASKHype
from unmix.solve.evidence import MUS, largest_evidence, log_evidence
from unmix.solve.khype import band_kernel


def scene(noise, n=150, bands=40, seed=0):
    rng = np.random.default_rng(seed)
    E = 0.5 + 0.4 * np.sin(np.outer([3, 5, 8], np.linspace(0, 1, bands)))
    A = rng.dirichlet(np.ones(3), n)
    A[:3] = np.eye(3)
    return A @ E + noise * rng.standard_normal((n, bands)), E


@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
def test_it_is_the_gaussian_density_with_its_factor_at_the_best_value(kernel):
    X, E = scene(0.05, n=4)
    mus = (1e-2, 0.3)
    written_out = []
    for mu in mus:
        C = E.T @ E + band_kernel(E, kernel, 2.0) + mu * np.eye(40)
        best = []
        for y in X:
            factors = y @ np.linalg.solve(C, y) / 40 * np.linspace(0.5, 2, 3001)
            density = [multivariate_normal.logpdf(y, cov=s * C) for s in factors[::100]]
            best.append(max(density))
        written_out.append(np.mean(best))
    found = log_evidence(X, E, kernel, 2.0, mus)
    assert found[1] - found[0] == pytest.approx(written_out[1] - written_out[0], rel=1e-3)


def test_more_noise_asks_for_more_regularisation():
    mus = 10.0 ** np.arange(-6, 3)
    chosen = [
        largest_evidence(*scene(noise), ["gaussian"], 2.0, mus)[1] for noise in (0.003, 0.03, 0.3)
    ]
    assert mus[0] < chosen[0] < chosen[1] < chosen[2] < mus[-1]


def test_auto_never_asks_for_less_than_the_authors():
    X, E = scene(1e-4)
    assert VCAKHype(endmembers=E, mu="auto").fit(X).mu_ == pytest.approx(0.01)
    assert min(MUS) == pytest.approx(0.01)


@pytest.mark.parametrize("method", [VCAKHype, VCASKHype])
def test_auto_equals_giving_what_it_found_and_ignores_the_unit(method):
    X, E = scene(0.05)
    auto = method(endmembers=E, kernel="auto", mu="auto").fit(X)
    given = method(endmembers=E, kernel=auto.kernel_, mu=auto.mu_).fit(X)
    assert np.array_equal(auto.transform(X), given.transform(X))
    large = method(endmembers=1e4 * E, kernel="auto", mu="auto").fit(1e4 * X)
    assert (large.kernel_, large.mu_) == (auto.kernel_, auto.mu_)


def test_auto_is_nearer_the_truth_than_the_constant_where_there_is_noise():
    X, E = scene(0.2, n=400)
    A = np.random.default_rng(0).dirichlet(np.ones(3), 400)
    A[:3] = np.eye(3)
    errors = [
        np.sqrt(((VCAKHype(endmembers=E, mu=mu).fit_transform(X) - A) ** 2).mean())
        for mu in ("auto", 0.01)
    ]
    assert errors[0] < 0.9 * errors[1]
