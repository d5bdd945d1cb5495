"""VCA, then linear mixing with a nonlinear fluctuation: a kernel over the bands."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from unmix.extract.reduce import sample_rows
from unmix.methods.base import Unmixer
from unmix.methods.linear import VCAFCLS
from unmix.scaling import levelled, normalise
from unmix.solve.evidence import MUS, largest_evidence
from unmix.solve.khype import KERNELS, check_kernel, khype, khype_kkt
from unmix.solve.skhype import alternate, check_alternation, skhype

__all__ = ["VCAKHype", "VCASKHype"]

Pixels = NDArray[np.floating]
_SAMPLE = 1000  # pixels on which the solver is watched
_EXACT = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-8}  # optimality residual


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
        mu: float | str = 1e-2,
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
        kernel = "gaussian" if self.kernel == "auto" else self.kernel
        mu: Any = 1.0 if self.mu == "auto" else self.mu
        check_kernel(kernel, self.sigma, mu)
        pixels = self._check_pixels(X, reset=True)
        n, E = self._check_configuration(pixels)
        start = VCAFCLS(n, endmembers=E, scale=self.scale, seed=self.seed).fit(pixels)
        self.endmembers_ = start.endmembers_
        members, _ = normalise(self.endmembers_, self.scale)
        self.unit_ = float(np.abs(members).max())
        sample = pixels[sample_rows(len(pixels), _SAMPLE, self.seed)]
        X_sample, E_sample = self._levelled(sample)
        self._choose(X_sample, E_sample)
        self.status_ = self._watch(X_sample, E_sample)
        return self

    def _choose(self, X: Pixels, E: Pixels) -> None:
        """`kernel_` and `mu_`: as given, or those of the largest evidence."""
        self.kernel_, self.mu_ = self.kernel, self.mu
        if "auto" not in (self.kernel, self.mu):
            return
        self.kernel_, self.mu_ = largest_evidence(
            X / self.unit_,
            E / self.unit_,
            KERNELS if self.kernel == "auto" else (self.kernel,),
            self.sigma,
            MUS if self.mu == "auto" else (float(self.mu),),
        )

    @abstractmethod
    def _watch(self, X: Pixels, E: Pixels) -> str:
        """How solving ends, from a sample of levelled pixels."""

    def transform(self, X: ArrayLike) -> Pixels:
        """Abundances (..., member) on the simplex, in X's float type."""
        check_is_fitted(self)
        return self._like(self._solve(*self._levelled(self._check_pixels(X, reset=False))), X)

    def _options(self) -> dict[str, Any]:
        return {"kernel": self.kernel_, "sigma": self.sigma, "mu": self.mu_, "unit": self.unit_}

    def _levelled(self, pixels: Pixels) -> tuple[Pixels, Pixels]:
        """Pixels and endmembers at the brightness of the scale mode."""
        members, _ = normalise(self.endmembers_, self.scale)
        return levelled(pixels, self.endmembers_, self.scale)[0], members


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
    kernel : {"gaussian", "polynomial", "auto"}
        Similarity of two bands by what the endmembers reflect in them. "auto" takes that of the
        largest evidence (`unmix.solve.evidence`) on a sample of the pixels.
    sigma : float
        Width of the Gaussian kernel; the largest value of the endmembers counts as 1.
    mu : float or "auto"
        Regularisation; the authors' C is 1/μ, their value 0.01 whatever the noise. "auto" takes
        that of the largest evidence from 0.01 up, which grows with the noise.

    References
    ----------
    Nascimento & Bioucas-Dias 2005; Chen, Richard & Honeine 2013.

    >>> from unmix.mixing import bilinear
    >>> E = 0.5 + 0.4 * np.sin(np.outer([3, 5, 8], np.linspace(0, 1, 60)))
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> found = VCAKHype(endmembers=E).fit_transform(bilinear(A, E))
    >>> bool(np.sqrt(((found - A) ** 2).mean()) < 0.04)  # FCLS: 0.07
    True
    """

    label = "VCA + K-Hype"
    reference = "Nascimento & Bioucas-Dias 2005; Chen, Richard & Honeine 2013"

    def _watch(self, X: Pixels, E: Pixels) -> str:
        kkt = khype_kkt(X, E, self._solve(X, E), **self._options()).max()
        what = "Solved exactly" if kkt <= _EXACT[X.dtype] else "Not exact"
        bound = f"optimality conditions hold to {kkt:.0e}"
        return f"{what}: {bound} in {len(X)} pixels tried."

    def _solve(self, X: Pixels, E: Pixels) -> Pixels:
        return khype(X, E, **self._options())


class VCASKHype(KernelUnmixer):
    r"""Vertex component analysis, then SK-Hype: K-Hype with a weight of the linear part per pixel.

    `unmix.solve.skhype` gives that weight as well.

    Parameters
    ----------
    n_endmembers : int, optional
    endmembers : array_like, shape (member, band), optional
    scale : {"none", "l2", "max", "shade"}
    seed : int
    kernel : {"gaussian", "polynomial", "auto"}
    sigma : float
    mu : float or "auto"
        As in `VCAKHype`.
    max_iter : int
        Most updates of a pixel's weight.
    tol : float
        A smaller change of the weights ends them.

    References
    ----------
    Nascimento & Bioucas-Dias 2005; Chen, Richard & Honeine 2013.

    >>> from unmix.mixing import bilinear
    >>> E = 0.5 + 0.4 * np.sin(np.outer([3, 5, 8], np.linspace(0, 1, 60)))
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> model = VCASKHype(endmembers=E).fit(bilinear(A, E))
    >>> bool(np.sqrt(((model.transform(bilinear(A, E)) - A) ** 2).mean()) < 0.04)  # FCLS: 0.07
    True
    """

    label = "VCA + SK-Hype"
    reference = "Nascimento & Bioucas-Dias 2005; Chen, Richard & Honeine 2013"

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        kernel: str = "gaussian",
        sigma: float = 2.0,
        mu: float | str = 1e-2,
        max_iter: int = 15,
        tol: float = 1e-4,
    ) -> None:
        super().__init__(
            n_endmembers, endmembers=endmembers, scale=scale, seed=seed,
            kernel=kernel, sigma=sigma, mu=mu,
        )  # fmt: skip
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: ArrayLike, y: Any = None) -> VCASKHype:
        """Extract endmembers, or take those given; `status_` and `n_iter_` are those of a sample.

        Raises
        ------
        InputError
            A keyword that does not fit the pixels, or pixels that cannot be unmixed.
        """
        check_alternation(self.max_iter, self.tol)
        super().fit(X)
        return self

    def _watch(self, X: Pixels, E: Pixels) -> str:
        found = alternate(X, E, **self._options())
        self.n_iter_ = int(max(found.steps.max(), 1))
        unfinished, tried = int((found.change >= self.tol).sum()), f"{len(X)} pixels tried."
        if unfinished:
            most = f"The maximum number of iterations ({self.max_iter})"
            return f"{most} was reached in {unfinished} of {tried}"
        return f"Converged after at most {self.n_iter_} iterations in all {tried}"

    def _options(self) -> dict[str, Any]:
        return super()._options() | {"max_iter": self.max_iter, "tol": self.tol}

    def _solve(self, X: Pixels, E: Pixels) -> Pixels:
        return skhype(X, E, **self._options())[0]
