"""Rational polynomial coefficients (RPC00B, .rpb): where on the ground an image's pixels lie.

With longitude, latitude and height centred and scaled to (L, P, H),

    line = s (p₁ · m) / (p₂ · m) + o,    sample likewise,

m the 20 monomials of (L, P, H) up to degree 3 in the order of RPC00B. The pixel that shows a place
is direct; the place of a pixel at a given height is found by Newton steps. For a whole map both are
done on a lattice and interpolated between its nodes, for the mapping is smooth.

References
----------
NIMA (2000). STDI-0002, The Compendium of Controlled Extensions for the NITF, RPC00B.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.io.georef import crs_wkt
from unmix.ortho import Affine, Ortho

__all__ = ["Rpc", "map_of", "read_rpb"]

_SCALARS = ("line", "samp", "lat", "long", "height")
_POLYNOMIALS = ("lineNumCoef", "lineDenCoef", "sampNumCoef", "sampDenCoef")
_LARGEST = 2**20
_STEPS = 20
_NODES = 33
_SPACING = 64  # pixels of a map between the nodes of its lattice
_BLOCK = 512
_MOST = 2**28  # pixels of a map

_LONLAT = "EPSG:4326"

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rpc:
    """An image's sensor model.

    Parameters
    ----------
    offset, scale : dict of str to float
        Of `line`, `samp` (pixels, from the centre of the first one), `lat`, `long` (degrees, WGS
        84) and `height` (metres above the ellipsoid).
    coefficients : ndarray, shape (4, 20)
        Line numerator and denominator, sample numerator and denominator.
    """

    offset: dict[str, float]
    scale: dict[str, float]
    coefficients: Array

    def image(self, lon: ArrayLike, lat: ArrayLike, height: ArrayLike) -> tuple[Array, Array]:
        """Line and sample, from 0 at the first pixel's centre, of places on the ground."""
        place = {"long": lon, "lat": lat, "height": height}
        L, P, H = (
            (np.asarray(value, np.float64) - self.offset[k]) / self.scale[k]
            for k, value in place.items()
        )
        m = np.stack(np.broadcast_arrays(*_monomials(L, P, H)))
        top_l, below_l, top_s, below_s = np.tensordot(self.coefficients, m, axes=1)
        line = top_l / below_l * self.scale["line"] + self.offset["line"]
        return line, top_s / below_s * self.scale["samp"] + self.offset["samp"]

    def ground(self, rows: Array, cols: Array, height: float) -> tuple[Array, Array]:
        """Longitude and latitude of pixels (from 0, at their centres) on ground of a height.

        Newton's method, for all of them at once.

        Raises
        ------
        InputError
            The coefficients put them nowhere.
        """
        lon = np.full(rows.shape, self.offset["long"])
        lat = np.full(rows.shape, self.offset["lat"])
        step = 1e-4 * self.scale["long"], 1e-4 * self.scale["lat"]
        with np.errstate(all="ignore"):
            for _ in range(_STEPS):
                line, samp = self.image(lon, lat, height)
                east, north = (
                    np.subtract(self.image(lon + dx, lat + dy, height), (line, samp)) / (dx or dy)
                    for dx, dy in ((step[0], 0.0), (0.0, step[1]))
                )
                a, b = rows - line, cols - samp
                det = east[0] * north[1] - north[0] * east[1]
                lon = lon + (a * north[1] - b * north[0]) / det
                lat = lat + (b * east[0] - a * east[1]) / det
            line, samp = self.image(lon, lat, height)
        miss = np.hypot(rows - line, cols - samp)
        if not (miss < 0.01).all() or np.abs(lat).max() > 90:
            raise InputError("coefficients that put the image nowhere on the ground")
        return lon, lat


def _monomials(L: Array, P: Array, H: Array) -> list[Array | float]:
    """The 20 terms in the order of RPC00B."""
    return [
        *(1.0, L, P, H, L * P, L * H, P * H, L * L, P * P, H * H),
        *(P * L * H, L**3, L * P * P, L * H * H, L * L * P),
        *(P**3, P * H * H, L * L * H, P * P * H, H**3),
    ]


