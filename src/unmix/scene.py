"""A scene is a plain, lazy `xarray.DataArray`: opened here whatever its format.

Dimensions (y, x, band); values float32, NaN where there is no data, with the declared scale
applied. Coordinates: `wavelength` and `fwhm` (band; nm), `good` (band; bool) and, for a
georeferenced scene, `spatial_ref` with `x`, `y` (see `unmix.io.georef`). A satellite product also
has `detector` (band; 0 VNIR, 1 SWIR), what it knows of the ground as `cloud`, `cloud_shadow`,
`snow`, `haze`, `water` (y, x; bool), and the attributes `sensor`, `quantity` ("reflectance", or
"radiance" with `units`), `acquired` (ISO 8601) and `sun_zenith` (degrees). `band` is a dimension
without an index: detectors overlap, so wavelengths repeat and need not be sorted.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.core import indexing

from unmix.checks import InputError
from unmix.io.arrays import is_scene, is_zarr, raw_array, read_classic, read_zarr
from unmix.io.envi import find_header, read_envi
from unmix.io.files import read_head
from unmix.io.gdal import is_tiff
from unmix.io.georef import grid_coords, grid_of
from unmix.io.lazy import Affine, RawScene
from unmix.io.mat import read_mat
from unmix.io.mat5 import is_mat5
from unmix.io.mat73 import is_hdf5
from unmix.io.netcdf import read_netcdf
from unmix.io.products import read_product
from unmix.io.raster import read_tiff
from unmix.ortho import Ortho

__all__ = ["as_scene", "files_of", "from_array", "geo_coords", "geo_of", "open_scene", "swath_of"]

_LEAST_AREA = 1e-24  # of a pixel: a square nanodegree is 1e-18
_OTHER_HDF5 = (".h5", ".he5", ".nc", ".nc4", ".hdf")
_WRITTEN_AS = {
    ".tif": "does not hold a TIFF; give a GeoTIFF",
    ".tiff": "does not hold a TIFF; give a GeoTIFF",
    ".mat": "not a MATLAB v5 or v7.3 file; save it with -v7 or -v7.3",
    **dict.fromkeys(
        (".img", ".dat", ".bsq", ".bil", ".bip", ".raw"),
        "has no ENVI header beside it; put one there (same name, ending in .hdr)",
    ),
}
FORMATS = (
    "ENVI (.hdr with its data file), GeoTIFF (.tif, .tiff), MATLAB (.mat, v5 and v7.3), netCDF, "
    "zarr, or a file or the folder of an AHSI, EnMAP, PRISMA, EMIT or Tanager product"
)


def open_scene(path: str | Path, *, variable: str | None = None) -> xr.DataArray:
    """Open a hyperspectral scene without reading its pixels.

    Parameters
    ----------
    path : path-like
        An ENVI header or data file, a GeoTIFF, a MATLAB file, a netCDF file or zarr store of
        xarray's, or a satellite product: its main
        file, its metadata file or its folder (`unmix.io.products`). What the file holds decides,
        not its name alone.
    variable : str, optional
        Which variable of a MATLAB or netCDF file is the scene, where that is not clear.

    Returns
    -------
    xarray.DataArray, dims (y, x, band)
        Values are read, window by window, when they are used. `attrs["history"]` tells what was
        done on reading, `attrs["scale_declared"]` whether the file stated its scale.

    Raises
    ------
    InputError
        No such file, not a format we read, damaged, or contradictory; one line with the remedy.

    >>> import numpy as np, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.arange(24, dtype="<i2").tofile(folder / "a.img")
    >>> header = ["ENVI", "lines=2", "samples=3", "bands=4", "data type=2", "interleave=bip"]
    >>> header += ["byte order=0", "reflectance scale factor=100"]
    >>> _ = (folder / "a.hdr").write_text(chr(10).join(header))
    >>> open_scene(folder / "a.hdr")[1, 2].values
    array([0.2 , 0.21, 0.22, 0.23], dtype=float32)
    """
    try:
        return as_scene(_read(Path(path), variable), str(path))
    except OSError as error:  # a header or data file that may not be read
        name = error.filename or path
        raise InputError(f"{name}: cannot be read ({error.strerror}); check its rights") from None


def _read(path: Path, variable: str | None) -> RawScene:
    """The reader the file's first bytes (and neighbours) ask for."""
    head, suffix = read_head(path, folder=True), path.suffix.lower()
    if is_zarr(path):
        return read_zarr(path, variable)
    product = read_product(path, head)
    if product is not None:
        if variable is not None:
            raise InputError(f"variable: {path.name} is no MATLAB or netCDF file; leave it out")
        return product
    if is_mat5(head) or (is_hdf5(head) and suffix not in _OTHER_HDF5):
        return read_mat(path, variable)
    if is_hdf5(head):
        return read_netcdf(path, variable)
    if head.startswith((b"CDF\x01", b"CDF\x02")):
        return read_classic(path, variable)
    if variable is not None:
        raise InputError(f"variable: {path.name} is no MATLAB or netCDF file; leave it out")
    if suffix == ".hdr" or (not is_tiff(head) and find_header(path) is not None):
        return read_envi(path)
    if is_tiff(head):
        return read_tiff(path)
    if suffix in _WRITTEN_AS:
        raise InputError(f"{path.name}: {_WRITTEN_AS[suffix]}")
    raise InputError(f"{path.name}: not a scene format unmix reads; give {FORMATS}")


