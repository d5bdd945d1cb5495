"""MATLAB v7.3 files, which are HDF5 with the axes reversed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.hdf5 import open_h5

__all__ = ["Mat73Variable", "is_hdf5", "scan_mat73"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Deflate reaches 1032:1 at most; twice that leaves room for other filters.
_MAX_RATIO = 2064
_MAX_VARIABLES = 10_000
_MAX_NAMES = 4096


@dataclass(frozen=True)
class Mat73Variable:
    """One variable of a v7.3 file.

    Parameters
    ----------
    path : str
    name : str
    shape : tuple of int
        As MATLAB says it; the file has the reverse.
    kind : str
        "numeric", "char", "cell" or "other".
    dtype : str
        NumPy type of the stored numbers, "" unless numeric.
    """

    path: str
    name: str
    shape: tuple[int, ...]
    kind: str
    dtype: str

    def array(self) -> NDArray[Any]:
        """All the numbers, with MATLAB's axes.

        Raises
        ------
        InputError
            Not numeric, or damaged.
        """
        return self.read(...).T

    def read(self, key: Any) -> NDArray[Any]:
        """Numbers of a selection, in the file's (reversed) axes."""
        if self.kind != "numeric":
            raise InputError(f"{Path(self.path).name}: {self.name} holds no real numbers")
        with _opened(self.path) as file:
            return np.asarray(_dataset(file, self.name, Path(self.path).name)[key])

    def strings(self) -> list[str]:
        """Texts of a cell array of character arrays, or of a character matrix's rows."""
        where = Path(self.path).name
        count = math.prod(self.shape)
        if self.kind not in ("cell", "char") or count > _MAX_NAMES:
            raise InputError(f"{where}: {self.name} is no list of names; store a cell array")
        with _opened(self.path) as file:
            data = _dataset(file, self.name, where)
            if self.kind == "char":
                return _rows_of_text(data)
            refs = np.asarray(data[...]).T.ravel(order="F")
            return [" ".join(_rows_of_text(file[ref])) for ref in refs]


def is_hdf5(head: bytes) -> bool:
    """Whether a file that begins with `head` (1024 bytes) is HDF5, with or without user block."""
    return any(head[at : at + 8] == _SIGNATURE for at in (0, 512))


def scan_mat73(path: Path) -> dict[str, Mat73Variable]:
    """Variables of a v7.3 file by name; no numbers are read.

    Raises
    ------
    InputError
        Truncated or damaged, or an array that lies outside the file.
    """
    found: dict[str, Mat73Variable] = {}
    with _opened(str(path)) as file:
        for name in file:
            if name.startswith("#") or not name.isprintable() or len(found) >= _MAX_VARIABLES:
                continue
            if isinstance(file.get(name, getlink=True), h5py.HardLink):
                found[name] = _variable(str(path), name, file[name])
    return found


def _variable(path: str, name: str, item: Any) -> Mat73Variable:
    """What the HDF5 object `item` is to MATLAB."""
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        return Mat73Variable(path, name, (), "other", "")
    label = item.attrs.get("MATLAB_class", b"")
    label = label.decode("latin-1") if isinstance(label, bytes) else str(label)
    kind, dtype = "other", ""
    if label in ("cell", "char"):
        kind = label
    elif item.dtype.kind in "fiub" and "MATLAB_empty" not in item.attrs:
        kind, dtype = "numeric", item.dtype.str
    return Mat73Variable(path, name, tuple(reversed(item.shape)), kind, dtype)


def _dataset(file: h5py.File, name: str, where: str) -> h5py.Dataset:
    """A dataset whose numbers lie in this file, all of them."""
    data = file[name]
    if data.external or data.is_virtual:
        raise InputError(f"{where}: {name} refers to other files; save it with its data")
    held = data.id.get_storage_size()
    if data.size * data.dtype.itemsize > held * _MAX_RATIO:
        raise InputError(
            f"{where}: {name} declares {data.size} numbers but holds {held} bytes; "
            "save or copy the file again"
        )
    return data


def _rows_of_text(data: Any) -> list[str]:
    """Rows of a character array (UTF-16 numbers, axes reversed); [] for anything else."""
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "ui" or data.size > 2**20:
        return []
    if "MATLAB_empty" in data.attrs:
        return [""]
    codes = np.atleast_2d(np.asarray(data[...]).T)
    return ["".join(chr(c % 0x110000) for c in row).strip("\0 ") for row in codes.tolist()]


@contextmanager
def _opened(path: str) -> Iterator[h5py.File]:
    """The file, open; whatever HDF5 finds wrong with it becomes an `InputError`."""
    with open_h5(path, "damaged MATLAB v7.3 (HDF5) file", "save or copy it again") as file:
        yield file
