"""The result folder: written beside its final place and renamed there at the end; read back whole.

A folder is either the finished result or not there at all: everything goes into a hidden temporary
folder on the same file system, which takes OUT's name only when complete and vanishes on any error
or interrupt.
"""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import logging
import math
import os
import re
import secrets
import shutil
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.types import Endmembers, Unmixing

if TYPE_CHECKING:
    import xarray as xr
    from affine import Affine
    from rasterio.crs import CRS

__all__ = ["check_out", "georeferencing", "load", "save"]

logger = logging.getLogger(__name__)

FORMAT = 1  # of the folder; goes up when an older reader could no longer read it
QUANTITIES = {"rmse": "rmse", "angle": "spectral angle [rad]", "scale": "scale"}
REQUIRED = ("manifest.json", "abundances.tif", "residual.tif", "endmembers.csv")
FILES = {*REQUIRED, "endmembers.sli", "endmembers.hdr", "false_colour.tif", "quicklook.png"} | {
    "report.html"
}
SIDECARS = (".aux.xml", ".ovr", ".msk", ".qml", ".qmd")  # what map software leaves beside a raster
MISSING = -9999.0  # a band without a value, in the spectral library


# --- where it goes ------------------------------------------------------------------------------


def check_out(out: str | Path, overwrite: bool = False) -> Path:
    """Absolute path of a result folder that can be written; call it before the work starts.

    An existing result is replaced only with `overwrite`, and only when everything in it was
    written by unmix, so that no other folder is ever deleted.

    Raises
    ------
    InputError
        `out` is a file, the current folder, a mount point, a folder with something in it, or lies
        where nothing can be written.

    >>> check_out("/proc/version")
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: out: /proc/version is a file; give a folder
    """
    try:
        path = Path(out).expanduser().resolve()
        _check_free(path, overwrite)
        parent = next(p for p in path.parents if p.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise InputError(f"out: cannot write in {parent}; choose another folder")
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"out: {str(out)!r} is no usable path ({reason})") from None
    return path


def _check_free(path: Path, overwrite: bool) -> None:
    """`InputError` unless `path` is free, an empty folder, or a result that may be replaced."""
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"out: {path} is a file; give a folder")
    if path == Path.cwd() or path.is_mount():
        raise InputError(f"out: {path} is the current folder or a mount point; name one inside it")
    present = sorted(p.name for p in path.iterdir())
    if not present:
        return
    foreign = [n for n in present if n not in FILES and not n.endswith(SIDECARS)]
    if not _is_result(path) or foreign:
        what = f"holds {foreign[0]!r}, which unmix did not write" if foreign else "is no result"
        raise InputError(f"out: {path} {what}; choose another folder")
    if not overwrite:
        raise InputError(f"out: {path} exists; give --overwrite to replace it")


