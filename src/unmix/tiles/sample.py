"""What a large scene is decided from: blocks of neighbours, spread over it by strata.

A scene of up to 2¹⁸ pixels is its own sample. Of a larger one blocks of 64 × 64 pixels are drawn,
one a stratum of a grid that covers the scene, and put together to an image: methods that look at
neighbours find them, apart from the seams. Blocks that hold few valid pixels are given up for
others as long as there are any. Nothing but the seed and the scene decides which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmix.parallel import n_threads, over_items

if TYPE_CHECKING:
    import xarray as xr

    from unmix.prepare.preparation import Preparation

__all__ = ["FIT_PIXELS", "Sample", "draw"]

FIT_PIXELS = 2**18
"""Pixels a method is fitted to, at most."""

Corner = tuple[int, int]
Block = tuple[NDArray[np.float32], NDArray[np.bool_]]

_SIDE = 64
_FULL = 0.5  # share of valid pixels that makes a block good
_TRIES = 4  # times as many blocks are looked at
_LEAST = 2**14


@dataclass(frozen=True, eq=False)
class Sample:
    """Prepared pixels of a scene, or of a part of it that stands for all.

    Parameters
    ----------
    X : ndarray, float32, shape (valid pixel, kept band)
    valid : ndarray of bool, shape (y, x)
        Of the scene, or of the image the blocks make.
    blocks : int
        How many blocks it is made of; 0 where it is the scene.
    """

    X: NDArray[np.float32]
    valid: NDArray[np.bool_]
    blocks: int = 0

    @property
    def about(self) -> dict[str, object]:
        """How it was drawn, as the manifest holds it."""
        if not self.blocks:
            return {"how": "every pixel", "pixels": len(self.X)}
        how = f"{self.blocks} blocks of {_SIDE} x {_SIDE} pixels, one a stratum, seeded"
        return {"how": how, "pixels": len(self.X)}


def draw(
    scene: xr.DataArray,
    preparation: Preparation,
    seed: int,
    memory: int | None = None,
    most: int = FIT_PIXELS,
) -> Sample:
    """The sample of a scene that its preparation, method and numbers are decided from.

    Parameters
    ----------
    scene : xarray.DataArray, dims (y, x, band)
    preparation : Preparation
    seed : int
    memory : int, optional
        Bytes; a sample that would leave too little of it to work is halved until it does not.
    most : int
        Pixels of the sample, at least those of a block.

    >>> import xarray as xr
    >>> from unmix.prepare import plan
    >>> cube = np.random.default_rng(0).random((4, 5, 6), np.float32)
    >>> scene = xr.DataArray(cube, dims=("y", "x", "band"))
    >>> draw(scene, plan(scene), 0).about
    {'how': 'every pixel', 'pixels': 20}
    """
    rows, cols, n_bands = scene.shape
    limit = max(most, _SIDE**2)
    while memory is not None and 8 * 4 * n_bands * limit > memory and limit > _LEAST:
        limit //= 2
    if rows * cols <= limit or min(rows, cols) < _SIDE:
        return _whole(scene, preparation, limit)
    wide = 2 ** int(np.log2(limit // _SIDE**2) / 2)
    high = limit // _SIDE**2 // wide
    found = _blocks(scene, preparation, high * wide, seed)
    wide = min(wide, len(found))
    high = len(found) // wide
    X = np.empty((high * _SIDE, wide * _SIDE, len(preparation.kept)), np.float32)
    valid = np.empty(X.shape[:2], bool)
    for i in range(high * wide):
        down, across = divmod(i, wide)
        place = (
            slice(down * _SIDE, (down + 1) * _SIDE), slice(across * _SIDE, (across + 1) * _SIDE),
        )  # fmt: skip
        X[place], valid[place] = found[i]
    pixels = X.reshape(-1, X.shape[-1]) if valid.all() else X[valid]
    return Sample(pixels, valid, high * wide)


def _whole(scene: xr.DataArray, preparation: Preparation, limit: int) -> Sample:
    """Every pixel; of a strip too narrow for blocks and too long, rows at equal distances."""
    rows = np.arange(scene.shape[0])
    step = -(-scene.shape[0] * scene.shape[1] // limit)
    if step == 1:
        pixels, valid = preparation.apply(scene.values)
        return Sample(np.ascontiguousarray(pixels[valid]), valid)
    parts = [preparation.apply(scene[r : r + 1].values, (int(r), 0)) for r in rows[::step]]
    pixels, valid = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Sample(np.ascontiguousarray(pixels[valid]), valid, len(parts))


def _blocks(scene: xr.DataArray, preparation: Preparation, n: int, seed: int) -> list[Block]:
    """Prepared blocks with their valid pixels, in the order of their places."""
    rng = np.random.default_rng(seed)
    good: dict[Corner, Block] = {}
    poor: dict[Corner, Block] = {}
    mask = preparation.mask

    def read(corner: Corner) -> Block | None:
        r, c = corner
        if mask is not None and mask[r : r + _SIDE, c : c + _SIDE].all():
            return None
        return preparation.apply(scene[r : r + _SIDE, c : c + _SIDE].values, corner)

    corners = _corners((scene.sizes["y"], scene.sizes["x"]), n, rng)
    while corners and len(good) < n and len(good) + len(poor) < _TRIES * n:
        ahead, corners = corners[: n_threads()], corners[n_threads() :]
        new = [c for c in dict.fromkeys(ahead) if c not in good and c not in poor]
        for corner, block in zip(new, over_items(read, new), strict=True):
            if block is None or len(good) == n or len(good) + len(poor) == _TRIES * n:
                continue  # the last ones are too many, not others on other machines
            if block[1].mean() >= _FULL:
                good[corner] = block
            elif block[1].any():
                poor[corner] = block
    if len(good) < n:
        fullest = sorted(poor, key=lambda k: (-int(poor[k][1].sum()), k))
        good |= {corner: poor[corner] for corner in fullest[: n - len(good)]}
    return [good[corner] for corner in sorted(good)]


def _corners(shape: tuple[int, int], n: int, rng: np.random.Generator) -> list[Corner]:
    """Upper left corners of blocks: one a stratum for all strata in random order, and again."""
    down = min(max(round((n * shape[0] / shape[1]) ** 0.5), 1), n)
    across = -(-n // down)
    high, wide = shape[0] / down, shape[1] / across
    out: list[Corner] = []
    for _ in range(2 * _TRIES):
        strata = [(i, j) for i in range(down) for j in range(across)]
        for k in rng.permutation(len(strata)):
            i, j = strata[k]
            corner = [
                int(min(max(start + rng.random() * max(size - _SIDE, 0.0), 0), most - _SIDE))
                for start, size, most in ((i * high, high, shape[0]), (j * wide, wide, shape[1]))
            ]
            out.append((corner[0], corner[1]))
    return out
