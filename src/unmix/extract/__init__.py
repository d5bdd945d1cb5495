"""Endmember extraction: arrays in, spectra of shape (member, band) out."""

from unmix.extract.spa import spa
from unmix.extract.vca import vca

__all__ = ["spa", "vca"]
