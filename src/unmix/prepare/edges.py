"""Bands beside the water-vapour windows where the atmosphere still shows.

A window's edges are a guess. Where air was humid, the spectrum falls before the window begins, and
the carbon dioxide at 2.01 µm lies behind its end. What the ground can show there is known: spectra
of a scene are mixtures, so their median is close to the cone of measured materials,

    y ≈ L x,  x ≥ 0,

L the shipped library at the scene's bands. A band that this cone cannot follow is not ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from unmix.prepare.bands import MIN_PIXELS, detectors, local_noise

__all__ = ["window_edges"]

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

_SHORT, _LONG = 60.0, 100.0  # nm looked at below and beyond a window; CO₂ at 2010 is beyond
_REACH = 250.0  # and compared with the bands up to here
_OFF = 0.05  # measured materials that the library lacks are followed within 2 %, most of them
_SIGMAS = 4.0  # or more than the noise of the median allows
_DARK = 0.02  # of the brightest band: below, errors count as if the band were that bright
_LEAST = 8  # bands to compare with


def window_edges(
    X: Array,
    wavelength: Array,
    fwhm: Array | None,
    kept: Indices,
    windows: Sequence[tuple[float, float]],
) -> Indices:
    """Kept bands beside `windows` that no mixture of the shipped library's spectra follows.

    The pixels' median spectrum, each divided by its norm, is fitted by non-negative combination,
    relative errors alike, from 250 nm on either side of a window to its edge. The worst band
    within 60 nm below or 100 nm beyond the window goes if it is off by more than 5 % (and 4
    standard errors of the median), until none is; then the neighbours of those that went, judged
    by a fit without them. Where the library does not follow the bands farther away either, it is
    no measure, and all stay.

    Parameters
    ----------
    X : ndarray, shape (pixel, band)
        Values in any unit proportional to reflectance.
    wavelength, fwhm : ndarray, shape (band,)
        In nm; widths None where unknown.
    kept : ndarray of int
    windows : sequence of (low, high)
        In nm.

    Returns
    -------
    ndarray of int
        Sorted.

    >>> nm, shape = np.arange(1500.0, 2300.0, 10.0), np.linspace(0.4, 0.5, 80)
    >>> air = 1 - 0.3 * np.exp(-(((nm - 2008) / 12) ** 2))
    >>> X = np.linspace(0.5, 1, 40)[:, None] * shape * air
    >>> found = window_edges(X, nm, None, np.arange(80), [(1800.0, 1950.0)])
    >>> nm[found].tolist()
    [2000.0, 2010.0, 2020.0]
    """
    if len(X) < MIN_PIXELS:
        return np.empty(0, np.intp)
    y, error = _median(X[:, kept], detectors(wavelength[kept], np.arange(len(kept))))
    nm, width = wavelength[kept], None if fwhm is None else fwhm[kept]
    found: list[int] = []
    library = None
    for low, high in windows:
        for edge, sign, reach in ((low, -1.0, _SHORT), (high, 1.0, _LONG)):
            distance = (nm - edge) * sign
            beside = np.flatnonzero((distance >= 0) & (distance <= reach))
            beyond = np.flatnonzero((distance > reach) & (distance <= _REACH))
            beyond = beyond[~_across(nm[beyond], edge, windows)]
            if len(beside) == 0 or len(beyond) < _LEAST:
                continue
            library = _library(nm, width) if library is None else library
            beside = beside[np.argsort(distance[beside], kind="stable")]
            found += _unlike(y, error, library, beyond, beside.tolist())
    return np.sort(kept[np.array(sorted(set(found)), np.intp)])


def _median(X: Array, groups: Sequence[Indices]) -> tuple[Array, Array]:
    """Median of the normalised pixels (band,), 1 at its brightest, and its standard error."""
    Z = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-30)
    y = np.median(Z, axis=0)
    error = 1.2533 * np.nan_to_num(local_noise(Z, groups)) / np.sqrt(len(Z))
    top = max(float(y.max()), 1e-30)
    return y / top, error / top


def _across(nm: Array, edge: float, windows: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Wavelengths that another window lies before, seen from `edge`."""
    out = np.zeros(len(nm), bool)
    for low, high in windows:
        if edge not in (low, high):
            out |= (nm >= low) if low > edge else (nm <= high)
    return out


def _library(nm: Array, fwhm: Array | None) -> Array:
    """The shipped spectra at these bands, (member, band), gaps bridged by straight lines."""
    from unmix.identify.shipped import shipped_library
    from unmix.resample import values_on

    values = values_on(shipped_library(), nm, fwhm)
    known = np.isfinite(values)
    values, known = values[known.sum(axis=1) > 1], known[known.sum(axis=1) > 1]
    for row, has in zip(values, known, strict=True):
        order = np.argsort(nm[has], kind="stable")
        row[~has] = np.interp(nm[~has], nm[has][order], row[has][order])
    return np.asarray(values)


def _unlike(y: Array, error: Array, library: Array, beyond: Indices, beside: list[int]) -> set[int]:
    """Those of the bands `beside` that the library does not follow."""
    size = np.maximum(y, _DARK)
    limit = np.maximum(_OFF, _SIGMAS * error / size)

    def off(fitted: Sequence[int], judged: Sequence[int]) -> Array:
        """Relative errors over their limits, of a fit to `fitted`, at `judged`."""
        use = np.asarray(fitted, np.intp)
        x, _ = nnls((library[:, use] / size[use]).T, y[use] / size[use], maxiter=5000)
        at = np.asarray(judged, np.intp)
        return np.abs(x @ library[:, at] - y[at]) / size[at] / limit[at]

    far = beyond.tolist()
    if np.median(off(far, far)) > 1:
        return set()
    left = list(beside)
    while left:
        errors = off([*far, *left], left)
        if errors.max() <= 1:
            break
        del left[int(errors.argmax())]
    gone = set(beside) - set(left)
    while gone:
        next_to = {b if a in gone else a for a, b in pairwise(beside) if (a in gone) != (b in gone)}
        worse = {b for b in next_to if off([*far, *(set(left) - {b})], [b])[0] > 1}
        if not worse:
            break
        gone |= worse
        left = [b for b in left if b not in worse]
    return gone
