"""What a raster is written from: bands that are read a window at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Layers", "layers_of", "maps_layers"]

Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Layers:
    """Bands of a raster.

    Parameters
    ----------
    shape : (bands, rows, columns)
    dtype : numpy.dtype
    read : callable
        Values (band, rows, columns) of a window of rows and columns.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    read: Callable[[slice, slice], NDArray[Any]]


def layers_of(values: NDArray[Any] | Layers) -> Layers:
    """Layers of an array (band, y, x).

    >>> layers_of(np.zeros((2, 3, 4))).read(slice(0, 2), slice(1, 4)).shape
    (2, 2, 3)
    """
    if isinstance(values, Layers):
        return values
    count, height, width = values.shape
    return Layers((count, height, width), values.dtype, lambda y, x: values[:, y, x])


def maps_layers(maps: xr.DataArray) -> Layers:
    """Layers of maps (y, x, ...) as float32, all that follows (y, x) a band.

    >>> import xarray as xr
    >>> maps = xr.DataArray(np.zeros((3, 4, 2, 5)), dims=("y", "x", "member", "quantity"))
    >>> maps_layers(maps).read(slice(0, 2), slice(0, 4)).shape
    (10, 2, 4)
    """
    values = maps.values
    height, width = values.shape[:2]

    def read(y: slice, x: slice) -> NDArray[np.float32]:
        part = np.asarray(values[y, x], np.float32)
        return np.moveaxis(part.reshape(*part.shape[:2], -1), -1, 0)

    count = int(np.prod(values.shape[2:], dtype=int))
    return Layers((count, height, width), np.dtype(np.float32), read)