def as_scene(raw: RawScene, source: str) -> xr.DataArray:
    """Turn what a format's reader found into the scene users see."""
    rows, cols = raw.pixels.shape[:2]
    if raw.affine is not None:
        a, b, _, d, e, _ = raw.affine
        if not _LEAST_AREA < abs(a * e - b * d) < math.inf:
            raise InputError(f"{source}: its georeferencing gives pixels without area; correct it")
    coords: dict[str, Any] = {"good": ("band", raw.bands.good)}
    if raw.bands.wavelength is not None:
        coords["wavelength"] = ("band", raw.bands.wavelength, {"units": "nm"})
    if raw.bands.fwhm is not None:
        coords["fwhm"] = ("band", raw.bands.fwhm, {"units": "nm"})
    coords |= raw.coords | grid_coords(raw.crs_wkt, raw.affine, rows, cols)
    swath: dict[str, Any] = {}
    if raw.swath is not None:  # rows and columns are counted, so that a crop knows where it lies
        coords |= {"line": ("y", np.arange(rows)), "sample": ("x", np.arange(cols))}
        swath = {"swath": raw.swath}
    lazy: Any = indexing.LazilyIndexedArray(raw.pixels)
    lazy = indexing.CopyOnWriteArray(lazy)  # assigning to the scene never touches the file
    attrs = {"source": source, "files": raw.files, **raw.attrs, **swath, "history": raw.history}
    name = Path(source).stem or None
    stored = {"preferred_chunks": {"y": raw.rows_together}} if raw.rows_together > 1 else {}
    scene = xr.DataArray(xr.Variable(("y", "x", "band"), lazy, attrs), coords=coords, name=name)
    scene.encoding = stored
    return scene


def from_array(array: xr.DataArray) -> xr.DataArray:
    """A user's own array as a scene: dimensions in any order, wavelengths in any unit.

    A scene, or a part of one, comes back as it is.

    Raises
    ------
    InputError
        Names that leave open which dimension is y, x and band, or no image.

    >>> own = xr.DataArray(np.ones((2, 3, 4)), dims=("bands", "lat", "lon"))
    >>> from_array(own.assign_coords(bands=[0.5, 2.2])).wavelength.values
    array([ 500., 2200.])
    """
    if is_scene(array):
        return array
    source = str(array.attrs.get("source") or array.encoding.get("source") or "")
    scene = as_scene(raw_array(array), source)
    scene.name = array.name
    if not source:
        del scene.attrs["source"]
    return scene


def geo_of(scene: xr.DataArray) -> tuple[str | None, Affine | None]:
    """CRS as WKT and affine (a, b, c, d, e, f) of a scene or of a crop of it; None where unknown.

    x = a·col + b·row + c and y = d·col + e·row + f at pixel corners, the order of
    `affine.Affine`. Correct after `scene[2:9, 3:7]`, too.
    """
    return grid_of(scene)


def swath_of(scene: xr.DataArray) -> Ortho | None:
    """The map grid of a scene in swath geometry, or of a part cut out of it; None for a map.

    >>> swath_of(xr.DataArray([[[1.0]]], dims=("y", "x", "band"))) is None
    True
    """
    ortho = scene.attrs.get("swath")
    if not isinstance(ortho, Ortho) or not {"line", "sample"} <= set(scene.coords):
        return None
    return ortho.part(np.atleast_1d(scene["line"]), np.atleast_1d(scene["sample"]))


def geo_coords(scene: xr.DataArray) -> dict[str, Any]:
    """Coordinates that put a map of the scene's size (y, x, ...) on the scene's grid.

    >>> geo_coords(xr.DataArray([[[1.0]]], dims=("y", "x", "band")))
    {}
    """
    return grid_coords(*geo_of(scene), scene.sizes["y"], scene.sizes["x"])


def files_of(scene: xr.DataArray) -> list[Path]:
    """Every file that makes the scene (header, data), for hashing; empty if it is not from disk.

    >>> files_of(xr.DataArray([1.0]))
    []
    """
    return [Path(name) for name in scene.attrs.get("files", [])]
