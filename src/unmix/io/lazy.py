"""Pixels that stay on disk until asked for: one class for every format.

A format supplies a *reader*, a small picklable callable `(rows, cols, bands) -> ndarray` that
returns the stored numbers of that window with axes (y, x, band). `PixelSource` wraps it for
xarray: it works out which window an index expression needs, reads that window and no more, and
turns stored numbers into float32 with no-data as NaN and the declared scale applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from unmix.io.bands import BandTable
from unmix.ortho import Ortho

__all__ = ["BandKey", "Decoding", "PixelSource", "RawScene", "Reader"]

BandKey = slice | NDArray[np.intp]
Reader = Callable[[slice, slice, BandKey], NDArray[Any]]
Affine = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, eq=False)
class Decoding:
    """From stored numbers to values: `value = (stored · gain + offset) / divisor`.

    Parameters
    ----------
    nodata : int or float, optional
        The stored number that means "no data"; becomes NaN.
    divisor : float
        Declared scale that divides, such as ENVI's reflectance scale factor; 1e-30 to 1e30.
    gain, offset : ndarray, shape (band,), optional
        Declared linear scale of each band.

    >>> Decoding(nodata=-1, divisor=4.0).apply(np.array([[[-1, 2, 4]]]), slice(0, 3))
    array([[[nan, 0.5, 1. ]]], dtype=float32)
    """

    nodata: int | float | None = None
    divisor: float = 1.0
    gain: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None

    def apply(self, stored: NDArray[Any], bands: BandKey) -> NDArray[np.float32]:
        """Values of a stored window (y, x, band): float32, C order, writable; copied if need be."""
        blank = self._blank(stored)
        with np.errstate(over="ignore", invalid="ignore"):
            value = np.require(stored, np.float32, ["C", "A", "W"])
            if self.gain is not None:
                value *= self.gain[bands].astype(np.float32)
            if self.offset is not None:
                value += self.offset[bands].astype(np.float32)
            if self.divisor != 1.0:
                value /= np.float32(self.divisor)
        if blank is not None:
            value[blank] = np.nan
        return value

    def _blank(self, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Where `stored` is the no-data number, compared in the stored type; None for nowhere."""
        if self.nodata is None or self.nodata != self.nodata:
            return None
        if stored.dtype.kind in "iub":
            limits = np.iinfo(stored.dtype) if stored.dtype.kind != "b" else None
            if limits is None or self.nodata % 1 or not limits.min <= self.nodata <= limits.max:
                return None
            blank = stored == int(self.nodata)
        else:
            with np.errstate(over="ignore"):
                blank = stored == stored.dtype.type(self.nodata)
        return blank if blank.any() else None


class PixelSource(BackendArray):
    """A scene's pixels on disk, as xarray wants a lazy array: shape (y, x, band), float32.

    Holds no open file and no lock, so it pickles to Dask workers and any thread may read it.

    Parameters
    ----------
    shape : (rows, cols, bands)
    reader : callable
        `(rows: slice, cols: slice, bands: slice | indices) -> stored numbers (y, x, band)`, with
        slices of step 1 and sorted, unique indices.
    decoding : Decoding

    >>> def reader(rows, cols, bands):
    ...     return np.arange(24).reshape(2, 3, 4)[rows, cols, bands]
    >>> PixelSource((2, 3, 4), reader).window((slice(0, 2), 1, np.array([3, 3, 0])))
    array([[ 7.,  7.,  4.],
           [19., 19., 16.]], dtype=float32)
    """

    def __init__(
        self, shape: tuple[int, int, int], reader: Reader, decoding: Decoding | None = None
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(np.float32)
        self.reader = reader
        self.decoding = decoding or Decoding()

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self.window
        )

    def window(self, key: tuple[Any, ...]) -> NDArray[np.float32]:
        """Values at an outer index: a whole number, slice or index array an axis."""
        spans, picks = zip(
            *(_span(k, n) for k, n in zip(key, self.shape, strict=True)), strict=True
        )
        rows, cols, bands = spans
        if not isinstance(key[2], (int, np.integer, slice)):
            bands, inverse = np.unique(np.asarray(key[2], np.intp), return_inverse=True)
            picks = (*picks[:2], inverse)
        if any(n == 0 for n in (_length(rows), _length(cols), _length(bands))):
            stored = np.zeros((_length(rows), _length(cols), _length(bands)), np.float32)
        else:
            stored = self.reader(rows, cols, bands)
        # Spatial picks thin the stored window first: a thinned view costs no conversion.
        value = self.decoding.apply(stored[picks[0]][:, picks[1]], bands)[:, :, picks[2]]
        whole = tuple(0 if isinstance(k, (int, np.integer)) else slice(None) for k in key)
        return value[whole]


def _length(key: BandKey) -> int:
    """How many positions a step-1 slice or an index array selects."""
    return key.stop - key.start if isinstance(key, slice) else len(key)


def _span(key: Any, size: int) -> tuple[slice, Any]:
    """The step-1 slice that covers `key`, and what to pick from it.

    >>> _span(slice(1, 8, 3), 10), _span(np.array([4, 6]), 10)[0]
    ((slice(1, 8, None), slice(None, None, 3)), slice(4, 7, None))
    """
    if isinstance(key, slice):
        start, stop, step = key.indices(size)
        return slice(start, max(start, stop)), slice(None, None, step)
    if isinstance(key, (int, np.integer)):
        return slice(int(key), int(key) + 1), slice(None)
    index = np.asarray(key, np.intp)
    if index.size == 0:
        return slice(0, 0), index
    return slice(int(index.min()), int(index.max()) + 1), index - index.min()


@dataclass(frozen=True, eq=False)
class RawScene:
    """What a format's reader found in a file, before it becomes an `xarray.DataArray`.

    Parameters
    ----------
    pixels : PixelSource
    bands : BandTable
    files : list of str
        Every file that makes the scene.
    crs_wkt : str, optional
    affine : 6-tuple, optional
        (a, b, c, d, e, f) with x = a·col + b·row + c, y = d·col + e·row + f at pixel corners.
    attrs : dict
        What `unmix info` shows: format, interleave, dtype_on_disk, ...
    history : list of str
        What was done on reading, a line each.
    coords : dict
        Further coordinates as xarray takes them, `(dims, values)` by name: `detector` along
        `band`; `cloud`, `cloud_shadow`, `snow`, `haze`, `water` (y, x; bool) where the product
        has them.
    swath : Ortho, optional
        The map grid of a scene in swath geometry, which has no affine then.
    rows_together : int
        How many rows the file stores as one, so that reading one of them unpacks all.
    """

    pixels: PixelSource
    bands: BandTable
    files: list[str]
    crs_wkt: str | None = None
    affine: Affine | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    coords: dict[str, Any] = field(default_factory=dict)
    swath: Ortho | None = None
    rows_together: int = 1
