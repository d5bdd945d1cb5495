"""The report's section on what the endmembers are: candidates, scores, verdicts."""

from __future__ import annotations

from typing import Any

from unmix.identify.answer import absorption_at
from unmix.plot import identified_spectra, member_colour
from unmix.plot.identified import records
from unmix.report.images import svg
from unmix.types import Unmixing

__all__ = ["identified"]

_SHOWN = 3  # candidates of each member


def identified(result: Unmixing) -> dict[str, Any]:
    """Rows, a member each, and the figure; the rows are empty where nothing was identified."""
    rows = [
        {
            "name": name,
            "colour": member_colour(i),
            "verdict": str(record.get("verdict") or ""),
            "convincing": bool(record.get("match")),
            "candidates": _candidates(record.get("candidates")),
            "absorptions": _absorptions(record.get("absorptions")),
        }
        for i, (name, record) in enumerate(
            zip(result.endmembers.names, records(result), strict=False)
        )
    ]
    return {"identified": rows, "identified_figure": svg(identified_spectra(result))}


def _dicts(values: Any) -> list[dict[str, Any]]:
    listed = values if isinstance(values, list | tuple) else ()
    return [value for value in listed if isinstance(value, dict)]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _candidates(values: Any) -> list[dict[str, Any]]:
    """The first few, with every number as a number or None."""
    return [
        {"name": str(c.get("name") or ""), "entry": str(c.get("entry") or "")}
        | {key: _number(c.get(key)) for key in ("score", "fit", "angle", "sid")}
        for c in _dicts(values)[:_SHOWN]
    ]


def _absorptions(values: Any) -> list[str]:
    """Where it absorbs and why: "2207 nm: Al-OH"."""
    return [
        absorption_at(a["centre"], str(a.get("cause") or a.get("name")))
        for a in _dicts(values)
        if _number(a.get("centre")) is not None
    ]
