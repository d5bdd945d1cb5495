"""A scene explained again: from a fitted model's members and mixing surface, not from scratch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.extract.nfindr import nfindr
from unmix.extract.reduce import sample_rows
from unmix.metrics import align
from unmix.posterior.explain import COMPARED, FITTED, Candidate, Explanation, settled
from unmix.posterior.faces import faces_of
from unmix.posterior.fit import Fit, abundances_of, fit, misfit
from unmix.posterior.observe import Lens, View
from unmix.posterior.surfaces import Surface

__all__ = ["explain_again", "moved"]

Array = NDArray[np.float64]

_LOST = "finetune: the model's members cannot be told apart in this scene; train on it instead"


def explain_again(
    lens: Lens,
    view: View,
    V: Array,
    surface: Surface,
    *,
    known: bool | NDArray[np.bool_] = False,
    typical: bool = False,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Explanation:
    """The best answer from a model, or from the largest simplex in the order of its members.

    From afar the fit may end in a lesser optimum, so both are tried and the likelier one is kept.

    Parameters
    ----------
    lens, view
        Of the scene, from `focus`.
    V : ndarray, shape (member, band)
        Vertices to start from, as the lens sees them.
    surface : Surface
        With the constants to start from.
    known : bool
        Endmembers that stay, all or those of a mask (member,).
    typical : bool
        Nothing is fitted: only how much `V` leaves unexplained is wanted.
    seed : int
        Of the pixels it is fitted on.

    Raises
    ------
    InputError
        The scene cannot be explained from there.
    """
    part = sample_rows(len(view.Y), FITTED, seed)
    Y, noise = view.Y[part], view.noise[part]
    try:
        if typical:
            best = _as_it_is(lens, Y, noise, V, surface)
            rest = misfit(Y, lens.white, V, surface, best.mean, noise)
            only = Candidate("model", surface.name, best, best.log_likelihood)
            return Explanation(best, [only], rest)
        few = sample_rows(len(view.Y), COMPARED, seed)
        seen, left = view.Y[few], view.noise[few]
        starts = {"model": V} if np.any(known) else {"model": V} | _simplex(lens, Y, V, seed)
    except (FloatingPointError, np.linalg.LinAlgError):
        raise InputError(_LOST) from None
    found = []
    for i, (name, start) in enumerate(starts.items()):
        try:
            done = fit(seen, lens.white, start, surface, noise=left, fixed=known)
            found.append(Candidate(name, surface.name, done, done.log_likelihood))
        except (FloatingPointError, np.linalg.LinAlgError):  # the other start may do
            found.append(Candidate(name, surface.name, None, -np.inf))
        if progress is not None:
            progress((i + 1) / (len(starts) + 1))
    found.sort(key=lambda c: -c.score)
    if found[0].fit is None:
        raise InputError(_LOST)
    return settled(lens, view, found, known, seed)


def _simplex(lens: Lens, Y: Array, V: Array, seed: int) -> dict[str, Array]:
    """The largest simplex of the pixels, its vertices in the order of those most like them."""
    with suppress(InputError):  # pixels that span no simplex: the model's members are all there is
        found = np.asarray(nfindr(lens.white.spectra(Y), len(V), seed=seed), np.float64)
        return {"largest simplex": found[align(E_est=found, E_true=V)]}
    return {}


def _as_it_is(lens: Lens, Y: Array, noise: Array, V: Array, surface: Surface) -> Fit:
    """Vertices that stay, under equally likely faces."""
    n = len(faces_of(len(V)).sizes)
    shares = np.full(n, -np.log(n))
    found = abundances_of(Y, lens.white, V, surface, shares, noise)
    n = V.shape[0] * Y.shape[1] + len(surface.theta)
    return Fit(V, surface, shares, found.log_likelihood, 0, found.mean, (), np.zeros((n, n)))


def moved(
    E: NDArray[np.floating], before: NDArray[np.floating], most: float, far: bool = False
) -> tuple[str, ...]:
    """Warnings of spectra (member, band) that turned by more than `most` radians from `before`.

    Where all turn, light and calibration did it: a member has to turn twice as far as the median
    one, and `3 most` at least is another material. Not so if the scene is `far`: nothing led there
    from the model.

    >>> moved(np.eye(2), np.array([[1.0, 0.1], [1.0, 1.0]]), 0.2)
    ("member 2: its spectrum is 0.79 rad from the model's; it may be another material here",)
    """
    unit, old = (
        s / np.maximum(np.linalg.norm(s, axis=1, keepdims=True), 1e-12)
        for s in (np.asarray(E, np.float64), np.asarray(before, np.float64))
    )
    angle = np.arccos(np.clip((unit * old).sum(axis=1), -1, 1))
    if not far:
        most = min(max(most, 2 * float(np.median(angle))), 3 * most)
    return tuple(
        f"member {k + 1}: its spectrum is {angle[k]:.2f} rad from the model's; "
        "it may be another material here"
        for k in np.flatnonzero(angle > most)
    )
