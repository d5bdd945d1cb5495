"""EMIT granules (NASA, on the International Space Station): netCDF-4 in swath geometry.

`EMIT_L2A_RFL_*.nc` holds `reflectance` (downtrack, crosstrack, bands), float32, −9999 where there
is no data and −0.01 in the bands of deep water absorption; `sensor_band_parameters` with
`wavelengths` and `fwhm` [nm] and `good_wavelengths`; `location` with the geometry lookup table
`glt_x`, `glt_y`; and in the attributes `geotransform` (GDAL's order) and `spatial_ref`.
`EMIT_L1B_RAD_*.nc` is alike with `radiance` in µW/cm²/sr/nm. Masks, uncertainty and sun angle come
from the companions beside it (`unmix.io.emit_companions`).

Source: EMIT L2A user guide; layouts compared with published readers and listings of granules.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmix.checks import InputError
from unmix.io.bands import band_table
from unmix.io.emit_companions import KINDS, beside, masks, observation, uncertainty
from unmix.io.georef import crs_wkt
from unmix.io.hdf5 import H5Pixels, attribute, dataset, holds, open_h5, rows_together, vector
from unmix.io.lazy import Decoding, PixelSource, RawScene
from unmix.io.products import files_in
from unmix.ortho import Ortho, from_glt

if TYPE_CHECKING:
    import h5py

__all__ = ["find", "read"]

_BANDS = "sensor_band_parameters"


def find(path: Path, head: bytes) -> Path | None:
    """The granule that `path` belongs to: itself, of a companion or of a folder; None if none."""
    if path.is_dir():
        return _in_folder(path)
    match = KINDS.search(path.name)
    if match and not match[1].upper().endswith(("RFL", "RAD")):
        main = beside(path, "L2A_RFL") or beside(path, "L1B_RAD")
        if main is None:
            raise InputError(
                f"{path.name}: is a companion of an EMIT granule; put its EMIT_L2A_RFL_{match[2]} "
                "beside it"
            )
        return main
    known = any(holds(path, head, _BANDS, name) for name in ("reflectance", "radiance"))
    return path if known or (match and _is_h5(head)) else None


def read(path: Path) -> RawScene:
    """Scene of a granule; no pixel is read.

    Raises
    ------
    InputError
        Truncated, a group is missing, lists of the wrong length, a lookup table that points
        outside, or a companion of another size.
    """
    where, history = path.name, list[str]()
    with open_h5(path) as file:
        name = "radiance" if "radiance" in file and "reflectance" not in file else "reflectance"
        data = dataset(file, name, where, 3)
        rows, cols, n_bands = data.shape
        together = rows_together(data, 0)
        fill = vector(data.attrs, "_FillValue", where)
        bands = _band_parameters(file, n_bands, where, history)
        ortho = _ortho(file, (rows, cols), where)
        attrs = _attrs(file, data, name)
    nodata = float(fill[0]) if fill is not None and fill.size else -9999.0
    history.append(f"no-data {nodata:g} read as NaN")
    shape = (rows, cols, n_bands)
    found = [masks(path, shape), uncertainty(path, shape), observation(path)]
    files, coords = [str(path)], dict[str, Any]()
    attrs |= {"nodata": nodata, "scale_declared": name == "reflectance"}
    for companion in found:
        if companion is not None:
            files.append(companion.file)
            coords |= companion.coords
            attrs |= companion.attrs
            history += companion.history
    pixels = PixelSource(shape, H5Pixels(str(path), name), Decoding(nodata))
    return RawScene(pixels, bands, files, None, None, attrs, history, coords, ortho, together)


def _in_folder(folder: Path) -> Path | None:
    """The only granule of a folder; None where there is none."""
    files = files_in(folder)
    for kind in ("L2A_RFL", "L1B_RAD"):
        found = [p for p in files if (m := KINDS.match(p.name)) and m[1].upper() == kind]
        if len(found) > 1:
            raise InputError(f"{folder}: holds {len(found)} EMIT granules; give the file of one")
        if found:
            return found[0]
    return None


def _is_h5(head: bytes) -> bool:
    return head.startswith(b"\x89HDF")


def _band_parameters(file: h5py.File, n_bands: int, where: str, history: list[str]) -> Any:
    """Wavelengths, widths and good bands."""
    if _BANDS not in file:
        raise InputError(f"{where}: has no group {_BANDS}; give the complete EMIT granule")
    group = file[_BANDS]
    wavelength = vector(group, "wavelengths", where)
    if wavelength is None:
        raise InputError(f"{where}: has no {_BANDS}/wavelengths; give the complete EMIT granule")
    good = vector(group, "good_wavelengths", where)
    fwhm = vector(group, "fwhm", where)
    if good is not None:
        history.append(f"{int((good <= 0).sum())} bands the product calls bad (good_wavelengths)")
    return band_table(
        n_bands, where, history, wavelength=wavelength, unit="nm", fwhm=fwhm, good=good
    )


def _ortho(file: h5py.File, shape: tuple[int, int], where: str) -> Ortho:
    """The geometry lookup table with its grid."""
    if "location" not in file:
        raise InputError(f"{where}: has no group location; give the complete EMIT granule")
    x, y = (np.asarray(dataset(file, f"location/{n}", where, 2)[...]) for n in ("glt_x", "glt_y"))
    gdal = vector(file.attrs, "geotransform", where)
    if gdal is None or gdal.size != 6 or not np.isfinite(gdal).all():
        raise InputError(f"{where}: has no geotransform of 6 numbers; download it again")
    c, a, b, f, d, e = (float(v) for v in gdal)
    if a * e == b * d:
        raise InputError(f"{where}: the pixels of its geotransform have no area; download it again")
    wkt = crs_wkt(attribute(file, "spatial_ref") or "EPSG:4326")
    return from_glt(x, y, shape, wkt, (a, b, c, d, e, f), where)


def _attrs(file: h5py.File, data: h5py.Dataset, name: str) -> dict[str, Any]:
    """What is worth showing of the granule."""
    attrs: dict[str, Any] = {
        "format": "EMIT netCDF",
        "sensor": "EMIT",
        "quantity": name,
        "dtype_on_disk": data.dtype.name,
        "geometry": "swath; results are written on the grid of its lookup table",
    }
    if name == "radiance":
        attrs["units"] = attribute(data, "units") or "uW/cm^2/SR/nm"
    title, start = attribute(file, "title"), attribute(file, "time_coverage_start")
    if title:
        attrs["description"] = title[:200]
    if start:
        attrs["acquired"] = re.sub(r"\+0000$", "+00:00", start)[:40]
    return attrs
