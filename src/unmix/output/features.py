"""Maps of absorption features: features.tif."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unmix.checks import InputError
from unmix.output.layers import maps_layers
from unmix.output.rasters import georeferencing, read_descriptions, read_maps, write_tiff

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["feature_names", "read_features", "write_features"]

_ENDINGS = (" nm depth", " nm centre [nm]", " nm mask")


def write_features(maps: xr.DataArray, path: Path) -> None:
    """Maps (y, x, quantity) as a Cloud Optimized GeoTIFF; the bands are named as the quantities."""
    names = [str(name) for name in maps.coords["quantity"].values]
    write_tiff(path, maps_layers(maps), names, *georeferencing(maps))


def read_features(path: Path) -> xr.DataArray | None:
    """Maps (y, x, quantity) with their georeferencing; None where there is no file.

    Raises
    ------
    InputError
        The file is damaged, or holds something else.
    """
    if not path.is_file():
        return None
    names = read_descriptions(path)
    if not feature_names(names):
        raise InputError(f"out: {path} holds no features; delete it or run anew")
    return read_maps(path, "quantity", names)


def feature_names(bands: list[str]) -> list[str]:
    """Which features the bands of a features.tif hold; empty where they are something else.

    >>> feature_names(["2200 nm depth", "2200 nm centre [nm]", "2200 nm mask"])
    ['2200']
    """
    names = [band.removesuffix(_ENDINGS[0]) for band in bands[::3]]
    expected = [name + ending for name in names for ending in _ENDINGS]
    return names if bands == expected else []
