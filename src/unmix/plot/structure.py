"""What a simulated scene's file holds, drawn as a tree with a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from scipy.io import loadmat, whosmat

from unmix.plot.style import COLOURS, GRID, INK, MUTED, SHADE, short

__all__ = ["Entry", "entries_of", "file_structure"]

WIDTH, ROW, HEAD, LEFT = 10.4, 0.34, 1.05, 0.35
COLUMNS = (0.62, 3.3, 4.95, 6.15)  # inches: name, size, type, what it holds
MONO = "DejaVu Sans Mono"
KIND_COLOURS = {
    "single": COLOURS[0], "double": COLOURS[2], "cell": COLOURS[1], "char": COLOURS[3],
    "struct": COLOURS[6], "int64": COLOURS[4], "int32": COLOURS[4], "float32": COLOURS[0],
}  # fmt: skip
MEANING = {
    "hyperspectral_cube": "reflectance: rows × columns × bands",
    "abundance_cube": "true abundances: rows × columns × members",
    "mineral_names": "name of each member",
    "spectra_library": "endmember spectra: members × bands",
    "wavelengths": "band centres in nm",
    "SNR_dB": "signal-to-noise ratio",
    "mixing_model": "mixing model",
    "parameters": "how the scene was made",
    "crs": "coordinate reference system",
    "transform": "affine (a, b, c, d, e, f) at pixel corners",
    "seed": "seed of everything random",
    "field": "kind of abundance maps",
    "noise_sigma": "standard deviation of the noise in each band",
    "beta": "strength of each interaction β_ij",
    "kind": "curve",
    "gamma": "its constant",
    "pair_gamma": "γ of each pair in each pixel",
    "b": "b of each pixel",
    "probability": "P of each pixel",
    "incidence": "angle of the light, degrees",
    "emergence": "angle of view, degrees",
    "brightness": "brightness of each pixel",
    "scale": "factor of each member's spectrum in each pixel",
    "bundles": "spectra that pixels draw theirs from",
    "bundle_index": "which spectrum of its bundle each pixel has",
}


@dataclass(frozen=True)
class Entry:
    """One line of the tree.

    Parameters
    ----------
    name, shape, kind, text : str
        Variable, its size, its type, what it holds.
    depth : int
        0 for a variable of the file, 1 for a field of a struct.
    """

    name: str
    shape: str
    kind: str
    text: str
    depth: int = 0


def entries_of(path: Path) -> list[Entry]:
    """The variables of a .mat file, the fields of its structs after them; or a GeoTIFF's parts."""
    if path.suffix.lower() != ".mat":
        return _raster_entries(path)
    found = []
    for name, shape, kind in whosmat(path):
        value = None
        if kind in ("char", "struct") or np.prod(shape) <= 64:
            value = loadmat(path, variable_names=[name])[name]
        size = _size(shape if value is None else _shape(value))
        found.append(Entry(name, size, kind, _text(name, value)))
        if kind == "struct" and value is not None:
            for field in value.dtype.names or ():
                inner = value[field].flat[0]
                found.append(
                    Entry(field, _size(_shape(inner)), _class(inner), _text(field, inner), 1)
                )
    return found


def _raster_entries(path: Path) -> list[Entry]:
    import rasterio

    found = []
    for file in sorted(path.parent.glob("*.tif")):
        with rasterio.open(file) as raster:
            size = _size((raster.height, raster.width, raster.count))
            truth = file.stem.endswith("_truth")
            text = MEANING["abundance_cube" if truth else "hyperspectral_cube"]
            found.append(Entry(file.name, size, raster.dtypes[0], text))
    return found


def _size(shape: Sequence[int]) -> str:
    return " × ".join(str(n) for n in shape)


def _shape(value: np.ndarray) -> tuple[int, ...]:
    """MATLAB's size of an array that scipy read: of a text, its letters."""
    return (1, len(value.flat[0])) if value.dtype.kind == "U" and value.size else value.shape


def _class(value: np.ndarray) -> str:
    """MATLAB's class of an array that scipy read."""
    kinds = {"f4": "single", "f8": "double"}
    return {"U": "char", "O": "cell"}.get(
        value.dtype.kind, kinds.get(value.dtype.str[1:], value.dtype.name)
    )


