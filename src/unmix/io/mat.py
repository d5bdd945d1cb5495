"""MATLAB scenes: which variable is the scene, and how its axes become (y, x, band).

Conventions of the field: `Y`, `V` or `X` of (bands, pixels) with `nRow`, `nCol` and pixels
counted down the columns, divided by `maxValue` where there is one; or a cube (rows, cols, bands).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.bands import band_table
from unmix.io.files import read_head
from unmix.io.georef import crs_wkt
from unmix.io.lazy import Affine, BandKey, Decoding, PixelSource, RawScene
from unmix.io.mat5 import Mat5Variable, is_mat5, scan_mat5
from unmix.io.mat73 import Mat73Variable, is_hdf5, scan_mat73

__all__ = ["MatPixels", "MatVariable", "read_mat", "scan_mat", "small_array"]

MatVariable = Mat5Variable | Mat73Variable

_CUBES = ("hyperspectral_cube",)
_MATRICES = ("Y", "V", "X")
_TRUTHS = ("S_GT", "abundance_cube", "A", "M", "GT", "spectra_library")
_WAVELENGTHS = ("wavelengths", "wavelength", "wl", "wave", "lambda", "bands_nm")
_SMALL = 10**6


@dataclass
class MatPixels:
    """Window reader of one MATLAB variable.

    A compressed v5 variable is decompressed at the first window and kept; all else is read
    window by window.

    Parameters
    ----------
    variable : MatVariable
    layout : str
        "cube" (rows, cols, bands), "bands_first" (bands, pixels) or "pixels_first"
        (pixels, bands), pixels counted down the columns.
    shape : (rows, cols, bands)
    """

    variable: MatVariable
    layout: str
    shape: tuple[int, int, int]
    _kept: NDArray[Any] | None = field(default=None, repr=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"variable": self.variable, "layout": self.layout, "shape": self.shape}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __call__(self, rows: slice, cols: slice, bands: BandKey) -> NDArray[Any]:
        """Stored numbers of a window, axes (y, x, band)."""
        if isinstance(self.variable, Mat73Variable):
            return self._hdf5_window(self.variable, rows, cols, bands)
        if not self.variable.compressed:
            return self._cube(self.variable.array())[rows, cols, bands]
        with self._lock:
            if self._kept is None:
                self._kept = self._cube(self.variable.array())
        return self._kept[rows, cols, bands]

    def _cube(self, array: NDArray[Any]) -> NDArray[Any]:
        """The variable as a view with axes (y, x, band)."""
        if self.layout == "cube":
            return array
        pixels = array.T if self.layout == "bands_first" else array
        n_rows, n_cols, n_bands = self.shape
        return pixels.reshape(n_cols, n_rows, n_bands).transpose(1, 0, 2)

    def _hdf5_window(
        self, variable: Mat73Variable, rows: slice, cols: slice, bands: BandKey
    ) -> NDArray[Any]:
        """The window, read with axes reversed and only where it lies."""
        if self.layout == "cube":
            return variable.read((bands, cols, rows)).transpose(2, 1, 0)
        n_rows, n_cols = rows.stop - rows.start, cols.stop - cols.start
        pixels = h5py.MultiBlockSlice(
            start=cols.start * self.shape[0] + rows.start,
            stride=self.shape[0],
            count=n_cols,
            block=n_rows,
        )
        if self.layout == "bands_first":
            window = variable.read((pixels, bands))
        else:
            window = variable.read((bands, pixels)).T
        return window.reshape(n_cols, n_rows, -1).transpose(1, 0, 2)


def scan_mat(path: Path) -> Mapping[str, MatVariable]:
    """Variables of a MATLAB file, v5 or v7.3, by name; no numbers are read.

    Raises
    ------
    InputError
        Not a MATLAB file of these versions, or damaged.
    """
    head = read_head(path)
    if is_hdf5(head):
        return scan_mat73(path)
    if is_mat5(head):
        return scan_mat5(path)
    raise InputError(f"{path.name}: not a MATLAB v5 or v7.3 file; save it with -v7 or -v7.3")


def read_mat(path: Path, variable: str | None = None) -> RawScene:
    """Scene from a MATLAB file; no pixel is read.

    Raises
    ------
    InputError
        No scene in it, several and none named, sizes that contradict each other, or damaged.
    """
    variables = scan_mat(path)
    where = path.name
    item = _choose(variables, variable, where)
    history = [f"scene read from variable {item.name} {item.shape}"]
    layout, shape = _layout(item, variables, where, history)
    decoding = _scale(variables, where, history)
    n_bands = shape[2]
    wavelength = _per_band(variables, _WAVELENGTHS, n_bands, history)
    bands = band_table(
        n_bands,
        where,
        history,
        wavelength=wavelength,
        fwhm=_per_band(variables, ("fwhm",), n_bands, history),
        good=_per_band(variables, ("bbl",), n_bands, history),
    )
    attrs: dict[str, Any] = {
        "format": "MATLAB",
        "variable": item.name,
        "interleave": "bsq" if layout == "cube" else "bip",
        "dtype_on_disk": item.dtype,
        "scale_declared": decoding.divisor != 1.0 or "maxValue" in variables,
    }
    if "maxValue" in variables:
        attrs["scale_factor"] = decoding.divisor
    kept = _per_band(variables, ("SlectBands", "SelectBands"), n_bands, history)
    if kept is not None:
        attrs["kept_bands"] = [int(b) for b in kept]
        history.append(f"bands {int(kept.min())} to {int(kept.max())} of the sensor, in part")
    pixels = PixelSource(shape, MatPixels(item, layout, shape), decoding)
    crs, affine = _place(variables, history)
    return RawScene(pixels, bands, [str(path)], crs, affine, attrs, history)


def _place(
    variables: Mapping[str, MatVariable], history: list[str]
) -> tuple[str | None, Affine | None]:
    """Where the scene lies: `crs`, as text, and `transform` (a, b, c, d, e, f), where it has them.

    Both or none: a file's own `transform` of another meaning is no georeferencing.
    """
    crs, values = variables.get("crs"), small_array(variables, "transform")
    if crs is None or crs.kind != "char" or values is None:
        return None, None
    wkt = crs_wkt(" ".join(crs.strings()))
    a, b, _, d, e, _ = values if values.size == 6 else np.full(6, np.nan)
    if wkt is None or not np.isfinite(values).all() or not abs(a * e - b * d) > 0:
        history.append("crs and transform are no georeferencing: left out")
        return None, None
    return wkt, tuple(values.tolist())


def small_array(variables: Mapping[str, MatVariable], name: str) -> NDArray[np.float64] | None:
    """A variable of few numbers, flat; None if it is not there, not numeric, or large."""
    item = variables.get(name)
    if item is None or item.kind != "numeric" or not 0 < math.prod(item.shape) <= _SMALL:
        return None
    return np.asarray(item.array(), np.float64).ravel(order="F")


def _choose(variables: Mapping[str, MatVariable], name: str | None, where: str) -> MatVariable:
    """The variable that is the scene."""
    usable = {
        n: v
        for n, v in variables.items()
        if v.kind == "numeric" and len(v.shape) in (2, 3) and min(v.shape) > 0
    }
    listing = ", ".join(f"{n} {v.shape}" for n, v in list(variables.items())[:12]) or "nothing"
    if name is not None:
        if name not in usable:
            raise InputError(
                f"{where}: variable {name!r} is no numeric array of 2 or 3 axes; found {listing}"
            )
        return usable[name]
    cubes = [n for n in usable if len(usable[n].shape) == 3 and n not in _TRUTHS]
    known = [n for n in _CUBES if n in cubes]
    known += [n for n in _MATRICES if n in usable and min(usable[n].shape) > 1]
    if known or len(cubes) == 1:
        return usable[(known or cubes)[0]]
    if cubes:
        raise InputError(
            f"{where}: several variables may be the scene ({', '.join(sorted(cubes))}); "
            "name one with variable= (--variable)"
        )
    raise InputError(
        f"{where}: no scene in it (found {listing}); store a cube (rows, cols, bands), or Y "
        "(bands, pixels) with nRow and nCol, or name it with variable= (--variable)"
    )


def _layout(
    item: MatVariable, variables: Mapping[str, MatVariable], where: str, history: list[str]
) -> tuple[str, tuple[int, int, int]]:
    """How the variable's axes lie, and the scene's (rows, cols, bands)."""
    if len(item.shape) == 3:
        return "cube", (item.shape[0], item.shape[1], item.shape[2])
    n_bands, n_pixels = item.shape
    rows, cols = (_whole(variables, name, where) for name in ("nRow", "nCol"))
    if rows and cols:
        if rows * cols == n_pixels:
            return "bands_first", (rows, cols, n_bands)
        if rows * cols == n_bands:
            history.append(f"{item.name} is (pixels, bands): turned")
            return "pixels_first", (rows, cols, n_pixels)
        raise InputError(
            f"{where}: nRow {rows} x nCol {cols} is not the {n_pixels} pixels of {item.name} "
            f"{item.shape}; correct them"
        )
    side = math.isqrt(n_pixels)
    if side * side != n_pixels or side < 2:
        raise InputError(
            f"{where}: nRow and nCol are missing and {n_pixels} pixels make no square; add them"
        )
    history.append(f"nRow and nCol missing: {n_pixels} pixels taken as a square of side {side}")
    return "bands_first", (side, side, n_bands)


def _whole(variables: Mapping[str, MatVariable], name: str, where: str) -> int | None:
    """A positive whole number, None where the file has no such variable."""
    if name not in variables:
        return None
    value = small_array(variables, name)
    if value is None or value.size != 1 or not 1 <= value[0] <= 1e9 or value[0] % 1:
        raise InputError(f"{where}: {name} is not a positive whole number; correct it")
    return int(value[0])


def _scale(variables: Mapping[str, MatVariable], where: str, history: list[str]) -> Decoding:
    """Division by `maxValue`, where the file has it."""
    if "maxValue" not in variables:
        return Decoding()
    value = small_array(variables, "maxValue")
    if value is None or value.size != 1 or not 1e-30 < value[0] < 1e30:
        raise InputError(f"{where}: maxValue is not one positive number; correct or remove it")
    history.append(f"divided by maxValue {value[0]:g}")
    return Decoding(divisor=float(value[0]))


def _per_band(
    variables: Mapping[str, MatVariable], names: tuple[str, ...], n_bands: int, history: list[str]
) -> NDArray[np.float64] | None:
    """The first of `names` that holds one number a band; others are left, with a line saying so."""
    for name in names:
        values = small_array(variables, name)
        if values is not None and values.size == n_bands:
            return values
        if values is not None:
            history.append(f"{name} has {values.size} values for {n_bands} bands: left out")
    return None
