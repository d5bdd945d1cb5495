"""The page to look at."""

from __future__ import annotations

from pathlib import Path

from unmix.types import Unmixing


def write_report(result: Unmixing, path: Path) -> Path:
    """Write report.html."""
    path.write_text("<!doctype html><title>unmix</title>", encoding="utf-8")
    return path
