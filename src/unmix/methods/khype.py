"""VCA, then nonlinear unmixing with a kernel over the bands."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from unmix.methods.base import Unmixer
from unmix.methods.linear import VCAFCLS
from unmix.scaling import levelled, normalise
from unmix.solve.khype import check_kernel, khype

__all__ = ["VCAKHype"]

Pixels = NDArray[np.floating]


class KernelUnmixer(Unmixer):
    """Endmembers by VCA unless given, abundances by `_solve`; reflectance 1 is their largest value.

    The kernels are absolute, so pixels and endmembers are seen in units of `unit_`, the largest
    value of the endmembers (at the brightness of the scale mode). What the kernel explains belongs
    to a pixel and not to its abundances: `inverse_transform` gives the linear part A E.
    """

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        kernel: str = "gaussian",
        sigma: float = 2.0,
        mu: float = 1e-2,
    ) -> None:
        self.n_endmembers = n_endmembers
        self.endmembers = endmembers
        self.scale = scale
        self.seed = seed
        self.kernel = kernel
        self.sigma = sigma
        self.mu = mu

    @abstractmethod
    def _solve(self, X: Pixels, E: Pixels) -> Pixels:
        """Abundances (pixel, member) of levelled pixels and endmembers."""

    def fit(self, X: ArrayLike, y: Any = None) -> KernelUnmixer:
        """Extract endmembers from pixels (..., band), or take those given.

        Raises
        ------
        InputError
            A keyword that does not fit the pixels, or pixels that cannot be unmixed.
        """
        check_kernel(self.kernel, self.sigma, self.mu)
        pixels = self._check_pixels(X, reset=True)
        n, E = self._check_configuration(pixels)
        start = VCAFCLS(n, endmembers=E, scale=self.scale, seed=self.seed).fit(pixels)
        self.endmembers_ = start.endmembers_
        members, _ = normalise(self.endmembers_, self.scale)
        self.unit_ = float(np.abs(members).max())
        return self

    def transform(self, X: ArrayLike) -> Pixels:
        """Abundances (..., member) on the simplex, in X's float type."""
        check_is_fitted(self)
        pixels, _ = levelled(self._check_pixels(X, reset=False), self.endmembers_, self.scale)
        members, _ = normalise(self.endmembers_, self.scale)
        return self._like(self._solve(pixels, members), X)


class VCAKHype(KernelUnmixer):
    r"""Vertex component analysis, then K-Hype: linear mixing plus a nonlinear fluctuation.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Known spectra: nothing is extracted.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness.
    seed : int
    kernel : {"gaussian", "polynomial"}
        Similarity of two bands by what the endmembers reflect in them.
    sigma : float
        Width of the Gaussian kernel; the largest value of the endmembers counts as 1.
    mu : float
        Regularisation; the authors' C is 1/μ.

    References
    ----------
    Nascimento & Bioucas-Dias 2005; Chen, Richard & Honeine 2013.

    >>> from unmix.mixing import bilinear
    >>> E = np.vstack([np.linspace(0, 1, 60) ** 2, np.linspace(1, 0, 60), np.full(60, 0.4)])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> found = VCAKHype(endmembers=E).fit_transform(bilinear(A, E))
    >>> bool(np.sqrt(((found - A) ** 2).mean()) < 0.15)
    True
    """

    label = "VCA + K-Hype"
    reference = "Nascimento & Bioucas-Dias 2005; Chen, Richard & Honeine 2013"

    def _solve(self, X: Pixels, E: Pixels) -> Pixels:
        return khype(X, E, kernel=self.kernel, sigma=self.sigma, mu=self.mu, unit=self.unit_)
