"""Shared driver of the exact solvers: project, pivot, hand stragglers to the active set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_endmembers
from unmix.parallel import over_pixels
from unmix.solve.active_set import active_set
from unmix.solve.dots import project_rows
from unmix.solve.pivot import TABLE_MAX, make_table, pivot_general, pivot_table
from unmix.solve.quadratic import Quadratic, factor

__all__ = ["as_pixels", "check_members", "solve_all", "solve_factored"]

_BLOCK = 256  # pixels projected before they are pivoted: their coefficients stay in cache
_CONDITION_MAX = 1e5  # above it H (cond²) has lost the digits that 1e-5 of an abundance needs
_FLOAT32_ERROR = 5e-7  # largest rounding of a⁰ that float32 sums may cause
_GAVE_UP, _NOT_FINITE = 1, 2  # marks of pixels the kernels did not answer


@njit(nogil=True, cache=True, inline="always")
def _feasible(C: Any, row: int, mean: Any, a0: Any) -> int:
    """a⁰ = C + mean; 1 when it is the answer, 0 when some entry is negative, −1 when not finite."""
    lowest, total = np.inf, 0.0
    for k in range(len(mean)):
        a = C[row, k] + mean[k]
        a0[k] = a
        total += a
        lowest = min(lowest, a)
    if not np.isfinite(total):
        return -1
    return 1 if lowest >= 0.0 else 0


@njit(nogil=True, cache=True, inline="always")
def _store(v: Any, one: bool, out: Any, i: int) -> None:
    """Write abundances, scaled to sum to one (FCLS) where rounding left them beside it."""
    total = 0.0
    if one:
        for k in range(len(v)):
            total += v[k]
    scale = 1.0 / total if one else 1.0
    for k in range(len(v)):
        out[i, k] = v[k] * scale


@njit(nogil=True, cache=True)
def _run_table(
    X: Any, W: Any, centre: Any, mean: Any, table: Any, usable: Any, scale: float, one: bool,
    out: Any, todo: Any, start: int, stop: int,
) -> int:  # fmt: skip
    n_members = len(mean)
    C = np.empty((_BLOCK, n_members), W.dtype)
    a0, v = np.empty(n_members), np.empty(n_members)
    pivoted = 0
    for begin in range(start, stop, _BLOCK):
        end = min(begin + _BLOCK, stop)
        project_rows(X, W, centre, C, begin, end)
        for i in range(begin, end):
            state = _feasible(C, i - begin, mean, a0)
            if state == 1:
                _store(a0, one, out, i)
                continue
            pivoted += 1
            if state < 0:
                todo[i] = _NOT_FINITE
            elif pivot_table(a0, table, usable, scale, v):
                _store(v, one, out, i)
            else:
                todo[i] = _GAVE_UP
    return pivoted


@njit(nogil=True, cache=True)
def _run_general(
    X: Any, W: Any, centre: Any, mean: Any, H: Any, G: Any, scale: float, one: bool,
    out: Any, todo: Any, start: int, stop: int,
) -> int:  # fmt: skip
    n_members = len(mean)
    C = np.empty((_BLOCK, n_members), W.dtype)
    a0, v = np.empty(n_members), np.empty(n_members)
    held = np.zeros(n_members, np.bool_)
    A = np.empty((n_members, n_members))
    b, g, u = np.empty(n_members), np.empty(n_members), np.empty(n_members)
    index = np.empty(n_members, np.int64)
    pivoted = 0
    for begin in range(start, stop, _BLOCK):
        end = min(begin + _BLOCK, stop)
        project_rows(X, W, centre, C, begin, end)
        for i in range(begin, end):
            state = _feasible(C, i - begin, mean, a0)
            if state == 1:
                _store(a0, one, out, i)
                continue
            pivoted += 1
            if state < 0:
                todo[i] = _NOT_FINITE
            elif pivot_general(a0, H, G, scale, one, held, v, A, b, g, u, index):
                _store(v, one, out, i)
            else:
                todo[i] = _GAVE_UP
    return pivoted


def as_pixels(X: ArrayLike, name: str = "X") -> NDArray[np.floating]:
    """X as a C-contiguous float array of shape (pixel, band): no copy when it already is one.

    >>> as_pixels([[[1, 2], [3, 4]]]).shape
    (2, 2)
    """
    array = np.asarray(X)
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "iufb":
            raise InputError(f"{name}: got dtype {array.dtype}; give real numbers")
        array = array.astype(np.float64)
    if array.ndim < 1 or array.size == 0:
        raise InputError(f"{name}: got shape {array.shape}; give (..., band) with pixels in it")
    return np.ascontiguousarray(array.reshape(-1, array.shape[-1]))


def _sum_dtype(problem: Quadratic, X: NDArray[np.floating]) -> type:
    """float32 sums when their rounding stays below `_FLOAT32_ERROR` of an abundance.

    The choice looks at the endmembers alone, so a pixel's answer does not depend on its company.
    """
    if X.dtype != np.float32:
        return np.float64
    spread = np.abs(problem.E - problem.centre).max(axis=1)
    rounding = np.finfo(np.float32).eps * np.linalg.norm(problem.W, axis=1).max() * spread.max()
    return np.float32 if rounding < _FLOAT32_ERROR else np.float64


def solve_all(X: ArrayLike, E: ArrayLike, *, sum_to_one: bool) -> tuple[NDArray[np.floating], int]:
    """Abundances of all pixels and how many had a member at zero.

    Raises
    ------
    InputError
        Shapes that do not fit, more than 64 members, NaN or infinite values.
    """
    pixels = as_pixels(X)
    problem = factor(check_members(E, pixels.shape[1]), sum_to_one=sum_to_one)
    out, pivoted = solve_factored(pixels, problem)
    return out.reshape(*np.shape(X)[:-1], len(problem.E)), pivoted


def check_members(E: ArrayLike, n_bands: int) -> NDArray[np.floating]:
    """Endmembers (member, band) that the solvers take: 64 at most."""
    members = check_endmembers(E, n_bands)
    if len(members) > 64:
        raise InputError(
            f"endmembers: got {len(members)}; at most 64 are supported; give "
            "fewer, such as the mean of each class"
        )
    return members


def solve_factored(
    pixels: NDArray[np.floating], problem: Quadratic
) -> tuple[NDArray[np.floating], int]:
    """Abundances (pixel, member) of pixels from `as_pixels`, and how many had a member at zero."""
    out = np.empty((len(pixels), len(problem.E)), pixels.dtype)
    todo = np.zeros(len(pixels), np.int8)
    if problem.condition > _CONDITION_MAX:
        todo[:] = _GAVE_UP
        pivoted = len(pixels)
        if not np.isfinite(pixels).all():
            raise InputError("X: contains NaN or inf; mask those pixels first")
    else:
        pivoted = _pivot(pixels, problem, out, todo)
        bad = int((todo == _NOT_FINITE).sum())
        if bad:
            raise InputError(f"X: contains NaN or inf in {bad} pixels; mask them first")
    for i in np.flatnonzero(todo):
        R, c = problem.coordinates(pixels[i])
        out[i] = active_set(R, c, sum_to_one=problem.sum_to_one)
    return out, pivoted


def _pivot(
    pixels: NDArray[np.floating], problem: Quadratic, out: NDArray[np.floating], todo: NDArray
) -> int:
    """Run the compiled kernels over all pixels; marks in `todo` what they gave up on."""
    dtype = _sum_dtype(problem, pixels)
    W: NDArray[np.floating] = problem.W.astype(dtype)
    centre: NDArray[np.floating] = problem.centre.astype(dtype)
    mean, H, G, one = problem.start, problem.H, problem.G, problem.sum_to_one
    scale = float(np.abs(G).max())
    if len(W) > TABLE_MAX:
        return over_pixels(
            lambda a, b: _run_general(pixels, W, centre, mean, H, G, scale, one, out, todo, a, b),
            len(pixels),
        )
    table, usable = make_table(H, G, one)
    return over_pixels(
        lambda a, b: _run_table(
            pixels, W, centre, mean, table, usable, scale, one, out, todo, a, b
        ),
        len(pixels),
    )
