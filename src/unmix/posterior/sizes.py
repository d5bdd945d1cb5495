r"""Sizes of endmembers where brightness varies, which no pixel's spectrum can tell.

Shares b of members of equal size, seen at brightness t, are abundances a_k ∝ b_k / c_k of members
of sizes c at brightness s = Σ_k t b_k / c_k. Slopes and shadows know nothing of the materials:
taken are the sizes with which log s has least structure, by Whittle's likelihood

    Σ_f ln P(f) + |G(f)|² / P(f),    G the cosine transform of log s,

P the mean of |G|² over rings of like frequency, so that neighbours are compared where brightness
changes slowly and the whole image where it does not. Only rings in which the shares have thirty
times the power of their noise count: that noise is not independent of the noise of brightness.
Gauss-Newton steps in q = log c, expected to be around 0 with standard deviation 1.

References
----------
Whittle (1954). On stationary processes in the plane. Biometrika 41, 434-449.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from unmix.extract.reduce import sample_rows
from unmix.posterior.fit import Fit, abundances_of
from unmix.posterior.observe import Lens, View

__all__ = ["conditional_covariance", "least_structure", "sizes"]

Array = NDArray[np.float64]

_PIXELS = 100_000  # of an image, which is thinned to them
_SCATTERED = 8000  # pixels that have no neighbours
_RINGS = 24  # of frequencies
_CLEAR = 30.0  # power of the shares in a ring that counts, in units of that of their noise
_SETTLING = 5  # steps after which the rings that count stay the same
_STEPS = 30
_LONGEST = 0.5  # step in log c


def sizes(
    lens: Lens, view: View, by: Fit, image: tuple[int, int] | None, seed: int
) -> tuple[Array, Array]:
    """Sizes (member,) of a fit's members, median 1, and the covariance of their logarithms."""
    if image is None or min(image) < 2:
        rows = np.arange(len(view.Y))[sample_rows(len(view.Y), _SCATTERED, seed)]
        shape = None
    else:
        stride = int(np.ceil(np.sqrt(len(view.Y) / _PIXELS)))
        grid = np.arange(len(view.Y)).reshape(image)[::stride, ::stride]
        rows, shape = grid.ravel(), grid.shape
    found = abundances_of(
        view.Y[rows], lens.white, by.vertices, by.surface, by.log_shares, view.noise[rows]
    )
    noise = float(np.trace(found.covariance, axis1=1, axis2=2).mean())
    return least_structure(found.mean, view.brightness[rows], shape, noise)


@dataclass(frozen=True)
class _Waves:
    """Orthogonal combinations of an image's pixels, sorted into rings of like frequency."""

    image: tuple[int, int] | None
    ring: NDArray[np.intp]

    def of(self, values: Array) -> Array:
        """Coefficients (wave, column) of values (pixel, column), without their means."""
        if self.image is None:
            return values - values.mean(axis=0)
        cube = values.reshape(*self.image, -1)
        out: Array = dctn(cube, axes=(0, 1), norm="ortho").reshape(values.shape)[1:]
        return out

    def power(self, square: Array) -> Array:
        """Mean (wave,) over its ring of each wave's square."""
        mean = np.bincount(self.ring, square) / np.maximum(np.bincount(self.ring), 1)
        out: Array = mean[self.ring]
        return out


def _waves(n: int, image: tuple[int, int] | None) -> _Waves:
    if image is None:
        return _Waves(None, np.zeros(n, np.intp))
    axes = (np.arange(side) / (2 * side) for side in image)  # cycles per pixel
    f = np.hypot(*np.meshgrid(*axes, indexing="ij")).ravel()[1:]
    return _Waves(image, np.digitize(f, np.geomspace(0.75 / max(image), 0.5, _RINGS)))


def least_structure(
    b: Array, brightness: Array, image: tuple[int, int] | None = None, noise: float = 0.0
) -> tuple[Array, Array]:
    """Sizes c (member,), median 1, and the covariance (member, member) of log c.

    Parameters
    ----------
    b : ndarray, shape (pixel, member)
    brightness : ndarray, shape (pixel,)
        t.
    image : (rows, columns), optional
        The pixels are an image in row-major order; else log s varies least over all of them.
    noise : float
        Variance of b, summed over members.

    >>> rng = np.random.default_rng(0)
    >>> a, c = rng.dirichlet(np.ones(3), 500), np.array([0.5, 1.0, 2.0])
    >>> b = a * c / (a * c).sum(axis=1, keepdims=True)
    >>> least_structure(b, rng.uniform(0.9, 1.1, 500) * (a * c).sum(axis=1))[0].round(1)
    array([0.5, 1. , 2. ])
    """
    tb = np.maximum(b * brightness[:, None], 1e-9)
    waves = _waves(len(tb), image)
    n = tb.shape[1]
    contrasts = np.linalg.svd(np.ones((1, n)))[2][1:]  # (n − 1, member): a common factor is free
    q = np.zeros(n)
    for step in range(_STEPS):
        w = tb * np.exp(-q)
        s = w.sum(axis=1, keepdims=True)
        G = waves.of(np.hstack([np.log(s), -w / s]))
        D, g = G[:, 1:] @ contrasts.T, G[:, 0]
        if step < _SETTLING:
            clear = waves.power((D**2).sum(axis=1)) > _CLEAR * noise
            clear |= not clear.any()
        weight = clear / np.maximum(waves.power(g**2), 1e-12)
        H = (D * weight[:, None]).T @ D + np.eye(n - 1)
        change = -contrasts.T @ np.linalg.solve(H, D.T @ (weight * g) + contrasts @ q)
        q += change * min(1, _LONGEST / max(np.abs(change).max(), 1e-12))
        if np.abs(change).max() < 1e-5:
            break
    covariance: Array = contrasts.T @ np.linalg.solve(H, contrasts)
    c = np.exp(q)
    return c / np.median(c), covariance


def conditional_covariance(covariance: Array, known: NDArray[np.bool_]) -> Array:
    """Covariance of Gaussian variables some of which are known: C_uu − C_uk C_kk⁻¹ C_ku, else 0.

    >>> C = np.array([[2.0, 1.0], [1.0, 1.0]])
    >>> conditional_covariance(C, np.array([False, True])).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    out = np.zeros_like(covariance)
    across = covariance[np.ix_(~known, known)]
    of_known = np.linalg.pinv(covariance[np.ix_(known, known)], hermitian=True)
    rest = covariance[np.ix_(~known, ~known)] - across @ of_known @ across.T
    out[np.ix_(~known, ~known)] = rest
    return out
