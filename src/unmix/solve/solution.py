"""Abundances with their proof."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from unmix.solve.engine import solve_all
from unmix.solve.optimality import kkt_residual
from unmix.types import Solution

__all__ = ["solve"]

_CHUNK = 65_536  # pixels proved at a time
_EXACT = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-8}


def solve(X: ArrayLike, E: ArrayLike, *, sum_to_one: bool = True) -> Solution:
    """FCLS (or NNLS, without `sum_to_one`) with the optimality of every pixel checked.

    Parameters
    ----------
    X : array_like, shape (..., band)
    E : array_like, shape (member, band)
    sum_to_one : bool

    Returns
    -------
    Solution
        `abundances` as `fcls` or `nnls` give them; `kkt` the largest violation of the
        Karush-Kuhn-Tucker conditions (see `kkt_residual`); `n_pivoted` pixels with a member at
        zero; `status` says whether that is exact for the float type.

    Raises
    ------
    InputError
        Shapes that do not fit, NaN or infinite values.

    >>> E = np.array([[1.0, 0.0, 0.2], [0.1, 0.8, 0.3], [0.0, 0.3, 0.9]])
    >>> found = solve(np.array([[0.25, 0.0, 0.75], [1.2, -0.2, 0.0]]) @ E, E)
    >>> found.status, found.n_pivoted, found.kkt < 1e-12
    ('Solved exactly: optimality conditions hold in all 2 pixels.', 1, True)
    """
    A, n_pivoted = solve_all(X, E, sum_to_one=sum_to_one)
    pixels = np.asarray(X).reshape(-1, np.shape(X)[-1])
    rows = A.reshape(-1, A.shape[-1])
    kkt = max(
        float(kkt_residual(pixels[part], E, rows[part], sum_to_one=sum_to_one).max())
        for part in (slice(i, i + _CHUNK) for i in range(0, len(rows), _CHUNK))
    )
    if kkt <= _EXACT[A.dtype]:
        status = f"Solved exactly: optimality conditions hold in all {len(rows)} pixels."
    else:
        status = f"Not exact: optimality conditions are violated by up to {kkt:.1e}."
    return Solution(A, kkt, status, n_pivoted)
