"""How well library entries explain spectra: one score from features, their rules, and shape.

With q_w and l_w the log quotients of spectrum and entry in window w (see `compare`), weighted so
that no window counts for its many bands or for being deep in every material,

    together = Σ <q_w, l_w> / √(Σ|q_w|² Σ|l_w|²)        depths agree across windows
    apart    = Σ v_w <q_w, l_w> / (|q_w| |l_w|) / Σ v_w    each feature fits, whatever its depth

with v_w = |q_w| + |l_w|, so that a feature of one that the other lacks counts against it. |q_w|² is
less the power of the noise. Shape is the whole spectrum's angle and information divergence:

    shape = 1 - (θ + √SID) / 2 / 0.5 rad.

    fit = 0.4 together + 0.4 apart + 0.2 shape

What no depth of an entry's features follows is left over, and its share of all is told, too:

    left = Σ (|q_w|² - <q_w, l_w>² / |l_w|²) / n_w / Σ |q_w|² / n_w,    n_w bands of window w.

References
----------
Clark, R. N. et al. (2003). Journal of Geophysical Research 108 (E12). Kokaly, R. F. (2011). U.S.
Geological Survey Open-File Report 2011-1155. Chang, C.-I. (2000). An information-theoretic approach
to spectral variability. IEEE Transactions on Information Theory 46.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.identify.compare import Window

__all__ = ["Scores", "score_features", "score_shape"]

Array = NDArray[np.floating]

TOGETHER, APART, SHAPE = 0.4, 0.4, 0.2
_FLOOR = 0.05  # of a window's noise power, the least that is left of a spectrum's own
_USUAL = 0.01  # added to a window's usual depth
_COVERED = 0.8  # share of the windows an entry must have
_WIDE = 0.5  # rad; an angle that means nothing in common


@dataclass(frozen=True, eq=False)
class Scores:
    """Of each spectrum with each entry: arrays (member, entry), NaN where there is none."""

    features: Array
    left: Array
    angle: Array
    sid: Array

    @property
    def shape(self) -> Array:
        """1 for the same shape, 0 and less for nothing in common."""
        wide = (self.angle + np.sqrt(np.maximum(self.sid, 0.0))) / 2
        return np.clip(1 - wide / _WIDE, -1.0, 1.0)

    @property
    def total(self) -> Array:
        """Features and shape; shape alone where no window could be compared."""
        both = (TOGETHER + APART) * self.features + SHAPE * self.shape
        return np.where(np.isnan(self.features).all(), self.shape, both)


def score_features(
    ours: Sequence[Window], theirs: Sequence[Window], noise: Array
) -> tuple[Array, Array]:
    """Feature fit (member, entry) in -1..1, and the share that is left over.

    The fit is NaN where an entry lacks too many of the windows.
    """
    if not ours:
        return np.full((len(noise), 1), np.nan), np.full((len(noise), 1), np.nan)
    n_entries = len(theirs[0].values)
    cross, own, other, fits, weights, left, all_of = (
        np.zeros((len(noise), n_entries)) for _ in range(7)
    )
    covered = np.zeros(n_entries)
    for mine, yours in zip(ours, theirs, strict=True):
        known = np.asarray(np.isfinite(yours.values).all(axis=1))
        q, entry = mine.values, np.where(known[:, None], yours.values, 0.0)
        n_bands = q.shape[1]
        usual = np.sqrt(np.median((entry[known] ** 2).mean(axis=1))) if known.any() else 0.0
        g = 1 / n_bands / (usual + _USUAL)
        power = n_bands * noise**2
        a = np.maximum((q * q).sum(axis=1) - 1.3 * power, _FLOOR * power + 1e-12)[:, None]
        b, c = (entry * entry).sum(axis=1)[None, :], q @ entry.T
        cross, own, other = cross + g * c, own + g * a, other + g * b
        v = np.sqrt(g * a) + np.sqrt(g * b)
        fits += v * np.clip(c / np.sqrt(a * b + 1e-12), -1, 1)
        weights += v
        left += known * np.maximum(a - c * c / (b + 1e-12), 0.0) / n_bands
        all_of += known * a / n_bands
        covered += known
    together = np.clip(cross / np.sqrt(own * other + 1e-15), -1, 1)
    found = (TOGETHER * together + APART * fits / weights) / (TOGETHER + APART)
    enough = covered >= _COVERED * len(ours)
    return np.where(enough, found, np.nan), np.where(enough, left / (all_of + 1e-15), np.nan)


def score_shape(spectra: Array, entries: Array) -> tuple[Array, Array]:
    """Spectral angle [rad] and information divergence (member, entry) over the bands both have.

    An entry with a value in less than 80 % of the bands is not compared (NaN).

    >>> angle, sid = score_shape(np.array([[0.2, 0.4, 0.6]]), np.array([[0.1, 0.2, 0.3]]))
    >>> round(float(angle[0, 0]), 6), round(float(sid[0, 0]), 6)
    (0.0, 0.0)
    """
    has = np.isfinite(entries)
    enough = has.mean(axis=1) >= _COVERED
    least = 1e-4 * np.nanmedian(np.abs(spectra), axis=1, keepdims=True) + 1e-300
    q = np.maximum(spectra, least)
    e = np.where(has, np.maximum(np.nan_to_num(entries), 1e-6), 0.0)
    mask = has.T.astype(float)
    norm = np.sqrt((q * q) @ mask * (e * e).sum(axis=1))
    angle = np.arccos(np.clip(q @ e.T / np.maximum(norm, 1e-300), -1, 1))
    sid = _divergence(q, e, mask, has)
    return np.where(enough, angle, np.nan), np.where(enough, sid, np.nan)


def _divergence(q: Array, e: Array, mask: Array, has: NDArray[np.bool_]) -> Array:
    """Symmetric Kullback-Leibler divergence Σ (p - r)(ln p - ln r) of spectra scaled to sum 1."""
    sum_q, sum_e = q @ mask, e.sum(axis=1)[None, :]
    log_q, log_e = np.log(q), np.where(has, np.log(np.where(has, e, 1.0)), 0.0)
    p_log = ((q * log_q) @ mask - q @ log_e.T) / sum_q
    r_log = (log_q @ e.T - (e * log_e).sum(axis=1)[None, :]) / np.maximum(sum_e, 1e-30)
    # the constants ln(sum_q / sum_e) of both logarithms cancel, since p and r each sum to one
    return np.maximum(p_log - r_log, 0.0)
