r"""Pixels as the fit sees them: whitened, denoised where they are an image, brightness taken out.

Brightness ("shade") is divided out by t = uᵀz, u the mean direction in whitened coordinates z:
mixtures s Σ a_k e_k then lie on a simplex again, the one with the members e_k / uᵀe_k and shares
b_k ∝ a_k uᵀe_k, and their noise is that of z over t. "l2" and "max" divide the pixels before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.denoise import Whitening, denoise, smoothed, stretched, whitening
from unmix.posterior.surfaces import most_components
from unmix.scaling import normalise
from unmix.subspace import estimate_noise

__all__ = ["Lens", "View", "focus"]

Array = NDArray[np.float64]

_WORTH = 0.97  # mean share of the noise left above which denoising is not worth it
_DARKEST = 0.05  # of the median: a darker pixel is not brightened further


@dataclass(frozen=True, eq=False)
class View:
    """Pixels seen through a lens.

    Parameters
    ----------
    Y : ndarray, shape (pixel, component)
    noise : ndarray, shape (pixel,)
        Variance of the noise of their coordinates.
    brightness : ndarray, shape (pixel,)
        What they were divided by, 1 in the median.
    """

    Y: Array
    noise: Array
    brightness: Array


@dataclass(frozen=True, eq=False)
class Lens:
    """How pixels become coordinates; learned from a scene, then the same for others.

    Parameters
    ----------
    white : Whitening
    scale : str
    denoises : bool
        Whether an image is denoised.
    slope, middle : ndarray, shape (component,)
        How denoised coordinates are stretched, see `unmix.denoise.denoise`.
    along : ndarray, shape (component,)
        u of "shade".
    unit : float
        Median brightness of the scene it was learned from.
    """

    white: Whitening
    scale: str
    denoises: bool
    slope: Array
    middle: Array
    along: Array
    unit: float

    @property
    def ratio(self) -> float:
        """Mean share of the noise's variance that is left."""
        return float((self.white.left**2).mean())

    def view(self, X: NDArray[np.floating], image: tuple[int, int] | None) -> View:
        """Pixels (pixel, band), of an image (rows, columns) or without neighbours."""
        levelled, size = normalise(X, self.scale)
        Z = self.white.coordinates(levelled)
        return self.level(self.cleaned(Z, size, image), size)

    def cleaned(self, Z: Array, size: NDArray[np.floating], image: tuple[int, int] | None) -> Array:
        """Coordinates (pixel, component), denoised if that is worth it and they are an image."""
        if not self.denoises or image is None:
            return Z
        t = self.brightness(Z, size)
        plain, seen = self._as_measured(Z * self.white.left, t, image)
        smooth = stretched(
            smoothed(plain, self.white.power, seen), self.slope, self.middle, seen[..., None]
        )
        return self._as_levelled(smooth, t) / self.white.left

    def _as_measured(
        self, Z: Array, t: Array, image: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coordinates (row, col, component) whose noise is white, and their brightness."""
        if self.scale in ("l2", "max"):
            Z = Z * t[:, None]
        return Z.reshape(*image, -1).astype(np.float32), t.reshape(image).astype(np.float32)

    def _as_levelled(self, Z: NDArray[np.float32], t: Array) -> Array:
        """Coordinates (pixel, component) as `normalise` would give them."""
        flat: Array = Z.reshape(len(t), -1).astype(np.float64)
        return flat / t[:, None] if self.scale in ("l2", "max") else flat

    def brightness(self, Z: Array, size: NDArray[np.floating]) -> Array:
        """What coordinates are divided by, 1 in the median."""
        if self.scale == "none":
            return np.ones(len(Z))
        t = (Z @ self.along if self.scale == "shade" else np.asarray(size, np.float64)) / self.unit
        return np.maximum(t, _DARKEST)

    def level(self, Z: Array, size: NDArray[np.floating]) -> View:
        """Coordinates with the brightness taken out."""
        t = self.brightness(Z, size)
        return View(Z / t[:, None] if self.scale == "shade" else Z, t**-2.0, t)

    def onto(self, E: NDArray[np.floating]) -> tuple[Array, Array]:
        """Spectra (member, band) as members of the simplex seen, and their size."""
        if self.scale != "shade":
            levelled, length = normalise(np.asarray(E, np.float64), self.scale)
            return np.asarray(levelled, np.float64), np.asarray(length, np.float64)
        along = self.white.coordinates(np.asarray(E, np.float64)) @ self.along / self.unit
        size: Array = np.maximum(along, 1e-6)
        seen: Array = E / size[:, None]
        return seen, size


def _once(X: NDArray[np.floating]) -> NDArray[np.floating]:
    """Pixels (pixel, band) without copies of others, in their order; all of them if all are one.

    Gaps of an image are filled with copies: noise that repeats would pass for signal.

    >>> _once(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
    array([[1., 2.],
           [3., 4.]])
    """
    rows = np.ascontiguousarray(X).view(np.dtype((np.void, X.shape[1] * X.itemsize)))
    first = np.unique(rows[:, 0], return_index=True)[1]
    return X if len(first) in (1, len(X)) else X[np.sort(first)]


def _without_regressors(
    X: NDArray[np.floating], sigma: NDArray[np.floating]
) -> NDArray[np.floating]:
    """σ of bands without the noise of the bands each was predicted from.

    A prediction from all other bands passes on their noise, in the signal's directions v of
    eigenvalue λ, so that the residual's variance is σ² / (1 − Σ v_b² (1 − 1/λ)).
    """
    white = whitening(X, sigma, 1, centred=False)
    leverage = (white.axes**2 * (1 - 1 / np.maximum(white.power, 1))).sum(axis=1)
    corrected: NDArray[np.floating] = sigma * np.sqrt(np.maximum(1 - leverage, 0.1))
    return corrected


def focus(
    X: NDArray[np.floating],
    image: tuple[int, int] | None,
    n_members: int,
    scale: str,
    seed: int,
) -> tuple[Lens, View]:
    """The lens for pixels (pixel, band) with K members, and the pixels through it.

    A scene of more components than K members can fill is not denoised: nothing here explains it.

    Parameters
    ----------
    X : ndarray, shape (pixel, band)
    image : (rows, columns), optional
        The pixels are an image in row-major order.
    n_members : int
    scale : {"none", "l2", "max", "shade"}
    seed : int

    >>> rng = np.random.default_rng(0)
    >>> X = rng.dirichlet(np.ones(3), 2000) @ rng.random((3, 40))
    >>> lens, view = focus(X + 0.01 * rng.standard_normal(X.shape), (40, 50), 3, "none", 0)
    >>> lens.denoises, view.Y.shape
    (False, (2000, 2))
    """
    levelled, size = normalise(X, scale)
    once = levelled if image is None else _once(levelled)
    sigma = estimate_noise(once, seed=seed).sigma
    floor = 1e-5 * np.sqrt((np.asarray(levelled, np.float64) ** 2).mean(axis=0).max())
    free = scale == "shade"
    sigma = np.maximum(_without_regressors(once, np.maximum(sigma, floor)), floor)
    white = whitening(once, sigma, n_members - (not free), centred=not free)
    Z = white.coordinates(levelled)
    along = Z.mean(axis=0)
    along /= max(float(np.linalg.norm(along)), 1e-12)
    unit = float(np.median(Z @ along if free else size))
    if free and not unit > 0:
        raise InputError("X: more than half of the pixels are dark; mask them, or use scale none")
    none = np.ones(Z.shape[1]), np.zeros(Z.shape[1])
    lens = Lens(white, scale, False, *none, along, unit if scale != "none" else 1.0)
    if image is not None and min(image) > 2 and Z.shape[1] <= most_components(n_members):
        t = lens.brightness(Z, size)
        measured, seen = lens._as_measured(Z, t, image)
        found = denoise(measured, white.power, seed, seen)
        # brightness itself stays as noisy as it was; along u levelled pixels have no noise at all
        left = np.minimum(found.mse + along**2, 1.0) if free else found.mse
        if left.mean() < _WORTH:
            white = white.denoised(found.mse)
            lens = Lens(
                white, scale, True, found.slope, found.middle, along * white.left, lens.unit
            )
            Z = lens._as_levelled(found.values, t) / white.left
    return lens, lens.level(Z, size)
