"""PRISMA products (HDF-EOS5, .he5): L2D, and L2C, L2B and L1 in swath geometry.

=====  ==================  ==============================  ==============================
level  what                grid                            value of a stored number
=====  ==================  ==============================  ==============================
L2D    reflectance         UTM, from corner attributes     min + number (max − min)/65535
L2C    reflectance         swath, Latitude and Longitude   the same
L2B    ground radiance     swath, Latitude and Longitude   the same
L1     radiance            swath, Latitude_VNIR, ...       number / ScaleFactor − Offset
=====  ==================  ==============================  ==============================

`HDFEOS/SWATHS/PRS_<level>_HCO/Data Fields` holds VNIR_Cube (66 bands) and SWIR_Cube (173), uint16
with the axes row, band, column. `List_Cw_Vnir`, `List_Fwhm_Vnir` and `List_Cw_Vnir_Flags` (likewise
Swir) run from long to short waves and are 0 for bands that are not acquired: those are left out,
and the others come by rising wavelength, VNIR before SWIR, `detector` 0 and 1; `product_bands` has
their numbers within their cubes. Scales are attributes of the detector: L2ScaleVnirMin, ...Max.
Radiance is in W m⁻² sr⁻¹ µm⁻¹.

No data: pixels whose bands are all 0 (the corners outside the swath), and single values that the
error matrix flags: in L2 (VNIR_PIXEL_L2_ERR_MATRIX) 1, invalid in L1, and 4, saturated, but not 2,
negative after atmospheric correction, whose stored 0 is kept; in L1 (..._SAT_ERR_MATRIX) 1,
saturated, and 2, error. Corner coordinates are pixel centres. L1 has masks: Cloud_Mask (1 cloud)
and LandCover_Mask (0 water, 1 snow).

References
----------
ASI (2020). PRISMA Products Specification Document, issue 2.3. Layout as read by prismaread and
EnMAP-Box.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.bands import band_table
from unmix.io.files import printable
from unmix.io.hdf5 import (
    H5Pixels,
    attribute,
    dataset,
    holds,
    layer,
    open_h5,
    rows_together,
    vector,
)
from unmix.io.lazy import Decoding, PixelSource, RawScene, Reader
from unmix.io.prisma_place import place
from unmix.io.products import files_in
from unmix.io.stacked import Flagged, Hiding, Stacked, bright_bands, overlap_note

if TYPE_CHECKING:
    import h5py

__all__ = ["find", "read"]

_SWATHS = "HDFEOS/SWATHS"
_LEVEL = re.compile(r"PRS_(L1|L2B|L2C|L2D)_HCO")
_NAME = re.compile(r"PRS_L(?:1|2B|2C|2D)_.*\.he5", re.IGNORECASE)
_AXES = (0, 2, 1)  # a cube's axes y, x and band
_UNITS = "W m-2 sr-1 um-1"


def find(path: Path, head: bytes) -> Path | None:
    """The .he5 file of the PRISMA product that `path` is or holds; None if none.

    Raises
    ------
    InputError
        Several products in the folder, or a damaged file.
    """
    if path.is_dir():
        found = [p for p in files_in(path) if _NAME.fullmatch(p.name)]
        if len(found) > 1:
            raise InputError(f"{path}: holds {len(found)} PRISMA products; give one's .he5 file")
        return found[0] if found else None
    if not holds(path, head, _SWATHS):
        return None
    with open_h5(path) as file:
        return path if any(_LEVEL.fullmatch(name) for name in file[_SWATHS]) else None


def read(path: Path) -> RawScene:
    """Scene of a PRISMA product; no spectrum is read.

    Raises
    ------
    InputError
        Damaged, not complete, or contradictory.
    """
    where, history = path.name, list[str]()
    with open_h5(path) as file:
        level = next(m[1] for name in file[_SWATHS] if (m := _LEVEL.fullmatch(name)))
        swath = f"{_SWATHS}/PRS_{level}_HCO"
        parts = [_detector(file, path, swath, level, name) for name in ("VNIR", "SWIR")]
        shape = _shape(parts, where)
        coords = _masks(file, swath, shape[:2], where)
        crs, affine, ortho = place(file, swath, level, shape[:2], where, history)
        attrs = _attrs(file, level, where)
        together = rows_together(file[f"{swath}/Data Fields/SWIR_Cube"], 0)
    number = np.concatenate([np.full(len(p.wavelength), i) for i, p in enumerate(parts)])
    table = {k: np.concatenate([getattr(p, k) for p in parts]) for k in _COLUMNS}
    bands = band_table(
        len(number), where, [], wavelength=table["wavelength"], unit="nm",
        fwhm=table["fwhm"],
    )  # fmt: skip
    history += overlap_note(table["wavelength"], number)
    stacked = Stacked(tuple(p.reader for p in parts), number, table["band"].astype(np.intp))
    reader = Hiding(stacked, bright_bands(table["wavelength"]))
    history.append("pixels that are 0 in every band, and values flagged as errors, read as NaN")
    attrs["product_bands"] = [int(band) + 1 for band in table["band"]]
    if attrs["quantity"] == "radiance":
        history.append(f"stored numbers scaled to radiance in {_UNITS}")
    else:
        history.append("stored numbers scaled to reflectance by the detectors' minima and maxima")
    decoding = Decoding(gain=table["gain"], offset=table["offset"])
    coords["detector"] = ("band", number)
    return RawScene(
        PixelSource(shape, reader, decoding), bands, [str(path)], crs, affine, attrs, history,
        coords, ortho, together,
    )  # fmt: skip


_COLUMNS = ("band", "wavelength", "fwhm", "gain", "offset")


@dataclass(frozen=True, eq=False)
class _Detector:
    """One spectrometer's cube: the bands that were acquired, by rising wavelength."""

    reader: Reader
    shape: tuple[int, int]
    band: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64]


