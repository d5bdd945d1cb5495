"""Pixels that are not valid, for methods that look at a pixel's neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["filled", "reach_of"]

Pixels = NDArray[np.floating]


def filled(X: Pixels, valid: NDArray[np.bool_]) -> Pixels:
    """Pixels (valid pixel, band) on their grid (y, x, band), gaps filled by their mirror images.

    A gap is mirrored in the valid pixel next to it; where that leads out of the valid pixels, half
    as far behind it, a quarter, ..., and at last it is that pixel itself. One pixel all over a wide
    gap would be a spectrum whose noise looks like signal.

    >>> filled(np.array([[1.0], [2.0]]), np.array([[True, False, False, True]]))[0, :, 0]
    array([1., 1., 2., 2.])
    >>> filled(np.array([[1.0], [2], [3]]), np.array([[True, True, True, False, False]]))[0, :, 0]
    array([1., 2., 3., 2., 1.])
    """
    if valid.all():
        return X.reshape(*valid.shape, -1)
    from scipy.ndimage import distance_transform_edt

    row = np.zeros(valid.shape, np.intp)
    row[valid] = np.arange(len(X))
    near = np.asarray(distance_transform_edt(~valid, return_distances=False, return_indices=True))
    away = near - np.indices(valid.shape)
    y, x = near
    last = np.array(valid.shape)[:, None, None] - 1
    for part in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1):
        there = near + np.rint(part * away).astype(np.intp)
        inside = ((there >= 0) & (there <= last)).all(axis=0)
        v, u = np.clip(there, 0, last)
        good = inside & valid[v, u]
        y, x = np.where(good, v, y), np.where(good, u, x)
    image: Pixels = X[row[y, x]]
    return image


def reach_of(halo: int) -> int:
    """Pixels around a tile that decide what fills the gaps within its halo.

    A gap within `halo` of a valid pixel is at most √2 halo away from the nearest one, and is
    mirrored as far behind that.

    >>> reach_of(0), reach_of(24)
    (0, 92)
    """
    return int(np.ceil((1 + 2 * np.sqrt(2)) * halo))
