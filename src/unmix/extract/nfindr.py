"""N-FINDR."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_n_endmembers
from unmix.extract.hyperplane import Hyperplane
from unmix.parallel import one_blas_thread, over_pixels
from unmix.solve.engine import as_pixels

__all__ = ["largest_simplex", "nfindr"]

Array = NDArray[np.float64]

_BLOCK = 1024  # pixels whose products stay in cache until their largest is known
_GROWTH = 1e-9  # relative: less is rounding


def nfindr(
    X: ArrayLike, n_endmembers: int, *, projective: bool = False, seed: int = 0, restarts: int = 1
) -> NDArray[np.floating]:
    r"""N-FINDR: the K pixels that span the largest simplex.

    In the K − 1 principal components z the volume is

    .. math:: V = |\det Y| / (K-1)!, \qquad Y = [y_1 … y_K], \quad y = (z, 1),

    and pixel n in the place of vertex i multiplies it by :math:`|(Y^{-1} y_n)_i|`: one product a
    pixel, no determinant. A pass takes the vertices in turn; each is replaced at once by the pixel
    that enlarges the volume most, if one does. Passes end when one replaces nothing, so that no
    exchange of one vertex enlarges the simplex, or after 3 K.

    The start is grown: the pixel farthest from the mean, then always the one farthest from the
    hull of those before. `restarts` grow from pixels that are extreme in seeded random directions.

    Parameters
    ----------
    X : array_like, shape (..., band)
    n_endmembers : int
        K.
    projective : bool
        Take brightness out first (`Hyperplane.of`).
    seed : int
        Of the further starts, and of the sample that decides the subspace of large scenes.
    restarts : int
        Starts, of whose simplices the largest is kept.

    Returns
    -------
    E : ndarray, shape (member, band)
        The pixels projected on the subspace.

    Raises
    ------
    InputError
        K out of range or more than the pixels span, NaN or infinite values.

    References
    ----------
    Winter, Proc. SPIE 3753, 1999.

    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> sorted(nfindr(A @ E, 3).round(6).tolist()) == sorted(E.tolist())
    True
    """
    pixels = as_pixels(X)
    n = check_n_endmembers(n_endmembers, *pixels.shape)
    if isinstance(restarts, bool) or not isinstance(restarts, int) or not 1 <= restarts <= 10_000:
        raise InputError(f"restarts: got {restarts!r}; give a whole number from 1 to 10000")
    plane = Hyperplane.of(pixels, n, projective=projective, seed=seed)
    picks = largest_simplex(plane.points, seed=seed, restarts=restarts)[0]
    return plane.pixels(pixels, picks).astype(pixels.dtype)


def largest_simplex(
    z: Array, *, seed: int = 0, restarts: int = 1, max_passes: int | None = None
) -> tuple[NDArray[np.intp], int]:
    """Columns of z (K − 1, pixel) that no exchange of one makes larger, and the passes taken.

    >>> z = np.array([[0.0, 0.1, 1.0, 0.3, 0.2], [0.0, 0.5, 0.1, 0.3, 1.0]])
    >>> sorted(largest_simplex(z)[0].tolist())
    [0, 2, 4]
    """
    rng = np.random.default_rng(seed)
    best, volume, most = np.empty(0, np.intp), -np.inf, 0
    with one_blas_thread():
        for attempt in range(restarts):
            if attempt == 0:
                first = int(np.argmax((z * z).sum(axis=0)))
            else:
                first = int(np.argmax(rng.standard_normal(len(z)) @ z))
            picks, passes = exchange(z, _grown(z, first), max_passes)
            size = float(np.linalg.slogdet(_vertices(z, picks))[1])
            if size > volume:
                best, volume, most = picks, size, passes
    return best, most


def exchange(
    z: Array, picks: NDArray[np.intp], max_passes: int | None = None
) -> tuple[NDArray[np.intp], int]:
    """Passes over the vertices from a start of K columns of z, until one changes nothing."""
    picks = picks.copy()
    n = len(picks)
    for number in range(3 * n if max_passes is None else max_passes):
        changed = False
        for i in range(n):
            c = np.linalg.inv(_vertices(z, picks))[i]
            ratio, row = _farthest(z, c)
            if ratio > 1 + _GROWTH and row != picks[i]:
                picks[i], changed = row, True
        if not changed:
            return picks, number + 1
    return picks, 3 * n if max_passes is None else max_passes


def _vertices(z: Array, picks: NDArray[np.intp]) -> Array:
    """Y (K, K): the picks' coordinates with a row of ones below."""
    return np.vstack([z[:, picks], np.ones(len(picks))])


def _grown(z: Array, first: int) -> NDArray[np.intp]:
    """K columns of z: `first`, then always the one farthest from the hull of those before."""
    picks = np.empty(len(z) + 1, np.intp)
    picks[0] = first
    left = z - z[:, [first]]
    for i in range(len(z)):
        picks[i + 1] = np.argmax((left * left).sum(axis=0))
        u = left[:, picks[i + 1]] / np.linalg.norm(left[:, picks[i + 1]])
        left -= np.outer(u, u @ left)
    return picks


def _farthest(z: Array, c: Array) -> tuple[float, int]:
    """Largest |cᵀ(z, 1)| of the columns of z and the first column that has it."""
    found: dict[int, tuple[float, int]] = {}

    def kernel(start: int, stop: int) -> int:
        found[start] = _farthest_of(z, c, start, stop)
        return 0

    over_pixels(kernel, z.shape[1])
    return max((found[start] for start in sorted(found)), key=lambda pair: pair[0])


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz", "contract", "reassoc"})
def _farthest_of(z: Any, c: Any, start: int, stop: int) -> Any:
    s = np.empty(_BLOCK)
    best, row = -1.0, start
    for begin in range(start, stop, _BLOCK):
        size = min(begin + _BLOCK, stop) - begin
        for j in range(size):
            s[j] = c[len(c) - 1]
        for k in range(len(c) - 1):
            for j in range(size):
                s[j] += c[k] * z[k, begin + j]
        top = -1.0
        for j in range(size):
            top = max(top, abs(s[j]))
        if top > best:
            best = top
            for j in range(size):
                if abs(s[j]) == top:
                    row = begin + j
                    break
    return best, row
