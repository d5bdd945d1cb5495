"""EnMAP products of level L2A (surface reflectance) and L1C (radiance at the sensor).

A product is a folder of files `<scene>-<what>`: SPECTRAL_IMAGE.TIF (224 bands, int16), METADATA.XML
and the QL_QUALITY_* layers, each also under the name `*_COG.TIF`; instead of a TIFF the image may
be .BSQ, .BIL or .BIP with an ENVI header. What is read of them:

- `specific/bandCharacterisation/bandID[@number]`: wavelengthCenterOfBand, FWHMOfBand (nm),
  GainOfBand, OffsetOfBand with value = stored · gain + offset (L2A: reflectance, gain 1e-4; L1C:
  W m⁻² sr⁻¹ nm⁻¹); `backgroundValue` (−32768) is no data.
- `vnirProductQuality/expectedChannelsList` and that of SWIR: which band is whose. The file holds
  the bands by wavelength, so that from 902 to 993 nm the two detectors alternate. Here they come
  detector by detector, as two spectra that overlap, with `detector` 0 (VNIR) and 1 (SWIR); the
  bands' numbers in the file are in `attrs["product_bands"]`.
- `sunElevationAngle/center` and `temporalCoverage/startTime`.
- QL_QUALITY_CLOUD, CLOUDSHADOW, HAZE, SNOW (1 where it is so), CIRRUS (1 to 3: thin to thick) and
  CLASSES (2: water) as the coordinates cloud, cloud_shadow, haze, snow, cirrus and water.

Not used, because public sources disagree on what its values say: QL_PIXELMASK. L1B, whose detectors
lie on two grids, is refused.

References
----------
Storch, T. et al. (2023). The EnMAP imaging spectroscopy mission towards operations. Remote Sensing
of Environment 294, 113632. Layout as read by EnMAP-Box and SNAP.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.bands import band_table
from unmix.io.enmap_bands import EnmapBands, bands_of
from unmix.io.envi import read_envi
from unmix.io.files import printable
from unmix.io.gdal import is_tiff
from unmix.io.lazy import Decoding, PixelSource, RawScene
from unmix.io.products import files_in
from unmix.io.raster import read_tiff
from unmix.io.stacked import Stacked, flag_layer, overlap_note
from unmix.io.xml import first_number, first_text, looks_like_xml, read_xml

__all__ = ["find", "read"]

_IMAGE = re.compile(r"(.*)-SPECTRAL_IMAGE(_VNIR|_SWIR)?(_COG)?\.(?:GEO)?TIFF?", re.IGNORECASE)
_TIF, _RAW = r"\.(?:GEO)?TIFF?", r"\.(?:BSQ|BIL|BIP)"
_META = re.compile(r"(.*)-METADATA\.XML", re.IGNORECASE)
_LAYERS = {
    "cloud": ("QL_QUALITY_CLOUD", (1,)),
    "cloud_shadow": ("QL_QUALITY_CLOUDSHADOW", (1,)),
    "haze": ("QL_QUALITY_HAZE", (1,)),
    "snow": ("QL_QUALITY_SNOW", (1,)),
    "cirrus": ("QL_QUALITY_CIRRUS", (1, 2, 3)),
    "water": ("QL_QUALITY_CLASSES", (2,)),
}
_QUANTITY = {
    "L2A": {"quantity": "reflectance"},
    "L1C": {"quantity": "radiance", "units": "W m-2 sr-1 nm-1"},
}


def find(path: Path, head: bytes) -> Path | None:
    """The metadata file of the EnMAP product that `path` belongs to; None if to none.

    Raises
    ------
    InputError
        Several products in the folder, or a spectral image without its metadata.
    """
    if path.is_dir():
        return _in_folder(path)
    if looks_like_xml(head) and b"level_X" in head:
        if _META.fullmatch(path.name) is None:
            raise InputError(
                f"{path.name}: EnMAP metadata under another name; call it <scene>-METADATA.XML "
                "as delivered, so that its image can be found"
            )
        return path
    image = _IMAGE.fullmatch(path.name)
    if image is None or not is_tiff(head) or "ENMAP" not in path.name.upper():
        return None
    meta = _beside(path.parent, image[1], "METADATA", r"\.XML")
    if meta is None:
        raise InputError(
            f"{path.name}: its {image[1]}-METADATA.XML, with wavelengths and scale, is missing; "
            "put it beside it (or rename the image to have it read as a plain GeoTIFF)"
        )
    return meta


def _in_folder(folder: Path) -> Path | None:
    files = files_in(folder)
    found = [p for p in files if _META.fullmatch(p.name) and "ENMAP" in p.name.upper()]
    images = [p for p in files if _IMAGE.fullmatch(p.name) and "ENMAP" in p.name.upper()]
    if len(found) > 1:
        raise InputError(f"{folder}: holds {len(found)} EnMAP products; give one's METADATA.XML")
    if images and not found:
        raise InputError(
            f"{images[0].name}: its METADATA.XML, with wavelengths and scale, is missing; "
            "put it beside it"
        )
    return found[0] if found else None


def _beside(folder: Path, scene: str, what: str, suffix: str) -> Path | None:
    """The product's file of that name, whatever its case, or its cloud-optimised copy."""
    name = re.compile(re.escape(f"{scene}-{what}") + "(_COG)?" + suffix, re.IGNORECASE)
    found = (p for p in sorted(folder.iterdir()) if name.fullmatch(p.name))
    return next((p for p in found if p.is_file()), None)


