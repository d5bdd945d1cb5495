r"""Endmembers and mixing constants by maximum likelihood: EM over the faces of the simplex.

E-step: the posterior of every pixel's abundances (`faces`), the surface being linearised where the
abundances were last. M-step: with moments M = E[a] and Q = Σ E[a aᵀ], residuals R = y − f(M),

    ΔV = Q⁻¹ (Mᵀ R − (Q − MᵀM) V),    π_S = mean of p(S | y),

and a Gauss-Newton step for the constants θ of the surface, in which a pixel speaks only across its
face: what moves it along the face is a matter of its abundances. With white noise of a few percent
of the simplex plain EM creeps, so every second step is extrapolated (squared iterative method), and
taken back if the likelihood falls. The first steps are made with more noise than there is, to get
out of bad starts.

References
----------
Dempster, Laird & Rubin (1977). J. R. Stat. Soc. B 39(1), 1-38.
Varadhan & Roland (2008). Simple and globally convergent methods for accelerating the convergence of
any EM algorithm. Scand. J. Stat. 35(2), 335-353.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unmix.denoise import Whitening
from unmix.posterior.faces import Faces, Posterior, faces_of, posterior
from unmix.posterior.surfaces import Surface

__all__ = ["Fit", "abundances_of", "fit", "misfit"]

Array = NDArray[np.float64]

_HEAT = 4.0  # least variance of the noise in the first step, in units of what it is
_COOLING = 0.8  # of the variance is left a step later, until it is what it is
_FLOOR = 1e-5  # least share of a face
_LONGEST = 30.0  # extrapolated steps are at most so many times a step
_STRIDE = 0.15  # largest change of a constant in a step, in units of its prior's spread


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
    """

    vertices: Array
    surface: Surface
    log_shares: Array
    log_likelihood: float
    n_iter: int
    mean: Array
    history: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _State:
    V: Array
    surface: Surface
    log_shares: Array
    mean: Array

    def vector(self, white: Whitening) -> Array:
        return np.concatenate([white.coordinates(self.V).ravel(), self.surface.theta])

    def moved(self, x: Array, white: Whitening) -> _State:
        n = len(self.V) * white.axes.shape[1]
        V = white.spectra(x[:n].reshape(len(self.V), -1))
        return replace(self, V=V, surface=self.surface.moved(x[n:]))


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
    faces = faces_of(len(V))
    noise = np.ones(len(Y)) if noise is None else noise
    zero = np.zeros((1, Y.shape[1]))
    found = posterior(Y, white.coordinates(V)[None], zero, faces, log_shares, noise)
    if not len(surface.theta):
        return found
    for _ in range(n_steps):
        found = _expect(Y, white, _State(V, surface, log_shares, found.mean), faces, noise)
    return found


