"""Successive projections."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_n_endmembers
from unmix.extract.reduce import projected, signal_subspace
from unmix.solve.engine import as_pixels

__all__ = ["spa"]


def spa(
    X: ArrayLike, n_endmembers: int, *, projective: bool = False, seed: int = 0
) -> NDArray[np.floating]:
    r"""Successive projection algorithm: the longest pixel, project it out, again.

    In the coordinates z of the scene's K-dimensional signal subspace,

        p_i = argmax ‖z‖,    z ← z − (uᵀz) u,   u = z_{p_i} / ‖z_{p_i}‖.

    Deterministic but for the sample that decides the subspace of scenes over 10 000 pixels. A
    vertex is the longest pixel only where pixels are equally bright; `projective` divides z by
    uᵀz, u the mean of z, which takes brightness out and keeps mixtures in a simplex (dividing by
    the norm would not: it puts all pixels on a sphere, where none is the longest).

    Parameters
    ----------
    X : array_like, shape (..., band)
    n_endmembers : int
    projective : bool
    seed : int

    Returns
    -------
    E : ndarray, shape (member, band)
        The picked pixels projected on the subspace.

    Raises
    ------
    InputError
        K out of range, NaN or infinite values.

    References
    ----------
    Araújo et al., Chemometr. Intell. Lab. 57(2), 2001; Gillis & Vavasis, IEEE TPAMI 36(4), 2014.

    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> sorted(spa(A @ E, 3).round(6).tolist()) == sorted(E.tolist())
    True
    """
    pixels = as_pixels(X)
    n = check_n_endmembers(n_endmembers, *pixels.shape)
    space = signal_subspace(pixels, n, affine=False, seed=seed)
    z = space.coordinates(pixels)
    left = (projected(z) if projective else z).astype(np.float64)
    if not np.isfinite(left.sum()):
        raise InputError("X: contains NaN or inf; mask those pixels first")
    picks = np.empty(n, np.intp)
    for i in range(n):
        picks[i] = np.argmax((left * left).sum(axis=1))
        u = left[picks[i]] / max(np.linalg.norm(left[picks[i]]), np.finfo(float).tiny)
        left -= np.outer(left @ u, u)
    return space.spectra(z[picks]).astype(pixels.dtype)
