"""Spectra from one instrument's bands to another's.

A sensor's band j with centre c_j and full width at half maximum w_j sees

    y_j = ∫ g(λ; c_j, σ_j) s(λ) dλ,    σ_j = w_j / (2 √(2 ln 2)),

g the normal density. The source is a list of samples; between two of them s(λ) is a straight line,
for which the integral is exact (no quadrature error, however coarse the source). As σ → 0 it turns
into linear interpolation, which is also what a band of unknown width gets.

References
----------
Milton, E. J. et al. (2009). Progress in field spectroscopy. Remote Sensing of Environment 113.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from unmix.checks import InputError
from unmix.types import Endmembers

__all__ = ["resample", "values_on"]

FWHM_TO_SIGMA = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
MAX_GAP = 25.0
"""Widest hole in the source, in nm, that a straight line may cross."""
MIN_SUPPORT = 0.9
"""Least share of a band's response that must fall where the source has values."""
_COARSEST = 4
"""Bands of the scene to a value of the source, beyond which nothing is resampled."""
SAME_BAND = 0.05
"""Band centres closer than this, in nm, are the same."""

Array = NDArray[np.floating]


@dataclass(frozen=True)
class _Bands:
    """Target bands: centres and the standard deviation of their response (0: interpolate)."""

    centre: Array
    sigma: Array


def resample(
    endmembers: Endmembers,
    wavelength: ArrayLike | None,
    fwhm: ArrayLike | None = None,
    *,
    n_bands: int | None = None,
    max_gap: float | None = None,
) -> Endmembers:
    """Bring endmember spectra onto a scene's bands.

    Where `fwhm` is given each band is a Gaussian average; without it, a linear interpolation. If
    the library's own FWHM is known it is taken off in quadrature (σ² = σ_scene² - σ_library²), so
    that a library made for the sensor passes unchanged. A library already on these very bands is
    passed on as it is. Bands may come in any order and overlap.

    A missing value (NaN) is bridged by a straight line only where the hole is no wider than
    `max_gap`; a band keeps NaN where less than 90 % of its response has values under it.

    Parameters
    ----------
    endmembers : Endmembers
        Wavelengths in nm, any order.
    wavelength : array_like, shape (band,), or None
        The scene's band centres in nm; None where the scene has none.
    fwhm : array_like, shape (band,), or float, optional
        The scene's full widths at half maximum in nm; NaN or 0 asks for interpolation.
    n_bands : int, optional
        The scene's number of bands, needed when `wavelength` is None.
    max_gap : float, optional
        In nm; by default 25, or three times the spectrum's median spacing if that is more.

    Raises
    ------
    InputError
        One side has no wavelengths and the band counts differ; the two do not overlap; the source
        is more than four times as coarse as the target; bad values.

    >>> import numpy as np
    >>> fine = np.arange(400.0, 901.0)
    >>> line = Endmembers(np.array([0.1 + fine / 1000]), fine, ("slope",))
    >>> resample(line, [600.0, 500.0], fwhm=10.0).spectra.round(6)   # a straight line stays one
    array([[0.7, 0.6]])
    """
    if wavelength is None or endmembers.wavelength is None:
        count = n_bands if wavelength is None else np.size(np.asarray(wavelength))
        return _as_is(endmembers, wavelength, fwhm, count)
    bands = _target(wavelength, fwhm)
    source = np.asarray(endmembers.wavelength, float)
    order = np.argsort(source, kind="stable")
    place = np.argsort(np.argsort(bands.centre, kind="stable"))
    if len(source) == len(place) and np.allclose(source[order][place], bands.centre, 0, SAME_BAND):
        return _taken(endmembers, order[place], bands.centre, fwhm, "")
    bands = _less_own_width(bands, endmembers)
    values = _apply(source[order], endmembers.spectra[:, order], bands, max_gap)
    _check_overlap(values, endmembers, bands.centre)
    _check_fine(values, source, bands.centre)
    kind = "Gaussian response" if bands.sigma.any() else "linear interpolation"
    return Endmembers(
        values,
        bands.centre,
        endmembers.names,
        f"{endmembers.source}; resampled to {len(bands.centre)} bands ({kind})".lstrip("; "),
        _widths(fwhm, len(bands.centre)),
    )


