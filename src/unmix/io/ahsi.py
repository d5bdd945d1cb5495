"""AHSI, the hyperspectral imager of GF-5, GF-5A, GF-5B, ZY1-02D (ZY1E) and ZY1-02E (ZY1F), level 1.

A product is a folder (`unmix.io.ahsi_files` says which file is which). Its images hold digital
numbers; radiance = gain · DN + offset, a gain and an offset a band from the RadCal tables, band
centres and widths from the Spectralresponse tables. VNIR (GF-5: 150 bands, 390 to 1029 nm) and SWIR
(180 bands, 1004 to 2513 nm) overlap; they follow each other here, `detector` 0 and 1. ZY1-02D has
76 + 90 bands: no number of bands is built in, each table must fit its image.

Verified against public readers of these products: names of files, two-column tables separated by
comma, tab or space, gain · DN + offset, tags `StartTime` and `SolarZenith` in the XML, RPC in .rpb.
Not verified, because no file says it: the unit of radiance, taken to be W m⁻² sr⁻¹ µm⁻¹ as for the
other sensors of the same data centre (radiances that users publish are of that size); the zone of
StartTime (one public reader takes it for Beijing time; it is passed on as it is); what marks
missing pixels (0 in every band is taken for it); how well the two images are registered (pixel by
pixel is assumed).

Images of level 1 lie in the sensor's rows and columns. Where they carry no map grid of their own,
the RPCs give every pixel's longitude and latitude at the product's mean height, and results are
written on that map (`unmix.io.rpb`); terrain is not corrected for.

References
----------
Liu, Y.-N. et al. (2019). The Advanced Hyperspectral Imager: aboard China's GaoFen-5 satellite. IEEE
Geoscience and Remote Sensing Magazine 7.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from unmix.checks import InputError
from unmix.io.ahsi_bands import bands_of
from unmix.io.ahsi_files import DETECTORS, GAINS, RESPONSES, image_parts, table_file
from unmix.io.bands import band_table
from unmix.io.files import printable
from unmix.io.gdal import is_tiff, open_tiff
from unmix.io.lazy import Decoding, PixelSource, RawScene
from unmix.io.products import files_in
from unmix.io.raster import read_tiff
from unmix.io.rpb import map_of, read_rpb
from unmix.io.stacked import Hiding, Stacked, bright_bands, overlap_note
from unmix.io.xml import first_number, first_text, looks_like_xml, read_xml
from unmix.ortho import Ortho

__all__ = ["find", "read"]

SENSORS = {
    "GF5": "GF-5 AHSI",
    "GF5A": "GF-5A AHSI",
    "GF5B": "GF-5B AHSI",
    "ZY1E": "ZY1-02D AHSI",
    "ZY102D": "ZY1-02D AHSI",
    "ZY1F": "ZY1-02E AHSI",
    "ZY102E": "ZY1-02E AHSI",
}
UNITS = "W m-2 sr-1 um-1"


def find(path: Path, head: bytes) -> Path | None:
    """An image of the AHSI product that `path` belongs to; None if to none.

    Raises
    ------
    InputError
        Several products in the folder, or a product's other files without an image.
    """
    if path.is_dir():
        return _in_folder(files_in(path), path)
    if is_tiff(head):
        return path if image_parts(path.name) and _stores_numbers(path) else None
    if _belongs(path, head):
        files = sorted(p for p in path.parent.iterdir() if p.is_file())
        stem = re.sub(r"(_(VN|SW))?(\.meta)?\.(xml|rpb)$", "", path.name, flags=re.IGNORECASE)
        own = [p for p in files if (image_parts(p.name) or ("",))[0] == stem]
        return _in_folder(own or files, path.parent) or _no_image(path)
    return None


def _belongs(path: Path, head: bytes) -> bool:
    """Whether a file that is no image is one of a product's others."""
    if looks_like_xml(head):
        return "AHSI" in path.name.upper() or b"<SensorID>AHSI" in head
    if path.suffix.lower() == ".rpb":
        return "AHSI" in path.name.upper()
    tables = [table_file([path], k, d, "") for k in (GAINS, RESPONSES) for d in DETECTORS.values()]
    return "AHSI" in path.name.upper() and any(tables)


def _in_folder(files: list[Path], folder: Path) -> Path | None:
    """The first image of the only product among `files`."""
    images = {p: parts for p in files if (parts := image_parts(p.name)) and _stores_numbers(p)}
    scenes = sorted({(scene, rest) for scene, _, rest in images.values()})
    if len(scenes) > 1:
        raise InputError(f"{folder}: holds {len(scenes)} AHSI products; give one's image")
    if not images and any(_belongs(p, b"") for p in files):
        return _no_image(folder)
    return next(iter(images), None)


def _no_image(path: Path) -> Path:
    raise InputError(
        f"{path.name}: of an AHSI product without its image; put <scene>_VN.tif and _SW.tif there"
    )


def _stores_numbers(path: Path) -> bool:
    """Whether a TIFF holds digital numbers; what holds floats was calibrated by someone already."""
    with open_tiff(path) as file:
        return bool(np.dtype(file.dtypes[0]).kind in "iu")


