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

__all__ = ["Stacked", "as_key", "flag_layer", "numbers"]


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
    return [int(item) for item in (text or "").split(",") if item.strip().isdecimal()]
