"""Mixing models by name, with the constants that a simulation draws for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix import mixing
from unmix.checks import InputError, check_option

__all__ = ["INTERACTIONS", "KINDS", "MODELS", "Constants", "Mixer", "draw_mixer", "span_of"]

MODELS = ("linear", "bilinear", "pnmm", "fan", "gbm", "ppnm", "mlm", "hapke")
KINDS = tuple(mixing.CURVES)
INTERACTIONS = ("pairs", "all")
MOST_GAMMA = 100.0
"""Largest constant of the curves other than the power; beyond it they are steps."""

Array = NDArray[np.floating]
Range = float | tuple[float, float]


@dataclass(frozen=True)
class Constants:
    """What the models need beyond abundances and spectra, as a user gives it (see `simulate`)."""

    beta: ArrayLike = 1.0
    interactions: str = "pairs"
    kind: str = "power"
    gamma: float | None = None
    b: Range = (-0.3, 0.3)
    probability: ArrayLike = (0.0, 0.5)
    incidence: float = 30.0
    emergence: float = 0.0


@dataclass(frozen=True, eq=False)
class Mixer:
    """A mixing model with its constants drawn.

    Parameters
    ----------
    mix : callable
        X = mix(A, E, rows): spectra of the scene's rows that `A` holds.
    constants : dict
        What was drawn or given, by name; one a pixel with the scene's rows first.
    """

    mix: Callable[[Array, Array, slice], Array]
    constants: dict[str, Any] = field(default_factory=dict)


def draw_mixer(
    model: str,
    given: Constants,
    size: tuple[int, int],
    k: int,
    rng: np.random.Generator,
    side: np.random.Generator,
) -> Mixer:
    """Check every constant and draw those of `model`.

    γ of "gbm" and b of "ppnm" come from `rng`; the others from `side`, which depends on nothing
    but the seed.

    Raises
    ------
    InputError
        An unknown name, or a constant out of its range.
    """
    low, high = _strengths(given.beta, k)
    check_option(given.interactions, INTERACTIONS, "interactions")
    check_option(given.kind, KINDS, "kind")
    gamma, b = _gamma(given.kind, given.gamma), span_of(given.b, "b", -1.0, 1.0)
    P, angles = _probability(given.probability, size), (given.incidence, given.emergence)
    mixing.albedo(0.5, *angles)
    if model == "bilinear":
        beta = low + (high - low) * side.random((k, k)) if (low < high).any() else low
        if np.ndim(given.beta) < 2 and given.interactions == "pairs":
            beta = np.triu(beta, 1)
        return Mixer(lambda A, E, _: mixing.bilinear(A, E, beta), {"beta": beta})
    if model == "gbm":
        pair = np.triu_indices(k, 1)
        least = low[pair] if np.ndim(given.beta) == 1 else 0.0
        g = least + (high[pair] - least) * rng.random((*size, len(pair[0])))
        mix = lambda A, E, rows: mixing.generalised_bilinear(A, E, g[rows])  # noqa: E731
        return Mixer(mix, {"pair_gamma": g})
    if model == "ppnm":
        bs = rng.uniform(*b, size) if b[0] < b[1] else np.full(size, b[0])
        return Mixer(lambda A, E, rows: mixing.polynomial(A, E, bs[rows]), {"b": bs})
    if model == "mlm":
        p = P if isinstance(P, np.ndarray) else P[0] + (P[1] - P[0]) * side.random(size)
        return Mixer(lambda A, E, rows: mixing.multilinear(A, E, p[rows]), {"probability": p})
    return {
        "linear": Mixer(lambda A, E, _: mixing.linear(A, E)),
        "fan": Mixer(lambda A, E, _: mixing.fan(A, E)),
        "pnmm": Mixer(
            lambda A, E, _: mixing.post_nonlinear(A, E, given.kind, gamma),
            {"kind": given.kind, "gamma": gamma},
        ),
        "hapke": Mixer(
            lambda A, E, _: mixing.hapke(A, E, *angles),
            {"incidence": angles[0], "emergence": angles[1]},
        ),
    }[model]


def _strengths(beta: ArrayLike, k: int) -> tuple[Array, Array]:
    """Least and greatest strength of each pair (member, member) of a number, range or matrix."""
    try:
        strength = np.asarray(beta, float)
    except (TypeError, ValueError):
        strength = np.empty(0)
    fits = strength.shape in ((), (2,), (k, k)) and ((strength >= 0) & (strength <= 1)).all()
    if not fits or (strength.shape == (2,) and strength[0] > strength[1]):
        raise InputError(
            f"beta: give a number in [0, 1], a range (low, high) in it, or a ({k}, {k}) array"
        )
    low, high = strength if strength.shape == (2,) else (strength, strength)
    return np.broadcast_to(low, (k, k)), np.broadcast_to(high, (k, k))


def _gamma(kind: str, gamma: float | None) -> float:
    """The constant of the post-nonlinear curve, its usual one where none is given."""
    if gamma is None:
        return mixing.CURVES[kind][0]
    top = 3.0 if kind == "power" else MOST_GAMMA
    if not isinstance(gamma, (int, float, np.number)) or not 0 < gamma <= top:
        what = "exponent" if kind == "power" else f"constant of {kind!r}"
        raise InputError(f"gamma: got {gamma!r}; the {what} of pnmm lies in (0, {top:g}]")
    return float(gamma)


def _probability(P: ArrayLike, size: tuple[int, int]) -> Array | tuple[float, float]:
    """P of the multilinear model: a map of it, or the range it is drawn from."""
    if np.shape(P) == size != (2,):
        p = np.asarray(P, float)
        if not ((p >= 0) & (p < 1)).all():
            raise InputError("probability: values outside [0, 1); it is a probability below 1")
        return p
    low, high = span_of(P, "probability", 0.0, 1.0, f", or an array of {size[0]} x {size[1]}")
    if high >= 1:
        raise InputError(f"probability: got {high:g}; P of mlm lies in [0, 1)")
    return low, high


def span_of(
    span: Any, name: str, least: float = 0.0, most: float = np.inf, more: str = ""
) -> tuple[float, float]:
    """A number, or a range (low, high), within [least, most].

    >>> span_of(0.3, "b"), span_of((0.6, 1.1), "brightness")
    ((0.3, 0.3), (0.6, 1.1))
    """
    try:
        low, high = (float(v) for v in ((span, span) if np.ndim(span) == 0 else span))
    except (TypeError, ValueError):
        low = high = np.nan
    if not (least <= low <= high <= most and np.isfinite([low, high]).all()):
        within = f"{least:g} <= low <= high" + (f" <= {most:g}" if np.isfinite(most) else "")
        raise InputError(f"{name}: got {span!r:.60}; give a number or (low, high), {within}{more}")
    return low, high
