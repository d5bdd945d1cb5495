"""Names from identifications, and their record for the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from unmix.identify.answer import Identification

__all__ = ["as_record", "renamed"]

_DIGITS = 4  # of the reference spectrum in the record


def renamed(found: Sequence[Identification], n_given: int = 0) -> tuple[str, ...]:
    """Names of all members: those given stay, the others are called by their match.

    A second match of the same name is numbered; a member without a match keeps its name.

    >>> def member(name, match):
    ...     return Identification(name, (), 1.0, match, "")
    >>> renamed([member("endmember 1", "kaolinite"), member("endmember 2", ""),
    ...          member("endmember 3", "kaolinite")])
    ('kaolinite', 'endmember 2', 'kaolinite 2')
    """
    taken = {one.endmember for k, one in enumerate(found) if k < n_given or not one.match}
    names: list[str] = []
    for k, one in enumerate(found):
        name = one.endmember
        if k >= n_given and one.match:
            name, n = one.match, 1
            while name in taken:
                n += 1
                name = f"{one.match} {n}"
        taken.add(name)
        names.append(name)
    return tuple(names)


def as_record(found: Sequence[Identification], names: Sequence[str]) -> list[dict[str, Any]]:
    """What the manifest holds of each member; numbers that are not finite become None."""
    return [_plain({**_entry(one), "name": name}) for one, name in zip(found, names, strict=True)]


def _entry(one: Identification) -> dict[str, Any]:
    entry = asdict(one)
    reference = entry.pop("reference")
    if reference is not None:
        reference = [round(float(v), _DIGITS) for v in reference]
    return entry | {"reference": reference}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
