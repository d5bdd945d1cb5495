"""A ternary composite: the mixture of three materials as a colour.

The shares of the three among themselves, w_i = a_i / (a_1 + a_2 + a_3), make the colour w / max w;
their sum makes its brightness: dark pixels are made of something else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ternary", "triangle"]


def ternary(A: NDArray[np.floating], three: tuple[int, int, int]) -> NDArray[np.float32]:
    """Colours (..., 3) in 0..1 of abundances (..., member); NaN without data.

    >>> A = np.array([[1.0, 0, 0, 0], [0.2, 0.2, 0, 0.6], [0, 0, 0, 1.0]])
    >>> ternary(A, (0, 1, 2))
    array([[1. , 0. , 0. ],
           [0.4, 0.4, 0. ],
           [0. , 0. , 0. ]], dtype=float32)
    """
    a = np.clip(np.asarray(A, np.float32)[..., list(three)], 0, 1)
    top = a.max(axis=-1, keepdims=True)
    total = np.minimum(a.sum(axis=-1, keepdims=True), 1)
    colour: NDArray[np.float32] = np.where(top > 0, a / np.maximum(top, 1e-6), 0) * total
    colour[~np.isfinite(np.asarray(A)).all(axis=-1)] = np.nan
    return colour.astype(np.float32)


def triangle(size: int) -> NDArray[np.float32]:
    """The legend: colours (row, column, 3) of all shares, NaN outside the triangle.

    The first material is at the top, the second at the lower left, the third at the lower right.

    >>> legend = triangle(41)
    >>> legend[1, 20].argmax(), legend[-2, 2].argmax(), legend[-2, -3].argmax()
    (np.int64(0), np.int64(1), np.int64(2))
    """
    rows = int(np.ceil(size * np.sqrt(3) / 2))
    y, x = (np.indices((rows, size)) + 0.5) / np.array([rows, size])[:, None, None]
    first, third = 1 - y, x - 0.5 + y / 2
    shares = np.stack([first, 1 - first - third, third], axis=-1)
    outside = (shares < 0).any(axis=-1, keepdims=True)
    return ternary(np.where(outside, np.nan, shares), (0, 1, 2))
