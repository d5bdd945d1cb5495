"""How sure the abundances are, as maps: uncertainty.tif."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unmix.output.layers import maps_layers
from unmix.output.rasters import georeferencing, read_maps, write_tiff
from unmix.types import STATISTICS

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["band_names", "read_uncertainty", "write_uncertainty"]

LABELS = dict(zip(STATISTICS, ("sd", "low 90%", "high 90%"), strict=True))


def band_names(members: Sequence[str]) -> list[str]:
    """Names of the bands: the statistics of the first member, then of the next.

    >>> band_names(["clay"])
    ['clay sd', 'clay low 90%', 'clay high 90%']
    """
    return [f"{member} {label}" for member in members for label in LABELS.values()]


def write_uncertainty(maps: xr.DataArray, members: Sequence[str], path: Path) -> None:
    """Maps (y, x, member, quantity) as a Cloud Optimized GeoTIFF on the grid they carry."""
    write_tiff(path, maps_layers(maps), band_names(members), *georeferencing(maps))


def read_uncertainty(path: Path, members: Sequence[str]) -> xr.DataArray | None:
    """Maps (y, x, member, quantity) with their georeferencing; None where there is no file.

    Raises
    ------
    InputError
        The file is damaged or belongs to another result.
    """
    import xarray as xr

    if not path.is_file():
        return None
    flat = read_maps(path, "band", band_names(members))
    where = {name: flat.coords[name] for name in flat.coords if name == "spatial_ref"}
    return xr.DataArray(
        flat.values.reshape(*flat.shape[:2], len(members), len(STATISTICS)),
        dims=("y", "x", "member", "quantity"),
        coords={"member": list(members), "quantity": list(STATISTICS), **where},
    )
