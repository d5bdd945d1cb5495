"""A miniature PRISMA product (.he5), as `unmix.io.prisma` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import check_option
from unmix.simulate.products.common import (
    Affine,
    checked,
    detectors_of,
    lonlat_of,
    new_folder,
)

if TYPE_CHECKING:
    import h5py

__all__ = ["write"]

LEVELS = ("L1", "L2B", "L2C", "L2D")
NAME = "PRS_{}_STD_20201107101404_20201107101408_0001.he5"
BLANK = (3, 2)  # bands not acquired: before the first of VNIR, after the last of SWIR
L1_SCALE = 100.0


def write(
    folder: str | Path,
    cube: ArrayLike,
    wavelength: ArrayLike,
    fwhm: ArrayLike,
    crs: str,
    transform: Affine,
    *,
    detector: ArrayLike | None = None,
    level: str = "L2D",
    errors: ArrayLike | None = None,
    layers: Mapping[str, ArrayLike] | None = None,
    sun_zenith: float = 55.0,
    acquired: str = "2020-11-07T10:14:04.000",
) -> Path:
    """Write a cube as a PRISMA product; gives its .he5 file.

    Bands go from long to short waves in each detector's cube, with three and two that were not
    acquired; reflectance (L2C, L2D) and radiance (L2B) are scaled to the detector's minimum and
    maximum, L1 by 100.

    Parameters
    ----------
    folder : path-like
        New or empty.
    cube : array_like, shape (rows, columns, band)
        Reflectance, or radiance in W m⁻² sr⁻¹ µm⁻¹ for L1 and L2B; NaN where there is no data.
    wavelength, fwhm : array_like, shape (band,)
        In nm; VNIR and then SWIR, or with `detector`.
    crs : str
        With an EPSG code for L2D.
    transform : 6-tuple
        (a, b, c, d, e, f) at pixel corners; for L2D north up, for the others any: pixels get the
        longitude and latitude that it gives them.
    errors : array_like of int, shape (rows, columns, band), optional
        The error matrix.
    layers : mapping, optional
        For L1: `cloud`, `water`, `snow` (rows, columns), True where so.

    >>> import tempfile
    >>> from unmix.scene import geo_of, open_scene
    >>> cube, nm = np.full((2, 3, 4), 0.25), [560.0, 970.0, 950.0, 2200.0]
    >>> where = (30.0, 0.0, 366000.0, 0.0, -30.0, 5807100.0)
    >>> scene = open_scene(write(tempfile.mkdtemp(), cube, nm, 11, "EPSG:32633", where))
    >>> scene.wavelength.values, geo_of(scene)[1] == where, round(float(scene[1, 2, 3]), 3)
    (array([ 560.,  970.,  950., 2200.]), True, 0.25)
    """
    import h5py

    check_option(level, LEVELS, "level")
    X, nm, width = checked(cube, wavelength, fwhm)
    part = detectors_of(nm, detector)
    flags = np.zeros(X.shape, np.uint8) if errors is None else np.asarray(errors, np.uint8)
    path = NAME.format(level)
    with new_folder(folder) as inside, h5py.File(inside / path, "w") as file:
        fields = f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields"
        for number, name in enumerate(("VNIR", "SWIR")):
            mine = np.flatnonzero(part == number)
            order = mine[np.argsort(-nm[mine], kind="stable")]
            stored = _stored(file, X[..., order], level, name.capitalize())
            kind = "SAT" if level == "L1" else "L2"
            blank = (BLANK[0], 0) if number == 0 else (0, BLANK[1])
            for key, values in (
                (f"{name}_Cube", stored),
                (f"{name}_PIXEL_{kind}_ERR_MATRIX", flags[..., order]),
            ):
                whole = np.pad(values, ((0, 0), (0, 0), blank))
                file[f"{fields}/{key}"] = whole.transpose(0, 2, 1)
            _lists(file, name.capitalize(), nm[order], width[order], blank)
        _place(file, level, crs, transform, X.shape[:2])
        _layers(file, fields, X.shape[:2], layers or {})
        file.attrs["Processing_Level"] = np.bytes_(level.removeprefix("L"))
        file.attrs["Product_StartTime"] = np.bytes_(acquired)
        file.attrs["Sun_zenith_angle"] = np.float32(sun_zenith)
    return Path(folder) / path


def _stored(file: h5py.File, X: NDArray[np.float64], level: str, short: str) -> NDArray[np.uint16]:
    """Stored numbers of a detector, and the attributes that scale them back."""
    empty = np.isnan(X).all(axis=2)
    if level == "L1":
        file.attrs[f"ScaleFactor_{short}"] = np.float32(L1_SCALE)
        file.attrs[f"Offset_{short}"] = np.float32(0)
        numbers = np.nan_to_num(X) * L1_SCALE
    else:
        low = np.float32(0.0)
        high = np.float32(max(1.0, 1.001 * float(np.nanmax(X, initial=0.0))))
        file.attrs[f"L2Scale{short}Min"], file.attrs[f"L2Scale{short}Max"] = low, high
        numbers = (np.nan_to_num(X) - low) / (high - low) * 65535
    stored = np.clip(np.round(numbers), 1, 65535).astype(np.uint16)
    stored[empty] = 0
    return stored


def _lists(
    file: h5py.File,
    short: str,
    nm: NDArray[np.float64],
    width: NDArray[np.float64],
    blank: tuple[int, int],
) -> None:
    """Centres, widths and whether a band was acquired."""
    file.attrs[f"List_Cw_{short}"] = np.pad(nm, blank).astype(np.float32)
    file.attrs[f"List_Fwhm_{short}"] = np.pad(width, blank).astype(np.float32)
    file.attrs[f"List_Cw_{short}_Flags"] = np.pad(np.ones(len(nm)), blank).astype(np.uint8)


def _place(
    file: h5py.File, level: str, crs: str, transform: Affine, shape: tuple[int, int]
) -> None:
    """Every pixel's coordinates; for L2D the CRS and the centres of corner pixels too."""
    lon, lat = lonlat_of(crs, transform, shape)
    fields = f"HDFEOS/SWATHS/PRS_{level}_HCO/Geolocation Fields"
    for end in ("_VNIR", "_SWIR") if level == "L1" else ("",):
        file[f"{fields}/Longitude{end}"], file[f"{fields}/Latitude{end}"] = lon, lat
    if level != "L2D":
        return
    from rasterio.crs import CRS

    a, _, left, _, e, top = transform
    rows, cols = shape
    easting = {"L": left + a / 2, "R": left + a * (cols - 0.5)}
    northing = {"U": top + e / 2, "L": top + e * (rows - 0.5)}
    for v, y in northing.items():
        for h, x in easting.items():
            file.attrs[f"Product_{v}{h}corner_easting"] = x
            file.attrs[f"Product_{v}{h}corner_northing"] = y
    file.attrs["Epsg_Code"] = np.int64(CRS.from_user_input(crs).to_epsg())
    file.attrs["Projection_Name"] = np.bytes_("UTM")


def _layers(
    file: h5py.File, fields: str, shape: tuple[int, int], layers: Mapping[str, Any]
) -> None:
    """L1's masks."""
    if "cloud" in layers:
        file[f"{fields}/Cloud_Mask"] = np.asarray(layers["cloud"], np.uint8)
    if "water" in layers or "snow" in layers:
        cover = np.full(shape, 2, np.uint8)
        for name, value in (("water", 0), ("snow", 1)):
            cover[np.asarray(layers.get(name, np.zeros(shape)), bool)] = value
        file[f"{fields}/LandCover_Mask"] = cover
