"""The library and the scene that ship with the package: nothing to download."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.io.library import read_endmembers
from unmix.io.simulated import write_geotiff, write_truth
from unmix.resample import resample
from unmix.simulate.scene import Simulation, simulate
from unmix.types import Endmembers

__all__ = ["builtin_library", "demo_scene", "write_demo_scene"]

MEMBERS = ("Alunite", "Kaolinite", "Goethite", "Calcite", "Green grass")
SIZE = (120, 160)
SNR = 30.0
BRIGHTNESS = (0.6, 1.1)
CRS = "EPSG:32650"
TRANSFORM = (30.0, 0.0, 412_335.0, 0.0, -30.0, 4_528_965.0)


def builtin_library() -> Endmembers:
    """The spectral library that ships with the package: 24 measured minerals, plants and surfaces.

    400-2490 nm, 10 nm apart; data/PROVENANCE.md says where each comes from. Urban materials and
    soil have no values in the water-vapour bands.

    >>> library = builtin_library()
    >>> library.spectra.shape, "Kaolinite" in library.names
    ((24, 210), True)
    """
    with as_file(files("unmix") / "data" / "library.csv") as path:
        found = read_endmembers(path)
    width = np.full(found.spectra.shape[1], 10.0)
    return Endmembers(found.spectra, found.wavelength, found.names, "built-in library", width)


def demo_scene(seed: int = 0) -> Simulation:
    """The demonstration: a hydrothermal alteration zone seen by an EnMAP-like sensor.

    Alunite, kaolinite, goethite, calcite and green grass, mixed linearly under terrain brightness
    0.6-1.1, 120 × 160 pixels of 30 m, noise of 30 dB that grows towards the ends of the two
    detectors, and a wedge without data where the swath ends. Band centres repeat between 900 and
    1000 nm, where the detectors overlap, and leave out the water-vapour bands.

    >>> scene = demo_scene()
    >>> scene.cube.shape, scene.endmembers.names, scene.crs
    ((120, 160, 198), ('Alunite', 'Kaolinite', 'Goethite', 'Calcite', 'Green grass'), 'EPSG:32650')
    """
    library = builtin_library()
    rows = [library.names.index(name) for name in MEMBERS]
    chosen = replace(library, spectra=library.spectra[rows], names=MEMBERS)
    wavelength, fwhm, noise = _sensor()
    scene = simulate(
        resample(chosen, wavelength, fwhm),
        snr=SNR,
        size=SIZE,
        seed=seed,
        brightness=BRIGHTNESS,
        noise_profile=noise,
    )
    outside = _wedge(scene.abundances)[..., None]
    return replace(
        scene,
        cube=np.where(outside, np.float32(np.nan), scene.cube),
        abundances=np.where(outside, np.float32(np.nan), scene.abundances),
        crs=CRS,
        transform=TRANSFORM,
    )


def write_demo_scene(
    path: str | Path, *, seed: int = 0, overwrite: bool = False
) -> tuple[Path, Path]:
    """Write the demonstration as `path` (GeoTIFF, int16 × 10 000) and its truth beside it.

    Returns the two paths: the scene and `<name>_truth.tif`, abundances with the materials as band
    names.

    Raises
    ------
    InputError
        A file is there already and `overwrite` is False, or the folder is not.
    """
    path = Path(path)
    truth = path.with_name(f"{path.stem}_truth.tif")
    scene = demo_scene(seed)
    write_geotiff(scene, path, dtype="int16", overwrite=overwrite)
    return path, write_truth(scene, truth, overwrite=overwrite)


def _sensor() -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Band centres, FWHM and relative noise of a VNIR and a SWIR detector that overlap."""
    vnir, swir = np.arange(420.0, 1000.0, 6.5), np.arange(902.0, 2451.0, 12.0)
    dry = ~(((swir > 1345) & (swir < 1440)) | ((swir > 1795) & (swir < 1960)))
    centres = np.concatenate([vnir, swir[dry]])
    fwhm = np.concatenate([np.full(vnir.size, 8.0), np.full(dry.sum(), 12.5)])
    noise = np.concatenate([_bathtub(vnir), _bathtub(swir)[dry]])
    return centres, fwhm, noise


def _bathtub(centres: NDArray[np.floating]) -> NDArray[np.floating]:
    """Relative noise 1 in the middle of a detector, 3 at its ends."""
    u = np.linspace(-1.0, 1.0, centres.size)
    return 1.0 + 2.0 * u**6


def _wedge(abundances: NDArray[np.floating]) -> NDArray[np.bool_]:
    """The corner beyond a slanted swath edge, of the four the one that spares pure pixels best."""
    rows, cols = abundances.shape[:2]
    row, col = np.mgrid[:rows, :cols]
    wedge = col / cols > 0.85 + 0.45 * row / rows
    corners = (wedge, wedge[:, ::-1], wedge[::-1], wedge[::-1, ::-1])
    return max(corners, key=lambda outside: float(abundances[~outside].max(axis=0).min()))
