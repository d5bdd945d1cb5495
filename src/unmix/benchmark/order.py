"""In which order parts, scenes, methods and scale modes stand, whoever finished first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["PARTS", "SCALES", "method_order", "rank", "scene_order"]

PARTS = ("simulated", "transfer-crop", "transfer-full", "grid", "blind", "known")
MODELS = ("linear", "bilinear", "pnmm")
SCALES = ("none", "l2", "max", "shade", "auto")
REAL_SCENES = ("samson", "jasper", "urban-4", "urban-5", "urban-6")


def rank(known: Sequence[str], name: str | None) -> tuple[int, str]:
    """Place of a name: those known in their order, then the others by alphabet."""
    name = name or ""
    return (known.index(name) if name in known else len(known), name)


def method_order(manifest: Mapping[str, Any]) -> Callable[[str], tuple[int, str]]:
    """Key that sorts methods as the manifest lists them, others after by alphabet."""
    listed = manifest.get("methods")
    known = [
        str(m.get("name") if isinstance(m, Mapping) else m)
        for m in (listed if isinstance(listed, list | tuple | Mapping) else ())
    ]
    return lambda method: rank(known, method)


def scene_order(name: str | None, model: str | None = None, snr: float | None = None) -> Any:
    """Key that sorts scenes: by model and SNR, the known real ones, others by name."""
    found = re.fullmatch(r"(linear|bilinear|pnmm)-(\d+)db", name or "")
    model, snr = (found[1], float(found[2])) if found else (model, snr)
    return (rank(MODELS, model), -1.0 if snr is None else snr, rank(REAL_SCENES, name))
