"""The one dict of methods: the command line, the benchmark and the contract tests read it."""

from __future__ import annotations

from unmix.methods.base import Unmixer
from unmix.methods.conv_ae import ConvAE
from unmix.methods.cresdae import CResDAE
from unmix.methods.edaa import EDAA
from unmix.methods.khype import VCAKHype, VCASKHype
from unmix.methods.linear import SPAFCLS, VCAFCLS
from unmix.methods.linear_ae import LinearAE
from unmix.methods.mvcnmf import MVCNMF
from unmix.methods.nae import NAE
from unmix.methods.simplex import NFINDRFCLS, SISALFCLS

__all__ = ["DEFAULT", "EXTRACTORS", "METHODS", "NAE", "CResDAE", "ConvAE", "LinearAE"]

METHODS: dict[str, type[Unmixer]] = {
    "vca-fcls": VCAFCLS,
    "spa-fcls": SPAFCLS,
    "nfindr-fcls": NFINDRFCLS,
    "sisal-fcls": SISALFCLS,
    "mvc-nmf": MVCNMF,
    "vca-khype": VCAKHype,
    "vca-skhype": VCASKHype,
    "edaa": EDAA,
    "nae": NAE,
    "linear-ae": LinearAE,
    "conv-ae": ConvAE,
    "cresdae": CResDAE,
}

# Those that bring endmembers to the exact solver, by the extractor's name alone.
EXTRACTORS = {
    name.removesuffix("-fcls"): kind for name, kind in METHODS.items() if name.endswith("-fcls")
}

# Its preset "best", chosen by what it measures (docs/accuracy.md); the recipe as published has to
# be asked for: preset="paper".
DEFAULT = "cresdae"