def values_on(
    endmembers: Endmembers, wavelength: ArrayLike, fwhm: ArrayLike | None = None
) -> Array:
    """What `resample` gives, as an array (member, band); a spectrum without any value there is NaN.

    For libraries of which some entries cover other wavelengths than the scene.

    Raises
    ------
    InputError
        The library has no wavelengths; bad values.

    >>> nir = Endmembers(np.array([[0.2, 0.4]]), np.array([800.0, 820.0]))
    >>> values_on(nir, [600.0, 810.0])
    array([[nan, 0.3]])
    """
    if endmembers.wavelength is None:
        raise InputError("library: no wavelengths to resample by; give a library that has them")
    bands = _less_own_width(_target(wavelength, fwhm), endmembers)
    source = np.asarray(endmembers.wavelength, float)
    order = np.argsort(source, kind="stable")
    return _apply(source[order], endmembers.spectra[:, order], bands, None)


def _as_is(
    endmembers: Endmembers,
    wavelength: ArrayLike | None,
    fwhm: ArrayLike | None,
    n_bands: int | None,
) -> Endmembers:
    """The same spectra, taken band for band; the counts must agree."""
    own = endmembers.spectra.shape[1]
    if n_bands is None:
        raise InputError("n_bands: got None; give the scene's number of bands, or wavelengths")
    if n_bands != own:
        side = "the scene" if wavelength is None else "the endmember file"
        raise InputError(
            f"endmembers: {own} bands where the scene has {n_bands}, and {side} has no wavelengths"
            " to resample by; give wavelengths or a file with the scene's bands"
        )
    centres = endmembers.wavelength if wavelength is None else np.asarray(wavelength, float)
    note = "; taken band for band (no wavelengths to compare)"
    return _taken(endmembers, np.arange(own), centres, fwhm, note)


def _taken(
    endmembers: Endmembers,
    order: NDArray[np.intp],
    centre: Array | None,
    fwhm: ArrayLike | None,
    note: str,
) -> Endmembers:
    """The library's own values in a new order of bands."""
    own = None if endmembers.fwhm is None else np.asarray(endmembers.fwhm)[order]
    width = own if fwhm is None else _widths(fwhm, len(order))
    source = (endmembers.source + note).lstrip("; ")
    return Endmembers(endmembers.spectra[:, order], centre, endmembers.names, source, width)


def _widths(fwhm: ArrayLike | None, n: int) -> Array | None:
    return None if fwhm is None else np.array(np.broadcast_to(np.asarray(fwhm, float), (n,)))


def _target(wavelength: ArrayLike, fwhm: ArrayLike | None) -> _Bands:
    """Checked target bands."""
    centre = np.asarray(wavelength, float)
    if centre.ndim != 1 or centre.size == 0 or not np.isfinite(centre).all() or centre.min() <= 0:
        raise InputError("wavelength: give the scene's band centres, one positive number (nm) each")
    if fwhm is None:
        return _Bands(centre, np.zeros_like(centre))
    width = np.asarray(fwhm, float)
    if width.shape not in ((), centre.shape):
        raise InputError(f"fwhm: {width.size} values for {centre.size} bands; give one a band")
    width = np.nan_to_num(np.broadcast_to(width, centre.shape), nan=0.0)
    if (width < 0).any() or np.isinf(width).any():
        raise InputError("fwhm: negative or infinite; give widths in nm")
    return _Bands(centre, width * FWHM_TO_SIGMA)


def _less_own_width(bands: _Bands, endmembers: Endmembers) -> _Bands:
    """Take the library's own blur off in quadrature, where it is known."""
    if endmembers.fwhm is None or endmembers.wavelength is None:
        return bands
    order = np.argsort(endmembers.wavelength)
    own = np.nan_to_num(np.asarray(endmembers.fwhm, float))[order] * FWHM_TO_SIGMA
    blur = np.interp(bands.centre, np.asarray(endmembers.wavelength, float)[order], own)
    return _Bands(bands.centre, np.sqrt(np.maximum(bands.sigma**2 - blur**2, 0.0)))


