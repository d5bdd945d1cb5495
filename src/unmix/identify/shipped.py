"""The spectral library that ships with the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

from unmix.types import Endmembers

__all__ = ["shipped_library"]


@cache
def shipped_library() -> Endmembers:
    """Minerals, rocks' covers, plants, soils, water, snow and man-made surfaces, 400-2500 nm.

    Provenance: `unmix/data/PROVENANCE.md`.

    >>> "Calcite" in " ".join(shipped_library().names)
    True
    """
    from unmix.io.library import read_endmembers

    with as_file(files("unmix") / "data" / "identify.csv") as path:
        return read_endmembers(path)