def read(image: Path) -> RawScene:
    """Scene of an AHSI product, from one of its images; no spectrum is read.

    Raises
    ------
    InputError
        An image of the pair or a table is missing, a table does not fit its image, the images
        differ in size or place.
    """
    parts = _images(image)
    files = sorted(p for p in image.parent.iterdir() if p.is_file())
    mission = image.name.split("_")[0]
    raws = [read_tiff(path) for path, _ in parts]
    _check_pair(parts, raws)
    table = bands_of(files, mission, parts, [raw.pixels.shape[2] for raw in raws])
    history = ["radiance = gain · DN + offset by the product's RadCal tables"]
    bands = band_table(
        len(table.gain), image.name, [], wavelength=table.wavelength, unit="nm",
        fwhm=table.fwhm,
    )  # fmt: skip
    history += overlap_note(table.wavelength, table.detector)
    stacked = Stacked(tuple(raw.pixels.reader for raw in raws), table.image, table.within)
    reader = Hiding(stacked, bright_bands(table.wavelength))
    history.append("pixels that are 0 in every band read as NaN")
    nodata = raws[0].attrs.get("nodata") or None  # a declared 0 is what Hiding looks for
    if nodata is not None:
        history.append(f"no-data {nodata:g} read as NaN")
    attrs = _attrs(mission, raws[0].attrs)
    stem = (image_parts(image.name) or (image.stem,))[0]
    names = [str(p) for p in dict.fromkeys([*(path for path, _ in parts), *table.files])]
    names += _metadata(image.parent, stem, attrs, history)
    rows, cols = raws[0].pixels.shape[:2]
    swath, model = None, list[str]()
    if raws[0].affine is None:
        swath, model = _place(files, parts[0][0], (rows, cols), attrs, history)
    decoding = Decoding(nodata, gain=table.gain, offset=table.offset)
    return RawScene(
        PixelSource((rows, cols, len(table.gain)), reader, decoding), bands, names + model,
        raws[0].crs_wkt, raws[0].affine, attrs, history,
        {"detector": ("band", table.detector)}, swath, max(raw.rows_together for raw in raws),
    )  # fmt: skip


def _place(
    files: list[Path],
    image: Path,
    shape: tuple[int, int],
    attrs: dict[str, Any],
    history: list[str],
) -> tuple[Ortho | None, list[str]]:
    """The map grid by the RPCs beside an image without one, and their file."""
    name = image.with_suffix(".rpb").name.lower()
    found = [p for p in files if p.name.lower() == name]
    if not found:
        history.append("neither a map grid nor RPCs: results stay in the sensor's rows and columns")
        return None, []
    model = read_rpb(found[0])
    ortho = map_of(model, shape, found[0].name)
    height = model.offset["height"]
    history.append(f"placed by its RPCs at {height:g} m above the ellipsoid, terrain left out")
    attrs["geometry"] = "swath; results are written on the map grid that its RPCs give"
    return ortho, [str(found[0])]


def _images(image: Path) -> list[tuple[Path, str]]:
    """The product's images with their detectors: VN and SW, or one with "" for both."""
    scene, part, rest = image_parts(image.name) or ("", "", "")
    if not part:
        return [(image, "")]
    found = []
    for name in DETECTORS:
        wanted = (scene.upper(), name, rest.upper())
        beside = [p for p in sorted(image.parent.iterdir()) if _same(p, wanted)]
        if not beside:
            raise InputError(
                f"{image.name}: its other half, {scene}_{name}{rest}{image.suffix}, is missing; "
                "put it beside it"
            )
        found.append((image if image in beside else beside[0], name))
    return found


def _same(path: Path, wanted: tuple[str, str, str]) -> bool:
    """Whether a file's name has these parts, whatever its case."""
    parts = image_parts(path.name)
    same = parts is not None and tuple(part.upper() for part in parts) == wanted
    return same and path.is_file()


def _check_pair(parts: list[tuple[Path, str]], raws: list[RawScene]) -> None:
    """Two images must have the same pixels."""
    first, last = raws[0], raws[-1]
    names = f"{parts[0][0].name} and {parts[-1][0].name}"
    if first.pixels.shape[:2] != last.pixels.shape[:2]:
        sizes = " and ".join(f"{r.pixels.shape[0]} x {r.pixels.shape[1]}" for r in (first, last))
        raise InputError(f"{names}: {sizes} pixels; give the two images of one product")
    if first.affine and last.affine and first.crs_wkt == last.crs_wkt:
        pixel = abs(first.affine[0]) + abs(first.affine[1])
        if np.abs(np.subtract(first.affine, last.affine)).max() > 0.5 * pixel:
            raise InputError(f"{names}: lie on different grids; warp one to the grid of the other")


def _attrs(mission: str, tiff: dict[str, Any]) -> dict[str, Any]:
    kept = ("interleave", "dtype_on_disk", "compression", "nodata")
    return {
        "format": "AHSI GeoTIFF",
        "sensor": SENSORS.get(mission.upper(), "AHSI"),
        "quantity": "radiance",
        "units": UNITS,
        "scale_declared": True,
        **{k: tiff[k] for k in kept if k in tiff},
    }


def _metadata(folder: Path, stem: str, attrs: dict[str, Any], history: list[str]) -> list[str]:
    """Sun and time from the XML, where there is one; the files read."""
    names = [f"{stem}{end}".lower() for end in (".meta.xml", ".xml")]
    found = [p for p in sorted(folder.iterdir()) if p.name.lower() in names and p.is_file()]
    if not found:
        history.append("no XML beside the images: sun and time of acquisition not known")
        return []
    root = read_xml(found[0])
    zenith, acquired = first_number(root, "SolarZenith"), printable(first_text(root, "StartTime"))
    if zenith is not None and 0 <= zenith <= 180:
        attrs["sun_zenith"] = zenith
    if acquired:
        attrs["acquired"] = acquired.replace(" ", "T").replace("/", "-")
    mission = re.sub(r"\W", "", first_text(root, "SatelliteID") or "").upper()
    attrs["sensor"] = SENSORS.get(mission, attrs["sensor"])
    return [str(found[0])]
