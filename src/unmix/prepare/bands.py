"""Which bands of a scene to use, and why the others are left out.

Bands are numbered from 0 in code and from 1 in everything a user reads or writes. A *detector* is
a run of bands along which wavelengths go one way; where they step back, another detector starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.bands import NM_PER_UNIT

__all__ = ["detectors", "local_noise", "noisy_bands", "parse_bands", "runs", "worse_detectors"]

Indices = NDArray[np.intp]
Wavelength = NDArray[np.floating]

_HALF = 3  # a band is predicted from this many neighbours on either side
_AROUND = 10  # and compared with this many on either side
_RATIO, _SNR = 5.0, 20.0  # left out: noise above 5 × its neighbours' and signal below 20 × noise,
_RATIO_DIM, _SNR_DIM = 3.0, 5.0  # or noise above 3 × its neighbours' and signal below 5 × noise
_MOST_DETECTORS = 8  # more steps back than this and the wavelengths are merely unsorted
MIN_PIXELS = 30  # fewer say nothing about noise

_NUMBER = r"(\d+(?:\.\d+)?)\s*([a-zµμ]*)"
_TERM = re.compile(rf"{_NUMBER}(?:\s*-\s*{_NUMBER})?", re.IGNORECASE)


def parse_bands(spec: str, wavelength: Wavelength | None, n_bands: int) -> Indices:
    """Bands named by a text such as ``"1-5, 104, 1350nm-1450nm"``.

    Parameters
    ----------
    spec : str
        Comma-separated band numbers (from 1), ranges of them, wavelengths or wavelength ranges
        (nm or um), ends included. A single wavelength means the band nearest to it; a unit at
        either end of a range holds for both.
    wavelength : ndarray, shape (band,), optional
        Band centres in nm, in any order.
    n_bands : int

    Returns
    -------
    ndarray of int
        Sorted, unique, counted from 0.

    Raises
    ------
    InputError
        Not of this form, out of range, or wavelengths of a scene that has none.

    >>> parse_bands("1-2, 505nm-0.52um", np.array([490.0, 500.0, 510.0, 520.0]), 4)
    array([0, 1, 2, 3])
    """
    found: set[int] = set()
    for term in filter(None, (part.strip() for part in spec.split(","))):
        match = _TERM.fullmatch(term)
        if match is None:
            raise InputError(
                f"bands: cannot read {term!r:.40}; write numbers or ranges such as "
                "1-5,104,1350nm-1450nm"
            )
        first, unit, last, last_unit = match.groups()
        units = (unit or last_unit or "", last_unit or unit or "")
        ends = (float(first), float(last if last is not None else first))
        if any(units):
            found.update(_by_wavelength(term, ends, units, wavelength))
        else:
            found.update(_by_number(term, ends, n_bands))
    return np.array(sorted(found), np.intp)


def _by_number(term: str, ends: tuple[float, float], n_bands: int) -> Iterable[int]:
    low, high = ends
    if low % 1 or high % 1 or not 1 <= low <= high <= n_bands:
        raise InputError(
            f"bands: {term!r} is not within bands 1 to {n_bands}, lowest first; "
            "for wavelengths add a unit, such as 1350nm-1450nm"
        )
    return range(int(low) - 1, int(high))


def _by_wavelength(
    term: str, ends: tuple[float, float], units: tuple[str, str], wavelength: Wavelength | None
) -> list[int]:
    if wavelength is None:
        raise InputError(f"bands: {term!r} needs wavelengths, the scene has none; use band numbers")
    unknown = [u for u in units if u.lower() not in NM_PER_UNIT]
    if unknown:
        raise InputError(f"bands: unknown unit {unknown[0]!r} in {term!r}; use nm or um")
    low, high = (e * NM_PER_UNIT[u.lower()] for e, u in zip(ends, units, strict=True))
    span = f"{np.nanmin(wavelength):g} to {np.nanmax(wavelength):g} nm"
    if low > high or high < np.nanmin(wavelength) or low > np.nanmax(wavelength):
        raise InputError(f"bands: {term!r} is outside {span}, or runs backwards; correct it")
    if low == high:
        return [int(np.nanargmin(np.abs(wavelength - low)))]
    return np.flatnonzero((wavelength >= low) & (wavelength <= high)).tolist()


def detectors(wavelength: Wavelength | None, bands: Indices) -> list[Indices]:
    """`bands` cut where wavelengths step back: one array of band indices a detector.

    Wavelengths may ascend or descend (the majority decides for the scene). A list with more steps
    than any sensor has detectors is unsorted, and becomes one group sorted by wavelength.

    >>> [d.tolist() for d in detectors(np.array([400.0, 900, 1000, 950, 1050]), np.arange(5))]
    [[0, 1, 2], [3, 4]]
    """
    if wavelength is None or len(bands) < 2:
        return [bands]
    step = np.diff(wavelength[bands])
    forward = 1.0 if np.sum(step > 0) >= np.sum(step < 0) else -1.0
    cuts = np.flatnonzero(step * forward <= 0) + 1
    if len(cuts) >= _MOST_DETECTORS:
        return [bands[np.argsort(wavelength[bands], kind="stable")]]
    return np.split(bands, cuts)


def runs(wavelength: Wavelength | None, kept: Indices, *, gap: float = 3.0) -> list[Indices]:
    """Positions within `kept` that follow each other without a dropped band, gap or detector step.

    A gap is a wavelength step of more than `gap` times the detector's median step.

    >>> [r.tolist() for r in runs(None, np.array([0, 1, 2, 7, 8]))]
    [[0, 1, 2], [3, 4]]
    """
    pieces: list[Indices] = []
    for group in detectors(wavelength, kept):
        broken = np.abs(np.diff(group)) > 1
        if wavelength is not None and len(group) > 2:
            step = np.abs(np.diff(wavelength[group]))
            in_order = bool((np.diff(group) > 0).all())
            broken = (broken & in_order) | (step > gap * np.median(step))
        pieces += np.split(np.searchsorted(kept, group), np.flatnonzero(broken) + 1)
    return pieces


def local_noise(X: NDArray[np.floating], groups: Sequence[Indices]) -> NDArray[np.float64]:
    r"""Standard deviation of what a band's neighbours cannot predict, robustly.

    Each band is regressed, over the pixels, on the three bands on either side within its group:
    mixtures of any spectra pass, noise and unpredictable bands remain.

    .. math:: σ_j = 1.4826 \, \mathrm{MAD}(x_j - X_{N(j)} β_j) \sqrt{n / (n - |N| - 1)}

    Parameters
    ----------
    X : ndarray, shape (pixel, band)
    groups : sequence of index arrays
        Bands in spectral order; those in no group get NaN.

    Returns
    -------
    ndarray, shape (band,)

    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((2000, 1)) + 0.01 * rng.standard_normal((2000, 12))
    >>> X[:, 5] += 0.1 * rng.standard_normal(2000)
    >>> local_noise(X, [np.arange(12)]).round(2)[3:7]
    array([0.01, 0.01, 0.1 , 0.01])
    """
    noise = np.full(X.shape[1], np.nan)
    for group in groups:
        W = X[:, group].astype(np.float64)
        W -= W.mean(axis=0)
        gram = W.T @ W
        for j in range(len(group)):
            start = max(0, min(j - _HALF, len(group) - 2 * _HALF - 1))
            near = np.arange(start, min(len(group), start + 2 * _HALF + 1))
            near = near[near != j]
            G = gram[np.ix_(near, near)]
            G = G + np.eye(len(near)) * (1e-9 * np.trace(G) / max(1, len(near)) + 1e-30)
            left = W[:, j] - W[:, near] @ np.linalg.solve(G, gram[near, j])
            spread = 1.4826 * np.median(np.abs(left - np.median(left)))
            noise[group[j]] = spread * np.sqrt(len(W) / max(1, len(W) - len(near) - 1))
    return noise


def noisy_bands(X: NDArray[np.floating], groups: Sequence[Indices]) -> Indices:
    """Bands that are far noisier than their neighbours and hardly carry signal.

    A band goes if its noise (`local_noise`) exceeds 5 times the median of the ten bands on either
    side and the root mean square of its signal is below 20 times the noise; or 3 times and 5
    times. Both conditions matter: in a smooth product a good band can be far "noisier" than
    perfect neighbours, and a dark scene has a low signal everywhere.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((500, 1)) + 0.01 * rng.standard_normal((500, 30))
    >>> X[:, 7] += 0.2 * rng.standard_normal(500)
    >>> noisy_bands(X, [np.arange(30)])
    array([7])
    """
    if len(X) < MIN_PIXELS:
        return np.empty(0, np.intp)
    noise = local_noise(X, groups)
    found: list[int] = []
    for group in groups:
        sigma = noise[group]
        signal = np.sqrt(np.mean(np.square(X[:, group], dtype=np.float64), axis=0))
        for j, band in enumerate(group):
            around = np.median(sigma[max(0, j - _AROUND) : j + _AROUND + 1])
            far = sigma[j] > _RATIO * around and signal[j] < _SNR * sigma[j]
            dim = sigma[j] > _RATIO_DIM * around and signal[j] < _SNR_DIM * sigma[j]
            if far or dim:
                found.append(int(band))
    return np.array(sorted(found), np.intp)


def worse_detectors(
    X: NDArray[np.floating], wavelength: Wavelength, groups: Sequence[Indices]
) -> Indices:
    """Where two detectors see the same wavelengths, the bands of the one with more noise.

    Detectors are compared over the shared range by the median of noise over signal; on a tie, or
    with too few pixels to tell, the first one stays.

    >>> rng, nm = np.random.default_rng(0), np.array([*range(500, 600, 10), *range(560, 660, 10)])
    >>> X = rng.random((400, 1)) + np.r_[np.full(10, 0.01), np.full(10, 0.05)] * (
    ...     rng.standard_normal((400, 20)))
    >>> worse_detectors(X, nm, detectors(nm, np.arange(20)))
    array([10, 11, 12, 13])
    """
    relative = np.ones(X.shape[1])
    if len(X) >= MIN_PIXELS:
        level = np.sqrt(np.mean(np.square(X, dtype=np.float64), axis=0))
        relative = local_noise(X, groups) / np.maximum(level, 1e-30)
    worse: set[int] = set()
    for i, first in enumerate(groups):
        for second in groups[i + 1 :]:
            low = max(wavelength[first].min(), wavelength[second].min())
            high = min(wavelength[first].max(), wavelength[second].max())
            shared = [g[(wavelength[g] >= low) & (wavelength[g] <= high)] for g in (first, second)]
            if all(map(len, shared)):
                medians = [float(np.median(relative[bands])) for bands in shared]
                worse.update(shared[int(medians[0] <= medians[1])].tolist())
    return np.array(sorted(worse), np.intp)
