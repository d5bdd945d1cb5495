"""The verdict on one endmember: its candidates in order, the lead of the first, and any doubt.

The limits were set on the USGS library at bands of EMIT with noise of 2 %, each mineral with and
without its own family in the library; `benchmarks/identify.py` prints what they let through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.identify.answer import Absorption, Candidate, Identification
from unmix.identify.score import Scores
from unmix.identify.titles import Material

__all__ = ["Comparison", "judge", "unknown"]

Array = NDArray[np.floating]

CONVINCING = 0.88  # least fit of a match
UNRULED = 0.92  # the same for a mineral without diagnostic rules to confirm it
MARGIN = 0.03  # least lead over the next family
OBEYED = 0.75  # least share of a mineral's rules that a match fulfils
LEFT = 0.12  # most of an endmember's absorption that a mineral may leave unexplained
FEWEST_WINDOWS = 3


@dataclass(frozen=True, eq=False)
class Comparison:
    """Endmembers compared with every library entry.

    Parameters
    ----------
    materials : sequence of Material
    titles : sequence of str
    scores : Scores
    total, rules : ndarray, shape (member, entry)
        What candidates are ranked by, and the share of rules fulfilled (NaN without rules).
    n_windows : int
        Windows of absorption features that the bands cover.
    """

    materials: Sequence[Material]
    titles: Sequence[str]
    scores: Scores
    total: Array
    rules: Array
    n_windows: int

    def candidate(self, row: int, j: int) -> Candidate:
        """Entry j as a candidate for endmember `row`."""
        material = self.materials[j]
        values = (
            self.total, self.scores.total, self.scores.features, self.scores.angle,
            self.scores.sid, self.rules, self.scores.left,
        )  # fmt: skip
        return Candidate(
            material.name,
            self.titles[j],
            material.family,
            material.kind,
            *(float(value[row, j]) for value in values),
        )

    def ranked(self, row: int) -> list[int]:
        """The best entry of each material, best first."""
        best: dict[str, int] = {}
        for j in np.argsort(-np.nan_to_num(self.total[row], nan=-np.inf), kind="stable"):
            if np.isfinite(self.total[row, j]):
                best.setdefault(self.materials[j].name, int(j))
        return list(best.values())


def judge(
    name: str, row: int, found: Comparison, n_candidates: int, seen: tuple[Absorption, ...]
) -> tuple[Identification, int | None]:
    """The answer on one endmember, and the entry that stands for its first candidate."""
    ranked = found.ranked(row)
    if not ranked:
        return unknown(name, "no library spectrum covers its bands"), None
    first = found.materials[ranked[0]]
    rival = next((j for j in ranked if found.materials[j].family != first.family), None)
    margin, other = float("inf"), ""
    if rival is not None:
        margin = float(found.total[row, ranked[0]] - found.total[row, rival])
        other = found.materials[rival].name
    candidates = tuple(found.candidate(row, j) for j in ranked[:n_candidates])
    doubt = _doubt(candidates[0], margin, other, found.n_windows)
    match = "" if doubt else candidates[0].name
    why = doubt or _because(candidates[0])
    verdict = f"{'no' if doubt else 'a'} convincing match: {why}"
    return Identification(name, candidates, margin, match, verdict, seen), ranked[0]


def unknown(name: str, why: str) -> Identification:
    """The answer where nothing could be compared."""
    return Identification(name, (), 0.0, "", f"no convincing match: {why}")


def _doubt(best: Candidate, margin: float, rival: str, n_windows: int) -> str:
    """Why the first candidate is no match; empty where it is one."""
    unruled = np.isnan(best.rules) and best.kind != "cover"
    least = UNRULED if unruled else CONVINCING
    if n_windows < FEWEST_WINDOWS:
        return "its bands cover too few absorption features"
    if best.fit < least:
        return f"{best.name} is nearest, but fits to {best.fit:.3f} only ({least} is asked for)"
    if best.rules < OBEYED:
        return f"{best.name} is nearest, but its diagnostic absorptions are not there"
    if best.kind == "mineral" and best.left > LEFT:
        return f"{best.name} is nearest, but {best.left:.0%} of what is absorbed is something else"
    if margin < MARGIN:
        return f"{best.name} and {rival} fit alike ({margin:.3f} apart)"
    return ""


def _because(best: Candidate) -> str:
    text = f"fits to {best.fit:.2f}, its absorption features to {best.feature_fit:.2f}"
    return text + (", diagnostic absorptions found" if best.rules >= 1 else "")
