"""How far to trust a result, in plain sentences drawn from its own numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from unmix.plot import noise_level
from unmix.plot.identified import records
from unmix.plot.style import section
from unmix.report.chosen import MEANING, NOTHING_LEFT, misfit_of
from unmix.report.facts import in_scene, number
from unmix.summary import fit_of, summary_of
from unmix.types import Unmixing


class Judgement(NamedTuple):
    """A sentence and its weight: "good", "note" or "doubt"."""

    level: str
    text: str


def judgements(result: Unmixing) -> list[Judgement]:
    """What the result's own numbers say about it beyond what the run warned of, doubts first."""
    rules: tuple[Callable[[Unmixing], Iterator[Judgement]], ...] = (
        _fit,
        _intervals,
        _outliers,
        _convergence,
        _contrast,
        _unused,
        _masked,
        _names,
    )
    found = [judgement for rule in rules for judgement in rule(result)]
    return sorted(found, key=lambda j: ("doubt", "note", "good").index(j.level))


def _fit(result: Unmixing) -> Iterator[Judgement]:
    """Residual against the noise, or against the brightness where the noise is unknown."""
    fit = fit_of(result)
    if not fit.pixels:
        yield Judgement("doubt", "No pixel was valid: there is nothing to trust.")
        return
    median, noise = fit.median, noise_level(result)
    if noise:
        ratio = median / noise
        level = "good" if ratio < 1.5 else "note" if ratio < 5 else "doubt"
        text = f"The median residual is {number(ratio, 2)} times the noise"
        more = {
            "good": ": the endmembers explain the scene down to its noise.",
            "note": ": most of the scene is explained, some of its variability is not.",
            "doubt": ": materials are missing, vary in the scene, or mix non-linearly.",
        }
    else:
        ratio = median / float(np.nanmean(np.abs(result.endmembers.spectra)))
        level = "good" if ratio < 0.02 else "note" if ratio < 0.05 else "doubt"
        text = f"The median residual is {ratio:.1%} of the endmembers' mean brightness"
        more = {"good": ".", "note": ".", "doubt": ": much of the scene is not explained."}
    yield Judgement(level, text + more[level])


def _intervals(result: Unmixing) -> Iterator[Judgement]:
    """Intervals know nothing of what stays unexplained, so a misfit makes them too narrow."""
    misfit, surface = misfit_of(result), section(result, "evidence").get("surface")
    varied = isinstance(surface, str) and surface not in MEANING  # typical spectra: it counts
    unsaid = misfit is not None and misfit >= NOTHING_LEFT and not varied
    if result.uncertainty is not None and unsaid:
        text = "The intervals of the abundances do not count what stays unexplained: true errors "
        yield Judgement("doubt", text + "are larger.")


def _outliers(result: Unmixing) -> Iterator[Judgement]:
    share = fit_of(result).outliers
    if share > 0.005:
        text = f"{share:.1%} of the pixels fit three times worse than the median; the residual "
        yield Judgement("note", text + "map shows where a material may be missing.")


def _convergence(result: Unmixing) -> Iterator[Judgement]:
    found = section(result, "convergence")
    status, kkt = str(found.get("status") or ""), found.get("kkt")
    if isinstance(kkt, int | float):
        solved = kkt < 1e-4
        proof = f"optimality conditions hold to {number(float(kkt), 2)}"
        text = f"{status.rstrip('. ')} ({proof})." if status else f"The {proof}."
        yield Judgement("good" if solved else "doubt", text[0].upper() + text[1:])
    elif status:
        yield Judgement("note", status)


def _contrast(result: Unmixing) -> Iterator[Judgement]:
    """The two endmembers that are hardest to tell apart."""
    spectra, names = result.endmembers.spectra, result.endmembers.names
    used = spectra[:, np.isfinite(spectra).all(axis=0)].astype(float)
    if len(used) < 2 or not used.shape[1]:
        return
    unit = used / np.maximum(np.linalg.norm(used, axis=1, keepdims=True), 1e-30)
    cosine = unit @ unit.T - 2 * np.eye(len(unit))
    i, j = sorted(np.unravel_index(int(cosine.argmax()), cosine.shape))
    angle = float(np.arccos(np.clip(cosine[i, j], -1, 1)))
    pair = f"“{names[i]}” and “{names[j]}” are the most alike: {number(angle, 2)} rad apart"
    if angle < 0.05:
        yield Judgement("doubt", pair + ". Read the sum of their maps rather than each.")
    else:
        level = "note" if angle < 0.1 else "good"
        yield Judgement(level, pair + (", little to tell them by." if angle < 0.1 else "."))


def _unused(result: Unmixing) -> Iterator[Judgement]:
    """Endmembers that no pixel holds much of."""
    highest = summary_of(result).highest
    few = [n for n, v in zip(result.endmembers.names, highest, strict=True) if 0 < v < 0.1]
    if few:
        named = ", ".join(f"“{name}”" for name in few[:4])
        more = f" and {len(few) - 4} more" if len(few) > 4 else ""
        exceed = "exceeds" if len(few) == 1 else "exceed"
        text = f"{named}{more} nowhere {exceed} 10 %: fewer endmembers may do."
        yield Judgement("note", text)


def _masked(result: Unmixing) -> Iterator[Judgement]:
    seen = int(in_scene(result).sum())
    share = 1 - summary_of(result).valid / max(seen, 1)
    if share > 0.3:
        yield Judgement("note", f"{share:.0%} of the pixels are masked and not in any number here.")


def _names(result: Unmixing) -> Iterator[Judgement]:
    if not any(re.fullmatch(r"endmember \d+", name) for name in result.endmembers.names):
        return
    if records(result):
        text = "Numbered endmembers are like no library spectrum enough to be named."
    else:
        text = "Endmembers are numbered, not identified; compare their spectra with a library."
    yield Judgement("note", text)
