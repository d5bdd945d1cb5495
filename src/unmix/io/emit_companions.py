"""What lies beside an EMIT granule: masks, uncertainty, sun angle.

- `EMIT_L2A_MASK_*.nc` becomes `cloud` (cloud flag, dilated cloud flag, or the spacecraft in view:
  something stands before the ground), `haze` (cirrus flag) and `water`. Bands of the mask are told
  by their names, which differ between versions.
- `EMIT_L2A_RFLUNCERT_*.nc` becomes the coordinate `uncertainty` along `band`: the median over rows
  spread over the granule, in reflectance. It is shown and recorded; nothing is weighted by it,
  since the methods estimate the noise from the scene itself.
- `EMIT_L1B_OBS_*.nc` gives the mean sun zenith.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.hdf5 import dataset, open_h5

if TYPE_CHECKING:
    import h5py

__all__ = ["KINDS", "Companion", "beside", "masks", "observation", "uncertainty"]

KINDS = re.compile(r"EMIT_(L2A_RFLUNCERT|L2A_RFL|L2A_MASK|L1B_RAD|L1B_OBS)_(.*\.nc)$", re.I)
_BANDS = "sensor_band_parameters"
_SAMPLE = 2**16  # pixels
_FLAGS = {
    "cloud": ("cloud flag", "dilated cloud flag", "spacecraft flag"),
    "haze": ("cirrus flag",),
    "water": ("water flag",),
}


@dataclass(frozen=True)
class Companion:
    """What a companion file adds to a scene."""

    file: str
    coords: dict[str, Any] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)


def beside(path: Path, kind: str) -> Path | None:
    """The companion of a kind beside a granule (the version in the name may differ)."""
    match = KINDS.search(path.name)
    if match is None:
        return None
    same = path.with_name(f"EMIT_{kind}_{match[2]}")
    stamp = match[2].partition("_")[2]
    others = sorted(path.parent.glob(f"EMIT_{kind}_*_{stamp}")) if stamp else []
    return next((p for p in (same, *others) if p.is_file()), None)


def masks(path: Path, shape: tuple[int, int, int]) -> Companion | None:
    """Cloud, haze and water of the granule's mask file."""
    mask = beside(path, "L2A_MASK")
    if mask is None:
        return None
    with open_h5(mask) as file:
        data = dataset(file, "mask", mask.name, 3)
        if data.shape[:2] != shape[:2]:
            raise InputError(
                f"{mask.name}: {data.shape[0]} × {data.shape[1]} pixels where {path.name} has "
                f"{shape[0]} × {shape[1]}; put this granule's own mask beside it"
            )
        names = _names(file, "mask_bands", mask.name, data.shape[2])
        which = {c: [i for i, n in enumerate(names) if n in _FLAGS[c]] for c in _FLAGS}
        found = {c: _any_set(data, bands) for c, bands in which.items() if bands}
    shares = ", ".join(f"{name} {flag.mean():.1%}" for name, flag in found.items())
    coords = {name: (("y", "x"), flag) for name, flag in found.items()}
    return Companion(str(mask), coords, {}, [f"masks of {mask.name}: {shares or 'none known'}"])


def _names(file: h5py.File, name: str, where: str, count: int) -> list[str]:
    """Names of a companion's bands, in lower case."""
    item = file.get(f"{_BANDS}/{name}")
    if getattr(item, "shape", None) != (count,):
        raise InputError(f"{where}: does not name its {count} bands; download it again")
    texts = [t.decode("utf-8", "replace") if isinstance(t, bytes) else str(t) for t in item[...]]
    return [" ".join(t.strip("\0 ").lower().split()) for t in texts]


def _any_set(data: h5py.Dataset, which: list[int]) -> NDArray[np.bool_]:
    """Where one of some bands is set, read in slabs of rows; fill (−9999) is not set."""
    out = np.zeros(data.shape[:2], np.bool_)
    for top in range(0, data.shape[0], 256):
        out[top : top + 256] = (np.asarray(data[top : top + 256])[..., which] > 0.5).any(axis=-1)
    return out


def uncertainty(path: Path, shape: tuple[int, int, int]) -> Companion | None:
    """Median uncertainty of each band."""
    file_beside = beside(path, "L2A_RFLUNCERT")
    if file_beside is None:
        return None
    where = file_beside.name
    with open_h5(file_beside) as file:
        data = dataset(file, "reflectance_uncertainty", where, 3)
        if data.shape != shape:
            raise InputError(
                f"{where}: {data.shape} values where {path.name} has {shape}; put this granule's "
                "own uncertainty beside it"
            )
        step = max(1, -(-shape[0] * shape[1] // _SAMPLE))
        sample = np.concatenate([np.asarray(data[row]) for row in range(0, shape[0], step)])
    sample = np.where((sample > 0) & np.isfinite(sample), sample, np.nan)
    known = ~np.isnan(sample).all(axis=0)
    median = np.full(shape[2], np.nan)
    median[known] = np.nanmedian(sample[:, known], axis=0)
    label = {"long_name": "median uncertainty of reflectance"}
    level = float(np.nanmedian(median)) if known.any() else float("nan")
    attrs = {"uncertainty_median": level} if known.any() else {}
    history = [f"reflectance uncertainty {level:.2g} (median), from {where}, for information"]
    return Companion(str(file_beside), {"uncertainty": ("band", median, label)}, attrs, history)


def observation(path: Path) -> Companion | None:
    """The mean sun zenith, from the observation file."""
    file_beside = beside(path, "L1B_OBS")
    if file_beside is None:
        return None
    with open_h5(file_beside) as file:
        data = dataset(file, "obs", file_beside.name, 3)
        names = _names(file, "observation_bands", file_beside.name, data.shape[2])
        which = [i for i, name in enumerate(names) if name.startswith("to-sun zenith")]
        angle = np.asarray(data[:: max(1, data.shape[0] // 32)])[..., which[:1]]
    angle = angle[(angle >= 0) & (angle < 90)]
    if not angle.size:
        return None
    return Companion(str(file_beside), {}, {"sun_zenith": round(float(angle.mean()), 3)})
