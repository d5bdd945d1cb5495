"""From a scene to pixels that can be unmixed: which bands, which pixels, which scale, and why."""

from unmix.prepare.plan import WATER_WINDOWS, plan, reflectance_divisor
from unmix.prepare.preparation import Preparation

__all__ = ["WATER_WINDOWS", "Preparation", "plan", "reflectance_divisor"]
