"""Where a grid lies: ENVI map info to an affine transform, the CF coordinate `spatial_ref`.

An affine is the 6-tuple (a, b, c, d, e, f) of x = a·col + b·row + c, y = d·col + e·row + f at
pixel corners (the order of the `affine` package; GDAL's is c, a, b, f, d, e).
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import xarray as xr

from unmix.checks import InputError
from unmix.io.envi_header import split_list
from unmix.io.lazy import Affine

__all__ = ["crs_wkt", "envi_crs", "grid_coords", "grid_of", "map_info_affine"]

# EPSG code of UTM zone 0 North for the datums whose zones EPSG numbers in a row, with the zones.
_UTM_NORTH = {
    "wgs-84": (32600, range(1, 61)),
    "wgs84": (32600, range(1, 61)),
    "wgs 84": (32600, range(1, 61)),
    "north america 1983": (26900, range(1, 24)),
    "north america 1927": (26700, range(1, 23)),
    "european 1950": (23000, range(28, 39)),
    "etrs89": (25800, range(28, 39)),
}
_GEOGRAPHIC = {
    "wgs-84": 4326,
    "wgs84": 4326,
    "wgs 84": 4326,
    "north america 1983": 4269,
    "north america 1927": 4267,
    "european 1950": 4230,
    "etrs89": 4258,
}


def map_info_affine(text: str, where: str, history: list[str]) -> Affine:
    """Affine of ENVI's `map info`, equal to GDAL's.

    With pixel size (px, py), rotation θ, and reference pixel (u, v), counted from 1, at (E, N):
    a = px cos θ, b = px sin θ, c = E − (u − 1) px, d = py sin θ, e = −py cos θ,
    f = N + (v − 1) py. GDAL does not turn the step from the reference pixel to the corner by θ;
    neither do we, so that results lie on the scene in every GDAL-based viewer, and `history`
    says so where it matters.

    Raises
    ------
    InputError
        Fewer than 7 fields, text where a number must be, a pixel size that is not positive.

    >>> map_info_affine("{UTM, 1, 1, 500, 900, 30, 20, 33, North, WGS-84}", "x.hdr", [])
    (30.0, 0.0, 500.0, 0.0, -20.0, 900.0)
    """
    items = split_list(text)
    options = _options(items)
    try:
        u, v, east, north, px, py = (float(item) for item in items[1:7])
        angle = math.radians(float(options.get("rotation", "0")))
    except ValueError:
        raise InputError(
            f"{where}: map info needs a projection, 6 numbers and a numeric rotation; correct it"
        ) from None
    if not all(map(math.isfinite, (u, v, east, north, px, py, angle))) or px <= 0 or py <= 0:
        raise InputError(f"{where}: map info needs finite numbers, pixel sizes above 0; correct it")
    if angle and (u, v) != (1, 1):
        history.append(
            "rotated map info with a reference pixel other than 1, 1: placed as GDAL does"
        )
    cos, sin = (math.cos(angle), math.sin(angle)) if angle else (1.0, 0.0)
    affine = (px * cos, px * sin, east - (u - 1) * px, py * sin, -py * cos, north + (v - 1) * py)
    if items[0].lower().startswith("geographic") and options.get("units", "").lower() == "seconds":
        history.append("map info in arc seconds: transform converted to degrees")
        affine = tuple(value / 3600 for value in affine)  # type: ignore[assignment]
    return affine


def _options(items: list[str]) -> dict[str, str]:
    """The `name=value` items of a map info list.

    >>> _options(["UTM", "1", "units=Meters", "rotation=75"])
    {'units': 'Meters', 'rotation': '75'}
    """
    pairs = (item.partition("=") for item in items if "=" in item)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def envi_crs(map_info: str | None, wkt: str | None, history: list[str]) -> str | None:
    """WKT of an ENVI header's CRS: its `coordinate system string` first, then its map info.

    None, with a line in `history`, where neither names a CRS we know for certain.
    """
    if wkt is not None:
        found = _valid_wkt(wkt.strip().removeprefix("{").removesuffix("}").strip())
        if found:
            return found
        history.append("coordinate system string not understood: map info used")
    if map_info is None:
        return None
    items = split_list(map_info)
    kind = items[0].lower()
    code = None
    if kind.startswith("geographic"):
        code = next((_GEOGRAPHIC[i.lower()] for i in items[7:] if i.lower() in _GEOGRAPHIC), None)
    elif kind == "utm" and _options(items).get("units", "meters").lower() in ("meters", "metres"):
        code = _utm_code(items)
    if code is None:
        if kind != "arbitrary":
            history.append(
                f"CRS of map info ({items[0]!r:.40}) not known: transform kept without it"
            )
        return None
    from rasterio.crs import CRS

    return str(CRS.from_epsg(code).to_wkt())


def _utm_code(items: list[str]) -> int | None:
    """EPSG code of a UTM map info, None when zone, hemisphere or datum is not known.

    >>> _utm_code("UTM,1,1,0,0,30,30,33,South,WGS-84".split(","))
    32733
    """
    if len(items) < 10 or not re.fullmatch("[0-9]{1,2}", items[7]):
        return None
    zone, south, datum = int(items[7]), items[8].lower().startswith("s"), items[9].lower()
    base, zones = _UTM_NORTH.get(datum, (0, range(0)))
    if zone not in zones or (south and base != 32600):
        return None
    return base + zone + (100 if south else 0)


def _valid_wkt(text: str) -> str | None:
    """The CRS text in standard WKT, None when it is not a CRS."""
    from rasterio.crs import CRS
    from rasterio.env import Env
    from rasterio.errors import CRSError

    try:
        with Env():
            return str(CRS.from_wkt(text, morph_from_esri_dialect=True).to_wkt()) or None
    except CRSError:
        return None


def crs_wkt(text: str) -> str | None:
    """WKT of a CRS named by EPSG code, WKT or PROJ text; None when it is none.

    >>> crs_wkt("EPSG:32650")[:30], crs_wkt("nowhere")
    ('PROJCS["WGS 84 / UTM zone 50N"', None)
    """
    from rasterio.crs import CRS
    from rasterio.env import Env
    from rasterio.errors import CRSError

    try:
        with Env():
            return str(CRS.from_user_input(text).to_wkt()) or None
    except (CRSError, ValueError, TypeError):
        return None


def grid_coords(crs_wkt: str | None, affine: Affine | None, rows: int, cols: int) -> dict[str, Any]:
    """Coordinates that carry the georeferencing, by the convention rioxarray reads.

    Always `spatial_ref` (attributes crs_wkt, spatial_ref, GeoTransform in GDAL's order) where
    anything is known; pixel centres `x`, `y` for an unrotated grid; for a rotated one the
    integer coordinates `line` (y) and `sample` (x), so that a crop still knows where it lies.
    """
    if crs_wkt is None and affine is None:
        return {}
    attrs: dict[str, str] = {}
    if crs_wkt is not None:
        attrs = {"crs_wkt": crs_wkt, "spatial_ref": crs_wkt}
    coords: dict[str, Any] = {}
    if affine is not None:
        a, b, c, d, e, f = affine
        attrs["GeoTransform"] = " ".join(repr(float(v)) for v in (c, a, b, f, d, e))
        if b == 0 and d == 0:
            coords["y"] = f + e * (np.arange(rows) + 0.5)
            coords["x"] = c + a * (np.arange(cols) + 0.5)
        else:
            coords["line"] = ("y", np.arange(rows))
            coords["sample"] = ("x", np.arange(cols))
    coords["spatial_ref"] = xr.DataArray(0, attrs=attrs)
    return coords


def grid_of(scene: xr.DataArray) -> tuple[str | None, Affine | None]:
    """CRS (WKT) and affine of a scene or of a part cut out of it; None for what it has not.

    >>> affine = (2.0, 0.0, 100.0, 0.0, -3.0, 900.0)
    >>> part = xr.DataArray(np.zeros((4, 5)), grid_coords(None, affine, 4, 5), ("y", "x"))[1:, 2:]
    >>> grid_of(part)
    (None, (2.0, 0.0, 104.0, 0.0, -3.0, 897.0))
    """
    if "spatial_ref" not in scene.coords:
        return None, None
    attrs = scene.coords["spatial_ref"].attrs
    crs = attrs.get("crs_wkt") or attrs.get("spatial_ref") or None
    if "GeoTransform" not in attrs:
        return crs, None
    c, a, b, f, d, e = (float(v) for v in str(attrs["GeoTransform"]).split())
    col, col_step, row, row_step = 0.0, 1.0, 0.0, 1.0
    if b == 0 and d == 0 and {"x", "y"} <= set(scene.coords):
        col, col_step = _place((np.atleast_1d(scene.coords["x"]) - c) / a - 0.5)
        row, row_step = _place((np.atleast_1d(scene.coords["y"]) - f) / e - 0.5)
    elif {"line", "sample"} <= set(scene.coords):
        col, col_step = _place(np.atleast_1d(scene.coords["sample"]))
        row, row_step = _place(np.atleast_1d(scene.coords["line"]))
    c, f = c + a * col + b * row, f + d * col + e * row
    return crs, (a * col_step, b * row_step, c, d * col_step, e * row_step, f)


def _place(index: Any) -> tuple[float, float]:
    """Corner and step, in the whole grid's pixels, of regularly spaced pixel numbers.

    >>> _place(np.array([4, 5, 6])), _place(np.array([6, 4]))
    ((4.0, 1.0), (7.5, -2.0))
    """
    step = round(float(index[1] - index[0]), 6) if len(index) > 1 else 1.0
    first = round(float(index[0]), 6)
    return first + 0.5 - 0.5 * step, step
