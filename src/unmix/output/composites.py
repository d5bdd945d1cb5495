"""The ternary composite of three materials: ternary.tif."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unmix.blocks import row_blocks
from unmix.geology.settings import settings_of
from unmix.geology.ternary import ternary
from unmix.output.rasters import georeferencing, to_rgba, write_tiff
from unmix.types import Unmixing

__all__ = ["write_ternary"]


def write_ternary(result: Unmixing, path: Path) -> None:
    """Red, green and blue are the three members of the settings; no file for fewer than three.

    The members' names are in the file's metadata (`red`, `green`, `blue`).
    """
    three = settings_of(result).ternary
    if three is None:
        return
    A = np.asarray(result.abundances.values)
    view = np.empty((4, *A.shape[:2]), np.uint8)
    for rows in row_blocks(A.shape):
        view[:, rows] = to_rgba(ternary(A[rows], three))
    names = [result.endmembers.names[k] for k in three]
    write_tiff(
        path, view, ["red", "green", "blue", "alpha"], *georeferencing(result.abundances),
        tags=dict(zip(("red", "green", "blue"), names, strict=True)),
    )  # fmt: skip
