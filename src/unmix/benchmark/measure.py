"""Wall time and peak memory of a piece of work."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "measured"]

_STATUS = Path("/proc/self/status")


@dataclass
class Cost:
    """What the work took: seconds, and memory above what was held before, in MB."""

    seconds: float = 0.0
    peak_mb: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the body.

    Memory is the resident size at its highest, less that at the start: what the kernel has
    recorded, reset before. Memory that earlier work has freed is handed back first, or it would be
    used again unseen. Where the record cannot be reset (not Linux) only growth beyond the highest
    point so far is seen.

    >>> with measured() as cost:
    ...     block = b"x" * 50_000_000
    >>> cost.peak_mb > 30, cost.seconds > 0
    (True, True)
    """
    cost = Cost()
    _hand_back()
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = _field("VmRSS")
    except OSError:
        before = _high_water()
    start = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - start
        cost.peak_mb = max(_high_water() - before, 0.0)


def _hand_back() -> None:
    """Give freed memory back to the system, where the C library can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _high_water() -> float:
    """Largest resident size so far, MB."""
    if _STATUS.is_file():
        return _field("VmHWM")
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1e6 if sys.platform == "darwin" else 1e3)


def _field(name: str) -> float:
    """A size of /proc/self/status in MB."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name):
            return float(line.split()[1]) * 1024 / 1e6
    return 0.0
