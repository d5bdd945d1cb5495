"""Maps that are larger than memory: read a few rows at a time, described once.

A result's maps may be files mapped into memory. Whatever needs all of their pixels goes through
them in blocks of whole rows, cut by the map's shape alone, so that sums come out the same however
much memory there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import wraps
from math import prod
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, finalize

import numpy as np
from numpy.typing import NDArray

__all__ = ["finite_pixels", "planes", "remembered", "remembered_of", "row_blocks"]

T = TypeVar("T")

VALUES = 2**21
"""Values of a block, 8 MB as float32."""


def row_blocks(shape: Sequence[int], values: int = VALUES) -> Iterator[slice]:
    """Rows of maps (y, x, ...) in blocks of at most so many values, at least a row each.

    >>> list(row_blocks((5, 10, 2), 40))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, values // max(1, prod(shape[1:])))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def planes(block: NDArray[Any]) -> NDArray[np.float32]:
    """Values (..., member) as planes (member, pixel), contiguous.

    >>> planes(np.array([[[1, 2]], [[3, 4]]])).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """
    flat = np.asarray(block).reshape(-1, block.shape[-1])
    return np.ascontiguousarray(flat.T, np.float32)


def finite_pixels(a: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which pixels of planes (member, pixel) are finite in all members.

    >>> finite_pixels(np.array([[1.0, 2, np.nan], [0.5, np.inf, 1]])).tolist()
    [True, False, False]
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(a.sum(axis=0)))


def remembered(function: Callable[[Any], T]) -> Callable[[Any], T]:
    """A function of a result that is worked out once for it, and forgotten with it.

    For values that hold no full-size map other than bytes.
    """
    known: WeakKeyDictionary[Any, T] = WeakKeyDictionary()

    @wraps(function)
    def once(result: Any) -> T:
        try:
            return known[result]
        except (KeyError, TypeError):
            found = function(result)
        with suppress(TypeError):  # a stand-in that cannot be kept
            known[result] = found
        return found

    return once


def remembered_of(part: str) -> Callable[[Callable[[Any], T]], Callable[[Any], T]]:
    """As `remembered`, for what depends on that map of a result alone.

    Results with the same map, such as copies with more provenance, share it.
    """

    def of_part(function: Callable[[Any], T]) -> Callable[[Any], T]:
        known: dict[int, T] = {}

        @wraps(function)
        def once(result: Any) -> T:
            maps = getattr(result, part)
            if id(maps) in known:
                return known[id(maps)]
            found = function(result)
            with suppress(TypeError):  # a stand-in that cannot be kept
                finalize(maps, known.pop, id(maps), None)
                known[id(maps)] = found
            return found

        return once

    return of_part
