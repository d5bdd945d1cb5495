"""Endmembers of a result named from a spectral library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from unmix.checks import InputError
from unmix.types import Endmembers

__all__ = ["library_of", "named"]


def library_of(identify: bool | Endmembers | str | Path) -> Endmembers | None:
    """The library to name endmembers by: none, the one shipped, one given, or a file's.

    Raises
    ------
    InputError
        A file that is no spectral library, or one without wavelengths.

    >>> library_of(False) is None
    True
    """
    if isinstance(identify, bool):
        if not identify:
            return None
        from unmix.identify import shipped_library

        return shipped_library()
    if isinstance(identify, Endmembers):
        library = identify
    else:
        from unmix.io.library import read_endmembers

        library = read_endmembers(identify)
    if library.wavelength is None:
        what = library.source or "library"
        raise InputError(f"{what}: no wavelengths, and spectra are compared by them; add them")
    return library


def named(
    endmembers: Endmembers, library: Endmembers, n_given: int
) -> tuple[Endmembers, list[dict[str, Any]]]:
    """Endmembers by the names of what they match, and the record of it.

    The first `n_given` were named by the user and stay so. Without wavelengths nothing changes and
    the record is empty.
    """
    if endmembers.wavelength is None:
        return endmembers, []
    from unmix.identify import as_record, identify, renamed

    found = identify(endmembers, library)
    names = renamed(found, n_given)
    return replace(endmembers, names=names), as_record(found, names)
