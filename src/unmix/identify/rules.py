"""Diagnostic rules: what a spectrum must show to be called by a mineral's name.

A rule is a list of absorption features with the range in which each centre must lie. A mineral that
has rules gains where its features are there and loses where they are not; one without rules is
judged by its fit alone. This is the part of an expert system that whole-shape similarity lacks:
calcite and dolomite differ by 20 nm of one feature, hematite and goethite by 40 nm.

References
----------
Clark, R. N. et al. (2003). Imaging spectroscopy: Earth and planetary remote sensing with the USGS
Tetracorder and expert systems. Journal of Geophysical Research 108 (E12).
Kokaly, R. F. (2011). PRISM: Processing routines in IDL for spectroscopic measurements. U.S.
Geological Survey Open-File Report 2011-1155.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmix.features.continuum import remove_continuum
from unmix.features.depth import FeatureValues, measured
from unmix.features.sampling import sample_feature
from unmix.features.windows import FEATURES

__all__ = ["RULES", "Found", "absorptions", "fulfilled"]

Array = NDArray[np.floating]
Span = tuple[float, float]
Found = dict[str, tuple[FeatureValues, Array]]
"""Features of spectra by name, and the depth (member,) that noise alone may feign."""

RULES: dict[str, tuple[tuple[str, Span], ...]] = {
    "calcite": (("2330", (2330.0, 2350.0)),),
    "dolomite": (("2330", (2310.0, 2330.0)),),
    "gypsum": (("gypsum 1750", (1740.0, 1760.0)), ("gypsum 2215", (2205.0, 2225.0))),
    "jarosite": (("jarosite 2265", (2255.0, 2275.0)), ("900", (890.0, 945.0))),
    "alunite": (("alunite 2165", (2155.0, 2180.0)),),
    "pyrophyllite": (("alunite 2165", (2160.0, 2174.0)),),
    "kaolin": (("2200", (2196.0, 2214.0)), ("kaolinite 2165", (2157.0, 2172.0))),
    "white mica": (("2200", (2186.0, 2224.0)),),
    "aluminium smectite": (("2200", (2196.0, 2218.0)),),
    "goethite": (("900", (888.0, 975.0)),),
    "hematite": (("900", (840.0, 892.0)),),
    "chlorite": (("2250", (2242.0, 2262.0)), ("2330", (2315.0, 2357.0))),
    "epidote": (("2250", (2242.0, 2262.0)), ("2330", (2328.0, 2350.0))),
    "talc": (("magnesium 2315", (2304.0, 2322.0)),),
    "serpentine": (("magnesium 2315", (2304.0, 2332.0)),),
    "amphibole": (("magnesium 2315", (2304.0, 2317.0)),),
    "green vegetation": (("chlorophyll 680", (660.0, 690.0)),),
    "dry vegetation": (("cellulose 2100", (2080.0, 2125.0)),),
    "palygorskite": (("magnesium 2315", (2302.0, 2325.0)),),
}
"""Family: features and where their centres lie."""

SLACK = 4.0  # nm a centre may lie outside: half a band
SHALLOWEST = 0.01
DEEP = {"chlorophyll 680": 0.3}  # least depth of features that are deep or mean little
SURE = 2.0  # standard deviations of the noise by which a depth must exceed zero


def absorptions(spectra: Array, wavelength: Array, noise: Array) -> Found:
    """Every feature that the bands cover, and the depth that noise alone may feign.

    Parameters
    ----------
    spectra : ndarray, shape (member, band)
    wavelength : ndarray, shape (band,)
        Increasing, nm.
    noise : ndarray, shape (member,)
        Standard deviation of the noise relative to the spectrum.
    """
    found: Found = {}
    for entry in FEATURES:
        sampling = sample_feature(entry, wavelength)
        if sampling is not None:
            values = measured(1 - remove_continuum(spectra, sampling), sampling)
            gain = np.sqrt((sampling.smooth**2).sum(axis=1).mean())
            least = DEEP.get(entry.name, SHALLOWEST)
            found[entry.name] = (values, np.maximum(least, SURE * noise * gain))
    return found


def fulfilled(found: Found, family: str) -> Array | None:
    """Share of a family's rules that each spectrum fulfils; None without rules or bands for them.

    Shape (member,).
    """
    marks = []
    for name, (low, high) in RULES.get(family, ()):
        if name in found:
            values, feigned = found[name]
            with np.errstate(invalid="ignore"):
                inside = (values.centre >= low - SLACK) & (values.centre <= high + SLACK)
                marks.append(inside & (values.depth > feigned))
    return np.mean(marks, axis=0) if marks else None
