"""Spectral libraries as text tables (CSV, TSV), one spectrum a column or a row.

A column a spectrum: the first column is `wavelength_nm`, `wavelength_um`, `wavelength` or `band`, a
second one may be `fwhm`. A row a spectrum: the header is a label (or several) and then the
wavelengths. Fields are separated by comma, semicolon or tab; with semicolons a decimal comma is
understood. Lines that begin with # are comments.
"""

from __future__ import annotations

import csv
import re
from contextlib import suppress
from pathlib import Path

import numpy as np

from unmix.checks import InputError
from unmix.io.raw import Raw

__all__ = ["read_table", "read_text"]

MAX_BYTES = 256 * 2**20
AXIS = re.compile(
    r"(wave[\s_-]*(?:length)?s?|wl|wvl|lambda|λ|nm|[uµμ]m|nano[a-z]*|micro[a-z]*)(?:[^a-z].*)?",
    re.I,
)
UNIT = re.compile(r"(?:^|[\s_(\[-])(nm|nanomet\w*|[uµμ]m|micromet\w*|microns?)(?:$|[\s_)\]])", re.I)

Row = tuple[int, list[str]]


def read_text(path: Path) -> str:
    """A text file, UTF-8 or else Latin-1.

    Raises
    ------
    InputError
        Larger than 256 MB, or binary.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path.name}: larger than 256 MB; no spectral library as text")
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        raise InputError(f"{path.name}: binary, not a text table; give CSV, .sli, .mat or .txt")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_table(text: str, file: str) -> Raw:
    r"""Parse a table of spectra.

    Raises
    ------
    InputError
        Empty, no header, rows of unequal length, a cell that is no number; with the line.

    >>> raw = read_table("wavelength_um,clay,tree\n0.5,0.2,0.1\n2.2,0.3,", "lib.csv")
    >>> raw.names, raw.unit, raw.spectra
    (['clay', 'tree'], 'um', array([[0.2, 0.3], [0.1, nan]]))
    """
    rows, decimal = _rows(text, file)
    (_, header), body = rows[0], rows[1:]
    if not body:
        raise InputError(
            f"{file}: only one line; give a header with names and a line for each band"
        )
    for line, cells in body:
        if len(cells) != len(header):
            raise InputError(
                f"{file}: line {line} has {len(cells)} cells where the header has {len(header)}; "
                "make them equal"
            )
    first = header[0].lower()
    if (first == "band" or AXIS.fullmatch(first)) and _is_number(body[0][1][0], decimal):
        return _columns(header, body, decimal, file)
    labels = next((i for i, cell in enumerate(header) if _is_number(cell, decimal)), 0)
    if 0 < labels < len(header) and all(_is_number(cell, decimal) for cell in header[labels:]):
        return _across(header, body, labels, decimal, file)
    if labels == 0 and _is_number(header[0], decimal):
        raise InputError(f"{file}: no header; begin with 'wavelength_nm,' and the spectra's names")
    raise InputError(
        f"{file}: not a spectral library, its first column is {header[0]!r:.40}; "
        "name it wavelength_nm, wavelength_um or band"
    )


def _columns(header: list[str], body: list[Row], decimal: str, file: str) -> Raw:
    """A spectrum a column."""
    values = _numbers(body, 0, decimal, file)
    wide = header[1:2] and header[1].lower() in ("fwhm", "fwhm_nm", "fwhm_um")
    first = 2 if wide else 1
    if len(header) == first:
        raise InputError(f"{file}: no spectrum beside the first column; add one")
    band = header[0].lower() == "band"
    unit = UNIT.search(header[0])
    return Raw(
        file,
        values[:, first:].T,
        header[first:],
        None if band else _axis(values[:, 0], file),
        values[:, 1] if wide and not band else None,
        "" if unit is None else unit[1].lower(),
    )


def _across(header: list[str], body: list[Row], labels: int, decimal: str, file: str) -> Raw:
    """A spectrum a row; the first label names it."""
    axis = _numbers([(1, header)], labels, decimal, file)[0]
    unit = UNIT.search(header[0])
    return Raw(
        file,
        _numbers(body, labels, decimal, file),
        [cells[0] for _, cells in body],
        _axis(axis, file),
        unit="" if unit is None else unit[1].lower(),
        notes=("one spectrum a row",),
    )


def _rows(text: str, file: str) -> tuple[list[Row], str]:
    """Cells with their line numbers, and the decimal mark."""
    lines = [
        (number, line)
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1)
        if line.strip(" ,;\t") and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise InputError(f"{file}: empty; give a header with names and a line for each band")
    found = re.search("[,;\t]", re.sub('"[^"]*"', "", lines[0][1]))
    if found is None:
        raise InputError(f"{file}: not a table; separate its columns by commas")
    mark = found[0]
    try:
        text_lines = (line for _, line in lines)
        cells = list(csv.reader(text_lines, delimiter=mark, strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"{file}: not a table ({error}); give plain CSV") from None
    if len(cells) != len(lines):
        raise InputError(f"{file}: a quoted cell spans lines; put each band on one line")
    rows = [(n, [c.strip() for c in row]) for (n, _), row in zip(lines, cells, strict=True)]
    return _without_blank_column(rows), "," if mark == ";" else "."


def _without_blank_column(rows: list[Row]) -> list[Row]:
    """Drop the empty last column that a mark at the end of every line makes."""
    width = len(rows[0][1])
    if width > 2 and all(len(cells) == width and not cells[-1] for _, cells in rows):
        return [(number, cells[:-1]) for number, cells in rows]
    return rows


def _number(cell: str, decimal: str) -> float:
    if cell.lower() in ("", "nan", "na", "n/a", "null"):
        return np.nan
    if "_" in cell:
        raise ValueError
    return float(cell.replace(",", ".") if decimal == "," else cell)


def _is_number(cell: str, decimal: str) -> bool:
    try:
        return bool(np.isfinite(_number(cell, decimal)))
    except ValueError:
        return False


def _numbers(rows: list[Row], first: int, decimal: str, file: str) -> np.ndarray:
    """The cells from column `first` on as an array (row, column)."""
    out = np.empty((len(rows), len(rows[0][1]) - first))
    for i, (line, cells) in enumerate(rows):
        if decimal == "." and not any("_" in cell for cell in cells[first:]):
            with suppress(ValueError):  # plain numbers, as most lines are
                out[i] = list(map(float, cells[first:]))
                continue
        for j, cell in enumerate(cells[first:]):
            try:
                out[i, j] = _number(cell, decimal)
            except ValueError:
                raise InputError(
                    f"{file}: line {line}, column {first + j + 1}: {cell!r:.40} is no number; "
                    "correct it or leave the cell empty"
                ) from None
    return out


def _axis(values: np.ndarray, file: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise InputError(f"{file}: a band without a wavelength; give each one, or name them 'band'")
    return values
