"""HDF5 files (netCDF-4 and HDF-EOS5 are such), opened so that what is wrong becomes one line.

Only numbers that lie in the file itself are read: external and virtual data sets, which name other
files, are refused, and so is a data set that declares far more numbers than it stores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.lazy import BandKey

if TYPE_CHECKING:
    import h5py

__all__ = [
    "H5Pixels",
    "attribute",
    "dataset",
    "holds",
    "layer",
    "open_h5",
    "rows_together",
    "vector",
]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Deflate reaches 1032:1 at most; twice that leaves room for other filters.
_MAX_RATIO = 2064
_ALWAYS_FINE = 2**26  # bytes that a blank layer may unpack to, whatever it stores
_LONGEST = 100_000  # numbers of a list, such as wavelengths


@contextmanager
def open_h5(
    path: str | Path,
    wrong: str = "truncated or damaged HDF5 file",
    remedy: str = "copy or download it again",
) -> Iterator[h5py.File]:
    """The file, open for reading; whatever HDF5 finds wrong with it becomes an `InputError`."""
    import h5py

    where = Path(path).name
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # h5py raises many types on damaged files
        line = " ".join(str(error).split())
        raise InputError(f"{where}: {wrong} ({line:.120}); {remedy}") from None


def holds(path: Path, head: bytes, *names: str) -> bool:
    """Whether `path`, which begins with `head`, is an HDF5 file with all these groups or data sets.

    A MATLAB file is none, whatever it holds.

    >>> holds(Path("scene.nc"), b"CDF", "reflectance")
    False
    """
    if path.suffix.lower() == ".mat" or not any(head[at : at + 8] == _SIGNATURE for at in (0, 512)):
        return False
    with open_h5(path) as file:
        return all(name in file for name in names)


def dataset(file: h5py.File, name: str, where: str, ndim: int | None = None) -> h5py.Dataset:
    """A numeric data set that lies in this file.

    Parameters
    ----------
    file : h5py.File
    name : str
        Path in the file, such as "location/glt_x".
    where : str
        The file's name, for messages.
    ndim : int, optional
        How many dimensions it must have.

    Raises
    ------
    InputError
        It is missing, no array of numbers, of other dimensions, or stored elsewhere.
    """
    import h5py

    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        raise InputError(f"{where}: has no data set {name}; give the complete product")
    if item.external or item.is_virtual or item.file.filename != file.filename:
        raise InputError(f"{where}: {name} refers to other files; give the complete product")
    if item.dtype.kind not in "fiub" or (ndim is not None and item.ndim != ndim):
        raise InputError(
            f"{where}: {name} is {item.ndim}-dimensional {item.dtype.name}, not the "
            f"{ndim or 'n'}-dimensional numbers of the product; download it again"
        )
    size = item.size * item.dtype.itemsize
    if size > max(_ALWAYS_FINE, item.id.get_storage_size() * _MAX_RATIO):
        raise InputError(
            f"{where}: {name} declares {item.size} numbers but holds "
            f"{item.id.get_storage_size()} bytes; copy or download it again"
        )
    return item


def rows_together(data: h5py.Dataset, axis: int) -> int:
    """How many rows a data set stores (and unpacks) as one, along its axis y."""
    return int(data.chunks[axis]) if data.chunks else 1


def layer(file: h5py.File, name: str, where: str, shape: tuple[int, int]) -> NDArray[Any] | None:
    """A map of the scene's size, None where there is none.

    Raises
    ------
    InputError
        It has another size.
    """
    if name not in file:
        return None
    data = dataset(file, name, where)
    if data.shape != shape:
        raise InputError(
            f"{where}: {name} has {_times(data.shape)} values where the scene has "
            f"{_times(shape)} pixels; give the layer of this scene"
        )
    return np.asarray(data[...])


def vector(holder: Any, name: str, where: str) -> NDArray[np.float64] | None:
    """A list of numbers, from a data set or an attribute; None where there is none."""
    if name not in holder:
        return None
    item = holder[name]
    if getattr(item, "size", 1) > _LONGEST:
        raise InputError(f"{where}: {name} lists {item.size} numbers; it must be one a band")
    try:
        return np.asarray(item[...] if hasattr(item, "shape") else item, np.float64).ravel()
    except (TypeError, ValueError):
        raise InputError(f"{where}: {name} is no list of numbers; download it again") from None


def attribute(holder: Any, name: str) -> str:
    """An attribute as text; empty where there is none.

    >>> from types import SimpleNamespace
    >>> attribute(SimpleNamespace(attrs={"units": np.array([b"nm"])}), "units")
    'nm'
    """
    value: Any = np.asarray(holder.attrs.get(name, ""), object).ravel()
    value = value[0] if value.size else ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip("\0 \n")


@dataclass(frozen=True)
class H5Pixels:
    """Window reader of a data set; opens the file for each window, so any thread may use it.

    Parameters
    ----------
    path, name : str
    order : tuple of int
        Which of the data set's axes is y, x and band: (1, 2, 0) for (band, y, x).
    hidden : str
        A data set (y, x) that is not 0 where there is no data; "" for none.
    """

    path: str
    name: str
    order: tuple[int, int, int] = (0, 1, 2)
    hidden: str = ""

    def __call__(self, rows: slice, cols: slice, bands: BandKey) -> NDArray[Any]:
        """Stored numbers of a window, axes (y, x, band)."""
        key: list[Any] = [slice(None)] * 3
        window = (rows, cols, bands)
        for axis, part in zip(self.order, window, strict=True):
            key[axis] = part
        with open_h5(self.path) as file:
            stored = self._read(file, tuple(key)).transpose(self.order)
            if self.hidden:
                hidden = np.asarray(file[self.hidden][rows, cols]) != 0
                if hidden.any():
                    stored = stored.astype(np.result_type(stored, np.float32))
                    stored[hidden] = np.nan
        return stored

    def _read(self, file: h5py.File, key: tuple[Any, ...]) -> NDArray[Any]:
        """The window in the file's axes; few bands of many one by one, else all between them."""
        data, axis = file[self.name], self.order[2]
        bands = key[axis]
        if isinstance(bands, slice):
            return np.asarray(data[key])
        if data.chunks is None or data.chunks[axis] < data.shape[axis]:
            return np.asarray(data[key])
        span = slice(int(bands[0]), int(bands[-1]) + 1)
        whole = np.asarray(data[(*key[:axis], span, *key[axis + 1 :])])
        return np.take(whole, bands - bands[0], axis=axis)


def _times(shape: tuple[int, ...]) -> str:
    """A shape in words.

    >>> _times((3, 4))
    '3 × 4'
    """
    return " × ".join(map(str, shape)) or str(math.prod(shape))
