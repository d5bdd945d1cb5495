r"""Endmembers and mixing constants by maximum likelihood over the faces of the simplex.

With the posterior of every pixel's abundances (`faces`; the surface is linearised where they were
last), of mean m and covariance C, the log-likelihood has by x, the vertices and the constants θ of
the surface, the slope (Fisher's identity, to second order in a − m)

    s_i = ∂/∂x [ f(m)ᵀ r − Σ_kl C_kl J_k(m)ᵀ J_l ] / s²,    r = y − f(m), J = ∂f/∂a,

differentiated at constant r, C and J_l. How linearisation moves with the constants counts as well;
their slopes are corrected by differences on some of the pixels. The first steps are made with more
noise than there is, to get out of bad starts, and are EM's: a linear least-squares step for the
vertices, and for θ a Gauss-Newton step in which a pixel speaks only across its face. Then
x ← x + B⁻¹ Σ s_i, with the information B = Σ s_i s_iᵀ (Berndt, Hall, Hall & Hausman), damped until
the likelihood rises. EM creeps where noise is a few percent of the simplex, since what it holds to
be known of a pixel is not; B knows. x includes the log-shares of the faces, whose slopes are
p(S | y) − π_S.

References
----------
Dempster, Laird & Rubin (1977). J. R. Stat. Soc. B 39(1), 1-38.
Berndt, Hall, Hall & Hausman (1974). Ann. Econ. Soc. Meas. 3(4), 653-665.
Louis (1982). J. R. Stat. Soc. B 44(2), 226-233.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.denoise import Whitening
from unmix.posterior.faces import Faces, Posterior, faces_of, posterior
from unmix.posterior.information import covariance_at, information_at
from unmix.posterior.state import Scene, State, logarithm
from unmix.posterior.surfaces import Surface

__all__ = ["Fit", "abundances_of", "fit", "misfit"]

Array = NDArray[np.float64]

_HEAT = 4.0  # least variance of the noise in the first step, in units of what it is
_COOLING = 0.8  # of the variance is left a step later, until it is what it is
_STRIDE = 0.15  # largest change of a constant in a step, in units of its prior's spread
_GAIN = 0.05  # of the log-likelihood: a step that promises less is not made
_DAMPING = (1e-6, 1e-2, 1e6)  # least, first and most, in units of the information


@dataclass(frozen=True, eq=False)
class Fit:
    """A scene explained.

    Parameters
    ----------
    vertices : ndarray, shape (member, band)
        Spectra of pure pixels.
    surface : Surface
    log_shares : ndarray, shape (face,)
    log_likelihood : float
    n_iter : int
    mean : ndarray, shape (pixel, member)
        Posterior mean of the abundances fitted on.
    history : tuple of float
        Log-likelihood of each step.
    covariance : ndarray, shape (parameter, parameter)
        Of the coordinates of the vertices, member by member, and the constants: the inverse of the
        information; 0 for known endmembers.
    """

    vertices: Array
    surface: Surface
    log_shares: Array
    log_likelihood: float
    n_iter: int
    mean: Array
    history: tuple[float, ...]
    covariance: Array


def abundances_of(
    Y: Array,
    white: Whitening,
    V: Array,
    surface: Surface,
    log_shares: Array,
    noise: Array | None = None,
    *,
    n_steps: int = 8,
) -> Posterior:
    """Posterior of pixels' abundances Y (pixel, component) under a fitted surface.

    A surface that is not linear is linearised `n_steps` times, from the linear answer.
    """
    noise = np.ones(len(Y)) if noise is None else noise
    scene = Scene(Y, white, faces_of(len(V)), noise, V, np.zeros(len(V), bool))
    middle = np.zeros((1, Y.shape[1]))
    found = posterior(Y, white.coordinates(V)[None], middle, scene.faces, log_shares, noise)
    for turn in range(n_steps if len(surface.theta) else 0):
        state = State(V, surface, log_shares, found.mean, found.covariance)
        found = scene.expect(state, among=found.on if turn else None)
    return found


def fit(
    Y: Array,
    white: Whitening,
    start: Array,
    surface: Surface,
    *,
    noise: Array | None = None,
    max_iter: int = 60,
    tol: float = 2.0,
    fixed: bool | NDArray[np.bool_] = False,
    after: Fit | None = None,
) -> Fit:
    """Fit vertices, constants and shares of faces.

    Parameters
    ----------
    Y : ndarray, shape (pixel, component)
        Coordinates with noise of standard deviation 1.
    white : Whitening
        Of these coordinates.
    start : ndarray, shape (member, band)
        Vertices to start from.
    surface : Surface
        With the constants to start from.
    noise : ndarray, shape (pixel,), optional
        Variance of the noise of each pixel; 1 when left out.
    max_iter : int
        Steps after the heated ones.
    tol : float
        Ends when three steps have changed the log-likelihood by less.
    fixed : bool or ndarray of bool, shape (member,)
        Endmembers that are known, `start` being their vertices; the others are fitted with the
        constants and shares.
    after : Fit, optional
        Of the same pixels by another surface: its vertices, shares and abundances are started from,
        without heat.

    Raises
    ------
    FloatingPointError
        The fit diverged, or members fell together.

    >>> from unmix.denoise import whitening
    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((3, 20))
    >>> X = rng.dirichlet(np.full(3, 0.5), 3000) @ E + 0.02 * rng.standard_normal((3000, 20))
    >>> white = whitening(X, np.full(20, 0.02), 2)
    >>> found = fit(white.coordinates(X), white, E + 0.05 * rng.standard_normal(E.shape), Surface())
    >>> bool(np.abs(found.vertices - E).max() < 0.02)
    True
    """
    start = np.array(start, np.float64)
    noise = np.ones(len(Y)) if noise is None else noise
    faces = faces_of(len(start))
    held = np.broadcast_to(np.asarray(fixed, bool), len(start))
    scene = Scene(Y, white, faces, noise, surface.endmembers(start), held)
    shares = np.full(len(faces.sizes), -np.log(len(faces.sizes)))
    J, middle = white.coordinates(start)[None], np.zeros((1, Y.shape[1]))
    if not np.ptp(J[0], axis=0).max() > 1e-9 * np.abs(J).max():
        raise FloatingPointError("all members are the same")
    if after is None:
        first = posterior(Y, J, middle, faces, shares, _HEAT * noise)
        state = State(start, surface, shares, first.mean, first.covariance)
        heat = max(_HEAT, misfit(Y, white, start, surface, first.mean, noise))
        warm = int(np.ceil(np.log(heat) / -np.log(_COOLING)))
    else:
        first = posterior(Y, J, middle, faces, after.log_shares, noise)
        state = State(start, surface, after.log_shares, first.mean, first.covariance)
        heat, warm = 1.0, 0
    for turn in range(warm):
        state = _heated(scene, state, max(1.0, heat * _COOLING**turn))
    state, found = scene.settled(state)
    history = [found.log_likelihood]
    damping = _DAMPING[1]
    for _ in range(max_iter):
        slope, information = information_at(scene, state, found)
        damped = information + damping * np.diag(np.diag(information))
        step = np.asarray(np.linalg.solve(damped, slope), np.float64)
        if slope @ step - step @ information @ step / 2 < _GAIN:
            break
        there = None
        with suppress(FloatingPointError):
            ahead, there = scene.settled(scene.moved(state, step))
        if there is not None and there.log_likelihood > found.log_likelihood:
            state, found, damping = ahead, there, max(damping / 10, _DAMPING[0])
        elif damping < _DAMPING[2]:
            damping *= 10
            continue
        else:
            break
        history.append(found.log_likelihood)
        if damping <= 1e-3 and len(history) > 3 and history[-1] - history[-3] < tol:
            break
    return Fit(
        state.V, state.surface, state.log_shares, found.log_likelihood, warm + len(history) - 1,
        found.mean, tuple(history), covariance_at(scene, state, found),
    )  # fmt: skip


def misfit(Y: Array, white: Whitening, V: Array, surface: Surface, A: Array, noise: Array) -> float:
    """Mean square of what abundances A leave unexplained, in units of the noise."""
    rest = ((Y - surface.at(A, V, white)) ** 2).mean(axis=1)
    return float((rest / noise).mean())


def _heated(scene: Scene, state: State, heat: float) -> State:
    """A step of EM with more noise."""
    found = scene.expect(state, heat)
    M, surface, white, Y = found.mean, state.surface, scene.white, scene.Y
    noise = heat * scene.noise
    V = state.V
    free = np.flatnonzero(~scene.held)
    if len(free):
        at = white.coordinates(V)
        C = np.einsum("nkl,n->kl", found.covariance, 1 / noise)
        Q = C + (M.T / noise) @ M
        ridge = 1e-7 * np.trace(Q) * np.eye(len(Q))
        rest = (M.T / noise) @ (Y - surface.at(M, V, white)) - C @ at
        at[free] += np.linalg.solve((Q + ridge)[np.ix_(free, free)], rest[free])
        V = scene.hold(white.spectra(at), surface)
    if len(surface.theta):
        theta = surface.theta
        base = surface.at(M, V, white)
        tiny = 1e-3 * surface.sd
        moves = np.diag(np.where(theta + tiny > surface.high, -tiny, tiny))
        slopes = []
        for move in moves:
            ahead = surface.moved(theta + move)
            there = scene.hold(V, ahead)
            slopes.append((ahead.at(M, there, white) - base) / move.sum())
        J = surface.slopes(M, V, white)
        R, *G = _across(J, scene.faces, found.on.argmax(axis=1), [Y - base, *slopes])
        scale = 1 / np.sqrt(noise)[:, None]
        wide = np.array([(g * scale).ravel() for g in G])
        B = wide @ wide.T + np.diag(1 / surface.sd**2)
        pull = wide @ (R * scale).ravel() + (surface.centre - theta) / surface.sd**2
        step = np.linalg.solve(B + 0.02 * np.diag(np.diag(B)), pull)
        surface = surface.moved(theta + np.clip(step, -_STRIDE, _STRIDE) * surface.sd.clip(max=1))
        V = scene.hold(V, surface)
    return State(V, surface, logarithm(found.on.mean(axis=0)), M, found.covariance)


def _across(J: Array, faces: Faces, face: NDArray[np.int64], arrays: list[Array]) -> list[Array]:
    """What of arrays (pixel, component) lies across each pixel's most probable face."""
    out = [np.array(a) for a in arrays]
    for j in np.unique(face):
        size = faces.sizes[j]
        if size < 2:
            continue
        rows = np.flatnonzero(face == j)
        members = faces.members[j, :size]
        slopes = J[:, members] if len(J) == 1 else J[np.ix_(rows, members)]
        basis = np.linalg.qr(np.swapaxes(slopes[:, :-1] - slopes[:, -1:], 1, 2))[0]
        for a in out:
            along = np.matmul(a[rows][:, None], basis)
            a[rows] -= np.matmul(along, np.swapaxes(basis, 1, 2))[:, 0]
    return out
