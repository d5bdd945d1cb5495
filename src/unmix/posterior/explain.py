r"""A scene explained blind: endmembers, mixing surface and noise, chosen by likelihood.

From two extractions, the largest simplex of the pixels and of their directions, every mixing
surface is fitted; kept is the one of the largest

    η log p(Y) − √P max(√P log N, N / 120),   N = η n d,

P being the number of constants and η the mean share of the noise that denoising has left: pixels
that were averaged are not independent, and their log-likelihoods count for as much less. The flat
prior on each face is only roughly right, and constants make up for a little of that, the more the
more they are: the second price is what they gained at most where mixing was linear. An exponent
that ends at a bound of its range is no candidate, nor is a bent one for a scene of more
components than any could fill.

The sizes c_k of the endmembers of a scene with shade, which no pixel's brightness can tell, are
those with which the brightness s_i = Σ_k t_i b_ik / c_k varies least, in the logarithm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from unmix.checks import InputError
from unmix.extract.nfindr import nfindr
from unmix.extract.reduce import sample_rows
from unmix.posterior.fit import Fit, fit, misfit
from unmix.posterior.observe import Lens, View
from unmix.posterior.surfaces import SURFACES, most_components, surface_of

__all__ = ["Candidate", "Explanation", "explain", "sizes"]

Array = NDArray[np.float64]

_FITTED = 10_000  # pixels the endmembers are fitted on
_COMPARED = 4000  # pixels the candidates are compared on
_DOUBT = 1 / 120  # nats a number observed that constants have to gain, times the root of how many
_FEW = 2000  # pixels the sizes are found on
_ALIKE = 0.01  # share of the score by which an answer may be worse and still fit alike


@dataclass(frozen=True, eq=False)
class Candidate:
    """One start and surface, and how well it did.

    Parameters
    ----------
    start : str
    surface : str
    fit : Fit or None
        None if it failed.
    score : float
        What is maximised; −inf if it failed.
    """

    start: str
    surface: str
    fit: Fit | None
    score: float

    def record(self) -> dict[str, Any]:
        """For the manifest."""
        if self.fit is None:
            return {"start": self.start, "surface": self.surface, "failed": True}
        return {
            "start": self.start,
            "surface": self.surface,
            "score": round(self.score, 1),
            "log_likelihood": round(self.fit.log_likelihood, 1),
            "constants": [round(float(v), 4) for v in self.fit.surface.theta],
            "steps": self.fit.n_iter,
        }


@dataclass(frozen=True, eq=False)
class Explanation:
    """The best candidate.

    Parameters
    ----------
    best : Fit
    candidates : list of Candidate
        Best first.
    misfit : float
        Mean square of what the best leaves unexplained, in units of the noise that is left.
    rows : ndarray of int or slice
        Pixels it was fitted on.
    """

    best: Fit
    candidates: list[Candidate]
    misfit: float
    rows: NDArray[np.intp] | slice

    def alike(self) -> list[Candidate]:
        """Others of the best one's surface that fit as well, from other starts."""
        first, *others = self.candidates
        near = first.score - _ALIKE * abs(first.score)
        return [c for c in others if c.surface == first.surface and c.score > near]


