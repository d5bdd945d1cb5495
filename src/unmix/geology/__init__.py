"""From abundances to what goes on a mineral map: classes, anomalies, composites."""

from unmix.geology.anomalies import Patches, check_anomalies, find_anomalies, thresholds
from unmix.geology.dominant import Dominant, dominant
from unmix.geology.materials import grounds, three_of
from unmix.geology.ternary import ternary, triangle

__all__ = [
    "Dominant",
    "Patches",
    "check_anomalies",
    "dominant",
    "find_anomalies",
    "grounds",
    "ternary",
    "three_of",
    "thresholds",
    "triangle",
]
