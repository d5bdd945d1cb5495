"""How sure the abundances are, by member and by pixel."""

from __future__ import annotations

from unmix.summary import WIDE, largest_sd, sure_of
from unmix.types import Unmixing

__all__ = ["WIDE", "by_member", "largest_sd"]


def by_member(result: Unmixing) -> list[dict[str, float]]:
    """Mean standard deviation of each member, and the share of pixels with a wide interval.

    Shares are of the valid pixels; empty where the result does not say how sure it is.
    """
    found = sure_of(result)
    if found is None:
        return []
    return [{"sd": float(s), "wide": float(w)} for s, w in zip(*found, strict=True)]
