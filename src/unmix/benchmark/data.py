"""The public data sets a benchmark runs on, read from a folder of the user's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.benchmark.case import Case
from unmix.checks import InputError
from unmix.io.library import read_endmembers
from unmix.io.truth import Truth, read_truth
from unmix.scene import open_scene
from unmix.types import Endmembers

__all__ = [
    "AbsentError",
    "read_jasper",
    "read_samson",
    "read_urban_crop",
    "read_urban_truth",
    "read_usgs",
]

SIDE = 307  # of the full Urban scene
CROP = (slice(0, 80), slice(187, 287))  # of it that urban_162band.mat holds
CROP_SCALE = 1000.0  # stored value of reflectance 1 in the crop

_RSLAB = "published at rslab.ut.ac.ir/data"
_WHERE = {
    "samson": f"samson/ with Samson.mat and Samson_GT.mat, {_RSLAB}",
    "jasper": f"jasper/ with jasperRidge2_R198.mat and Jasper_GT.mat, {_RSLAB}",
    "urban": f"urban/ with end4/5/6_groundTruth.mat, {_RSLAB}, and urban_162band.mat, the 80 x 100 "
    "crop usual in anomaly detection",
    "usgs": "usgs/ with s06av95a_envi.hdr and .sli, USGS splib06a at AVIRIS bands, "
    "doi.org/10.3133/ds231",
}


class AbsentError(Exception):
    """A data set is not in the folder; the message says where it can be had."""


def find(data: Path | None, folder: str, name: str) -> Path:
    """A file of a data set.

    Raises
    ------
    AbsentError
        It is not there.
    """
    where = f"{folder}: left out; needs --data DIR with {_WHERE[folder]}"
    if data is None:
        raise AbsentError(where)
    path = data / folder / name
    if not path.is_file():
        raise AbsentError(f"{where} (no {folder}/{name} in {data})")
    return path


def read_samson(data: Path | None) -> Case:
    """Samson: 95 × 95 pixels, 156 bands; soil, tree, water."""
    return _real("samson", "Samson", data, "Samson.mat", "Samson_GT.mat")


def read_jasper(data: Path | None) -> Case:
    """Jasper Ridge: 100 × 100 pixels, 198 bands; tree, water, dirt, road."""
    return _real("jasper", "Jasper Ridge", data, "jasperRidge2_R198.mat", "Jasper_GT.mat")


def read_urban_truth(data: Path | None, k: int) -> Truth:
    """Published endmembers and abundances (307, 307, K) of the full Urban scene, K = 4, 5, 6."""
    return read_truth(find(data, "urban", f"end{k}_groundTruth.mat"), shape=(SIDE, SIDE))


def read_urban_crop(data: Path | None, k: int) -> Case:
    """The part of Urban whose image is public as such: rows 0-79, columns 187-286."""
    path = find(data, "urban", "urban_162band.mat")
    known = read_urban_truth(data, k)
    X = _pixels(path) / np.float32(CROP_SCALE)
    A = known.abundances[CROP].astype(np.float32)
    return _case(f"urban-{k}", f"Urban-{k} crop", X, A, known, _urban_wavelengths(data))


def read_usgs(data: Path | None, names: tuple[str, ...]) -> Endmembers:
    """Spectra of USGS splib06a by full name, bands sorted by wavelength.

    Raises
    ------
    AbsentError
        The library is not there.
    InputError
        It has no such spectrum, or one with missing bands.
    """
    path = find(data, "usgs", "s06av95a_envi.hdr")
    library = read_endmembers(path)
    missing = [name for name in names if name not in library.names]
    if missing:
        raise InputError(
            f"{path.name}: has no spectrum named {missing[0]!r}; give splib06a, 224 bands"
        )
    rows = [library.names.index(name) for name in names]
    wavelength = library.wavelength
    order = np.arange(library.spectra.shape[1]) if wavelength is None else np.argsort(wavelength)
    spectra = library.spectra[rows][:, order]
    if not np.isfinite(spectra).all():
        raise InputError(
            f"{path.name}: a spectrum of the grid has missing bands; give the original file"
        )
    short = tuple(name.split()[0] for name in names)
    return Endmembers(spectra, None if wavelength is None else wavelength[order], short, path.name)


def _real(name: str, label: str, data: Path | None, scene: str, truth: str) -> Case:
    X = _pixels(find(data, name, scene))
    known = read_truth(find(data, name, truth), shape=X.shape[:2])
    return _case(name, label, X, known.abundances.astype(np.float32), known, None)


def _case(
    name: str,
    label: str,
    X: NDArray[np.float32],
    A: NDArray[np.float32],
    known: Truth,
    wavelength: NDArray[np.float64] | None,
) -> Case:
    if known.endmembers is None or known.endmembers.shape[1] != X.shape[-1]:
        raise InputError(f"{name}: the truth has no spectra on the scene's {X.shape[-1]} bands")
    return Case(name, label, X, A, known.endmembers, known.names, wavelength)


def _pixels(path: Path) -> NDArray[np.float32]:
    X = np.asarray(open_scene(path).values, np.float32)
    if not np.isfinite(X).all():
        raise InputError(f"{path.name}: has missing values; give the published file")
    return X


def _urban_wavelengths(data: Path | None) -> NDArray[np.float64] | None:
    """Wavelengths of the 162 bands kept of 210, where wavelengths_urban.csv tells them."""
    path = None if data is None else data / "urban" / "wavelengths_urban.csv"
    if path is None or not path.is_file():
        return None
    table = np.genfromtxt(path, delimiter=",", names=True)
    if not {"wavelength_nm", "kept_in_R162"} <= set(table.dtype.names or ()):
        return None
    return np.asarray(table["wavelength_nm"][table["kept_in_R162"] == 1], np.float64)
