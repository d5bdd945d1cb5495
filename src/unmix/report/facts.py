"""What the page says in words and numbers; every part of the provenance may be missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix import ground
from unmix.ortho import Ortho
from unmix.output.rasters import georeferencing
from unmix.plot import member_colour
from unmix.plot.style import section
from unmix.report import scale
from unmix.summary import fit_of, summary_of
from unmix.types import Unmixing


def number(value: Any, digits: int = 3) -> str:
    """A number as people write it: `digits` significant, thousands apart; anything else as text.

    >>> number(123), number(0.012345), number(1e-9), number(None), number("auto")
    ('123', '0.0123', '1e-9', '–', 'auto')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 10**digits:
        return f"{value:,.0f}".replace(",", "\u202f")
    return f"{value:.{digits}g}".replace("e-0", "e-")


def fraction(value: Any) -> str:
    """A probability or a share with two decimals; below 1 it is not called 1.

    >>> fraction(0.6), fraction(0.9987), fraction(1.0), fraction(None)
    ('0.60', '0.99', '1.00', '–')
    """
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return f"{min(value, 0.99) if value < 1 else value:.2f}"


def scene_name(result: Unmixing) -> str:
    """The input's file name without its ending."""
    path = section(result, "input").get("path")
    return PurePath(str(path)).stem if path else "Unmixed scene"


def lead(result: Unmixing) -> str:
    """One sentence: what was done to what."""
    rows, columns, n = result.abundances.shape
    kept, total = _bands(result)
    method = _method(result)
    return (
        f"{n} endmembers{f' by {method}' if method else ''} in {number(rows)} × {number(columns)} "
        f"pixels, from {number(kept)}{f' of {number(total)}' if kept < total else ''} bands."
    )


def _method(result: Unmixing) -> str:
    method = section(result, "method")
    return str(method.get("label") or method.get("name") or "")


def _bands(result: Unmixing) -> tuple[int, int]:
    used = np.isfinite(result.endmembers.spectra).any(axis=0)
    return int(used.sum()), int(used.size)


def key_facts(result: Unmixing) -> list[tuple[str, str, str]]:
    """Name, value and remark of the figures that come first."""
    valid, rows_columns = summary_of(result).valid, result.abundances.shape[:2]
    chosen, bright = section(result, "n_endmembers"), section(result, "scale")
    median = fit_of(result).median
    noise = section(result, "noise").get("snr_db")
    seconds = _seconds(section(result, "timings"))
    seen = int(in_scene(result).sum())
    share = f"{math.floor(1000 * valid / seen) / 10}% of {number(seen)}"
    share += " on the map grid" if seen < math.prod(rows_columns) else ""
    facts = [
        ("Method", _method(result), ""),
        ("Endmembers", str(len(result.endmembers)), _because(chosen)),
        ("Brightness", str(bright.get("mode") or ""), _because(bright)),
        ("Pixel", *scale.pixel(result)),
        ("Valid pixels", number(valid), share),
        ("Median residual", number(median), "root mean square over the bands, in reflectance"),
        ("Signal to noise", *_snr(noise)),
        ("Run time", duration(seconds) if seconds else "", _clock(result)),
    ]
    return [f for f in facts if f[1]]


def _snr(decibels: Any) -> tuple[str, str]:
    """Signal to noise with its meaning."""
    if not isinstance(decibels, int | float) or not math.isfinite(decibels):
        return "", ""
    share = number(100 * 10 ** (-decibels / 20), 2)
    return f"{number(decibels)} dB", f"estimated: noise is {share} % of the signal"


def in_scene(result: Unmixing) -> NDArray[np.bool_]:
    """Pixels (y, x) that belong to the scene: all but those that a swath leaves of its grid."""
    lookup = result.abundances.attrs.get("lookup")
    if not isinstance(lookup, Ortho):
        return np.ones(result.abundances.shape[:2], np.bool_)
    return np.asarray(lookup.index >= 0)


def _because(part: Mapping[str, Any]) -> str:
    """How something was chosen, in a few words."""
    if part.get("chosen") == "user":
        return "as asked"
    how = {"auto": "chosen", "estimated": "estimated"}.get(str(part.get("chosen")), "")
    return ": ".join(str(w) for w in (how, part.get("why")) if w)


def _clock(result: Unmixing) -> str:
    threads = result.provenance.get("threads")
    return f"{threads} thread{'s' if threads != 1 else ''}" if isinstance(threads, int) else ""


def _seconds(timings: Mapping[str, Any]) -> float:
    values = {k: float(v) for k, v in timings.items() if isinstance(v, int | float)}
    return values.get("total", math.fsum(values.values()))


def duration(seconds: float) -> str:
    """A time span as people say it.

    >>> duration(0.42), duration(48.5), duration(200), duration(7322)
    ('0.42 s', '48.5 s', '3 min 20 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def outputs(result: Unmixing) -> str:
    """Which files hold what the page shows."""
    maps = ["abundances.tif", "residual.tif"]
    maps += [] if result.uncertainty is None else ["uncertainty.tif"]
    spectra = ["endmembers.csv"]
    spectra += [] if result.endmembers.spread is None else ["endmembers_spread.csv"]
    listed = f"{', '.join(maps[:-1])} and {maps[-1]}"
    if result.provenance.get("format") == "zarr":
        listed = "maps.zarr"
    return (
        f"The maps are in {listed}, the spectra in {' and '.join(spectra)}, "
        "everything else in manifest.json."
    )


# --- materials ------------------------------------------------------------------------------------


def materials(result: Unmixing) -> list[dict[str, Any]]:
    """Each endmember's colour, name, mean abundance, and the share of pixels it dominates."""
    found, area = summary_of(result), pixel_area(result)
    unit = 1e6 if area_unit(result) == "km²" else 1.0
    return [
        {
            "name": name.strip() or f"endmember {k + 1}",
            "colour": member_colour(k),
            "mean": float(found.mean[k]),
            "dominant": float(found.dominant[k] / max(found.valid, 1)),
            "highest": float(found.highest[k]),
            "area": None if area is None else float(found.mean[k] * found.valid * area / unit),
        }
        for k, name in enumerate(result.endmembers.names)
    ]


def pixel_area(result: Unmixing) -> float | None:
    """Ground area of a pixel in m²; None where it is not known."""
    return ground.pixel_area(*georeferencing(result.abundances), result.abundances.shape)


def area_unit(result: Unmixing) -> str:
    """km², or m² for scenes below 0.1 km²; empty where areas are unknown."""
    area = pixel_area(result)
    if area is None:
        return ""
    rows, columns = result.abundances.shape[:2]
    return "km²" if area * rows * columns >= 1e5 else "m²"
