"""The linear model, and the check that abundances and endmembers fit each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError

__all__ = ["agree", "linear", "weighted_sum"]

Array = NDArray[np.floating]


def linear(A: ArrayLike, E: ArrayLike) -> Array:
    """Linear mixing model, x = Σ_i a_i e_i.

    Raises
    ------
    InputError
        The member counts of `A` and `E` differ, or `E` is not (member, band).

    >>> linear([[0.5, 0.5]], [[0.2, 0.4], [0.6, 0.0]])
    array([[0.4, 0.2]])
    """
    return weighted_sum(*agree(A, E))


def weighted_sum(A: Array, E: Array) -> Array:
    """Σ_i a_i e_i over the last axis of A; E one for all pixels or one a pixel."""
    if E.ndim == 2:
        return A @ E
    mixed: Array = (A[..., None, :] @ E)[..., 0, :]
    return mixed


def agree(A: ArrayLike, E: ArrayLike) -> tuple[Array, Array]:
    """Both as floating arrays whose shapes fit.

    Raises
    ------
    InputError
        They do not.
    """
    a, e = np.asarray(A), np.asarray(E)
    a = a if a.dtype.kind == "f" else a.astype(float)
    e = e if e.dtype.kind == "f" else e.astype(float)
    fits = e.ndim >= 2 and a.ndim >= 1 and a.shape[-1] == e.shape[-2]
    if not fits or (e.ndim > 2 and a.shape != e.shape[:-1]):
        raise InputError(
            f"A, E: got shapes {a.shape} and {e.shape}; give (..., member) and (member, band)"
        )
    return a, e
