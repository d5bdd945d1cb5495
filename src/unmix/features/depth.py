"""What is measured of an absorption feature: depth, centre, width, area, asymmetry.

With the continuum-removed spectrum r at the nodes and its deepest node j inside the centre's range,
the centre λ_c is the vertex of the parabola through nodes j - 1, j, j + 1 and the depth D its
height,

    D = 1 - r(λ_c),    area = ∫ (1 - r) dλ,    width = area / D,

the integral over what lies between the first points at either side where r is back at 1. Asymmetry
is log10 of the area right of the centre over that left of it: 0 for a symmetric feature (Clark and
Roush 1984; van der Meer 2004).

References
----------
van der Meer, F. (2004). Analysis of spectral absorption features in hyperspectral imagery.
International Journal of Applied Earth Observation and Geoinformation 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.features.continuum import remove_continuum
from unmix.features.sampling import Sampling, sample_feature
from unmix.features.windows import Feature, feature

__all__ = ["FeatureValues", "measure", "measured"]

Array = NDArray[np.floating]

_ROUNDING = 1e-9  # a depth that may be none


@dataclass(frozen=True, eq=False)
class FeatureValues:
    """A feature of many spectra; every array has the spectra's leading shape.

    Parameters
    ----------
    depth : ndarray
        Fraction of the continuum; negative where the spectrum bulges.
    centre : ndarray
        nm; NaN where the deepest node lies at the end of the range: there is no minimum inside.
    width : ndarray
        Area over depth, nm.
    area : ndarray
        nm.
    asymmetry : ndarray
        log10 of right over left area.
    """

    depth: Array
    centre: Array
    width: Array
    area: Array
    asymmetry: Array


def measure(
    spectra: ArrayLike,
    wavelength: ArrayLike,
    which: Feature | str,
    *,
    good: ArrayLike | None = None,
    smooth: float | None = None,
) -> FeatureValues:
    """Depth, centre, width, area and asymmetry of a feature in every spectrum.

    Parameters
    ----------
    spectra : array_like, shape (..., band)
        Reflectance in any unit; bands that are NaN everywhere are skipped.
    wavelength : array_like, shape (band,)
        In nm, any order; detectors may overlap.
    which : Feature or str
        A feature or its name in `unmix.features.FEATURES`.
    good : array_like of bool, shape (band,), optional
        False where a band is bad.
    smooth : float, optional
        Standard deviation of the local fit in nm; by default the feature's own.

    Raises
    ------
    InputError
        Counts that differ, or bands that do not cover the feature.

    >>> x = np.arange(2050.0, 2301.0, 5.0)
    >>> clay = 0.6 * (1 - 0.3 * np.exp(-0.5 * ((x - 2207) / 10) ** 2))
    >>> found = measure(clay, x, "2200", smooth=0)
    >>> round(float(found.centre)), round(float(found.depth), 2)
    (2207, 0.3)
    """
    values = np.asarray(spectra, np.float64)
    entry = which if isinstance(which, Feature) else feature(which)
    count = np.size(np.asarray(wavelength))
    if values.ndim < 1 or values.shape[-1] != count:
        raise InputError(f"spectra: {values.shape[-1:]} bands for {count} wavelengths")
    seen = np.isfinite(values).reshape(-1, count).any(axis=0)
    marks = seen if good is None else seen & np.asarray(good, bool)
    sampling = sample_feature(entry, wavelength, marks, smooth)
    if sampling is None:
        raise InputError(
            f"wavelength: the bands do not cover feature {entry.name} "
            f"({entry.left[0]:.0f}-{entry.right[1]:.0f} nm)"
        )
    return measured(1 - remove_continuum(values, sampling), sampling)


def measured(depth: Array, sampling: Sampling) -> FeatureValues:
    """Everything from the depths (..., node)."""
    shape, x = depth.shape[:-1], sampling.nodes
    rows = depth.reshape(-1, len(x))
    first, last = sampling.inside
    gone = np.asarray(np.isnan(rows).any(axis=1))
    clean = np.where(gone[:, None], 0.0, rows)
    deepest = first + clean[:, first:last].argmax(axis=1)
    centre, height = _vertex(x, clean, deepest, sampling.inside)
    left, right = _areas(x, clean, deepest, centre)
    with np.errstate(invalid="ignore", divide="ignore"):
        width = (left + right) / height
        skew = np.log10(right / left)
    found = [height, centre, width, left + right, skew]
    found = [np.where(gone | ~np.isfinite(v), np.nan, v).reshape(shape) for v in found]
    return FeatureValues(*found)


def _vertex(
    x: Array, depth: Array, deepest: NDArray[np.intp], inside: tuple[int, int]
) -> tuple[Array, Array]:
    """Vertex of the parabola through the deepest node and its neighbours; NaN at an end."""
    row, j = np.arange(len(depth)), np.clip(deepest, 1, len(x) - 2)
    d0, d1, d2 = (depth[row, j + k] for k in (-1, 0, 1))
    h1, h2 = x[j] - x[j - 1], x[j + 1] - x[j]
    s1, s2 = (d1 - d0) / h1, (d2 - d1) / h2
    bend = (s2 - s1) / (h1 + h2)
    slope = (s1 * h2 + s2 * h1) / (h1 + h2)
    peak = (d1 >= d0) & (d1 >= d2) & (bend < 0) & (j == deepest) & (d1 > _ROUNDING)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(peak, -slope / (2 * bend), 0.0)
    centre = np.where(peak, x[j] + shift, np.nan)
    return centre, np.where(peak, d1 + 0.5 * slope * shift, depth[row, deepest])


def _areas(x: Array, depth: Array, deepest: NDArray[np.intp], centre: Array) -> tuple[Array, Array]:
    """Area left and right of the centre, to where the depth first falls to zero."""
    index = np.arange(len(x))
    absorbs = depth > 0
    stop_right = np.where(~absorbs & (index >= deepest[:, None]), index, len(x)).min(axis=1)
    stop_left = np.where(~absorbs & (index <= deepest[:, None]), index, -1).max(axis=1)
    within = (index > stop_left[:, None]) & (index < stop_right[:, None])
    held = np.where(within, depth, 0.0)
    step = np.diff(x)
    cell = 0.5 * (held[:, 1:] + held[:, :-1]) * step
    at = np.where(np.isnan(centre), x[deepest], centre)
    share = np.clip((at[:, None] - x[:-1]) / step, 0, 1)
    return (cell * share).sum(axis=1), (cell * (1 - share)).sum(axis=1)