def _detector(file: h5py.File, path: Path, swath: str, level: str, name: str) -> _Detector:
    """What the file says of "VNIR" or "SWIR"."""
    cube_name = f"{swath}/Data Fields/{name}_Cube"
    cube = dataset(file, cube_name, path.name, 3)
    rows, n_bands, cols = cube.shape
    short = name.capitalize()
    lists = {
        key: _list(file, f"List_{key.format(short)}", n_bands, path.name)
        for key in ("Cw_{}", "Fwhm_{}")
    }
    wavelength, fwhm = lists.values()
    flags = vector(file.attrs, f"List_Cw_{short}_Flags", path.name)
    seen = wavelength > 0
    if flags is not None and flags.shape == seen.shape:
        seen &= flags > 0
    if not seen.any():
        raise InputError(f"{path.name}: no band of {name} was acquired; give another scene")
    band = np.flatnonzero(seen)[np.argsort(wavelength[seen], kind="stable")]
    gain, offset = _scale(file, level, short, path.name)
    reader = _flagged(file, path, cube_name, swath, level, name)
    return _Detector(
        reader, (rows, cols), band.astype(np.float64), wavelength[band], fwhm[band],
        np.full(len(band), gain), np.full(len(band), offset),
    )  # fmt: skip


def _flagged(
    file: h5py.File, path: Path, cube_name: str, swath: str, level: str, name: str
) -> Reader:
    """Reader of a cube that leaves out what its error matrix flags, where it has one."""
    reader = H5Pixels(str(path), cube_name, _AXES)
    what, bits = ("SAT", 3) if level == "L1" else ("L2", 5)
    flags = f"{swath}/Data Fields/{name}_PIXEL_{what}_ERR_MATRIX"
    if flags not in file:
        return reader
    matrix = dataset(file, flags, path.name, 3)
    if matrix.shape != file[cube_name].shape or matrix.dtype.kind not in "iu":
        raise InputError(
            f"{path.name}: {name}'s error matrix does not fit its cube; download it again"
        )
    return Flagged(reader, H5Pixels(str(path), flags, _AXES), bits)


def _list(file: h5py.File, name: str, n_bands: int, where: str) -> NDArray[np.float64]:
    """A list of one number a band, from the file's attributes."""
    values = vector(file.attrs, name, where)
    if values is None or len(values) != n_bands:
        said = "no" if values is None else f"{len(values)} values of"
        raise InputError(
            f"{where}: has {said} {name} for a cube of {n_bands} bands; download it again"
        )
    return np.where(np.isfinite(values), np.round(values, 4), 0.0)  # stored as float32


def _scale(file: h5py.File, level: str, short: str, where: str) -> tuple[float, float]:
    """Gain and offset of a detector's stored numbers."""
    first, second = (
        (f"ScaleFactor_{short}", f"Offset_{short}")
        if level == "L1"
        else (f"L2Scale{short}Min", f"L2Scale{short}Max")
    )
    found = [vector(file.attrs, name, where) for name in (first, second)]
    a, b = (float(v[0]) if v is not None and v.size else np.nan for v in found)
    if not np.isfinite([a, b]).all() or (a == 0 if level == "L1" else b <= a):
        raise InputError(
            f"{where}: its attributes {first} and {second} are missing or no scale; download it "
            "again"
        )
    return (1 / a, -b) if level == "L1" else ((b - a) / 65535, a)


def _shape(parts: list[_Detector], where: str) -> tuple[int, int, int]:
    """Rows, columns and bands of the two detectors together."""
    if parts[0].shape != parts[1].shape:
        sizes = " and ".join(f"{p.shape[0]} x {p.shape[1]}" for p in parts)
        raise InputError(f"{where}: its cubes have {sizes} pixels; download it again")
    return (*parts[0].shape, sum(len(p.wavelength) for p in parts))


def _masks(file: h5py.File, swath: str, shape: tuple[int, int], where: str) -> dict[str, Any]:
    """What L1 knows of the ground."""
    wanted = [("cloud", "Cloud_Mask", 1), ("water", "LandCover_Mask", 0)]
    wanted.append(("snow", "LandCover_Mask", 1))
    found: dict[str, Any] = {}
    for name, field, value in wanted:
        values = layer(file, f"{swath}/Data Fields/{field}", where, shape)
        if values is not None:
            found[name] = (("y", "x"), values == value)
    return found


def _attrs(file: h5py.File, level: str, where: str) -> dict[str, Any]:
    """What every scene tells, and what is worth showing."""
    attrs: dict[str, Any] = {
        "format": f"PRISMA {level} HDF-EOS5",
        "sensor": "PRISMA",
        "quantity": "radiance" if level in ("L1", "L2B") else "reflectance",
        "interleave": "bil",
        "dtype_on_disk": "uint16",
        "scale_declared": True,
    }
    if attrs["quantity"] == "radiance":
        attrs["units"] = _UNITS
    if level != "L2D":
        attrs["geometry"] = "swath; results are written on the grid of its coordinates"
    zenith = vector(file.attrs, "Sun_zenith_angle", where)
    if zenith is not None and zenith.size and 0 <= zenith[0] <= 180:
        attrs["sun_zenith"] = round(float(zenith[0]), 6)
    acquired = printable(attribute(file, "Product_StartTime"))
    if acquired:
        attrs["acquired"] = acquired
    return attrs
