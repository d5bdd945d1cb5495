"""Rows of an array through a trained network: on its device, a batch at a time."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unmix.checks import InputError
from unmix.nets.device import exact, fitting, in_halves, one_torch_thread
from unmix.nets.fused import ROWS, fused, fused_image
from unmix.parallel import over_items, over_pixels

__all__ = ["NotFinite", "image_through", "keep_freed_memory", "through"]

_MOST = 262_144  # rows at a time on a GPU; more gain nothing
_STRIP = 16_384  # pixels of an image at a time on a thread of the CPU
_LEAST = 64  # a GPU that does not hold so many is left alone
_LARGE = 24 * 2**20  # bytes: below 32 MiB, above all that a few layers need


class NotFinite(InputError):
    """Rows that hold NaN or inf, or numbers that float32 does not."""


def through(
    part: nn.Module,
    rows: NDArray[np.floating],
    width: int,
    *,
    gain: float = 1.0,
    check: bool = False,
) -> NDArray[np.float32]:
    """Rows (row, unit) times `gain` through an encoder or a decoder: (row, width).

    The size of a batch follows from the device: on the CPU what the cache of a core holds, each
    thread on batches of its own; on a GPU what half of the free memory holds, halved where even
    that is too much.

    Parameters
    ----------
    part : nn.Module
        In evaluation mode, on any device.
    rows : ndarray, shape (row, unit)
    width : int
        Units that come out.
    gain : float
    check : bool
        Whether NaN and inf are looked for: here, while a batch is in cache, that costs nothing.

    Raises
    ------
    InputError
        The device's memory does not hold 64 rows.
    NotFinite
        With `check`.

    >>> through(nn.Linear(3, 2).eval(), np.ones((5, 3)), 2).shape
    (5, 2)
    """
    device = next(part.parameters()).device
    plain = rows.dtype == np.float32
    run = fused(part, gain if plain else 1.0)
    out = np.empty((len(rows), width), np.float32)

    def step(start: int, stop: int) -> None:
        piece = rows[start:stop]
        if not plain:  # float64 is divided before it is rounded
            piece = (piece * gain).astype(np.float32)
        elif not piece.flags.writeable:  # torch would warn of it
            piece = piece.copy()
        x = torch.from_numpy(np.ascontiguousarray(piece)).to(device)
        if check and not (x.sum().isfinite() or x.isfinite().all()):  # the sum may overflow
            raise NotFinite("X: contains NaN, inf or more than float32 holds; mask those pixels")
        out[start:stop] = run(x).cpu().numpy()

    def all_of(start: int, stop: int, batch: int) -> int:
        with torch.inference_mode(), exact(device):
            in_halves(
                lambda a, b: step(start + a, start + b), stop - start, batch,
                least=_LEAST, device=device, what="pixels",
            )  # fmt: skip
        return 0

    def on_this_thread(start: int, stop: int) -> int:
        with one_torch_thread():
            return all_of(start, stop, ROWS)

    if device.type == "cpu":
        keep_freed_memory()
        over_pixels(on_this_thread, len(rows))
    else:
        all_of(0, len(rows), fitting(device, _bytes_a_row(part, rows.shape[1]), _MOST))
    return out


@cache
def keep_freed_memory() -> None:
    """Have the allocator keep what is freed from one layer for the next.

    glibc hands blocks of a megabyte back to the system until it has seen a larger one freed; with
    several threads the fresh pages that each layer then asks for cost as much as its product.
    """
    torch.empty(_LARGE, dtype=torch.uint8)


def image_through(
    part: nn.Module,
    X: NDArray[np.floating],
    width: int,
    *,
    margin: int,
    most: int,
    gain: float = 1.0,
) -> NDArray[np.float32]:
    """An image through an encoder that looks at neighbours, some rows at a time.

    Beyond its edge the image is continued by its edge pixels.

    Parameters
    ----------
    part : nn.Module
        (1, unit, row + 2 margin, column + 2 margin) to (1, width, row, column).
    X : ndarray, shape (row, column, unit)
    width : int
    margin : int
        Pixels on each side that it looks at.
    most : int
        Pixels at a time, at the most.
    gain : float
        What X is multiplied with.

    Returns
    -------
    ndarray, shape (row, column, width)

    Raises
    ------
    InputError
        The device's memory does not hold one row of pixels.

    >>> X = np.arange(12.0).reshape(3, 4, 1)
    >>> image_through(nn.Conv2d(1, 2, 3), X, 2, margin=1, most=8).shape
    (3, 4, 2)
    """
    rows, columns, n_in = X.shape
    device = next(part.parameters()).device
    out = np.empty((rows, columns, width), np.float32)
    plain = X.dtype == np.float32
    run = fused_image(part, gain if plain else 1.0)

    def step(start: int, stop: int) -> None:
        strip = _strip(X, start, stop, margin)
        if run is None or not plain:  # float64 is divided before it is rounded
            strip = (strip * X.dtype.type(gain)).astype(np.float32, copy=False)
        x = torch.from_numpy(strip).to(device)
        maps = part(x.permute(2, 0, 1)[None])[0].permute(1, 2, 0) if run is None else run(x)
        out[start:stop] = maps.cpu().numpy()

    def on_this_thread(strip: tuple[int, int]) -> None:
        with one_torch_thread(), torch.inference_mode():
            step(*strip)

    fits = min(most, _STRIP) if run else fitting(device, _bytes_a_row(part, n_in), most)
    batch = max(1, fits // (columns + 2 * margin))
    if run:
        keep_freed_memory()
        over_items(on_this_thread, [(i, min(i + batch, rows)) for i in range(0, rows, batch)])
    else:
        with torch.inference_mode(), exact(device):
            in_halves(step, rows, batch, device=device, what=f"rows of {columns} pixels")
    return out


def _strip(X: NDArray[np.floating], start: int, stop: int, margin: int) -> NDArray[np.floating]:
    """Rows start to stop of an image (row, column, unit) with the margin around them."""
    top, bottom = max(start - margin, 0), min(stop + margin, len(X))
    above, below = top - (start - margin), stop + margin - bottom
    edges = ((above, below), (margin, margin), (0, 0))
    return np.pad(X[top:bottom], edges, mode="edge")


def _bytes_a_row(part: nn.Module, n_in: int) -> int:
    """Of everything that lies in memory at once: what goes in and what the layers leave, twice."""
    numbers = n_in
    for layer in part.modules():
        if isinstance(layer, nn.Linear):
            numbers += 2 * layer.out_features
        elif isinstance(layer, nn.Conv2d):  # may be computed as a product of unfolded windows
            numbers += 2 * layer.out_channels + layer.in_channels * math.prod(layer.kernel_size)
    return 8 * numbers
