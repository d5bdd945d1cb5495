"""From radiance at the sensor to reflectance, approximately: no atmosphere is modelled.

Every conversion is linear in each band, ρ = g L + o:

- `sun`: apparent reflectance at the top of the atmosphere, ρ = π L d² / (E₀ cos θ), with the Sun's
  irradiance E₀ averaged over the band, its zenith θ and the Earth's distance d in au. Scattered
  light stays in (up to 0.1 in the blue), absorption by gases too.
- `dark-object`: the same, less what the darkest pixels (0.1 %) show in each band, who are given a
  reflectance of 1 % (Chavez 1988): scattered light is removed as if even over the scene. Where
  nothing is dark, too much is taken.
- `empirical-line`: gain and offset of each band from places whose reflectance is known (Smith and
  Milton 1999); through the origin where there is one place only.

Results are marked: `attrs["approximate"]` says what was done and becomes a warning of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError, check_option
from unmix.prepare.solar import earth_sun_distance, sun_gain, unit_factor

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "HOW",
    "Reference",
    "check_reflectance",
    "empirical_line",
    "to_reflectance",
]

HOW = ("sun", "dark-object", "empirical-line")
_DARK = 0.1  # percent of the pixels that count as dark
_DARK_REFLECTANCE = 0.01
_SAMPLE = 20_000


@dataclass(frozen=True, eq=False)
class Reference:
    """A place of known reflectance: a window of the scene (rows, columns) and its spectrum.

    Parameters
    ----------
    rows, cols : slice
    reflectance : ndarray, shape (band,)
        On the scene's bands; NaN where unknown.
    name : str
    """

    rows: slice
    cols: slice
    reflectance: NDArray[np.floating]
    name: str = field(default="reference")


def check_reflectance(scene: xr.DataArray) -> None:
    """`InputError` for a scene that says it is radiance."""
    if scene.attrs.get("quantity") != "radiance":
        return
    units = f" ({scene.attrs['units']})" if scene.attrs.get("units") else ""
    name = str(scene.attrs.get("source") or scene.name or "scene")
    raise InputError(
        f"{name}: is radiance{units}, unmixing needs reflectance; give the reflectance product, or "
        "convert approximately with --to-reflectance sun (unmix.prepare.radiance.to_reflectance)"
    )


def empirical_line(
    radiance: NDArray[np.floating], reflectance: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gain and offset of each band: the least-squares line through places of known reflectance.

    Parameters
    ----------
    radiance, reflectance : ndarray, shape (place, band)
        One place: the line passes through the origin.

    Returns
    -------
    gain, offset : ndarray, shape (band,)
        NaN in bands where a place is unknown, the places do not differ, or the gain is not
        positive.

    >>> g, o = empirical_line(np.array([[10.0], [50.0]]), np.array([[0.1], [0.5]]))
    >>> g.round(6), o.round(6)
    (array([0.01]), array([0.]))
    """
    L, rho = np.asarray(radiance, np.float64), np.asarray(reflectance, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        if len(L) == 1:
            gain, offset = rho[0] / L[0], np.zeros(L.shape[1])
        else:
            away = L - L.mean(axis=0)
            gain = (away * rho).sum(axis=0) / (away**2).sum(axis=0)
            offset = rho.mean(axis=0) - gain * L.mean(axis=0)
    bad = ~(np.isfinite(gain) & np.isfinite(offset) & (gain > 0))
    return np.where(bad, np.nan, gain), np.where(bad, np.nan, offset)


def to_reflectance(
    scene: xr.DataArray,
    how: str = "sun",
    *,
    sun_zenith: float | None = None,
    acquired: str | None = None,
    units: str | None = None,
    references: Sequence[Reference] = (),
    seed: int = 0,
) -> xr.DataArray:
    """A radiance scene as approximate reflectance; pixels stay lazy.

    Parameters
    ----------
    scene : xarray.DataArray, dims (y, x, band)
        With wavelengths, unless `how` is "empirical-line".
    how : {"sun", "dark-object", "empirical-line"}
        See the module.
    sun_zenith : float, optional
        Degrees; by default what the product says.
    acquired : str, optional
        Date (ISO 8601); by default what the product says. Without one the mean distance of the Sun
        is taken, which is wrong by up to 3.4 %.
    units : str, optional
        By default what the product says.
    references : sequence of Reference
        For "empirical-line".
    seed : int
        Of the sample in which dark pixels are looked for.

    Returns
    -------
    xarray.DataArray
        With `attrs["quantity"]` "reflectance" and `attrs["approximate"]`; bands that cannot be
        converted are not `good`.

    Raises
    ------
    InputError
        Reflectance already, or something that the conversion needs is not known.

    >>> import xarray as xr
    >>> L = xr.DataArray(np.full((2, 3, 2), 50.0), dims=("y", "x", "band"))
    >>> L = L.assign_coords(wavelength=("band", [550.0, 1650.0]))
    >>> rho = to_reflectance(L, sun_zenith=30.0, units="W/m^2/sr/um")
    >>> round(float(rho[0, 0, 0]), 3), rho.attrs["quantity"]
    (0.097, 'reflectance')
    """
    check_option(how, HOW, "to-reflectance")
    if scene.attrs.get("quantity") == "reflectance":
        raise InputError("to-reflectance: the scene is reflectance already; leave it out")
    if how == "empirical-line":
        gain, offset, said = _from_references(scene, references)
    else:
        gain, said = _from_sun(scene, sun_zenith, acquired, units)
        offset = np.zeros(len(gain))
        if how == "dark-object":
            offset = _DARK_REFLECTANCE - gain * _dark(scene, seed)
            said += f"; the darkest {_DARK:g} % of the pixels set to {_DARK_REFLECTANCE:g}"
    return _converted(scene, gain, offset, f"reflectance is approximate: {said}")


def _from_sun(
    scene: xr.DataArray, sun_zenith: float | None, acquired: str | None, units: str | None
) -> tuple[NDArray[np.float64], str]:
    """Gain of each band by the Sun, and what was done."""
    attrs = scene.attrs
    angle = attrs.get("sun_zenith") if sun_zenith is None else sun_zenith
    unit = units or attrs.get("units")
    date = acquired or attrs.get("acquired")
    if "wavelength" not in scene.coords:
        raise InputError("to-reflectance: the scene has no wavelengths; use empirical-line")
    if angle is None:
        raise InputError(
            "to-reflectance: the Sun's zenith is not known; give --radiometry sun_zenith=DEGREES"
        )
    if not unit:
        raise InputError(
            "to-reflectance: the radiance's unit is not known; give --radiometry units=W/m^2/sr/um"
        )
    distance = 1.0 if not date else earth_sun_distance(str(date))
    fwhm = scene["fwhm"].values if "fwhm" in scene.coords else None
    gain = sun_gain(scene["wavelength"].values, fwhm, float(angle), distance)
    doubt = "" if date else " (no date: wrong by up to 3.4 %)"
    said = (
        f"top of the atmosphere, from {unit}, sun zenith {float(angle):.4g}°, distance "
        f"{distance:.4f} au{doubt}; the atmosphere is not removed"
    )
    return gain * unit_factor(str(unit)), said


def _dark(scene: xr.DataArray, seed: int) -> NDArray[np.float64]:
    """Radiance of the darkest pixels in each band; 0 where a band has no data.

    Pixels are taken as their signal: the least of many is three standard deviations of the noise
    too dark.
    """
    from unmix.features.signal import signal_of
    from unmix.prepare.sample import sample_pixels

    X = sample_pixels(scene, _SAMPLE, seed).astype(np.float64)
    X = X[np.isfinite(X).any(axis=1) & (X != 0).any(axis=1)]
    X[~np.isfinite(X)] = np.nan
    known = ~np.isnan(X).all(axis=0) if len(X) else np.zeros(X.shape[1], bool)
    out = np.zeros(X.shape[1])
    varies = known & ~np.isnan(X).any(axis=0)
    varies[varies] = np.ptp(X[:, varies], axis=0) > 0
    if len(X) > 2 * varies.sum() > 0:
        X[:, varies] = signal_of(X[:, varies], seed=seed)
    out[known] = np.nanpercentile(X[:, known], _DARK, axis=0, method="lower")
    return out


def _from_references(
    scene: xr.DataArray, references: Sequence[Reference]
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Gain and offset of each band by places of known reflectance, and what was done."""
    if not references:
        raise InputError(
            "to-reflectance: empirical-line needs places of known reflectance; give "
            "--radiometry reference=ROWS,COLS=SPECTRUM"
        )
    rows, cols, n_bands = scene.shape
    means = []
    for place in references:
        inside = place.rows.stop <= rows and place.cols.stop <= cols
        if not inside or np.shape(place.reflectance) != (n_bands,):
            raise InputError(
                f"reference: {place.name} is no window of the scene's {rows} × {cols} pixels with "
                f"{n_bands} reflectances; correct it"
            )
        block = np.asarray(scene[place.rows, place.cols].values, np.float64).reshape(-1, n_bands)
        block = block[np.isfinite(block).any(axis=1)]
        if not len(block):
            raise InputError(f"reference: {place.name} holds no data; choose another window")
        means.append(np.nanmedian(np.where(np.isfinite(block), block, np.nan), axis=0))
    spectra = np.stack([np.asarray(place.reflectance, np.float64) for place in references])
    gain, offset = empirical_line(np.stack(means), spectra)
    if np.isfinite(gain).sum() < 2:
        raise InputError(
            "reference: the places' radiances do not rise with their reflectances; check the "
            "windows and spectra"
        )
    origin = " through the origin" if len(references) == 1 else ""
    names = ", ".join(place.name for place in references)
    return gain, offset, f"empirical line{origin} of {len(references)} place(s): {names}"


def _converted(
    scene: xr.DataArray, gain: NDArray[np.float64], offset: NDArray[np.float64], said: str
) -> xr.DataArray:
    """The scene with every band's line applied when it is read."""
    import xarray as xr
    from xarray.core import indexing

    from unmix.io.arrays import ArrayPixels
    from unmix.io.lazy import Decoding, PixelSource

    usable = np.isfinite(gain) & np.isfinite(offset)
    decoding = Decoding(gain=np.where(usable, gain, 1.0), offset=np.where(usable, offset, 0.0))
    rows, cols, n_bands = scene.shape
    reader = ArrayPixels(scene.variable, (0, 1, 2))
    lazy: Any = indexing.LazilyIndexedArray(PixelSource((rows, cols, n_bands), reader, decoding))
    drop = ("quantity", "units", "scale_factor")
    attrs = {k: v for k, v in scene.attrs.items() if k not in drop}
    attrs |= {"quantity": "reflectance", "scale_declared": True, "approximate": said}
    attrs["history"] = [*scene.attrs.get("history", []), said]
    good = np.asarray(scene["good"].values, bool) if "good" in scene.coords else usable
    data = indexing.CopyOnWriteArray(lazy)
    out = xr.DataArray(xr.Variable(scene.dims, data, attrs), coords=scene.coords, name=scene.name)
    return out.assign_coords(good=("band", good & usable))
