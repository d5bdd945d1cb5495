"""MVC-NMF as a method: the start from VCA, the unit, the brightness; then the exact solver."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.extract import vca
from unmix.extract.complete import completed
from unmix.extract.mvcnmf import check_keywords, mvcnmf
from unmix.methods.linear import LinearUnmixer
from unmix.scaling import normalise

__all__ = ["MVCNMF"]

Pixels = NDArray[np.floating]

_ACROSS = 0.1  # of the mean's length along itself
_SHADE = 1e-3  # of the mean pixel: what an endmember that is zero in every band becomes


class MVCNMF(LinearUnmixer):
    r"""Minimum volume constrained non-negative matrix factorisation.

    Endmembers that need not be pixels: those of VCA are moved to fit the pixels with a simplex
    whose volume has a price (`unmix.extract.mvcnmf`). Abundances are exact, for these and for new
    pixels alike. Pixels are divided by the scene's largest value first, so that no unit matters.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Where to start instead of VCA.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness.
    seed : int
        Of VCA.
    tau : float, optional
        Price of the squared volume, with the largest pixel value as 1. From the noise when left
        out; the authors' 0.015 suits scenes of some 4000 pixels at 20 dB.
    delta : float
        Weight of the sum to one while endmembers are sought.
    max_iter : int
    tol : float
        Relative fall of the objective in two iterations running at which it has converged.

    Attributes
    ----------
    endmembers_ : ndarray, shape (member, band)
    tau_ : float
        The price used.
    history_ : dict of str to list of float
        "objective" at the start and after each iteration.
    n_iter_ : int
    status_ : str

    References
    ----------
    Miao & Qi 2007.

    >>> rng = np.random.default_rng(0)
    >>> E = np.array([[0.9, 0.1, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.1, 0.3, 0.9, 0.2]])
    >>> A = rng.dirichlet(np.ones(3), 2000)
    >>> A = A[A.max(axis=1) < 0.8]  # no pixel is pure
    >>> found = MVCNMF(n_endmembers=3).fit_transform(A @ E)
    >>> bool(np.abs(np.sort(found) - np.sort(A)).max() < 0.02)
    True
    """

    label = "MVC-NMF"
    reference = "Miao & Qi 2007"
    refines = True

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        tau: float | None = None,
        delta: float = 20.0,
        max_iter: int = 150,
        tol: float = 1e-6,
    ) -> None:
        super().__init__(n_endmembers, endmembers=endmembers, scale=scale, seed=seed)
        self.tau = tau
        self.delta = delta
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: ArrayLike, y: Any = None) -> MVCNMF:
        """Find endmembers for pixels (..., band), from VCA's or those given.

        Raises
        ------
        InputError
            A keyword that does not fit the pixels, or pixels that cannot be unmixed.
        """
        check_keywords(self.tau, self.delta, self.max_iter, self.tol)
        super().fit(X)
        return self

    def _extract(self, X: Pixels, n: int) -> Pixels:
        E = self._start(X, n)
        if self.scale != "none":  # on the plane where mixtures of directions fill a simplex
            X, E = _on_plane(X, E)
        unit = float(np.abs(X).max())
        if not unit > 0:
            raise InputError("X: every value is zero; there is nothing to unmix")
        found = mvcnmf(
            X / X.dtype.type(unit), E / unit,
            tau=self.tau, delta=self.delta, max_iter=self.max_iter, tol=self.tol,
        )  # fmt: skip
        self.tau_, self.n_iter_, self.status_ = found.tau, found.n_iter, found.status
        self.history_ = {"objective": found.objective}
        dark = found.endmembers.max(axis=1, keepdims=True) <= 0  # shade, but not without a spectrum
        E = np.where(dark, _SHADE * np.abs(X).mean(axis=0), found.endmembers * unit)
        return E.astype(X.dtype)

    def _start(self, X: Pixels, n: int) -> Pixels:
        if self.endmembers is None:
            return vca(X, n, seed=self.seed)
        E = np.asarray(self.endmembers, X.dtype)
        if self.scale != "none":
            E = normalise(E, "max" if self.scale == "max" else "l2")[0]
        return completed(X, E, n, seed=self.seed)


def _on_plane(X: Pixels, E: Pixels) -> tuple[Pixels, Pixels]:
    """Pixels and members divided by uᵀx, u their mean: mixtures of directions fill a simplex there.

    Those nearly at right angles to the mean have no place on it: pixels are left out.
    """
    u = X.mean(axis=0, dtype=np.float64)
    u = (u / (u @ u)).astype(X.dtype)
    along = X @ u
    keep = along > _ACROSS
    return X[keep] / along[keep, None], E / np.maximum(E @ u, _ACROSS)[:, None]
