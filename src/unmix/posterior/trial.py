r"""An answer put to the trial: a scene made from it is unmixed, and what goes wrong is corrected.

The fitted surface, the abundance maps found and the noise measured make a scene whose truth is
known. It is seen through the same lens and fitted from the answer. By how much its vertices and
constants x̂' then differ from the x̂ it was made with is, to first order, by how much x̂ differs
from the truth (a parametric bootstrap):

    x ← x̂ − (x̂' − x̂).

The flat prior on each face draws the simplex in where a scene has few pixels near a face; this
takes most of that out. What errors abundances of the scene made have says by how much intervals are
too narrow: ρ is added to the standard deviations with which 90 % of them are inside.

References
----------
Efron & Tibshirani (1993). An Introduction to the Bootstrap. Chapman & Hall.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unmix.extract.reduce import sample_rows
from unmix.metrics import align
from unmix.posterior.doubt import by_parameters
from unmix.posterior.explain import FITTED, Explanation
from unmix.posterior.faces import Posterior, faces_of
from unmix.posterior.fit import Fit, abundances_of, fit
from unmix.posterior.observe import Lens, View

__all__ = ["Trial", "trial"]

Array = NDArray[np.float64]

_PIXELS = 40_000  # of the scene made
_DENSE = 0.5  # share of a flat prior's abundances in the second of the scenes made
_NINETY = 1.6449
_MOST = 0.1  # largest ρ
_STEPS = 8  # of the fit of the scene made
_LEAST = 0.5  # of its share of the scene: a member that the scene made has less of is not corrected


@dataclass(frozen=True, eq=False)
class Trial:
    """What the trial gave.

    Parameters
    ----------
    best : Fit
        The fit, corrected.
    alternatives : ndarray, shape (answer, member, band)
        Endmembers that were not chosen: of the uncorrected fit and of other starts.
    hidden : float
        ρ: what standard deviations leave out, √(sd² + ρ²).
    failed : bool
        The scene made could not be fitted: nothing is corrected, ρ is 0.
    """

    best: Fit
    alternatives: Array
    hidden: float
    failed: bool = False


def trial(
    lens: Lens,
    view: View,
    found: Explanation,
    image: tuple[int, int] | None,
    *,
    seed: int,
    known: bool | NDArray[np.bool_],
) -> Trial:
    """Put the best candidate to the trial; `known` endmembers are not corrected.

    A trial that fails leaves the answer as it is.
    """
    best = found.best
    others = [best, *(c.fit for c in found.alike() if c.fit is not None)]
    first, *rest = (f.surface.endmembers(f.vertices) for f in others)
    alternatives = np.stack([first, *(E[align(E_est=E, E_true=first)] for E in rest)])
    part, shape = _part(image)
    try:
        made = _Maker(lens, View(*(values[part] for values in astuple(view))), best, shape, seed)
        seen, A = made.like_the_scene()
        few = sample_rows(len(A), FITTED, seed)
        again = _again(seen.Y[few], seen.noise[few], lens, best, known)
        found_again = _posterior(seen, lens, again)
        hidden = _hidden(found_again, A, _by_fit(found_again, lens, again, seen.noise))
    except (FloatingPointError, np.linalg.LinAlgError):
        return Trial(best, alternatives, 0.0, failed=True)
    surface = best.surface.moved(2 * best.surface.theta - again.surface.theta)
    vertices = 2 * best.vertices - again.vertices
    rare = _rare(A, best.mean)
    vertices[rare] = best.vertices[rare]
    if np.any(known):
        still = surface.vertices(best.surface.endmembers(best.vertices))
        vertices = np.where(np.reshape(known, (-1, 1)), still, vertices)
    better = replace(best, vertices=vertices, surface=surface)
    return Trial(better, alternatives, hidden)


def _rare(A: Array, mean: Array) -> NDArray[np.bool_]:
    """Members that the scene made has too little of to say how far their vertices are off.

    It is made of the first rows of a large image, where a member may be missing: nothing holds its
    vertex there, and what it drifts by is no error of the answer.

    Parameters
    ----------
    A : ndarray, shape (pixel, member)
        Abundances of the scene made.
    mean : ndarray, shape (pixel, member)
        Abundances found in a sample of all the scene.

    >>> _rare(np.array([[0.9, 0.1, 0.0]]), np.array([[0.8, 0.1, 0.1]])).tolist()
    [False, False, True]
    """
    rare: NDArray[np.bool_] = A.mean(axis=0) < _LEAST * mean.mean(axis=0)
    return rare


def _again(Y: Array, noise: Array, lens: Lens, best: Fit, known: bool | NDArray[np.bool_]) -> Fit:
    """The fit of the scene made: the likelier of those from the answer and, if bent, from afar.

    Far from the truth the likelihood of a bent surface is flat, and a fit that starts at the
    answer stays there; one from afar that is less likely has stopped in another valley.
    """
    starts = (best, None) if len(best.surface.theta) else (best,)
    fits = [
        fit(
            Y, lens.white, best.vertices, best.surface, noise=noise, max_iter=_STEPS,
            fixed=known, after=after,
        )
        for after in starts
    ]  # fmt: skip
    return max(fits, key=lambda found: found.log_likelihood)


def _by_fit(found: Posterior, lens: Lens, by: Fit, noise: Array) -> Array:
    """Variance (pixel, member) of posterior means by that of a fit's vertices and constants."""
    covariance = by.covariance / min(lens.ratio, 1.0)
    return by_parameters(found, lens.white, by.vertices, by.surface, noise, covariance)


