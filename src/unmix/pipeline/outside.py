"""Pixels that are left out, and the map of why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.prepare.draft import in_swath
from unmix.prepare.land import land_masks

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["GIVEN", "NO_DATA", "UNREAD", "LeftOutMap", "left_out_of", "reasons"]

GIVEN = "left out by the mask given"
UNREAD = "the file cannot be read there"
NO_DATA = "no data, or a bad value in a band that is used"


@dataclass(frozen=True, eq=False)
class LeftOutMap:
    """Why pixels are left out before anything is looked at.

    Parameters
    ----------
    code : ndarray of uint8, shape (y, x)
        0 where a pixel is used, else the number of its reason, counted from 1.
    why : tuple of str
        The reasons.
    """

    code: NDArray[np.uint8]
    why: tuple[str, ...]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True where a pixel is left out."""
        out: NDArray[np.bool_] = self.code > 0
        return out


def left_out_of(scene: xr.DataArray, mask: ArrayLike | None, text: str) -> LeftOutMap:
    """The user's mask and what the text asks for; of several reasons the first one counts.

    Raises
    ------
    InputError
        As `land_masks`; the mask has another size, or nothing of the scene is left.
    """
    shape = (scene.sizes["y"], scene.sizes["x"])
    code, why = np.zeros(shape, np.uint8), []
    if mask is not None:
        given = in_swath(np.asarray(mask), scene)
        if given.shape != shape:
            raise InputError(
                f"mask: shape {given.shape} where the scene has {shape} pixels; give one value a "
                "pixel, True to leave it out"
            )
        code[given.astype(bool)] = 1
        why.append(GIVEN)
    for found in land_masks(scene, text):
        why.append(f"{found.name}: {found.why}")
        code[found.mask & (code == 0)] = len(why)
    if (code > 0).all():
        raise InputError(
            f"leave-out: {text!r:.60} leaves no pixel; raise a threshold or ask for less"
        )
    return LeftOutMap(code, tuple(why))


def reasons(
    before: LeftOutMap | None,
    mask: NDArray[np.bool_] | None,
    valid: NDArray[np.bool_],
    unread: NDArray[np.bool_] | None = None,
) -> LeftOutMap:
    """Every reason for which pixels are not valid, no data the last of them.

    What was asked for is among them even where it leaves out nothing. `unread` is where the file
    could not be read.

    >>> found = reasons(None, np.array([[True, False, False]]), np.array([[False, False, True]]))
    >>> found.code, found.why[1][:7]
    (array([[1, 2, 0]], dtype=uint8), 'no data')
    """
    if before is None:
        code = np.zeros(valid.shape, np.uint8)
        why: tuple[str, ...] = (GIVEN,)
        if mask is not None:
            code[mask] = 1
    else:
        code, why = before.code.copy(), before.why
    if unread is not None:
        why = (*why, UNREAD)
        code[unread & (code == 0)] = len(why)
    why = (*why, NO_DATA)
    code[~valid & (code == 0)] = len(why)
    present = [
        i for i, name in enumerate(why, start=1)
        if name not in (GIVEN, NO_DATA, UNREAD) or (code == i).any()
    ]  # fmt: skip
    number = np.zeros(len(why) + 1, np.uint8)
    number[present] = np.arange(1, len(present) + 1)
    return LeftOutMap(number[code], tuple(why[i - 1] for i in present))
