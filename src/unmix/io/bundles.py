"""What a simulation takes from files besides a library: bundles of spectra, noise, maps."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.files import read_head
from unmix.io.gdal import is_tiff
from unmix.io.lazy import Affine
from unmix.io.library import read_endmembers
from unmix.io.truth import read_truth
from unmix.resample import resample
from unmix.types import Endmembers

__all__ = ["read_bundles", "read_maps", "read_noise"]

Array = NDArray[np.floating]


def read_bundles(path: str | Path, members: Endmembers) -> list[Array]:
    """For each member, the spectra of a library named after it, on its bands.

    Numbers before and after a name do not count: "Soil 3" and "Soil, wet" belong to "1-Soil" and to
    "Soil 1"; "Soilcrete" does not.

    Raises
    ------
    InputError
        A member without any; the library cannot be read, or does not reach the members' bands.
    """
    found = read_endmembers(path)
    names, bundles = [_stem(name) for name in found.names], []
    for member in members.names:
        stem = _stem(member)
        own = re.compile(re.escape(stem) + r"(?![^\W\d_])")  # no letter after it
        rows = [i for i, name in enumerate(names) if own.match(name)]
        if not rows or not stem:
            close = difflib.get_close_matches(stem, sorted(set(names)), n=3, cutoff=0.3)
            near = [found.names[names.index(c)] for c in close] or list(found.names[:5])
            raise InputError(
                f"bundles: no spectrum in {Path(path).name} begins with {stem!r}; near ones are "
                f"{'; '.join(near)}"
            )
        bundles.append(rows)
    if members.wavelength is None or found.wavelength is None:
        if found.spectra.shape[1] != members.spectra.shape[1]:
            raise InputError(
                f"bundles: {found.spectra.shape[1]} bands, the members have "
                f"{members.spectra.shape[1]}, and no wavelengths to resample by; give the same"
            )
    else:
        found = resample(found, members.wavelength, members.fwhm)
    return [found.spectra[rows] for rows in bundles]


def _stem(name: str) -> str:
    """A name in lower case, without numbers before and after it.

    >>> _stem("1-Asphalt Road"), _stem("Soil #3"), _stem("Tree_12")
    ('asphalt road', 'soil', 'tree')
    """
    return re.sub(r"^#?\d+[-.:)\s]+|[\s_#-]*\d+$", "", name.strip()).strip().lower()


def read_noise(path: str | Path, members: Endmembers) -> Array:
    """Relative noise of each band, from a table of wavelength (or band) and one column of noise.

    With wavelengths, in straight lines between those of the table and level beyond them.

    Raises
    ------
    InputError
        The file is no such table, or has no number for each band.
    """
    table = read_endmembers(path)
    name = Path(path).name
    if len(table) != 1:
        raise InputError(f"noise: {name} has {len(table)} columns of numbers; give one")
    noise = table.spectra[0]
    known = np.isfinite(noise)
    if (noise[known] < 0).any():
        raise InputError(f"noise: {name} has values below 0; give standard deviations")
    if members.wavelength is not None and table.wavelength is not None:
        return np.interp(members.wavelength, table.wavelength[known], noise[known])
    if len(noise) != members.spectra.shape[1] or not known.all():
        raise InputError(
            f"noise: {name} has {known.sum()} numbers for {members.spectra.shape[1]} bands; give "
            "one each, or wavelengths"
        )
    return noise


def read_maps(
    path: str | Path, members: Endmembers, size: tuple[int, int] | None
) -> tuple[Array, str | None, Affine | None]:
    """Abundances (row, col, member) of a truth file, in the order of `members`, and their place.

    Maps whose names are those of the members, in another order, are brought into theirs.

    Raises
    ------
    InputError
        Not a truth, another number of maps, or flat pixels whose size is not known.
    """
    path = Path(path)
    truth = read_truth(path, shape=size)
    maps = truth.abundances
    if maps.ndim != 3:
        raise InputError(f"abundances: {path.name} does not say rows and columns; give --size")
    if maps.shape[-1] != len(members):
        raise InputError(
            f"abundances: {path.name} has {maps.shape[-1]} maps ({', '.join(truth.names)}) for "
            f"{len(members)} members ({', '.join(members.names)}); name one each"
        )
    if set(truth.names) == set(members.names):
        maps = maps[..., [truth.names.index(name) for name in members.names]]
    if not is_tiff(read_head(path)):
        return maps, None, None
    from unmix.scene import geo_of, open_scene

    return maps, *geo_of(open_scene(path))
