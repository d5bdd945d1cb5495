"""Pixels to leave out for what they show: clouds, water, vegetation, shade.

A mask that the product carries (a boolean coordinate (y, x) of the scene: `cloud`, `cloud_shadow`,
`snow`, `haze`, `cirrus`, `water`) is taken as it is. The others are ratios, in which neither the
unit nor the brightness of a pixel counts:

    NDVI = (NIR − red) / (NIR + red),   NDWI = (green − NIR) / (green + NIR)

with green 560, red 665, NIR 860 nm, each the median of the good bands within 15 nm. Water also has
to be darker at 1650 nm than half of its green, where the scene goes as far: bright rocks have an
NDWI near 0. Shade is a pixel whose mean over the good bands is below a share of the scene's median.

References
----------
Rouse et al. 1974, NASA SP-351; McFeeters 1996, Int. J. Remote Sens. 17(7).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.prepare.plan import WATER_WINDOWS

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["KINDS", "LeftOut", "land_masks", "ndvi", "ndvi_of_spectra", "ndwi"]

GREEN, RED, NIR, SWIR = 560.0, 665.0, 860.0, 1650.0
_HALF, _FARTHEST = (
    15.0,
    40.0,
)  # nm: bands that make a mean; if there is none, how far the next may be
_DARK_SWIR = 0.5  # of the green: water is darker
_ROWS = 64  # of the scene read at a time
_PRODUCT = {
    "clouds": ("cloud", "cloud_shadow"),
    "cloud": ("cloud",),
    "cloud_shadow": ("cloud_shadow",),
    "snow": ("snow",),
    "haze": ("haze",),
    "cirrus": ("cirrus",),
}
_INDEX = {"vegetation": (">", 0.4), "water": (">", 0.0), "shade": ("<", 0.3)}
KINDS = (*_PRODUCT, *_INDEX)
"""What can be left out."""
_TERM = re.compile(r"([a-z_]+)\s*(?:([<>])\s*(-?(?:\d+\.?\d*|\.\d+)))?")


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Pixels to leave out for one reason.

    Parameters
    ----------
    name : str
        One of `KINDS`.
    why : str
        The rule, with its threshold.
    mask : ndarray of bool, shape (y, x)
    """

    name: str
    why: str
    mask: NDArray[np.bool_]


def land_masks(scene: xr.DataArray, text: str) -> tuple[LeftOut, ...]:
    """The masks that a text such as ``"clouds,water,vegetation>0.5,shade"`` asks for.

    Thresholds are those of NDVI (0.4), NDWI (0) and the share of the median brightness (0.3).

    Parameters
    ----------
    scene : xarray.DataArray, dims (y, x, band)
    text : str
        Names of `KINDS` with commas, the last three with a threshold if wanted.

    Raises
    ------
    InputError
        Another name, a threshold where there is none, a mask that the product does not carry, or
        bands that the scene lacks.

    >>> import xarray as xr
    >>> values = np.array([[[0.05, 0.04, 0.5], [0.2, 0.25, 0.3]]])
    >>> bands = {"wavelength": ("band", [560.0, 665, 860])}
    >>> scene = xr.DataArray(values, bands, ("y", "x", "band"))
    >>> [(m.name, m.why, m.mask.tolist()) for m in land_masks(scene, "vegetation")]
    [('vegetation', 'NDVI > 0.4', [[True, False]])]
    """
    found: dict[str, LeftOut] = {}
    for name, sign, value in _terms(text):
        if name in _PRODUCT:
            found[name] = _carried(scene, name)
        else:
            sign, default = sign or _INDEX[name][0], _INDEX[name][1]
            found[name] = _by_index(scene, name, default if value is None else value)
    return tuple(found.values())


def _terms(text: str) -> Iterator[tuple[str, str, float | None]]:
    """Name, sign and threshold of each term."""
    terms = [part.strip().lower() for part in text.split(",") if part.strip()]
    if not terms:
        raise InputError(f"leave-out: names nothing; give {', '.join(KINDS)}, with commas")
    for term in terms:
        match = _TERM.fullmatch(term)
        name = match[1] if match else ""
        if match is None or name not in KINDS:
            raise InputError(
                f"leave-out: cannot read {term!r:.60}; give {', '.join(KINDS)}, with commas, such "
                "as clouds,water,vegetation>0.5"
            )
        if match[2] and (name in _PRODUCT or match[2] != _INDEX[name][0]):
            form = f"{name}{_INDEX[name][0]}{_INDEX[name][1]}" if name in _INDEX else name
            raise InputError(f"leave-out: {term!r} has no meaning; write {form}")
        value = None if match[3] is None else float(match[3])
        if value is not None and not (value > 0 if name == "shade" else -1 <= value < 1):
            raise InputError(
                f"leave-out: {term!r:.60} holds everywhere or nowhere; NDVI and NDWI lie between "
                "-1 and 1, brightness above 0"
            )
        yield name, match[2] or "", value


def _carried(scene: xr.DataArray, name: str) -> LeftOut:
    """A mask, or several, of the product."""
    masks = [str(n) for n, c in scene.coords.items() if c.dtype == bool and c.dims == ("y", "x")]
    have = [mask for mask in _PRODUCT[name] if mask in masks]
    if not have:
        carried = f" (it has {', '.join(sorted(masks))})" if masks else ""
        raise InputError(
            f"leave-out: the scene carries no mask {' or '.join(_PRODUCT[name])}{carried}; give "
            "one with --mask, or leave it out of the list"
        )
    mask = np.any([np.asarray(scene.coords[c].values, bool) for c in have], axis=0)
    return LeftOut(name, f"the product's mask {' and '.join(have)}", mask)


