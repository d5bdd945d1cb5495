"""Regions of a scene, a class each: from polygons, ENVI's text export, or windows.

`unmix.io.roi_polygons` says which pixels a polygon holds. Windows are rows and columns counted from
0, the stop left out, as in ``scene[10:20, 30:40]``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.files import read_head
from unmix.io.roi_envi import is_envi_roi, read_envi_roi
from unmix.io.roi_polygons import FIELDS, pixels_of_polygons
from unmix.io.vector import SUFFIXES, read_polygons

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Region", "read_regions"]

Index = NDArray[np.intp]
_WINDOW = re.compile(r"\s*([^=;]+?)\s*=\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*")
_MOST_PIXELS = 10**7  # of a region, in windows that a polygon's bounds span


@dataclass(frozen=True, eq=False)
class Region:
    """The pixels of a class.

    Parameters
    ----------
    name : str
    rows, cols : ndarray of int, shape (pixel,)
        Each pixel once, in the order of the scene.
    parts : int
        Polygons or windows they come from.
    """

    name: str
    rows: Index
    cols: Index
    parts: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """True in its pixels (row, col).

        >>> Region("a", np.array([0]), np.array([2])).mask((2, 3))
        array([[False, False,  True],
               [False, False, False]])
        """
        out = np.zeros(shape, bool)
        out[self.rows, self.cols] = True
        return out


def read_regions(
    source: str | Path, scene: xr.DataArray, field: str | None = None
) -> tuple[Region, ...]:
    """The regions of a scene, one a class, in the order in which the classes first come.

    Parameters
    ----------
    source : path-like or str
        .geojson, .gpkg or .shp with polygons; ENVI's text export; a CSV with the columns
        class, row, col or class, row0, row1, col0, col1; or windows such as
        "soil=10:20,30:40;tree=0:5,7:9".
    scene : xarray.DataArray, dims (y, x, ...)
    field : str, optional
        The polygons' column that holds the class; one of `FIELDS` when left out.

    Raises
    ------
    InputError
        Whatever is wrong with the regions, in one line.

    >>> import xarray as xr
    >>> scene = xr.DataArray(np.zeros((6, 9, 2)), dims=("y", "x", "band"))
    >>> [(r.name, len(r)) for r in read_regions("soil=0:2,1:4; tree=3:6,0:1; soil=4:5,8:9", scene)]
    [('soil', 7), ('tree', 3)]
    """
    shape = (scene.sizes["y"], scene.sizes["x"])
    text = str(source)
    if not text.strip():
        raise InputError("roi: is empty; give a file or windows such as soil=10:20,30:40")
    if isinstance(source, str) and "=" in text and not _exists(text):
        found = _windows(text, shape)
        name = "roi"
    else:
        path = Path(source)
        name, head = path.name, read_head(path)
        if path.suffix.lower() in SUFFIXES:
            found = pixels_of_polygons(read_polygons(path), scene, field, name)
        elif field is not None:
            raise InputError(f"roi-field: {name} has no fields; leave it out")
        elif is_envi_roi(head):
            places = read_envi_roi(path, *shape)
            found = iter([(title, y, x) for title, (y, x) in places.items()])
        elif path.suffix.lower() in (".csv", ".txt"):
            found = _table(path, shape)
        else:
            raise InputError(
                f"{name}: no regions in a form unmix reads; give {', '.join(SUFFIXES)}, ENVI's "
                "text export, a CSV or windows such as soil=10:20,30:40"
            )
    return _gathered(found, shape, name)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:
        return False


def _gathered(
    found: Iterator[tuple[str, Index, Index]], shape: tuple[int, int], source: str
) -> tuple[Region, ...]:
    """Classes with their pixels; each must have one inside the scene."""
    flat: dict[str, list[Index]] = {}
    for name, y, x in found:
        inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
        if not inside.any():
            raise InputError(
                f"{source}: a region of {name!r:.60} lies outside the scene, which has {shape[0]} "
                f"rows and {shape[1]} columns; move or delete it"
            )
        flat.setdefault(name, []).append(y[inside] * shape[1] + x[inside])
    if not flat:
        raise InputError(f"{source}: holds no region; draw one round each material")
    out = []
    for name, parts in flat.items():
        rows, cols = np.divmod(np.unique(np.concatenate(parts)), shape[1])
        out.append(Region(name, rows, cols, len(parts)))
    _check_apart(out, source)
    return tuple(out)


def _check_apart(regions: Sequence[Region], source: str) -> None:
    """No two classes may be of the same pixels: nothing would tell them apart."""
    seen: dict[tuple[bytes, bytes], str] = {}
    for region in regions:
        pixels = (region.rows.tobytes(), region.cols.tobytes())
        if pixels in seen:
            raise InputError(
                f"{source}: {seen[pixels]!r:.60} and {region.name!r:.60} hold the same "
                f"{len(region)} pixel(s); give each class a region of its own"
            )
        seen[pixels] = region.name


# --- windows and tables -----------------------------------------------------------------------


def _windows(text: str, shape: tuple[int, int]) -> Iterator[tuple[str, Index, Index]]:
    for term in filter(str.strip, text.split(";")):
        match = _WINDOW.fullmatch(term)
        if match is None:
            raise InputError(
                f"roi: cannot read {term.strip()!r:.60}; write CLASS=ROW:ROW,COLUMN:COLUMN, such "
                "as soil=10:20,30:40, with semicolons between"
            )
        yield _window(match[1], [int(v) for v in match.groups()[1:]], shape)


def _window(name: str, ends: Sequence[int], shape: tuple[int, int]) -> tuple[str, Index, Index]:
    top, bottom, left, right = ends
    if top >= bottom or left >= right:
        raise InputError(
            f"roi: the window {top}:{bottom},{left}:{right} of {name!r:.60} is empty; rows and "
            "columns count from 0 and the stop is left out"
        )
    if bottom > shape[0] or right > shape[1]:
        raise InputError(
            f"roi: the window {top}:{bottom},{left}:{right} of {name!r:.60} reaches outside the "
            f"scene, which has {shape[0]} rows and {shape[1]} columns; give rows first"
        )
    if (bottom - top) * (right - left) > _MOST_PIXELS:
        raise InputError(f"roi: the window of {name!r:.60} is larger than a region; give a smaller")
    y, x = np.mgrid[top:bottom, left:right]
    return name, y.ravel(), x.ravel()


def _table(path: Path, shape: tuple[int, int]) -> Iterator[tuple[str, Index, Index]]:
    """Rows of a CSV: pixels, or windows."""
    try:
        lines = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: is no CSV ({error}); export it again") from None
    names = {str(k).strip().lower(): k for k in (lines[0] if lines else {})}
    label = next((names[f] for f in FIELDS if f in names), None)
    window = ("row0", "row1", "col0", "col1")
    columns = window if set(window) <= set(names) else ("row", "col")
    if label is None or not set(columns) <= set(names):
        raise InputError(
            f"{path.name}: needs a header with class,row,col or class,row0,row1,col0,col1 and "
            "lines below; rows and columns count from 0"
        )
    for number, line in enumerate(lines, start=2):
        try:
            ends = [int(str(line[names[c]]).strip()) for c in columns]
        except ValueError:
            raise InputError(
                f"{path.name}: line {number} has a row or column that is no whole number; "
                "correct it"
            ) from None
        name = str(line[label] or "").strip()
        if not name:
            raise InputError(f"{path.name}: line {number} names no class; correct it")
        if columns is window:
            yield _window(name, ends, shape)
        else:
            yield name, np.array(ends[:1]), np.array(ends[1:])
