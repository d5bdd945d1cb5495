"""Strict parser of ENVI headers: text to checked fields, nothing guessed in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError

__all__ = ["DATA_TYPES", "EnviHeader", "numbers", "parse_header", "split_list"]

DATA_TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
"""NumPy type of each real ENVI `data type`."""

MAX_HEADER_BYTES = 16 * 2**20
_MAX_BANDS = 100_000
_MAX_SIDE = 10**9
# Fields whose meaning we use: said twice with two values, one of them would be wrong.
_USED = {
    *("samples", "lines", "bands", "header offset", "data type", "interleave", "byte order"),
    *("wavelength", "wavelength units", "fwhm", "bbl", "data ignore value", "map info"),
    *("reflectance scale factor", "coordinate system string", "file type", "file compression"),
    *("data gain values", "data offset values"),
}


@dataclass(frozen=True)
class EnviHeader:
    """The layout of an ENVI raster and the header's remaining fields as text.

    Parameters
    ----------
    rows, cols, bands : int
    dtype : str
        NumPy type string with byte order, such as "<i2".
    interleave : str
        "bsq", "bil" or "bip".
    offset : int
        Bytes before the first pixel.
    fields : dict of str
        Every field by lower-case name; lists keep their braces.
    notes : list of str
        What was assumed.
    """

    rows: int
    cols: int
    bands: int
    dtype: str
    interleave: str
    offset: int
    fields: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def n_bytes(self) -> int:
        """Size the data file must have."""
        return self.offset + self.rows * self.cols * self.bands * np.dtype(self.dtype).itemsize


def parse_header(path: Path) -> EnviHeader:
    """Read and check an ENVI header.

    Raises
    ------
    InputError
        Not an ENVI header, a missing, repeated, absurd or unsupported field; the message names
        the file and the field.
    """
    fields = _fields(_text(path), path.name)
    notes: list[str] = []
    where = path.name
    kind = fields.get("file type", "ENVI Standard").lower()
    if "library" in kind:
        raise InputError(
            f"{where}: an ENVI spectral library is no scene; give it with --endmembers"
        )
    if "meta" in kind or fields.get("file compression", "0") != "0":
        raise InputError(f"{where}: compressed and meta files are not read; save as ENVI Standard")
    if re.search(r"[1-9]", fields.get("major frame offsets", "")):
        raise InputError(f"{where}: major frame offsets are not read; save as ENVI Standard")
    rows, cols, bands = (_whole(fields, name, where) for name in ("lines", "samples", "bands"))
    for name, value, limit in (
        ("lines", rows, _MAX_SIDE),
        ("samples", cols, _MAX_SIDE),
        ("bands", bands, _MAX_BANDS),
    ):
        if not 1 <= value <= limit:
            raise InputError(f"{where}: {name} = {value}; must lie between 1 and {limit}")
    offset = _whole(fields, "header offset", where, default=0)
    if not 0 <= offset <= 2**40:
        raise InputError(f"{where}: header offset = {offset}; must be 0 or a size in bytes")
    dtype = _dtype(fields, where, notes)
    interleave = _interleave(fields, bands, where, notes)
    return EnviHeader(rows, cols, bands, dtype, interleave, offset, fields, notes)


def _text(path: Path) -> str:
    """The header as text; Latin-1 where it is not UTF-8."""
    with path.open("rb") as file:
        data = file.read(MAX_HEADER_BYTES + 1)
    if len(data) > MAX_HEADER_BYTES:
        raise InputError(f"{path.name}: larger than any ENVI header; give the .hdr text file")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data[:4].upper() == b"ENVI" or data[4:5].strip():
        raise InputError(f"{path.name}: does not begin with the line ENVI; not an ENVI header")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _fields(text: str, where: str) -> dict[str, str]:
    r"""Header text to {lower-case name: value}; braces may span lines, `;` starts a comment line.

    >>> _fields("ENVI\nLines = 3\n; note\nbbl = {1,\n 0}", "x.hdr")
    {'lines': '3', 'bbl': '{1,\n 0}'}
    """
    fields: dict[str, str] = {}
    lines = iter(enumerate(re.split(r"\r\n|\n|\r", text)[1:], start=2))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{where}: line {number} has no 'name = value' ({line.strip()!r:.40})")
        name, value = " ".join(name.lower().split()), value.strip()
        if value.startswith("{"):
            parts = [value]
            while not parts[-1].rstrip().endswith("}"):
                try:
                    part = next(lines)[1]
                except StopIteration:
                    raise InputError(
                        f"{where}: the brace opened on line {number} ({name!r:.40}) never closes"
                    ) from None
                if not part.lstrip().startswith(";"):
                    parts.append(part)
            value = "\n".join(parts).strip()
        if name in _USED and fields.get(name, value) != value:
            raise InputError(f"{where}: {name!r} is given twice with different values; keep one")
        fields[name] = value
    return fields


def _whole(fields: dict[str, str], name: str, where: str, default: int | None = None) -> int:
    """A field that must be a whole number."""
    text = fields.get(name)
    if text is None:
        if default is None:
            raise InputError(f"{where}: field {name!r} is missing; add it")
        return default
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise InputError(f"{where}: {name} = {text!r:.40} is not a whole number; correct it")
    return int(text)


def _dtype(fields: dict[str, str], where: str, notes: list[str]) -> str:
    """NumPy type from `data type` and `byte order`."""
    code = _whole(fields, "data type", where)
    if code in (6, 9):
        raise InputError(f"{where}: complex data (data type {code}) is no reflectance; not read")
    if code not in DATA_TYPES:
        known = ", ".join(map(str, DATA_TYPES))
        raise InputError(f"{where}: data type = {code} is unknown; ENVI's real types are {known}")
    if "byte order" not in fields and code != 1:
        notes.append("byte order not given: little-endian assumed")
    order = _whole(fields, "byte order", where, default=0)
    if order not in (0, 1):
        raise InputError(f"{where}: byte order = {order}; must be 0 (little) or 1 (big-endian)")
    return np.dtype("<>"[order] + DATA_TYPES[code]).str


def _interleave(fields: dict[str, str], bands: int, where: str, notes: list[str]) -> str:
    """`interleave`, which only a single band may leave out."""
    value = fields.get("interleave", "").lower()
    if value not in ("bsq", "bil", "bip"):
        if value or bands > 1:
            raise InputError(f"{where}: interleave = {value!r:.40}; must be bsq, bil or bip")
        notes.append("interleave not given: one band, bsq")
        return "bsq"
    return value


def split_list(text: str) -> list[str]:
    """The items of a `{a, b, ...}` field; one closing comma is allowed.

    >>> split_list("{ 1 , 2, 3 }")
    ['1', '2', '3']
    """
    body = text.strip().removeprefix("{").removesuffix("}").strip()
    items = [item.strip() for item in body.split(",")]
    return items[:-1] if items[-1] == "" else items


def numbers(header: EnviHeader, name: str, where: str) -> NDArray[np.float64] | None:
    """A field's list of finite numbers, None where the header has no such field.

    Raises
    ------
    InputError
        An item is no finite number.
    """
    if name not in header.fields:
        return None
    items = split_list(header.fields[name])
    try:
        values = np.array([float(item) for item in items], np.float64)
    except ValueError as error:
        raise InputError(f"{where}: {name}: {str(error)[:80]}; correct the list") from None
    if not np.isfinite(values).all():
        raise InputError(f"{where}: {name} holds values that are not finite; correct the list")
    return values
