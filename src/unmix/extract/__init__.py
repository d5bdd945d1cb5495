"""Endmember extraction: arrays in, spectra of shape (member, band) out."""

from unmix.extract.mvcnmf import mvcnmf
from unmix.extract.nfindr import nfindr
from unmix.extract.sisal import sisal
from unmix.extract.spa import spa
from unmix.extract.vca import vca

__all__ = ["mvcnmf", "nfindr", "sisal", "spa", "vca"]
