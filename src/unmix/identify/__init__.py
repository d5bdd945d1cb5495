"""Which materials spectra are: candidates from a spectral library, with scores and a verdict."""

from unmix.identify.answer import Absorption, Candidate, Identification
from unmix.identify.match import identify
from unmix.identify.naming import as_record, renamed
from unmix.identify.shipped import shipped_library

__all__ = [
    "Absorption",
    "Candidate",
    "Identification",
    "as_record",
    "identify",
    "renamed",
    "shipped_library",
]