def _by_index(scene: xr.DataArray, name: str, threshold: float) -> LeftOut:
    with np.errstate(invalid="ignore"):
        if name == "vegetation":
            return LeftOut(name, f"NDVI > {threshold:g}", ndvi(scene) > threshold)
        if name == "shade":
            bright = _brightness(scene)
            mask = bright < threshold * float(np.nanmedian(bright))
            return LeftOut(name, f"below {threshold:g} of the median brightness", mask)
        mask = ndwi(scene) > threshold
        why = f"NDWI > {threshold:g}"
        if _bands(scene, SWIR) is not None:
            green, swir = _means(scene, GREEN, SWIR)
            mask &= swir < _DARK_SWIR * green
            why += " and dark at 1650 nm"
    if "water" in scene.coords and scene.coords["water"].dims == ("y", "x"):
        mask |= np.asarray(scene.coords["water"].values, bool)
        why += ", or the product's mask water"
    return LeftOut(name, why, mask)


def ndvi(scene: xr.DataArray) -> NDArray[np.float32]:
    """Normalised difference vegetation index (y, x), NaN where there is no data.

    Raises
    ------
    InputError
        The scene has no wavelengths, or no good band near 665 or 860 nm.
    """
    red, nir = _means(scene, RED, NIR)
    return _difference(nir, red)


def ndwi(scene: xr.DataArray) -> NDArray[np.float32]:
    """Normalised difference water index (y, x) of green and NIR; see `ndvi`."""
    green, nir = _means(scene, GREEN, NIR)
    return _difference(green, nir)


def ndvi_of_spectra(
    spectra: NDArray[np.floating], wavelength: NDArray[np.floating] | None
) -> NDArray[np.float64]:
    """NDVI of spectra (..., band); NaN where there are no wavelengths or no values.

    >>> nm = np.array([550.0, 660.0, 865.0])
    >>> ndvi_of_spectra(np.array([[0.1, 0.05, 0.45], [0.2, 0.3, 0.3]]), nm).round(2)
    array([0.8, 0. ])
    """
    lead = np.asarray(spectra).shape[:-1]
    if wavelength is None:
        return np.full(lead, np.nan)
    values = np.asarray(spectra, np.float64)
    pair = []
    for centre in (NIR, RED):
        usable = np.asarray(np.isfinite(values.reshape(-1, values.shape[-1])).all(axis=0))
        picks = _nearest(np.asarray(wavelength, float), usable, centre)
        if picks is None:
            return np.full(lead, np.nan)
        pair.append(values[..., picks].mean(axis=-1))
    return np.asarray(_difference(*pair), np.float64)


def _difference(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore", divide="ignore"):
        out = (a - b) / np.where(a + b > 0, a + b, np.nan)
    return np.asarray(np.clip(out, -1, 1), np.float32)


def _nearest(
    nm: NDArray[np.floating], usable: NDArray[np.bool_], centre: float
) -> NDArray[np.intp] | None:
    """Usable bands within 15 nm, or the nearest if it is within 40; None where there is none."""
    off = np.where(usable, np.abs(nm - centre), np.inf)
    near = np.flatnonzero(off <= _HALF)
    if len(near):
        return near
    return np.array([off.argmin()]) if off.min() <= _FARTHEST else None


def _usable(scene: xr.DataArray) -> NDArray[np.bool_]:
    if "good" in scene.coords:
        return np.asarray(scene.coords["good"].values, bool)
    return np.ones(scene.sizes["band"], bool)


def _bands(scene: xr.DataArray, centre: float) -> NDArray[np.intp] | None:
    if "wavelength" not in scene.coords:
        raise InputError(
            "leave-out: the scene has no wavelengths, by which bands are found; give a --mask"
        )
    nm = np.asarray(scene.coords["wavelength"].values, np.float64)
    usable: NDArray[np.bool_] = _usable(scene)
    return _nearest(nm, usable, centre)


def _means(scene: xr.DataArray, *centres: float) -> list[NDArray[np.float32]]:
    """Mean (y, x) over the bands near each centre; bands without data there do not count."""
    out = []
    for centre in centres:
        picks = _bands(scene, centre)
        if picks is None:
            raise InputError(
                f"leave-out: the scene has no good band near {centre:g} nm; give a --mask"
            )
        out.append(_mean(np.asarray(scene[:, :, picks].values, np.float32)))
    return out


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median over the last axis where finite: one dead band among several does not count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(values, axis=-1).astype(np.float32)


def _brightness(scene: xr.DataArray) -> NDArray[np.float32]:
    """Mean over the good bands outside the water-vapour windows (y, x)."""
    usable = _usable(scene)
    if "wavelength" in scene.coords:
        nm = np.asarray(scene.coords["wavelength"].values, np.float64)
        for low, high in WATER_WINDOWS:
            usable &= ~((nm >= low) & (nm <= high))
    picks = np.flatnonzero(usable)
    out = np.full((scene.sizes["y"], scene.sizes["x"]), np.nan, np.float32)
    for top in range(0, len(out), _ROWS):
        rows = slice(top, top + _ROWS)
        block = np.asarray(scene[rows].values, np.float32)[..., picks]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            out[rows] = np.nanmean(block, axis=-1)
    return out
