"""A scene explained again: from a fitted model's members and mixing surface, not from scratch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.extract.reduce import sample_rows
from unmix.posterior.explain import Candidate, Explanation
from unmix.posterior.faces import faces_of
from unmix.posterior.fit import Fit, abundances_of, fit, misfit
from unmix.posterior.observe import Lens, View
from unmix.posterior.surfaces import Surface

__all__ = ["explain_again", "moved"]

Array = NDArray[np.float64]

_FITTED = 10_000  # pixels the members are fitted on


def explain_again(
    lens: Lens,
    view: View,
    V: Array,
    surface: Surface,
    *,
    known: bool = False,
    typical: bool = False,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Explanation:
    """The best answer near a start; no other is looked for, so members keep their order.

    Parameters
    ----------
    lens, view
        Of the scene, from `focus`.
    V : ndarray, shape (member, band)
        Vertices to start from, as the lens sees them.
    surface : Surface
        With the constants to start from.
    known : bool
        The endmembers stay: constants and shares of faces are fitted.
    typical : bool
        Nothing is fitted: only how much `V` leaves unexplained is wanted.
    seed : int
        Of the pixels it is fitted on.

    Raises
    ------
    InputError
        The scene cannot be explained from there.
    """
    rows = sample_rows(len(view.Y), _FITTED, seed)
    Y, noise = view.Y[rows], view.noise[rows]
    try:
        if typical:
            best = _as_it_is(lens, Y, noise, V, surface)
        else:
            best = fit(Y, lens.white, V, surface, noise=noise, fixed=known, progress=progress)
    except (FloatingPointError, np.linalg.LinAlgError):
        raise InputError(
            "finetune: the model's members cannot be told apart in this scene; train on it instead"
        ) from None
    rest = misfit(Y, lens.white, best.vertices, best.surface, best.mean, noise)
    candidate = Candidate("model", best.surface.name, best, best.log_likelihood)
    return Explanation(best, [candidate], rest, rows)


def _as_it_is(lens: Lens, Y: Array, noise: Array, V: Array, surface: Surface) -> Fit:
    """Vertices that stay, under equally likely faces."""
    n = len(faces_of(len(V)).sizes)
    shares = np.full(n, -np.log(n))
    found = abundances_of(Y, lens.white, V, surface, shares, noise)
    return Fit(V, surface, shares, found.log_likelihood, 0, found.mean, ())


def moved(E: NDArray[np.floating], before: NDArray[np.floating], most: float) -> tuple[str, ...]:
    """A warning if spectra (member, band) turned by more than `most` radians; in one sentence.

    >>> moved(np.eye(2), np.array([[1.0, 0.1], [1.0, 1.0]]), 0.2)
    ("member 2: its spectrum is 0.79 rad from the model's; it may be another material here",)
    """
    unit, old = (
        s / np.maximum(np.linalg.norm(s, axis=1, keepdims=True), 1e-12)
        for s in (np.asarray(E, np.float64), np.asarray(before, np.float64))
    )
    angle = np.arccos(np.clip((unit * old).sum(axis=1), -1, 1))
    return tuple(
        f"member {k + 1}: its spectrum is {angle[k]:.2f} rad from the model's; "
        "it may be another material here"
        for k in np.flatnonzero(angle > most)
    )
