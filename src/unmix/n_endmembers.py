"""How many endmembers a scene has: several criteria, their curves, and a suggestion.

Two questions are asked. *How many directions stand out of the noise?* is answered by HySime,
NWHFC and the eigenvalue test of `unmix.subspace`: on a linear mixture in white noise it is K,
on a real scene it counts the variability within materials, nonlinear mixing and the instrument's
artefacts too. *How many extreme spectra are there?* is answered by `split_half`: whatever is a
material shows itself in either half of the pixels. Brightness plays no part: directions pass
through the origin, and extreme spectra are sought among pixels of unit length.

References
----------
Nascimento, J. M. P. & Bioucas-Dias, J. M. (2005). Vertex component analysis. IEEE Trans. Geosci.
Remote Sens. 43(4), 898-910.
Nadisic, N., Gillis, N. & Kervazo, C. (2023). Smoothed separable nonnegative matrix factorization.
Linear Algebra Appl. 676, 174-204.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from unmix.checks import InputError, check_pixels
from unmix.subspace import Dimension, Noise, estimate_noise, hysime, nwhfc, signal_directions

__all__ = ["Suggestion", "split_half", "suggest"]

Array = NDArray[np.float64]

_SAMPLE = 4_000
_SPLITS, _AGREE = 32, 0.75  # three splits of four must agree
_STARTS = 30
_PUREST = 0.005  # share of the pixels whose median is an extreme spectrum: outliers do not matter
_SAME = 0.5  # moved by less than half the way to the next one, a spectrum is recognised
_HIDDEN = 2  # members that noise may hide from the halves
_SHOWN = 30  # dimensions a curve shows


@dataclass(frozen=True, eq=False)
class Suggestion:
    """A number of endmembers with its evidence.

    Parameters
    ----------
    k : int
    why : str
        A sentence.
    criteria : list of dict
        ``{"name", "k", "x", "y", "xlabel", "ylabel", "threshold"}`` each, plain lists and numbers.
    """

    k: int
    why: str
    criteria: list[dict[str, Any]]


def suggest(
    X: ArrayLike, noise: Noise | None = None, *, seed: int = 0, k_max: int = 12
) -> Suggestion:
    """Suggest K for pixels X (..., band).

    With r directions above the noise and s extreme spectra that both halves of the pixels show,
    K = r if the scene is a linear mixture in noise: r ≤ `k_max`, and either r ≤ s + 2 (noise may
    hide weak members from the halves) or HySime agrees within 1. HySime's threshold is some ten
    times higher, so agreement says that the directions end with a step, not in a slope. Else
    K = s: the other directions are variability.

    Raises
    ------
    InputError
        X is not finite, has one band or fewer than 2 pixels; `k_max` below 2.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.dirichlet(np.ones(5), 3000) @ rng.random((5, 60)) * rng.uniform(0.5, 1, (3000, 1))
    >>> found = suggest(X + 0.002 * rng.standard_normal(X.shape))
    >>> found.k, [(c["name"], c["k"]) for c in found.criteria][:2]
    (5, [('split halves', 5), ('directions above noise', 5)])
    """
    Y = check_pixels(X)
    Y = Y.reshape(-1, Y.shape[-1])
    if k_max < 2:
        raise InputError(f"k_max: got {k_max}; give at least 2")
    known = noise or estimate_noise(Y, seed=seed)
    k_max = min(k_max, *Y.shape)
    rank = signal_directions(Y, known, seed=seed)
    stable, moved = split_half(Y, known, seed=seed, k_max=k_max)
    energy = hysime(Y, known, seed=seed)
    step = abs(rank.k - energy.k) <= 1
    clean = rank.k <= k_max and (rank.k <= stable + _HIDDEN or step)
    k = max(2, min(rank.k if clean else stable, k_max))
    criteria = [
        _halves(stable, moved),
        _directions(rank),
        _hysime(energy),
        _nwhfc(nwhfc(Y, known, seed=seed)),
    ]
    return Suggestion(k, _why(clean, stable, rank.k, k_max), criteria)


def split_half(
    X: ArrayLike, noise: Noise | None = None, *, seed: int = 0, k_max: int = 12
) -> tuple[int, Array]:
    r"""How many extreme spectra two random halves of the pixels agree on.

    For K = 2, 3, ... each half gives the K extreme spectra e_1..e_K (of unit length) that span the
    largest volume in the K leading directions. The halves are matched; a split scores the worst

    .. math:: \angle(e_i, e'_i) / \min_{j \ne i} \angle(e_i, e_j) .

    Below 1/2 each spectrum is nearer to its own twin than to anything else (triangle inequality).
    The K of the answer is the last one up to which three of four splits score below 1/2; K = 2 is
    excused where 3 pass, as it may be a tie which two of three materials span the most.

    Returns
    -------
    k : int
    score : ndarray
        The upper quartile over the splits for K = 2, 3, ..., until two in a row fail.

    >>> rng = np.random.default_rng(1)
    >>> k, score = split_half(rng.dirichlet(np.ones(3), 2000) @ rng.random((3, 20)), k_max=3)
    >>> k, bool((score < 0.2).all())
    (3, True)
    """
    rng = np.random.default_rng(seed)
    Z = _unit_pixels(check_pixels(X), noise, rng, k_max)
    half = len(Z) // 2
    limit = min(k_max, half, Z.shape[1])
    score: list[float] = []
    for k in range(2, limit + 1):
        orders = (rng.permutation(len(Z)) for _ in range(_SPLITS))
        worst = [
            _moved(_extremes(Z[o[:half], :k], rng), _extremes(Z[o[half:], :k], rng)) for o in orders
        ]
        score.append(float(np.quantile(worst, _AGREE)))
        if len(score) > 1 and min(score[-2:]) > _SAME:
            break
    passed = np.array([*score, np.inf]) <= _SAME
    passed[0] |= passed[min(1, len(score))]
    return max(2, int(np.argmin(passed)) + 1), np.array(score)


def _unit_pixels(
    X: NDArray[np.floating], noise: Noise | None, rng: np.random.Generator, k_max: int
) -> Array:
    """A sample of pixels, brighter than their noise, of unit length, in the leading directions."""
    Y = X.reshape(-1, X.shape[-1])
    if len(Y) > _SAMPLE:
        Y = Y[np.sort(rng.choice(len(Y), _SAMPLE, replace=False))]
    Y = Y.astype(np.float64)
    length = np.linalg.norm(Y, axis=1)
    floor = 0.0 if noise is None else 3 * float(np.sqrt(np.sum(noise.sigma**2)))
    bright = length > floor
    if bright.mean() < 0.5:
        bright = length > 0
    Y = Y[bright] / length[bright, None]
    axes = np.linalg.eigh(Y.T @ Y)[1][:, ::-1][:, :k_max]
    largest = np.abs(axes).argmax(axis=0)
    return Y @ (axes * np.sign(axes[largest, np.arange(axes.shape[1])]))  # a sign to repeat


def _extremes(Z: Array, rng: np.random.Generator) -> Array:
    """K extreme spectra of Z (pixel, K), unit length: the largest volume of 30 random searches.

    A search follows vertex component analysis, each pick the median of the purest pixels.
    """
    k = Z.shape[1]
    purest = max(1, round(_PUREST * len(Z)))
    picks = np.zeros((_STARTS, k, k))
    _search(np.ascontiguousarray(Z), rng.standard_normal((_STARTS, k, k)), purest, picks)
    picks /= np.maximum(np.linalg.norm(picks, axis=2, keepdims=True), 1e-300)
    return picks[np.argmax(np.abs(np.linalg.det(picks)))]


@njit(nogil=True, cache=True)
def _search(Z: Any, directions: Any, purest: int, picks: Any) -> None:
    """picks[s, i]: median of the pixels farthest along direction s, i without the earlier picks."""
    k = Z.shape[1]
    basis = np.zeros((k, k))
    for s in range(len(picks)):
        basis[:] = 0.0
        for i in range(k):
            w = directions[s, i]
            for m in range(i):
                w -= np.dot(basis[m], w) * basis[m]
            along = np.dot(Z, w)
            if along.max() < -along.min():
                along = -along
            top = _largest(along, purest)
            for j in range(k):
                picks[s, i, j] = np.median(Z[top, j])
            basis[i] = picks[s, i]
            for m in range(i):
                basis[i] -= np.dot(basis[m], basis[i]) * basis[m]
            basis[i] /= max(np.sqrt(np.dot(basis[i], basis[i])), 1e-300)


@njit(nogil=True, cache=True)
def _largest(values: Any, n: int) -> Any:
    """Indices of the n largest values, largest first."""
    index = np.zeros(n, np.int64)
    best = np.full(n, -np.inf)
    for i in range(len(values)):
        if values[i] <= best[n - 1]:
            continue
        j = n - 1
        while j > 0 and best[j - 1] < values[i]:
            best[j], index[j] = best[j - 1], index[j - 1]
            j -= 1
        best[j], index[j] = values[i], i
    return index


def _moved(E: Array, other: Array) -> float:
    """The worst of the matched members: its angle to its twin over that to its neighbour."""
    between = np.arccos(np.clip(E @ other.T, -1, 1))
    mine, twin = linear_sum_assignment(between)
    within = np.arccos(np.clip(E @ E.T, -1, 1)) + np.diag(np.full(len(E), np.inf))
    return float(np.max(between[mine, twin] / np.maximum(within.min(axis=1), 1e-300)))


def _why(clean: bool, stable: int, rank: int, k_max: int) -> str:
    end = "the most tried" if stable >= k_max else f"not {stable + 1}"
    halves = f"two halves of the pixels show the same {stable} extreme spectra, {end}"
    if clean:
        return f"{rank} directions stand out of the noise, as in a linear mixture; {halves}"
    return f"{halves}; the {rank} directions above the noise are taken for variability"


def _criterion(
    name: str, k: int, x: Any, y: Any, labels: tuple[str, str], at: float | None
) -> dict:
    """A criterion for reports and JSON."""
    xlabel, ylabel = labels
    return {
        "name": name,
        "k": int(k),
        "x": [int(v) for v in x],
        "y": [float(v) for v in y],
        "xlabel": xlabel,
        "ylabel": ylabel,
        "threshold": at,
    }


def _halves(k: int, moved: Array) -> dict[str, Any]:
    labels = ("endmembers", "shift between halves")
    return _criterion("split halves", k, range(2, 2 + len(moved)), moved, labels, _SAME)


def _directions(found: Dimension) -> dict[str, Any]:
    y = (found.curve / found.threshold)[:_SHOWN]
    labels = ("direction", "eigenvalue over noise")
    return _criterion("directions above noise", found.k, range(1, 1 + len(y)), y, labels, 1.0)


def _hysime(found: Dimension) -> dict[str, Any]:
    """Mean squared error of keeping 1, 2, ... directions, above its least, which is at k."""
    error = np.cumsum(found.curve)
    y = (error - error.min())[:_SHOWN]
    labels = ("directions kept", "error above the least")
    return _criterion("HySime", found.k, range(1, 1 + len(y)), y, labels, None)


def _nwhfc(found: Dimension) -> dict[str, Any]:
    y = (found.curve / found.threshold)[:_SHOWN]
    labels = ("direction", "gap over threshold")
    return _criterion("NWHFC", found.k, range(1, 1 + len(y)), y, labels, 1.0)
