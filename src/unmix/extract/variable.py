r"""Endmembers where every material varies more than noise explains.

On such scenes likelihood under a fixed spectrum per material prefers odd pixels to typical ones.
What is left is geometry, in coordinates in which all pixels are equally certain. How far the
directions d = x/‖x‖ of neighbours differ, by the brightness n of the darker, tells those:

    E‖d − d'‖² = α + β / n²,    y = x / √(n² + c²),   c² = β / α,

α being what materials vary by and β noise, path radiance and everything else that does not grow
with brightness. c = 0 are directions, c → ∞ the pixels as they are. Archetypes of y (`archetypes`,
several runs and the usual choice) are then brought back to spectra: e_k is the mean of the pixels'
directions, weighted by a_ik⁸ n_i². Every member has the same maximum, as the brightness of a
material cannot be told from that of its pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from unmix.extract.edaa import archetypes, near
from unmix.metrics import align
from unmix.scaling import abundances

__all__ = ["knee", "members", "recentre"]

Array = NDArray[np.float64]

_BINS = 20  # of brightness, equally full
_TURNS = 30  # of the reweighted fit, whose errors are then those of logarithms
_RUNS = 20
_PIXELS = 20_000  # archetypes are found on
_THERE = 0.5  # abundance that some pixel has of a member that is in a scene
_ALIKE = 1.1  # times the least misfit: runs on smoothed pixels that fit alike
_PURE = 8  # power of the abundance in a member's mean


def knee(X: NDArray[np.floating], image: tuple[int, int]) -> float:
    """The c of pixels (pixel, band) in an image of so many rows and columns.

    >>> rng = np.random.default_rng(0)
    >>> bright = rng.uniform(0.2, 4, (3600, 1))
    >>> X = bright * (np.ones(20) + 0.05 * rng.standard_normal((3600, 20)))
    >>> X += 0.1 * rng.standard_normal(X.shape)
    >>> bool(6 < knee(X, (60, 60)) < 12)  # the norm at which both are equal: 2 √20
    True
    """
    cube = np.asarray(X, np.float64).reshape(*image, -1)
    n = np.linalg.norm(cube, axis=2)
    d = cube / np.maximum(n, 1e-12)[..., None]
    apart = [((d[1:] - d[:-1]) ** 2).sum(axis=2), ((d[:, 1:] - d[:, :-1]) ** 2).sum(axis=2)]
    darker = [np.minimum(n[1:], n[:-1]), np.minimum(n[:, 1:], n[:, :-1])]
    size, scatter = (np.concatenate([part.ravel() for part in pair]) for pair in (darker, apart))
    edges = np.quantile(size, np.linspace(0, 1, _BINS + 1))
    which = np.clip(np.searchsorted(edges, size, "right") - 1, 0, _BINS - 1)
    full = [i for i in range(_BINS) if (which == i).any()]
    centre = np.array([np.median(size[which == i]) for i in full])
    value = np.maximum([np.median(scatter[which == i]) for i in full], 1e-9)
    shape = np.column_stack([np.ones(len(full)), 1 / np.maximum(centre, 1e-9) ** 2])
    weight = 1 / value
    for _ in range(_TURNS):
        constants = nnls(shape * weight[:, None], value * weight)[0]
        weight = 1 / np.sqrt(np.maximum(shape @ constants, 1e-12) * value)
    alpha, beta = constants
    return float(np.sqrt(beta / alpha)) if alpha > 0 else float(size.max())


def members(
    X: NDArray[np.floating],
    image: tuple[int, int] | None,
    n_members: int,
    scale: str,
    seed: int,
    *,
    smooth: bool = False,
) -> tuple[Array, Array]:
    """Endmembers and, for how sure they are, those of every run that did as well.

    Parameters
    ----------
    X : ndarray, shape (pixel, band)
    image : (rows, columns), optional
        Without neighbours c is 0.
    n_members : int
    scale : str
        With "none" pixels are taken as they are, c → ∞, and so are the members' sizes.
    seed : int
    smooth : bool
        What materials vary by has been taken out of the pixels (`unmix.denoise.smoother`). Then
        how well members explain them says which run is right; else it does not, and the usual
        choice among runs is made.

    Returns
    -------
    members : ndarray, shape (member, band)
    alternatives : ndarray, shape (run, member, band)
        In the order of the members.
    """
    n = _norms(X, scale)
    c = knee(X, image) if scale != "none" and image is not None and min(image) > 1 else 0.0
    # with directions beside, a dark pixel of one material cannot pass for a mixture with the origin
    found = [_found(X, n, at, n_members, scale, seed, smooth) for at in dict.fromkeys((c, 0.0))]
    if not smooth:
        best = min(found, key=lambda runs: _misfit(X, n, c, runs[0], scale))
    else:
        every = [E for runs in found for E in runs]
        misfits = np.array([_misfit(X, n, c, E, scale) for E in every])
        alike = np.flatnonzero(misfits <= _ALIKE * misfits.min())
        best = [every[i] for i in alike]
    return best[0], np.stack([E[align(E_est=E, E_true=best[0])] for E in best])


def recentre(X: NDArray[np.floating], E: NDArray[np.floating], scale: str) -> Array:
    """Members E (member, band) brought to the typical spectra of other pixels X (pixel, band).

    One step of the mean that ends `members`, from any start; a member that no pixel holds more than
    half of stays as it is. Sizes as `members` has them: with a scale other than "none" every
    maximum is 1.

    >>> rng = np.random.default_rng(0)
    >>> E = rng.uniform(0.2, 1, (3, 30))
    >>> X = rng.dirichlet(np.full(3, 0.2), 2000) @ E
    >>> start = E + 0.05 * rng.standard_normal(E.shape)
    >>> bool(np.abs(recentre(X, start, "none") - E).mean() < 0.5 * np.abs(start - E).mean())
    True
    """
    n = _norms(X, scale)
    start: Array = np.asarray(E, np.float64)
    if scale != "none":
        start = start / np.maximum(start.max(axis=1, keepdims=True), 1e-12)
    A, _ = _mixture(X, start, scale)
    there = (A.max(axis=0) > _THERE)[:, None]
    return np.where(there, _typical(X, n, start, scale), start)


def _norms(X: NDArray[np.floating], scale: str) -> NDArray[np.floating]:
    """Brightness (pixel, 1) of pixels; 1 where they are taken as they are."""
    if scale == "none":
        return np.ones((len(X), 1))
    return np.asarray(np.linalg.norm(X, axis=1, keepdims=True))


def _mixture(
    X: NDArray[np.floating], E: Array, scale: str
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Abundances and brightness of pixels, which is free unless they are taken as they are."""
    return abundances(X, E.astype(X.dtype), "none" if scale == "none" else "shade")


