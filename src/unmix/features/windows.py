"""The diagnostic absorption features as data: where the continuum rests, where the centre may lie.

A straight continuum rests on the mean of the bands in `left` and of those in `right`; the centre is
looked for in `centre`. Exclusions say what else absorbs there, so that nobody reads a map of one
feature as a map of one mineral.

References
----------
Clark, R. N. et al. (2003). Imaging spectroscopy: Earth and planetary remote sensing with the USGS
Tetracorder and expert systems. Journal of Geophysical Research 108 (E12) [Tetracorder].
Kokaly, R. F. (2011). PRISM: Processing routines in IDL for spectroscopic measurements. U.S.
Geological Survey Open-File Report 2011-1155 [PRISM, MICA].
Cudahy, T. et al. (2008). Next generation mineral mapping. CSIRO report P2007/364 [CSIRO].
Hunt, G. R. (1977). Spectral signatures of particulate minerals in the visible and near infrared.
Geophysics 42 [Hunt].
Scott, K. M., Yang, K. (1997). Spectral reflectance studies of white micas. CSIRO report 439R.
"""

from __future__ import annotations

from dataclasses import dataclass

from unmix.checks import InputError

__all__ = ["FEATURES", "MAPPED", "Feature", "feature"]

Span = tuple[float, float]


@dataclass(frozen=True)
class Feature:
    """One absorption feature; every number is a wavelength in nm.

    Parameters
    ----------
    name : str
        Short name, unique in the table.
    left, right : (float, float)
        Bands whose mean the continuum rests on, at either side.
    centre : (float, float)
        Where the deepest band may lie.
    materials : tuple of str
        Mineral groups that show it.
    cause : str
        What absorbs.
    excluded : str
        What absorbs in the same place and must be told apart by other features.
    smooth : float
        Standard deviation of the local fit that noise is averaged with, in nm.
    source : str
    needs : str
        Name of a feature without which, where the bands cover it, this one is another material's.
    """

    name: str
    left: Span
    right: Span
    centre: Span
    materials: tuple[str, ...]
    cause: str
    excluded: str
    smooth: float
    source: str
    needs: str = ""


FEATURES: tuple[Feature, ...] = (
    Feature(
        "chlorophyll 680", (540.0, 560.0), (745.0, 775.0), (650.0, 695.0), ("green vegetation",),
        "chlorophyll", "goethite's shoulder at 670 nm, far shallower", 5.0, "Tetracorder",
    ),
    Feature(
        "goethite 670", (600.0, 640.0), (740.0, 770.0), (645.0, 700.0), ("goethite",),
        "Fe3+ crystal field or Fe2+-Fe3+ charge transfer", "chlorophyll at 680 nm", 12.0, "Hunt",
    ),
    Feature(
        "hematite 860", (745.0, 775.0), (1250.0, 1300.0), (840.0, 890.0), ("hematite",),
        "Fe3+ crystal field", "goethite beyond 890 nm", 20.0, "Tetracorder",
    ),
    Feature(
        "goethite 920", (745.0, 775.0), (1250.0, 1300.0), (890.0, 960.0), ("goethite", "jarosite"),
        "Fe3+ crystal field", "hematite below 890 nm; jarosite has 2265 nm too", 20.0,
        "Tetracorder",
    ),
    Feature(
        "900", (745.0, 775.0), (1250.0, 1300.0), (840.0, 980.0),
        ("hematite", "goethite", "jarosite"), "Fe3+ crystal field; beyond 950 nm water or Fe2+",
        "water in leaves at 970 nm, pyroxene beyond 900 nm: only where vegetation is masked", 20.0,
        "Tetracorder; Hunt",
    ),
    Feature(
        "gypsum 1750", (1660.0, 1685.0), (1800.0, 1825.0), (1735.0, 1765.0), ("gypsum",),
        "OH overtones of bound water", "lignin and cellulose at 1730 nm, alunite at 1760 nm", 8.0,
        "Tetracorder",
    ),
    Feature(
        "alunite 2165", (2080.0, 2110.0), (2235.0, 2255.0), (2150.0, 2180.0),
        ("alunite", "pyrophyllite"), "Al-OH; weakly CO3", "kaolinite's first minimum", 6.0,
        "Tetracorder",
    ),
    Feature(
        "cellulose 2100", (2010.0, 2045.0), (2190.0, 2230.0), (2070.0, 2130.0),
        ("dry vegetation",), "cellulose and lignin", "green plants hide it under water", 12.0,
        "Nagler, P. L. et al. (2003). Remote Sensing of Environment 87",
    ),
    Feature(
        "kaolinite 2165", (2120.0, 2140.0), (2176.0, 2186.0), (2155.0, 2172.0),
        ("kaolinite", "dickite"), "Al-OH, first of the doublet", "alunite, pyrophyllite", 4.0,
        "Tetracorder",
    ),
    Feature(
        "2200", (2105.0, 2130.0), (2235.0, 2255.0), (2155.0, 2226.0),
        ("kaolinite", "muscovite", "illite", "montmorillonite", "alunite", "gypsum"), "Al-OH",
        "gypsum at 2215 nm has 1750 nm too; dry plants absorb broadly at 2100 nm", 4.0,
        "CSIRO; Scott and Yang",
    ),
    Feature(
        "gypsum 2215", (2130.0, 2155.0), (2262.0, 2282.0), (2205.0, 2228.0), ("gypsum",),
        "bound water, S-O or Al-OH", "Al-OH has no 1750 nm", 6.0, "Tetracorder", "gypsum 1750",
    ),
    Feature(
        "2250", (2222.0, 2236.0), (2266.0, 2280.0), (2240.0, 2264.0), ("chlorite", "epidote"),
        "(Fe, Al)-OH or plant matter", "opal and hydrated silica, much wider; biotite", 3.5,
        "CSIRO; Tetracorder",
    ),
    Feature(
        "jarosite 2265", (2225.0, 2240.0), (2290.0, 2305.0), (2255.0, 2275.0), ("jarosite",),
        "Fe-OH or plant matter", "chlorite at 2250 nm; Fe-bearing smectite at 2285 nm", 5.0,
        "Tetracorder",
    ),
    Feature(
        "magnesium 2315", (2265.0, 2285.0), (2360.0, 2375.0), (2294.0, 2334.0),
        ("talc", "sepiolite", "amphibole", "serpentine", "dolomite"), "Mg-OH, CO3 or plant matter",
        "dolomite lies at 2320 nm and has no 1390 nm", 6.0, "Tetracorder",
    ),
    Feature(
        "2330", (2256.0, 2276.0), (2374.0, 2394.0), (2300.0, 2358.0),
        ("calcite", "dolomite", "chlorite", "talc", "sepiolite", "amphibole"),
        "CO3, Mg-OH or plant matter",
        "white mica at 2350 nm beside a deeper 2200 nm; dry plants at 2310 nm", 4.0,
        "CSIRO; Tetracorder",
    ),
)  # fmt: skip
"""Named for use; the four of `MAPPED` are wide enough to hold every mineral of their kind."""

MAPPED = ("900", "2200", "2250", "2330")
"""The features that maps are made of."""


def feature(name: str) -> Feature:
    """The feature of that name.

    Raises
    ------
    InputError
        There is none; the message lists the names.

    >>> feature("2200").cause
    'Al-OH'
    """
    for entry in FEATURES:
        if entry.name == str(name):
            return entry
    names = ", ".join(entry.name for entry in FEATURES)
    raise InputError(f"feature: got {name!r}; choose one of {names}")
