"""How large the map is on the ground: a scale bar, and the pixel's size in words."""

from __future__ import annotations

import math

from unmix import ground
from unmix.output.rasters import georeferencing
from unmix.types import Unmixing

__all__ = ["pixel", "scale_bar"]


def scale_bar(result: Unmixing) -> tuple[float, str] | None:
    """Length of a scale bar as a part of the image's width, and what it stands for.

    A round length of at most a third of the width; None where the ground is not known.
    """
    size = ground.pixel_size(*georeferencing(result.abundances), result.abundances.shape)
    if size is None:
        return None
    width = size[0] * result.abundances.shape[1]
    decade = 10.0 ** math.floor(math.log10(width / 3))
    length = max(f * decade for f in (1, 2, 5) if f * decade <= width / 3)
    return length / width, metres(length)


def pixel(result: Unmixing) -> tuple[str, str]:
    """The pixel's size, and the CRS with the scene's extent; empty where they are not known."""
    crs, transform = georeferencing(result.abundances)
    size = ground.pixel_size(crs, transform, result.abundances.shape)
    if crs is None or size is None:
        return "", ""
    across, down = size
    square = math.isclose(across, down, rel_tol=0.005)
    rows, columns = result.abundances.shape[:2]
    extent = f"{metres(across * columns)} × {metres(down * rows)}"
    code = crs.to_epsg()
    name = f"EPSG:{code}" if code else str(crs.to_dict().get("proj", "")) or "its own grid"
    return metres(across) if square else f"{metres(across)} × {metres(down)}", f"{extent}, {name}"


def metres(length: float) -> str:
    """A length as people say it.

    >>> metres(30.0), metres(1920.0), metres(0.52)
    ('30 m', '1.92 km', '0.52 m')
    """
    return f"{length / 1000:.3g} km" if length >= 1000 else f"{length:.3g} m"
