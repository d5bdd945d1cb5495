"""Satellite products as they are delivered: which reader a file or a folder asks for.

A reader is a module of this folder with two functions: `find(path, head)` gives the product's main
file where `path` (main file, metadata file or folder; `head` its first bytes, empty for a folder)
belongs to such a product and None otherwise; `read(main)` gives the scene.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from unmix.checks import InputError
from unmix.io.envi import find_header
from unmix.io.lazy import RawScene

__all__ = ["READERS", "files_in", "read_product"]

READERS = ("enmap", "ahsi", "prisma", "emit", "tanager")
"""Modules of `unmix.io` that read a satellite product, in the order they are asked."""

NAMES = "AHSI (GF-5, GF-5B, ZY1-02D), EnMAP, PRISMA, EMIT or Tanager"

_ARCHIVES = {b"PK\3\4": "zip", b"\x1f\x8b\b": "gzip", b"BZh": "bzip2", b"7z\xbc\xaf": "7z"}
_MOST_FILES = 10_000


def read_product(path: Path, head: bytes) -> RawScene | None:
    """The scene of the satellite product that `path` belongs to; None if it belongs to none.

    Raises
    ------
    InputError
        A folder without a product or with several, an archive, and what the readers raise.

    >>> import tempfile
    >>> read_product(Path(tempfile.mkdtemp(prefix="none-")), b"")
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: ...: is a folder without a product of AHSI ...; give a scene's file
    """
    _refuse_archive(path, head)
    found = {}
    for name in READERS:
        reader = import_module(f"unmix.io.{name}")
        main = reader.find(path, head)
        if main is not None:
            found[reader] = main
            if not path.is_dir():
                break
    if len(found) > 1:
        names = " and ".join(main.name for main in found.values())
        raise InputError(f"{path}: holds several products ({names}); give the file of one")
    for reader, main in found.items():
        raw: RawScene = reader.read(main)
        return raw
    if path.is_dir():
        raise InputError(f"{path}: is a folder without a product of {NAMES}; give a scene's file")
    return None


def _refuse_archive(path: Path, head: bytes) -> None:
    """Products come packed; nothing is unpacked here."""
    if not head or find_header(path) is not None:  # numbers may look like anything
        return
    if path.suffix.lower() in (".npy", ".npz"):  # the latter is a zip archive, too
        raise InputError(f"{path.name}: NumPy files are not read; save the cube as .mat or netCDF")
    kind = next((kind for magic, kind in _ARCHIVES.items() if head.startswith(magic)), None)
    if kind is None and head[257:262] == b"ustar":
        kind = "tar"
    if kind is not None:
        raise InputError(f"{path.name}: is a {kind} archive; unpack it and give its folder")


def files_in(folder: Path) -> list[Path]:
    """Files of a folder, sorted by name, and of its only sub-folder where it holds nothing else.

    Archives often unpack to a folder in a folder.

    >>> import tempfile
    >>> inner = Path(tempfile.mkdtemp()) / "product"
    >>> inner.mkdir()
    >>> (inner / "a.xml").touch()
    >>> [p.name for p in files_in(inner.parent)]
    ['a.xml']
    """
    entries = sorted(folder.iterdir())[:_MOST_FILES]
    if len(entries) == 1 and entries[0].is_dir():
        entries = sorted(entries[0].iterdir())[:_MOST_FILES]
    return [path for path in entries if path.is_file()]
