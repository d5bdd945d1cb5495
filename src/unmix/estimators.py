"""What every method shares, and the classical ones: extract endmembers, then solve exactly."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from unmix.checks import InputError, check_endmembers, check_n_endmembers, check_option
from unmix.extract import spa, vca
from unmix.scaling import SCALES, abundances, normalise, typical_brightness, well_lit

__all__ = ["SPAFCLS", "VCAFCLS", "LinearUnmixer", "Unmixer"]

Pixels = NDArray[np.floating]


class Unmixer(TransformerMixin, BaseEstimator):
    """Base of every method: scikit-learn's fit and transform on pixels of shape (..., band).

    The constructor's keywords are the configuration; `fit` checks them and learns `endmembers_`
    (member, band); `transform` gives abundances (..., member) on the simplex; `halo` is the radius
    of pixels around a pixel that its abundances depend on (0: the pixel alone), so that
    `transform` of a tile with its halo, cropped, equals `transform` of the scene.
    """

    halo: ClassVar[int] = 0
    label: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    scales: ClassVar[tuple[str, ...]] = SCALES

    def _check_pixels(self, X: ArrayLike, *, reset: bool) -> Pixels:
        """X as finite pixels (pixel, band), C-contiguous, float32 kept."""
        if isinstance(X, np.ndarray):
            if X.dtype.kind not in "fiubcO":
                raise InputError(f"X: got dtype {X.dtype}; give real numbers")
            if X.ndim > 2:
                X = X.reshape(-1, X.shape[-1])
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            order="C",
            ensure_min_samples=2 if reset else 1,
            ensure_min_features=2 if reset else 1,
        )

    @staticmethod
    def _like(A: Pixels, X: ArrayLike) -> Pixels:
        """A (pixel, member) with the leading axes of X (..., band)."""
        lead = X.shape[:-1] if isinstance(X, np.ndarray) else A.shape[:1]
        return A.reshape(*lead, A.shape[-1])

    def _check_configuration(self, X: Pixels) -> tuple[int, Pixels | None]:
        """K and the given endmembers (None: to be extracted), checked against the pixels."""
        check_option(self.scale, self.scales, "scale")
        if self.endmembers is None:
            if self.n_endmembers is None:
                raise InputError("n_endmembers: needed without endmembers; give 2 or more")
            n = check_n_endmembers(self.n_endmembers, *X.shape)
            if np.ptp(X, axis=0).max() <= 1e-12 * np.abs(X).max():
                raise InputError("X: every pixel is the same; there is nothing to unmix")
            return n, None
        E = check_endmembers(self.endmembers, X.shape[1]).astype(X.dtype)
        if self.n_endmembers not in (None, len(E)):
            raise InputError(
                f"n_endmembers: {self.n_endmembers}, but {len(E)} endmembers given; leave it out"
            )
        return len(E), E

    @abstractmethod
    def fit(self, X: ArrayLike, y: Any = None) -> Unmixer:
        """Learn from pixels (..., band)."""

    @abstractmethod
    def transform(self, X: ArrayLike) -> Pixels:
        """Abundances (..., member) of pixels (..., band)."""

    def inverse_transform(self, A: ArrayLike) -> Pixels:
        """Spectra A E (..., band) of abundances (..., member), at brightness 1."""
        check_is_fitted(self)
        a = np.asarray(A)
        if a.ndim < 1 or a.shape[-1] != len(self.endmembers_):
            raise InputError(f"A: got shape {a.shape}; give (..., {len(self.endmembers_)})")
        return a @ self.endmembers_.astype(a.dtype if a.dtype.kind == "f" else float)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.endmembers_)


class LinearUnmixer(Unmixer):
    """Linear mixing x = s Eᵀa: endmembers by `_extract` unless given, abundances exactly."""

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
        if E is None:
            E = (
                self._extract(pixels, n)
                if self.scale == "none"
                else self._from_directions(pixels, n)
            )
        self.endmembers_ = np.asarray(E, pixels.dtype)
        return self

    def _from_directions(self, X: Pixels, n: int) -> Pixels:
        """Endmembers without regard to brightness, each at the brightness its pixels have."""
        bright = X[well_lit(X, n, self.seed)]
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
