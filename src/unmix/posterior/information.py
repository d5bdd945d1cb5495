"""Slope and information of a likelihood by vertices, constants and shares, as `fit` has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unmix.posterior.faces import Posterior
from unmix.posterior.state import Scene, State

__all__ = ["covariance_at", "information_at"]

Array = NDArray[np.float64]

_TINY = 0.003  # change of a constant that its slope is taken over
_FEW = 300  # pixels that slope is taken on


def information_at(scene: Scene, state: State, found: Posterior) -> tuple[Array, Array]:
    """Slope of the log-posterior by vertices, constants and log-shares, and its information."""
    surface, V, white = state.surface, state.V, scene.white
    weight = 1 / scene.noise[:, None]
    R = (scene.Y - surface.at(found.mean, V, white, found.covariance)) * weight
    J = surface.slopes(found.mean, V, white)
    H = (found.covariance @ J) * weight[:, None]
    S = surface.scores(found.mean, V, white, R, H, found.covariance)
    theta = surface.theta
    n, m = S.shape[1] - len(theta), len(theta)
    if scene.held.any():
        still = np.flatnonzero(np.repeat(scene.held, n // len(V)))
        S[:, n:] += S[:, still] @ _chain(scene, state, scene.known)[:, still].T
        S[:, still] = 0
    S = np.concatenate([S, found.on - np.exp(state.log_shares)], axis=1)
    slope, information = S.sum(axis=0), S.T @ S
    if m:
        part = slice(None, None, max(1, len(S) // _FEW))
        more = _total(scene, state, part) - S[part, n : n + m].sum(axis=0)
        slope[n : n + m] += more * (len(S) / len(S[part]))
    slope[n : n + m] += (surface.centre - theta) / surface.sd**2
    ridge = np.full(len(slope), 1e-9 * np.diag(information).max())
    ridge[n : n + m] += 1 / surface.sd**2
    ridge[n + m :] += 1.0
    information += np.diag(ridge)
    stuck = np.zeros(len(slope), bool)  # constants at the end of their range, drawn outwards
    pull = slope[n : n + m]
    stuck[n : n + m] = ((theta <= surface.low) & (pull < 0)) | (
        (theta >= surface.high) & (pull > 0)
    )
    alone = np.diag(information)[stuck]
    information[stuck] = information[:, stuck] = 0
    information[stuck, stuck] = alone
    slope[stuck] = 0
    return slope, information


def covariance_at(scene: Scene, state: State, found: Posterior) -> Array:
    """Of vertices and constants, whatever the shares."""
    information = information_at(scene, state, found)[1]
    n = state.V.shape[0] * scene.Y.shape[1]
    free = np.ones(len(information), bool)
    free[:n] = np.repeat(~scene.held, scene.Y.shape[1])
    out = np.zeros_like(information)
    out[np.ix_(free, free)] = np.linalg.pinv(information[np.ix_(free, free)], hermitian=True)
    n += len(state.surface.theta)
    return out[:n, :n]


def _total(scene: Scene, state: State, part: slice) -> Array:
    """Slope of a part's log-likelihood by the constants, with all that moves with them."""
    few = replace(scene, Y=scene.Y[part], noise=scene.noise[part])
    here = replace(state, mean=state.mean[part], covariance=state.covariance[part])
    here, base = few.settled(here)
    theta, n = state.surface.theta, state.V.shape[0] * scene.Y.shape[1]
    move, out = np.zeros(n + len(theta) + len(state.log_shares)), np.empty(len(theta))
    for i, last in enumerate(theta + _TINY > state.surface.high):
        tiny = -_TINY if last else _TINY
        move[n + i] = tiny
        _, there = few.settled(few.moved(here, move), base.on)
        move[n + i] = 0
        out[i] = (there.log_likelihood - base.log_likelihood) / tiny
    return out


def _chain(scene: Scene, state: State, known: Array) -> Array:
    """Slope of the vertices' coordinates by the constants, endmembers being known."""
    surface, base = state.surface, scene.white.coordinates(state.V).ravel()
    out = np.zeros((len(surface.theta), base.size))
    for i, last in enumerate(surface.theta + 1e-4 > surface.high):
        move = np.zeros(len(out))
        move[i] = -1e-4 if last else 1e-4
        V = surface.moved(surface.theta + move).vertices(known)
        out[i] = (scene.white.coordinates(V).ravel() - base) / move[i]
    return out
