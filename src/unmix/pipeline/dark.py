"""Members that are as dark as the noise where they prevail: water, deep shade.

A pixel is compared with mixtures by direction, so that a dark one counts as much as a bright one;
where most of its bands are below the noise its direction is that of the noise, and a member made of
such pixels is spiky and stands for nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["dark_members", "dark_warning"]

PREVAILS = 0.5  # of a pixel: a member that fills more prevails there
LIT = 2.0
"""Standard deviations of the noise that a band must exceed to show the ground."""
_SIDE = 512  # rows or columns of the maps looked at, at most


def dark_members(
    abundances: NDArray[np.floating],
    brightness: NDArray[np.floating],
    E: NDArray[np.floating],
    noise: NDArray[np.floating],
) -> list[int]:
    """Members that in more than half of the bands are below twice the noise where they prevail.

    Parameters
    ----------
    abundances : ndarray, shape (y, x, member)
    brightness : ndarray, shape (y, x)
        s of x = s A E.
    E : ndarray, shape (member, band)
    noise : ndarray, shape (band,)
        Standard deviation in the unit of the pixels.

    >>> A = np.tile(np.eye(2), (3, 4, 1))
    >>> s = np.where(A[..., 0] > 0.5, 1.0, 0.002)
    >>> dark_members(A, s, np.full((2, 10), 0.3), np.full(10, 0.001))
    [1]
    """
    step = max(1, -(-max(brightness.shape) // _SIDE))
    A, s = np.asarray(abundances[::step, ::step]), np.asarray(brightness[::step, ::step])
    found = []
    for k, spectrum in enumerate(E):
        prevails = A[..., k] > PREVAILS  # False where NaN
        if not prevails.any():
            continue
        level = float(np.median(s[prevails])) * spectrum
        if (level < LIT * noise).mean() > 0.5:
            found.append(k)
    return found


def dark_warning(members: list[int]) -> list[str]:
    """The line on dark members; none if there are none.

    >>> dark_warning([2, 3])[0][:54]
    'member 3, 4: of pixels below twice the noise in most b'
    """
    if not members:
        return []
    who = ", ".join(str(k + 1) for k in members)
    return [
        f"member {who}: of pixels below twice the noise in most bands (water, deep shade), whose "
        "spectra say little; leave them out (--leave-out water,shade or a mask)"
    ]
