"""Which materials spectra are: candidates from a spectral library, with scores and a verdict."""

from unmix.identify.match import Candidate, Identification, identify
from unmix.identify.shipped import shipped_library

__all__ = ["Candidate", "Identification", "identify", "shipped_library"]