def fit(
    Y: Array,
    white: Whitening,
    start: Array,
    surface: Surface,
    *,
    noise: Array | None = None,
    max_iter: int = 100,
    tol: float = 0.5,
    fixed: bool = False,
    progress: Callable[[float], None] | None = None,
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
    tol : float
        Ends when six steps have changed the log-likelihood by less.
    fixed : bool
        The endmembers are known, `start` are their vertices: constants and shares are fitted.

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
    faces = faces_of(len(start))
    shares = np.full(len(faces.sizes), -np.log(len(faces.sizes)))
    noise = np.ones(len(Y)) if noise is None else noise
    J = white.coordinates(start)[None]
    mean = posterior(Y, J, np.zeros((1, Y.shape[1])), faces, shares, _HEAT * noise).mean
    state = _State(np.array(start, np.float64), surface, shares, mean)
    history: list[float] = []
    trail: list[Array] = []  # where two plain steps in a row began
    safe: tuple[_State, float] | None = None  # where to go back to if the extrapolation fails
    heat = max(_HEAT, misfit(Y, white, state.V, surface, mean, noise))
    warm = int(np.ceil(np.log(heat) / -np.log(_COOLING)))
    for step in range(warm + max_iter):
        variance = max(1.0, heat * _COOLING**step)
        found = _expect(Y, white, state, faces, variance * noise)
        if not np.isfinite(found.log_likelihood):
            raise FloatingPointError("the likelihood is not finite")
        if safe is not None and found.log_likelihood < safe[1] - 1:
            state, safe, trail = safe[0], None, []
            continue
        safe = None
        history.append(found.log_likelihood)
        state = replace(state, mean=found.mean, log_shares=_shares(found))
        before = state.vector(white)
        state = _maximise(Y, white, state, faces, found, variance * noise, fixed)
        if step >= warm:
            after = state.vector(white)
            trail.append(before)
            if len(trail) == 2 and not fixed:
                state_ahead = state.moved(_extrapolate(trail[0], trail[1], after), white)
                safe, state, trail = (state, found.log_likelihood), state_ahead, []
            if len(history) > warm + 6 and abs(history[-1] - history[-7]) < tol:
                break
        if progress is not None:
            progress((step + 1) / (warm + max_iter))
    if safe is not None:
        state = safe[0]
    found = _expect(Y, white, state, faces, noise)
    return Fit(
        state.V, state.surface, _shares(found), found.log_likelihood, len(history), found.mean,
        (*history, found.log_likelihood),
    )  # fmt: skip


def _expect(Y: Array, white: Whitening, state: _State, faces: Faces, noise: Array) -> Posterior:
    """The E-step, linearised at the state's abundances."""
    J = state.surface.slopes(state.mean, state.V, white)
    if not np.isfinite(J).all():
        raise FloatingPointError("the spectra of the members are not finite")
    offset = np.zeros((1, Y.shape[1]))
    if len(J) > 1:
        at = state.surface.at(state.mean, state.V, white)
        offset = at - np.einsum("nk,nkd->nd", state.mean, J)
    return posterior(Y, J, offset, faces, state.log_shares, noise)


def misfit(Y: Array, white: Whitening, V: Array, surface: Surface, A: Array, noise: Array) -> float:
    """Mean square of what abundances A leave unexplained, in units of the noise."""
    rest = ((Y - surface.at(A, V, white)) ** 2).mean(axis=1)
    return float((rest / noise).mean())


def _shares(found: Posterior) -> Array:
    shares = found.shares + _FLOOR
    out: Array = np.log(shares / shares.sum())
    return out


def _maximise(
    Y: Array,
    white: Whitening,
    state: _State,
    faces: Faces,
    found: Posterior,
    noise: Array,
    fixed: bool,
) -> _State:
    """The M-step."""
    M, Q, surface = found.mean, found.second, state.surface
    V = state.V
    known = surface.endmembers(V) if fixed else None
    if known is None:
        at = white.coordinates(V)
        ridge = 1e-7 * np.trace(Q) * np.eye(len(Q))
        weighted = M.T / noise
        rest = weighted @ (Y - surface.at(M, V, white)) - (Q - weighted @ M) @ at
        V = white.spectra(at + np.linalg.solve(Q + ridge, rest))
    if len(surface.theta):
        theta = surface.theta
        base = surface.at(M, V, white)
        tiny = 1e-3 * surface.sd
        moves = np.diag(np.where(theta + tiny > surface.high, -tiny, tiny))
        slopes = [(surface.moved(theta + m).at(M, V, white) - base) / m.sum() for m in moves]
        R, *G = _across(state.surface.slopes(M, V, white), faces, found.face, [Y - base, *slopes])
        scale = 1 / np.sqrt(noise)[:, None]
        wide = np.array([(g * scale).ravel() for g in G])
        H = wide @ wide.T + np.diag(1 / surface.sd**2)
        pull = wide @ (R * scale).ravel() + (surface.centre - theta) / surface.sd**2
        step = np.linalg.solve(H + 0.02 * np.diag(np.diag(H)), pull)
        surface = surface.moved(theta + np.clip(step, -_STRIDE, _STRIDE) * surface.sd.clip(max=1))
        if known is not None:
            V = surface.vertices(known)
    return replace(state, V=V, surface=surface)


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


def _extrapolate(x0: Array, x1: Array, x2: Array) -> Array:
    """x0 − 2αr + α²v with r = x1 − x0, v = x2 − 2x1 + x0, α = −‖r‖/‖v‖, from −1 down."""
    r = x1 - x0
    v = x2 - x1 - r
    ratio = float(np.linalg.norm(r)) / max(float(np.linalg.norm(v)), 1e-12)
    alpha = -min(max(ratio, 1.0), _LONGEST)
    out: Array = x0 - 2 * alpha * r + alpha**2 * v
    return out
