"""Scenes with known abundances: mixing, random fields, noise, the built-in library and demo."""

from unmix.io.simulated import write_geotiff, write_mat, write_truth
from unmix.simulate.demo import builtin_library, demo_scene, write_demo_scene
from unmix.simulate.scene import FIELDS, MODELS, Simulation, simulate

__all__ = [
    "FIELDS",
    "MODELS",
    "Simulation",
    "builtin_library",
    "demo_scene",
    "simulate",
    "write_demo_scene",
    "write_geotiff",
    "write_mat",
    "write_truth",
]
