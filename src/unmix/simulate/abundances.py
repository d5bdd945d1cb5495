"""Abundances of a simulated scene: drawn from a field by name, or the user's own maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.simulate.blocks import block_abundances, patch_abundances
from unmix.simulate.fields import IMPURE, dirichlet_abundances, smooth_abundances

__all__ = ["DEFAULT_SIZE", "FIELDS", "check_size", "draw_abundances"]

FIELDS = ("gaussian", "dirichlet", "blocks", "patches")
DEFAULT_SIZE = (96, 128)
MOST_PIXELS = 10**8
SLACK = 0.01
"""How far the abundances of a given map may be from the simplex; they are then put on it."""

Array = NDArray[np.floating]


def draw_abundances(
    rng: np.random.Generator,
    k: int,
    size: tuple[int, int],
    field: str,
    pure: bool,
    max_purity: float | None,
    max_members: int | None,
    concentration: ArrayLike | None,
    given: ArrayLike | None,
) -> Array:
    """Abundances (row, col, member) of `field`, or `given` ones checked (see `simulate`).

    Raises
    ------
    InputError
        A keyword out of range, that contradicts another, or that the field has no use for.
    """
    n = _max_members(max_members, k)
    cap = _max_purity(max_purity, n or k, pure)
    draws = _concentration(concentration, k)
    asked = {"max_purity": max_purity, "max_members": max_members, "concentration": concentration}
    if given is not None:
        _unused(asked, "abundances are given; leave it out")
        return _given(given, k)
    if field not in ("dirichlet", "patches"):
        _unused(
            {"concentration": concentration},
            f"the field {field!r} has none; choose dirichlet or patches",
        )
    limits: dict[str, Any] = {"max_members": n, "max_purity": cap}
    pure = pure and max_purity is None
    if field == "gaussian":
        return smooth_abundances(rng, k, size, pure, **limits)
    if field == "blocks":
        return block_abundances(rng, k, size, pure, **limits)
    draw = dirichlet_abundances if field == "dirichlet" else patch_abundances
    return draw(rng, k, size, pure, concentration=draws, **limits)


def _unused(keywords: dict[str, Any], why: str) -> None:
    for name, value in keywords.items():
        if value is not None:
            raise InputError(f"{name}: {why}")


def _max_members(n: int | None, k: int) -> int | None:
    if n is None:
        return None
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= k:
        raise InputError(f"max_members: got {n!r}; give a whole number from 1 to the {k} members")
    return int(n)


def _max_purity(cap: float | None, n: int, pure: bool) -> float:
    """The largest abundance, which n members a pixel must be able to keep to."""
    value = IMPURE if cap is None else cap
    if not isinstance(value, (int, float, np.number)) or not 0 < value <= 1:
        raise InputError(f"max_purity: got {cap!r}; give a fraction, above 0 to 1")
    if value * n < 1 - 1e-9 and not (pure and cap is None):
        raise InputError(
            f"max_purity: {n} member(s) of at most {value:g} cannot sum to 1; give {1 / n:.3g} or "
            "more, or allow more members"
        )
    return float(value)


def _concentration(concentration: ArrayLike | None, k: int) -> Array:
    try:
        value = np.asarray(1.0 if concentration is None else concentration, float)
    except (TypeError, ValueError):
        value = np.empty(0)
    good = value.shape in ((), (k,)) and ((value >= 1e-3) & (value <= 1e6)).all()
    if not good:
        raise InputError(
            f"concentration: got {concentration!r:.60}; give a number from 0.001 to 1e6, or one "
            f"for each of the {k} members"
        )
    return value


def _given(abundances: ArrayLike, k: int) -> Array:
    """The user's maps, exactly on the simplex; NaN in every member of a pixel without data."""
    A = np.asarray(abundances, float)
    if A.shape[-1] != k:
        raise InputError(f"abundances: {A.shape[-1]} maps for {k} endmembers; give one each")
    void = np.isnan(A).all(axis=-1)
    known = A[~void]
    if not known.size:
        raise InputError("abundances: no pixel has a value; give fractions that sum to 1")
    off = max(-known.min(), np.abs(known.sum(axis=-1) - 1).max())
    if not off <= SLACK:
        raise InputError(
            "abundances: not all pixels are fractions of 0 or more that sum to 1 (NaN in all "
            f"members where there is no data); off by {off:.3g}"
        )
    A = np.maximum(A, 0.0)
    return np.asarray(A / A.sum(axis=-1, keepdims=True))


def check_size(
    size: tuple[int, int] | None, abundances: ArrayLike | None = None
) -> tuple[int, int]:
    """Rows and columns of the scene.

    Raises
    ------
    InputError
        Not two whole numbers above 0, too many pixels, or not the size of `abundances`.
    """
    if abundances is not None:
        return _map_size(size, abundances)
    try:
        rows, cols = DEFAULT_SIZE if size is None else size
        good = all(int(n) == n and n > 0 for n in (rows, cols))
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        raise InputError(f"size: got {size!r}; give (rows, cols), each at least 1")
    if int(rows) * int(cols) > MOST_PIXELS:
        raise InputError(f"size: {rows} x {cols} is more than {MOST_PIXELS} pixels; give fewer")
    return int(rows), int(cols)


def _map_size(size: tuple[int, int] | None, abundances: ArrayLike) -> tuple[int, int]:
    try:
        shape = np.asarray(abundances, float).shape
    except (TypeError, ValueError):
        raise InputError("abundances: not an array of numbers; give (row, col, member)") from None
    if len(shape) != 3 or 0 in shape:
        raise InputError(f"abundances: got shape {shape}; give (row, col, member)")
    if size is not None and tuple(size) != shape[:2]:
        raise InputError(
            f"size: got {size!r}, the abundances are {shape[0]} x {shape[1]}; leave one of them out"
        )
    return shape[0], shape[1]
