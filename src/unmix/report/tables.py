"""The tables of the page's lower half: what went in, what was left out, how to repeat it."""

from __future__ import annotations

import json
from typing import Any

from unmix.plot.style import section
from unmix.types import Unmixing


def details(result: Unmixing) -> dict[str, Any]:
    """Everything that is listed, ready for the template."""
    provenance = result.provenance
    source, pixels = section(result, "input"), section(result, "pixels")
    by = pixels.get("by")
    return {
        "warnings": [sentence(text) for text in texts(provenance.get("warnings"))],
        "bands_left_out": _left_out(result),
        "pixels_left_out": list(by.items()) if isinstance(by, dict) else [],
        "preparation": _rows(provenance.get("preparation")),
        "files": _rows(source.get("files")),
        "reading": texts(source.get("history")),
        "source": str(source.get("path") or ""),
        "command": str(provenance.get("command") or ""),
        "parameters": _parameters(result),
        "evidence": _listed(section(result, "scale").get("evidence")),
        "timings": [(k, v) for k, v in section(result, "timings").items() if k != "total"],
        "versions": _versions(result),
        "created": str(provenance.get("created") or ""),
        "unmix_version": str(provenance.get("unmix_version") or ""),
        "k_reason": _k_reason(result),
    }


def _k_reason(result: Unmixing) -> str:
    """Why so many endmembers, unless somebody asked for them."""
    chosen = section(result, "n_endmembers")
    return "" if chosen.get("chosen") == "user" else str(chosen.get("why") or "")


def texts(value: Any) -> list[str]:
    """A list as text; empty when it is none."""
    return [str(v) for v in value] if isinstance(value, list | tuple) else []


def sentence(text: str) -> str:
    """With a capital and a full stop.

    >>> sentence("no sun angle")
    'No sun angle.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('. ')}."


def _rows(value: Any) -> list[dict[str, Any]]:
    return (
        [dict(row) for row in value if isinstance(row, dict)]
        if isinstance(value, list | tuple)
        else []
    )


def _left_out(result: Unmixing) -> list[tuple[str, int, str]]:
    """Reason, number of bands, and where they lie."""
    reasons = section(result, "bands").get("reason")
    groups: dict[str, list[int]] = {}
    for band, why in reasons.items() if isinstance(reasons, dict) else ():
        if str(band).isdigit():
            groups.setdefault(str(why), []).append(int(band))
    return [(why, len(bands), _where(sorted(bands), result)) for why, bands in groups.items()]


def _where(bands: list[int], result: Unmixing) -> str:
    """Runs of bands, with wavelengths where the scene has them."""
    wavelength = result.endmembers.wavelength
    runs: list[list[int]] = []
    for band in bands:
        if runs and band == runs[-1][1] + 1:
            runs[-1][1] = band
        else:
            runs.append([band, band])
    if wavelength is None or bands[-1] >= len(wavelength):
        return ", ".join(f"{a + 1}" if a == b else f"{a + 1}–{b + 1}" for a, b in runs)
    ends = [(wavelength[a], wavelength[b]) for a, b in runs]
    return ", ".join(f"{a:.0f}" if a == b else f"{a:.0f}–{b:.0f}" for a, b in ends) + " nm"


def _listed(value: Any) -> list[tuple[str, str]]:
    """A mapping as rows of text."""
    if not isinstance(value, dict):
        return []
    return [
        (str(k), v if isinstance(v, str) else json.dumps(v, ensure_ascii=False, default=str))
        for k, v in value.items()
    ]


def _parameters(result: Unmixing) -> list[tuple[str, str]]:
    rows = _listed(section(result, "method").get("parameters"))
    for name, key in (("scale", "mode"), ("n_endmembers", "k")):
        value = section(result, name).get(key)
        if value is not None and name not in dict(rows):
            rows.append((name, str(value)))
    seed = result.provenance.get("seed")
    return rows if seed is None or "seed" in dict(rows) else [*rows, ("seed", str(seed))]


def _versions(result: Unmixing) -> list[tuple[str, str]]:
    commit = result.provenance.get("git_commit")
    own = [("unmix", str(result.provenance.get("unmix_version") or ""))]
    own += [("commit", str(commit))] if commit else []
    return [row for row in own + _listed(section(result, "versions")) if row[1]]
