"""Pixels drawn from a scene of any size, without reading more of it than need be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["sample_pixels"]

_SMALL = 2**26  # values up to which a scene is read whole to draw the sample from
_SLABS, _SLAB_ROWS = 32, 4
_LARGEST = 2**28  # values read at once where a file stores many rows as one


def sample_pixels(
    scene: xr.DataArray, size: int, seed: int, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """A seeded sample of unmasked pixels, shape (pixel, band), values as the scene gives them.

    A scene of up to 64 million values is read whole and drawn from; of a larger one, 32 slabs of
    rows spread over the unmasked rows are read. If these hold no data at all, the rest is searched.

    >>> import xarray as xr
    >>> scene = xr.DataArray(np.arange(24.0).reshape(3, 4, 2), dims=("y", "x", "band"))
    >>> sample_pixels(scene, 2, seed=0, mask=np.arange(12).reshape(3, 4) < 10)
    array([[20., 21.],
           [22., 23.]], dtype=float32)
    """
    rng = np.random.default_rng(seed)
    rows, cols, n_bands = scene.shape
    open_rows = np.arange(rows) if mask is None else np.flatnonzero(~mask.all(axis=1))
    if rows * cols * n_bands <= _SMALL or len(open_rows) <= _SLABS * _SLAB_ROWS:
        return _draw(scene, open_rows, size, rng, mask)
    slabs = []
    for stratum in np.array_split(open_rows, _SLABS):
        top = int(rng.integers(len(stratum) - _SLAB_ROWS + 1))
        slab = stratum[top : top + _SLAB_ROWS]
        slabs.append(slab[slab < slab[0] + 16 * _SLAB_ROWS])  # under a mask rows may lie far apart
    share = -(-size // _SLABS)
    groups = _stored_together(slabs, scene)
    X = np.concatenate(
        [_draw(scene, np.concatenate(group), share * len(group), rng, mask) for group in groups]
    )
    for chunk in np.array_split(open_rows, -(-rows * cols * n_bands // _SMALL)):
        if np.count_nonzero(np.isfinite(X).any(axis=1) & (X != 0).any(axis=1)) >= 2:
            break
        X = np.concatenate([X, _draw(scene, chunk, rows * cols, rng, mask)])
    return X


def _stored_together(
    slabs: list[NDArray[np.intp]], scene: xr.DataArray
) -> list[list[NDArray[np.intp]]]:
    """Slabs that lie in the same stored rows, which are unpacked once for all of them."""
    rows = scene.encoding.get("preferred_chunks", {}).get("y", 1)
    per_row = scene.shape[1] * scene.shape[2]
    if rows <= _SLAB_ROWS or rows * per_row > _LARGEST:
        return [[slab] for slab in slabs]
    of: dict[int, list[NDArray[np.intp]]] = {}
    for slab in slabs:
        inside = slab[slab // rows == slab[0] // rows]
        of.setdefault(int(slab[0]) // rows, []).append(inside)
    return list(of.values())


def _draw(
    scene: xr.DataArray,
    rows: NDArray[np.intp],
    size: int,
    rng: np.random.Generator,
    mask: NDArray[np.bool_] | None,
) -> NDArray[np.float32]:
    """Up to `size` unmasked pixels of some rows."""
    cols, n_bands = scene.shape[1:]
    if not len(rows):
        return np.empty((0, n_bands), np.float32)
    inside = np.ones((len(rows), cols), bool) if mask is None else ~mask[rows]
    pick = np.flatnonzero(inside)
    if len(pick) > size:
        pick = np.sort(rng.choice(pick, size, replace=False, shuffle=False))
    span = slice(int(rows[0]), int(rows[-1]) + 1)
    block = np.asarray(scene[span].values, np.float32)  # of a mapped file what is picked is read
    row, col = np.divmod(pick, cols)
    return block[rows[row] - rows[0], col]