def _found(
    X: NDArray[np.floating],
    n: NDArray[np.floating],
    c: float,
    n_members: int,
    scale: str,
    seed: int,
    smooth: bool,
) -> list[Array]:
    """Members of runs by archetypes of y: of all, or of those that did as well, best first."""
    Y = X / np.maximum(np.sqrt(n**2 + c**2), 1e-9) if scale != "none" else X
    runs = archetypes(
        Y, n_members, n_restarts=_RUNS, step="contrast", max_pixels=_PIXELS, seed=seed
    )
    chosen = runs if smooth else near(runs)
    return [_typical(X, n, np.asarray(run.spectra, np.float64), scale) for run in chosen]


def _misfit(
    X: NDArray[np.floating], n: NDArray[np.floating], c: float, E: Array, scale: str
) -> float:
    """Mean square of what members leave of the directions, weighted by how certain they are."""
    A, size = _mixture(X, E, scale)
    rest = ((X - (A * size[:, None]) @ E) ** 2).sum(axis=1)
    return float((rest / np.maximum(n[:, 0] ** 2 + c**2, 1e-12)).mean())


def _typical(X: NDArray[np.floating], n: NDArray[np.floating], E: Array, scale: str) -> Array:
    """Mean spectra (member, band) of the pixels that a run holds to be nearly pure."""
    if scale != "none":
        E = E / np.maximum(E.max(axis=1, keepdims=True), 1e-12)
    A, _ = _mixture(X, E, scale)
    weight = np.asarray(A, np.float64) ** _PURE * n**2
    mean = weight.T @ (X / np.maximum(n, 1e-12))
    mean /= np.maximum(weight.sum(axis=0), 1e-300)[:, None]
    lost = weight.sum(axis=0) <= 0
    mean[lost] = E[lost]
    if scale == "none":
        return mean
    out: Array = mean / np.maximum(mean.max(axis=1, keepdims=True), 1e-12)
    return out
