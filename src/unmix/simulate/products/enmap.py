"""A miniature EnMAP product, as `unmix.io.enmap` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.simulate.products.common import Affine, checked, detectors_of, new_folder, write_tiff

__all__ = ["write"]

SCENE = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
NODATA = -32768
GAIN = 1e-4
_LAYERS = {
    "cloud": "QL_QUALITY_CLOUD",
    "cloud_shadow": "QL_QUALITY_CLOUDSHADOW",
    "haze": "QL_QUALITY_HAZE",
    "snow": "QL_QUALITY_SNOW",
    "cirrus": "QL_QUALITY_CIRRUS",
}


def write(
    folder: str | Path,
    cube: ArrayLike,
    wavelength: ArrayLike,
    fwhm: ArrayLike,
    crs: str,
    transform: Affine,
    *,
    detector: ArrayLike | None = None,
    layers: Mapping[str, ArrayLike] | None = None,
    sun_zenith: float = 35.0,
    acquired: str = "2022-07-24T10:45:26.083642Z",
    scene: str = SCENE,
    level: str = "L2A",
) -> Path:
    """Write a cube as an EnMAP product; gives its METADATA.XML.

    The image holds the bands of both detectors by wavelength, as the mission's does, in int16 of
    1e-4 (reflectance), no data −32768.

    Parameters
    ----------
    folder : path-like
        New or empty.
    cube : array_like, shape (rows, columns, band)
        Reflectance; NaN where there is no data.
    wavelength, fwhm : array_like, shape (band,)
        In nm; detector after detector or with `detector`.
    crs : str
    transform : 6-tuple
        (a, b, c, d, e, f) at pixel corners.
    detector : array_like of int, shape (band,), optional
        0 VNIR, 1 SWIR.
    layers : mapping, optional
        `cloud`, `cloud_shadow`, `haze`, `snow`, `cirrus`, `water`: (rows, columns), True where so.
    sun_zenith : float
        Degrees.

    >>> import tempfile
    >>> from unmix.scene import open_scene
    >>> cube = np.full((2, 3, 4), 0.25)
    >>> nm = [880.0, 950.0, 910.0, 990.0]
    >>> where = (30.0, 0.0, 366015.0, 0.0, -30.0, 5807085.0)
    >>> scene = open_scene(write(tempfile.mkdtemp(), cube, nm, 7, "EPSG:32633", where))
    >>> scene.wavelength.values, scene.detector.values, float(scene[0, 0, 0])
    (array([880., 950., 910., 990.]), array([0, 0, 1, 1]), 0.25)
    """
    X, nm, width = checked(cube, wavelength, fwhm)
    part = detectors_of(nm, detector)
    order = np.argsort(nm, kind="stable")
    stored = np.full(X.shape, NODATA, np.int16)
    held = np.isfinite(X)
    stored[held] = np.clip(np.round(X[held] / GAIN), NODATA + 1, 32767)
    stored = stored[..., order]
    with new_folder(folder) as inside:
        write_tiff(inside / f"{scene}-SPECTRAL_IMAGE.TIF", stored, crs, transform, NODATA)
        for name, values in (layers or {}).items():
            flags = np.asarray(values, bool)
            if name == "water":
                ground = (stored != NODATA).any(axis=2)
                flags_ = np.where(ground, np.where(flags, 2, 1), 3)
                path = inside / f"{scene}-QL_QUALITY_CLASSES.TIF"
                write_tiff(path, flags_.astype(np.uint8)[..., None], crs, transform)
            else:
                path = inside / f"{scene}-{_LAYERS[name]}.TIF"
                write_tiff(path, flags.astype(np.uint8)[..., None], crs, transform)
        root = _metadata(stored, nm[order], width[order], part[order], scene, level)
        _angles(root, 90.0 - sun_zenith, acquired)
        indent(root)
        tree = ElementTree(root)
        tree.write(inside / f"{scene}-METADATA.XML", encoding="UTF-8", xml_declaration=True)
    return Path(folder) / f"{scene}-METADATA.XML"


def _metadata(
    stored: NDArray[np.int16],
    nm: NDArray[np.float64],
    width: NDArray[np.float64],
    part: NDArray[np.intp],
    scene: str,
    level: str,
) -> Element:
    """The elements that say what the image's bands are."""
    root = Element("level_X", {"xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"})
    _put(root, "metadata/schema/versionSchema", "00.07.00")
    _put(root, "metadata/name", f"{scene}-METADATA.XML")
    _put(root, "base/level", level)
    for number, name in enumerate(("vnir", "swir")):
        channels = (np.flatnonzero(part == number) + 1).astype(str)
        _put(root, f"specific/numberOf{name.upper()}Bands", len(channels))
        _put(root, f"specific/{name}ProductQuality/numChannelsExpected", len(channels))
        _put(root, f"specific/{name}ProductQuality/expectedChannelsList", ",".join(channels))
    _put(root, "specific/backgroundValue", NODATA)
    table = _put(root, "specific/bandCharacterisation")
    statistics = _put(root, "product/bandStatistics")
    for band in range(len(nm)):
        entry = SubElement(table, "bandID", number=str(band + 1))
        _put(entry, "wavelengthCenterOfBand", f"{nm[band]:.6g}")
        _put(entry, "FWHMOfBand", f"{width[band]:.6g}")
        _put(entry, "GainOfBand", GAIN)
        _put(entry, "OffsetOfBand", 0)
        values = stored[..., band].astype(np.float64)
        entry = SubElement(statistics, "bandID", number=str(band + 1))
        _put(entry, "minimum", values.min())
        _put(entry, "maximum", values.max())
        _put(entry, "mean", values.mean())
        _put(entry, "stdDeviation", values.std())
    return root


def _angles(root: Element, elevation: float, acquired: str) -> None:
    """Sun and time."""
    _put(root, "base/temporalCoverage/startTime", acquired)
    _put(root, "base/temporalCoverage/stopTime", acquired)
    for corner in ("upper_left", "upper_right", "lower_left", "lower_right", "center"):
        _put(root, f"specific/sunElevationAngle/{corner}", elevation).set("unit", "DEG")


def _put(root: Element, path: str, value: object = None) -> Element:
    """The element at `path` below `root`, made where it is not there yet, with `value` as text."""
    element = root
    for tag in path.split("/"):
        child = element.find(tag)
        element = SubElement(element, tag) if child is None else child
    if value is not None:
        element.text = str(value)
    return element
