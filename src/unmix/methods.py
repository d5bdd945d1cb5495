"""The one dict of methods: the command line, the benchmark and the contract tests read it."""

from __future__ import annotations

from unmix.cresdae import CResDAE
from unmix.estimators import SPAFCLS, VCAFCLS, Unmixer

__all__ = ["DEFAULT", "METHODS", "CResDAE"]

METHODS: dict[str, type[Unmixer]] = {
    "cresdae": CResDAE,
    "vca-fcls": VCAFCLS,
    "spa-fcls": SPAFCLS,
}

DEFAULT = "cresdae"
