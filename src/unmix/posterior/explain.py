r"""A scene explained blind: endmembers, mixing surface and noise, chosen by likelihood.

From two extractions, the largest simplex of the pixels and of their directions, every mixing
surface is fitted; kept is the one of the largest

    η log p(Y) − max(P log N, P^¾ N / 150),   N = η n d,

P being the number of constants and η the mean share of the noise that denoising has left: pixels
that were averaged are not independent, and their log-likelihoods count for as much less. The flat
prior on each face is only roughly right, and constants make up for a little of that, the more the
more they are: the second price is what they gained at most where mixing was linear. An exponent
that ends at a bound of its range is no candidate, nor is a bent one for a scene of more
components than any could fill, nor a bilinear one of more than 8 members, nor any where members
span a line: there a bend is another spacing of the abundances, which only their prior would tell. A
surface that does worse than the linear one from the first extraction is not tried from the second.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.extract.nfindr import nfindr
from unmix.extract.reduce import sample_rows
from unmix.posterior.fit import Fit, fit, misfit
from unmix.posterior.observe import Lens, View
from unmix.posterior.surfaces import SURFACES, most_components, surface_of

__all__ = ["COMPARED", "FITTED", "Candidate", "Explanation", "explain", "settled"]

Array = NDArray[np.float64]

FITTED = 10_000
"""Pixels the endmembers are fitted on."""
COMPARED = 4000
"""Pixels the candidates are compared on."""
_DOUBT = 1 / 150  # nats a number observed that a constant has to gain
_PAIRED = 8  # members: more have too many pairs for a constant each
_MOST = 0.8  # of the work is done when the last candidate is
_CLOSE = 3e-4  # nats a number observed: candidates are compared no closer
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
    """

    best: Fit
    candidates: list[Candidate]
    misfit: float

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
    held: NDArray[np.bool_] | bool = True,
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
    held : ndarray of bool, shape (member,), optional
        Those of E that are known; the others are where to start.
    surfaces : tuple of str
        Among which to choose.
    seed : int

    Raises
    ------
    InputError
        No candidate could be fitted: fewer members are there than asked for.
    """
    few = sample_rows(len(view.Y), COMPARED, seed)
    Y, noise = view.Y[few], view.noise[few]
    still = held if E is not None else False
    if E is None:
        starts = _starts(lens, view.Y[sample_rows(len(view.Y), FITTED, seed)], n_members, seed)
    else:
        starts = {"given": lens.onto(E)[0]}
    found: list[Candidate] = []
    plain = -np.inf
    if Y.shape[1] - (lens.scale == "shade") < 2:
        surfaces = surfaces[:1]
    if n_members > _PAIRED:
        surfaces = tuple(kind for kind in surfaces if kind != "bilinear")
    for i, kind in enumerate(surfaces):
        for j, (name, start) in enumerate(starts.items()):
            if j and kind != "linear" and -np.inf < found[-1].score < plain:
                continue
            found.append(_candidate(lens, Y, noise, name, start, kind, still))
            if progress is not None:
                progress(_MOST * (i * len(starts) + j + 1) / (len(starts) * len(surfaces)))
        if kind == "linear":
            plain = max(c.score for c in found)
        if kind == "linear" and Y.shape[1] > most_components(n_members):
            break
    found.sort(key=lambda c: -c.score)
    if found[0].fit is None:
        remedy = "; give fewer" if n_members > 2 else ", which differ by no more than noise"
        raise InputError(
            f"n_endmembers: {n_members} members cannot be told apart in these pixels{remedy}"
        )
    return settled(lens, view, found, still, seed)


def settled(
    lens: Lens,
    view: View,
    candidates: list[Candidate],
    known: NDArray[np.bool_] | bool,
    seed: int,
) -> Explanation:
    """The first of the candidates, fitted to more pixels; as it is, if that fails."""
    best = cast(Fit, candidates[0].fit)
    part = sample_rows(len(view.Y), FITTED, seed)
    Y, noise = view.Y[part], view.noise[part]
    with suppress(FloatingPointError, np.linalg.LinAlgError):
        again = fit(
            Y, lens.white, best.vertices, best.surface, noise=noise, fixed=known, after=best
        )
        best = replace(again, n_iter=best.n_iter + again.n_iter)
    if len(best.mean) != len(Y):
        part = sample_rows(len(view.Y), COMPARED, seed)
        Y, noise = view.Y[part], view.noise[part]
    rest = misfit(Y, lens.white, best.vertices, best.surface, best.mean, noise)
    return Explanation(best, candidates, rest)


def _candidate(
    lens: Lens,
    Y: Array,
    noise: Array,
    name: str,
    start: Array,
    kind: str,
    known: NDArray[np.bool_] | bool,
) -> Candidate:
    """One fit; one that diverges has a score of −inf."""
    surface = surface_of(kind, len(start))
    try:
        V = start
        if np.any(known):
            V = np.where(np.reshape(known, (-1, 1)), surface.vertices(start), start)
        done = fit(Y, lens.white, V, surface, noise=noise, fixed=known, tol=_CLOSE * Y.size)
    except (FloatingPointError, np.linalg.LinAlgError):
        return Candidate(name, kind, None, -np.inf)
    share = min(lens.ratio, 1.0)
    N = max(share * Y.size, 2.0)
    P = len(surface.theta)
    price = max(P * np.log(N), P**0.75 * _DOUBT * N)
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
