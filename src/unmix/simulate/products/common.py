"""What the writers of miniature products share: checks, a folder made whole, detectors."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError

__all__ = ["Affine", "checked", "detectors_of", "lonlat_of", "new_folder", "write_tiff"]

Affine = tuple[float, float, float, float, float, float]


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """A folder to write in that gets the name `folder` only when everything is written.

    Raises
    ------
    InputError
        `folder` is there and is not empty, or cannot be made.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"folder: {target} exists and is not an empty folder; choose another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise InputError(f"folder: cannot write {target} ({error.strerror})") from None
    try:
        yield partial
        if target.exists():
            target.rmdir()
        partial.chmod(0o755)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def checked(
    cube: ArrayLike, wavelength: ArrayLike, fwhm: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Cube (rows, columns, band), centres and widths (band,) in nm, as float64.

    Raises
    ------
    InputError
        Shapes that do not fit each other.
    """
    X, nm = np.asarray(cube, np.float64), np.asarray(wavelength, np.float64)
    width = np.broadcast_to(np.asarray(fwhm, np.float64), nm.shape).copy()
    if X.ndim != 3 or nm.shape != X.shape[2:]:
        raise InputError(
            f"cube: shape {X.shape} with {nm.size} wavelengths; give (rows, columns, band) and "
            "one wavelength a band"
        )
    return X, nm, width


def detectors_of(wavelength: NDArray[np.float64], detector: ArrayLike | None) -> NDArray[np.intp]:
    """Which detector each band is from, 0 VNIR and 1 SWIR: as given, else by the step back.

    Without a step back, bands from 1000 nm on are SWIR.

    >>> detectors_of(np.array([900.0, 950.0, 930.0, 980.0]), None)
    array([0, 0, 1, 1])
    """
    if detector is not None:
        found = np.asarray(detector)
        if found.shape != wavelength.shape or not np.isin(found, (0, 1)).all():
            raise InputError("detector: give 0 (VNIR) or 1 (SWIR) for every band")
        return found.astype(np.intp)
    back = np.flatnonzero(np.diff(wavelength) < 0)
    if len(back) == 1:
        return (np.arange(len(wavelength)) > back[0]).astype(np.intp)
    return (wavelength >= 1000.0).astype(np.intp)


def lonlat_of(
    crs: str, transform: Affine, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude (rows, columns) of a grid's pixel centres, in degrees (WGS 84).

    >>> lon, lat = lonlat_of("EPSG:4326", (0.5, 0.0, 10.0, 0.0, -0.5, 50.0), (1, 2))
    >>> lon.tolist(), lat.tolist()
    ([[10.25, 10.75]], [[49.75, 49.75]])
    """
    from rasterio.warp import transform as warp

    a, b, c, d, e, f = transform
    rows, cols = (k + 0.5 for k in np.indices(shape))
    x, y = a * cols + b * rows + c, d * cols + e * rows + f
    lon, lat = warp(crs, "EPSG:4326", x.ravel(), y.ravel())
    return np.reshape(lon, shape), np.reshape(lat, shape)


def write_tiff(
    path: Path,
    bands: NDArray[np.generic],
    crs: str | None,
    transform: Affine | None,
    nodata: int | None = None,
) -> None:
    """A deflated GeoTIFF of (rows, columns, band); without a grid, a plain TIFF."""
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    rows, cols, count = bands.shape
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": count}
    profile |= {"dtype": bands.dtype, "nodata": nodata, "compress": "deflate"}
    if transform is not None:
        profile |= {"crs": crs, "transform": rasterio.Affine(*transform)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as file:
            file.write(bands.transpose(2, 0, 1))
