"""What EnMAP's metadata say of the bands of its image."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.stacked import numbers
from unmix.io.xml import first_number, first_text

__all__ = ["EnmapBands", "bands_of"]

_BETWEEN = 950.0  # nm; a band that no list names belongs to VNIR below


@dataclass(frozen=True, eq=False)
class EnmapBands:
    """The metadata's bands in the image's order.

    Parameters
    ----------
    wavelength, fwhm : ndarray, shape (band,)
        In nm.
    gain, offset : ndarray, shape (band,)
        value = stored · gain + offset.
    detector : ndarray of int, shape (band,)
        0 VNIR, 1 SWIR.
    good : ndarray of bool, shape (band,)
        Listed for its detector, and not of one value throughout.
    """

    wavelength: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    detector: NDArray[np.intp]
    good: NDArray[np.bool_]


def bands_of(root: Element, n_bands: int, where: str) -> EnmapBands:
    """The bands by `bandCharacterisation`, the detectors' channel lists and the band statistics.

    Parameters
    ----------
    root : Element
        Of METADATA.XML.
    n_bands : int
        Of the image.
    where : str
        The file's name, for messages.

    Raises
    ------
    InputError
        As many entries as bands must be there, each with numbers, gains not 0.

    >>> from xml.etree.ElementTree import fromstring
    >>> entry = "<wavelengthCenterOfBand>990</wavelengthCenterOfBand><FWHMOfBand>7</FWHMOfBand>"
    >>> entry = f'<bandID number="1">{entry}<GainOfBand>1e-4</GainOfBand></bandID>'
    >>> root = fromstring(f"<r><bandCharacterisation>{entry}</bandCharacterisation></r>")
    >>> bands_of(root, 1, "METADATA.XML").wavelength
    array([990.])
    """
    table = root.find(".//bandCharacterisation")
    entries = sorted([] if table is None else table.findall("bandID"), key=_number)
    if len(entries) != n_bands:
        raise InputError(
            f"{where}: describes {len(entries)} bands where the image has {n_bands}; "
            "put the metadata of the same product there"
        )
    names = ("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
    found = np.array([[first_number(e, name) for name in names] for e in entries], np.float64)
    without = [first_text(e, "OffsetOfBand") is None for e in entries]
    found[without, 3] = 0.0
    if not np.isfinite(found).all() or not found[:, 2].all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1) | (found[:, 2] == 0))[0])
        raise InputError(
            f"{where}: band {row + 1} lacks one of {', '.join(names)}; download it again"
        )
    wavelength, fwhm, gain, offset = found.T.copy()
    detector, listed = _detectors(root, wavelength)
    return EnmapBands(wavelength, fwhm, gain, offset, detector, listed & ~_blank(root, n_bands))


def _number(entry: Element) -> int:
    """A bandID's number; they are the image's bands, counted from 1."""
    return next(iter(numbers(entry.get("number"))), 0)


def _detectors(
    root: Element, wavelength: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Whose each band is (0 VNIR, 1 SWIR), and whether a list names it.

    Lists that claim a band for both, or none at all, say nothing.
    """
    names = ("vnirProductQuality", "swirProductQuality")
    lists = [numbers(first_text(root, name, "expectedChannelsList")) for name in names]
    detector = (wavelength >= _BETWEEN).astype(np.intp)
    if set(lists[0]) & set(lists[1]) or not any(lists):
        return detector, np.ones(len(wavelength), bool)
    listed = np.zeros(len(wavelength), bool)
    for number, channels in enumerate(lists):
        mine = np.array([c - 1 for c in channels if 0 < c <= len(wavelength)], np.intp)
        detector[mine], listed[mine] = number, True
    return detector, listed


def _blank(root: Element, n_bands: int) -> NDArray[np.bool_]:
    """Bands whose statistics say that they hold one value throughout."""
    entries = root.findall(".//bandStatistics/bandID")
    blank = np.zeros(n_bands, bool)
    if len(entries) == n_bands:
        blank[:] = [first_number(entry, "stdDeviation") == 0 for entry in entries]
    return blank
