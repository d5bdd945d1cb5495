"""Continuum removal: by a straight line over a feature, and by the convex hull for figures.

The continuum is what the spectrum would be without the absorption; dividing by it leaves the
absorption alone, whatever the illumination (Clark and Roush 1984):

    r(λ) = R(λ) / C(λ),    C(λ) = R_l + (R_r - R_l) (λ - λ_l) / (λ_r - λ_l),

with R_l and R_r means over a few bands at either end, so that one noisy band does not tilt it.

References
----------
Clark, R. N., Roush, T. L. (1984). Reflectance spectroscopy: quantitative analysis techniques for
remote sensing applications. Journal of Geophysical Research 89 (B7).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.features.sampling import Sampling, sorted_bands

__all__ = ["convex_hull", "hull_quotient", "remove_continuum"]

Array = NDArray[np.floating]


def remove_continuum(spectra: ArrayLike, sampling: Sampling) -> Array:
    """R / C of a feature at its nodes, smoothed.

    Parameters
    ----------
    spectra : array_like, shape (..., band)
        Reflectance in any unit.
    sampling : Sampling
        The feature on these bands.

    Returns
    -------
    ndarray, shape (..., node)
        1 on the continuum, below it in the absorption; NaN where the continuum is not positive or
        a value is missing.

    >>> from unmix.features.sampling import sample_feature
    >>> from unmix.features.windows import feature
    >>> x = np.arange(2000.0, 2401.0, 5.0)
    >>> sampling = sample_feature(feature("2200"), x)
    >>> bool(np.allclose(remove_continuum(0.2 + x / 5000, sampling), 1))   # a line has none
    True
    """
    values = np.asarray(spectra, np.float64)[..., sampling.bands]
    low, high = values @ sampling.left, values @ sampling.right
    line = low[..., None] * (1 - sampling.line) + high[..., None] * sampling.line
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient = (values @ sampling.smooth.T) / line
    usable = (low > 0) & (high > 0)
    return np.where(usable[..., None] & np.isfinite(quotient), quotient, np.nan)


def convex_hull(wavelength: ArrayLike, spectrum: ArrayLike) -> Array:
    """The upper convex hull of one spectrum at its bands.

    Parameters
    ----------
    wavelength : array_like, shape (band,)
        In nm, any order.
    spectrum : array_like, shape (band,)
        NaN where a band is bad; the hull is NaN there.

    Raises
    ------
    InputError
        Shapes that differ.

    >>> convex_hull([1.0, 2.0, 3.0, 4.0], [1.0, 0.5, 1.0, 0.8])
    array([1. , 1. , 1. , 0.8])
    """
    values = np.asarray(spectrum, np.float64)
    if values.shape != np.shape(wavelength):
        raise InputError(f"spectrum: {values.shape} for {np.shape(wavelength)} wavelengths")
    order, x = sorted_bands(wavelength, np.isfinite(values))
    y, corners = values[order], list[int]()
    for i in range(len(x)):  # Andrew's monotone chain
        while len(corners) > 1 and _below(x, y, corners[-2], corners[-1], i):
            corners.pop()
        if corners and x[corners[-1]] == x[i]:
            corners[-1] = corners[-1] if y[corners[-1]] >= y[i] else i
        else:
            corners.append(i)
    hull = np.full(values.shape, np.nan)
    if corners:
        hull[order] = np.interp(x, x[corners], y[corners])
    return hull


def _below(x: Array, y: Array, a: int, b: int, c: int) -> bool:
    """Whether b lies on or below the line from a to c."""
    return bool((y[b] - y[a]) * (x[c] - x[a]) <= (y[c] - y[a]) * (x[b] - x[a]))


def hull_quotient(wavelength: ArrayLike, spectrum: ArrayLike) -> Array:
    """A spectrum divided by its convex hull: 1 where it touches, below it elsewhere.

    >>> hull_quotient([1.0, 2.0, 3.0], [1.0, 0.5, 1.0])
    array([1. , 0.5, 1. ])
    """
    hull = convex_hull(wavelength, spectrum)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(hull > 0, np.asarray(spectrum, np.float64) / hull, np.nan)
