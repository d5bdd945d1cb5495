"""What every method shares: scikit-learn's interface on pixels of any leading shape."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from unmix.checks import InputError, check_endmembers, check_n_endmembers, check_option
from unmix.extract.complete import completed
from unmix.scaling import SCALES

__all__ = ["Image", "Unmixer", "image_of"]

Pixels = NDArray[np.floating]
Image = tuple[int, int] | None  # (rows, columns); None: pixels without neighbours


def image_of(X: ArrayLike) -> Image:
    """Rows and columns of an image (row, column, band); any other shape has no neighbours.

    >>> image_of(np.ones((3, 5, 7))), image_of(np.ones((15, 7)))
    ((3, 5), None)
    """
    return X.shape[:2] if isinstance(X, np.ndarray) and X.ndim == 3 else None


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

    def _check_abundances(self, A: ArrayLike) -> NDArray[Any]:
        """A (..., member) of a fitted method."""
        check_is_fitted(self)
        a = np.asarray(A)
        if a.ndim < 1 or a.shape[-1] != len(self.endmembers_):
            raise InputError(f"A: got shape {a.shape}; give (..., {len(self.endmembers_)})")
        return a

    @staticmethod
    def _like(A: Pixels, X: ArrayLike) -> Pixels:
        """A (pixel, member) with the leading axes of X (..., band)."""
        lead = X.shape[:-1] if isinstance(X, np.ndarray) else A.shape[:1]
        return A.reshape(*lead, A.shape[-1])

    def _check_configuration(self, X: Pixels) -> tuple[int, Pixels | None]:
        """K and the given endmembers (None: to be extracted), checked against the pixels.

        With more members asked for than given, the others are found beside them
        (`unmix.extract.complete`) and all K are returned.
        """
        check_option(self.scale, self.scales, "scale")
        if self.endmembers is None:
            if self.n_endmembers is None:
                raise InputError("n_endmembers: needed without endmembers; give 2 or more")
            n = check_n_endmembers(self.n_endmembers, *X.shape)
            if np.ptp(X, axis=0).max() <= 1e-12 * np.abs(X).max():
                raise InputError("X: every pixel is the same; there is nothing to unmix")
            return n, None
        E = check_endmembers(self.endmembers, X.shape[1]).astype(X.dtype)
        if self.n_endmembers in (None, len(E)):
            return len(E), E
        n = check_n_endmembers(self.n_endmembers, *X.shape)
        if n < len(E):
            raise InputError(
                f"n_endmembers: {n}, but {len(E)} endmembers given; leave it out, or ask for more "
                "to be found beside them"
            )
        return n, completed(X, E, n, scale=self.scale, seed=self.seed)

    @property
    def n_given(self) -> int:
        """How many of the members were given, the first ones; 0 where all are found."""
        return 0 if self.endmembers is None else len(np.asarray(self.endmembers))

    @abstractmethod
    def fit(self, X: ArrayLike, y: Any = None) -> Unmixer:
        """Learn from pixels (..., band)."""

    @abstractmethod
    def transform(self, X: ArrayLike) -> Pixels:
        """Abundances (..., member) of pixels (..., band)."""

    def uncertainty(self, X: ArrayLike) -> dict[str, Pixels] | None:
        """Standard deviation "sd" and 90 % interval "low" to "high" of abundances (..., member).

        None where the method does not say how sure it is.
        """
        return None

    def transform_with_uncertainty(self, X: ArrayLike) -> tuple[Pixels, dict[str, Pixels] | None]:
        """What `transform` and `uncertainty` give, as a pair.

        A method that finds both at once overrides it.
        """
        return self.transform(X), self.uncertainty(X)

    def inverse_transform(self, A: ArrayLike) -> Pixels:
        """Spectra A E (..., band) of abundances (..., member), at brightness 1."""
        a = self._check_abundances(A)
        return a @ self.endmembers_.astype(a.dtype if a.dtype.kind == "f" else float)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.endmembers_)
