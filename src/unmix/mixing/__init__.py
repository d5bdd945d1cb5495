"""Mixing models: from abundances and endmembers to spectra, without noise.

Conventions: abundances A (..., member), endmembers E (member, band), spectra X (..., band), in
reflectance (fraction). e_i is row i of E, ⊙ the product band by band. Every model is the linear one
plus something; each function is its equation and nothing else. Where the spectra differ from pixel
to pixel, E is (..., member, band) with the pixels' axes first.

References
----------
Wang, M., Zhao, M., Chen, J., Rahardja, S. (2019). Nonlinear unmixing of hyperspectral data via
deep autoencoder networks. IEEE GRSL 16(9): the bilinear and post-nonlinear models used there.
Dobigeon, N. et al. (2014). Nonlinear unmixing of hyperspectral images. IEEE SPM 31(1): a survey.
"""

from unmix.mixing.base import linear
from unmix.mixing.curves import CURVES, polynomial, post_nonlinear
from unmix.mixing.intimate import albedo, hapke, reflectance
from unmix.mixing.products import bilinear, fan, generalised_bilinear, pair_products
from unmix.mixing.reflections import multilinear

__all__ = [
    "CURVES",
    "albedo",
    "bilinear",
    "fan",
    "generalised_bilinear",
    "hapke",
    "linear",
    "multilinear",
    "pair_products",
    "polynomial",
    "post_nonlinear",
    "reflectance",
]