def _is_result(path: Path) -> bool:
    """Whether the folder's manifest.json was written by unmix."""
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        return "format" in manifest["output"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


# --- write --------------------------------------------------------------------------------------


def save(result: Unmixing, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write the result folder and return its path.

    Same arrays, same bytes: dates and timings live in manifest.json and report.html only.

    Parameters
    ----------
    result : Unmixing
    out : path
        Parents are created.
    overwrite : bool
        Replace an earlier result, at the last moment.

    Raises
    ------
    InputError
        As `check_out`; also no space left, or any other failure to write.
    """
    path = check_out(out, overwrite)
    _check_result(result)
    temporary = path.parent / f".unmix-{secrets.token_hex(6)}"
    try:
        temporary.mkdir(parents=True)
        _write_all(result, temporary)
        check_out(path, overwrite)
        _swap(temporary, path)
    except OSError as error:
        raise InputError(_write_failure(error, path)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def _check_result(result: Unmixing) -> None:
    """`InputError` when maps, spectra and residual do not belong together."""
    shape = result.abundances.shape
    if len(shape) != 3 or shape[2] != len(result.endmembers):
        raise InputError(f"abundances: {shape} for {len(result.endmembers)} endmembers")
    if result.residual.shape != (*shape[:2], len(QUANTITIES)):
        raise InputError(f"residual: {result.residual.shape}; expected (y, x, {len(QUANTITIES)})")


def _write_all(result: Unmixing, folder: Path) -> None:
    from unmix.plot import overview, save_png
    from unmix.report import write_report

    names = [_plain(n) for n in result.endmembers.names]
    crs, transform = georeferencing(result.abundances)
    for name, maps, bands in (
        ("abundances", result.abundances, names),
        ("residual", result.residual, list(QUANTITIES.values())),
    ):
        values = np.moveaxis(np.asarray(maps.values, dtype=np.float32), -1, 0)
        _write_tiff(folder / f"{name}.tif", values, bands, crs, transform)
    if result.rgb is not None:
        bands, view = ["red", "green", "blue", "alpha"], _to_rgba(result.rgb)
        transform = transform and _coarser(transform, result, view)
        _write_tiff(folder / "false_colour.tif", view, bands, crs, transform)
    _write_csv(result.endmembers, names, folder / "endmembers.csv")
    _write_library(result.endmembers, names, folder / "endmembers.sli")
    save_png(overview(result), folder / "quicklook.png")
    write_report(result, folder / "report.html")
    _write_manifest(result, names, folder / "manifest.json")


def _swap(new: Path, out: Path) -> None:
    """Give `new` the name `out`; what was there is moved aside first and deleted last."""
    if not out.exists() or not any(out.iterdir()):
        os.rename(new, out)
        return
    old = out.parent / f".unmix-{secrets.token_hex(6)}"
    os.rename(out, old)
    try:
        os.rename(new, out)
    except BaseException:
        os.rename(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_failure(error: OSError, path: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"out: no space left in {path.parent}; free some or choose another folder"
    return f"out: cannot write {path} ({error.strerror or error}); choose another folder"


# --- the pieces ---------------------------------------------------------------------------------


def georeferencing(maps: xr.DataArray) -> tuple[CRS | None, Affine | None]:
    """CRS and affine transform from the scalar coordinate `spatial_ref` (None where it has none).

    >>> import xarray as xr
    >>> where = xr.DataArray(0, attrs={"GeoTransform": "100 2 0 900 0 -2"})
    >>> maps = xr.DataArray(np.zeros((2, 3)), dims=("y", "x"), coords={"spatial_ref": where})
    >>> georeferencing(maps)[1].c
    100.0
    """
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    attrs = maps.coords["spatial_ref"].attrs if "spatial_ref" in maps.coords else {}
    crs = transform = None
    if attrs.get("crs_wkt"):
        try:
            crs = CRS.from_wkt(attrs["crs_wkt"])
        except CRSError as error:
            logger.warning("the scene's CRS cannot be read and is left out: %s", error)
    if attrs.get("GeoTransform"):
        transform = Affine.from_gdal(*map(float, attrs["GeoTransform"].split()))
    return crs, transform


@contextmanager
def _no_georeference_warning() -> Iterator[None]:
    """A scene without coordinates is no reason to warn."""
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _write_tiff(
    path: Path,
    values: NDArray[Any],
    names: Sequence[str],
    crs: CRS | None,
    transform: Affine | None,
) -> None:
    """Cloud Optimized GeoTIFF of `values` (band, y, x), read back to prove it is on the disk."""
    import rasterio
    from rasterio._err import CPLE_BaseError
    from rasterio.enums import ColorInterp

    real = values.dtype.kind == "f"
    options = {"predictor": "YES", "nodata": math.nan} if real else {"predictor": "STANDARD"}
    (count, height, width), dtype = values.shape, values.dtype.name
    options |= {"count": count, "height": height, "width": width, "dtype": dtype}
    options |= {"crs": crs, "transform": transform, "compress": "DEFLATE", "blocksize": 256}
    options |= {"overview_resampling": "AVERAGE", "bigtiff": "IF_SAFER"}
    try:
        with _no_georeference_warning():
            with rasterio.open(path, "w", driver="COG", **options) as raster:
                raster.write(values)
                raster.descriptions = tuple(names)
                if not real:
                    raster.colorinterp = [ColorInterp[n] for n in names]
            with rasterio.open(path) as raster:
                for i, band in enumerate(values, start=1):
                    if not np.array_equal(raster.read(i), band, equal_nan=real):
                        raise OSError(errno.EIO, f"{path.name} reads back differently")
    except CPLE_BaseError as error:
        full = shutil.disk_usage(path.parent).free < values.nbytes  # GDAL does not say which
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error


def _to_rgba(rgb: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Bytes (4, y, x); alpha 0 where a pixel is masked."""
    seen = np.isfinite(rgb).all(axis=-1)
    levels = np.rint(np.where(seen[..., None], np.clip(rgb, 0, 1), 0) * 255)
    return np.concatenate([np.moveaxis(levels, -1, 0), seen[None] * 255.0]).astype(np.uint8)


def _coarser(transform: Affine, result: Unmixing, view: NDArray[np.uint8]) -> Affine:
    """The transform of the false-colour view, whose pixels may span several of the scene's."""
    from affine import Affine

    shape, rows, columns = result.abundances.shape, *view.shape[1:]
    a, b, c, d, e, f = transform[:6]
    x, y = shape[1] / columns, shape[0] / rows
    return Affine(a * x, b * y, c, d * x, e * y, f)


def _write_csv(endmembers: Endmembers, names: Sequence[str], path: Path) -> None:
    """One row a band, one column an endmember; an empty cell is a band that was left out."""
    spectra, wavelength = endmembers.spectra, endmembers.wavelength
    first = np.arange(1, spectra.shape[1] + 1) if wavelength is None else wavelength
    head = "band" if wavelength is None else "wavelength_nm"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([head, *map(_defuse, names)])
        for row in zip(first, *spectra, strict=True):
            writer.writerow(["" if np.isnan(v) else str(v) for v in row])


def _write_library(endmembers: Endmembers, names: Sequence[str], path: Path) -> None:
    """ENVI spectral library: little-endian float32, one line an endmember, and its header."""
    members, bands = endmembers.spectra.shape
    good = np.isfinite(endmembers.spectra)
    np.where(good, endmembers.spectra, MISSING).astype("<f4").tofile(path)
    fields: dict[str, Any] = {
        "samples": bands,
        "lines": members,
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Spectral Library",
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        "data ignore value": MISSING,
        "spectra names": [re.sub(r"[{},]", " ", n) for n in names],
    }
    if endmembers.wavelength is not None:
        fields |= {"wavelength units": "Nanometers", "wavelength": endmembers.wavelength}
    if endmembers.fwhm is not None:
        fields["fwhm"] = endmembers.fwhm
    fields["bbl"] = good.any(axis=0).astype(int)
    lines = ["ENVI"]
    for key, value in fields.items():
        many = isinstance(value, list | np.ndarray)
        lines.append(f"{key} = {{{', '.join(map(str, value))}}}" if many else f"{key} = {value}")
    path.with_suffix(".hdr").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_manifest(result: Unmixing, names: Sequence[str], path: Path) -> None:
    """The provenance as it is, plus `output`: what the other files cannot say about themselves."""
    endmembers = result.endmembers
    output = {"format": FORMAT, "names": names, "source": endmembers.source}
    output |= {"dtype": endmembers.spectra.dtype.name, "fwhm": endmembers.fwhm}
    if endmembers.wavelength is not None:
        output["wavelength_dtype"] = endmembers.wavelength.dtype.name
    manifest = _json_safe({**result.provenance, "output": output})
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _json_safe(value: Any) -> Any:
    """`value` in JSON's own types: NaN and infinity become null, sets are sorted.

    >>> _json_safe({"k": np.int64(3), "snr": np.array([1.5, np.nan]), "out": Path("a")})
    {'k': 3, 'snr': [1.5, None], 'out': 'a'}
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return _json_safe(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _json_safe({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {_plain(str(k), keep="\n\t"): _json_safe(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return [_json_safe(v) for v in sorted(value, key=str)]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_json_safe(v) for v in value]
    return _plain(str(value), keep="\n\t")


def _plain(text: str, keep: str = "") -> str:
    """`text` without control characters and lone surrogates, which no file format carries."""
    text = text.encode("utf-8", "replace").decode()
    bad = {"Cc", "Zl", "Zp"}
    return "".join(
        c if c in keep or (unicodedata.category(c) not in bad and c not in "\ufffe\uffff") else " "
        for c in text
    )


def _defuse(name: str) -> str:
    """A name no spreadsheet takes for a formula; `_fuse` is its inverse.

    >>> _defuse("=1+1"), _fuse(_defuse("=1+1")), _fuse(_defuse("'-a"))
    ("'=1+1", '=1+1', "'-a")
    """
    return f"'{name}" if re.match(r"'*[=+\-@]", name) else name


def _fuse(cell: str) -> str:
    return cell[1:] if re.match(r"'+[=+\-@]", cell) else cell


# --- read ---------------------------------------------------------------------------------------


def load(out: str | Path) -> Unmixing:
    """Read a result folder back; arrays come back as they were saved (maps as float32).

    Names are those in endmembers.csv, so an endmember renamed there is renamed in the report too.

    Raises
    ------
    InputError
        Not a result folder, or a file in it is missing, damaged or belongs to another result.
    """
    folder = Path(out)
    if not folder.is_dir():
        raise InputError(f"out: {folder} is no folder; give the folder `unmix run` wrote")
    for name in REQUIRED:
        if not (folder / name).is_file():
            raise InputError(f"out: {folder} has no {name}; give the folder `unmix run` wrote")
    manifest = _read_manifest(folder / "manifest.json")
    output = manifest.pop("output")
    endmembers = _read_csv(folder / "endmembers.csv", output)
    abundances = _read_maps(folder / "abundances.tif", "member", endmembers.names)
    residual = _read_maps(folder / "residual.tif", "quantity", tuple(QUANTITIES))
    if abundances.shape[:2] != residual.shape[:2]:
        raise InputError(f"out: {folder}: residual.tif and abundances.tif differ in size; run anew")
    rgb = _read_rgb(folder / "false_colour.tif")
    return Unmixing(abundances, endmembers, residual, manifest, rgb)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_bytes())
        form = manifest["output"]["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"out: {path} was not written by unmix or is damaged; run anew") from None
    if form != FORMAT:
        raise InputError(
            f"out: {path} has format {form}, not {FORMAT}; use the unmix that wrote it"
        )
    return manifest


def _read_csv(path: Path, output: Mapping[str, Any]) -> Endmembers:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = [row for row in csv.reader(file) if row]
        dtype, first = (output.get(k, "float64") for k in ("dtype", "wavelength_dtype"))
        columns = [
            [float(v) if v.strip() else math.nan for v in c] for c in zip(*rows, strict=True)
        ]
        wavelength = np.array(columns[0], dtype=first) if head[0] == "wavelength_nm" else None
        spectra = np.array(columns[1:], dtype=dtype)
        names = tuple(_fuse(n) for n in head[1:])
        fwhm = None if output.get("fwhm") is None else np.array(output["fwhm"], dtype=np.float64)
        return Endmembers(spectra, wavelength, names, str(output.get("source", "")), fwhm)
    except (OSError, ValueError, IndexError, TypeError, csv.Error) as error:
        raise InputError(f"out: {path} cannot be read ({error}); run anew") from None


def _read_maps(path: Path, last: str, labels: Sequence[str]) -> xr.DataArray:
    """Maps (y, x, `last`) with their georeferencing in the coordinate `spatial_ref`."""
    import xarray as xr

    values, where = _read_tiff(path)
    if values.shape[0] != len(labels) or values.dtype != np.float32:
        raise InputError(
            f"out: {path} has {values.shape[0]} {values.dtype} bands, not {len(labels)} of float32;"
            " give the folder `unmix run` wrote"
        )
    coords: dict[str, Any] = {last: list(labels)}
    if where:
        coords["spatial_ref"] = xr.DataArray(0, attrs=where)
    return xr.DataArray(np.moveaxis(values, 0, -1), dims=("y", "x", last), coords=coords)


def _read_tiff(path: Path) -> tuple[NDArray[Any], dict[str, str]]:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with _no_georeference_warning(), rasterio.open(path) as raster:
            values, crs, transform = raster.read(), raster.crs, raster.transform
    except (RasterioError, OSError) as error:
        raise InputError(f"out: {path} cannot be read ({error}); run anew") from None
    where = {"crs_wkt": crs.to_wkt()} if crs else {}
    if not transform.is_identity:
        where["GeoTransform"] = " ".join(repr(float(v)) for v in transform.to_gdal())
    return values, where


def _read_rgb(path: Path) -> NDArray[np.float32] | None:
    if not path.is_file():
        return None
    values, _ = _read_tiff(path)
    if values.shape[0] != 4 or values.dtype != np.uint8:
        raise InputError(f"out: {path} is no false-colour view; delete it or run anew")
    rgb = np.moveaxis(values[:3], 0, -1).astype(np.float32) / 255
    return np.where(values[3][..., None] > 0, rgb, np.float32(math.nan))
