"""GeoTIFFs opened so that whatever is wrong with one becomes one line, and nothing is printed."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning

from unmix.checks import InputError

__all__ = ["is_tiff", "open_tiff"]

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Warning filters and hooks belong to all threads: whoever changes them holds this.
_SHARED = threading.Lock()


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins with `head` is a TIFF or BigTIFF.

    >>> is_tiff(b"MM" + bytes([0, 42])), is_tiff(b"ENVI")
    (True, False)
    """
    return head[:4] in _MAGIC


@contextmanager
def open_tiff(path: Path) -> Iterator[Any]:
    """The rasterio data set; whatever GDAL finds wrong becomes a one-line `InputError`.

    Only the GeoTIFF driver is tried, and no file beside it is looked at: other formats can name
    further files to read.
    """
    try:
        with (
            _no_decoding_noise(),
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_PAM_ENABLED="NO"),
            _open_quietly(path) as file,
        ):
            yield file
    except InputError:
        raise
    except Exception as error:  # rasterio, GDAL and NumPy raise many types on damaged files
        line = " ".join(str(error.__cause__ or error).replace(str(path.resolve()), "").split())
        raise InputError(
            f"{path.name}: damaged or unsupported TIFF ({line.strip(': '):.120}); "
            "save or copy it again"
        ) from None


def _open_quietly(path: Path) -> Any:
    """The data set, without the warning that it is not georeferenced."""
    with _SHARED, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path.resolve(), driver="GTiff")


_quiet: dict[str, Any] = {"users": 0, "ours": (None, None), "former": (None, None)}


@contextmanager
def _no_decoding_noise() -> Iterator[None]:
    """Damaged files make GDAL send text that rasterio cannot decode; Python would print that.

    It passes both of Python's hooks for errors that nobody can catch; while a file is open, ours
    stand before them.
    """
    with _SHARED:
        if _quiet["users"] == 0:
            _quiet["former"] = sys.excepthook, sys.unraisablehook
            _quiet["ours"] = _excepthook(sys.excepthook), _unraisablehook(sys.unraisablehook)
            sys.excepthook, sys.unraisablehook = _quiet["ours"]
        _quiet["users"] += 1
    try:
        yield
    finally:
        with _SHARED:
            _quiet["users"] -= 1
            if _quiet["users"] == 0 and (sys.excepthook, sys.unraisablehook) == _quiet["ours"]:
                sys.excepthook, sys.unraisablehook = _quiet["former"]


def _excepthook(former: Callable[..., Any]) -> Callable[..., None]:
    """`former` for all but decoding errors that come from no Python code."""

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if not (kind is UnicodeDecodeError and trace is None):
            former(kind, error, trace)

    return hook


def _unraisablehook(former: Callable[[Any], Any]) -> Callable[[Any], None]:
    """`former` for all but rasterio's failures to log text that is not UTF-8."""

    def hook(event: Any) -> None:
        if not (event.exc_type is UnicodeDecodeError and "log_error" in str(event.object)):
            former(event)

    return hook
