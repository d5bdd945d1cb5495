"""False-colour view of a scene."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["false_colour", "stretched", "view_bands"]

RED_GREEN_BLUE = ((650, 550, 450), (2200, 1650, 1250))  # nm: natural, then short-wave infrared
_NEAR = 10  # bands that are tried for a channel


def false_colour(scene_block: Any, wavelength: ArrayLike | None) -> NDArray[np.float32]:
    """False-colour view of a scene, each channel stretched from its 2nd to 98th percentile.

    Bands nearest 650, 550 and 450 nm; where there is no visible light 2200, 1650 and 1250 nm;
    otherwise, or without wavelengths, the middle of each third of the bands.

    Parameters
    ----------
    scene_block : array_like, shape (y, x, band)
        Only the three bands are read, so it may be lazy. NaN marks masked pixels.
    wavelength : array_like, shape (band,), optional
        Band centres in nm.

    Returns
    -------
    ndarray, shape (y, x, 3)
        0..1, a constant channel 0.5, NaN where any of the three is not finite.

    >>> false_colour(np.linspace(0, 1, 24).reshape(2, 3, 4), [450, 550, 650, 850]).shape
    (2, 3, 3)
    """
    orders = _band_orders(scene_block.shape[-1], wavelength)
    return _stacked([_stretch(scene_block, order[:_NEAR]) for order in orders])


def view_bands(
    n_bands: int,
    wavelength: ArrayLike | None,
    empty: Collection[int] = (),
    poor: Collection[int] = (),
) -> tuple[int, int, int]:
    """Bands of the false-colour view: red, green and blue.

    Parameters
    ----------
    n_bands : int
    wavelength : array_like, shape (band,), optional
        Band centres in nm.
    empty : collection of int
        Bands without a value, for which the next best are taken.
    poor : collection of int
        Bands that are mostly noise, which are taken only where no others are near.

    >>> view_bands(4, [450, 550, 650, 850], {2})
    (1, 1, 0)
    >>> view_bands(4, [450, 550, 650, 850], {2}, {0, 1, 3})
    (1, 1, 0)
    """
    orders = _band_orders(n_bands, wavelength)
    red, green, blue = (_first(order[:_NEAR].tolist(), empty, poor) for order in orders)
    return red, green, blue


def _first(order: list[int], empty: Collection[int], poor: Collection[int]) -> int:
    """The first band of `order` that is good; if none is, that has a value."""
    filled = [i for i in order if i not in empty]
    return next((i for i in filled if i not in poor), (filled or order)[0])


def stretched(view: ArrayLike) -> NDArray[np.float32]:
    """A view (y, x, 3), each channel stretched from its 2nd to 98th percentile to 0..1.

    A constant channel is 0.5, a pixel NaN where any channel is not finite.

    >>> stretched(np.zeros((2, 2, 3)))[0, 0].tolist()
    [0.5, 0.5, 0.5]
    """
    channels = np.asarray(view)
    return _stacked([_stretch(channels, [i]) for i in range(3)])


def _stacked(channels: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    view = np.stack(channels, axis=-1)
    view[~np.isfinite(view).all(axis=-1)] = np.nan
    return view.astype(np.float32)


def _band_orders(n_bands: int, wavelength: ArrayLike | None) -> list[NDArray[np.intp]]:
    """For red, green and blue: all bands, the best first."""
    if wavelength is not None:
        centre = np.asarray(wavelength, dtype=float)
        off = [np.abs(np.nan_to_num(centre, nan=np.inf) - np.c_[list(t)]) for t in RED_GREEN_BLUE]
        for distance in off:
            if (distance.min(axis=1) <= 60).all():
                return [np.argsort(d, kind="stable") for d in distance]
        rank = np.argsort(np.argsort(-centre))  # long wavelengths are red
    else:
        rank = np.arange(n_bands)
    targets = (np.arange(3) + 0.5) * n_bands / 3 - 0.5
    return [np.argsort(np.abs(rank - t), kind="stable") for t in targets]


def _stretch(block: Any, order: Iterable[int]) -> NDArray[np.float64]:
    """The first band of `order` that has a value, stretched to 0..1."""
    for i in order:
        band = np.asarray(block[..., int(i)], dtype=np.float64)
        finite = band[np.isfinite(band)]
        if finite.size:
            low, high = np.percentile(finite, [2, 98])
            spread = high - low
            good = np.isfinite(band)
            scaled = np.clip((np.where(good, band, 0) - low) / spread, 0, 1) if spread > 0 else 0.5
            return np.where(good, scaled, np.nan)
    return np.full(block.shape[:-1], np.nan)
