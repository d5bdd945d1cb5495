r"""Brightness of a pixel: part of the model, not an accident.

Illumination, slope and shade multiply a whole spectrum, x = s Eᵀa + n, and s runs from 0.4 to 1.1
on ordinary scenes. What is done about it changes abundances more than the choice of solver does:

* ``none``  s = 1: FCLS on the pixels as they are;
* ``l2``    pixels and endmembers divided by their Euclidean norm, then FCLS;
* ``max``   the same with their maximum;
* ``shade`` s is solved for in every pixel: NNLS, abundances b / Σb, brightness s = Σb.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import check_option
from unmix.extract.reduce import Moments, sample_rows, signal_subspace
from unmix.origin import find_origin
from unmix.solve import fcls, nnls, snnls

__all__ = [
    "SCALES",
    "ScaleChoice",
    "abundances",
    "choose_scale",
    "levelled",
    "normalise",
    "typical_brightness",
    "well_lit",
]

SCALES = ("none", "l2", "max", "shade")
_SAMPLE = 4000
_DARKEST = 0.05  # "shade": a pixel darker than this is not brightened further (its noise would be)
_DIRECTION_SNR = 100.0  # 20 dB: below it a pixel's direction is off by more than 0.1 rad
_CONE = 3.0  # errors that the origin may be off the signal of a cone
_MARGIN = 0.98  # held-out error must drop by 2 % before a pixel is given a brightness of its own


@dataclass(frozen=True)
class ScaleChoice:
    """A scale mode with the sentence and the numbers behind it."""

    mode: str
    why: str
    evidence: dict[str, Any] = field(default_factory=dict)


def normalise(
    X: NDArray[np.floating], scale: str
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Spectra (..., band) divided by their own size, and that size (...).

    "none" and "shade" leave the spectra as they are (size 1). A spectrum that is zero stays zero.

    >>> normalise(np.array([[3.0, 4.0]]), "l2")
    (array([[0.6, 0.8]]), array([5.]))
    """
    check_option(scale, SCALES, "scale")
    if scale in ("none", "shade"):
        return X, np.ones(X.shape[:-1], X.dtype)
    size = np.sqrt((X * X).sum(axis=-1)) if scale == "l2" else X.max(axis=-1)
    size = np.where(size > 0, size, 1).astype(X.dtype)
    return X / size[..., None], size


