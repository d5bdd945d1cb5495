r"""Mixing surfaces: where mixtures of given members lie, with few constants for the whole scene.

Every surface is written with the *vertices* v_k, what a pure pixel looks like:

    linear          x = Σ a_k v_k
    bilinear        x = Σ a_k v_k +
                        Σ_{i<j} (β_ij + β_ji) a_i a_j e_i e_j + Σ_i β_ii (a_i² − a_i) e_i²
    post-nonlinear  x = (Σ a_k e_k)^γ

e_k are the endmembers: v_k itself, the root of v = e + β_kk e² where a material is scattered by
itself too (the publication's double sum), v^(1/γ). Products and powers are by band.

References
----------
Heylen, Parente & Gader (2014). A review of nonlinear hyperspectral unmixing methods. IEEE J. Sel.
Topics Appl. Earth Obs. Remote Sens. 7(6), 1844-1868.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from unmix.denoise import Whitening

__all__ = [
    "SURFACES",
    "Bilinear",
    "Linear",
    "PostNonlinear",
    "Surface",
    "most_components",
    "surface_of",
]

Array = NDArray[np.float64]
_SMALLEST = 1e-6  # of the brightest vertex: powers are taken of what is above it


class Surface:
    """A mixing surface with its constants `theta`; the base is the linear one.

    `centre` and `sd` are the Gaussian prior of the constants, `low` and `high` their range.
    """

    name = "linear"

    def __init__(self, theta: Sequence[float] | Array = ()) -> None:
        self.theta: Array = np.array(theta, np.float64)
        self.centre = self.sd = self.low = self.high = np.zeros(len(self.theta))

    def moved(self, theta: Array) -> Self:
        """The same surface with other constants, kept in range."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.theta = np.clip(theta, self.low, self.high)
        return other

    def endmembers(self, V: Array) -> Array:
        """Endmembers e (member, band) of vertices."""
        return V

    def vertices(self, E: Array) -> Array:
        """Vertices (member, band) of endmembers."""
        return E

    def mix(self, A: NDArray[np.floating], V: Array) -> Array:
        """Spectra (pixel, band) of abundances (pixel, member)."""
        out: Array = A @ V
        return out

    def at(self, A: Array, V: Array, white: Whitening, C: Array | None = None) -> Array:
        """Coordinates (pixel, component) of mixtures, their mean if C is the covariance of A."""
        return A @ white.coordinates(V)

    def slopes(self, A: Array, V: Array, white: Whitening) -> Array:
        """∂/∂a of the coordinates (1 or pixel, member, component), up to a shift of all members."""
        return white.coordinates(V)[None]

    def scores(self, A: Array, V: Array, white: Whitening, R: Array, H: Array, C: Array) -> Array:
        """∂/∂(V, θ) of Σ_d f_d(a) R_d − Σ_kd J_kd(a) H_kd, pixel by pixel, at constant R and H.

        Parameters
        ----------
        A : ndarray, shape (pixel, member)
        C : ndarray, shape (pixel, member, member)
            Mean and covariance of the abundances; f is the mean over them.
        R : ndarray, shape (pixel, component)
        H : ndarray, shape (pixel, member, component)

        Returns
        -------
        ndarray, shape (pixel, member × component + constant)
            By the coordinates of the vertices, member by member, then by the constants.
        """
        out: Array = A[:, :, None] * R[:, None, :] - H
        return out.reshape(len(A), -1)


class Linear(Surface):
    """x = Σ a_k v_k."""


