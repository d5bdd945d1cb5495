"""Simulated scenes as files: MATLAB .mat, GeoTIFF, and the truth in either.

Files are written under a temporary name beside the target and renamed when complete.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from unmix.checks import InputError, check_option
from unmix.io.georef import crs_wkt

if TYPE_CHECKING:
    from unmix.simulate.scene import Simulation
    from unmix.types import Endmembers

__all__ = ["check_crs", "check_files", "truth_of", "write_geotiff", "write_mat", "write_truth"]

DEFAULT_CRS = "EPSG:32650"
DEFAULT_TRANSFORM = (30.0, 0.0, 400_000.0, 0.0, -30.0, 4_500_000.0)
INT16_SCALE = 10_000
INT16_NODATA = -9999
MOST_BYTES = 2**32 - 2**16
HEADER = b"MATLAB 5.0 MAT-file, written by unmix"

Affine6 = tuple[float, float, float, float, float, float]


def write_mat(simulation: Simulation, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a MATLAB v5 file that MATLAB, Octave and `unmix` read; same scene, same bytes.

    Variables: `hyperspectral_cube` (rows, cols, bands), `abundance_cube` (rows, cols, K),
    `mineral_names` (cell, 1 × K), `spectra_library` (K, bands), `wavelengths` (1, bands) in nm
    where known, `SNR_dB`, `mixing_model`; then the struct `parameters` (seed, field, the model's
    constants, noise, brightness and variability as drawn) and, for a scene that has a place, `crs`
    and `transform` (a, b, c, d, e, f).

    Raises
    ------
    InputError
        The file is there and `overwrite` is False, its folder is not, or it cannot be written; a
        cube of more than the 4 GB that the format holds.
    """
    if simulation.cube.nbytes >= MOST_BYTES:
        raise InputError(f"{path}: more than 4 GB, too large for MATLAB v5; write a .tif instead")
    content = {
        "hyperspectral_cube": simulation.cube,
        **_truth(simulation),
        "SNR_dB": float(simulation.snr),
        "mixing_model": simulation.model,
        "parameters": _parameters(simulation),
    }
    if simulation.crs is not None:
        content["crs"] = check_crs(simulation.crs)
    if simulation.transform is not None:
        content["transform"] = np.asarray(simulation.transform, float)[None]
    return _replacing({Path(path): lambda part: _savemat(part, content)}, overwrite)[0]


def write_truth(simulation: Simulation, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the abundances: a GeoTIFF with the members as band names, or a .mat, by suffix.

    Raises
    ------
    InputError
        As `write_mat`; the suffix is neither .tif nor .mat.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".mat", ".tif", ".tiff"):
        raise InputError(f"{path}: suffix {suffix!r}; give a name that ends in .tif or .mat")
    if suffix == ".mat":
        content = _truth(simulation)
        return _replacing({Path(path): lambda part: _savemat(part, content)}, overwrite)[0]
    return _replacing({Path(path): _truth_writer(simulation, None, None)}, overwrite)[0]


def write_geotiff(
    simulation: Simulation,
    path: str | Path,
    crs: str | None = None,
    transform: Affine6 | None = None,
    *,
    dtype: str = "float32",
    truth: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write the scene as a GeoTIFF whose bands carry `wavelength` and `fwhm` in nm.

    Parameters
    ----------
    crs, transform : optional
        Where the scene lies, by default where the simulation says, or else in UTM zone 50 N.
    dtype : {"float32", "int16"}
        Reflectance with NaN for no data, or reflectance × 10 000 with -9999 and scale 0.0001.
    truth : bool
        Write the abundances beside it, as `<name>_truth.tif`; both files or none.

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
    bands, path = _band_tags(simulation.endmembers), Path(path)
    writers = {path: _raster_writer(cube, nodata, *_place(simulation, crs, transform), bands)}
    if truth:
        writers[truth_of(path)] = _truth_writer(simulation, crs, transform)
    return _replacing(writers, overwrite)[0]


def truth_of(path: Path) -> Path:
    """Where the truth of a GeoTIFF goes.

    >>> truth_of(Path("a/scene.tif")).name
    'scene_truth.tif'
    """
    return path.with_name(f"{path.stem}_truth{path.suffix}")


def check_crs(crs: str) -> str:
    """A coordinate reference system that is one: an EPSG code, WKT or PROJ text.

    >>> check_crs("EPSG:32650")
    'EPSG:32650'
    """
    if crs_wkt(crs) is None:
        raise InputError(f"crs: got {crs!r:.80}; give one such as 'EPSG:32650'")
    return crs


def check_files(path: Path, overwrite: bool = False) -> None:
    """`InputError` where a scene cannot go to `path`, or its truth beside it; before the work."""
    _check_targets([path] if path.suffix.lower() == ".mat" else [path, truth_of(path)], overwrite)


def _check_targets(paths: Iterable[Path], overwrite: bool) -> None:
    for path in paths:
        try:
            if path.exists() and not overwrite:
                raise InputError(f"{path}: is there already; choose another name or --overwrite")
            if path.is_dir() or not path.parent.is_dir():
                raise InputError(f"{path}: not a file in an existing folder; make the folder first")
        except OSError as error:
            raise InputError(f"{path.name:.60}: cannot be a file ({error.strerror})") from None


def _parameters(simulation: Simulation) -> dict[str, Any]:
    """How the scene was made, as MATLAB has it: counted from 1, one a pixel in single."""
    found: dict[str, Any] = dict(simulation.parameters)
    for name, value in found.items():
        if isinstance(value, np.ndarray):
            found[name] = (
                value.astype(np.float32) if value.ndim > 2 or value.size > 10**4 else value
            )
            found[name] = np.atleast_2d(found[name])
    varied = simulation.variability
    if simulation.brightness is not None:
        found["brightness"] = simulation.brightness
    if varied.scale is not None:
        found["scale"] = varied.scale
    if varied.bundles is not None and varied.index is not None:
        found["bundles"] = np.empty((1, len(varied.bundles)), object)
        found["bundles"][0, :] = varied.bundles
        found["bundle_index"] = varied.index + 1
    return found


def _truth_writer(
    simulation: Simulation, crs: str | None, transform: Affine6 | None
) -> Callable[[Path], None]:
    bands: list[tuple[str, dict[str, str]]] = [(name, {}) for name in simulation.endmembers.names]
    maps = simulation.abundances.astype(np.float32)
    return _raster_writer(maps, np.nan, *_place(simulation, crs, transform), bands)


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
    with path.open("w+b") as file:
        savemat(file, content, long_field_names=True)  # noise does not compress
        file.seek(0)
        file.write(HEADER.ljust(116))  # in place of one with the time of day


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

    rows, cols, count = cube.shape
    place = {
        "crs": rasterio.crs.CRS.from_user_input(check_crs(crs)),
        "transform": rasterio.Affine(*transform[:6]),
    }

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


def _replacing(files: dict[Path, Callable[[Path], None]], overwrite: bool) -> list[Path]:
    """Write each beside its target, then rename all; an interrupted run leaves nothing behind."""
    _check_targets(files, overwrite)
    parts = {path.with_name(f".{os.getpid()}.{path.name}"): path for path in files}
    try:
        for part, path in parts.items():
            files[path](part)
        for part, path in parts.items():
            part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return list(files)
