"""The Sun over a scene: its spectrum in bands, its distance, and what a radiance unit is."""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError

__all__ = ["earth_sun_distance", "irradiance", "sun_gain", "unit_factor"]

_HIGHEST = 85.0  # degrees: a lower Sun than this makes no reflectance
_POWER = {"w": 1.0, "watt": 1.0, "watts": 1.0, "mw": 1e-3, "uw": 1e-6, "microwatts": 1e-6}
_AREA = {"m": 1.0, "cm": 1e-4}
_SPECTRAL = {"nm": 1.0, "um": 1e3, "micron": 1e3, "micrometer": 1e3, "micrometers": 1e3}


def unit_factor(units: str) -> float:
    """What a radiance unit is in W m⁻² sr⁻¹ nm⁻¹.

    Raises
    ------
    InputError
        No unit of spectral radiance.

    >>> unit_factor("uW/cm^2/SR/nm"), unit_factor("W m-2 sr-1 µm-1")
    (0.01, 0.001)
    """
    words = re.findall(r"[a-z]+", units.lower().replace("µ", "u").replace("μ", "u"))
    tables = (_POWER, _AREA, {"sr": 1.0}, _SPECTRAL)
    found = [next((t[w] for w in words if w in t), None) for t in tables]
    if any(f is None for f in found):
        raise InputError(f"units: {units!r:.60} is no radiance; give such as W/m^2/sr/um")
    power, area, _, spectral = (float(f) for f in found if f is not None)
    return float(f"{power / area / spectral:.12g}")


@cache
def _sun() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wavelengths [nm] and irradiance [W m⁻² nm⁻¹] of the table that ships with the package."""
    text = (files("unmix") / "data" / "solar.csv").read_text(encoding="utf-8")
    table = np.array([line.split(",") for line in text.splitlines()[1:]], np.float64)
    return table[:, 0], table[:, 1]


def irradiance(wavelength: ArrayLike, fwhm: ArrayLike | None = None) -> NDArray[np.float64]:
    """The Sun's irradiance outside the atmosphere in bands, at 1 au.

    E₀ = ∫ E(λ) r(λ) dλ / ∫ r(λ) dλ with Gaussian responses r.

    Parameters
    ----------
    wavelength, fwhm : array_like, shape (band,)
        In nm; without widths 10 nm.

    Returns
    -------
    ndarray, shape (band,)
        W m⁻² nm⁻¹; NaN for bands that lie outside 300 to 2600 nm.

    References
    ----------
    ASTM G173-03; Gueymard 2004, Solar Energy 76 (see data/PROVENANCE.md).

    >>> irradiance([550.0, 1650.0, 3000.0]).round(2)
    array([1.86, 0.23,  nan])
    """
    nm = np.asarray(wavelength, np.float64)
    width = np.full(nm.shape, 10.0) if fwhm is None else np.asarray(fwhm, np.float64)
    width = np.where(np.isfinite(width) & (width > 0), width, 10.0)
    grid, sun = _sun()
    step = np.gradient(grid)
    sigma = np.maximum(width, 2.0)[:, None] / (2 * math.sqrt(2 * math.log(2)))
    response = np.exp(-0.5 * ((grid - nm[:, None]) / sigma) ** 2) * step
    inside = (nm >= grid[0]) & (nm <= grid[-1])
    out = np.full(nm.shape, np.nan)
    out[inside] = (response[inside] @ sun) / response[inside].sum(axis=1)
    return out


def earth_sun_distance(acquired: str) -> float:
    """Distance of the Earth from the Sun [au] on a day, within 0.0005.

    d = 1 − 0.01672 cos(0.9856° (day − 4)), with the day of the year counted from 1.

    >>> [round(earth_sun_distance(day), 4) for day in ("2024-01-04T10:00:00Z", "2024-07-04")]
    [0.9833, 1.0167]
    """
    try:
        day = datetime.fromisoformat(acquired.strip()[:10]).timetuple().tm_yday
    except ValueError:
        raise InputError(f"acquired: {acquired!r:.40} is no date; write 2024-07-31") from None
    return 1 - 0.01672 * math.cos(math.radians(0.9856 * (day - 4)))


def sun_gain(
    wavelength: ArrayLike, fwhm: ArrayLike | None, sun_zenith: float, distance: float = 1.0
) -> NDArray[np.float64]:
    """Reflectance per radiance of each band [m² sr nm W⁻¹]: π d² / (E₀ cos θ).

    Parameters
    ----------
    wavelength, fwhm : array_like, shape (band,)
        In nm.
    sun_zenith : float
        Degrees, 0 to 85.
    distance : float
        au.

    >>> bool(sun_gain([550.0], None, 60.0)[0] > sun_gain([550.0], None, 0.0)[0])
    True
    """
    if not 0 <= sun_zenith <= _HIGHEST:
        raise InputError(f"sun_zenith: got {sun_zenith}; give degrees from 0 to {_HIGHEST:g}")
    cosine = math.cos(math.radians(sun_zenith))
    return math.pi * distance**2 / (irradiance(wavelength, fwhm) * cosine)
