"""Figures of a result."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from unmix.types import Unmixing


def overview(result: Unmixing) -> Figure:
    """One figure that shows the whole result."""
    return Figure()


def save_png(figure: Figure, path: Path) -> None:
    """Same figure, same bytes."""
    figure.savefig(path, metadata={"Software": None})
