"""Which methods take part and with what keywords; the same over all scenes of a suite.

A method runs with its own defaults, which are its authors' settings, unless a line here says
otherwise. The quick mode shortens what would take minutes a scene; it says so in its manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unmix.checks import InputError
from unmix.methods import METHODS
from unmix.methods.base import Unmixer

__all__ = ["KNOWN", "QUICK", "contenders", "estimator", "label", "parameters"]

# With the true endmembers given, methods that only extract them are all FCLS.
KNOWN: dict[str, str] = {
    "vca-fcls": "FCLS",
    "vca-khype": "K-Hype",
    "vca-skhype": "SK-Hype",
    "nae": "NAE",
    "cresdae": "CResDAE",
    "cresdae-paper": "CResDAE, paper",
}

# A method with other keywords, compared under a name of its own.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "cresdae-paper": ("cresdae", {"preset": "paper"}),
}
NAMES = (*METHODS, *VARIANTS)

# Where a method's defaults, its authors' own, are not its best over the scenes of a suite.
ALWAYS: dict[str, dict[str, Any]] = {
    # their μ of 0.01 fits the noise at 10 dB; the evidence of the pixels says how much more
    "vca-khype": {"kernel": "polynomial", "mu": "auto"},
    # 2000 spectra in batches of 6 from random weights stop far from the truth on flat Dirichlet
    "linear-ae": {"init": "vca", "n_spectra": 20_000, "batch_size": 64, "epochs": 100},
}
QUICK: dict[str, dict[str, Any]] = {
    "conv-ae": {"init": "vca", "n_patches": 60, "batch_size": 5, "epochs": 20},
    "edaa": {"n_restarts": 20},
    "linear-ae": {"epochs": 50},
}


def contenders(asked: Sequence[str] | None, without: Sequence[str] = ()) -> list[str]:
    """Names of what to run, in the order of `METHODS` and then the variants.

    Raises
    ------
    InputError
        A name that is no method.

    >>> contenders(["spa-fcls", "vca-fcls"])
    ['vca-fcls', 'spa-fcls']
    """
    for name in asked or ():
        if name not in NAMES:
            raise InputError(f"methods: got {name!r}; choose from {', '.join(NAMES)}")
    return [n for n in NAMES if (n in asked if asked else True) and n not in without]


def parameters(method: str, quick: bool) -> Mapping[str, Any]:
    """Keywords of a method beyond its defaults."""
    of_variant = VARIANTS[method][1] if method in VARIANTS else {}
    return of_variant | ALWAYS.get(method, {}) | (QUICK.get(method, {}) if quick else {})


def estimator(name: str, **keywords: Any) -> Unmixer:
    """The estimator of a method or variant, with keywords from `parameters` and others."""
    return METHODS[VARIANTS[name][0] if name in VARIANTS else name](**keywords)


def label(name: str) -> str:
    """What a method or variant is called in tables.

    >>> label("vca-fcls"), label("cresdae-paper")
    ('VCA + FCLS', 'CResDAE, paper')
    """
    return KNOWN[name] if name in VARIANTS else METHODS[name].label
