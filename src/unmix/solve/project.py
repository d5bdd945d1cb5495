"""One pass over the pixels, C = (X − centre) Wᵀ, at the speed of reading X.

A thin product (n × L)·(L × K) is bound by memory, and BLAS reaches a third of that on it. Here a
pixel's spectrum is read once and multiplied with up to eight rows of W at a time, sums in vector
registers (`unmix.solve.dots`). W decides the precision of the sums: float32 for well-conditioned
endmembers, float64 otherwise, whatever the pixels are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmix.parallel import over_pixels
from unmix.solve.dots import project_rows

__all__ = ["project"]


def project(
    X: NDArray[np.floating], W: NDArray[np.floating], centre: NDArray[np.floating] | None = None
) -> NDArray[np.floating]:
    """(X − centre) Wᵀ with sums in W's dtype.

    Parameters
    ----------
    X : ndarray, shape (pixel, band), C-contiguous
    W : ndarray, shape (component, band)
    centre : ndarray, shape (band,), optional

    Returns
    -------
    C : ndarray, shape (pixel, component), of W's dtype

    >>> project(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
    array([[11.,  2.]])
    """
    W = np.ascontiguousarray(W)
    shift = np.zeros(W.shape[1], W.dtype) if centre is None else centre.astype(W.dtype)
    C = np.empty((len(X), len(W)), W.dtype)

    def kernel(start: int, stop: int) -> int:
        project_rows(X, W, shift, C[start:stop], start, stop)
        return 0

    over_pixels(kernel, len(X))
    return C
