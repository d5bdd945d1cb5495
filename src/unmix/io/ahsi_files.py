"""Files of an AHSI product: which is what, and the tables of gains and of band centres.

Names differ between missions and between archives:

==========  ==========================================================================
image       `<scene>_VN.tif` and `<scene>_SW.tif` (also .tiff, .geotiff, and a suffix
            after VN or SW), or one `<scene>.geotiff` with all bands
gains       `GF5B_AHSI_RadCal_VNIR.raw`, `GF5_AHSI_VNIR_RadCal.raw`; likewise SWIR
responses   `GF5B_AHSI_Spectralresponse_VNIR.raw`, `GF5_AHSI_VNIR_Spectralresponse.raw`
metadata    `<scene>.meta.xml` or `<scene>.xml`
geometry    `<scene>_VN.rpb`, `<scene>_SW.rpb` (RPC00B)
==========  ==========================================================================

The tables are text whatever `.raw` suggests: a line a band, two numbers (gain, offset; or centre,
FWHM in nm) separated by a comma, a tab or spaces. A table of gains with one number a line has no
offsets.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError

__all__ = [
    "DETECTORS",
    "GAINS",
    "RESPONSES",
    "image_parts",
    "read_table",
    "table_file",
    "table_lines",
]

DETECTORS = {"VN": "VNIR", "SW": "SWIR"}
GAINS, RESPONSES = "RadCal", "Spectralresponse"

_IMAGE = re.compile(
    r"(?P<scene>.*AHSI.*?)(?:_(?P<part>VN|SW)(?:IR)?(?P<rest>(?:_[^.]*)?))?\.(?:geo)?tiff?",
    re.IGNORECASE,
)
_LARGEST = 2**20
_MOST_COLUMNS = 2


def image_parts(name: str) -> tuple[str, str, str] | None:
    """Scene, "VN", "SW" or "", and what follows it, of an image's name; None if it is none.

    >>> image_parts("GF5B_AHSI_E1_N2_20221208_L1_SW.tif")
    ('GF5B_AHSI_E1_N2_20221208_L1', 'SW', '')
    >>> image_parts("GF5_AHSI_E1.5_N2.5_L1.geotiff")
    ('GF5_AHSI_E1.5_N2.5_L1', '', '')
    """
    match = _IMAGE.fullmatch(name)
    if match is None:
        return None
    return match["scene"], (match["part"] or "").upper(), match["rest"] or ""


def table_file(files: list[Path], kind: str, detector: str, mission: str) -> Path | None:
    """The table of that kind (`GAINS` or `RESPONSES`) for "VNIR" or "SWIR"; the mission's first.

    >>> files = [Path("GF5_AHSI_VNIR_RadCal.raw"), Path("GF5B_AHSI_RadCal_VNIR.raw")]
    >>> table_file(files, GAINS, "VNIR", "GF5B").name
    'GF5B_AHSI_RadCal_VNIR.raw'
    """
    name = re.compile(rf".*(?:{kind}_?{detector}|{detector}_?{kind})\.(?:raw|txt)", re.IGNORECASE)
    found = [path for path in files if name.fullmatch(path.name)]
    own = [p for p in found if p.name.upper().startswith(f"{mission.upper()}_")]
    return next(iter(own + found), None)


def table_lines(path: Path) -> list[str]:
    """Lines of a table that are not blank.

    Raises
    ------
    InputError
        The file is far too large for a table.
    """
    if path.stat().st_size > _LARGEST:
        raise InputError(f"{path.name}: is too large for a table; put the product's own file there")
    return [line for line in path.read_text("latin-1").splitlines() if line.strip()]


def read_table(path: Path, n_bands: int, what: str, of: str) -> NDArray[np.float64]:
    r"""A table's numbers (band, 2); a missing second column is 0.

    Parameters
    ----------
    path : Path
    n_bands : int
        How many lines there must be.
    what, of : str
        For messages: "gains", "the VNIR image".

    Raises
    ------
    InputError
        Not text, not numbers, another number of columns or of bands.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "GF5B_AHSI_RadCal_VNIR.raw"
    >>> _ = path.write_text("0.02,0.5\n0.03\t0.25\n")
    >>> read_table(path, 2, "gains", "the VNIR image")
    array([[0.02, 0.5 ],
           [0.03, 0.25]])
    """
    rows = table_lines(path)
    try:
        found = [[float(item) for item in re.split(r"[,;\s]+", r.strip(" \t,;"))] for r in rows]
    except ValueError:
        raise InputError(
            f"{path.name}: is no table of numbers, a line a band; put the product's own file there"
        ) from None
    widths = {len(row) for row in found}
    if len(found) != n_bands:
        raise InputError(
            f"{path.name}: {len(found)} {what} where {of} has {n_bands} bands; "
            "put the product's own file there"
        )
    if len(widths) != 1 or not 1 <= min(widths) <= _MOST_COLUMNS:
        raise InputError(
            f"{path.name}: lines must hold 2 numbers; put the product's own file there"
        )
    table = np.zeros((n_bands, 2))
    table[:, : min(widths)] = found
    if not np.isfinite(table).all() or not table[:, 0].all():
        raise InputError(f"{path.name}: {what} must be finite numbers, not 0; get the file again")
    return table
