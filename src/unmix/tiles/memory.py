"""How much memory there is, and how much a run may take."""

from __future__ import annotations

import os
import re
from pathlib import Path

from unmix.checks import InputError

__all__ = ["budget", "free_memory", "parse_memory", "used_memory"]

LEAST = 64 * 2**20  # bytes: less than this holds no tile
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_FORM = re.compile(r"(\d+\.?\d*|\.\d+)\s*(?:([kmgt]?)(i?)b?)", re.IGNORECASE)


def parse_memory(text: str) -> int:
    """Bytes of a text such as ``2GB``, ``512 MiB`` or ``1.5g``.

    Raises
    ------
    InputError
        Not a size, or less than 64 MiB.

    >>> parse_memory("2GB"), parse_memory("512MiB")
    (2000000000, 536870912)
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise InputError(f"memory: cannot read {text!r:.40}; write 2GB or 512MiB")
    unit = match[2].lower()
    size = int(float(match[1]) * (_BINARY.get(unit, 1) if match[3] else _UNITS[unit]))
    if size < LEAST:
        raise InputError(f"memory: {text!r:.40} is less than 64MiB; give more")
    return size


def budget(memory: int | str | None) -> int:
    """Bytes a run may take: what was asked for, else half of what is free."""
    if memory is None:
        return max(free_memory() // 2, LEAST)
    return parse_memory(memory) if isinstance(memory, str) else parse_memory(str(memory))


def free_memory() -> int:
    """Bytes this process can still take: free memory, or what a limit leaves of it.

    >>> free_memory() > 0
    True
    """
    return max(min([_available(), *_of_groups(), *_of_limits()]), LEAST)


def used_memory() -> int:
    """Bytes of memory this process holds that no file backs.

    >>> used_memory() > 0
    True
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    import psutil

    return int(psutil.Process().memory_info().rss)


def _available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    import psutil

    return int(psutil.virtual_memory().available)


def _of_limits() -> list[int]:
    """What the limits of this process leave, on systems that have such."""
    try:
        import resource
    except ImportError:
        return []
    found = []
    for which, field in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        limit = resource.getrlimit(which)[0]
        if limit != resource.RLIM_INFINITY:
            found.append(limit - _own(field))
    return found


def _of_groups() -> list[int]:
    """What the control group of this process leaves, version 2 or 1."""
    found = []
    base = Path("/sys/fs/cgroup")
    for limit, used in (
        (base / "memory.max", base / "memory.current"),
        (base / "memory/memory.limit_in_bytes", base / "memory/memory.usage_in_bytes"),
    ):
        try:
            found.append(int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):
            continue
    return found


def _own(field: int) -> int:
    """Bytes of /proc/self/statm: 0 all addresses, 5 data and stack."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * int(Path("/proc/self/statm").read_text().split()[field])
    except (OSError, ValueError):
        return 0
