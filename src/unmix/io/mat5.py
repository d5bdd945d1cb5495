"""MATLAB v5 files: find the variables without reading their numbers, then read one of them.

Every length a file declares is checked against the bytes that are there before anything is
allocated, objects are never built, and a stored array is mapped rather than loaded where it is
not compressed. (MATLAB's "MAT-File Format", chapter 1, describes the layout.)
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError

__all__ = ["Mat5Variable", "is_mat5", "scan_mat5"]

# NumPy type of each miXXX data type that holds numbers.
_STORED = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"},
    **{7: "f4", 9: "f8", 12: "i8", 13: "u8"},
}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _CHAR = 1, 4
_NUMERIC = range(6, 16)
_COMPLEX_FLAG = 0x0800
_HEAD = 2048  # bytes in which a variable's flags, dimensions and name always fit
_MAX_RATIO = 1032  # DEFLATE cannot compress more than 1032:1
_MAX_VARIABLES = 10_000
_MAX_NAMES = 4096


@dataclass(frozen=True)
class Mat5Variable:
    """One variable of a v5 file: what it is and where its numbers lie.

    Parameters
    ----------
    path : str
    name : str
    shape : tuple of int
        As MATLAB says it.
    kind : str
        "numeric", "char", "cell" or "other".
    dtype : str
        NumPy type of the stored numbers, "" unless numeric.
    order : str
        Byte order, "<" or ">".
    start, size : int
        Where the variable's element lies in the file, after its tag, and its bytes.
    compressed : bool
    inner : int
        Bytes of the element's content (uncompressed).
    data : int
        Where the numbers (or the cells) begin in that content.
    """

    path: str
    name: str
    shape: tuple[int, ...]
    kind: str
    dtype: str
    order: str
    start: int
    size: int
    compressed: bool
    inner: int
    data: int

    def array(self) -> NDArray[Any]:
        """The numbers, with MATLAB's axes; read-only, mapped from the file if uncompressed.

        Raises
        ------
        InputError
            Not numeric, or damaged.
        """
        if self.kind != "numeric":
            raise InputError(f"{Path(self.path).name}: {self.name} holds no real numbers")
        if 0 in self.shape:
            return np.zeros(self.shape, self.dtype)
        if self.compressed:
            content, base = self.content()
            flat = np.frombuffer(content, self.dtype, math.prod(self.shape), base + self.data)
            return flat.reshape(self.shape, order="F")
        try:
            offset = self.start + self.data
            return np.asarray(np.memmap(self.path, self.dtype, "r", offset, self.shape, order="F"))
        except (OSError, ValueError) as error:
            _damaged(Path(self.path).name, f"{self.name}: {error}")

    def content(self) -> tuple[bytes, int]:
        """The element's bytes, decompressed and verified, and where its content begins in them."""
        where = Path(self.path).name
        with open(self.path, "rb") as file:
            file.seek(self.start)
            packed = file.read(self.size)
        if not self.compressed:
            return packed, 0
        stream = zlib.decompressobj()
        try:
            content = stream.decompress(packed, self.inner + 8 + 1)
        except zlib.error as error:
            _damaged(where, f"{self.name}: {error}")
        if len(content) != self.inner + 8 or not stream.eof:
            _damaged(where, f"{self.name}: its compressed data end early")
        return content, 8

    def strings(self) -> list[str]:
        """Texts of a cell array of character arrays, or of a character matrix's rows."""
        where = Path(self.path).name
        if self.inner > 2**24 or self.kind not in ("cell", "char"):
            raise InputError(f"{where}: {self.name} is no list of names; store a cell array")
        content, base = self.content()
        content = content[base:]
        if self.kind == "char":
            return _rows_of_text(content, self.order, where)
        if math.prod(self.shape) > _MAX_NAMES:
            raise InputError(f"{where}: {self.name} holds {math.prod(self.shape)} names; too many")
        texts, position = [], self.data
        for _ in range(math.prod(self.shape)):
            code, n_bytes, begin, position = _tag(content, position, self.order, where)
            if code != _MATRIX:
                _damaged(where, f"{self.name}: a cell holds no array")
            rows = _rows_of_text(content[begin : begin + n_bytes], self.order, where)
            texts.append(" ".join(rows))
        return texts


def is_mat5(head: bytes) -> bool:
    """Whether a file that begins with `head` (128 bytes or more) is a v5 file."""
    return len(head) >= 128 and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


def scan_mat5(path: Path) -> dict[str, Mat5Variable]:
    """Variables of a v5 file by name; only their headers are read.

    Raises
    ------
    InputError
        Truncated, damaged, or declaring more data than the file can hold.
    """
    found: dict[str, Mat5Variable] = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        order = "<" if file.read(128)[126:128] == b"IM" else ">"
        position = 128
        while position + 8 <= size and len(found) < _MAX_VARIABLES:
            file.seek(position)
            code, n_bytes = struct.unpack(order + "II", file.read(8))
            if position + 8 + n_bytes > size:
                _damaged(
                    path.name,
                    f"ends at byte {size}, inside a variable that needs "
                    f"{position + 8 + n_bytes} bytes",
                )
            if code in (_MATRIX, _COMPRESSED):
                packed = file.read(min(n_bytes, _HEAD))
                item = _variable(path, packed, order, position + 8, n_bytes, code == _COMPRESSED)
                if item.name:
                    found[item.name] = item
            elif code > 18:
                _damaged(path.name, f"unknown data type {code} at byte {position}")
            position += 8 + n_bytes
    return found


