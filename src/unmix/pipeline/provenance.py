"""What shaped a result: input files and their hashes, versions, code revision, threads."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

import unmix
from unmix.parallel import n_threads, over_items

__all__ = ["code", "git_commit", "hash_files", "version_of"]

_LARGE = 2**30  # bytes of a file that is hashed whole
_PARTS, _PART = 64, 2**20
_PACKAGES = ("numpy", "scipy", "numba", "torch", "scikit-learn", "xarray", "rasterio")


def code(seed: int) -> dict[str, Any]:
    """Manifest entries on code and machine: versions, commit, date, seed, threads.

    >>> code(3)["seed"]
    3
    """
    return {
        "unmix_version": unmix.__version__,
        "git_commit": git_commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "threads": n_threads(),
        "versions": {
            "python": platform.python_version(),
            **{name: version_of(name) for name in _PACKAGES},
        },
    }


def version_of(package: str) -> str:
    """Version of an installed package.

    From the text of its metadata: parsing all of it takes a tenth of a second to load the parser.

    >>> import numpy
    >>> version_of("numpy") == numpy.__version__
    True
    """
    distribution = metadata.distribution(package)
    found = re.search("^Version: *(.+)$", distribution.read_text("METADATA") or "", re.MULTILINE)
    return found[1].strip() if found else str(distribution.version)


def git_commit() -> str | None:
    """Commit of the source tree unmix runs from; None where it is installed without one."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def hash_files(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, size and SHA-256 of each file.

    Of a file above 1 GiB `sha256_of_parts` is given instead: that of 64 parts of 1 MiB at equal
    distances, the first and the last among them. Hashing it whole takes longer than unmixing it.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a"
    >>> _ = path.write_bytes(b"abc")
    >>> hash_files([path])[0]["sha256"][:8]
    'ba7816bf'
    """
    return over_items(_hashed, files)


def _hashed(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    with path.open("rb") as stream:
        if size <= _LARGE:
            found = {"sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
        else:
            found = {"sha256_of_parts": _of_parts(stream, size)}
    return {"path": str(path), "bytes": size, **found}


def _of_parts(stream: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    for i in range(_PARTS):
        stream.seek(i * (size - _PART) // (_PARTS - 1))
        digest.update(stream.read(_PART))
    return digest.hexdigest()
