"""GeoTIFF and Cloud Optimized GeoTIFF scenes, read window by window through rasterio."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from unmix.checks import InputError
from unmix.io.bands import band_table
from unmix.io.gdal import open_tiff
from unmix.io.lazy import Affine, BandKey, Decoding, PixelSource, RawScene

__all__ = ["TiffPixels", "read_tiff"]

_IN_TEXT = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*(nm|nanomet(?:er|re)s?|um|µm|μm|micromet(?:er|re)s?|microns?)\b", re.I
)
# A file that claims to unpack to this many times its size holds no picture.
_MAX_RATIO = 2000
_ALWAYS_FINE = 2**28


@dataclass(frozen=True)
class TiffPixels:
    """Window reader of a GeoTIFF; opens the file for each window, so any thread may use it.

    Parameters
    ----------
    path : str
    n_bands : int
    masked : bool
        The file has a mask of its own: pixels it hides become NaN.
    """

    path: str
    n_bands: int
    masked: bool = False

    def __call__(self, rows: slice, cols: slice, bands: BandKey) -> NDArray[Any]:
        """Stored numbers of a window, axes (y, x, band)."""
        window = Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
        index = [int(b) + 1 for b in np.arange(self.n_bands)[bands]]
        with open_tiff(Path(self.path)) as file:
            stored = file.read(index, window=window)
            if self.masked:
                hidden = file.read_masks(1, window=window) == 0
                if hidden.any():
                    stored = stored.astype(np.result_type(stored, np.float32))
                    stored[:, hidden] = np.nan
        return stored.transpose(1, 2, 0)


def read_tiff(path: Path) -> RawScene:
    """Scene from a GeoTIFF; no pixel is read.

    Wavelengths, widths and bad-band flags come from, in this order: the bands' own metadata,
    GDAL's IMAGERY domain, the data set's metadata, the bands' descriptions.

    Raises
    ------
    InputError
        Damaged, complex, or declaring more data than the file can hold.
    """
    history: list[str] = []
    with open_tiff(path) as file:
        _check(file, path)
        spectral = _spectral(file, history)
        bands = band_table(file.count, path.name, history, **spectral)
        decoding = _decoding(file, history)
        masked = MaskFlags.per_dataset in file.mask_flag_enums[0] and not _has_alpha(file)
        crs = file.crs.to_wkt() if file.crs else None
        affine = _affine(file, history)
        shape = (file.height, file.width, file.count)
        attrs = _attrs(file, decoding)
        together = file.block_shapes[0][0]
    if masked:
        history.append("pixels hidden by the file's mask read as NaN")
    reader = TiffPixels(str(path), shape[2], masked)
    pixels = PixelSource(shape, reader, decoding)
    return RawScene(
        pixels, bands, [str(path)], crs or None, affine, attrs, history, rows_together=together
    )


def _check(file: Any, path: Path) -> None:
    """Refuse what is no real-valued picture or cannot be in the file."""
    kinds = sorted(set(file.dtypes))
    if any("complex" in kind for kind in kinds):
        raise InputError(f"{path.name}: complex data ({kinds[0]}) is no reflectance; not read")
    itemsize = max(np.dtype(kind).itemsize for kind in kinds)
    declared = file.width * file.height * file.count * itemsize
    size = path.stat().st_size
    if declared > max(_ALWAYS_FINE, size * _MAX_RATIO):
        raise InputError(
            f"{path.name}: declares {declared} bytes of pixels in a file of {size} bytes; "
            "save or copy it again"
        )


def _has_alpha(file: Any) -> bool:
    """Whether the mask comes from an alpha band, which is then a band like the others."""
    return MaskFlags.alpha in file.mask_flag_enums[0]


def _spectral(file: Any, history: list[str]) -> dict[str, Any]:
    """What the file says of its bands, as arguments of `band_table`."""
    tags = [{k.lower(): v for k, v in file.tags(i).items()} for i in file.indexes]
    imagery = [file.tags(i, ns="IMAGERY") for i in file.indexes]
    whole = {k.lower(): v for k, v in file.tags().items()}
    unit = tags[0].get("wavelength_units") or tags[0].get("wavelength_unit")
    found: dict[str, Any] = {
        "wavelength": _column(tags, "wavelength", history),
        "unit": unit or whole.get("wavelength_units"),
        "fwhm": _column(tags, "fwhm", history),
        "good": _column(tags, "bbl", history),
    }
    if found["wavelength"] is None and "CENTRAL_WAVELENGTH_UM" in imagery[0]:
        found["wavelength"] = _column(imagery, "CENTRAL_WAVELENGTH_UM", history)
        found["fwhm"] = _column(imagery, "FWHM_UM", history)
        found["unit"] = "um"
    for key, name in (("wavelength", "wavelength"), ("fwhm", "fwhm"), ("good", "bbl")):
        if found[key] is None:
            found[key] = _listed(whole.get(name) or whole.get(name + "s"), file.count, history)
    if found["wavelength"] is None:
        found["wavelength"], found["unit"] = _described(file.descriptions, history)
    return found


def _column(
    tags: list[dict[str, str]], name: str, history: list[str]
) -> NDArray[np.float64] | None:
    """One number a band from the bands' metadata; None unless every band has one."""
    texts = [band.get(name) for band in tags]
    if all(text is None for text in texts):
        return None
    values = [_float(text) for text in texts]
    if any(value is None for value in values):
        history.append(f"{name} is missing or no number in some bands' metadata: left out")
        return None
    return np.array(values, np.float64)