class PostNonlinear(Surface):
    """x = (Σ a_k e_k)^γ; γ is near 1 a priori (0.3 is a standard deviation)."""

    name = "post-nonlinear"

    def __init__(self, theta: Sequence[float] | Array = (0.95,)) -> None:
        super().__init__(theta)
        self.centre, self.sd = np.ones(1), np.full(1, 0.3)
        self.low, self.high = np.full(1, 0.4), np.full(1, 1.8)

    def endmembers(self, V: Array) -> Array:  # noqa: D102
        out: Array = np.maximum(V, _SMALLEST * V.max()) ** (1 / self.theta[0])
        return out

    def vertices(self, E: Array) -> Array:  # noqa: D102
        out: Array = np.maximum(E, _SMALLEST * E.max()) ** self.theta[0]
        return out

    def mix(self, A: NDArray[np.floating], V: Array) -> Array:  # noqa: D102
        out: Array = (np.maximum(A, 0) @ self.endmembers(V)) ** self.theta[0]
        return out

    def at(  # noqa: D102
        self, A: Array, V: Array, white: Whitening, C: Array | None = None
    ) -> Array:
        if C is None:
            return white.coordinates(self.mix(A, V))
        e, gamma = self.endmembers(V), float(self.theta[0])
        u = np.maximum(A, 0) @ e
        spread = ((C @ e) * e).sum(axis=1)
        return white.coordinates(u**gamma * (1 + gamma * (gamma - 1) / 2 * spread / u**2))

    def slopes(self, A: Array, V: Array, white: Whitening) -> Array:  # noqa: D102
        e, gamma = self.endmembers(V), self.theta[0]
        steep = gamma * (np.maximum(A, 0) @ e) ** (gamma - 1)
        return np.stack([white.directions(steep * spectrum) for spectrum in e], axis=1)

    def scores(  # noqa: D102
        self, A: Array, V: Array, white: Whitening, R: Array, H: Array, C: Array
    ) -> Array:
        e, gamma = self.endmembers(V), float(self.theta[0])
        v = np.maximum(V, _SMALLEST * V.max())
        u = np.maximum(A, 0) @ e
        there = white.axes / (white.sigma[:, None] * white.left)
        back = white.axes * white.left * white.sigma[:, None]
        r = R @ there.T
        h = [H[:, k] @ there.T for k in range(len(e))]
        along = sum(part * spectrum for part, spectrum in zip(h, e, strict=True))
        steep = gamma * u ** (gamma - 1)
        bent = (gamma - 1) * along / u
        parts = []
        for k, spectrum in enumerate(e):
            inner = spectrum / (gamma * v[k])  # ∂e/∂v
            pull = steep * (A[:, k, None] * (r - bent) - h[k])
            parts.append(pull @ (inner[:, None] * back))
        moved = -e * np.log(v) / gamma**2  # ∂e/∂γ
        log = np.log(u)
        by_u = r * steep - steep * bent  # what ∂u/∂γ = Σ a ∂e is multiplied by
        by_gamma = (r * u**gamma * log - (1 / gamma + log) * steep * along).sum(axis=1)
        by_gamma += (by_u * (A @ moved)).sum(axis=1)
        by_gamma -= sum((steep * part * m).sum(axis=1) for part, m in zip(h, moved, strict=True))
        return np.column_stack([*parts, by_gamma])


