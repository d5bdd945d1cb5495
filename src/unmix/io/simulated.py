"""Simulated scenes as files: MATLAB .mat, GeoTIFF, and the truth in either.

Files are written under a temporary name beside the target and renamed when complete.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from unmix.checks import InputError, check_option

if TYPE_CHECKING:
    from unmix.simulate.scene import Simulation
    from unmix.types import Endmembers

__all__ = ["write_geotiff", "write_mat", "write_truth"]

DEFAULT_CRS = "EPSG:32650"
DEFAULT_TRANSFORM = (30.0, 0.0, 400_000.0, 0.0, -30.0, 4_500_000.0)
INT16_SCALE = 10_000
INT16_NODATA = -9999

Affine6 = tuple[float, float, float, float, float, float]


def write_mat(simulation: Simulation, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a MATLAB v5 file that MATLAB, Octave and `unmix` read.

    Variables: `hyperspectral_cube` (rows, cols, bands), `abundance_cube` (rows, cols, K),
    `mineral_names` (cell, 1 × K), `spectra_library` (K, bands), `wavelengths` (1, bands) in nm
    where known, `SNR_dB`, `mixing_model`.

    Raises
    ------
    InputError
        The file is there and `overwrite` is False, its folder is not, or it cannot be written.
    """
    content = {
        "hyperspectral_cube": simulation.cube,
        **_truth(simulation),
        "SNR_dB": float(simulation.snr),
        "mixing_model": simulation.model,
    }
    return _replacing(path, overwrite, lambda part: _savemat(part, content))


def write_truth(simulation: Simulation, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the abundances: a GeoTIFF with the members as band names, or a .mat, by suffix.

    Raises
    ------
    InputError
        As `write_mat`; the suffix is neither .tif nor .mat.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".mat":
        return _replacing(path, overwrite, lambda part: _savemat(part, _truth(simulation)))
    if suffix not in (".tif", ".tiff"):
        raise InputError(f"{path}: suffix {suffix!r}; give a name that ends in .tif or .mat")
    bands: list[tuple[str, dict[str, str]]] = [(name, {}) for name in simulation.endmembers.names]
    cube = simulation.abundances
    crs, transform = _place(simulation, None, None)
    write = _raster_writer(cube.astype(np.float32), np.nan, crs, transform, bands)
    return _replacing(path, overwrite, write)


def write_geotiff(
    simulation: Simulation,
    path: str | Path,
    crs: str | None = None,
    transform: Affine6 | None = None,
    *,
    dtype: str = "float32",
    overwrite: bool = False,
) -> Path:
    """Write the scene as a GeoTIFF whose bands carry `wavelength` and `fwhm` in nm.

    Parameters
    ----------
    crs, transform : optional
        Where the scene lies, by default where the simulation says, or else in UTM zone 50 N.
    dtype : {"float32", "int16"}
        Reflectance with NaN for no data, or reflectance × 10 000 with -9999 and scale 0.0001.

    Raises
    ------
    InputError
        As `write_mat`; an unknown `dtype` or `crs`.
    """
    cube: NDArray[Any] = simulation.cube
    nodata: float = np.nan
    if check_option(dtype, ("float32", "int16"), "dtype") == "int16":
        limits = np.iinfo(np.int16)
        counts = np.clip(np.rint(cube * INT16_SCALE), INT16_NODATA + 1, limits.max)
        cube = np.where(np.isnan(cube), INT16_NODATA, counts).astype(np.int16)
        nodata = INT16_NODATA
    place = _place(simulation, crs, transform)
    bands = _band_tags(simulation.endmembers)
    return _replacing(path, overwrite, _raster_writer(cube, nodata, *place, bands))


def _truth(simulation: Simulation) -> dict[str, Any]:
    members = simulation.endmembers
    names = np.empty((1, len(members)), dtype=object)
    names[0, :] = list(members.names)
    content = {
        "abundance_cube": simulation.abundances,
        "mineral_names": names,
        "spectra_library": np.asarray(members.spectra, float),
    }
    if members.wavelength is not None:
        content["wavelengths"] = np.asarray(members.wavelength, float)[None]
    return content


def _savemat(path: Path, content: dict[str, Any]) -> None:
    with path.open("wb") as file:
        savemat(file, content, do_compression=True)


def _band_tags(members: Endmembers) -> list[tuple[str, dict[str, str]]]:
    """Description and tags of each band, in the form that ENVI files get through GDAL."""
    bands: list[tuple[str, dict[str, str]]] = []
    for band in range(members.spectra.shape[1]):
        if members.wavelength is None:
            bands.append((f"band {band + 1}", {}))
            continue
        centre = f"{members.wavelength[band]:g}"
        tags = {"wavelength": centre, "wavelength_units": "Nanometers"}
        if members.fwhm is not None:
            tags["fwhm"] = f"{members.fwhm[band]:g}"
        bands.append((f"band {band + 1} ({centre} Nanometers)", tags))
    return bands


def _place(
    simulation: Simulation, crs: str | None, transform: Affine6 | None
) -> tuple[str, Affine6]:
    return (
        crs or simulation.crs or DEFAULT_CRS,
        transform or simulation.transform or DEFAULT_TRANSFORM,
    )


def _raster_writer(
    cube: NDArray[Any],
    nodata: float,
    crs: str,
    transform: Affine6,
    bands: list[tuple[str, dict[str, str]]],
) -> Callable[[Path], None]:
    """A function that writes the GeoTIFF to the path it is given."""
    import rasterio
    from rasterio.errors import CRSError

    rows, cols, count = cube.shape
    try:
        place = {
            "crs": rasterio.crs.CRS.from_user_input(crs),
            "transform": rasterio.Affine(*transform[:6]),
        }
    except (CRSError, ValueError):
        raise InputError(f"crs: got {crs!r}; give one such as 'EPSG:32650'") from None

    def write(path: Path) -> None:
        shape = {"height": rows, "width": cols, "count": count, "dtype": cube.dtype, **place}
        packing = {"compress": "deflate", "interleave": "band", "nodata": nodata}
        with rasterio.MemoryFile() as memory:  # GDAL does not say when a disk is full
            with memory.open(driver="GTiff", **shape, **packing) as file:
                file.write(np.moveaxis(cube, -1, 0))
                if cube.dtype == np.int16:
                    file.scales = (1.0 / INT16_SCALE,) * count
                for number, (name, tags) in enumerate(bands, start=1):
                    file.set_band_description(number, name)
                    file.update_tags(number, **tags)
            path.write_bytes(memory.read())

    return write


def _replacing(path: str | Path, overwrite: bool, write: Callable[[Path], None]) -> Path:
    """Write beside `path`, then rename; an interrupted run leaves no half file behind."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path}: is there already; choose another name or allow overwriting")
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path}: not a file in an existing folder; make the folder first")
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(part)
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)
    return path
