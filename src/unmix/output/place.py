"""Where a result folder may go: never over something that is not one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from unmix.checks import InputError

__all__ = [
    "COMPOSITES",
    "FEATURES",
    "LAND",
    "MAPS",
    "OPTIONAL",
    "REQUIRED",
    "SWATH",
    "check_out",
    "is_result",
]

REQUIRED = ("manifest.json", "abundances.tif", "residual.tif", "endmembers.csv")
TIFFS = ("abundances.tif", "residual.tif")  # or maps.zarr
OPTIONAL = ("uncertainty.tif", "endmembers_spread.csv")  # where the method knows them
SWATH = ("glt.tif",)  # where the scene is a swath
LAND = ("left_out.tif", "abundances_rest.tif")  # where they were asked for
MAPS = ("classes.tif", "confidence.tif", "anomalies.gpkg")
COMPOSITES = ("ternary.tif",)  # where there are three members
FEATURES = ("features.tif",)  # where the bands cover some
FILES = {
    *REQUIRED,
    *OPTIONAL,
    *SWATH,
    *LAND,
    *MAPS,
    *COMPOSITES,
    *FEATURES,
    "maps.zarr",
    *("endmembers.sli", "endmembers.hdr", "false_colour.tif", "quicklook.png", "report.html"),
}
SIDECARS = (".aux.xml", ".ovr", ".msk", ".qml", ".qmd", ".gpkg-wal", ".gpkg-shm")
"""What map software leaves beside a layer; names and styles of ours, too."""


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
    if not is_result(path) or foreign:
        what = f"holds {foreign[0]!r}, which unmix did not write" if foreign else "is no result"
        raise InputError(f"out: {path} {what}; choose another folder")
    if not overwrite:
        raise InputError(f"out: {path} exists; give --overwrite to replace it")


def is_result(path: Path) -> bool:
    """Whether the folder's manifest.json was written by unmix."""
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        return "format" in manifest["output"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
