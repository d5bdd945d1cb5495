"""A ternary composite: the mixture of three materials as a colour.

The shares of the three among themselves, w_i = a_i / (a_1 + a_2 + a_3), make the colour w / max w;
their sum makes its brightness: dark pixels are made of something else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmix.blocks import finite_pixels, planes

__all__ = ["ternary", "triangle"]


def ternary(A: NDArray[np.floating], three: tuple[int, int, int]) -> NDArray[np.float32]:
    """Colours (..., 3) in 0..1 of abundances (..., member); NaN without data.

    >>> A = np.array([[1.0, 0, 0, 0], [0.2, 0.2, 0, 0.6], [0, 0, 0, 1.0]])
    >>> ternary(A, (0, 1, 2))
    array([[1. , 0. , 0. ],
           [0.4, 0.4, 0. ],
           [0. , 0. , 0. ]], dtype=float32)
    """
    members = planes(A)
    r, g, b = colours = np.clip(members[list(three)], 0, 1)
    top = np.maximum(np.maximum(r, g), b)
    colours *= np.minimum(r + g + b, 1) / np.maximum(top, np.float32(1e-6))
    colours[:, ~finite_pixels(members)] = np.nan
    return np.moveaxis(colours.reshape(3, *np.shape(A)[:-1]), 0, -1)


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
