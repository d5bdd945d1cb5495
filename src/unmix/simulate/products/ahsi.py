"""A miniature AHSI product of level 1 (GF-5, GF-5B, ZY1-02D), as `unmix.io.ahsi` reads it."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import check_option
from unmix.simulate.products.common import (
    Affine,
    checked,
    detectors_of,
    lonlat_of,
    new_folder,
    write_tiff,
)
from unmix.simulate.products.rpb import fit_rpc, write_rpb

__all__ = ["write"]

SCENE = "AHSI_E110.5_N37.2_20220615_004094_L10000182401"
MISSIONS = ("GF5", "GF5B", "ZY1E")
_PARTS = (("VN", "VNIR"), ("SW", "SWIR"))


def write(
    folder: str | Path,
    cube: ArrayLike,
    wavelength: ArrayLike,
    fwhm: ArrayLike,
    crs: str,
    transform: Affine,
    *,
    detector: ArrayLike | None = None,
    mission: str = "GF5B",
    placed: str = "rpc",
    sun_zenith: float = 25.0,
    acquired: str = "2022-06-15 12:04:11.528",
    scene: str = SCENE,
) -> Path:
    """Write a cube of radiance as an AHSI product; gives the image to open.

    "GF5B" and "ZY1E" are written as a pair of images, "GF5" as one .geotiff with its own names of
    tables. Numbers are uint16, 0 in every band where there is no data; gains and offsets differ
    from band to band.

    Parameters
    ----------
    folder : path-like
        New or empty.
    cube : array_like, shape (rows, columns, band)
        Radiance in W m⁻² sr⁻¹ µm⁻¹; NaN where there is no data.
    wavelength, fwhm : array_like, shape (band,)
        In nm; VNIR and then SWIR, or with `detector`.
    crs, transform : str, 6-tuple
        The grid (a, b, c, d, e, f) of the cube.
    mission : {"GF5", "GF5B", "ZY1E"}
    placed : {"rpc", "grid"}
        "rpc": images in the sensor's geometry, as delivered, with .rpb files fitted to the grid;
        "grid": images on the grid, as after orthorectification.

    >>> import tempfile
    >>> from unmix.scene import open_scene
    >>> cube, nm = np.full((2, 3, 4), 40.0), [560.0, 1020.0, 1010.0, 2200.0]
    >>> where = (30.0, 0.0, 366015.0, 0.0, -30.0, 5807085.0)
    >>> scene = open_scene(write(tempfile.mkdtemp(), cube, nm, 8, "EPSG:32633", where))
    >>> scene.attrs["sensor"], scene.detector.values, scene[0, 0].values.round(1)
    ('GF-5B AHSI', array([0, 0, 1, 1]), array([40., 40., 40., 40.], dtype=float32))
    """
    check_option(mission, MISSIONS, "mission")
    check_option(placed, ("rpc", "grid"), "placed")
    X, nm, width = checked(cube, wavelength, fwhm)
    part = detectors_of(nm, detector)
    gain, offset = 0.02 + 1e-4 * np.arange(len(nm)), 0.25 - 1e-3 * np.arange(len(nm))
    stored = np.clip(np.round((np.nan_to_num(X) - offset) / gain), 1, 65535).astype(np.uint16)
    stored[np.isnan(X).all(axis=2)] = 0
    name = f"{mission}_{scene}"
    with new_folder(folder) as inside:
        images = _images(inside, name, stored, part, mission)
        for path, values in images:
            grid = (crs, transform) if placed == "grid" else (None, None)
            write_tiff(path, values, *grid)
            if placed == "rpc":
                model = fit_rpc(*lonlat_of(crs, transform, X.shape[:2]))
                write_rpb(path.with_suffix(".rpb"), model)
        for number, (_, long) in enumerate(_PARTS):
            mine = part == number
            _tables(inside, mission, long, gain[mine], offset[mine], nm[mine], width[mine])
        xml = inside / f"{name}{'.xml' if mission == 'GF5' else '.meta.xml'}"
        _metadata(xml, mission, X.shape[:2], sun_zenith, acquired)
    return Path(folder) / images[0][0].name


def _images(
    folder: Path, name: str, stored: NDArray[np.uint16], part: NDArray[np.intp], mission: str
) -> list[tuple[Path, NDArray[np.uint16]]]:
    """The images' paths and numbers."""
    split = [stored[..., part == number] for number in (0, 1)]
    if mission == "GF5":
        return [(folder / f"{name}.geotiff", np.concatenate(split, axis=2))]
    return [
        (folder / f"{name}_{short}.tif", values)
        for (short, _), values in zip(_PARTS, split, strict=True)
    ]


def _tables(
    folder: Path,
    mission: str,
    detector: str,
    gain: NDArray[np.float64],
    offset: NDArray[np.float64],
    nm: NDArray[np.float64],
    width: NDArray[np.float64],
) -> None:
    """Gains and offsets; centres and widths."""
    separator = "\t" if mission == "GF5" else ","
    for kind, columns in (("RadCal", (gain, offset)), ("Spectralresponse", (nm, width))):
        kinds = f"{detector}_{kind}" if mission == "GF5" else f"{kind}_{detector}"
        lines = (separator.join(f"{v:.9g}" for v in row) for row in zip(*columns, strict=True))
        (folder / f"{mission}_AHSI_{kinds}.raw").write_text("\n".join(lines) + "\n")


def _metadata(
    path: Path, mission: str, shape: tuple[int, int], sun_zenith: float, acquired: str
) -> None:
    """The XML's elements that are known to be there."""
    root = Element("ProductMetaData")
    values: dict[str, object] = {"SatelliteID": mission, "SensorID": "AHSI", "StartTime": acquired}
    values |= {"ProductLevel": "LEVEL1", "LinesInPixels": shape[0], "SamplesInPixels": shape[1]}
    values |= {"SolarZenith": sun_zenith, "SolarAzimuth": 130.0, "SatelliteZenith": 0.0}
    for tag, value in values.items():
        SubElement(root, tag).text = str(value)
    indent(root)
    ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)