def _listed(text: str | None, n_bands: int, history: list[str]) -> NDArray[np.float64] | None:
    """One number a band from a list such as "{400.0, 410.5}" in the data set's metadata.

    >>> _listed("{400.0, 410.5}", 2, [])
    array([400. , 410.5])
    """
    if text is None:
        return None
    values = [_float(item) for item in re.split(r"[,;\s]+", text.strip("{}[]() \n\t")) if item]
    if len(values) != n_bands or any(value is None for value in values):
        history.append("a list in the file's metadata is not one number a band: left out")
        return None
    return np.array(values, np.float64)


def _described(
    descriptions: tuple[str | None, ...], history: list[str]
) -> tuple[NDArray[np.float64] | None, str | None]:
    """Wavelengths and their unit from descriptions such as "band 1 (418.24 Nanometers)".

    >>> _described(("band 1 (418.24 nm)", "band 2 (423.9 nm)"), [])
    (array([418.24, 423.9 ]), 'nm')
    """
    matches = [_IN_TEXT.search(text or "") for text in descriptions]
    units = {match[2].lower() for match in matches if match}
    if not all(matches) or len(units) != 1:
        if units:
            history.append("some band descriptions have no wavelength: left out")
        return None, None
    return np.array([float(match[1]) for match in matches if match]), units.pop()


def _float(text: str | None) -> float | None:
    """A finite number, else None."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _decoding(file: Any, history: list[str]) -> Decoding:
    """No-data number and the bands' declared scale and offset."""
    nodata = file.nodata
    if nodata is not None:
        history.append(f"no-data {nodata:g} read as NaN")
    gain, offset = np.array(file.scales, np.float64), np.array(file.offsets, np.float64)
    if not (np.isfinite(gain).all() and np.isfinite(offset).all() and gain.all()):
        history.append("the bands' scale or offset is zero or no number: left out")
        return Decoding(nodata)
    if (gain == 1).all() and (offset == 0).all():
        return Decoding(nodata)
    history.append(f"declared band scale {gain[0]:g} and offset {offset[0]:g} applied")
    return Decoding(nodata, gain=gain, offset=offset if offset.any() else None)


def _affine(file: Any, history: list[str]) -> Affine | None:
    """The file's transform; None where it is the identity GDAL gives for lack of one."""
    if file.transform.is_identity:
        if file.gcps[0]:
            history.append("placed by ground control points only: warp it to give maps a place")
        return None
    t = file.transform
    return (t.a, t.b, t.c, t.d, t.e, t.f)


def _attrs(file: Any, decoding: Decoding) -> dict[str, Any]:
    """What is worth showing of the file."""
    structure: Mapping[str, str] = file.tags(ns="IMAGE_STRUCTURE")
    attrs: dict[str, Any] = {
        "format": "GeoTIFF",
        "interleave": {"PIXEL": "bip"}.get(structure.get("INTERLEAVE", ""), "bsq"),
        "dtype_on_disk": str(file.dtypes[0]),
        "scale_declared": decoding.gain is not None,
    }
    if decoding.gain is not None:
        attrs["scale_factor"] = float(decoding.gain[0])
    if decoding.nodata is not None:
        attrs["nodata"] = decoding.nodata
    if "COMPRESSION" in structure:
        attrs["compression"] = structure["COMPRESSION"]
    tags = {k.lower(): v for k, v in file.tags().items()}
    for key, names in (
        ("description", ("tifftag_imagedescription", "description")),
        ("sensor", ("sensor", "sensor_type", "instrument")),
    ):
        text = next((tags[name] for name in names if tags.get(name)), "")
        if text:
            attrs[key] = text[:500]
    if any(file.descriptions):
        attrs["band_names"] = [name or f"band {i}" for i, name in enumerate(file.descriptions, 1)]
    return attrs
