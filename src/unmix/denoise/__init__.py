"""Noise out of an image, by what its neighbourhoods have in common."""

from unmix.denoise.nonlocal_bayes import Denoised, denoise, halo_of, smoothed, stretched
from unmix.denoise.rough import Smoother, smoother
from unmix.denoise.whiten import Whitening, whitening

__all__ = [
    "Denoised",
    "Smoother",
    "Whitening",
    "denoise",
    "halo_of",
    "smoothed",
    "smoother",
    "stretched",
    "whitening",
]
