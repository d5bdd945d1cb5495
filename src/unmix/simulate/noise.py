"""Noise: how its strength runs along the bands, and how much of it a signal-to-noise ratio means.

x = signal + n,  n_b ~ N(0, σ_b²),  σ_b ∝ profile_b,  SNR = 10 log10(E‖signal‖² / Σ_b σ_b²)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_option

__all__ = ["NOISES", "check_snr", "noise_profile", "noise_sigma"]

NOISES = ("white", "bands")
WATER = ((1400.0, 3.0), (1900.0, 3.0))
"""Water-vapour bands in nm and by how many times the floor the noise rises in them."""
WATER_WIDTH = 50.0

Array = NDArray[np.floating]


def noise_profile(
    profile: ArrayLike | None, n_bands: int, wavelength: Array | None = None
) -> Array:
    """Relative noise standard deviation of each band.

    Parameters
    ----------
    profile : None, "white", "bands", or array_like, shape (band,)
        "white" (or None): 1 everywhere. "bands": 1 in the middle of the range and 3 at its ends,
        as detectors have it, and up to 3 more in the water-vapour bands.

    Raises
    ------
    InputError
        Another name, another number of bands, a value below 0 or not finite.

    >>> noise_profile("bands", 5, np.array([400.0, 800.0, 1400.0, 1900.0, 2500.0])).round(2)
    array([3.  , 1.11, 4.  , 4.01, 3.  ])
    """
    if profile is None:
        return np.ones(n_bands)
    if isinstance(profile, str):
        check_option(profile, NOISES, "noise_profile")
        return np.ones(n_bands) if profile == "white" else _bands(n_bands, wavelength)
    try:
        noise = np.asarray(profile, float)
    except (TypeError, ValueError):
        noise = np.empty(0)
    if noise.shape != (n_bands,) or not (np.isfinite(noise) & (noise >= 0)).all():
        raise InputError(f"noise_profile: give {n_bands} numbers, 0 or more, one a band")
    return noise


def _bands(n_bands: int, wavelength: Array | None) -> Array:
    centre = np.arange(n_bands) if wavelength is None else np.asarray(wavelength, float)
    low, high = centre.min(), centre.max()
    u = 2 * (centre - low) / (high - low) - 1 if high > low else np.zeros(n_bands)
    noise = 1.0 + 2.0 * u**6
    for place, rise in WATER if wavelength is not None else ():
        noise = noise + rise * np.exp(-(((centre - place) / WATER_WIDTH) ** 2))
    return noise


def noise_sigma(power: float, snr: float, profile: Array) -> Array:
    """Standard deviation of each band: σ_b ∝ profile_b with Σ_b σ_b² = power / 10^(SNR/10).

    >>> noise_sigma(4.0, 20.0, np.array([1.0, 1.0])).round(6)
    array([0.141421, 0.141421])
    """
    if np.isinf(snr):
        return np.zeros(profile.shape)
    scaled: Array = profile * np.sqrt(power / 10 ** (snr / 10) / np.sum(profile**2))
    return scaled


def check_snr(snr: float) -> float:
    """A signal-to-noise ratio in dB, -100 to 300, or infinity."""
    if not isinstance(snr, (int, float, np.number)) or not (-100 <= snr <= 300 or snr == np.inf):
        raise InputError(f"snr: got {snr!r}; give decibels, -100 to 300, or inf for no noise")
    return float(snr)