def _apply(x: Array, spectra: Array, bands: _Bands, max_gap: float | None) -> Array:
    """Weighted sums of the samples; members that miss the same samples share the weights."""
    valid = np.isfinite(spectra)
    out = np.full((len(spectra), len(bands.centre)), np.nan)
    patterns, group = np.unique(valid, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(group.ravel() == number)
        nodes, merge = _merge_repeats(x[pattern])
        if len(nodes) < 2:
            continue
        usual = max(MAX_GAP, 3 * float(np.median(np.diff(nodes))))
        weights, support = _weights(nodes, bands, usual if max_gap is None else max_gap)
        got = (spectra[np.ix_(rows, pattern)] @ merge) @ weights
        with np.errstate(invalid="ignore", divide="ignore"):
            out[rows] = np.where(support >= MIN_SUPPORT, got / support, np.nan)
    return out


def _merge_repeats(x: Array) -> tuple[Array, Array]:
    """Distinct wavelengths and the matrix (sample, node) that averages repeated ones."""
    nodes, index, count = np.unique(x, return_inverse=True, return_counts=True)
    merge = np.zeros((len(x), len(nodes)))
    merge[np.arange(len(x)), index] = 1.0 / count[index]
    return nodes, merge


def _weights(x: Array, bands: _Bands, gap: float) -> tuple[Array, Array]:
    """Weight of each sample in each band (sample, band) and the share of response supported.

    On a segment [a, b] with s linear, ∫ g s = s_a (b P - m)/h + s_b (m - a P)/h with h = b - a,
    P = ∫ g and m = ∫ λ g = c P - σ² (g(b) - g(a)).
    """
    step = np.diff(x)[:, None]
    share = np.zeros((len(x) - 1, len(bands.centre)))
    offset = np.zeros_like(share)  # m - c P
    wide = bands.sigma > 0
    sigma = bands.sigma[wide]
    z = (x[:, None] - bands.centre[wide]) / sigma
    share[:, wide] = np.diff(ndtr(z), axis=0)
    offset[:, wide] = -sigma * np.diff(np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi), axis=0)
    within = (bands.centre >= x[0]) & (bands.centre <= x[-1])
    points = np.flatnonzero(~wide & within)
    at = np.clip(np.searchsorted(x, bands.centre[points], side="right") - 1, 0, len(x) - 2)
    share[at, points] = 1.0
    share *= step <= gap
    offset *= step <= gap
    right = (offset + (bands.centre - x[:-1, None]) * share) / step
    weights = np.zeros((len(x), len(bands.centre)))
    weights[:-1] += share - right
    weights[1:] += right
    return weights, share.sum(axis=0)


def _check_fine(values: Array, source: Array, centre: Array) -> None:
    """A spectrum of a few values is none for many bands: what lies between was never measured."""
    covered = int(np.isfinite(values).all(axis=0).sum())
    if covered > _COARSEST * len(source):
        raise InputError(
            f"endmembers: {len(source)} values a spectrum for {covered} bands of the scene, which "
            f"has {len(centre)}; give spectra measured as finely as the scene"
        )


def _check_overlap(values: Array, endmembers: Endmembers, centre: Array) -> None:
    empty = np.logical_not(np.isfinite(values).any(axis=1))
    if not empty.any():
        return
    own = np.asarray(endmembers.wavelength)
    where = f"the scene's {centre.min():.0f}-{centre.max():.0f} nm"
    if empty.all():
        raise InputError(
            f"endmembers: their {own.min():.0f}-{own.max():.0f} nm do not cover a band of {where};"
            " check the unit of the wavelengths or take another library"
        )
    names = [endmembers.names[i] for i in np.flatnonzero(empty)]
    raise InputError(
        f"endmembers: {', '.join(names[:5])} without a value in {where}; leave them out"
    )
