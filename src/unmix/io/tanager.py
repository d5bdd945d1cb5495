"""Planet Tanager scenes as delivered: HDF-EOS5, basic (swath) or ortho (map grid).

`/HDFEOS/SWATHS/HYP/Data Fields` (basic) or `/HDFEOS/GRIDS/HYP/Data Fields` (ortho) holds
`surface_reflectance` or `toa_radiance` [W/m²/sr/µm], axes (band, y, x), float32, with `wavelengths`
and `fwhm` [nm], for reflectance `good_wavelengths`, and `_FillValue` as attributes. Beside it lie
maps of the scene's size: `nodata_pixels` (1: no data, becomes NaN), `beta_cloud_mask` (`cloud`),
`beta_cirrus_mask` (`haze`), `sun_zenith` [degrees] and, in ortho products, `time` [s since 1970].
An ortho product's grid is in `/HDFEOS INFORMATION/StructMetadata.0`; its CRS is the attribute
`epsg_code` of the group, or else the UTM zone of that text (negative in the south). A basic product
has `Latitude`, `Longitude` and `Time` in `Geolocation Fields`, and there the attribute
`Planet_Ortho_Framing`, JSON of the grid it is to be put on; results are put there, each grid pixel
showing its nearest swath pixel. The uncertainty of reflectance is not read.

Source: Planet, *Tanager Product Specification*, November 2025, section 3.6; layouts compared with
published readers. No delivered file was at hand.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.bands import band_table
from unmix.io.georef import crs_wkt
from unmix.io.hdf5 import H5Pixels, attribute, dataset, holds, layer, open_h5, rows_together, vector
from unmix.io.lazy import Affine, Decoding, PixelSource, RawScene
from unmix.io.products import files_in
from unmix.ortho import Ortho, from_lonlat

if TYPE_CHECKING:
    import h5py

__all__ = ["find", "read"]

GRID, SWATH = "HDFEOS/GRIDS/HYP", "HDFEOS/SWATHS/HYP"
NAMES = ("surface_reflectance", "toa_radiance")
FRAMING = "Planet_Ortho_Framing"
_PLACE = re.compile(
    r"(UpperLeftPointMtrs|LowerRightMtrs)=\(\s*([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*\)"
)
_ZONE = re.compile(r"ZoneCode=(-?\d{1,2})\b")
_TIMES = (f"{GRID}/Data Fields/time", f"{SWATH}/Geolocation Fields/Time")
_LARGEST = 2**15  # rows or columns of a grid


def find(path: Path, head: bytes) -> Path | None:
    """The scene that `path` is, or the only one of a folder; None if there is none."""
    if path.is_dir():
        found = [p for p in files_in(path) if _named(p)]
        if len(found) > 1:
            raise InputError(f"{path}: holds {len(found)} Tanager scenes; give the file of one")
        return found[0] if found else None
    if any(holds(path, head, root) for root in (GRID, SWATH)):
        return path
    return None


def _named(path: Path) -> bool:
    return re.search(r"_(basic|ortho)_(sr|radiance)_hdf5\.h5$", path.name) is not None


def read(path: Path) -> RawScene:
    """Scene of a Tanager file; no pixel is read.

    Raises
    ------
    InputError
        Truncated, a data set is missing, lists or layers of the wrong size, no usable grid.
    """
    where, history = path.name, list[str]()
    with open_h5(path) as file:
        root = GRID if GRID in file else SWATH
        fields = f"{root}/Data Fields"
        name = next((n for n in NAMES if f"{fields}/{n}" in file), None)
        if name is None:
            raise InputError(f"{where}: {fields} has neither {' nor '.join(NAMES)}; give a scene")
        data = dataset(file, f"{fields}/{name}", where, 3)
        n_bands, rows, cols = data.shape
        together = rows_together(data, 1)
        bands = band_table(
            n_bands,
            where,
            history,
            wavelength=vector(data.attrs, "wavelengths", where),
            unit="nm",
            fwhm=vector(data.attrs, "fwhm", where),
            good=vector(data.attrs, "good_wavelengths", where),
        )
        if bands.wavelength is None:
            raise InputError(f"{where}: {name} has no attribute wavelengths; download it again")
        hidden = layer(file, f"{fields}/nodata_pixels", where, (rows, cols))
        coords = _masks(file, fields, where, (rows, cols))
        wkt, affine, ortho = _place(file, root, where, (rows, cols), hidden)
        attrs = _attrs(file, root, name, hidden, (rows, cols))
        fill = vector(data.attrs, "_FillValue", where)
    nodata = float(fill[0]) if fill is not None and fill.size else -9999.0
    mask = "" if hidden is None else f"{fields}/nodata_pixels"
    reader = H5Pixels(str(path), f"{fields}/{name}", (1, 2, 0), mask)
    history.append(f"no-data {nodata:g}{' and nodata_pixels' if mask else ''} read as NaN")
    attrs["scale_declared"] = name == NAMES[0]
    pixels = PixelSource((rows, cols, n_bands), reader, Decoding(nodata))
    return RawScene(
        pixels, bands, [str(path)], wkt, affine, attrs, history, coords, ortho, together
    )


def _masks(file: h5py.File, fields: str, where: str, shape: tuple[int, int]) -> dict[str, Any]:
    """Cloud and cirrus."""
    coords = {}
    for name, key in (("cloud", "beta_cloud_mask"), ("haze", "beta_cirrus_mask")):
        flags = layer(file, f"{fields}/{key}", where, shape)
        if flags is not None:
            coords[name] = (("y", "x"), flags == 1)
    return coords


def _place(
    file: h5py.File, root: str, where: str, shape: tuple[int, int], hidden: NDArray[Any] | None
) -> tuple[str | None, Affine | None, Ortho | None]:
    """CRS and affine of an ortho product; the lookup of a basic one."""
    if root == GRID:
        wkt, affine = _grid(file, where, shape)
        return wkt, affine, None
    geo = f"{SWATH}/Geolocation Fields"
    lon, lat = (layer(file, f"{geo}/{n}", where, shape) for n in ("Longitude", "Latitude"))
    if lon is None or lat is None:
        raise InputError(f"{where}: has no Longitude and Latitude; give the complete product")
    if hidden is not None:
        lon, lat = (np.where(hidden != 0, np.nan, values) for values in (lon, lat))
    framing = _framing(file[geo], where)
    if framing is None:
        return None, None, from_lonlat(lon, lat, where=where)
    wkt, affine, size = framing
    return None, None, from_lonlat(lon, lat, crs_wkt=wkt, affine=affine, shape=size, where=where)


def _framing(holder: Any, where: str) -> tuple[str, Affine, tuple[int, int]] | None:
    """The grid that a basic product names; None where it names none."""
    text = attribute(holder, FRAMING)
    if not text:
        return None
    try:
        said = json.loads(text)
        c, a, b, f, d, e = (float(v) for v in said["geotransform"])
        rows, cols = int(said["rows"]), int(said["cols"])
        wkt = crs_wkt(f"EPSG:{int(said['epsg_code'])}")
        fine = wkt is not None and np.isfinite([a, b, c, d, e, f]).all() and a * e != b * d
        if not (fine and 0 < rows <= _LARGEST and 0 < cols <= _LARGEST):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(
            f"{where}: its {FRAMING} names no usable grid; download it again"
        ) from None
    return str(wkt), (a, b, c, d, e, f), (rows, cols)


def _grid(file: h5py.File, where: str, shape: tuple[int, int]) -> tuple[str, Affine]:
    """The grid of an ortho product: corners by the structural metadata, north up."""
    item = file.get("HDFEOS INFORMATION/StructMetadata.0")
    text = "" if item is None else item[()]
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    corners = {m[1]: (float(m[2]), float(m[3])) for m in _PLACE.finditer(text)}
    code, zone = attribute(file[GRID], "epsg_code"), _ZONE.search(text)
    if not code and zone:
        number = int(zone[1])
        code = str((32600 if number > 0 else 32700) + abs(number))
    wkt = crs_wkt(f"EPSG:{code.rpartition(':')[2]}") if code else None
    if len(corners) < 2 or wkt is None:
        raise InputError(
            f"{where}: its StructMetadata.0 names no usable grid (corners and UTM zone); "
            "download it again"
        )
    (left, top), (right, bottom) = corners["UpperLeftPointMtrs"], corners["LowerRightMtrs"]
    rows, cols = shape
    steps = (right - left) / cols, (bottom - top) / rows
    a, e = (float(f"{step:.12g}") for step in steps)  # corners are rounded
    if not (np.isfinite([a, e]).all() and a > 0 and e < 0):
        raise InputError(f"{where}: its grid's corners are in the wrong order; download it again")
    return wkt, (a, 0.0, left, 0.0, e, top)


def _attrs(
    file: h5py.File, root: str, name: str, hidden: NDArray[Any] | None, shape: tuple[int, int]
) -> dict[str, Any]:
    """What is worth showing of the scene."""
    fields, where = f"{root}/Data Fields", Path(file.filename).name
    attrs: dict[str, Any] = {
        "format": "Tanager HDF-EOS5",
        "sensor": "Tanager",
        "quantity": "reflectance" if name == NAMES[0] else "radiance",
        "dtype_on_disk": file[f"{fields}/{name}"].dtype.name,
        "geometry": "map grid" if root == GRID else "swath; results are written on its ortho grid",
    }
    if name != NAMES[0]:
        attrs["units"] = attribute(file[f"{fields}/{name}"], "units") or "W/(m^2 sr um)"
    strip = attribute(file[root], "strip_id")
    if strip:
        attrs["description"] = f"strip {strip[:100]}"
    seen = np.ones(shape, bool) if hidden is None else hidden == 0
    angle = layer(file, f"{fields}/sun_zenith", where, shape)
    if angle is not None:
        known = angle[seen & (angle >= 0) & (angle < 90)]
        attrs |= {"sun_zenith": round(float(known.mean()), 3)} if known.size else {}
    time = next((dataset(file, n, where)[...] for n in _TIMES if n in file), np.empty(0))
    known = np.asarray(time, np.float64).ravel()
    known = known[(known > 1e8) & (known < 1e10)]
    if known.size:
        attrs["acquired"] = datetime.fromtimestamp(float(known.min()), UTC).isoformat()
    return attrs
