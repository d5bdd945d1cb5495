"""Which methods take part and with what keywords; the same over all scenes of a suite.

A method runs with its own defaults, which are its authors' settings, unless a line here says
otherwise. The quick mode shortens what would take minutes a scene; it says so in its manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unmix.checks import InputError
from unmix.methods import METHODS

__all__ = ["KNOWN", "QUICK", "contenders", "parameters"]

# With the true endmembers given, methods that only extract them are all FCLS.
KNOWN: dict[str, str] = {
    "vca-fcls": "FCLS",
    "vca-khype": "K-Hype",
    "vca-skhype": "SK-Hype",
    "nae": "NAE",
    "cresdae": "CResDAE, paper",
}

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
    """Names of the methods to run, in the order of `METHODS`.

    Raises
    ------
    InputError
        A name that is no method.

    >>> contenders(["spa-fcls", "vca-fcls"])
    ['vca-fcls', 'spa-fcls']
    """
    for name in asked or ():
        if name not in METHODS:
            raise InputError(f"methods: got {name!r}; choose from {', '.join(METHODS)}")
    return [n for n in METHODS if (n in asked if asked else True) and n not in without]


def parameters(method: str, quick: bool) -> Mapping[str, Any]:
    """Keywords of a method beyond its defaults."""
    return ALWAYS.get(method, {}) | (QUICK.get(method, {}) if quick else {})
