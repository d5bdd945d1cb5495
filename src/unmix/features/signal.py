"""Pixels before their features are measured: what is signal in them, without most of the noise.

A depth of 5 % in a band whose noise is 2 to 10 % of its value (35 to 20 dB) cannot be placed to
3 nm in one pixel, and smoothing along the spectrum wide enough to help would move the centre of
what is not symmetric. What pixels have in common can: they are projected on their signal subspace
(noise of 285 bands falls on ten directions or so), and in an image alike patches are averaged
there (`unmix.denoise`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.denoise import Whitening, halo_of

__all__ = ["Signal", "signal", "signal_of"]

_ENOUGH = 50  # pixels below which there is no subspace to tell
_MOST = 16  # components that patches are compared in: of more, materials vary, and it takes long
_SIDE = 8  # rows and columns below which there are no patches to compare


@dataclass(frozen=True, eq=False)
class Signal:
    """Where the signal of a scene lies, so that any part of it can be cleaned in the same way.

    Parameters
    ----------
    white : Whitening, optional
        Coordinates in the signal subspace; None if the pixels were too few to tell.
    patches : bool
        Average alike patches of an image there.
    """

    white: Whitening | None
    patches: bool

    @property
    def halo(self) -> int:
        """Pixels around a pixel of an image on which its values depend."""
        return halo_of() if self.patches else 0

    @property
    def noise(self) -> NDArray[np.float64] | None:
        """Noise that the projection leaves, (band, component): times its transpose the covariance.

        Patches leave less. None if the pixels were too few to tell.
        """
        if self.white is None:
            return None
        return self.white.axes * self.white.sigma[:, None]

    def apply(self, X: ArrayLike) -> NDArray[np.float32]:
        """Pixels (..., band) cleaned; of an image (row, column, band) as an image if `patches`.

        A pixel with a missing value stays as it is.
        """
        values = np.asarray(X, np.float32)
        out = np.array(values)
        good = np.asarray(np.isfinite(values).all(axis=-1))
        if self.white is None or not good.any():
            return out
        z: NDArray[np.floating] = self.white.coordinates(values[good])
        if self.patches and values.ndim == 3:
            z = _patches(z, good, self.white.power)
        out[good] = self.white.spectra(z)
        return out


def signal(X: ArrayLike, *, image: bool = False, seed: int = 0) -> Signal:
    """The signal of a scene, from pixels (..., band) of it.

    Parameters
    ----------
    X : array_like, shape (pixel, band) or (row, column, band)
        Kept bands only.
    image : bool
        What it is applied to has neighbours whose patches may be compared.
    seed : int
        Of the sample that noise is estimated from.
    """
    from unmix.denoise.whiten import whitening
    from unmix.subspace import estimate_noise

    pixels = np.asarray(X, np.float32)
    pixels = pixels[np.isfinite(pixels).all(axis=-1)]
    if len(pixels) < _ENOUGH:
        return Signal(None, False)
    white = whitening(pixels, estimate_noise(pixels, seed=seed).sigma, 1)
    return Signal(white, image and white.axes.shape[1] <= _MOST)


def signal_of(X: ArrayLike, *, seed: int = 0) -> NDArray[np.float32]:
    """Pixels on their signal subspace; an image (row, column, band) is denoised there, too.

    Parameters
    ----------
    X : array_like, shape (pixel, band) or (row, column, band)
        Kept bands only. A pixel with a missing value stays as it is.
    seed : int
        Of the sample that noise is estimated from.

    Returns
    -------
    ndarray, float32, shape of X

    Raises
    ------
    InputError
        Fewer than two dimensions.

    >>> rng = np.random.default_rng(0)
    >>> clean = rng.dirichlet(np.ones(3), 2000) @ rng.random((3, 60))
    >>> noisy = clean + 0.02 * rng.standard_normal(clean.shape)
    >>> bool(np.abs(signal_of(noisy) - clean).mean() < 0.3 * np.abs(noisy - clean).mean())
    True
    """
    values = np.asarray(X, np.float32)
    if values.ndim < 2:
        raise InputError(f"X: got shape {values.shape}; give (pixel, band) or (row, column, band)")
    image = values.ndim == 3 and min(values.shape[:2]) >= _SIDE
    return signal(values, image=image, seed=seed).apply(values)


def _patches(
    z: NDArray[np.floating], good: NDArray[np.bool_], power: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Coordinates (pixel, component) of the good pixels of an image, alike patches averaged."""
    from scipy.ndimage import distance_transform_edt

    from unmix.denoise.nonlocal_bayes import smoothed

    row = np.zeros(good.shape, np.intp)
    row[good] = np.arange(len(z))
    y, x = distance_transform_edt(~good, return_distances=False, return_indices=True)
    image = np.ascontiguousarray(z[row[y, x]], np.float32)  # holes hold the nearest good pixel
    values: NDArray[np.floating] = smoothed(image, power)[good]
    return values
