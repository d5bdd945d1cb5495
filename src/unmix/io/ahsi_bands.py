"""What the tables beside the images of an AHSI product say of their bands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.ahsi_files import DETECTORS, GAINS, RESPONSES, read_table, table_file, table_lines

__all__ = ["AhsiBands", "bands_of"]


@dataclass(frozen=True, eq=False)
class AhsiBands:
    """A product's bands, VNIR before SWIR and each by wavelength.

    Parameters
    ----------
    image, within : ndarray of int, shape (band,)
        Which image a band lies in, and which band of it it is.
    detector : ndarray of int, shape (band,)
        0 VNIR, 1 SWIR.
    gain, offset, wavelength, fwhm : ndarray, shape (band,)
        The last two in nm.
    files : list of Path
        The tables.
    """

    image: NDArray[np.intp]
    within: NDArray[np.intp]
    detector: NDArray[np.intp]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    fwhm: NDArray[np.float64]
    files: list[Path]


def bands_of(
    files: list[Path], mission: str, images: list[tuple[Path, str]], n_bands: list[int]
) -> AhsiBands:
    """The bands of a product's images.

    Parameters
    ----------
    files : list of Path
        All files of the folder.
    mission : str
        "GF5B": its tables come first where there are several.
    images : list of (Path, str)
        With "VN", "SW", or "" for one that holds both.
    n_bands : list of int
        Of each image.

    Raises
    ------
    InputError
        A table is missing or does not fit its image.
    """
    columns: list[NDArray[np.float64]] = []
    tables: list[Path] = []
    for number, ((image, part), count) in enumerate(zip(images, n_bands, strict=True)):
        wanted = [part] if part else list(DETECTORS)
        paths = {d: _paths(files, DETECTORS[d], mission, image) for d in wanted}
        counts = {part: count} if part else _shares(paths, image, count)
        first = 0
        for d in counts:
            of = image.name if part else f"{DETECTORS[d]} of {image.name}"
            gains = read_table(paths[d][0], counts[d], "gains", of)
            centres = read_table(paths[d][1], counts[d], "band centres", of)
            place = np.full((counts[d], 3), (number, 0, list(DETECTORS).index(d)), float)
            place[:, 1] = first + np.arange(counts[d])
            columns.append(np.hstack([place, gains, centres]))
            tables += paths[d]
            first += counts[d]
    table = np.concatenate(columns)
    table = table[np.lexsort((table[:, 5], table[:, 2]))]
    image_, within, detector = table[:, :3].astype(np.intp).T.copy()
    gain, offset, wavelength, fwhm = table[:, 3:].T.copy()
    return AhsiBands(image_, within, detector, gain, offset, wavelength, fwhm, tables)


def _shares(paths: dict[str, tuple[Path, Path]], image: Path, n_bands: int) -> dict[str, int]:
    """How many bands of an image named after neither detector are whose: the tables say it.

    It holds both, or as many bands as one of them has.
    """
    counts = {d: len(table_lines(gains)) for d, (gains, _) in paths.items()}
    alone = [d for d, count in counts.items() if count == n_bands]
    if len(alone) == 1:
        return {alone[0]: n_bands}
    if sum(counts.values()) != n_bands:
        said = " + ".join(map(str, counts.values()))
        raise InputError(
            f"{paths['VN'][0].name}: with its SWIR counterpart {said} gains where {image.name} has "
            f"{n_bands} bands; put the product's own files there"
        )
    return counts


def _paths(files: list[Path], detector: str, mission: str, image: Path) -> tuple[Path, Path]:
    """Table of gains and table of responses of a detector."""
    found = []
    for kind, what in ((GAINS, "gains"), (RESPONSES, "band centres and widths")):
        path = table_file(files, kind, detector, mission)
        if path is None:
            raise InputError(
                f"{image.name}: its {what}, {mission}_AHSI_{kind}_{detector}.raw, are missing; put "
                "the file beside it (or rename the image to have it read as a plain GeoTIFF)"
            )
        found.append(path)
    return found[0], found[1]
