"""Figures of a result: maps, spectra, residual, training and evidence curves.

Every function takes an `Unmixing` and returns a matplotlib `Figure` without touching pyplot. One
scale (0 to 1) and one colourbar for all abundance maps; the colour of an endmember is the same
everywhere; masked pixels are light grey; names are drawn as they are, never as formulas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unmix.plot.curves import band_strip, information_curve, k_curves, loss_curves, noise_curve
    from unmix.plot.identified import identified_spectra
    from unmix.plot.maps import abundance_maps, overview
    from unmix.plot.residual import noise_level, residual_histogram, residual_map
    from unmix.plot.spectra import endmember_spectra
    from unmix.plot.style import member_colour, save_png, shrink
    from unmix.plot.view import false_colour, stretched, view_bands

_NAMES = {  # loaded when first used: what needs a colour does not wait for matplotlib
    "curves": ("band_strip", "information_curve", "k_curves", "loss_curves", "noise_curve"),
    "identified": ("identified_spectra",),
    "maps": ("abundance_maps", "overview"),
    "residual": ("noise_level", "residual_histogram", "residual_map"),
    "spectra": ("endmember_spectra",),
    "style": ("member_colour", "save_png", "shrink"),
    "view": ("false_colour", "stretched", "view_bands"),
}
_HOME = {name: home for home, names in _NAMES.items() for name in names}

__all__ = [
    "abundance_maps",
    "band_strip",
    "endmember_spectra",
    "false_colour",
    "identified_spectra",
    "information_curve",
    "k_curves",
    "loss_curves",
    "member_colour",
    "noise_curve",
    "noise_level",
    "overview",
    "residual_histogram",
    "residual_map",
    "save_png",
    "shrink",
    "stretched",
    "view_bands",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"unmix.plot.{_HOME[name]}"), name)
    raise AttributeError(f"module 'unmix.plot' has no attribute {name!r}")
