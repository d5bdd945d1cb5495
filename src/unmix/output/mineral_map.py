"""What a mineral map needs beside abundances: classes, anomalies, styles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unmix.geology.dominant import LEAST
from unmix.output.anomalies import Anomalies, anomalies_of, write_anomalies
from unmix.output.classes import classes_of
from unmix.output.styled import write_styles
from unmix.types import Unmixing

__all__ = ["write_mineral_map"]


def write_mineral_map(result: Unmixing, folder: Path) -> dict[str, Any]:
    """Write the files, and give what the manifest says of them."""
    classes, anomalies = classes_of(result), anomalies_of(result)
    write_anomalies(result, anomalies, folder / "anomalies.gpkg")
    write_styles(result, folder)
    seen = int((classes.code > 0).sum())
    mixed = int((classes.code == len(result.endmembers) + 1).sum())
    known = "assumed" if result.uncertainty is None else "posterior"
    return {
        "classes": {"least_confidence": LEAST, "sd": known, "pixels": seen, "mixed": mixed},
        "anomalies": _recorded(result, anomalies),
    }


def _recorded(result: Unmixing, found: Anomalies) -> dict[str, Any]:
    """Thresholds and counts of each material's patches."""
    return {
        "threshold": "given" if found.asked else "from the scene",
        "least_pixels": found.least_pixels,
        "pixel_m2": found.pixel,
        "materials": [
            {
                "name": result.endmembers.names[p.member],
                "threshold": p.threshold,
                "patches": len(p.pixels),
                "pixels": int(p.pixels.sum()),
            }
            for p in found.patches
        ],
    }