def explain(
    lens: Lens,
    view: View,
    n_members: int,
    *,
    E: NDArray[np.floating] | None = None,
    surfaces: tuple[str, ...] = SURFACES,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Explanation:
    """Fit and choose.

    Parameters
    ----------
    lens, view
        Of the scene, from `focus`.
    n_members : int
    E : ndarray, shape (member, band), optional
        Known endmembers: only the surface is chosen.
    surfaces : tuple of str
        Among which to choose.
    seed : int

    Raises
    ------
    InputError
        No candidate could be fitted: fewer members are there than asked for.
    """
    rows = sample_rows(len(view.Y), _FITTED, seed)
    few = sample_rows(len(view.Y), _COMPARED, seed)
    Y, noise = view.Y[few], view.noise[few]
    if E is None:
        starts = _starts(lens, view.Y[rows], n_members, seed)
    else:
        starts = {"given": lens.onto(E)[0]}
    found: list[Candidate] = []
    for i, kind in enumerate(surfaces):
        for j, (name, start) in enumerate(starts.items()):
            found.append(_candidate(lens, Y, noise, name, start, kind, E is not None))
            if progress is not None:
                progress((i * len(starts) + j + 1) / (len(starts) * len(surfaces)))
        if kind == "linear" and Y.shape[1] > most_components(n_members):
            break
    found.sort(key=lambda c: -c.score)
    best = found[0].fit
    if best is None:
        raise InputError(
            f"n_endmembers: {n_members} members cannot be told apart in these pixels; give fewer"
        )
    Y, noise = view.Y[rows], view.noise[rows]
    best = fit(Y, lens.white, best.vertices, best.surface, noise=noise, fixed=E is not None,
               after=best)  # fmt: skip
    rest = misfit(Y, lens.white, best.vertices, best.surface, best.mean, noise)
    return Explanation(best, found, rest, rows)


def _candidate(
    lens: Lens, Y: Array, noise: Array, name: str, start: Array, kind: str, known: bool
) -> Candidate:
    """One fit; one that diverges has a score of −inf."""
    surface = surface_of(kind, len(start))
    try:
        V = surface.vertices(start) if known else start
        done = fit(Y, lens.white, V, surface, noise=noise, fixed=known)
    except (FloatingPointError, np.linalg.LinAlgError):
        return Candidate(name, kind, None, -np.inf)
    share = min(lens.ratio, 1.0)
    N = max(share * Y.size, 2.0)
    P = len(surface.theta)
    price = max(P * np.log(N), np.sqrt(P) * _DOUBT * N)
    if (
        kind == "post-nonlinear"
        and not ((surface.low < done.surface.theta) & (done.surface.theta < surface.high)).all()
    ):
        return Candidate(name, kind, None, -np.inf)
    return Candidate(name, kind, done, share * done.log_likelihood - price)


def _starts(lens: Lens, Y: Array, n: int, seed: int) -> dict[str, Array]:
    """Vertices to start from, by the extraction's name."""
    X = lens.white.spectra(Y)
    found: dict[str, Array] = {}
    for name, projective in (("largest simplex", False), ("largest simplex of directions", True)):
        if projective and lens.scale != "none":
            continue
        try:
            found[name] = np.asarray(nfindr(X, n, projective=projective, seed=seed), np.float64)
        except InputError as error:
            if not found and projective:
                raise error
    if not found:
        raise InputError(f"n_endmembers: the pixels do not span {n} members; give fewer")
    return found


def sizes(b: Array, brightness: Array) -> Array:
    """Sizes c (member,), median 1, with which log Σ_k t_i b_ik / c_k varies least.

    >>> rng = np.random.default_rng(0)
    >>> a, c = rng.dirichlet(np.ones(3), 500), np.array([0.5, 1.0, 2.0])
    >>> b = a * c / (a * c).sum(axis=1, keepdims=True)
    >>> sizes(b, rng.uniform(0.9, 1.1, 500) * (a * c).sum(axis=1)).round(1)
    array([0.5, 1. , 2. ])
    """
    rows = sample_rows(len(b), _FEW, 0)
    tb = np.maximum(b[rows] * brightness[rows][:, None], 1e-9)

    def spread(q: Array) -> tuple[float, Array]:
        w = tb * np.exp(-q)
        s = w.sum(axis=1)
        log = np.log(s)
        log -= log.mean()
        slope = -w / s[:, None]
        return float((log**2).mean()), 2 * (log[:, None] * (slope - slope.mean(axis=0))).mean(
            axis=0
        )

    found = minimize(spread, np.zeros(tb.shape[1]), jac=True, method="L-BFGS-B",
                     bounds=[(-4.0, 4.0)] * tb.shape[1])  # fmt: skip
    c = np.exp(found.x)
    out: Array = c / np.median(c)
    return out
