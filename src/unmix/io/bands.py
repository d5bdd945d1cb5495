"""What a file says about its bands: centres and widths in nm, and which bands are good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError

__all__ = ["NM_PER_UNIT", "BandTable", "band_table", "wavelengths_to_nm"]

NM_PER_UNIT = {
    "nanometers": 1.0,
    "nanometer": 1.0,
    "nanometres": 1.0,
    "nm": 1.0,
    "micrometers": 1e3,
    "micrometer": 1e3,
    "micrometres": 1e3,
    "microns": 1e3,
    "micron": 1e3,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "millimeters": 1e6,
    "mm": 1e6,
    "centimeters": 1e7,
    "cm": 1e7,
    "meters": 1e9,
    "m": 1e9,
}
"""Nanometres in each wavelength unit that file headers use."""

# Optical sensors work between 0.1 and 100 µm: below 100 a number is in µm, from 100 on in nm.
_LIMIT = 100.0


@dataclass(frozen=True, eq=False)
class BandTable:
    """A scene's bands.

    Parameters
    ----------
    good : ndarray of bool, shape (band,)
    wavelength, fwhm : ndarray, shape (band,), optional
        In nm; NaN where a band has none.
    """

    good: NDArray[np.bool_]
    wavelength: NDArray[np.float64] | None = None
    fwhm: NDArray[np.float64] | None = None


def wavelengths_to_nm(
    values: Sequence[float] | NDArray[np.floating], unit: str | None, where: str
) -> tuple[NDArray[np.float64], float, str]:
    """Wavelengths in nm, the factor applied, and a sentence when the unit had to be inferred.

    An unknown unit is inferred from the values: all below 100 are µm, all from 100 on are nm.
    Zeros (bands without a calibration) become NaN and say nothing about the unit.

    Raises
    ------
    InputError
        Negative or non-finite values, a unit that is no length, values that contradict the unit
        or (unit unknown) lie on both sides of 100.

    >>> nm, factor, note = wavelengths_to_nm([0.5483, 2.2], None, "scene.hdr")
    >>> nm.tolist(), factor, note
    ([548.3, 2200.0], 1000.0, 'wavelength unit not given: values below 100 read as micrometres')
    """
    value = np.asarray(values, np.float64)
    if not np.isfinite(value).all() or (value < 0).any():
        raise InputError(f"{where}: wavelengths must be positive numbers; correct the list")
    known = value[value > 0]
    small = bool((known < _LIMIT).all())
    if not small and (known < _LIMIT).any():
        raise InputError(
            f"{where}: wavelengths from {known.min():g} to {known.max():g} fit no single unit; "
            "correct the list or give its unit (Nanometers or Micrometers)"
        )
    note = ""
    key = (unit or "unknown").strip().lower()
    if key in ("unknown", "", "none"):
        key = "micrometers" if small else "nanometers"
        side = "below 100 read as micrometres" if small else "from 100 on read as nanometres"
        note = f"wavelength unit not given: values {side}"
    elif key not in NM_PER_UNIT:
        raise InputError(
            f"{where}: unknown wavelength unit {unit!r:.40}; use Nanometers or Micrometers"
        )
    nm = np.round(value * NM_PER_UNIT[key], 6)
    if known.size and not 100 <= nm[value > 0].min() <= nm.max() <= 1e5:
        raise InputError(
            f"{where}: wavelengths {known.min():g} to {known.max():g} cannot be in {unit!r:.40}; "
            "correct the wavelength unit"
        )
    nm[nm == 0] = np.nan
    return nm, NM_PER_UNIT[key], note


def band_table(
    n_bands: int,
    where: str,
    history: list[str],
    *,
    wavelength: Sequence[float] | NDArray[np.floating] | None = None,
    unit: str | None = None,
    fwhm: Sequence[float] | NDArray[np.floating] | None = None,
    good: Sequence[float] | NDArray[np.generic] | None = None,
) -> BandTable:
    """Check and convert what a file says of its bands; `history` gets a line for each surprise.

    Raises
    ------
    InputError
        A list whose length is not the number of bands; what `wavelengths_to_nm` raises.

    >>> notes = []
    >>> band_table(3, "scene.hdr", notes, wavelength=[500, 993, 902], unit="nm").wavelength
    array([500., 993., 902.])
    >>> notes
    ['wavelengths step back after band 2 (993 to 902 nm): file order kept']
    """
    given = (("wavelength", wavelength), ("fwhm", fwhm), ("bbl", good))
    for name, values in given:
        if values is not None and len(values) != n_bands:
            raise InputError(
                f"{where}: {len(values)} {name} values for {n_bands} bands; give one a band"
            )
    keep = np.ones(n_bands, bool) if good is None else np.asarray(good, np.float64) > 0
    if wavelength is None or not np.any(wavelength):
        return BandTable(keep)
    nm, factor, note = wavelengths_to_nm(wavelength, unit, where)
    if note:
        history.append(note)
    for i in np.flatnonzero(np.diff(nm) < 0)[:4]:
        history.append(
            f"wavelengths step back after band {i + 1} ({nm[i]:g} to {nm[i + 1]:g} nm): "
            "file order kept"
        )
    if np.isnan(nm).any():
        history.append(f"{np.isnan(nm).sum()} bands without a wavelength marked bad")
        keep &= ~np.isnan(nm)
    width = None if fwhm is None else np.round(np.asarray(fwhm, np.float64) * factor, 6)
    if width is not None and not (np.isfinite(width).all() and (width >= 0).all()):
        raise InputError(f"{where}: fwhm values must not be negative; correct the list")
    return BandTable(keep, nm, width)
