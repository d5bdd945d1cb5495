"""What a fit works on, and where it is: pixels, vertices, constants, shares of faces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unmix.denoise import Whitening
from unmix.posterior.faces import Faces, Posterior, posterior
from unmix.posterior.surfaces import Surface

__all__ = ["Scene", "State", "logarithm"]

Array = NDArray[np.float64]

_FLOOR = 1e-5  # least share of a face
_LARGEST = 2.0  # largest change of a log-share in a step


@dataclass(frozen=True, eq=False)
class State:
    """Vertices, surface and shares, and the posterior of the abundances they were last given."""

    V: Array
    surface: Surface
    log_shares: Array
    mean: Array
    covariance: Array


@dataclass(frozen=True, eq=False)
class Scene:
    """What does not change in a fit; of the `known` endmembers (member, band) those `held` stay."""

    Y: Array
    white: Whitening
    faces: Faces
    noise: Array
    known: Array
    held: NDArray[np.bool_]

    def hold(self, V: Array, surface: Surface) -> Array:
        """Vertices V with those of the held endmembers on this surface."""
        if not self.held.any():
            return V
        return np.where(self.held[:, None], surface.vertices(self.known), V)

    def expect(self, state: State, heat: float = 1.0, among: Array | None = None) -> Posterior:
        """The posterior, linearised at the state's abundances."""
        J = state.surface.slopes(state.mean, state.V, self.white)
        if not np.isfinite(J).all():
            raise FloatingPointError("the spectra of the members are not finite")
        offset = np.zeros((1, self.Y.shape[1]))
        if len(state.surface.theta):
            at = state.surface.at(state.mean, state.V, self.white, state.covariance)
            offset = at - np.einsum("nk,nkd->nd", state.mean, J)
        noise = self.noise if heat == 1 else heat * self.noise
        found = posterior(self.Y, J, offset, self.faces, state.log_shares, noise, among)
        highest = -0.5 * self.Y.shape[1] * np.log(2 * np.pi * noise).sum()
        if not found.log_likelihood <= highest + 1:  # nor NaN
            raise FloatingPointError("the likelihood is not finite")
        return found

    def moved(self, state: State, step: Array) -> State:
        """The state a step of the vertices' coordinates, constants and log-shares further."""
        n, m = state.V.shape[0] * self.Y.shape[1], len(state.surface.theta)
        surface = state.surface.moved(state.surface.theta + step[n : n + m])
        shares = np.exp(state.log_shares + np.clip(step[n + m :], -_LARGEST, _LARGEST))
        state = replace(state, log_shares=logarithm(shares / shares.sum()))
        z = self.white.coordinates(state.V) + step[:n].reshape(len(state.V), -1)
        return replace(state, V=self.hold(self.white.spectra(z), surface), surface=surface)

    def settled(self, state: State, among: Array | None = None) -> tuple[State, Posterior]:
        """The posterior linearised where it is itself, nearly."""
        found = self.expect(state, among=among)
        if len(state.surface.theta):
            state = replace(state, mean=found.mean, covariance=found.covariance)
            found = self.expect(state, among=found.on)
        return replace(state, mean=found.mean, covariance=found.covariance), found


def logarithm(shares: Array) -> Array:
    """Log of shares, none of which is zero."""
    shares = shares + _FLOOR
    out: Array = np.log(shares / shares.sum())
    return out
