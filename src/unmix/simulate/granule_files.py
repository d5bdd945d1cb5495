"""A granule as a user would have it: ENVI scene, regions to take endmembers from, and the truth."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.simulated import INT16_NODATA, INT16_SCALE, write_truth
from unmix.simulate.granule import Granule

__all__ = ["FILES", "check_granule_folder", "pure_polygons", "write_granule"]

FILES = ("scene.hdr", "scene.img", "rois.gpkg", "truth.tif", "endmembers.csv")
_PURE = 0.97  # least abundance in a region
_EVEN = (0.05, 0.1, 0.2, np.inf)  # of the usual brightness: regions lie on ordinarily lit ground
_CORNERS, _LARGEST, _LEAST = 12, 6.0, 1.5  # of a region's outline; radii in pixels
_EACH = 3  # regions a class, at most
_SAFE = 1.2  # pixels between a region's outline and the pixels that do not belong


def check_granule_folder(out: str | Path, overwrite: bool = False) -> Path:
    """Absolute path of a folder that a granule may go to; call it before the work starts.

    Raises
    ------
    InputError
        A file, a folder that holds other things, an earlier granule without `overwrite`.
    """
    place = Path(out).expanduser().absolute()
    if place.exists():
        if not place.is_dir():
            raise InputError(f"out: {out} is a file; a granule needs a folder")
        present = {p.name for p in place.iterdir()}
        if present - {*FILES, "truth.tif.aux.xml"}:
            other = min(present - {*FILES, "truth.tif.aux.xml"})
            raise InputError(f"out: {out} holds {other!r}, no granule; choose another folder")
        if present and not overwrite:
            raise InputError(f"out: {out} exists; give --overwrite to replace it")
    above = next(p for p in place.parents if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"out: cannot write in {above}; choose another folder")
    return place


def write_granule(made: Granule, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write `FILES` into the folder `out`; all or nothing.

    `scene.hdr` with `scene.img` (int16, reflectance × 10 000, −9999 outside the swath, the declared
    bad bands in `bbl`), `rois.gpkg` (polygons on nearly pure ground, their class in `class`),
    `truth.tif` (abundances) and `endmembers.csv` (the spectra mixed).

    Raises
    ------
    InputError
        As `check_granule_folder`; no space, or no right to write.
    """
    from unmix.io.library import write_csv

    place = check_granule_folder(out, overwrite)
    work = place.parent / f".unmix-{secrets.token_hex(6)}"
    above = [p for p in place.parents if not p.exists()]
    try:
        work.mkdir(parents=True)
        _write_envi(made, work)
        _write_regions(made, work / "rois.gpkg")
        write_truth(made.scene, work / "truth.tif")
        write_csv(made.scene.endmembers, work / "endmembers.csv")
        if place.exists():
            shutil.rmtree(place)
        work.rename(place)
    except OSError as error:
        raise InputError(f"out: cannot write {out} ({error.strerror or error})") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for folder in above:
            with suppress(OSError):
                folder.rmdir()
    return place


def _write_envi(made: Granule, folder: Path) -> None:
    from unmix.io.georef import crs_wkt

    scene, members = made.scene, made.scene.endmembers
    rows, cols, n_bands = scene.cube.shape
    with (folder / "scene.img").open("wb") as file:  # BIL, a line at a time
        for line in scene.cube:
            stored = np.clip(np.rint(line * INT16_SCALE), INT16_NODATA + 1, 32767)
            stored = np.where(np.isnan(line), INT16_NODATA, stored).astype("<i2")
            file.write(np.ascontiguousarray(stored.T).tobytes())
    assert scene.transform is not None and scene.crs is not None
    a, _, x, _, e, y = scene.transform
    zone = int(scene.crs.rsplit(":", 1)[1]) % 100
    lists: dict[str, Any] = {
        "wavelength": members.wavelength,
        "fwhm": members.fwhm,
        "bbl": (~made.declared).astype(int),
    }
    lines = [
        "ENVI",
        "description = {Simulated granule of a GF-5-like sensor, reflectance x 10000}",
        f"samples = {cols}", f"lines = {rows}", f"bands = {n_bands}",
        "header offset = 0", "file type = ENVI Standard", "data type = 2",
        "interleave = bil", "byte order = 0", "sensor type = simulated AHSI",
        f"data ignore value = {INT16_NODATA}", f"reflectance scale factor = {INT16_SCALE}",
        f"map info = {{UTM, 1, 1, {x}, {y}, {a}, {-e}, {zone}, North, WGS-84, units=Meters}}",
        f"coordinate system string = {{{crs_wkt(scene.crs)}}}",
        "wavelength units = Nanometers",
    ]  # fmt: skip
    lines += [f"{name} = {{{', '.join(f'{v:g}' for v in values)}}}"
              for name, values in lists.items()]  # fmt: skip
    (folder / "scene.hdr").write_text("\n".join(lines) + "\n")


def _write_regions(made: Granule, path: Path) -> None:
    from unmix.io.vector import write_polygons

    polygons, names = pure_polygons(made)
    assert made.scene.crs is not None
    write_polygons(path, polygons, {"class": names}, made.scene.crs)


def pure_polygons(made: Granule) -> tuple[list[Any], list[str]]:
    """Polygons on the map round pixels that hold one material, and its name: up to three each.

    As a geologist would draw them: within an outcrop, away from its edge, on ordinarily lit ground.
    A material without such ground takes the purest that there is.
    """
    from shapely.geometry import Polygon

    scene = made.scene
    assert scene.transform is not None and scene.brightness is not None
    a, b, c, d, e, f = scene.transform
    usual = float(np.median(scene.brightness[np.isfinite(scene.abundances[..., 0])]))
    off = np.abs(scene.brightness - usual) / usual
    turn = 2 * np.pi * (np.arange(_CORNERS) + 0.5) / _CORNERS
    polygons, names = [], []
    for k, name in enumerate(scene.endmembers.names):
        for row, col, radius in _discs(scene.abundances[..., k], off):
            x, y = col + 0.5 + radius * np.cos(turn), row + 0.5 + radius * np.sin(turn)
            polygons.append(Polygon(np.column_stack([a * x + b * y + c, d * x + e * y + f])))
            names.append(name)
    return polygons, names


def _discs(share: NDArray[np.floating], off: NDArray[np.floating]) -> list[tuple[int, int, float]]:
    """Row, column and radius of discs within pure ground, the largest first."""
    from scipy.ndimage import distance_transform_edt

    y, x = np.mgrid[: share.shape[0], : share.shape[1]]
    pure = np.nan_to_num(share) > min(_PURE, float(np.nanmax(share)) - 0.01)
    found: list[tuple[int, int, float]] = []
    for most in _EVEN:
        good = pure & (off < most)
        while len(found) < _EACH:
            depth = distance_transform_edt(np.pad(good, 1))[1:-1, 1:-1] - _SAFE
            row, col = np.unravel_index(depth.argmax(), depth.shape)
            radius = min(float(depth[row, col]), _LARGEST)
            if radius < _LEAST and most < np.inf:
                break
            found.append((int(row), int(col), max(radius, _LEAST)))
            good &= np.hypot(y - row, x - col) > 2 * radius + 2
        if found:
            break
    return found
