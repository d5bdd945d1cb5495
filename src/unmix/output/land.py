"""Maps of a land scene beside the abundances: why pixels are left out, shares among the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from unmix.checks import InputError
from unmix.output.layers import maps_layers
from unmix.output.place import LAND
from unmix.output.rasters import georeferencing, read_maps, write_tiff
from unmix.types import Unmixing

__all__ = ["read_land", "write_land"]

LAYER = "reason left out"


def write_land(result: Unmixing, folder: Path) -> None:
    """`left_out.tif` (0: used; else the reason's number in the manifest) and `abundances_rest.tif`.

    No file for what the result has not.
    """
    for name, maps, bands in (
        (LAND[0], result.left_out, [LAYER]),
        (LAND[1], result.rest, [] if result.rest is None else members_of(result)),
    ):
        if maps is not None:
            write_tiff(folder / name, maps_layers(maps), bands, *georeferencing(maps))


def members_of(result: Unmixing) -> list[str]:
    """Names of the members of `rest`, as the endmembers are called now."""
    about = result.provenance.get("cover")
    cover = about.get("index", ()) if isinstance(about, dict) else ()
    return [name for k, name in enumerate(result.endmembers.names) if k + 1 not in cover]


def read_land(folder: Path, result: Unmixing) -> Unmixing:
    """The result with `left_out` and `rest` of its folder, as far as they are there.

    Raises
    ------
    InputError
        A file is damaged or belongs to another result.
    """
    left_out = rest = None
    if (folder / LAND[0]).is_file():
        maps = read_maps(folder / LAND[0], "layer", [LAYER])
        left_out = maps[..., 0].drop_vars("layer")
    if (folder / LAND[1]).is_file():
        rest = read_maps(folder / LAND[1], "member", members_of(result))
    for name, found in zip(LAND, (left_out, rest), strict=True):
        if found is not None and found.shape[:2] != result.abundances.shape[:2]:
            raise InputError(f"out: {folder}: {name} and abundances.tif differ in size; run anew")
    return replace(result, left_out=left_out, rest=rest)
