"""The classical methods: extract endmembers, then solve exactly."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from unmix.extract import spa, vca
from unmix.methods.base import Unmixer
from unmix.scaling import abundances, normalise, typical_brightness, well_lit

__all__ = ["SPAFCLS", "VCAFCLS", "LinearUnmixer"]

Pixels = NDArray[np.floating]


class LinearUnmixer(Unmixer):
    """Linear mixing x = s Eᵀa: endmembers by `_extract` unless given, abundances exactly.

    With `refines`, `_extract` starts from given endmembers and is called all the same.
    """

    refines: ClassVar[bool] = False

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
    ) -> None:
        self.n_endmembers = n_endmembers
        self.endmembers = endmembers
        self.scale = scale
        self.seed = seed

    direction_snr: ClassVar[float] = 100.0  # of pixels whose direction endmembers come from

    @abstractmethod
    def _extract(self, X: Pixels, n: int) -> Pixels:
        """K spectra (member, band) from pixels (pixel, band)."""

    def fit(self, X: ArrayLike, y: Any = None) -> LinearUnmixer:
        """Extract endmembers from pixels (..., band), or take those given.

        Raises
        ------
        InputError
            A keyword that does not fit the pixels, or pixels that cannot be unmixed.
        """
        pixels = self._check_pixels(X, reset=True)
        n, E = self._check_configuration(pixels)
        if E is None or self.refines:
            E = (
                self._extract(pixels, n)
                if self.scale == "none"
                else self._from_directions(pixels, n)
            )
        self.endmembers_ = np.asarray(E, pixels.dtype)
        return self

    def _from_directions(self, X: Pixels, n: int) -> Pixels:
        """Endmembers without regard to brightness, each at the brightness its pixels have."""
        bright = X[well_lit(X, n, self.seed, snr=self.direction_snr)]
        directions, _ = normalise(bright, "max" if self.scale == "max" else "l2")
        E = self._extract(directions, n)
        unit, size = normalise(bright, "l2")
        return typical_brightness(unit, size, E)

    def transform(self, X: ArrayLike) -> Pixels:
        """Abundances (..., member) on the simplex, in X's float type."""
        check_is_fitted(self)
        pixels = self._check_pixels(X, reset=False)
        A, _ = abundances(pixels, self.endmembers_, self.scale)
        return self._like(A, X)


class VCAFCLS(LinearUnmixer):
    r"""Vertex component analysis, then exact fully constrained least squares.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Known spectra: nothing is extracted.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness.
    seed : int
    restarts : int
        Runs of VCA, of which the simplex with the largest volume is kept.

    References
    ----------
    Nascimento & Bioucas-Dias 2005; Heinz & Chang 2001.

    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> found = VCAFCLS(n_endmembers=3).fit_transform(A @ E)
    >>> bool(np.allclose(np.sort(found), np.sort(A)))
    True
    """

    label = "VCA + FCLS"
    reference = "Nascimento & Bioucas-Dias 2005; Heinz & Chang 2001"

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
        return vca(X, n, seed=self.seed, restarts=self.restarts)


class SPAFCLS(LinearUnmixer):
    r"""Successive projections, then exact fully constrained least squares.

    Parameters
    ----------
    n_endmembers : int, optional
    endmembers : array_like, shape (member, band), optional
    scale : {"none", "l2", "max", "shade"}
    seed : int
        Of the sample that decides the subspace of large scenes; otherwise deterministic.

    References
    ----------
    Araújo et al. 2001; Gillis & Vavasis 2014; Heinz & Chang 2001.

    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> found = SPAFCLS(n_endmembers=3).fit_transform(A @ E)
    >>> bool(np.allclose(np.sort(found), np.sort(A)))
    True
    """

    label = "SPA + FCLS"
    reference = "Araújo et al. 2001; Gillis & Vavasis 2014; Heinz & Chang 2001"

    def _extract(self, X: Pixels, n: int) -> Pixels:
        return spa(X, n, projective=self.scale != "none", seed=self.seed)
