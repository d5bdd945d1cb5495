"""Endmembers and library entries brought to what can be compared: the same bands, features alone.

A spectrum becomes, window by window, the logarithm of its quotient with a straight continuum,

    d_w(λ) = ln R(λ) - ln C_w(λ),

which illumination, slope and shade leave as it is. The windows are wide and overlap: between them
they hold the iron, water, hydroxyl and carbonate features, each with what surrounds it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unmix.features.sampling import sorted_bands
from unmix.resample import values_on
from unmix.types import Endmembers

__all__ = ["WINDOWS", "Window", "noise_of", "on_bands", "windows_of"]

Array = NDArray[np.floating]

WINDOWS: tuple[tuple[float, float, float, float], ...] = (
    (430.0, 465.0, 745.0, 775.0),  # charge transfer of iron, chlorophyll
    (745.0, 775.0, 1240.0, 1300.0),  # Fe3+, Fe2+, the edge of leaves
    (1000.0, 1040.0, 1300.0, 1345.0),  # water in plants and gypsum
    (1310.0, 1340.0, 1500.0, 1540.0),  # hydroxyl and water
    (1480.0, 1520.0, 1640.0, 1680.0),  # gypsum, alunite
    (1650.0, 1690.0, 1800.0, 1830.0),  # gypsum, alunite, lignin
    (1800.0, 1830.0, 2070.0, 2110.0),  # water
    (2080.0, 2120.0, 2240.0, 2262.0),  # Al-OH
    (2222.0, 2240.0, 2290.0, 2310.0),  # Fe-OH
    (2240.0, 2276.0, 2374.0, 2400.0),  # CO3, Mg-OH
    (2085.0, 2130.0, 2380.0, 2420.0),  # cellulose, and all of these together
)
"""Ends of the continua in nm: first and last wavelength left, first and last right."""

_EDGE = 3.0  # nm a band may lie outside an end
_FEWEST = 4  # bands of a window
_DARKEST = 0.03  # of the spectrum's median: values below it are noise to a logarithm
_LEAST = 1e-300  # of which there is a logarithm
_SHARPEST = 12.0  # nm; a library's sampling says no more about its resolution than this


@dataclass(frozen=True, eq=False)
class Window:
    """A window of some bands: `values` (spectrum, band), the log quotients; NaN where unknown."""

    bands: NDArray[np.intp]
    values: Array


def on_bands(library: Endmembers, wavelength: Array, fwhm: Array | None) -> Array:
    """Library spectra (entry, band) on bands in increasing order; NaN where one has no value.

    A library that does not say how wide its bands are is taken to be as sharp as it is sampled.
    """
    if library.fwhm is None and library.wavelength is not None:
        order, x = sorted_bands(library.wavelength)
        own = np.full(len(library.wavelength), _SHARPEST)
        own[order] = np.clip(np.gradient(x), 0.0, _SHARPEST) if len(x) > 1 else _SHARPEST
        library = replace(library, fwhm=own)
    width = np.clip(np.gradient(wavelength), 0.0, None)
    if fwhm is not None:
        with np.errstate(invalid="ignore"):
            width = np.where(np.isfinite(fwhm) & (fwhm > 0), fwhm, width)
    return values_on(library, wavelength, width)


def windows_of(spectra: Array, wavelength: Array) -> list[Window]:
    """The windows that the bands cover, with the spectra's log quotients in each."""
    with np.errstate(invalid="ignore"):
        dark = _DARKEST * np.nanmedian(spectra, axis=1, keepdims=True)
        logs = np.log(np.maximum(spectra, np.maximum(dark, _LEAST)))
    logs[~np.isfinite(spectra)] = np.nan
    found = []
    for a, b, c, d in WINDOWS:
        left = np.flatnonzero((wavelength >= a - _EDGE) & (wavelength <= b + _EDGE))
        right = np.flatnonzero((wavelength >= c - _EDGE) & (wavelength <= d + _EDGE))
        bands = np.flatnonzero((wavelength >= a - _EDGE) & (wavelength <= d + _EDGE))
        if len(left) and len(right) and len(bands) >= _FEWEST:
            low, high = wavelength[left].mean(), wavelength[right].mean()
            along = (wavelength[bands] - low) / (high - low)
            ends = logs[:, left].mean(axis=1), logs[:, right].mean(axis=1)
            line = ends[0][:, None] * (1 - along) + ends[1][:, None] * along
            found.append(Window(bands, logs[:, bands] - line))
    return found


def noise_of(spectra: Array) -> Array:
    """Relative noise of each spectrum (member,), from its second differences along the bands.

    >>> rng = np.random.default_rng(0)
    >>> noisy = np.linspace(0.3, 0.5, 300) * (1 + 0.02 * rng.standard_normal((1, 300)))
    >>> 0.015 < noise_of(noisy)[0] < 0.025
    np.True_
    """
    dark = _DARKEST * np.median(spectra, axis=1, keepdims=True)
    bends = np.diff(np.log(np.maximum(spectra, np.maximum(dark, _LEAST))), n=2, axis=1)
    if bends.shape[1] < 3:
        return np.zeros(len(spectra))
    return np.median(np.abs(bends), axis=1) / 0.6745 / np.sqrt(6.0)
