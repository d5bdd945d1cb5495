"""Absorption features of spectra: continuum removal, depth, centre, and maps of them."""

from unmix.features.continuum import convex_hull, hull_quotient, remove_continuum
from unmix.features.depth import FeatureValues, measure
from unmix.features.maps import FeatureMaps, feature_maps
from unmix.features.signal import Signal, signal, signal_of
from unmix.features.windows import FEATURES, MAPPED, Feature, feature

__all__ = [
    "FEATURES",
    "MAPPED",
    "Feature",
    "FeatureMaps",
    "FeatureValues",
    "Signal",
    "convex_hull",
    "feature",
    "feature_maps",
    "hull_quotient",
    "measure",
    "remove_continuum",
    "signal",
    "signal_of",
]