def _variable(
    path: Path, packed: bytes, order: str, start: int, size: int, compressed: bool
) -> Mat5Variable:
    """A variable from the first bytes of its element."""
    where, head, inner = path.name, packed, size
    if compressed:
        try:
            head = zlib.decompressobj().decompress(packed, _HEAD)
        except zlib.error as error:
            _damaged(where, str(error))
        if len(head) < 8:
            _damaged(where, "a compressed variable is empty")
        code, inner = struct.unpack_from(order + "II", head)
        if code != _MATRIX or inner > size * _MAX_RATIO:
            _damaged(where, f"a variable of {size} compressed bytes declares {inner} bytes")
        head = head[8:]
    _, n, at, position = _tag(head, 0, order, where)
    if n != 8 or at + n > len(head):
        _damaged(where, "a variable without array flags")
    flags = struct.unpack_from(order + "I", head, at)[0]
    kind = {_CELL: "cell", _CHAR: "char"}.get(flags & 0xFF, "other")
    if flags & 0xFF not in (*range(1, 16),):
        return Mat5Variable(
            str(path), "", (), "other", "", order, start, size, compressed, inner, 0
        )
    shape, name, position = _shape_and_name(head, position, order, where)
    dtype = ""
    if flags & 0xFF in _NUMERIC and not flags & _COMPLEX_FLAG:
        kind = "numeric"
        dtype, position = _numbers(head, position, order, inner, shape, f"{where}: {name}")
    return Mat5Variable(
        str(path), name, shape, kind, dtype, order, start, size, compressed, inner, position
    )


def _shape_and_name(
    head: bytes, position: int, order: str, where: str
) -> tuple[tuple[int, ...], str, int]:
    """Dimensions and name that follow the array flags."""
    code, n, at, position = _tag(head, position, order, where)
    if code != 5 or n % 4 or not 8 <= n <= 128 or at + n > len(head):
        _damaged(where, "a variable without dimensions")
    shape = struct.unpack_from(f"{order}{n // 4}i", head, at)
    if min(shape) < 0:
        _damaged(where, f"a variable of size {shape}")
    _, n, at, position = _tag(head, position, order, where)
    if n > 255 or at + n > len(head):
        _damaged(where, "a variable with an endless name")
    name = head[at : at + n].decode("latin-1").rstrip("\0")
    return shape, "".join(c if c.isprintable() else "?" for c in name), position


def _numbers(
    head: bytes, position: int, order: str, inner: int, shape: tuple[int, ...], where: str
) -> tuple[str, int]:
    """NumPy type and place of a numeric variable's real part, checked against its shape."""
    if 0 in shape:
        return order + "f8", position
    code, n, at, _ = _tag(head, position, order, where)
    if code not in _STORED:
        _damaged(where, f"numbers of unknown type {code}")
    dtype = np.dtype(order + _STORED[code])
    if n != math.prod(shape) * dtype.itemsize or at + n > inner:
        _damaged(where, f"declares {shape} but holds {min(n, inner)} bytes")
    return dtype.str, at


def _tag(content: bytes, position: int, order: str, where: str) -> tuple[int, int, int, int]:
    """Type, bytes, place of the data, and place of the next tag of the element at `position`."""
    if position + 8 > len(content):
        _damaged(where, "a variable ends inside its header")
    code, n_bytes = struct.unpack_from(order + "II", content, position)
    if code >> 16:  # small element: both in one word, up to 4 bytes of data in the other
        if code >> 16 > 4:
            _damaged(where, "a small element of more than 4 bytes")
        return code & 0xFFFF, code >> 16, position + 4, position + 8
    begin = position + 8
    return code, n_bytes, begin, begin + n_bytes + (-n_bytes) % 8


def _rows_of_text(content: bytes, order: str, where: str) -> list[str]:
    """Rows of a character array, stored column by column; [] for anything else."""
    _, n, at, position = _tag(content, 0, order, where)
    if n != 8 or at + n > len(content):
        return []
    if struct.unpack_from(order + "I", content, at)[0] & 0xFF != _CHAR:
        return []
    shape, _, position = _shape_and_name(content, position, order, where)
    if 0 in shape:
        return [""]
    code, n, at, _ = _tag(content, position, order, where)
    codec = _TEXT.get(code, "latin-1")
    if codec[:4] == "utf-" and codec != "utf-8":
        codec += "-le" if order == "<" else "-be"
    text = content[at : at + n].decode(codec, errors="replace")
    rows = [text[i :: shape[0]].strip("\0 ") for i in range(min(shape[0], _MAX_NAMES))]
    return rows if len(text) == math.prod(shape) else [text.strip("\0 ")]


def _damaged(where: str, what: str) -> NoReturn:
    """Raise the error of a file that contradicts itself."""
    raise InputError(f"{where}: damaged MATLAB file ({what}); save or copy it again")
