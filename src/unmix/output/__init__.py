"""The result folder: written beside its final place and renamed there at the end; read back whole.

A folder is either the finished result or not there at all: everything goes into a hidden temporary
folder on the same file system, which takes OUT's name only when complete and vanishes on any error
or interrupt.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmix.checks import InputError
from unmix.output.classes import classes_of, write_classes
from unmix.output.composites import write_ternary
from unmix.output.features import read_features, write_features
from unmix.output.land import read_land, write_land
from unmix.output.layers import maps_layers
from unmix.output.ortho import on_grid, read_lookup, write_lookup
from unmix.output.place import REQUIRED, TIFFS, check_out, is_result
from unmix.output.rasters import coarser, georeferencing, read_maps, read_rgb, to_rgba, write_tiff
from unmix.output.tables import (
    json_safe,
    plain,
    read_csv,
    read_manifest,
    read_spread,
    write_csv,
    write_library,
    write_manifest,
    write_spread,
)
from unmix.output.uncertainty import read_uncertainty, write_uncertainty
from unmix.output.zarr_maps import NAME, read_zarr, write_zarr
from unmix.parallel import beside
from unmix.tiles.lock import temporary_name
from unmix.types import STATISTICS, Unmixing

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["check_format", "check_out", "georeferencing", "is_result", "load", "save"]

FORMATS = ("cog", "zarr")
_LARGE = 2**20  # values of the residual from which on maps are written beside all else
QUANTITIES = {"rmse": "rmse", "angle": "spectral angle [rad]", "scale": "scale"}


def save(
    result: Unmixing,
    out: str | Path,
    *,
    overwrite: bool = False,
    format: str = "cog",
    report: bool = True,
) -> Path:
    """Write the result folder and return its path.

    A result in swath geometry is put on its map grid first. Maps may be files mapped into memory:
    they are read a few rows at a time. Same arrays, same bytes: dates and timings live in
    manifest.json and report.html only.

    Parameters
    ----------
    result : Unmixing
    out : path
        Parents are created.
    overwrite : bool
        Replace an earlier result, at the last moment.
    format : "cog" or "zarr"
        Abundances, residual, uncertainty and features as a Cloud Optimized GeoTIFF each, or
        together in `maps.zarr`.
    report : bool
        Draw quicklook.png and report.html, which takes longer than all the rest of a small scene;
        `unmix report` makes the page later.

    Raises
    ------
    InputError
        Another format; as `check_out`; also no space left, or any other failure to write.
    """
    check_format(format)
    path = check_out(out, overwrite)
    _check_result(result)
    temporary = path.with_name(temporary_name(path, secrets.token_hex(6)))
    made = [p for p in path.parents if not p.exists()]
    try:
        temporary.mkdir(parents=True)
        scratch = temporary / ".grid"
        _write_all(on_grid(_portable(result, format), scratch), temporary, report)
        _remove(scratch)
        check_out(path, overwrite)
        _swap(temporary, path)
    except OSError as error:
        raise InputError(_write_failure(error, path)) from error
    finally:
        _remove(temporary)
        for parent in made:  # stays if the result, or anything else, is in it
            with suppress(OSError):
                parent.rmdir()
    return path


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
    as_zarr = (folder / NAME).is_dir()
    for name in REQUIRED:
        if not ((folder / name).is_file() or (as_zarr and name in TIFFS)):
            raise InputError(f"out: {folder} has no {name}; give the folder `unmix run` wrote")
    manifest = read_manifest(folder / "manifest.json")
    output = manifest.pop("output")
    endmembers = read_csv(folder / "endmembers.csv", output)
    maps = _read_maps(folder, endmembers.names, as_zarr)
    abundances = maps.pop("abundances")
    residual = maps["residual"]
    assert abundances is not None and residual is not None
    lookup = read_lookup(folder / "glt.tif", manifest.get("grid"), abundances)
    if lookup is not None:
        abundances.attrs["lookup"] = lookup
    tif = "" if as_zarr else ".tif"
    for name, other in maps.items():
        if other is not None and other.shape[:2] != abundances.shape[:2]:
            both = f"{name}{tif} and abundances{tif}"
            raise InputError(f"out: {folder}: {both} differ in size; run anew")
    endmembers = read_spread(folder / "endmembers_spread.csv", endmembers)
    rgb = read_rgb(folder / "false_colour.tif")
    sure, features = maps["uncertainty"], maps["features"]
    found = Unmixing(abundances, endmembers, residual, manifest, rgb, sure, features=features)
    return read_land(folder, found)


def _read_maps(folder: Path, names: Sequence[str], as_zarr: bool) -> dict[str, xr.DataArray | None]:
    """The large maps of a folder by name; None for what it has not."""
    if as_zarr:
        return read_zarr(folder / NAME, names)
    return {
        "abundances": read_maps(folder / "abundances.tif", "member", names),
        "residual": read_maps(folder / "residual.tif", "quantity", tuple(QUANTITIES)),
        "uncertainty": read_uncertainty(folder / "uncertainty.tif", names),
        "features": read_features(folder / "features.tif"),
    }


def _check_result(result: Unmixing) -> None:
    """`InputError` when maps, spectra and residual do not belong together."""
    shape = result.abundances.shape
    if len(shape) != 3 or shape[2] != len(result.endmembers):
        raise InputError(f"abundances: {shape} for {len(result.endmembers)} endmembers")
    if result.residual.shape != (*shape[:2], len(QUANTITIES)):
        raise InputError(f"residual: {result.residual.shape}; expected (y, x, {len(QUANTITIES)})")
    sure = result.uncertainty
    if sure is not None and sure.shape != (*shape, len(STATISTICS)):
        raise InputError(f"uncertainty: {sure.shape}; expected {(*shape, len(STATISTICS))}")
    if result.features is not None and result.features.shape[:2] != shape[:2]:
        raise InputError(f"features: {result.features.shape}; expected {shape[:2]} pixels")


def check_format(format: str) -> None:
    """`InputError` unless results can be written in the format.

    >>> check_format("png")
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: format: got 'png'; give cog or zarr
    """
    if format not in FORMATS:
        raise InputError(f"format: got {format!r:.80}; give {' or '.join(FORMATS)}")


def _portable(result: Unmixing, format: str) -> Unmixing:
    """Names and provenance as every file format can carry them; which format is one of them."""
    names = tuple(map(plain, result.endmembers.names))
    endmembers = replace(result.endmembers, names=names, source=plain(result.endmembers.source))
    about = {k: v for k, v in result.provenance.items() if k != "format"}
    about |= {"format": format} if format != FORMATS[0] else {}
    return replace(result, endmembers=endmembers, provenance=json_safe(about))


def _write_all(result: Unmixing, folder: Path, report: bool) -> None:
    large = result.residual.size >= _LARGE
    classes_of(result)  # remembered: both threads need them
    maps = partial(_write_maps, result, folder)
    if not large:
        maps()
    with beside(maps) if large else nullcontext():
        about = _write_rest(result, folder, report)
    write_manifest(result, folder / "manifest.json", about)


def _write_rest(result: Unmixing, folder: Path, report: bool) -> dict[str, Any]:
    """All but the large maps and the manifest; what that says of the map of materials."""
    from unmix.output.mineral_map import write_mineral_map
    from unmix.plot import overview, save_png
    from unmix.report import write_report

    about = write_mineral_map(result, folder)
    write_lookup(result, folder / "glt.tif")
    write_csv(result.endmembers, folder / "endmembers.csv")
    write_spread(result.endmembers, folder / "endmembers_spread.csv")
    write_library(result.endmembers, folder / "endmembers.sli")
    if report:
        save_png(overview(result), folder / "quicklook.png")
        write_report(result, folder / "report.html")
    return about


def _write_maps(result: Unmixing, folder: Path) -> None:
    """The large maps, as GeoTIFFs or one Zarr group, and the pictures that are made of them."""
    names = result.endmembers.names
    if result.provenance.get("format") == "zarr":
        write_zarr(result, folder / NAME)
    else:
        for name, maps, bands in (
            ("abundances", result.abundances, names),
            ("residual", result.residual, list(QUANTITIES.values())),
        ):
            write_tiff(folder / f"{name}.tif", maps_layers(maps), bands, *georeferencing(maps))
        if result.uncertainty is not None:
            write_uncertainty(result.uncertainty, names, folder / "uncertainty.tif")
        if result.features is not None:
            write_features(result.features, folder / "features.tif")
    write_land(result, folder)
    write_ternary(result, folder / "ternary.tif")
    write_classes(result, classes_of(result), folder)
    if result.rgb is not None:
        crs, transform = georeferencing(result.abundances)
        bands, view = ["red", "green", "blue", "alpha"], to_rgba(result.rgb)
        transform = transform and coarser(transform, result.abundances.shape, view.shape[1:])
        write_tiff(folder / "false_colour.tif", view, bands, crs, transform)


def _swap(new: Path, out: Path) -> None:
    """Give `new` the name `out`; what was there is moved aside first and deleted last."""
    if not out.exists() or not any(out.iterdir()):
        os.rename(new, out)
        return
    old = out.with_name(temporary_name(out, secrets.token_hex(6)))
    os.rename(out, old)
    try:
        os.rename(new, out)
    except BaseException:
        os.rename(old, out)
        raise
    _remove(old)


def _remove(folder: Path) -> None:
    """Delete a folder of ours, all of it even if interrupted once."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _write_failure(error: OSError, path: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"out: no space left in {path.parent}; free some or choose another folder"
    return f"out: cannot write {path} ({error.strerror or error}); choose another folder"
