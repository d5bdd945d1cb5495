"""The one dict of methods: the command line, the benchmark and the contract tests read it."""

from __future__ import annotations

from unmix.methods.base import Unmixer
from unmix.methods.cresdae import CResDAE
from unmix.methods.khype import VCAKHype
from unmix.methods.linear import SPAFCLS, VCAFCLS

__all__ = ["DEFAULT", "METHODS", "CResDAE"]

METHODS: dict[str, type[Unmixer]] = {
    "vca-fcls": VCAFCLS,
    "spa-fcls": SPAFCLS,
    "vca-khype": VCAKHype,
    "cresdae": CResDAE,
}

# The recipe of CResDAE as published is a baseline that the exact solvers beat on every scene tried,
# so it has to be asked for: --method cresdae.
DEFAULT = "vca-fcls"