def abundances(
    X: NDArray[np.floating], E: NDArray[np.floating], scale: str
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Exact abundances A (..., member) and brightness s (...) with x ≈ s Eᵀa under a scale mode.

    >>> E = np.array([[1.0, 0.0, 0.5], [0.2, 0.8, 0.4]])
    >>> A, s = abundances(0.5 * np.array([[0.3, 0.7]]) @ E, E, "shade")
    >>> A.round(6), s.round(6)
    (array([[0.3, 0.7]]), array([0.5]))
    """
    check_option(scale, SCALES, "scale")
    if scale == "shade":
        return snnls(X, E)
    if scale == "none":
        A = fcls(X, E)
        return A, np.ones(A.shape[:-1], A.dtype)
    pixels, _ = normalise(X, scale)
    members, _ = normalise(np.asarray(E), scale)
    A = fcls(pixels, members)
    return A, _brightness(X, A, E)


def levelled(
    X: NDArray[np.floating], E: NDArray[np.floating], scale: str
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Pixels (pixel, band) at the brightness of their scale mode, and what they were divided by.

    For methods that have no brightness of their own in the model: "l2" and "max" normalise, "shade"
    divides by the brightness that NNLS with the endmembers E finds, but by no less than 0.05.

    >>> E = np.array([[1.0, 0.0, 0.5], [0.2, 0.8, 0.4]])
    >>> X, s = levelled(np.array([[0.5, 0.0, 0.25]]), E, "shade")
    >>> X.round(6), s.round(6)
    (array([[1. , 0. , 0.5]]), array([0.5]))
    """
    if scale != "shade":
        return normalise(X, scale)
    _, size = abundances(X, E, "shade")
    size = np.maximum(size, _DARKEST).astype(X.dtype)
    return X / size[:, None], size


def _brightness(
    X: NDArray[np.floating], A: NDArray[np.floating], E: NDArray[np.floating]
) -> NDArray[np.floating]:
    """The factor s that fits s Eᵀa to x best: xᵀ(Eᵀa) / ‖Eᵀa‖²."""
    fit = A @ np.asarray(E, A.dtype)
    power = (fit * fit).sum(axis=-1)
    return (X * fit).sum(axis=-1) / np.where(power > 0, power, 1)


def choose_scale(
    X: NDArray[np.floating],
    *,
    E: NDArray[np.floating] | None = None,
    n_endmembers: int | None = None,
    seed: int = 0,
) -> ScaleChoice:
    """Whether pixels need a brightness of their own, decided from the pixels alone.

    Sampled pixels are fitted twice on every second band, once with Σa = 1 and once without, and the
    bands left out are predicted. A free brightness that nothing needs predicts worse, because it
    fits noise; one that the scene needs predicts better. With endmembers E the fits are FCLS and
    NNLS. Without, they are the affine hull and the linear span that K endmembers would have (K − 1
    components around the mean, K through the origin), from one half of the pixels, tried on the
    other: no endmember estimate, good or bad, enters. Where the origin lies decides as well, as
    long as the signal has no more dimensions than 2 K: in noise a free brightness
    predicts little better, but it makes a cone of the pixels (`unmix.origin`).

    Parameters
    ----------
    X : ndarray, shape (pixel, band)
    E : ndarray, shape (member, band), optional
    n_endmembers : int, optional
        K, needed without E.
    seed : int

    Returns
    -------
    ScaleChoice
        Mode "shade" or "none".

    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((3, 40))
    >>> X = rng.dirichlet(np.ones(3), 500) @ E + 0.01 * rng.standard_normal((500, 40))
    >>> choose_scale(X, E=E).mode, choose_scale(rng.uniform(0.4, 1.1, (500, 1)) * X, E=E).mode
    ('none', 'shade')
    """
    pixels = np.asarray(X[sample_rows(len(X), _SAMPLE, seed)], np.float64)
    if E is not None:
        fixed, free = _errors_of_members(pixels, np.asarray(E, np.float64))
    else:
        n = min(n_endmembers or 2, pixels.shape[1] // 2, len(pixels) // 4)
        fixed, free = _errors_of_subspaces(pixels, max(n, 1), seed)
    ratio = free / fixed if fixed > 0 else 1.0
    evidence = {
        "held_out_error_ratio": ratio,
        "threshold": _MARGIN,
        "fits": "affine hull, linear span" if E is None else "FCLS, NNLS",
        "pixels": len(pixels),
    }
    if E is None:
        origin = find_origin(X, seed)
        away = origin.distance / max(origin.error, 1e-12)
        evidence |= {"origin": away, "components": origin.components}
        if origin.components <= 2 * n:
            # one dimension more than Σa = 1 leaves is just what brightness adds; what bends, more
            near = 2 * _CONE if origin.components == n else _CONE
            if origin.components >= n and away < near:
                why = f"the pixels make a cone: the origin is {away:.1f} errors off their signal"
                return ScaleChoice("shade", why, evidence)
            if away > 2 * _CONE:
                why = f"the origin is {away:.1f} errors off the pixels' signal: they make no cone"
                return ScaleChoice("none", why, evidence)
    change = f"{abs(1 - ratio):.0%} {'less' if ratio < 1 else 'more'} error"
    if ratio < _MARGIN:
        why = f"bands left out are predicted with {change} when pixels differ in brightness"
        return ScaleChoice("shade", why, evidence)
    why = f"pixels that differ in brightness would predict bands left out with {change}"
    return ScaleChoice("none", why, evidence)


def _halves() -> list[tuple[slice, slice]]:
    """Bands to fit on and bands to predict, both ways round."""
    even, odd = slice(0, None, 2), slice(1, None, 2)
    return [(even, odd), (odd, even)]


def _errors_of_members(pixels: NDArray[np.float64], E: NDArray[np.float64]) -> tuple[float, float]:
    """Squared error on bands left out, with Σa = 1 and with free brightness."""
    total = [0.0, 0.0]
    for fit, test in _halves():
        for i, solver in enumerate((fcls, nnls)):
            A = solver(pixels[:, fit], E[:, fit])
            total[i] += float(((pixels[:, test] - A @ E[:, test]) ** 2).sum())
    return total[0], total[1]


def _errors_of_subspaces(pixels: NDArray[np.float64], n: int, seed: int) -> tuple[float, float]:
    """Squared error on bands left out: the affine hull of n members, and their linear span."""
    order = np.random.default_rng(seed).permutation(len(pixels))
    train, rest = np.array_split(pixels[order], 2)
    total = [0.0, 0.0]
    for i, (affine, size) in enumerate(((True, n - 1), (False, n))):
        space = signal_subspace(train, size, affine=affine, seed=seed)
        for fit, test in _halves():
            centred = rest - space.mean
            coordinates = centred[:, fit] @ np.linalg.pinv(space.axes[:, fit])
            error = centred[:, test] - coordinates @ space.axes[:, test]
            total[i] += float((error**2).sum())
    return total[0], total[1]


def well_lit(
    X: NDArray[np.floating], n_endmembers: int, seed: int = 0, *, snr: float = _DIRECTION_SNR
) -> NDArray[np.bool_]:
    """Pixels whose direction is more than noise: ‖x‖² at least `snr` times the noise in all bands.

    Dividing a spectrum by its size blows its noise up, and extreme pixels of what results are the
    darkest ones, not the purest. In a scene where half the pixels are below 20 dB, the brighter
    half. Noise is what the signal subspace of K + 10 components leaves of the pixels.

    >>> rng = np.random.default_rng(0)
    >>> X = 1 + 0.01 * rng.standard_normal((100, 30))
    >>> X[:10] *= 0.001
    >>> X += 0.01 * rng.standard_normal((100, 30))
    >>> int(well_lit(X, 2).sum())
    90
    """
    n = min(n_endmembers + 10, X.shape[1] // 2)
    space = Moments.of(X, seed).subspace(n, affine=True)
    noise = max(space.power - space.kept, 0.0) * X.shape[1] / (X.shape[1] - n)
    power = (X * X).sum(axis=-1, dtype=np.float64)
    return power >= min(snr * noise, float(np.median(power)))


def typical_brightness(
    directions: NDArray[np.floating], size: NDArray[np.floating], E: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Scale unit spectra E (member, band) to the median size of the pixels nearest in angle.

    `directions` (pixel, band) are pixels of unit norm, `size` (pixel,) their norms.
    """
    unit, _ = normalise(E, "l2")
    near = max(1, len(directions) // 200)
    cosine = directions @ unit.T
    rows = np.argpartition(-cosine, near - 1, axis=0)[:near]
    return unit * np.median(size[rows], axis=0)[:, None].astype(E.dtype)
