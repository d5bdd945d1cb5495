"""A miniature Tanager scene, basic (swath) or ortho (grid), as `unmix.io.tanager` reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.simulate.products.common import Affine, checked, new_folder
from unmix.simulate.products.emit import turned_swath

if TYPE_CHECKING:
    import h5py

__all__ = ["write"]

SCENE = "20250511_074311_00_4001"
FILL = -9999.0
_LAYERS = {"cloud": "beta_cloud_mask", "haze": "beta_cirrus_mask"}


def write(
    folder: str | Path,
    cube: ArrayLike,
    wavelength: ArrayLike,
    fwhm: ArrayLike,
    crs: str = "EPSG:32613",
    transform: Affine = (30.0, 0.0, 503220.0, 0.0, -30.0, 4410990.0),
    *,
    geometry: str = "ortho",
    quantity: str = "reflectance",
    good: ArrayLike | None = None,
    layers: Mapping[str, ArrayLike] | None = None,
    sun_zenith: float = 30.0,
    acquired: str = "2025-05-11T07:43:11+00:00",
    turn: float = 12.0,
    scene: str = SCENE,
) -> Path:
    """Write a cube as a Tanager scene; gives its file.

    Parameters
    ----------
    folder : path-like
        New or empty.
    cube : array_like, shape (rows, columns, band)
        Reflectance, or radiance in W/m²/sr/µm; NaN where there is no data.
    wavelength, fwhm : array_like, shape (band,)
        In nm.
    crs : str
        A UTM zone, such as "EPSG:32613".
    transform : 6-tuple
        Of the grid, north up; of a basic scene, of the grid it is to be put on.
    geometry : {"ortho", "basic"}
    quantity : {"reflectance", "radiance"}
    good : array_like of bool, shape (band,), optional
    layers : mapping, optional
        `cloud`, `haze`: (rows, columns), True where so.
    sun_zenith : float
        Degrees.
    turn : float
        Degrees by which a basic scene's swath is turned on the grid, clockwise.

    >>> import tempfile
    >>> from unmix.scene import geo_of, open_scene
    >>> file = write(tempfile.mkdtemp(), np.full((4, 3, 2), 0.25), [500.0, 2200.0], 5.5)
    >>> scene = open_scene(file)
    >>> float(scene[3, 2, 1]), geo_of(scene)[1]
    (0.25, (30.0, 0.0, 503220.0, 0.0, -30.0, 4410990.0))
    """
    import h5py

    X, nm, width = checked(cube, wavelength, fwhm)
    if geometry not in ("ortho", "basic") or quantity not in ("reflectance", "radiance"):
        raise InputError(f"geometry, quantity: got {geometry!r}, {quantity!r}; see the choices")
    name = "surface_reflectance" if quantity == "reflectance" else "toa_radiance"
    root = f"HDFEOS/{'GRIDS' if geometry == 'ortho' else 'SWATHS'}/HYP"
    hidden = np.asarray(np.isnan(X).all(axis=2))
    kind = f"{geometry}_{'sr' if quantity == 'reflectance' else 'radiance'}_hdf5"
    with new_folder(folder) as inside, h5py.File(inside / f"{scene}_{kind}.h5", "w") as file:
        fields = f"{root}/Data Fields"
        stored = np.where(hidden[..., None], FILL, X).transpose(2, 0, 1).astype(np.float32)
        data = file.create_dataset(f"{fields}/{name}", data=stored, compression=4)
        data.attrs["wavelengths"], data.attrs["fwhm"] = nm, width
        data.attrs["_FillValue"] = np.float32(FILL)
        if quantity == "reflectance":
            keep = np.ones(len(nm)) if good is None else good
            data.attrs["good_wavelengths"] = np.asarray(keep, np.uint8)
        else:
            data.attrs["applied_radiometric_coefficients"] = np.ones(len(nm))
        maps = {"nodata_pixels": hidden} | {_LAYERS[k]: v for k, v in (layers or {}).items()}
        for key, flags in maps.items():
            file[f"{fields}/{key}"] = np.asarray(flags, np.uint32)
        file[f"{fields}/sun_zenith"] = np.full(hidden.shape, sun_zenith, np.float32)
        file[root].attrs["strip_id"] = scene.rpartition("_")[0]
        when = datetime.fromisoformat(acquired).timestamp()
        if geometry == "ortho":
            _ortho(file, root, crs, transform, np.full(hidden.shape, when))
        else:
            _basic(file, root, crs, transform, np.full(hidden.shape[0], when), hidden.shape, turn)
    return Path(folder) / f"{scene}_{kind}.h5"


def _ortho(
    file: h5py.File, root: str, crs: str, transform: Affine, time: NDArray[np.float64]
) -> None:
    """The grid's structural metadata."""
    rows, cols = time.shape
    a, b, left, d, e, top = transform
    code = int(crs.rpartition(":")[2])
    zone = code - 32600 if code < 32700 else 32700 - code
    if b or d or not 1 <= abs(zone) <= 60:
        raise InputError("transform, crs: an ortho scene is north up in a UTM zone; give those")
    text = (
        "GROUP=SwathStructure\nEND_GROUP=SwathStructure\nGROUP=GridStructure\n\tGROUP=GRID_1\n"
        f'\t\tGridName="HYP"\n\t\tXDim={cols}\n\t\tYDim={rows}\n'
        f"\t\tUpperLeftPointMtrs=({left!r},{top!r})\n"
        f"\t\tLowerRightMtrs=({left + a * cols!r},{top + e * rows!r})\n"
        f"\t\tProjection=HE5_GCTP_UTM\n\t\tZoneCode={zone}\n\t\tSphereCode=12\n"
        "\tEND_GROUP=GRID_1\nEND_GROUP=GridStructure\nEND\n"
    )
    file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_(text)
    file[root].attrs["epsg_code"] = code
    file[f"{root}/Data Fields/time"] = time


def _basic(
    file: h5py.File,
    root: str,
    crs: str,
    transform: Affine,
    time: NDArray[np.float64],
    shape: tuple[int, int],
    turn: float,
) -> None:
    """Where the swath's pixels lie, and the grid they are to be put on."""
    from rasterio.warp import transform as to_lonlat

    a, b, c, d, e, f = transform
    angle = np.radians(turn)
    v, u = np.indices(shape, float)
    x, y = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    x, y = x - x.min() + 0.5, y - y.min() + 0.5
    places = (a * x + b * y + c).ravel(), (d * x + e * y + f).ravel()
    lon, lat = to_lonlat(crs, "EPSG:4326", *places)
    geo = file.create_group(f"{root}/Geolocation Fields")
    geo["Longitude"], geo["Latitude"] = np.reshape(lon, shape), np.reshape(lat, shape)
    geo["Time"] = time
    rows, cols = turned_swath(*shape, turn)[0].shape
    framing = {"epsg_code": int(crs.rpartition(":")[2]), "rows": rows, "cols": cols}
    geo.attrs["Planet_Ortho_Framing"] = json.dumps(framing | {"geotransform": [c, a, b, f, d, e]})
    file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_("GROUP=SwathStructure\nEND\n")
