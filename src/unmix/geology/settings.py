"""What a user asked of the mineral map, kept in the result's provenance under `geology`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from unmix.checks import InputError
from unmix.geology.materials import grounds, three_of
from unmix.summary import summary_of
from unmix.types import Unmixing

__all__ = ["Settings", "settings_of", "with_settings"]


@dataclass(frozen=True)
class Settings:
    """Threshold and least area of anomalies (None: from the scene), members of the composite.

    `asked` is False for a result that was made without them.
    """

    threshold: float | None
    area: float | None
    ternary: tuple[int, int, int] | None
    asked: bool


def with_settings(
    result: Unmixing, threshold: float | None, area: float | None, ternary: str | None
) -> Unmixing:
    """The result with the settings in its provenance.

    Members of a composite that were not found are a warning: the work is done by then.
    """
    about = {**result.provenance}
    try:
        three = _three(result, ternary)
    except InputError as error:
        about["warnings"] = [*about.get("warnings", ()), str(error)]
        three = _three(result, None)
    numbers = None if three is None else [k + 1 for k in three]
    about["geology"] = {
        "anomaly_threshold": threshold, "anomaly_area": area, "ternary": numbers,
    }  # fmt: skip
    return replace(result, provenance=about)


def settings_of(result: Unmixing) -> Settings:
    """The settings of a result, the defaults where its provenance has none or nonsense."""
    about: Any = result.provenance.get("geology")
    about = about if isinstance(about, dict) else None
    known = about or {}
    threshold, area = (_number(known.get(f"anomaly_{key}")) for key in ("threshold", "area"))
    if threshold is not None and not 0 < threshold < 1:
        threshold = None
    three: Any = known.get("ternary")
    n = len(result.endmembers)
    three = three if isinstance(three, list | tuple) and len(three) == 3 else ()
    if three and all(type(k) is int and 0 < k <= n for k in three) and len(set(three)) == 3:
        chosen = (three[0] - 1, three[1] - 1, three[2] - 1)
        return Settings(threshold, area, chosen, True)
    return Settings(threshold, area, _three(result, None), about is not None)


def _three(result: Unmixing, ternary: str | None) -> tuple[int, int, int] | None:
    return three_of(ternary, result.endmembers.names, summary_of(result).mean, grounds(result))


def _number(value: Any) -> float | None:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if real and 0 <= value < 1e300 else None
