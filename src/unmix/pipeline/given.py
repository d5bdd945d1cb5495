"""Endmembers from regions of the scene: read, averaged, and put beside those of a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.extract.regions import region_spectrum
from unmix.types import Endmembers

if TYPE_CHECKING:
    import xarray as xr

    from unmix.io.roi import Region
    from unmix.pipeline.ready import Ready

__all__ = ["as_given", "names_with", "region_endmembers", "regions_of", "with_regions"]

_ROWS = 64  # of the scene, read at a time


def regions_of(
    scene: xr.DataArray, roi: str | Path | Sequence[Region] | None, field: str | None
) -> tuple[Region, ...]:
    """Regions as they are given: none, a file or text, or regions themselves."""
    if roi is None:
        if field is not None:
            raise InputError("roi-field: names a field of the regions; give them with --roi")
        return ()
    if isinstance(roi, str | Path):
        from unmix.io.roi import read_regions

        return read_regions(roi, scene, field)
    return tuple(roi)


def with_regions(ready: Ready, regions: Sequence[Region]) -> Ready:
    """A prepared scene with the regions' endmembers after those it has.

    Raises
    ------
    InputError
        A region without a valid pixel, or of a name that an endmember has already.
    """
    if not regions:
        return ready
    found, about, E = region_endmembers(ready, regions)
    if ready.given is None or ready.E is None:
        return replace(ready, given=found, E=E, regions=about)
    double = sorted(set(ready.given.names) & set(found.names))
    if double:
        raise InputError(
            f"roi: {double[0]!r:.60} is the name of a region and of an endmember; rename one"
        )
    assert found.spread is not None  # regions always have one
    both = replace(
        found,
        spectra=np.vstack([ready.given.spectra, found.spectra]),
        names=(*ready.given.names, *found.names),
        source=f"{ready.given.source}; {found.source}",
        spread=np.vstack([np.zeros(ready.given.spectra.shape), found.spread]),
    )
    return replace(ready, given=both, E=np.vstack([ready.E, E]), regions=about)


def region_endmembers(
    ready: Ready, regions: Sequence[Region]
) -> tuple[Endmembers, tuple[dict[str, Any], ...], NDArray[np.float64]]:
    """Endmembers of regions on the scene's bands, what they were made of, and on the kept bands.

    Their spread is the standard deviation of the pixels that made them. A region may lie where
    pixels are left out: closed forest is no ground to unmix, but a member of what lies around it.
    """
    prepared = replace(ready.preparation, mask=None)
    spectra, spread, about = [], [], []
    for region in regions:
        pixels, valid = prepared.apply(_values(ready.scene, region))
        if not valid.any():
            raise InputError(
                f"roi: none of the {len(region)} pixels of {region.name!r:.60} holds data; "
                "move the region"
            )
        found = region_spectrum(pixels[valid])
        spectra.append(found.mean)
        spread.append(found.spread)
        used = int(found.kept.sum())
        about.append(
            {"name": region.name, "parts": region.parts, "pixels": len(region),
             "valid": int(valid.sum()), "used": used}
        )  # fmt: skip
    restore = ready.preparation.restore_spectra
    E = np.stack(spectra)
    scene = ready.scene
    nm, fwhm = (
        np.asarray(scene[c].values, np.float64) if c in scene.coords else None
        for c in ("wavelength", "fwhm")
    )
    names = tuple(region.name for region in regions)
    source = f"means of {len(regions)} regions"
    made = Endmembers(restore(E), nm, names, source, fwhm, restore(np.stack(spread)))
    return made, tuple(about), E


def _values(scene: xr.DataArray, region: Region) -> NDArray[np.float32]:
    """Values (pixel, band) of a region; windows of a few rows are read, and no more."""
    rows, cols = np.asarray(region.rows), np.asarray(region.cols)
    out = np.empty((len(rows), scene.sizes["band"]), np.float32)
    for group in np.unique(rows // _ROWS):
        here = np.flatnonzero(rows // _ROWS == group)
        r, c = rows[here], cols[here]
        block = scene[r.min() : r.max() + 1, c.min() : c.max() + 1].values
        out[here] = block[r - r.min(), c - c.min()]
    return out


def names_with(given: tuple[str, ...], n: int) -> tuple[str, ...]:
    """Names of n members of which the first are given; the others are numbered.

    >>> names_with(("soil", "tree"), 4)
    ('soil', 'tree', 'endmember 3', 'endmember 4')
    """
    return (*given, *(f"endmember {k + 1}" for k in range(len(given), n)))


def as_given(
    given: Endmembers,
    kept: NDArray[np.intp],
    spectra: NDArray[np.floating],
    spread: NDArray[np.floating] | None,
) -> tuple[NDArray[np.floating], NDArray[np.floating] | None]:
    """Spectra (member, kept band) with the given ones to the last digit, and the spread of both.

    Of a region the spread is that of its pixels; a member from elsewhere has none.

    >>> one = Endmembers(np.array([[0.25, 0.5, 0.75]]))
    >>> as_given(one, np.array([0, 2]), np.array([[0.26, 0.74], [0.1, 0.9]]), None)[0].tolist()
    [[0.25, 0.75], [0.1, 0.9]]
    """
    n = len(given)
    shown = np.array(spectra, np.float64)
    shown[:n] = given.spectra[:, kept]
    if given.spread is None and n == len(shown):
        return shown, None
    wide = np.zeros_like(shown) if spread is None else np.array(spread, np.float64)
    wide[:n] = 0 if given.spread is None else given.spread[:, kept]
    return shown, wide
