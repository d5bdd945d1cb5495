"""The plan that turns a block of a scene into pixels a solver can use, and spectra likewise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.parallel import over_pixels
from unmix.prepare.bands import runs

__all__ = ["Preparation"]

BEYOND = 1e33  # no measurement is as large: an undeclared no-data value, such as -3.4e38
_REACH = 4.0  # the smoothing kernel ends at 4 sigma


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _is_valid(x: Any, fills: Any) -> bool:
    """Whether a spectrum is finite in every band, and not one fill value throughout.

    One sum tells both: Σ|v − v₀| is too large (or NaN) where a value is, and 0 where all are equal.
    """
    first = x[0]
    change = x.dtype.type(0)
    for j in range(len(x)):
        change += abs(x[j] - first)
    if not change <= BEYOND or abs(first) > BEYOND:
        return False
    if change == 0:
        for fill in fills:
            if first == fill:
                return False
    return True


@njit(nogil=True, cache=True)
def _check(X: Any, fills: Any, valid: Any, start: int, stop: int) -> int:
    """Clear valid[i] for start ≤ i < stop where pixel i is not."""
    for i in range(start, stop):
        valid[i] &= _is_valid(X[i], fills)
    return 0


@njit(nogil=True, cache=True)
def _gather(
    X: Any, starts: Any, stops: Any, fills: Any, divisor: Any, valid: Any, out: Any, a: int, b: int
) -> int:
    """out[i] = kept bands of X[i] / divisor, NaN where not valid, as valid[i] says, a ≤ i < b.

    A loop over a slice is copied as one piece; assigning the slice takes six times as long.
    """
    for i in range(a, b):
        k = 0
        for r in range(len(starts)):
            n = stops[r] - starts[r]
            here, there = X[i, starts[r] : stops[r]], out[i, k : k + n]
            for j in range(n):
                there[j] = here[j]
            k += n
        valid[i] &= _is_valid(out[i], fills)
        if not valid[i]:
            out[i, :] = np.nan
        elif divisor != 1:
            for j in range(k):
                out[i, j] /= divisor
    return 0


@njit(nogil=True, cache=True)
def _smooth(X: Any, weights: Any, start: int, stop: int) -> int:
    """X[i, j] ← Σ_d weights[d, j] X[i, j + d − reach], in place."""
    n_taps, n_bands = weights.shape
    row = np.zeros(n_bands + n_taps - 1, X.dtype)
    middle = n_taps // 2
    for i in range(start, stop):
        row[middle : middle + n_bands] = X[i]
        X[i, :] = 0
        for d in range(n_taps):
            for j in range(n_bands):
                X[i, j] += weights[d, j] * row[j + d]
    return 0


@dataclass(frozen=True, eq=False)
class Preparation:
    r"""What is done to every pixel, decided once for a scene (see `unmix.prepare.plan`).

    .. math:: x = G \, x^{stored}_{kept} / divisor

    with G the Gaussian smoothing along the spectrum (identity when `smooth` is 0). The same
    object prepares any block of the scene, so tiles agree with the whole, to the bit.

    Parameters
    ----------
    n_bands : int
        Bands of the scene.
    kept : ndarray of int
        Bands used, ascending, counted from 0.
    reasons : mapping of int to str
        Why each other band is left out.
    divisor : float
        The stored value that means reflectance 1.
    fills : tuple of float
        A pixel with one of these values in every kept band holds no data.
    smooth : float
        Standard deviation of the smoothing in bands; it never crosses a gap, a dropped band or
        the step from one detector to the next.
    wavelength : ndarray, shape (band,), optional
        Of all the scene's bands, nm.
    mask : ndarray of bool, shape (y, x), optional
        True leaves the pixel out.
    steps : tuple of dict
        What was decided: ``{"step", "what", "why", "count"}`` each.
    warnings : tuple of str
        What the user should look at.

    >>> p = Preparation(4, np.array([0, 1, 3]), {2: "no data"}, divisor=100.0)
    >>> pixels, valid = p.apply(np.array([[10, 20, np.nan, 40], [0, 0, 5, 0]], np.float32))
    >>> pixels[0], valid
    (array([0.1, 0.2, 0.4], dtype=float32), array([ True, False]))
    >>> p.restore_spectra(pixels[:1])
    array([[0.1, 0.2, nan, 0.4]], dtype=float32)
    """

    n_bands: int
    kept: NDArray[np.intp]
    reasons: Mapping[int, str] = field(default_factory=dict)
    divisor: float = 1.0
    fills: tuple[float, ...] = (0.0,)
    smooth: float = 0.0
    wavelength: NDArray[np.floating] | None = None
    mask: NDArray[np.bool_] | None = None
    steps: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def kept_wavelength(self) -> NDArray[np.floating] | None:
        """Wavelengths of the kept bands in nm; None where the scene has none."""
        return None if self.wavelength is None else self.wavelength[self.kept]

    def apply(
        self, block: ArrayLike, at: tuple[int, int] = (0, 0)
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Pixels of a block ready to unmix, and which of them are valid.

        Parameters
        ----------
        block : array_like, shape (..., band)
            Values as the scene gives them, with all bands; never changed.
        at : (row, col)
            Where the block's first pixel lies in the scene; matters only with a mask.

        Returns
        -------
        pixels : ndarray, float32, shape (..., kept band)
            NaN in pixels that are not valid. Shares memory with `block` when nothing is to do.
        valid : ndarray of bool, shape (...)
            Finite in every kept band, no fill value, not masked.

        Raises
        ------
        InputError
            The band count differs, or a mask is set and the block is no part (y, x) of the scene.
        """
        values = np.asarray(block, dtype=np.float32)
        if values.ndim < 1 or values.shape[-1] != self.n_bands:
            raise InputError(
                f"block: shape {values.shape} where the scene has {self.n_bands} bands; "
                "give (..., band) with all of them"
            )
        X = np.ascontiguousarray(values).reshape(-1, self.n_bands)
        shape = values.shape[:-1]
        valid = self._unmasked(shape, at)
        fills = np.array(self.fills, np.float32)
        if self._nothing_to_do:
            over_pixels(lambda a, b: _check(X, fills, valid, a, b), len(X))
            if valid.all():
                return X.reshape(values.shape), valid.reshape(shape)
        out = np.empty((len(X), len(self.kept)), np.float32)
        divisor = np.float32(self.divisor)
        given = (X, *self._cuts, fills, divisor, valid, out)
        over_pixels(lambda a, b: _gather(*given, a, b), len(X))
        self._smooth_rows(out)
        return out.reshape(*shape, -1), valid.reshape(shape)

    def apply_spectra(self, E: ArrayLike, *, stored_units: bool = False) -> NDArray[np.floating]:
        """Endmember spectra (member, all bands) on the kept bands, smoothed as the pixels are.

        Parameters
        ----------
        E : array_like, shape (member, band)
            Reflectance (fraction), or the scene's stored values with `stored_units`.

        Raises
        ------
        InputError
            Another band count, or no value in a kept band.
        """
        spectra = np.array(E, dtype=np.float64, ndmin=2)
        if spectra.shape[-1] != self.n_bands or spectra.ndim != 2:
            raise InputError(
                f"endmembers: shape {spectra.shape} where the scene has {self.n_bands} bands; "
                "resample them to the scene's bands"
            )
        spectra = np.ascontiguousarray(spectra[:, self.kept])
        missing = np.flatnonzero(~np.isfinite(spectra).all(axis=0))
        if len(missing):
            raise InputError(
                f"endmembers: no value in band {self.kept[missing[0]] + 1} (and "
                f"{len(missing) - 1} more) that the scene uses; drop those bands"
            )
        if stored_units:
            spectra /= self.divisor
        self._smooth_rows(spectra)
        return spectra

    def restore_spectra(self, E: ArrayLike) -> NDArray[np.floating]:
        """Spectra (member, kept band) on all the scene's bands, NaN in those left out."""
        spectra = np.atleast_2d(np.asarray(E))
        if spectra.shape[-1] != len(self.kept):
            raise InputError(
                f"endmembers: {spectra.shape[-1]} bands where {len(self.kept)} are kept; "
                "give spectra on the kept bands"
            )
        dtype = spectra.dtype if spectra.dtype.kind == "f" else np.float64
        full = np.full((len(spectra), self.n_bands), np.nan, dtype)
        full[:, self.kept] = spectra
        return full

    def _unmasked(self, shape: tuple[int, ...], at: tuple[int, int]) -> NDArray[np.bool_]:
        """One bool a pixel of a block of this shape: False where the mask covers it."""
        if self.mask is None:
            return np.ones(int(np.prod(shape)), np.bool_)
        rows, cols = self.mask.shape
        if len(shape) != 2 or at[0] + shape[0] > rows or at[1] + shape[1] > cols or min(at) < 0:
            raise InputError(
                f"block: {shape} pixels at {at} are no part of the {rows} × {cols} mask; "
                "give a block (y, x, band) and its place"
            )
        part = self.mask[at[0] : at[0] + shape[0], at[1] : at[1] + shape[1]]
        return ~part.reshape(-1)

    @property
    def _nothing_to_do(self) -> bool:
        return len(self.kept) == self.n_bands and self.divisor == 1.0 and self.smooth == 0.0

    @cached_property
    def _cuts(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Starts and stops of the unbroken stretches of kept bands, to copy them fast."""
        pieces = np.split(self.kept, np.flatnonzero(np.diff(self.kept) != 1) + 1)
        return np.array([p[0] for p in pieces]), np.array([p[-1] + 1 for p in pieces])

    @cached_property
    def _kernel(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Spectral order of the kept bands and, in it, weights (tap, band).

        exp(−d² / 2σ²) at distance d where both bands lie in one run; they sum to 1 for each band.
        """
        pieces = runs(self.wavelength, self.kept)
        which = np.repeat(np.arange(len(pieces)), [len(p) for p in pieces])
        reach = int(np.ceil(_REACH * self.smooth))
        weights = np.zeros((2 * reach + 1, len(which)))
        band = np.arange(len(which))
        for d in range(-reach, reach + 1):
            other = np.clip(band + d, 0, len(which) - 1)
            inside = (other == band + d) & (which[other] == which)
            weights[d + reach] = inside * np.exp(-0.5 * (d / self.smooth) ** 2)
        return np.concatenate(pieces), weights / weights.sum(axis=0)

    def _smooth_rows(self, X: NDArray[np.floating]) -> None:
        """Smooth X (pixel, kept band) along the spectrum, in place."""
        if self.smooth == 0.0:
            return
        order, weights = self._kernel
        w = weights.astype(X.dtype)
        in_order = np.array_equal(order, np.arange(len(order)))
        rows = X if in_order else np.ascontiguousarray(X[:, order])
        over_pixels(lambda a, b: _smooth(rows, w, a, b), len(X))
        if not in_order:
            X[:, order] = rows