def _part(image: tuple[int, int] | None) -> tuple[slice, tuple[int, int] | None]:
    """The first rows of an image that are enough, or the first pixels of a list."""
    if image is None:
        return slice(0, _PIXELS), None
    rows = min(image[0], max(_PIXELS // image[1], 3))
    return slice(0, rows * image[1]), (rows, image[1])


@dataclass(frozen=True, eq=False)
class _Maker:
    """Makes scenes from an answer."""

    lens: Lens
    view: View
    best: Fit
    image: tuple[int, int] | None
    seed: int

    def like_the_scene(self) -> tuple[View, Array]:
        """A scene made, and its abundances (pixel, member).

        Posterior means have more zeros than the abundances they are of, those under a flat prior
        fewer; maps between the two are taken with which the posterior finds as many members a pixel
        as in the scene itself.
        """
        sparse = self._posterior(self.view)
        flat = np.full(len(self.best.log_shares), -30.0)
        flat[-1] = 0.0
        dense = self._posterior(self.view, flat)

        def made(share: float) -> tuple[View, Array]:
            A = np.maximum((1 - share) * sparse.mean + share * dense.mean, 0)
            A /= A.sum(axis=1, keepdims=True)
            return self._seen(A), A

        found = (self._posterior(made(share)[0]) for share in (0.0, _DENSE))
        low, high, aim = (self._members(p) for p in (*found, sparse))
        share = _DENSE * (aim - low) / max(high - low, 1e-9)
        return made(float(np.clip(share, 0, 1)))

    def _members(self, found: Posterior) -> float:
        """Mean number of members in a pixel."""
        return float((found.on @ faces_of(found.mean.shape[1]).sizes).mean())

    def _posterior(self, view: View, log_shares: Array | None = None) -> Posterior:
        return _posterior(view, self.lens, self.best, log_shares)

    def _seen(self, A: Array) -> View:
        """Mixtures of abundances with noise, through the lens."""
        lens, t = self.lens, self.view.brightness
        Z = self.best.surface.at(A, self.best.vertices, lens.white)
        noise = np.random.default_rng((self.seed, 1)).standard_normal(Z.shape) / lens.white.left
        if lens.scale == "shade":
            Z = Z * t[:, None] + noise
        else:
            Z = Z + noise * np.sqrt(self.view.noise)[:, None]
        return lens.level(lens.cleaned(Z, t * lens.unit, self.image), t * lens.unit)


def _posterior(view: View, lens: Lens, by: Fit, log_shares: Array | None = None) -> Posterior:
    shares = by.log_shares if log_shares is None else log_shares
    return abundances_of(view.Y, lens.white, by.vertices, by.surface, shares, view.noise, n_steps=4)


def _hidden(found: Posterior, A: Array, more: Array) -> float:
    """The ρ with which 90 % of the errors are within 1.645 √(sd² + more + ρ²), by bisection."""
    variance = np.diagonal(found.covariance, axis1=1, axis2=2) + more
    error = (found.mean - A) ** 2 / _NINETY**2
    low, high = 0.0, _MOST
    for _ in range(30):
        middle = (low + high) / 2
        inside = (error <= variance + middle**2).mean()
        low, high = (low, middle) if inside >= 0.9 else (middle, high)
    return high
