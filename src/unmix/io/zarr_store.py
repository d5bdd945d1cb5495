"""What a zarr store may hold before it is opened: codecs that only decode numbers, arrays that fit.

A store names the codecs of its chunks, and one of those that libraries know unpickles them, which
runs whatever the chunk says. Only codecs known to be harmless are let through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unmix.checks import InputError

__all__ = ["check_store", "stored_bytes"]

_META = ("zarr.json", ".zarray")
_CODECS = {
    *("blosc", "zlib", "gzip", "zstd", "lz4", "lz4hc", "bz2", "lzma", "zfpy", "pcodec"),
    *("shuffle", "bitshuffle", "delta", "fixedscaleoffset", "quantize", "bitround", "packbits"),
    *("crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3", "astype", "endian"),
    *("bytes", "transpose", "sharding_indexed", "vlen-utf8", "vlen-bytes", "vlen_utf8"),
    *("vlen_bytes", "string", "cast_value", "scale_offset"),
}
_LARGEST_META = 2**24  # bytes
_MOST = 1_000_000  # files


def check_store(path: Path) -> None:
    """`InputError` for a store whose chunks would be decoded by anything else than known codecs.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / ".zarray").write_text('{"filters": [{"id": "pickle"}]}')
    >>> check_store(folder)
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: ...: its codec 'pickle' is not one of those unmix reads; write ...
    """
    for file in _files(path):
        if file.name not in _META:
            continue
        if file.stat().st_size > _LARGEST_META:
            raise InputError(f"{path.name}: {file.name} is too large; write the store again")
        try:
            names = list(_codecs(json.loads(file.read_bytes())))
        except (ValueError, RecursionError):
            raise InputError(
                f"{path.name}: damaged zarr store ({file.relative_to(path)} is no JSON); "
                "write it again"
            ) from None
        for name in names:
            if name.removeprefix("numcodecs.").lower() not in _CODECS:
                raise InputError(
                    f"{path.name}: its codec {name!r:.40} is not one of those unmix reads; "
                    "write the store with blosc or zstd"
                )


def stored_bytes(path: Path) -> int:
    """Size of a store's files in all."""
    return sum(file.stat().st_size for file in _files(path))


def _files(path: Path) -> Iterator[Path]:
    """Files of the store that lie in it."""
    top = path.resolve()
    for count, file in enumerate(sorted(path.rglob("*"))):
        if count > _MOST:
            raise InputError(f"{path.name}: holds more than {_MOST} files; give a smaller store")
        if not file.resolve().is_relative_to(top):
            raise InputError(f"{path.name}: {file.name} lies outside the store; copy it whole")
        if file.is_file():
            yield file


def _codecs(node: Any) -> Iterator[str]:
    """Names of every codec that metadata mention, however deep they are nested."""
    if isinstance(node, list):
        for item in node:
            yield from _codecs(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in ("filters", "compressor", "compressors", "codecs", "index_codecs", "serializer"):
            for codec in value if isinstance(value, list) else [value]:
                name = codec.get("id", codec.get("name")) if isinstance(codec, dict) else codec
                if name is not None:
                    yield str(name)
        if key != "attributes":
            yield from _codecs(value)
