"""RPC00B files for miniature products: a sensor model fitted to where pixels lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.io.rpb import Rpc

__all__ = ["fit_rpc", "write_rpb"]

Array = NDArray[np.float64]
HEIGHT = 1200.0
_TERMS = 10  # 1, L, P, H, LP, LH, PH, L², P², H²


def fit_rpc(lon: Array, lat: Array) -> Rpc:
    """The model of an image whose pixel centres lie at lon, lat (rows, columns), in degrees.

    Second-degree numerators, denominators 1, by least squares; height has no effect.

    >>> lon, lat = np.meshgrid(110 + np.arange(6) * 3e-4, 37 - np.arange(5) * 3e-4)
    >>> line, sample = fit_rpc(lon, lat).image(lon[3, 4], lat[3, 4], 0.0)
    >>> round(float(line), 6), round(float(sample), 6)
    (3.0, 4.0)
    """
    pixels = np.indices(lon.shape, dtype=np.float64)
    given: dict[str, Array] = {"line": pixels[0], "samp": pixels[1], "lat": lat, "long": lon}
    offset = {k: float((v.min() + v.max()) / 2) for k, v in given.items()} | {"height": HEIGHT}
    scale = {k: max(float(v.max() - v.min()) / 2, 1e-9) for k, v in given.items()} | {
        "height": 500.0
    }
    L, P = ((given[k].ravel() - offset[k]) / scale[k] for k in ("long", "lat"))
    zero = np.zeros_like(L)
    terms = np.stack([zero + 1, L, P, zero, L * P, zero, zero, L * L, P * P, zero], axis=1)
    coefficients = np.zeros((4, 20))
    coefficients[[1, 3], 0] = 1.0
    for row, key in ((0, "line"), (2, "samp")):
        wanted = (given[key].ravel() - offset[key]) / scale[key]
        coefficients[row, :_TERMS] = np.linalg.lstsq(terms, wanted, rcond=None)[0]
    return Rpc(offset, scale, coefficients)


def write_rpb(path: Path, model: Rpc) -> None:
    """Write a model as an RPB file."""
    lines = ['satId = "XXX";', 'bandId = "X";', 'SpecId = "RPC00B";', "BEGIN_GROUP = IMAGE"]
    lines += ["\terrBias = 1.0;", "\terrRand = 0.0;"]
    lines += [f"\t{name}Offset = {value!r};" for name, value in model.offset.items()]
    lines += [f"\t{name}Scale = {value!r};" for name, value in model.scale.items()]
    names = ("lineNumCoef", "lineDenCoef", "sampNumCoef", "sampDenCoef")
    for name, row in zip(names, model.coefficients, strict=True):
        values = ",\n".join(f"\t\t\t{value:+.15E}" for value in row)
        lines.append(f"\t{name} = (\n{values});")
    path.write_text("\n".join([*lines, "END_GROUP = IMAGE", "END;", ""]))
