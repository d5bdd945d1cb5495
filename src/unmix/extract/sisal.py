"""SISAL: the smallest simplex around the pixels, where no pixel needs to be pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_n_endmembers
from unmix.extract.facets import WIDTHS, smallest_simplex
from unmix.extract.hyperplane import Hyperplane
from unmix.extract.nfindr import largest_simplex
from unmix.extract.reduce import SAMPLE, sample_rows
from unmix.solve.engine import as_pixels

__all__ = ["Identified", "identify", "sisal"]

Array = NDArray[np.float64]

_FEWEST, _MOST = 0.005, 0.1  # share outside a facet that noise is believed to explain
_ROUNDS = 6  # of share and simplex in turn
_COARSE = 5  # widths a sample of the pixels is solved at: to tell the share, and for a start
_FINE = 2  # width with which all pixels go on from there


@dataclass(frozen=True, eq=False)
class Identified:
    """Endmembers with the share of pixels outside each facet and how the search ended."""

    endmembers: NDArray[np.floating]
    outside: float
    tau: float
    objective: list[float]
    status: str


def sisal(
    X: ArrayLike,
    n_endmembers: int,
    *,
    outside: float | None = None,
    projective: bool = False,
    seed: int = 0,
) -> NDArray[np.floating]:
    r"""Simplex identification: the smallest simplex that leaves few pixels outside.

    In the K − 1 principal components z, with s = Q (z, 1) a pixel's abundances,

    .. math:: \min_Q \; -\log|\det Q| + τ \sum_n \sum_i \max(0, -s_{in}), \qquad
              \sum_i s_{in} = 1 .

    The published algorithm alternates quadratic approximations and variable splitting; this
    minimises the same objective by Newton steps (`unmix.extract.facets`), from the N-FINDR simplex.
    Setting its derivative to zero shows what τ does: every facet leaves the same number of pixels
    outside, near (K − 1)/τ, whatever the scene's size. So the share `outside` is the parameter,
    τ = (K − 1) / (outside · pixels); a share below one pixel is the smallest simplex around all.
    Left out, it is what noise would put there: with σ_i the noise's standard deviation in the
    abundance of facet i, and abundances spread evenly over the simplex,

    .. math:: ρ = 0.4 \, (K - 1) \, \bar σ, \qquad 0.005 ≤ ρ ≤ 0.1 ,

    found in turn with the simplex. Noise is what the subspace leaves of the pixels.

    Spectra of vertices can leave what is physical: a value below zero becomes a thousandth of the
    band's mean, or, where pixels themselves are below zero, no less than the lowest of them.
    Vertices far from all pixels are extrapolated: abundances can be right with useless spectra.

    Parameters
    ----------
    X : array_like, shape (..., band)
    n_endmembers : int
        K.
    outside : float, optional
        Share of the pixels outside each facet, above 0, at most 0.5.
    projective : bool
        Take brightness out first (`Hyperplane.of`).
    seed : int
        Of the sample that decides the subspace of large scenes.

    Returns
    -------
    E : ndarray, shape (member, band)

    Raises
    ------
    InputError
        K out of range or more than the pixels span, NaN or infinite values, `outside`.

    References
    ----------
    Bioucas-Dias, WHISPERS 2009; Li et al., IEEE TGRS 53(9), 2015 (MVSA).

    >>> rng = np.random.default_rng(0)
    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = rng.dirichlet(np.ones(3), 2000)
    >>> found = sisal(A[A.max(axis=1) < 0.8] @ E, 3, outside=1e-6)  # no pixel is pure
    >>> bool(np.abs(np.sort(found, axis=0) - np.sort(E, axis=0)).max() < 0.02)
    True
    """
    return identify(X, n_endmembers, outside=outside, projective=projective, seed=seed).endmembers


def identify(
    X: ArrayLike,
    n_endmembers: int,
    *,
    outside: float | None = None,
    projective: bool = False,
    seed: int = 0,
) -> Identified:
    """`sisal` with the share it chose and how the search ended."""
    pixels = as_pixels(X)
    n = check_n_endmembers(n_endmembers, *pixels.shape)
    if outside is not None and not 0 < outside <= 0.5:
        raise InputError(f"outside: got {outside!r}; give a share above 0 and at most 0.5")
    plane = Hyperplane.of(pixels, n, projective=projective, seed=seed)
    z = plane.points
    picks, _ = largest_simplex(z, seed=seed)
    Q = np.linalg.inv(np.vstack([z[:, picks], np.ones(n)]))
    few = np.ascontiguousarray(z[:, sample_rows(z.shape[1], SAMPLE, seed)])
    history: list[float] = []
    share = outside if outside is not None else 2 * _FEWEST
    widths: tuple[float, ...] = WIDTHS[:_COARSE]
    for _ in range(_ROUNDS if outside is None else 1):
        found = smallest_simplex(few, Q, _tau(n, share, few), widths)
        history += found.objective
        Q, before = found.Q, share
        if outside is None:
            sigma = float(plane.noise_along(Q[:, :-1]).mean())
            share = float(np.clip(0.4 * (n - 1) * sigma, _FEWEST, _MOST))
        if abs(share - before) <= 0.1 * before:
            break
        widths = WIDTHS[1:_COARSE]
    found = smallest_simplex(z, Q, _tau(n, share, z), WIDTHS[_FINE:])
    history += found.objective
    n_steps = len(history)
    status = (
        f"Converged after {n_steps} iterations."
        if found.converged
        else f"Stopped after {n_steps} iterations: no step lowers the objective."
    )
    E = _physical(plane.spectra(found.vertices), pixels).astype(pixels.dtype)
    return Identified(E, share, _tau(n, share, z), history, status)


def _tau(n: int, share: float, z: Array) -> float:
    """The hinge's weight that leaves `share` of the pixels outside each facet."""
    return (n - 1) / max(share * z.shape[1], 0.1)


def _physical(E: Array, X: NDArray[np.floating]) -> Array:
    """Spectra no lower than a thousandth of the band's mean, or than its lowest pixel below 0."""
    lowest = X.min(axis=0).astype(np.float64)
    faint = 1e-3 * X.mean(axis=0, dtype=np.float64)
    return np.maximum(E, np.where(lowest < 0, lowest, faint))
