r"""Known endmembers completed: the members that, with those given, span the largest simplex.

With the given e_1 … e_g on a flat, what a pixel has beyond it is r = x − P x, P the projection on
the flat through them; the volume of the simplex of the given and of f pixels more is that of the
given times :math:`|\det [z_1 … z_f]|`, z the coordinates of r. The given need not lie among the
pixels, nor have any weight in them: the free members are the largest determinant of what they
leave.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.extract.reduce import sample_rows
from unmix.scaling import normalise, typical_brightness, well_lit
from unmix.subspace import estimate_noise

__all__ = ["beyond", "completed"]

Array = NDArray[np.float64]

_SAMPLE = 20_000  # pixels that decide the coordinates
_GROWTH = 1e-9  # relative: less is rounding
_DIRECTION_SNR = 100.0
_ACROSS = 0.1  # of the mean's length along itself: what is nearly at right angles has no place
_LEAST = 1e-6  # of the pixels' power: what is left beyond the given is rounding


def completed(
    X: NDArray[np.floating],
    E: NDArray[np.floating],
    n_endmembers: int,
    *,
    scale: str = "none",
    seed: int = 0,
) -> NDArray[np.floating]:
    """Endmembers (K, band): the given E first, as they are, then those that complete them.

    Parameters
    ----------
    X : ndarray, shape (pixel, band)
    E : ndarray, shape (member, band)
        Fewer than K.
    n_endmembers : int
        K.
    scale : {"none", "l2", "max", "shade"}
        With any but "none" brightness does not count (x / uᵀx, u the mean direction), and the free
        members get that of the pixels like them.
    seed : int
        Of the sample that decides the coordinates.

    Raises
    ------
    InputError
        The pixels hold no more members than those given.

    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((4, 30))
    >>> A = np.vstack([np.eye(4), rng.dirichlet(np.ones(4), 500)])
    >>> found = completed(A @ E, E[:2], 4)
    >>> order = np.argsort(found[2:, 0])
    >>> bool(np.allclose(found[2:][order], E[2:][np.argsort(E[2:, 0])]))
    True
    """
    n_free = n_endmembers - len(E)
    if n_free < 1:
        return E
    free: NDArray[np.floating]
    if scale == "none":
        free = beyond(X, E, n_free, seed=seed)
    else:
        bright = X[well_lit(X, n_endmembers, seed, snr=_DIRECTION_SNR)]
        unit, size = normalise(bright, "l2")
        found = beyond(*_on_plane(unit, E), n_free, seed=seed)
        free = typical_brightness(unit, size, found.astype(X.dtype))
    return np.vstack([np.asarray(E, X.dtype), np.asarray(free, X.dtype)])


def beyond(
    X: NDArray[np.floating], E: NDArray[np.floating], n_free: int, *, seed: int = 0
) -> Array:
    """Spectra (free, band) of the pixels X (pixel, band) that enlarge the simplex of E most.

    The picks are what the flat of E and the f strongest directions beyond it hold of them: bands
    weigh by their noise, and most of the noise stays behind.

    Raises
    ------
    InputError
        There is nothing beyond the given.
    """
    rows = sample_rows(len(X), _SAMPLE, seed)
    sigma = estimate_noise(X[rows], seed=seed).sigma
    floor = 1e-3 * float(np.median(sigma)) + 1e-9 * float(np.abs(X[rows]).max())
    weight = 1.0 / np.maximum(sigma, floor)
    given = np.asarray(E, np.float64) * weight
    origin = given[0]
    flat = _orthonormal(given[1:] - origin)
    few = _left(X[rows] * weight, origin, flat)
    power, axes = np.linalg.eigh(few.T @ few / len(few))
    usual = float(((X[rows] * weight) ** 2).sum(axis=1).mean())
    if not power[-n_free] > _LEAST * usual:
        raise InputError(
            f"n_endmembers: {len(E) + n_free} members, but the pixels hold none beyond the "
            f"{len(E)} given; give fewer"
        )
    axes = axes[:, ::-1][:, :n_free]
    z = (np.asarray(X @ (weight[:, None] * axes).astype(X.dtype), float) - origin @ axes).T
    picks = _largest(z)
    chosen = np.asarray(X[picks], np.float64) * weight
    along = (chosen - origin) @ flat.T @ flat + origin
    out: Array = (along + z[:, picks].T @ axes.T) / weight
    return out


def _on_plane(
    unit: NDArray[np.floating], E: NDArray[np.floating]
) -> tuple[NDArray[np.floating], Array]:
    """Directions and members divided by uᵀx: mixtures fill a simplex there; dark ones go."""
    u = unit.mean(axis=0, dtype=np.float64)
    u /= float(u @ u)
    along = unit @ u.astype(unit.dtype)
    keep = along > _ACROSS
    given = np.asarray(E, np.float64)
    return unit[keep] / along[keep, None], given / np.maximum(given @ u, _ACROSS)[:, None]


def _left(Y: NDArray[np.floating], origin: Array, flat: Array) -> Array:
    """What pixels have beyond the flat."""
    out = np.asarray(Y, np.float64) - origin
    if len(flat):
        out -= (out @ flat.T) @ flat
    return out


def _orthonormal(D: Array) -> Array:
    """Orthonormal rows that span those of D; none where D has none."""
    if not len(D):
        return D
    _, size, axes = np.linalg.svd(D, full_matrices=False)
    return axes[size > 1e-9 * max(size[0], 1e-300)]


def _largest(z: Array) -> NDArray[np.intp]:
    """Columns of z (f, pixel) whose determinant no exchange of one makes larger.

    Grown by the longest column beyond those before, then exchanged, as N-FINDR does with the
    given as vertices that stay.
    """
    picks = np.empty(len(z), np.intp)
    left = z.copy()
    for i in range(len(z)):
        picks[i] = np.argmax((left * left).sum(axis=0))
        u = left[:, picks[i]] / max(float(np.linalg.norm(left[:, picks[i]])), 1e-300)
        left -= np.outer(u, u @ left)
    for _ in range(3 * len(z)):
        changed = False
        for i in range(len(z)):
            ratio = np.abs(np.linalg.pinv(z[:, picks])[i] @ z)
            best = int(ratio.argmax())
            if ratio[best] > 1 + _GROWTH and best != picks[i]:
                picks[i], changed = best, True
        if not changed:
            break
    return picks
