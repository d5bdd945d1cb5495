"""Arrays with named dimensions, whatever the names: which is y, x and band, and where it lies.

What xarray, netCDF and zarr hold is a `Layout`: dimensions, coordinates and attributes, no pixels.
Names decide, then units, then what is left over; what stays open is an error that says how to
rename, never a guess between two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.bands import BandTable, band_table
from unmix.io.georef import crs_wkt
from unmix.io.lazy import Affine, Decoding
from unmix.ortho import Ortho, from_lonlat

__all__ = ["Layout", "Named", "axes_of", "bands_of", "decoding_of", "layers_of", "place_of"]

_BAND = (
    "band bands wavelength wavelengths wavelength_nm wl wave lambda channel channels spectral "
    "spectrum n_bands nbands"
).split()
_Y = (
    "y lat latitude row rows line lines northing projection_y_coordinate downtrack along_track "
    "alongtrack height"
).split()
_X = (
    "x lon lng longitude col cols column columns sample samples easting projection_x_coordinate "
    "crosstrack cross_track width"
).split()
_NM = (
    "wavelength wavelengths wavelength_nm wl center_wavelength centre_wavelength "
    "central_wavelength band_wavelength lambda radiation_wavelength"
).split()
_FWHM = "fwhm full_width_half_max bandwidth band_width".split()
_GOOD = "good good_wavelengths good_bands bbl".split()
_LAYERS = "cloud cloud_shadow snow haze water".split()
_IRREGULAR = 1e-3  # of a step: coordinates farther off make no grid


@dataclass(frozen=True, eq=False)
class Named:
    """A coordinate: its dimensions, values and attributes."""

    dims: tuple[str, ...]
    values: NDArray[Any]
    attrs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Layout:
    """An array without its numbers.

    Parameters
    ----------
    where : str
        What it is called in messages.
    dims, shape : tuple
    coords : dict of Named
    attrs : dict
    """

    where: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    coords: dict[str, Named]
    attrs: dict[str, Any]

    def along(self, dim: str, names: list[str]) -> Named | None:
        """The first coordinate along one dimension that has one of these names."""
        lower = {key.lower(): c for key, c in self.coords.items() if c.dims == (dim,)}
        return next((lower[n] for n in names if n in lower), None)


def axes_of(layout: Layout, history: list[str]) -> tuple[int, int, int]:
    """Which of the array's axes are y, x and band.

    Raises
    ------
    InputError
        Not three dimensions, or names that leave it open.

    >>> axes_of(Layout("a", ("wavelength", "lat", "lon"), (5, 3, 4), {}, {}), [])
    (1, 2, 0)
    """
    dims, where = layout.dims, layout.where
    if len(dims) != 3:
        raise InputError(
            f"{where}: has {len(dims)} dimensions {dims}; give one image with y, x and band"
        )
    found: dict[str, int] = {}
    for axis, dim in enumerate(dims):
        kinds = (("y", _Y), ("x", _X), ("band", _BAND))
        role = next((role for role, names in kinds if dim.lower() in names), None)
        if role is None and layout.along(dim, _NM) is not None:
            role = "band"
        if role in found:
            raise InputError(f"{where}: {dims[found[role]]!r} and {dim!r} are both {role}; rename")
        if role is not None:
            found[role] = axis
    rest = [axis for axis in range(3) if axis not in found.values()]
    missing = [role for role in ("y", "x", "band") if role not in found]
    if len(missing) > 1:
        raise InputError(
            f"{where}: dims {dims} leave open which is {', '.join(missing)}; "
            "name them y, x and band (DataArray.rename)"
        )
    if missing:
        found[missing[0]] = rest[0]
        history.append(f"dimension {dims[rest[0]]!r} taken for {missing[0]}")
    return found["y"], found["x"], found["band"]


def bands_of(layout: Layout, axis: int, history: list[str]) -> BandTable:
    """Wavelengths, widths and good bands, of coordinates along the band axis.

    The dimension's own coordinate is wavelengths if its name, its unit or its numbers say so;
    whole numbers that count from 0 or 1 do not.
    """
    dim, count = layout.dims[axis], layout.shape[axis]
    nm = layout.along(dim, _NM)
    own = layout.coords.get(dim)
    if nm is None and own is not None and own.dims == (dim,) and _are_wavelengths(own):
        nm = own
    if nm is not None and nm.values.dtype.kind not in "fiu":
        raise InputError(f"{layout.where}: its wavelengths are no numbers; correct them")
    width, good = layout.along(dim, _FWHM), layout.along(dim, _GOOD)
    return band_table(
        count,
        layout.where,
        history,
        wavelength=None if nm is None else np.nan_to_num(nm.values.astype(np.float64)),
        unit=None if nm is None else _unit(nm.attrs),
        fwhm=None if width is None else width.values,
        good=None if good is None else good.values,
    )


def _unit(attrs: dict[str, Any]) -> str | None:
    """A wavelength's unit, if it is one; "1" and the like say nothing."""
    text = str(attrs.get("units", attrs.get("unit", ""))).strip().lower()
    return None if text in ("", "1", "none", "unitless") else text


def _are_wavelengths(own: Named) -> bool:
    """Whether the values of a band dimension are wavelengths, not band numbers."""
    values = own.values
    if values.dtype.kind not in "fiu" or not len(values):
        return False
    if _unit(own.attrs) is not None:
        return True
    counted = np.array_equal(values, np.arange(len(values)) + values[0]) and values[0] in (0, 1)
    return not counted and bool((values > 0.2).all())


