r"""An answer put to the trial: a scene made from it is unmixed, and what goes wrong is corrected.

The fitted surface, the abundance maps found and the noise measured make a scene whose truth is
known. It is seen through the same lens and fitted from the answer. By how much its vertices and
constants x̂' then differ from the x̂ it was made with is, to first order, by how much x̂ differs
from the truth (a parametric bootstrap):

    x ← x̂ − (x̂' − x̂).

The flat prior on each face draws the simplex in where a scene has few pixels near a face; this
takes most of that out. What errors abundances of the scene made have, in units of the standard
deviations given for them, says by how much intervals are too narrow: `widened` is their 90 %
quantile over that of a Gaussian, at least 1.

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
from unmix.posterior.explain import Explanation
from unmix.posterior.faces import Posterior
from unmix.posterior.fit import Fit, abundances_of, fit
from unmix.posterior.observe import Lens, View

__all__ = ["Trial", "trial"]

Array = NDArray[np.float64]

_PIXELS = 40_000  # of the scene made
_FITTED = 10_000  # pixels it is fitted on
_FLAT = 0.5  # share of the abundances of a flat prior in the maps: the scene's own have no zeros
_NINETY = 1.6449
_SMALLEST = 1e-4  # standard deviations below this are not compared
_WIDEST = 4.0
_STEPS = 20  # of the fit of the scene made


@dataclass(frozen=True, eq=False)
class Trial:
    """What the trial gave.

    Parameters
    ----------
    best : Fit
        The fit, corrected.
    alternatives : ndarray, shape (answer, member, band)
        Endmembers that were not chosen: of the uncorrected fit and of other starts.
    widened : float
        Factor of the standard deviations.
    """

    best: Fit
    alternatives: Array
    widened: float


def trial(
    lens: Lens,
    view: View,
    found: Explanation,
    image: tuple[int, int] | None,
    *,
    seed: int,
    known: bool,
) -> Trial:
    """Put the best candidate to the trial; `known` endmembers are not corrected.

    A trial that fails leaves the answer as it is.
    """
    best = found.best
    others = [best, *(c.fit for c in found.alike() if c.fit is not None)]
    first, *rest = (f.surface.endmembers(f.vertices) for f in others)
    alternatives = np.stack([first, *(E[align(E_est=E, E_true=first)] for E in rest)])
    part, shape = _part(view, image)
    try:
        seen, A = _scene(lens, View(*(values[part] for values in astuple(view))), best, shape, seed)
        few = sample_rows(len(A), _FITTED, seed)
        again = fit(
            seen.Y[few], lens.white, best.vertices, best.surface, noise=seen.noise[few],
            max_iter=_STEPS, fixed=known, after=best,
        )  # fmt: skip
    except (FloatingPointError, np.linalg.LinAlgError):
        return Trial(best, alternatives, 1.0)
    now = _posterior(seen, lens, best)
    surface = best.surface.moved(2 * best.surface.theta - again.surface.theta)
    vertices = 2 * best.vertices - again.vertices
    if known:
        vertices = surface.vertices(best.surface.endmembers(best.vertices))
    return Trial(replace(best, vertices=vertices, surface=surface), alternatives, _widening(now, A))


def _part(view: View, image: tuple[int, int] | None) -> tuple[slice, tuple[int, int] | None]:
    """The first rows of an image that are enough, or the first pixels of a list."""
    if image is None:
        return slice(0, _PIXELS), None
    rows = min(image[0], max(_PIXELS // image[1], 3))
    return slice(0, rows * image[1]), (rows, image[1])


def _posterior(view: View, lens: Lens, fitted: Fit, log_shares: Array | None = None) -> Posterior:
    shares = fitted.log_shares if log_shares is None else log_shares
    return abundances_of(
        view.Y, lens.white, fitted.vertices, fitted.surface, shares, view.noise, n_steps=4
    )


def _scene(
    lens: Lens, view: View, best: Fit, image: tuple[int, int] | None, seed: int
) -> tuple[View, Array]:
    """The scene made, as the lens sees it, and its abundances (pixel, member)."""
    flat = np.full(len(best.log_shares), -30.0)
    flat[-1] = 0.0
    A = (1 - _FLAT) * _posterior(view, lens, best).mean
    A = np.maximum(A + _FLAT * _posterior(view, lens, best, flat).mean, 0)
    A /= A.sum(axis=1, keepdims=True)
    clean = best.surface.at(A, best.vertices, lens.white)
    noise = np.random.default_rng((seed, 1)).standard_normal(clean.shape) / lens.white.left
    t = view.brightness[:, None]
    if lens.scale == "shade":
        Z = clean * t + noise
        size = np.ones(len(A))
    else:
        Z = clean + noise * np.sqrt(view.noise)[:, None]
        size = view.brightness * lens.unit
    return lens.level(lens.cleaned(Z, image), size), A


def _widening(seen: Posterior, A: Array) -> float:
    """90 % quantile of the errors in standard deviations, over a Gaussian's."""
    sd = np.sqrt(np.diagonal(seen.covariance, axis1=1, axis2=2))
    z = np.quantile(np.abs(seen.mean - A) / np.maximum(sd, _SMALLEST), 0.9)
    return float(np.clip(z / _NINETY, 1.0, _WIDEST))
