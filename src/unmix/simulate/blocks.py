"""Abundances with edges: squares on a background, a mosaic of patches.

Everything is drawn from a `numpy.random.Generator`; the same generator state gives the same map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from unmix.simulate.fields import IMPURE, Array, capped, sparsest

__all__ = ["block_abundances", "mosaic", "patch_abundances"]

MOST_MIXED = 5
"""The most rows of squares: pure, two mixed, ... five mixed."""
MARGIN = 0.2
"""Background on each side of a square, as a share of its cell."""
PATCHES = 12
"""Patches of a mosaic, for each member."""


def block_abundances(
    rng: np.random.Generator,
    k: int,
    size: tuple[int, int],
    pure: bool = True,
    *,
    max_members: int | None = None,
    max_purity: float = IMPURE,
) -> Array:
    """Squares on a mixed background, shape (row, col, member).

    Along the longer side a square for each member; across, a first line of pure squares, a second
    in which two members mix in equal parts, and so on to five (or `max_members`). The order of the
    members and the background, one mixture everywhere, are random. Without `pure` no abundance
    exceeds `max_purity`. The layout is the synthetic scene of Iordache et al.

    References
    ----------
    Iordache, M.-D., Bioucas-Dias, J., Plaza, A. (2012). Total variation spatial regularization for
    sparse hyperspectral unmixing. IEEE TGRS 50(11).

    >>> A = block_abundances(np.random.default_rng(0), 3, (60, 75))
    >>> len(np.unique(A.reshape(-1, 3).round(9), axis=0))   # 3 pure, 3 of two, all, background
    8
    """
    order, background = rng.permutation(k), rng.dirichlet(np.full(k, 2.0))
    most = min(k, MOST_MIXED, max_members or k)
    A = np.empty((*size, k))
    A[:] = sparsest(background, max_members)
    across, along = (0, 1) if size[1] >= size[0] else (1, 0)
    line, in_line = _cells(size[across], most)
    column, in_column = _cells(size[along], k)
    for n in range(most):
        for first in range(k):
            square = np.zeros(k)
            square[order[(first + np.arange(n + 1)) % k]] = 1 / (n + 1)
            inside = (line == n) & in_line, (column == first) & in_column
            A[np.ix_(inside[across], inside[along])] = square
    return A if pure else capped(A, max_purity, max_members)


def patch_abundances(
    rng: np.random.Generator,
    k: int,
    size: tuple[int, int],
    pure: bool = True,
    *,
    concentration: ArrayLike = 1.0,
    max_members: int | None = None,
    max_purity: float = IMPURE,
) -> Array:
    """A mosaic of patches, each of one Dirichlet mixture; shape (row, col, member).

    With `pure`, one patch in four is of one member alone, each member at least once where there
    are patches enough. Keywords as in `dirichlet_abundances`.

    >>> A = patch_abundances(np.random.default_rng(0), 3, (60, 75))
    >>> A.max(axis=(0, 1)), len(np.unique(A.reshape(-1, 3), axis=0)) <= 36
    (array([1., 1., 1.]), True)
    """
    label = mosaic(rng, size, PATCHES * k)
    n = int(label.max()) + 1
    alpha = np.broadcast_to(np.asarray(concentration, float), k)
    mixtures = sparsest(rng.dirichlet(alpha, n), max_members)
    if pure:
        alone = max(k, n // 4)
        mixtures[:alone] = np.eye(k)[np.arange(min(alone, n)) % k]
    else:
        mixtures = capped(mixtures, max_purity, max_members)
    return mixtures[label]


def mosaic(rng: np.random.Generator, size: tuple[int, int], n: int) -> NDArray[np.intp]:
    """Patches 0 ... n - 1 of a Voronoi mosaic, shape (row, col), none empty; fewer on few pixels.

    >>> np.bincount(mosaic(np.random.default_rng(0), (40, 50), 4).ravel()).min() > 0
    np.True_
    """
    pixels = np.indices(size).reshape(2, -1).T
    sites = rng.choice(len(pixels), min(n, len(pixels)), replace=False)
    label = cKDTree(pixels[sites]).query(pixels)[1]
    return np.asarray(label, np.intp).reshape(size)


def _cells(length: int, n: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """For each pixel of a side its cell out of n, and whether it is inside the square there."""
    place = (np.arange(length) + 0.5) * n / length
    cell = place.astype(np.intp)
    wide = length >= 5 * n  # too narrow for a margin otherwise
    inside = np.abs(place - cell - 0.5) < 0.5 - MARGIN if wide else np.ones(length, bool)
    return cell, inside
