"""ENVI's text export of regions of interest (Output ROIs to ASCII).

Lines that begin with a semicolon say what follows: the file's dimension, each region's name and
number of points (all regions first, or each before its points), and the columns. Then a line a
point; X and Y count samples and lines from 1. An export of addresses has one column, `Addr`, the
pixel's place in the image counted from 0; one of band values alone does not say where its points
lie.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError

__all__ = ["is_envi_roi", "read_envi_roi"]

Pixels = dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]]
_ABOUT = re.compile(r";\s*(ROI name|ROI npts|File Dimension)\s*:\s*(.*?)\s*$", re.IGNORECASE)
_LARGEST = 512 * 2**20


def is_envi_roi(head: bytes) -> bool:
    """Whether a file begins as such an export does.

    >>> is_envi_roi(b"; ENVI Output of ROIs (4.8) [Mon]"), is_envi_roi(b"name,row,col")
    (True, False)
    """
    text = head.lstrip(b"\xef\xbb\xbf").lstrip()
    return text.startswith(b";") and b"ROI" in text


def read_envi_roi(path: Path, rows: int, cols: int) -> Pixels:
    """Rows and columns, from 0, of the points of each region of a scene of this size.

    Raises
    ------
    InputError
        Another image's size, no X and Y (nor Addr), fewer points than announced, no region.
    """
    if path.stat().st_size > _LARGEST:
        raise InputError(f"{path.name}: more than {_LARGEST} bytes; export fewer regions")
    names: list[str] = []
    counts: list[int] = []
    columns: list[str] = []
    points: list[list[str]] = []
    for line in path.read_text("utf-8", "replace").lstrip("\ufeff").splitlines():
        text = line.strip()
        if not text:
            continue
        if not text.startswith(";"):
            points.append(text.split())
            continue
        match = _ABOUT.match(text)
        if match is None:
            columns = _columns(text) or columns
        elif match[1].lower() == "roi name":
            names.append(match[2] or f"region {len(names) + 1}")
        elif match[1].lower() == "roi npts":
            counts.append(_whole(match[2], path))
        else:
            _check_size(match[2], rows, cols, path)
    if not names or len(counts) != len(names):
        raise InputError(f"{path.name}: names no region with its points; export it from ENVI again")
    if len(points) != sum(counts):
        raise InputError(
            f"{path.name}: {len(points)} points where its regions announce {sum(counts)}; the file "
            "is cut off: export it again"
        )
    y, x = _places(points, columns, cols, path)
    return _by_name(names, counts, y, x)


def _columns(text: str) -> list[str]:
    """Names of the columns, [] where a comment names none."""
    plain = re.sub(r"(?i)\bmap\s+([xy])\b", r"Map\1", text.lstrip("; \t"))
    found = plain.split()
    known = {name.lower() for name in found}
    return found if known & {"addr", "id", "x", "b1", "b_1"} else []


def _whole(text: str, path: Path) -> int:
    if not re.fullmatch(r"\d{1,12}", text):
        raise InputError(f"{path.name}: {text!r:.40} is no number of points; export it again")
    return int(text)


def _check_size(text: str, rows: int, cols: int, path: Path) -> None:
    """ENVI writes samples x lines."""
    match = re.fullmatch(r"(\d+)\s*x\s*(\d+)", text)
    if match and (int(match[1]), int(match[2])) != (cols, rows):
        raise InputError(
            f"{path.name}: its regions lie in an image of {match[1]} columns and {match[2]} rows, "
            f"the scene has {cols} and {rows}; export them for this scene"
        )


def _places(
    points: list[list[str]], columns: list[str], cols: int, path: Path
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    names = [name.lower() for name in columns]
    try:
        if "x" in names and "y" in names:
            i, j = names.index("y"), names.index("x")
            place = np.array([[float(p[i]), float(p[j])] for p in points], float).reshape(-1, 2) - 1
            if not (np.abs(place) < 1e9).all():
                raise ValueError
            y, x = np.floor(place + 1e-6).astype(np.intp).T
        elif "addr" in names:
            address = np.array([int(p[names.index("addr")]) for p in points], np.intp)
            y, x = np.divmod(address, cols)
        else:
            raise InputError(
                f"{path.name}: has no columns X and Y; export it with the pixels' locations"
            )
    except (ValueError, IndexError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name}: a point's place is no number; export it again") from None
    return y, x


def _by_name(
    names: list[str], counts: list[int], y: NDArray[np.intp], x: NDArray[np.intp]
) -> Pixels:
    """Regions of one name are one."""
    found: Pixels = {}
    stops = np.cumsum(counts)
    for name, stop, count in zip(names, stops, counts, strict=True):
        part = slice(stop - count, stop)
        before = found.get(name, (np.empty(0, np.intp), np.empty(0, np.intp)))
        found[name] = (np.concatenate([before[0], y[part]]), np.concatenate([before[1], x[part]]))
    return found
