"""Maps of absorption features: band depth and centre wavelength of every pixel.

The quantities are those of `unmix.features.depth`, measured for all features in one pass over the
pixels. The centre wavelength of a feature tells composition: at 900 nm hematite (850-880) from
goethite (900-930), at 2200 nm the aluminium of white mica and alunite from kaolinite, at 2250 nm
the iron of chlorite and epidote, at 2330 nm dolomite (2320) from calcite (2340).

References
----------
Cudahy, T. et al. (2008). Next generation mineral mapping. CSIRO report P2007/364.
van der Meer, F. et al. (2018). Wavelength feature mapping as a proxy to mineral chemistry.
International Journal of Applied Earth Observation and Geoinformation 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.features.sampling import sample_feature
from unmix.features.windows import MAPPED, Feature, feature
from unmix.parallel import over_pixels

__all__ = ["FeatureMaps", "feature_maps"]

LEAST_DEPTH = 0.02
SURE = 3.0
"""Standard deviations of the noise a depth must have before its centre is told."""
LIT = 2.0
"""Standard deviations of the noise that both ends of the continuum exceed if there is a depth."""
_PROBE = 4096  # pixels looked at for bands that are empty throughout


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """Features of every pixel.

    Parameters
    ----------
    names : tuple of str
        The features, in the order of the last axis.
    depth : ndarray, float32, shape (..., feature)
        Fraction of the continuum, negative where the spectrum bulges; NaN without data or bands,
        and where an end of the continuum is as dark as the noise.
    centre : ndarray, float32, shape (..., feature)
        nm; NaN where the feature is too shallow to have one.
    """

    names: tuple[str, ...]
    depth: NDArray[np.float32]
    centre: NDArray[np.float32]


def feature_maps(
    X: ArrayLike,
    wavelength: ArrayLike,
    features: Sequence[Feature | str] = MAPPED,
    *,
    good: ArrayLike | None = None,
    nodata: float | None = None,
    noise: ArrayLike | None = None,
    least_depth: float = LEAST_DEPTH,
    sure: float = SURE,
    smooth: float | None = None,
) -> FeatureMaps:
    """Depth and centre of absorption features in every pixel.

    Depth and centre do not change when a pixel is multiplied by a number, so stored integers need
    no scale factor.

    Parameters
    ----------
    X : array_like, shape (..., band)
        Reflectance or whatever is proportional to it, float32 or int16 as read; NaN where a value
        is missing. A hole of up to 40 nm in a pixel is bridged.
    wavelength : array_like, shape (band,)
        In nm, any order; detectors may overlap.
    features : sequence of Feature or str
        What to map, by default 900, 2200, 2250 and 2330 nm.
    good : array_like of bool, shape (band,), optional
        False where a band is bad.
    nodata : float, optional
        The value that stands for a missing one.
    noise : array_like, shape (band,) or (band, component), optional
        Standard deviation in the unit of X (`unmix.subspace.estimate_noise`), or a matrix that
        times its transpose is the covariance (`Signal.noise`). Where an end of the continuum is
        no brighter than twice of it, as over water, there is no depth: it would be noise
        divided by noise.
    least_depth : float
        A centre is told only from this depth on,
    sure : float
        and only where the depth is so many standard deviations of what noise leaves of the
        smoothed spectrum.
    smooth : float, optional
        Standard deviation of the local fit in nm instead of each feature's own.

    Raises
    ------
    InputError
        Counts that differ, values that are no numbers, an unknown feature, or no feature that the
        bands cover.

    >>> x = np.arange(2000.0, 2401.0, 5.0)
    >>> pixel = 0.5 * (1 - 0.3 * np.exp(-0.5 * ((x - 2342) / 14) ** 2))
    >>> maps = feature_maps(np.float32([[pixel, 2 * pixel]]), x, ["2200", "2330"])
    >>> maps.centre[0, :, 1].round().tolist()
    [2342.0, 2342.0]
    >>> bool(np.isnan(maps.centre[..., 0]).all())   # nothing at 2200 nm
    True
    """
    values = np.asarray(X)
    centres = np.asarray(wavelength, np.float64)
    entries = [f if isinstance(f, Feature) else feature(f) for f in features]
    _check(values, centres, least_depth)
    pixels = np.ascontiguousarray(values.reshape(-1, values.shape[-1]))
    marks = _usable(pixels, nodata) if good is None else np.asarray(good, bool)
    samplings = [sample_feature(entry, centres, marks, smooth) for entry in entries]
    covered = [i for i, sampling in enumerate(samplings) if sampling is not None]
    if not covered:
        names = ", ".join(entry.name for entry in entries) or "none given"
        raise InputError(f"features: the bands cover none of them ({names}); give others")
    found = np.empty((2, len(pixels), len(entries)), np.float32)
    found[:, :, [i for i in range(len(entries)) if i not in covered]] = np.nan
    known = [sampling for sampling in samplings if sampling is not None]
    depth, centre = _measure(
        pixels, centres, known, nodata, noise, least_depth, sure, covered, found
    )
    shape = (*values.shape[:-1], len(entries))
    return FeatureMaps(
        tuple(entry.name for entry in entries), depth.reshape(shape), centre.reshape(shape)
    )


def _check(values: NDArray, centres: NDArray[np.float64], least_depth: float) -> None:
    if values.ndim < 1 or values.dtype.kind not in "fiu" or values.size == 0:
        raise InputError(f"X: got {values.dtype} of shape {values.shape}; give numbers (..., band)")
    if centres.shape != values.shape[-1:]:
        raise InputError(f"wavelength: {centres.size} for {values.shape[-1]} bands; give one each")
    if not 0 <= least_depth < 1:
        raise InputError(f"least_depth: got {least_depth}; give a fraction from 0 to below 1")


def _usable(pixels: NDArray, nodata: float | None) -> NDArray[np.bool_]:
    """Bands that have a value in any of some pixels spread over the scene."""
    probe = pixels[:: max(1, len(pixels) // _PROBE)].astype(np.float32)
    if nodata is not None:
        probe[probe == np.float32(nodata)] = np.nan
    some = np.isfinite(probe).any(axis=0)
    return np.asarray(some if some.any() else np.ones_like(some))


def _factor(noise: ArrayLike, n: int) -> NDArray[np.float64]:
    """Noise as a matrix (band, component) that times its transpose is the covariance."""
    values = np.asarray(noise, np.float64)
    if values.ndim == 2 and len(values) == n:
        return values
    if values.shape not in ((), (n,)):
        raise InputError(f"noise: got shape {values.shape} for {n} bands; give one number each")
    return np.diag(np.broadcast_to(values, n))


def _measure(
    pixels: NDArray, centres: NDArray[np.float64], samplings: list, nodata: float | None,
    noise: ArrayLike | None, least_depth: float, sure: float, covered: list[int],
    found: NDArray[np.float32],
) -> NDArray[np.float32]:  # fmt: skip
    """Depth and centre (2, pixel, feature) of the features that the bands cover, in `found`."""
    from unmix.features.kernel import make_plan, run

    plan = make_plan(samplings, centres, None if noise is None else _factor(noise, len(centres)))
    starts = [max(s.inside[0] - 1, 0) for s in samplings]
    inside = np.array(
        [(s.inside[0] - a, s.inside[1] - a) for s, a in zip(samplings, starts, strict=True)],
        np.intp,
    )
    column = np.array(covered, np.intp)
    missing = float(np.float32(np.nan if nodata is None else nodata))
    over_pixels(
        lambda a, b: run(
            pixels, missing, plan.bands, plan.wavelength, plan.ends, plan.span, inside, plan.nodes,
            plan.line, plan.tap, plan.weights, plan.noise, least_depth, sure,
            LIT * plan.end_noise, column, found[0], found[1], a, b,
        ),
        len(pixels),
    )  # fmt: skip
    return found
