"""Endmember extraction: arrays in, spectra of shape (member, band) out."""

from unmix.extract.nfindr import nfindr
from unmix.extract.sisal import sisal
from unmix.extract.spa import spa
from unmix.extract.vca import vca

__all__ = ["nfindr", "sisal", "spa", "vca"]
