"""Pixels in the K − 1 coordinates in which a linear mixture of K endmembers fills a simplex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.extract.reduce import Moments, Subspace

__all__ = ["Hyperplane"]

Array = NDArray[np.float64]

_DIM = 1e-3  # uᵀz below this share of uᵀu: a pixel without a direction
_FLAT = 1e-7  # of the pixels' size: a coordinate below it is rounding (the root of that of squares)


@dataclass(frozen=True, eq=False)
class Hyperplane:
    """The pixels on the hyperplane that their mixtures span.

    Volumes are compared and facets found there; neither depends on the coordinates' scale, so
    these have mean 0 and covariance I.

    Parameters
    ----------
    points : ndarray, shape (K − 1, pixel)
        One row a coordinate, so that a pass over the pixels runs in vector registers.
    rows : ndarray, shape (pixel,)
        The pixel of X that a point is. Those without a direction are left out.
    noise : float
        Standard deviation a coordinate would have for what the subspace leaves of the pixels, were
        it white, before the coordinates were given covariance I.
    """

    points: Array
    rows: NDArray[np.intp]
    noise: float
    _space: Subspace
    _origin: Array  # in the subspace's coordinates
    _axes: Array  # (K − 1, component): a unit of each coordinate
    _back: Array  # (component, K − 1): the inverse on the hyperplane

    @classmethod
    def of(
        cls, X: NDArray[np.floating], n: int, *, projective: bool = False, seed: int = 0
    ) -> Hyperplane:
        """Of the pixels X (pixel, band), for n members.

        K − 1 principal components; or, `projective`, K singular vectors and z / (uᵀz), u the
        mean, which takes a pixel's brightness out and leaves mixtures in a simplex.

        Raises
        ------
        InputError
            NaN or infinite values; pixels that span less than K − 1 dimensions.

        >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
        >>> plane = Hyperplane.of(np.random.default_rng(0).dirichlet(np.ones(3), 50) @ E, 3)
        >>> plane.points.shape, bool(np.allclose(np.cov(plane.points, bias=True), np.eye(2)))
        ((2, 50), True)
        """
        moments = Moments.of(X, seed)
        space = moments.subspace(n if projective else n - 1, affine=not projective)
        z = space.coordinates(X).astype(np.float64)
        if not np.isfinite(z.sum()):
            raise InputError("X: contains NaN or inf; mask those pixels first")
        lost = max(space.power - space.kept, 0.0) / max(X.shape[1] - n + 1, 1)
        rows, noise = np.arange(len(z)), float(np.sqrt(lost))
        if projective:
            u = z.mean(axis=0)
            length = z @ u
            rows = np.flatnonzero(length > _DIM * (u @ u))
            z, length = z[rows] / length[rows, None], length[rows]
            noise *= float(np.sqrt(np.mean(length**-2))) if len(rows) else 1.0
        if len(rows) < n:
            raise InputError(f"X: {len(rows)} pixels are not dark, fewer than {n} members")
        return cls._whitened(z, rows, noise, space, n, float(np.finfo(X.dtype).eps))

    @classmethod
    def _whitened(
        cls, z: Array, rows: NDArray[np.intp], noise: float, space: Subspace, n: int, eps: float
    ) -> Hyperplane:
        origin = z.mean(axis=0)
        centred = z - origin
        values, vectors = np.linalg.eigh(centred.T @ centred / len(z))
        values, vectors = values[::-1][: n - 1], vectors[:, ::-1][:, : n - 1]
        size = float(origin @ origin + values.sum() + space.mean @ space.mean)
        spanned = int((values > max(4 * eps, _FLAT) ** 2 * size).sum())
        if spanned < n - 1:
            raise InputError(
                f"X: the pixels span {spanned} dimensions and {n} endmembers need {n - 1}; "
                f"give at most {spanned + 1} endmembers"
            )
        scale = np.sqrt(values)
        points = np.ascontiguousarray((centred @ (vectors / scale)).T)
        return cls(points, rows, noise, space, origin, (vectors * scale).T, vectors / scale)

    def spectra(self, points: Array) -> Array:
        """Spectra (member, band) of points (member, K − 1)."""
        return self._space.spectra(self._origin + points @ self._axes)

    def pixels(self, X: NDArray[np.floating], picks: NDArray[np.intp]) -> Array:
        """Spectra (member, band) of picked points as pixels of X, projected on the subspace."""
        return self._space.spectra(self._space.coordinates(X[self.rows[picks]]))

    def noise_along(self, normals: Array) -> Array:
        """Standard deviation (facet,) that the noise has in pᵀx, `normals` p (facet, K − 1)."""
        return self.noise * np.asarray(np.linalg.norm(normals @ self._back.T, axis=1))
