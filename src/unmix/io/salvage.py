"""What can be read of a scene whose file is damaged somewhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from unmix.checks import InputError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Salvage", "salvaged"]

_PAUSE = 0.1  # seconds before a window that could not be read is tried again


class Salvage(BackendArray):
    """A scene's pixels, NaN in rows that cannot be read.

    Parameters
    ----------
    scene : xarray.DataArray, dims (y, x, band)
    most : int, optional
        Rows that may be lost; with more, reading raises `InputError`.

    Attributes
    ----------
    lost : dict of int to str
        Rows that could not be read so far, and why.

    >>> import xarray as xr
    >>> scene = xr.DataArray(np.ones((2, 3, 4), np.float32), dims=("y", "x", "band"))
    >>> found = salvaged(scene)
    >>> float(found[0][0, 1, 2].values), found[1].lost
    (1.0, {})
    """

    def __init__(self, scene: xr.DataArray, most: int | None = None) -> None:
        self.most = scene.shape[0] if most is None else most
        self.scene = scene
        self.shape = scene.shape
        self.dtype = np.dtype(np.float32)
        self.lost: dict[int, str] = {}

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._window
        )

    def _window(self, key: tuple[Any, ...]) -> NDArray[np.float32]:
        """Values at an outer index."""
        rows = np.atleast_1d(np.arange(self.shape[0])[key[0]])
        found = self._rows(rows, key[1:], True)
        return found[0] if isinstance(key[0], int | np.integer) else found

    def _rows(
        self, rows: NDArray[np.intp], others: tuple[Any, ...], again: bool
    ) -> NDArray[np.float32]:
        """Some rows: all at once, or halved until what cannot be read is single rows."""
        pick = slice(int(rows[0]), int(rows[-1]) + 1) if _consecutive(rows) else rows
        try:
            return np.asarray(self.scene[(pick, *others)].values, np.float32)
        except MemoryError:
            raise
        except Exception as error:  # whatever a format's library says of a bad block
            failed, why = error, " ".join(str(error).split())[:200]
        if again:
            time.sleep(_PAUSE)
            return self._rows(rows, others, False)
        if len(rows) > 1:
            half = len(rows) // 2
            parts = [self._rows(part, others, False) for part in (rows[:half], rows[half:])]
            return np.concatenate(parts)
        self.lost[int(rows[0])] = why
        if len(self.lost) > self.most:
            raise self._beyond(failed, why)
        shape = [
            len(np.atleast_1d(np.arange(n)[k])) for n, k in zip(self.shape[1:], others, strict=True)
        ]
        whole = tuple(0 if isinstance(k, int | np.integer) else slice(None) for k in others)
        return np.full((1, *shape), np.nan, np.float32)[(slice(None), *whole)]

    def _beyond(self, error: Exception, why: str) -> InputError:
        if isinstance(error, InputError):
            return error
        name = Path(str(self.scene.attrs.get("source", "scene"))).name
        return InputError(f"{name}: cannot be read ({why}); get it anew")


def salvaged(scene: xr.DataArray, most: int | None = None) -> tuple[xr.DataArray, Salvage]:
    """The same scene with NaN where it cannot be read, and what tells where that was."""
    import xarray as xr

    source = Salvage(scene, most)
    lazy: Any = indexing.LazilyIndexedArray(source)
    variable = xr.Variable(scene.dims, lazy, scene.attrs)
    found = xr.DataArray(variable, coords=scene.coords, name=scene.name)
    found.encoding = scene.encoding
    return found, source


def _consecutive(rows: NDArray[np.intp]) -> bool:
    return len(rows) > 0 and bool((np.diff(rows) == 1).all())