def map_of(model: Rpc, shape: tuple[int, int], where: str) -> Ortho:
    """The map grid of an image by its sensor model, on ground of the model's mean height.

    The grid is north up in the UTM zone, its pixel as large as the image's median step.

    Parameters
    ----------
    model : Rpc
    shape : (rows, columns)
        The image's size.
    where : str
        The model's file, for messages.

    Raises
    ------
    InputError
        The model puts the image nowhere, or over far more ground than its pixels can cover.
    """
    from rasterio.warp import transform

    nodes = [np.linspace(0, n - 1, min(n, _NODES)) for n in shape]
    rows, cols = np.meshgrid(*nodes, indexing="ij")
    try:
        lon, lat = model.ground(rows, cols, model.offset["height"])
    except InputError as error:
        raise InputError(f"{where}: holds {error}; put the product's own file there") from None
    zone = int((lon.mean() + 180) % 360 // 6) + 1
    crs = crs_wkt(f"EPSG:{(32600 if lat.mean() >= 0 else 32700) + zone}") or _LONLAT
    x, y = (np.reshape(v, rows.shape) for v in transform(_LONLAT, crs, lon.ravel(), lat.ravel()))
    size = _step(x, y, rows, cols)
    if not (0 < size < np.inf and np.isfinite([x, y]).all()):
        raise InputError(f"{where}: puts all pixels in one place; put the product's own file there")
    left, top = x.min() - size / 2, y.max() + size / 2
    n_rows = int(np.ceil((top - y.min() + size / 2) / size))
    n_cols = int(np.ceil((x.max() + size / 2 - left) / size))
    if n_rows * n_cols > min(_MOST, 100 * rows.size + 20 * shape[0] * shape[1]):
        raise InputError(
            f"{where}: spreads the image over {n_rows} x {n_cols} pixels; put the product's own "
            "file there"
        )
    affine = (size, 0.0, float(left), 0.0, -size, float(top))
    index = _looked_up(model, shape, affine, (n_rows, n_cols), crs)
    return Ortho(index, shape, crs, affine)


def _step(x: Array, y: Array, rows: Array, cols: Array) -> float:
    """Median distance of neighbouring pixels, from a lattice of them; metres."""
    steps = [
        (np.hypot(np.diff(x, axis=k), np.diff(y, axis=k)) / np.diff(at, axis=k)).ravel()
        for k, at in ((0, rows), (1, cols))
    ]
    return float(np.round(np.median(np.concatenate(steps)), 3)) if rows.size > 1 else 30.0


def _looked_up(
    model: Rpc, shape: tuple[int, int], affine: Affine, size: tuple[int, int], crs: str
) -> NDArray[np.int32]:
    """For every pixel of a grid the image's pixel that its centre falls in, -1 outside."""
    from rasterio.warp import transform
    from scipy.interpolate import RectBivariateSpline

    step, _, left, _, _, top = affine
    nodes = [np.linspace(0, n, max(5, n // _SPACING + 2)) for n in size]
    rows, cols = np.meshgrid(*nodes, indexing="ij")
    x, y = left + step * cols, top - step * rows
    lon, lat = transform(crs, _LONLAT, x.ravel(), y.ravel())
    found = model.image(np.array(lon), np.array(lat), model.offset["height"])
    line, sample = (RectBivariateSpline(*nodes, v.reshape(rows.shape)) for v in found)
    index = np.full(size, -1, np.int32)
    across = np.arange(size[1]) + 0.5
    for start in range(0, size[0], _BLOCK):
        down = np.arange(start, min(start + _BLOCK, size[0])) + 0.5
        i, j = (np.rint(spline(down, across)) for spline in (line, sample))
        inside = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1])
        index[start : start + _BLOCK][inside] = (i * shape[1] + j)[inside]
    return index


def read_rpb(path: Path) -> Rpc:
    """The sensor model of an .rpb file.

    Raises
    ------
    InputError
        Not such a file, or without one of its numbers.
    """
    if path.stat().st_size > _LARGEST:
        raise InputError(f"{path.name}: is no RPB file; put the product's own there")
    text = path.read_text("latin-1")
    try:
        offset = {k: _number(text, f"{k}Offset") for k in _SCALARS}
        scale = {k: _number(text, f"{k}Scale") for k in _SCALARS}
        coefficients = np.array([_list(text, name) for name in _POLYNOMIALS])
    except (ValueError, TypeError):
        raise InputError(
            f"{path.name}: lacks a number of the RPC00B model; put the product's own file there"
        ) from None
    if not np.isfinite([*offset.values(), *scale.values()]).all() or not all(scale.values()):
        raise InputError(f"{path.name}: offsets and scales must be finite, scales not 0")
    return Rpc(offset, scale, coefficients)


def _number(text: str, name: str) -> float:
    match = re.search(rf"\b{name}\s*=\s*([^;\s]+)\s*;", text, re.IGNORECASE)
    return float(match[1] if match else "missing")


def _list(text: str, name: str) -> list[float]:
    match = re.search(rf"\b{name}\s*=\s*\(([^)]*)\)", text, re.IGNORECASE)
    found = [float(item) for item in (match[1] if match else "").split(",")]
    if len(found) != 20 or not np.isfinite(found).all():
        raise ValueError(name)
    return found
