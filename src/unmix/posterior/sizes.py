r"""Sizes of endmembers where brightness varies, which no pixel's spectrum can tell.

Shares b of members of equal size, seen at brightness t, are abundances a_k ∝ b_k / c_k of members
of sizes c at brightness s = Σ_k t b_k / c_k. Taken are the sizes with which log s varies least
between neighbours: slopes and shadows are larger than pixels, and where only materials change s
should not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from unmix.extract.reduce import sample_rows
from unmix.posterior.fit import Fit, abundances_of
from unmix.posterior.observe import Lens, View

__all__ = ["least_varying", "sizes"]

Array = NDArray[np.float64]

_PAIRS = 8000  # of neighbours, or pixels that have none
_APART = 3  # pixels between neighbours: nearer ones hardly differ, and noise does


def sizes(lens: Lens, view: View, by: Fit, image: tuple[int, int] | None, seed: int) -> Array:
    """Sizes (member,) of a fit's members, median 1, from neighbours or scattered pixels."""
    rng = np.random.default_rng(seed)
    pairs = None
    if image is None or image[1] <= _APART:
        rows = np.arange(len(view.Y))[sample_rows(len(view.Y), _PAIRS, seed)]
    else:
        row, column = np.divmod(
            rng.permutation(image[0] * (image[1] - _APART))[:_PAIRS], image[1] - _APART
        )
        left = row * image[1] + column
        rows = np.concatenate([left, left + _APART])
        pairs = np.arange(len(rows)).reshape(2, -1).T
    found = abundances_of(
        view.Y[rows], lens.white, by.vertices, by.surface, by.log_shares, view.noise[rows]
    )
    return least_varying(found.mean, view.brightness[rows], pairs)


def least_varying(b: Array, brightness: Array, pairs: NDArray[np.intp] | None = None) -> Array:
    """Sizes c (member,), median 1, with which log Σ_k t_i b_ik / c_k varies least.

    Between pixels of `pairs` (pair, 2), neighbours say, if they are given; else over all of them.

    >>> rng = np.random.default_rng(0)
    >>> a, c = rng.dirichlet(np.ones(3), 500), np.array([0.5, 1.0, 2.0])
    >>> b = a * c / (a * c).sum(axis=1, keepdims=True)
    >>> least_varying(b, rng.uniform(0.9, 1.1, 500) * (a * c).sum(axis=1)).round(1)
    array([0.5, 1. , 2. ])
    """
    tb = np.maximum(b * brightness[:, None], 1e-9)

    def differences(v: Array) -> Array:
        return v - v.mean(axis=0) if pairs is None else v[pairs[:, 0]] - v[pairs[:, 1]]

    def spread(q: Array) -> tuple[float, Array]:
        w = tb * np.exp(-q)
        s = w.sum(axis=1)
        apart = differences(np.log(s))
        slope = differences(-w / s[:, None])
        return float((apart**2).mean()), 2 * (apart[:, None] * slope).mean(axis=0)

    found = minimize(spread, np.zeros(tb.shape[1]), jac=True, method="L-BFGS-B",
                     bounds=[(-4.0, 4.0)] * tb.shape[1])  # fmt: skip
    c = np.exp(found.x)
    out: Array = c / np.median(c)
    return out
