"""The compiled pass behind feature maps: each pixel is read once, all features measured in it.

Blocks of pixels are turned so that pixels lie next to each other: every sum over bands is then a
loop over pixels that the processor does many at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmix.features.sampling import Sampling

__all__ = ["Plan", "make_plan", "run"]

_BLOCK = 32  # pixels that are turned at a time
_TAPS = 4  # weights that are applied in one go over a block
_BRIDGE = 40.0  # nm, the widest hole in a pixel's bands that is filled by a straight line


@dataclass(frozen=True, eq=False)
class Plan:
    """Several features on one list of bands, as flat arrays for the kernel.

    Parameters
    ----------
    bands, wavelength : ndarray, shape (used,)
        All bands that any feature needs, by wavelength [nm].
    ends : ndarray of int, shape (feature, 4)
        First band and count of the continuum's left and right end.
    span : ndarray of int, shape (feature, 2)
        First node and the one after the last, with a neighbour at either side of the range.
    nodes, line : ndarray, shape (node,)
        Wavelengths, and where on the continuum they lie (0 left, 1 right).
    tap : ndarray of int, shape (node, 2)
        First band and count of a node's smoothing weights.
    weights : ndarray, shape (node, tap)
    noise : ndarray, shape (node,)
        Standard deviation of the smoothed noise, in the unit of the pixels.
    end_noise : ndarray, shape (feature, 2)
        The same of the continuum's ends.
    """

    bands: NDArray[np.uintp]
    wavelength: NDArray[np.float64]
    ends: NDArray[np.intp]
    span: NDArray[np.intp]
    nodes: NDArray[np.float64]
    line: NDArray[np.float32]
    tap: NDArray[np.intp]
    weights: NDArray[np.float32]
    noise: NDArray[np.float32]
    end_noise: NDArray[np.float32]


def make_plan(
    samplings: list[Sampling], wavelength: NDArray[np.floating], noise: NDArray[np.floating] | None
) -> Plan:
    """Arrays for the kernel; `noise` (band, component) times its transpose is the covariance."""
    every = np.unique(np.concatenate([s.bands for s in samplings]))
    bands = every[np.argsort(wavelength[every], kind="stable")]
    place = np.empty(int(bands.max()) + 1, np.intp)
    place[bands] = np.arange(len(bands))
    ends, span, taps = [], [], list[tuple[int, int]]()
    nodes, line, sds, rows = list[float](), list[float](), list[float](), list[NDArray]()
    end_sds = []
    for s in samplings:
        at = place[s.bands]
        left = np.zeros((len(at), 1)) if noise is None else noise[s.bands]  # (used, component)
        end_sds.append([np.linalg.norm(end @ left) for end in (s.left, s.right)])
        ends.append([v for end in (s.left, s.right) for v in _run_of(at, end)])
        first, last = max(s.inside[0] - 1, 0), min(s.inside[1] + 1, len(s.nodes))
        span.append((len(nodes), len(nodes) + last - first))
        for k in range(first, last):
            start, count = _run_of(at, s.smooth[k])
            own = s.smooth[k][np.flatnonzero(s.smooth[k])]
            nodes.append(s.nodes[k])
            line.append(s.line[k])
            taps.append((start, count))
            rows.append(own)
            sds.append(float(np.linalg.norm(s.smooth[k] @ left)))
    most = -(-max(map(len, rows)) // _TAPS) * _TAPS
    weights = np.zeros((len(rows), most), np.float32)
    for k, row in enumerate(rows):
        weights[k, : len(row)] = row
    return Plan(
        bands.astype(np.uintp), np.asarray(wavelength, np.float64)[bands], np.array(ends, np.intp),
        np.array(span, np.intp), np.array(nodes), np.array(line, np.float32),
        np.array(taps, np.intp), weights, np.array(sds, np.float32),
        np.array(end_sds, np.float32),
    )  # fmt: skip


def _run_of(at: NDArray[np.intp], weights: NDArray[np.floating]) -> tuple[int, int]:
    """First band and count of the run of bands that have a weight."""
    used = at[np.flatnonzero(weights)]
    return int(used[0]), len(used)


@njit(nogil=True, cache=True)
def _turn(X: Any, bands: Any, begin: int, size: int, nodata: float, buffer: Any) -> None:
    """Pixels [begin, begin + size) into `buffer` (band, pixel); the last fills the block up."""
    marked = np.isfinite(nodata)
    for p in range(_BLOCK):
        i = begin + min(p, size - 1)
        for j in range(len(bands)):
            buffer[j, p] = np.float32(X[i, bands[j]])
        if marked:
            for j in range(len(bands)):
                if buffer[j, p] == nodata:
                    buffer[j, p] = np.float32(np.nan)


@njit(nogil=True, cache=True)
def _mend(buffer: Any, p: int, x: Any) -> None:
    """Fill holes of one pixel by straight lines where they are narrow."""
    last = -1
    for j in range(len(x)):
        if not np.isfinite(buffer[j, p]):
            continue
        if last >= 0 and j > last + 1 and x[j] - x[last] <= _BRIDGE:
            rise = (buffer[j, p] - buffer[last, p]) / (x[j] - x[last])
            for h in range(last + 1, j):
                buffer[h, p] = buffer[last, p] + rise * (x[h] - x[last])
        last = j


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _mean(buffer: Any, first: int, count: int, out: Any) -> None:
    """Mean of bands [first, first + count) of every pixel of the block."""
    for p in range(_BLOCK):
        out[p] = np.float32(0)
    for j in range(first, first + count):
        for p in range(_BLOCK):
            out[p] += buffer[j, p]
    share = np.float32(1) / np.float32(count)
    for p in range(_BLOCK):
        out[p] *= share


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _depths(
    buffer: Any, low: Any, high: Any, line: Any, tap: Any, weights: Any, a: int, b: int, D: Any
) -> None:
    """Depth below the continuum at nodes [a, b) of every pixel of the block, into D (node, p)."""
    for k in range(a, b):
        row, t = k - a, line[k]
        for p in range(_BLOCK):
            D[row, p] = np.float32(0)
        for j in range(0, tap[k, 1], _TAPS):
            r = tap[k, 0] + j
            w0, w1, w2, w3 = weights[k, j], weights[k, j + 1], weights[k, j + 2], weights[k, j + 3]
            for p in range(_BLOCK):
                D[row, p] += (
                    w0 * buffer[r, p]
                    + w1 * buffer[r + 1, p]
                    + w2 * buffer[r + 2, p]
                    + w3 * buffer[r + 3, p]
                )
        for p in range(_BLOCK):
            D[row, p] = np.float32(1) - D[row, p] / (low[p] + t * (high[p] - low[p]))


@njit(nogil=True, cache=True)
def _deepest(D: Any, first: int, last: int, best: Any, height: Any, total: Any) -> None:
    """Node and depth of the deepest of nodes [first, last); the sum tells whether any is NaN."""
    for p in range(_BLOCK):
        best[p], height[p], total[p] = np.float32(first), D[first, p], np.float32(0)
    for k in range(first, last):
        at, row = np.float32(k), D[k]
        for p in range(_BLOCK):
            d = row[p]
            total[p] += d
            deeper = d > height[p]
            best[p] = at if deeper else best[p]
            height[p] = d if deeper else height[p]


@njit(nogil=True, cache=True)
def _vertex(D: Any, p: int, k: int, x: Any, a: int) -> tuple[float, float]:
    """Centre and depth of the parabola through node k and its neighbours; NaN if k is no peak."""
    d0, d1, d2 = float(D[k - 1, p]), float(D[k, p]), float(D[k + 1, p])
    h1, h2 = x[a + k] - x[a + k - 1], x[a + k + 1] - x[a + k]
    s1, s2 = (d1 - d0) / h1, (d2 - d1) / h2
    bend = (s2 - s1) / (h1 + h2)
    if not (d1 >= d0 and d1 >= d2 and bend < 0):
        return np.nan, d1
    slope = (s1 * h2 + s2 * h1) / (h1 + h2)
    shift = -slope / (2 * bend)
    return x[a + k] + shift, d1 + 0.5 * slope * shift


@njit(nogil=True, cache=True)
def run(
    X: Any, nodata: float, bands: Any, x_bands: Any, ends: Any, span: Any, inside: Any, x: Any,
    line: Any, tap: Any, weights: Any, noise: Any, least: float, sure: float, dark: Any,
    column: Any, depth: Any, centre: Any, start: int, stop: int,
) -> int:  # fmt: skip
    """Depth and centre of pixels [start, stop); feature f goes into column[f]."""
    buffer = np.zeros((len(bands) + _TAPS, _BLOCK), np.float32)
    D = np.empty((len(x), _BLOCK), np.float32)
    low, high = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    best, peak = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    total = np.empty(_BLOCK, np.float32)
    for begin in range(start, stop, _BLOCK):
        size = min(_BLOCK, stop - begin)
        _turn(X, bands, begin, size, nodata, buffer)
        mended = False
        for f in range(len(span)):
            a, b, c = span[f, 0], span[f, 1], column[f]
            for _ in range(2):  # again where a hole was found and mended
                _mean(buffer, ends[f, 0], ends[f, 1], low)
                _mean(buffer, ends[f, 2], ends[f, 3], high)
                _depths(buffer, low, high, line, tap, weights, a, b, D)
                _deepest(D, inside[f, 0], inside[f, 1], best, peak, total)
                whole = np.float32(0)
                for p in range(_BLOCK):
                    whole += total[p]
                if mended or np.isfinite(whole):
                    break
                mended = True
                for p in range(_BLOCK):
                    _mend(buffer, p, x_bands)
            for p in range(size):
                i = begin + p
                lit = low[p] > dark[f, 0] and high[p] > dark[f, 1]
                if not (lit and np.isfinite(total[p])):
                    depth[i, c], centre[i, c] = np.nan, np.nan
                    continue
                k, height, place = int(best[p]), float(peak[p]), np.nan
                if 0 < k < b - a - 1 and height > 0.5 * least:
                    place, height = _vertex(D, p, k, x, a)
                level = low[p] + line[a + k] * (high[p] - low[p])
                sound = height >= least and height * level >= sure * noise[a + k]
                depth[i, c], centre[i, c] = height, place if sound else np.nan
    return 0