def decoding_of(layout: Layout, axis: int) -> Decoding:
    """No-data number and linear scale that stand undecoded in the attributes."""
    attrs = layout.attrs
    numbers = {k: _number(attrs[k]) for k in ("_FillValue", "missing_value") if k in attrs}
    fill = next((v for v in numbers.values() if v is not None), None)
    scale, offset = _number(attrs.get("scale_factor", 1)), _number(attrs.get("add_offset", 0))
    if scale is None or offset is None:
        raise InputError(f"{layout.where}: its scale_factor or add_offset is no number; correct it")
    n_bands = layout.shape[axis]
    return Decoding(
        nodata=int(fill) if fill is not None and fill == int(fill) else fill,
        gain=None if scale == 1 else np.full(n_bands, scale),
        offset=None if offset == 0 else np.full(n_bands, offset),
    )


def _number(value: Any) -> float | None:
    """A finite number; None for NaN and for what is none."""
    try:
        number = float(np.asarray(value).ravel()[0])
    except (TypeError, ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None


def layers_of(layout: Layout, axes: tuple[int, int, int]) -> dict[str, Any]:
    """Coordinates a scene may carry: masks (y, x), `detector` and `uncertainty` along band."""
    y, x, band = (layout.dims[a] for a in axes)
    coords: dict[str, Any] = {}
    for name, coord in layout.coords.items():
        if name in _LAYERS and set(coord.dims) == {y, x}:
            flags = coord.values if coord.dims == (y, x) else coord.values.T
            coords[name] = (("y", "x"), flags.astype(bool))
        elif name in ("detector", "uncertainty") and coord.dims == (band,):
            coords[name] = ("band", coord.values)
    return coords


def place_of(
    layout: Layout, axes: tuple[int, int, int], history: list[str]
) -> tuple[str | None, Affine | None, Ortho | None]:
    """CRS and affine of a map; the lookup of a swath whose longitudes and latitudes are given."""
    y, x = layout.dims[axes[0]], layout.dims[axes[1]]
    crs, affine = _reference(layout)
    lines = [layout.coords.get(dim) for dim in (y, x)]
    if all(line is not None and line.values.dtype.kind in "fiu" for line in lines):
        steps = [_regular(line.values) for line in lines if line is not None]
        if all(step is not None for step in steps):
            (f, e), (c, a) = (step for step in steps if step is not None)
            degrees = y.lower().startswith("lat") and x.lower().startswith(("lon", "lng"))
            crs = crs or (crs_wkt("EPSG:4326") if degrees else None)
            if (f, e, c, a) == (-0.5, 1, -0.5, 1) and crs is None:  # pixels, counted
                return None, None, None
            return crs, _exact((a, 0.0, c, 0.0, e, f), affine), None
        history.append(f"{y} and {x} are not evenly spaced: no grid")
        return None, None, None
    if affine is not None:
        return crs, affine, None
    return crs, None, _swath(layout, y, x)


def _reference(layout: Layout) -> tuple[str | None, Affine | None]:
    """CRS and affine of the grid-mapping coordinate, as CF and rioxarray write it."""
    named = [str(layout.attrs.get("grid_mapping", "")), "spatial_ref", "crs"]
    named += [name for name, c in layout.coords.items() if "grid_mapping_name" in c.attrs]
    coord = next((layout.coords[n] for n in named if n in layout.coords), None)
    attrs = {} if coord is None else coord.attrs
    text = attrs.get("crs_wkt") or attrs.get("spatial_ref") or layout.attrs.get("crs")
    affine = None
    if attrs.get("GeoTransform"):
        try:
            c, a, b, f, d, e = (float(v) for v in str(attrs["GeoTransform"]).split())
            affine = (a, b, c, d, e, f)
        except ValueError:
            raise InputError(
                f"{layout.where}: its GeoTransform is not 6 numbers; correct it"
            ) from None
    return (crs_wkt(str(text)) if text else None), affine


def _regular(values: NDArray[Any]) -> tuple[float, float] | None:
    """First corner and step of evenly spaced centres; None if they are not."""
    if len(values) < 2:
        return None
    centre = values.astype(np.float64)
    step = (centre[-1] - centre[0]) / (len(centre) - 1)
    fitted = centre[0] + step * np.arange(len(centre))
    if not np.isfinite(step) or step == 0:
        return None
    if np.abs(centre - fitted).max() > _IRREGULAR * abs(step) * max(1.0, len(centre) / 100):
        return None
    step = float(f"{step:.12g}")  # 30.000000000001 is rounding, not a measurement
    return float(centre[0] - step / 2), step


def _exact(found: Affine, said: Affine | None) -> Affine:
    """The affine that coordinates give, in the digits of the one that is said where they agree.

    Coordinates are centres, rounded; a part cut out of a grid lies whole pixels inside it.
    """
    if said is None or said[1] or said[3] or not said[0] or not said[4]:
        return found
    a, _, c, _, e, f = said
    col, row = (found[2] - c) / a, (found[5] - f) / e
    near = abs(col - round(col)) < _IRREGULAR and abs(row - round(row)) < _IRREGULAR
    if not near or not np.allclose((found[0], found[4]), (a, e), rtol=1e-6):
        return found
    return (a, 0.0, c + a * round(col), 0.0, e, f + e * round(row))


def _swath(layout: Layout, y: str, x: str) -> Ortho | None:
    """The lookup of longitudes and latitudes (y, x)."""
    lower = {name.lower(): c for name, c in layout.coords.items() if set(c.dims) == {y, x}}
    pair = [
        next((lower[n] for n in names if n in lower), None)
        for names in (("lon", "longitude", "lng"), ("lat", "latitude"))
    ]
    if any(p is None for p in pair):
        return None
    lon, lat = (p.values if p.dims == (y, x) else p.values.T for p in pair if p is not None)
    return from_lonlat(lon, lat, where=layout.where)
