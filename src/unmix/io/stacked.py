"""Bands of one scene that lie in several files or data sets, or in another order than wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.gdal import open_tiff
from unmix.io.lazy import BandKey, Reader

__all__ = [
    "Flagged",
    "Hiding",
    "Stacked",
    "as_key",
    "bright_bands",
    "flag_layer",
    "numbers",
    "overlap_note",
]


_BRIGHT = (560.0, 865.0, 1250.0, 1650.0)  # nm


@dataclass(frozen=True, eq=False)
class Stacked:
    """Window reader whose band b is band `band[b]` of the reader `parts[part[b]]`.

    Only the parts that hold a band asked for are read.

    Parameters
    ----------
    parts : tuple of Reader
    part, band : ndarray of int, shape (band,)

    >>> one = lambda rows, cols, bands: np.arange(12).reshape(1, 2, 6)[rows, cols, bands]
    >>> two = lambda rows, cols, bands: 100 + one(rows, cols, bands)
    >>> stacked = Stacked((one, two), np.array([1, 0, 0]), np.array([5, 3, 1]))
    >>> stacked(slice(0, 1), slice(0, 2), slice(0, 3)).tolist()
    [[[105, 3, 1], [111, 9, 7]]]
    """

    parts: tuple[Reader, ...]
    part: NDArray[np.intp]
    band: NDArray[np.intp]

    def __call__(self, rows: slice, cols: slice, bands: BandKey) -> NDArray[Any]:
        """Stored numbers of a window, axes (y, x, band)."""
        part, band = self.part[bands], self.band[bands]
        pieces = []
        for i, reader in enumerate(self.parts):
            mine = np.flatnonzero(part == i)
            if len(mine):
                wanted, inverse = np.unique(band[mine], return_inverse=True)
                stored = reader(rows, cols, as_key(wanted))
                pieces.append((mine, stored if _in_place(inverse) else stored[..., inverse]))
        if len(pieces) == 1:
            return pieces[0][1]
        kind = np.result_type(*(stored for _, stored in pieces))
        out = np.empty((*pieces[0][1].shape[:2], len(part)), kind)
        for mine, stored in pieces:
            out[..., as_key(mine)] = stored
        return out


@dataclass(frozen=True, eq=False)
class Hiding:
    """Window reader that gives NaN where a pixel was not seen: 0 in all its bands.

    A 0 in some bands may be a measurement, so pixels that are 0 throughout a window are looked up
    in reference bands that the ground is never dark in.

    Parameters
    ----------
    reader : Reader
    reference : ndarray of int
        Sorted band indices.

    >>> cube = np.array([[[0, 0, 0], [0, 0, 9]]])
    >>> hiding = Hiding(lambda rows, cols, bands: cube[rows, cols, bands], np.array([2]))
    >>> hiding(slice(0, 1), slice(0, 2), slice(0, 1)).tolist()
    [[[nan], [0.0]]]
    """

    reader: Reader
    reference: NDArray[np.intp]

    def __call__(self, rows: slice, cols: slice, bands: BandKey) -> NDArray[Any]:
        """Stored numbers of a window, axes (y, x, band)."""
        stored = self.reader(rows, cols, bands)
        hidden = (stored == 0).all(axis=2)
        if hidden.any():
            hidden &= (self.reader(rows, cols, as_key(self.reference)) == 0).all(axis=2)
        return _with_nan(stored, hidden)


def bright_bands(wavelength: NDArray[np.float64]) -> NDArray[np.intp]:
    """Reference bands for `Hiding`, sorted: the ground is never dark in all of them.

    >>> bright_bands(np.array([450.0, 555.0, 870.0, 1240.0, 1400.0, 1655.0]))
    array([1, 2, 3, 5])
    """
    return np.unique([int(np.argmin(np.abs(wavelength - nm))) for nm in _BRIGHT])


@dataclass(frozen=True, eq=False)
class Flagged:
    """Window reader that gives NaN where a flag of the same size has one of some bits set.

    Parameters
    ----------
    reader, flags : Reader
    bits : int

    >>> cube = np.array([[[5, 6]]])
    >>> flagged = Flagged(lambda *key: cube[key], lambda *key: (cube - 4)[key], 2)
    >>> flagged(slice(0, 1), slice(0, 1), slice(0, 2)).tolist()
    [[[5.0, nan]]]
    """

    reader: Reader
    flags: Reader
    bits: int

    def __call__(self, rows: slice, cols: slice, bands: BandKey) -> NDArray[Any]:
        """Stored numbers of a window, axes (y, x, band)."""
        stored = self.reader(rows, cols, bands)
        return _with_nan(stored, (self.flags(rows, cols, bands) & self.bits) != 0)


def _with_nan(stored: NDArray[Any], hidden: NDArray[np.bool_]) -> NDArray[Any]:
    """`stored` with NaN at `hidden` pixels or values, as floats where there are any."""
    if not hidden.any():
        return stored
    stored = stored.astype(np.result_type(stored, np.float32))
    stored[hidden] = np.nan
    return stored


def _in_place(inverse: NDArray[np.intp]) -> bool:
    """Whether the bands read are in the order asked for."""
    return np.array_equal(inverse, np.arange(len(inverse)))


def as_key(index: NDArray[np.intp]) -> BandKey:
    """Sorted, unique indices as a slice where they follow each other.

    >>> as_key(np.array([3, 4, 5])), as_key(np.array([3, 5]))
    (slice(3, 6, None), array([3, 5]))
    """
    if len(index) and index[-1] - index[0] == len(index) - 1:
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def flag_layer(path: Path, shape: tuple[int, int], values: Sequence[int]) -> NDArray[np.bool_]:
    """Where a single-band GeoTIFF beside a scene of `shape` holds one of `values`.

    Raises
    ------
    InputError
        Damaged, of another size, or of several bands.
    """
    with open_tiff(path) as file:
        if (file.height, file.width) != shape or file.count != 1:
            raise InputError(
                f"{path.name}: {file.height} x {file.width} pixels of {file.count} band(s) where "
                f"the scene has {shape[0]} x {shape[1]}; put the layer of the same product there"
            )
        return np.isin(file.read(1), values)


def numbers(text: str | None) -> list[int]:
    """The whole numbers of a comma-separated list.

    >>> numbers("1, 2,x,7")
    [1, 2, 7]
    """
    items = (item.strip() for item in (text or "").split(","))
    return [int(item) for item in items if item.isdecimal() and len(item) < 10]


def overlap_note(wavelength: NDArray[np.float64], detector: NDArray[np.intp]) -> list[str]:
    """A line of history on where the detectors 0 and 1 see the same wavelengths; none where not.

    >>> overlap_note(np.array([500.0, 990.0, 905.0, 2400.0]), np.array([0, 0, 1, 1]))
    ['VNIR and SWIR, one after the other, both see 905 to 990 nm']
    """
    vnir, swir = wavelength[detector == 0], wavelength[detector == 1]
    if not len(vnir) or not len(swir) or swir.min() > vnir.max():
        return []
    return [f"VNIR and SWIR, one after the other, both see {swir.min():g} to {vnir.max():g} nm"]
