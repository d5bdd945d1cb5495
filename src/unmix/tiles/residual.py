"""How well mixtures explain pixels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmix.parallel import over_pixels

if TYPE_CHECKING:
    from unmix.methods.base import Unmixer

__all__ = ["residuals"]

_CHUNK = 16_384  # pixels whose spectra are mixed at a time


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _compare(x: Any, fit: Any, scaled: bool, out: Any) -> None:
    """RMSE, angle and brightness of one pixel; sums in float64."""
    along = size = power = square = 0.0
    for j in range(len(x)):
        xj, fj = np.float64(x[j]), np.float64(fit[j])
        along += xj * fj
        size += xj * xj
        power += fj * fj
        square += (xj - fj) * (xj - fj)
    power, size = max(power, 1e-38), max(size, 1e-38)
    s = 1.0
    if scaled:
        s, square = along / power, 0.0
        for j in range(len(x)):
            off = x[j] - s * fit[j]
            square += off * off
    out[0] = np.sqrt(square / len(x))
    out[1] = np.arccos(min(max(along / np.sqrt(size * power), -1.0), 1.0))
    out[2] = s


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _mix(a: Any, E: Any, fit: Any) -> None:
    """Σ_k a[k] E[k] into `fit`, four members at a time."""
    fit[:] = 0
    k = 0
    while k + 4 <= len(a):
        p, q, r, s = a[k], a[k + 1], a[k + 2], a[k + 3]
        first, second, third, fourth = E[k], E[k + 1], E[k + 2], E[k + 3]
        for j in range(len(fit)):
            fit[j] += p * first[j] + q * second[j] + r * third[j] + s * fourth[j]
        k += 4
    while k < len(a):
        p, first = a[k], E[k]
        for j in range(len(fit)):
            fit[j] += p * first[j]
        k += 1


@njit(nogil=True, cache=True)
def _linear(X: Any, A: Any, E: Any, scaled: bool, out: Any, start: int, stop: int) -> int:
    """`_compare` for pixels X[i] and mixtures Σ_k A[i, k] E[k]."""
    fit = np.empty(E.shape[1], E.dtype)
    for i in range(start, stop):
        _mix(A[i], E, fit)
        _compare(X[i], fit, scaled, out[i])
    return 0


@njit(nogil=True, cache=True)
def _given(X: Any, F: Any, scaled: bool, out: Any, start: int, stop: int) -> int:
    """`_compare` for pixels X[i] and mixtures F[i]."""
    for i in range(start, stop):
        _compare(X[i], F[i], scaled, out[i])
    return 0


def residuals(
    estimator: Unmixer, X: NDArray[np.floating], A: NDArray[np.floating], scale: str
) -> NDArray[np.float32]:
    r"""How far pixels are from their mixtures: (pixel, 3).

    .. math:: \sqrt{\tfrac1L \sum_j (x_j - s f_j)^2},\quad
       \arccos \frac{x \cdot f}{\lVert x\rVert \lVert f\rVert},\quad s = \frac{x \cdot f}{f \cdot f}

    the root-mean-square error, the spectral angle [rad] and the brightness, f being the mixture of
    the abundances and s = 1 at scale "none".

    Parameters
    ----------
    estimator : Unmixer
        Fitted; its `inverse_transform` mixes.
    X : ndarray, shape (pixel, band)
    A : ndarray, shape (pixel, member)
    scale : str

    >>> from unmix.methods.linear import VCAFCLS
    >>> E = np.array([[0.1, 0.4, 0.3], [0.5, 0.2, 0.2]], np.float32)
    >>> model = VCAFCLS(endmembers=E, scale="shade").fit(E)
    >>> residuals(model, np.float32([2 * E[0]]), np.float32([[1, 0]]), "shade").round(5)
    array([[0., 0., 2.]], dtype=float32)
    """
    from unmix.methods.base import Unmixer

    out = np.empty((len(X), 3), np.float32)
    scaled = scale != "none"
    if type(estimator).inverse_transform is Unmixer.inverse_transform:
        mixed = np.ascontiguousarray(estimator.endmembers_, X.dtype)
        weights = np.ascontiguousarray(A, X.dtype)
        over_pixels(lambda a, b: _linear(X, weights, mixed, scaled, out, a, b), len(X))
        return out
    for start in range(0, len(X), _CHUNK):
        x, rows = X[start : start + _CHUNK], out[start : start + _CHUNK]
        fit = np.ascontiguousarray(estimator.inverse_transform(A[start : start + _CHUNK]), X.dtype)
        over_pixels(partial(_given, x, fit, scaled, rows), len(x))
    return out
