"""The largest simplex among the pixels, the smallest around them; then the exact solver."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.extract import nfindr
from unmix.extract.sisal import identify
from unmix.methods.linear import LinearUnmixer

__all__ = ["NFINDRFCLS", "SISALFCLS"]

Pixels = NDArray[np.floating]


class NFINDRFCLS(LinearUnmixer):
    r"""N-FINDR, then exact fully constrained least squares.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Known spectra: nothing is extracted.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness.
    seed : int
        Of further starts, and of the sample that decides the subspace of large scenes.
    restarts : int
        Starts of N-FINDR, of whose simplices the largest is kept.

    References
    ----------
    Winter 1999; Heinz & Chang 2001.

    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> found = NFINDRFCLS(n_endmembers=3).fit_transform(A @ E)
    >>> bool(np.allclose(np.sort(found), np.sort(A)))
    True
    """

    label = "N-FINDR + FCLS"
    reference = "Winter 1999; Heinz & Chang 2001"

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        restarts: int = 1,
    ) -> None:
        super().__init__(n_endmembers, endmembers=endmembers, scale=scale, seed=seed)
        self.restarts = restarts

    def _extract(self, X: Pixels, n: int) -> Pixels:
        projective = self.scale != "none"
        return nfindr(X, n, projective=projective, seed=self.seed, restarts=self.restarts)


class SISALFCLS(LinearUnmixer):
    r"""SISAL, then exact fully constrained least squares: no pixel needs to be pure.

    Where pixels are pure but real materials vary, the smallest simplex is larger than the
    materials' and its spectra can be far off; look at them before believing the abundances.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Known spectra: nothing is extracted.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness.
    seed : int
        Of the sample that decides the subspace of large scenes.
    outside : float, optional
        Share of the pixels outside each facet; from the noise when left out.

    Attributes
    ----------
    outside_ : float or None
        The share used; None when endmembers are given.
    history_ : dict of str to list of float
        "objective" after each step.
    n_iter_ : int
    status_ : str

    References
    ----------
    Bioucas-Dias 2009; Heinz & Chang 2001.

    >>> rng = np.random.default_rng(0)
    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = rng.dirichlet(np.ones(3), 2000)
    >>> A = A[A.max(axis=1) < 0.8]
    >>> found = SISALFCLS(n_endmembers=3, outside=1e-6).fit_transform(A @ E)
    >>> bool(np.abs(np.sort(found) - np.sort(A)).max() < 0.02)
    True
    """

    label = "SISAL + FCLS"
    reference = "Bioucas-Dias 2009; Heinz & Chang 2001"

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        outside: float | None = None,
    ) -> None:
        super().__init__(n_endmembers, endmembers=endmembers, scale=scale, seed=seed)
        self.outside = outside

    def fit(self, X: ArrayLike, y: Any = None) -> SISALFCLS:
        """Extract endmembers from pixels (..., band), or take those given.

        Raises
        ------
        InputError
            A keyword that does not fit the pixels, or pixels that cannot be unmixed.
        """
        self.outside_: float | None = None
        self.history_: dict[str, list[float]] = {}
        self.n_iter_, self.status_ = 0, "Endmembers given."
        super().fit(X)
        return self

    def _extract(self, X: Pixels, n: int) -> Pixels:
        projective = self.scale != "none"
        found = identify(X, n, outside=self.outside, projective=projective, seed=self.seed)
        self.outside_, self.status_ = found.outside, found.status
        self.history_ = {"objective": found.objective}
        self.n_iter_ = len(found.objective)
        return found.endmembers