class Bilinear(Surface):
    """Σ a e + Σ_ij β_ij a_i a_j e_i e_j; `theta` has β_ij + β_ji for i < j and β_ii, row by row."""

    name = "bilinear"

    def __init__(self, n_members: int, theta: Sequence[float] | Array | None = None) -> None:
        self.first, self.second = np.triu_indices(n_members)
        size = np.where(self.first == self.second, 1.0, 2.0)
        super().__init__(0.2 * size if theta is None else theta)
        self.centre, self.sd = 0.5 * size, 0.5 * size
        self.low, self.high = 0.0 * size, 1.5 * size

    def endmembers(self, V: Array) -> Array:  # noqa: D102
        own = self.theta[self.first == self.second][:, None]
        v = np.maximum(V, 0)
        root = (np.sqrt(1 + 4 * own * v) - 1) / (2 * np.maximum(own, 1e-12))
        return np.where(own > 1e-6, root, V)

    def vertices(self, E: Array) -> Array:  # noqa: D102
        own = self.theta[self.first == self.second][:, None]
        return E + own * E**2

    def _interactions(self, V: Array) -> Array:
        """β e_i e_j (pair, band)."""
        e = self.endmembers(V)
        out: Array = self.theta[:, None] * e[self.first] * e[self.second]
        return out

    def _products(self, A: NDArray[np.floating], C: Array | None = None) -> Array:
        """E[a_i a_j], and E[a_i² − a_i] (pixel, pair)."""
        out: Array = A[:, self.first] * A[:, self.second]
        if C is not None:
            out += C[:, self.first, self.second]
        same = self.first == self.second
        out[:, same] -= A[:, self.first[same]]
        return out

    def mix(self, A: NDArray[np.floating], V: Array) -> Array:  # noqa: D102
        out: Array = A @ V + self._products(A) @ self._interactions(V)
        return out

    def at(  # noqa: D102
        self, A: Array, V: Array, white: Whitening, C: Array | None = None
    ) -> Array:
        pairs = white.directions(self._interactions(V))
        return A @ white.coordinates(V) + self._products(A, C) @ pairs

    def slopes(self, A: Array, V: Array, white: Whitening) -> Array:  # noqa: D102
        pairs = white.directions(self._interactions(V))
        J = np.repeat(white.coordinates(V)[None], len(A), axis=0)
        for i, j, pair in zip(self.first, self.second, pairs, strict=True):
            if i == j:
                J[:, i] += (2 * A[:, i, None] - 1) * pair
            else:
                J[:, i] += A[:, j, None] * pair
                J[:, j] += A[:, i, None] * pair
        return J

    def _table(self, z: Array, white: Whitening) -> Array:
        """Coordinates of what abundances and their products multiply: (member + pair, component).

        `z` are coordinates of the vertices and the constants, in a row.
        """
        n = int(self.first[-1]) + 1
        at = z[: -len(self.theta)].reshape(n, -1)
        V = white.spectra(at)
        bent = self.moved(z[-len(self.theta) :])
        return np.concatenate([at, white.directions(bent._interactions(V))])

    def scores(  # noqa: D102
        self, A: Array, V: Array, white: Whitening, R: Array, H: Array, C: Array
    ) -> Array:
        by_products = self._products(A, C)[:, :, None] * R[:, None, :]
        for p, (i, j) in enumerate(np.column_stack([self.first, self.second]).tolist()):
            if i == j:
                by_products[:, p] -= (2 * A[:, i, None] - 1) * H[:, i]
            else:
                by_products[:, p] -= A[:, j, None] * H[:, i] + A[:, i, None] * H[:, j]
        by_members = A[:, :, None] * R[:, None, :] - H
        by_table = np.concatenate([by_members, by_products], axis=1).reshape(len(A), -1)
        z = np.concatenate([white.coordinates(V).ravel(), self.theta])
        base = self._table(z, white)
        slopes = np.empty((len(z), base.size))
        for i in range(len(z)):
            step = 1e-4 * max(abs(z[i]), 1e-2)
            if (
                i >= len(z) - len(self.theta)
                and self.theta[i - len(z)] + step > self.high[i - len(z)]
            ):
                step = -step
            ahead = z.copy()
            ahead[i] += step
            slopes[i] = ((self._table(ahead, white) - base) / step).ravel()
        out: Array = by_table @ slopes.T
        return out


SURFACES = ("linear", "bilinear", "post-nonlinear")


def most_components(n_members: int) -> int:
    """Components that any of the surfaces can be expected to fill, and half as many again.

    >>> most_components(4)
    21
    """
    return 3 * (n_members + n_members * (n_members + 1) // 2) // 2


def surface_of(name: str, n_members: int, theta: Sequence[float] | Array | None = None) -> Surface:
    """The surface of a name, with constants or at its start.

    >>> V = np.array([[0.2, 0.4], [0.6, 0.8]])
    >>> surface_of("bilinear", 2, [0, 1, 0]).mix(np.array([[0.5, 0.5]]), V).round(3)
    array([[0.43, 0.68]])
    >>> surface_of("post-nonlinear", 2, [0.5]).mix(np.eye(2), V).round(3)
    array([[0.2, 0.4],
           [0.6, 0.8]])
    """
    if name == "linear":
        return Linear()
    if name == "post-nonlinear":
        return PostNonlinear() if theta is None else PostNonlinear(theta)
    return Bilinear(n_members, theta)
