"""A feature on a sensor's bands: which bands, how they are smoothed, where the continuum rests.

Bands are taken in the order of their wavelengths, whatever detector they come from, without those
that are bad. They are grouped to nodes no closer than 3/4 of the smoothing (or half a nanometre,
so that a wavelength that two detectors share is one node). At each node the spectrum is a local
straight-line fit with Gaussian weights (standard deviation `smooth`), which leaves slopes and
uneven spacing unbiased where a plain moving average does not. All of it is linear in the
reflectance, so it is one small matrix, made once for all spectra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.features.windows import Feature

__all__ = ["Sampling", "sample_feature", "sorted_bands"]

Array = NDArray[np.floating]

SAME_NODE = 0.5  # nm between bands that are taken as one
_THIN = 0.75  # standard deviations of smoothing between nodes: closer ones tell nothing new
_REACH = 2.5  # standard deviations to which smoothing looks


@dataclass(frozen=True, eq=False)
class Sampling:
    """A feature on given bands.

    Parameters
    ----------
    feature : Feature
    bands : ndarray of int, shape (used,)
        Indices into the spectrum, by increasing wavelength.
    nodes : ndarray, shape (node,)
        Wavelengths in nm at which the smoothed spectrum is taken, left end to right end.
    smooth : ndarray, shape (node, used)
        Smoothed reflectance at the nodes is `smooth @ spectrum[bands]`.
    left, right : ndarray, shape (used,)
        Weights of the continuum's ends.
    line : ndarray, shape (node,)
        The continuum at a node is `(1 - line) * left + line * right`.
    inside : (int, int)
        First node of the centre's range and the one after the last.
    """

    feature: Feature
    bands: NDArray[np.intp]
    nodes: Array
    smooth: Array
    left: Array
    right: Array
    line: Array
    inside: tuple[int, int]


def sorted_bands(
    wavelength: ArrayLike, good: ArrayLike | None = None
) -> tuple[NDArray[np.intp], Array]:
    """Indices of the good bands by increasing wavelength, and their wavelengths in nm.

    Raises
    ------
    InputError
        Wavelengths that are not one positive number a band.

    >>> sorted_bands([500.0, 900.0, 880.0, 1000.0], [True, True, True, False])
    (array([0, 2, 1]), array([500., 880., 900.]))
    """
    centres = np.asarray(wavelength, np.float64)
    if centres.ndim != 1 or centres.size < 1:
        raise InputError("wavelength: give the band centres in nm, one number a band")
    usable = np.isfinite(centres) & (np.nan_to_num(centres) > 0)
    if good is not None:
        marks = np.asarray(good, bool)
        if marks.shape != centres.shape:
            raise InputError(f"good: {marks.size} values for {centres.size} bands; give one each")
        usable &= marks
    order = np.argsort(np.where(usable, centres, np.inf), kind="stable")[: usable.sum()]
    return order, centres[order]


def sample_feature(
    feature: Feature,
    wavelength: ArrayLike,
    good: ArrayLike | None = None,
    smooth: float | None = None,
) -> Sampling | None:
    """The feature on these bands; None where they do not cover it.

    It is covered where both ends of the continuum have a band and the centre's range three nodes.

    Parameters
    ----------
    feature : Feature
    wavelength : array_like, shape (band,)
        In nm, any order; detectors may overlap.
    good : array_like of bool, shape (band,), optional
    smooth : float, optional
        Standard deviation of the local fit in nm instead of the feature's own; 0 for none.

    >>> from unmix.features.windows import FEATURES
    >>> [sample_feature(f, np.arange(2000.0, 2401.0, 10.0)) is not None for f in FEATURES][:2]
    [False, False]
    """
    order, x = sorted_bands(wavelength, good)
    sigma = feature.smooth if smooth is None else float(smooth)
    within = (x >= feature.left[0] - sigma) & (x <= feature.right[1] + sigma)
    bands, x = order[within], x[within]
    ends = [_end(x, *span) for span in (feature.left, feature.right)]
    if not (ends[0].any() and ends[1].any()):
        return None
    keep = (x >= feature.left[0]) & (x <= feature.right[1])
    nodes = _nodes(x[keep], max(SAME_NODE, _THIN * sigma))
    inside = np.flatnonzero((nodes >= feature.centre[0]) & (nodes <= feature.centre[1]))
    if len(inside) < 3:
        return None
    low, high = float(ends[0] @ x), float(ends[1] @ x)
    return Sampling(
        feature,
        bands,
        nodes,
        _local_lines(nodes, x, sigma),
        ends[0],
        ends[1],
        (nodes - low) / (high - low),
        (int(inside[0]), int(inside[-1]) + 1),
    )


def _end(x: Array, low: float, high: float) -> Array:
    """Equal weights for the bands of one end of the continuum; zeros where there is none."""
    chosen = (x >= low) & (x <= high)
    return chosen / max(int(chosen.sum()), 1)


def _nodes(x: Array, least: float) -> Array:
    """Wavelengths, those that lie within `least` nm of the first of a group averaged."""
    group, first = np.zeros(len(x), np.intp), x[0] if len(x) else 0.0
    for i in range(1, len(x)):
        apart = x[i] - first >= least
        first = x[i] if apart else first
        group[i] = group[i - 1] + apart
    return np.bincount(group, x) / np.maximum(np.bincount(group), 1)


def _local_lines(nodes: Array, x: Array, sigma: float) -> Array:
    """Rows of weights that give at each node the value of a straight line fitted around it."""
    away = x[None, :] - nodes[:, None]
    width = np.maximum(sigma, 1e-3 + SAME_NODE)
    weight = np.exp(-0.5 * (away / width) ** 2) * (np.abs(away) <= _REACH * width)
    s0, s1, s2 = (np.sum(weight * away**p, axis=1)[:, None] for p in range(3))
    det = s0 * s2 - s1 * s1
    flat = det < 1e-9 * np.maximum(s0 * s2, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        lines = weight * (s2 - s1 * away) / det
    return np.where(flat, weight / s0, lines)