def read(meta: Path) -> RawScene:
    """Scene of an EnMAP product, from its metadata file; no spectrum is read.

    Raises
    ------
    InputError
        The image is missing or damaged, the metadata is no XML or does not fit the image, the
        level is L1B.
    """
    match = _META.fullmatch(meta.name)
    scene = match[1] if match else meta.stem
    root = read_xml(meta)
    level = (first_text(root, "base", "level") or ("L1C" if "L1C" in scene else "L2A")).upper()
    if level not in _QUANTITY:
        raise InputError(
            f"{meta.name}: EnMAP level {level:.10} is not read (its detectors lie on two grids); "
            "give L2A, or L1C"
        )
    raw = _image(meta, scene)
    shape = raw.pixels.shape
    table = bands_of(root, shape[2], meta.name)
    order = np.lexsort((table.wavelength, table.detector))
    history = [f"gains and offsets of {meta.name} applied"]
    bands = band_table(
        shape[2], meta.name, [],
        wavelength=table.wavelength[order], unit="nm", fwhm=table.fwhm[order],
        good=table.good[order],
    )  # fmt: skip
    history += overlap_note(table.wavelength, table.detector)
    nodata = first_number(root, "specific", "backgroundValue")
    nodata = (-32768.0 if level == "L2A" else 0.0) if nodata is None else nodata
    history.append(f"no-data {nodata:g} read as NaN")
    decoding = Decoding(nodata, gain=table.gain[order], offset=table.offset[order])
    reader = Stacked((raw.pixels.reader,), np.zeros(shape[2], np.intp), order)
    attrs = _attrs(root, level, raw.attrs, table, order, history)
    layers, files = _layers(meta.parent, scene, shape[:2], history)
    coords = {"detector": ("band", table.detector[order]), **layers}
    return RawScene(
        PixelSource(shape, reader, decoding), bands, [*raw.files, str(meta), *files],
        raw.crs_wkt, raw.affine, attrs | {"nodata": nodata}, history, coords,
        rows_together=raw.rows_together,
    )  # fmt: skip


def _image(meta: Path, scene: str) -> RawScene:
    """The image beside the metadata, as a GeoTIFF or in ENVI form, whatever it says of itself."""
    image = _beside(meta.parent, scene, "SPECTRAL_IMAGE", _TIF)
    if image is not None:
        return read_tiff(image)
    image = _beside(meta.parent, scene, "SPECTRAL_IMAGE", _RAW)
    if image is not None:
        return read_envi(image)
    raise InputError(f"{meta.name}: its {scene}-SPECTRAL_IMAGE.TIF is missing; put it beside it")


def _layers(
    folder: Path, scene: str, shape: tuple[int, int], history: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """The quality layers there are, as coordinates, and their files."""
    found: dict[str, Any] = {}
    files = []
    for name, (what, values) in _LAYERS.items():
        path = _beside(folder, scene, what, _TIF)
        if path is not None:
            found[name] = (("y", "x"), flag_layer(path, shape, values))
            files.append(str(path))
    if found:
        history.append(f"quality layers read: {', '.join(found)}")
    return found, files


def _attrs(
    root: Element,
    level: str,
    tiff: dict[str, Any],
    table: EnmapBands,
    order: NDArray[np.intp],
    history: list[str],
) -> dict[str, Any]:
    """What every scene tells, and what of the TIFF is worth showing."""
    attrs: dict[str, Any] = {
        k: tiff[k] for k in ("interleave", "dtype_on_disk", "compression") if k in tiff
    }
    attrs |= {"format": f"EnMAP {level}", "sensor": "EnMAP", **_QUANTITY[level]}
    attrs |= {"scale_declared": True, "scale_factor": float(table.gain[0])}
    elevation = first_number(root, "sunElevationAngle", "center")
    if elevation is None:
        elevation = first_number(root, "sunElevationAngle")
    if elevation is not None:
        attrs["sun_zenith"] = round(90.0 - elevation, 6)
    acquired = printable(first_text(root, "temporalCoverage", "startTime"))
    if acquired:
        attrs["acquired"] = acquired
    if (np.diff(order) != 1).any():
        attrs["product_bands"] = (order + 1).tolist()
        history.append("bands put in the order of the detectors, VNIR then SWIR")
    return attrs
