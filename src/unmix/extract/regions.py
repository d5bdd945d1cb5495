"""Endmembers of regions: what their pixels have in common, and how far they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RegionSpectrum", "bundles", "region_spectrum"]

Array = NDArray[np.float64]

_ODD = 3.5  # robust standard deviations from the usual that make a pixel odd
_FEW = 5  # pixels: of fewer none is odd


@dataclass(frozen=True, eq=False)
class RegionSpectrum:
    """The spectrum of a region.

    Parameters
    ----------
    mean : ndarray, shape (band,)
    spread : ndarray, shape (band,)
        Standard deviation of the pixels that made the mean; 0 for a single one.
    kept : ndarray of bool, shape (pixel,)
        Those pixels.
    """

    mean: Array
    spread: Array
    kept: NDArray[np.bool_]


def region_spectrum(X: NDArray[np.floating]) -> RegionSpectrum:
    r"""The mean of a region's pixels without the odd ones, and their spread.

    Odd is a pixel whose direction, or whose size, is farther than 3.5 robust standard deviations
    from the region's median: :math:`d_i = \lVert x_i/\lVert x_i\rVert - m/\lVert m\rVert \rVert`
    above :math:`\mathrm{med}\,d + 3.5 \cdot 1.4826\,\mathrm{MAD}\,d`, m the median spectrum; the
    same with :math:`\log\lVert x_i\rVert` on both sides. A road through a field, a shadow and a
    cloud go; more than half of a region cannot be odd.

    Parameters
    ----------
    X : ndarray, shape (pixel, band)
        Valid pixels, at least one.

    >>> rng = np.random.default_rng(0)
    >>> X = np.array([0.2, 0.4, 0.3]) + 0.01 * rng.standard_normal((50, 3))
    >>> X[:4] = [0.6, 0.1, 0.1]
    >>> found = region_spectrum(X)
    >>> found.mean.round(2), int((~found.kept).sum())
    (array([0.2, 0.4, 0.3]), 4)
    """
    pixels = np.asarray(X, np.float64)
    kept = np.ones(len(pixels), bool)
    if len(pixels) >= _FEW:
        size = np.linalg.norm(pixels, axis=1)
        unit = pixels / np.maximum(size, 1e-12)[:, None]
        middle = np.median(pixels, axis=0)
        apart = np.linalg.norm(unit - middle / max(float(np.linalg.norm(middle)), 1e-12), axis=1)
        bright = np.log(np.maximum(size, 1e-12))
        kept = _usual(apart, below=False) & _usual(bright, below=True)
    chosen = pixels[kept]
    return RegionSpectrum(chosen.mean(axis=0), chosen.std(axis=0), kept)


def bundles(pixels: Sequence[NDArray[np.floating]]) -> list[Array]:
    """For each region its pixels without the odd ones: the spectra that a class takes.

    As `unmix.simulate.simulate(bundles=...)` and every method of endmember bundles wants them.

    >>> [b.shape for b in bundles([np.ones((3, 4)), np.ones((2, 4))])]
    [(3, 4), (2, 4)]
    """
    return [np.asarray(X, np.float64)[region_spectrum(X).kept] for X in pixels]


def _usual(values: Array, *, below: bool) -> NDArray[np.bool_]:
    """Values not far above their median nor, with `below`, far below it."""
    off = values - np.median(values)
    robust = _ODD * 1.4826 * float(np.median(np.abs(off)))
    near: NDArray[np.bool_] = off <= robust
    return near & (off >= -robust) if below else near
