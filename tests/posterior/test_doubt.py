"""How posterior means move with vertices and constants, against moving them."""

import numpy as np
import pytest

from unmix.denoise import whitening
from unmix.posterior.doubt import by_parameters
from unmix.posterior.faces import faces_of
from unmix.posterior.fit import abundances_of, fit
from unmix.posterior.surfaces import surface_of

CONSTANTS = {"linear": None, "post-nonlinear": [0.8], "bilinear": [0.3, 0.8, 0.5, 0.2, 0.9, 0.4]}


def scene(name, seed=0, n=400):
    """Pixels well inside a triangle with little noise, so that the mean is that of one face."""
    rng = np.random.default_rng(seed)
    surface = surface_of(name, 3, CONSTANTS[name])
    V = surface.vertices(rng.uniform(0.1, 0.9, (3, 12)))
    A = 0.15 + 0.55 * rng.dirichlet(np.ones(3), n)
    X = surface.mix(A, V)
    white = whitening(X, np.full(12, 0.004), 3, centred=False)
    shares = np.full(len(faces_of(3).sizes), -40.0)
    shares[-1] = 0.0
    return surface, V, white, white.coordinates(X), shares


@pytest.mark.parametrize("name", CONSTANTS)
def test_means_move_as_told(name):
    surface, V, white, Y, shares = scene(name)
    noise = np.ones(len(Y))
    V = white.spectra(white.coordinates(V))  # what lies outside the coordinates does not move
    found = abundances_of(Y, white, V, surface, shares, noise, n_steps=30)
    n, d = V.shape[0] * Y.shape[1], Y.shape[1]
    for i in (0, d + 1, *range(n, n + len(surface.theta))):
        step = 0.02 if i < n else 1e-3
        there, bent = V, surface
        if i < n:
            z = white.coordinates(V)
            z.ravel()[i] += step
            there = white.spectra(z)
        else:
            theta = surface.theta.copy()
            theta[i - n] += step
            bent = surface.moved(theta)
        ahead = abundances_of(Y, white, there, bent, shares, noise, n_steps=30)
        moved = np.abs(ahead.mean - found.mean)
        covariance = np.zeros((n + len(surface.theta),) * 2)
        covariance[i, i] = step**2
        told = np.sqrt(by_parameters(found, white, V, surface, noise, covariance))
        np.testing.assert_allclose(told, moved, rtol=0.1, atol=0.02 * moved.max())


@pytest.mark.parametrize("name", ["linear", "post-nonlinear"])
def test_a_fit_knows_how_well_its_vertices_are_known(name):
    """Over many scenes made alike, vertices differ by what each fit says of itself."""
    apart, told = [], []
    surface = surface_of(name, 3, CONSTANTS[name])
    rng = np.random.default_rng(1)
    V = surface.vertices(rng.uniform(0.1, 0.9, (3, 12)))
    A = rng.dirichlet(np.full(3, 0.4), 1500)
    clean = surface.mix(A, V)
    white = whitening(clean, np.full(12, 0.01), 3, centred=False)
    for _ in range(12):
        Y = white.coordinates(clean + 0.01 * rng.standard_normal(clean.shape))
        found = fit(Y, white, V, surface)
        apart.append(white.coordinates(found.vertices).ravel())
        told.append(np.diag(found.covariance)[: apart[0].size])
    ratio = np.sqrt(np.var(apart, axis=0, ddof=1).mean() / np.mean(told))
    assert 0.6 < ratio < 1.5


def test_what_is_known_has_no_doubt():
    surface, V, white, Y, _ = scene("linear")
    found = fit(Y, white, V, surface, fixed=np.array([True, False, True]))
    d = Y.shape[1]
    known = np.repeat([True, False, True], d)
    assert (found.covariance[known] == 0).all() and (found.covariance[:, known] == 0).all()
    assert (np.diag(found.covariance)[~known] > 0).all()
