"""What a method chose from the scene, and why, in words; any part of it may be missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from unmix.plot.style import section
from unmix.report.facts import number
from unmix.types import Unmixing

MEANING = {
    "linear": "light meets one material; a pixel is the sum of its endmembers by area",
    "bilinear": "some light meets two materials on its way; products of endmembers are added",
    "post-nonlinear": "the sum is raised to one power in the whole scene",
}
NOTHING_LEFT = 1.5  # misfit up to which what stays unexplained is put down to noise
_FEW = 4  # constants that are listed one by one


def choices(result: Unmixing) -> dict[str, Any]:
    """Rows of mixing surfaces, best first, if there was a choice, and sentences about it."""
    rows = _surfaces(section(result, "evidence").get("candidates"))
    return {"surfaces": rows if len(rows) > 1 else [], "reasons": list(_reasons(result, rows))}


def misfit_of(result: Unmixing) -> float | None:
    """Mean square of what the model leaves unexplained, in units of the noise that is left."""
    return _number(section(result, "evidence").get("misfit"))


def _surfaces(candidates: Any) -> list[dict[str, Any]]:
    """Each surface by the best of its fits; `behind` is its score's distance from the best."""
    best: dict[str, dict[str, Any]] = {}
    for candidate in candidates if isinstance(candidates, list | tuple) else ():
        if not isinstance(candidate, dict) or not candidate.get("surface"):
            continue
        name = str(candidate["surface"])
        if name not in best or _score(candidate) > _score(best[name]):
            best[name] = candidate
    top = max(map(_score, best.values()), default=-math.inf)
    rows = [
        {
            "name": name,
            "meaning": MEANING.get(name, ""),
            "constants": _constants(candidate.get("constants")),
            "log_likelihood": _number(candidate.get("log_likelihood")),
            "score": _number(candidate.get("score")),
            "behind": top - _score(candidate) if math.isfinite(_score(candidate)) else None,
        }
        for name, candidate in best.items()
    ]
    return sorted(rows, key=lambda row: math.inf if row["behind"] is None else row["behind"])


def _reasons(result: Unmixing, rows: list[dict[str, Any]]) -> Iterator[str]:
    """What was found about mixing, noise and fit, a sentence each."""
    evidence = section(result, "evidence")
    surface, fitted = evidence.get("surface"), [r for r in rows if r["behind"] is not None]
    surface = surface if isinstance(surface, str) else None
    method = section(result, "method")
    if evidence and method.get("model") and not method.get("finetuned"):
        yield "All this was found on the scene that the model was trained on, not on this one."
    if surface and len(fitted) > 1 and fitted[0]["name"] == surface:
        yield (
            f"Mixing is taken as {surface}: it scores {number(fitted[1]['behind'])} better than "
            f"{fitted[1]['name']}."
        )
    elif surface in MEANING:
        yield f"Mixing is taken as {surface}."
    elif surface:
        yield (
            f"No way of mixing explains the scene: the endmembers stand as {surface} of what "
            "varies, mixed by area."
        )
    components = evidence.get("components")
    if isinstance(components, int):
        yield f"The fit keeps {number(components)} independent directions of the spectra."
    left, misfit = _number(evidence.get("noise_left")), misfit_of(result)
    if left is not None and left < 1:
        yield f"Averaging alike pixels leaves {left:.0%} of the noise’s power in these directions."
    if misfit is not None and not _warned_of_misfit(result):
        yield _misfit(misfit)


def _warned_of_misfit(result: Unmixing) -> bool:
    """Whether a warning says it already."""
    warned = result.provenance.get("warnings")
    listed = warned if isinstance(warned, list | tuple) else ()
    return any("mixtures of" in str(text) for text in listed)


def _misfit(misfit: float) -> str:
    """The misfit in plain words."""
    if misfit < NOTHING_LEFT:
        return "What stays unexplained is no more than the noise that is left."
    return (
        f"What stays unexplained is {number(math.sqrt(misfit), 2)} times the noise that is left: "
        "materials vary, are missing, or mix in another way."
    )


def _score(candidate: dict[str, Any]) -> float:
    score = _number(candidate.get("score"))
    return -math.inf if score is None else score


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if good else None


def _constants(values: Any) -> str:
    """A few constants one by one, of many the number and the range."""
    found = [_number(v) for v in values] if isinstance(values, list | tuple) else []
    known = [v for v in found if v is not None]
    if len(known) <= _FEW:
        return ", ".join(map(number, known)) or "none"
    return f"{len(known)}, from {number(min(known))} to {number(max(known))}"