def _text(name: str, value: Any) -> str:
    """What a variable holds; a scalar's or a text's value, a list's first and last."""
    text = MEANING.get(name, "")
    if value is None or not value.size or value.dtype.names:
        return text
    if value.dtype.kind == "O" and all(cell.dtype.kind == "U" for cell in value.flat):
        return ", ".join(str(cell.flat[0]) for cell in value.flat)
    if value.dtype.kind == "U":
        return f"{text}: {value.flat[0]}"
    return f"{text}: {value.flat[0]:g}" if value.size == 1 else text


def file_structure(path: Path) -> Figure:
    """The variables of a file with their sizes and types, as a tree.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    entries = entries_of(path)
    figure = Figure(figsize=(WIDTH, HEAD + 0.25 + len(entries) * ROW + 0.3))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(figure.get_figheight(), 0))
    axes.axis("off")
    mat = path.suffix.lower() == ".mat"
    _write(axes, LEFT, 0.36, path.name if mat else "GeoTIFF scenes", 13, INK, weight="bold")
    size = f"{path.stat().st_size / 1e6:.1f} MB" if mat else f"{len(entries)} files"
    kind = "MATLAB v5" if mat else "deflate, georeferenced"
    _write(axes, LEFT, 0.63, f"{kind} · {size}", 9, MUTED)
    for x, head in zip(
        COLUMNS, ("variable" if mat else "file", "size", "type", "what"), strict=True
    ):
        _write(axes, x, HEAD, head, 9, MUTED)
    axes.plot([LEFT, WIDTH - LEFT], [HEAD + 0.17] * 2, color=MUTED, linewidth=0.8)
    _draw_rows(axes, entries, HEAD + 0.2 + ROW / 2)
    return figure


def _draw_rows(axes: Axes, entries: Sequence[Entry], top: float) -> None:
    stems: dict[int, float] = {0: HEAD + 0.17}
    for i, entry in enumerate(entries):
        y, x = top + i * ROW, LEFT + 0.08 + 0.3 * entry.depth
        if i % 2 == 0:
            axes.fill_between([LEFT, WIDTH - LEFT], y - ROW / 2, y + ROW / 2, color=SHADE, lw=0)
    for i, entry in enumerate(entries):
        y, x = top + i * ROW, LEFT + 0.08 + 0.3 * entry.depth
        axes.plot([x, x, x + 0.13], [stems[entry.depth], y, y], color=MUTED, linewidth=0.9)
        stems[entry.depth], stems[entry.depth + 1] = y, y + 0.1
        room = COLUMNS[1] - COLUMNS[0] - 0.3 * entry.depth
        _write(
            axes, COLUMNS[0] + 0.3 * entry.depth, y, short(entry.name, room, 9.5), 9.5, INK,
            family=MONO,
        )  # fmt: skip
        _write(axes, COLUMNS[1], y, entry.shape, 9.5, INK)
        _chip(axes, COLUMNS[2], y, entry.kind)
        _write(axes, COLUMNS[3], y, short(entry.text, WIDTH - LEFT - COLUMNS[3] + 0.6, 9), 9, MUTED)
    end = top + (len(entries) - 0.5) * ROW
    axes.plot([LEFT, WIDTH - LEFT], [end] * 2, color=GRID, linewidth=0.8)


def _chip(axes: Axes, x: float, y: float, text: str) -> None:
    """A type in a rounded box of its colour."""
    colour = KIND_COLOURS.get(text, MUTED)
    shape = "round,pad=0,rounding_size=0.06"
    box = FancyBboxPatch(
        (x - 0.05, y - 0.1), 0.78, 0.2, boxstyle=shape, fc=colour, alpha=0.14, lw=0
    )
    axes.add_patch(box)
    axes.text(x + 0.34, y, text, fontsize=8.5, color=colour, ha="center", va="center")


def _write(
    axes: Axes, x: float, y: float, text: str, size: float, colour: str, **font: Any
) -> None:
    axes.text(x, y, text, fontsize=size, color=colour, va="center", parse_math=False, **font)
