"""Scenes with known abundances: mixing, random fields, noise, the built-in library and demo."""

from unmix.io.simulated import check_files, write_geotiff, write_mat, write_truth
from unmix.simulate.abundances import FIELDS
from unmix.simulate.demo import builtin_library, demo_scene, write_demo_scene
from unmix.simulate.models import INTERACTIONS, KINDS, MODELS
from unmix.simulate.noise import NOISES
from unmix.simulate.scene import Simulation, simulate
from unmix.simulate.several import (
    NINE,
    check_folder,
    check_lists,
    located,
    scene_name,
    scenes,
    write_scenes,
)
from unmix.simulate.variability import BUNDLE_DRAWS, VARIABILITIES, Variability

__all__ = [
    "BUNDLE_DRAWS",
    "FIELDS",
    "INTERACTIONS",
    "KINDS",
    "MODELS",
    "NINE",
    "NOISES",
    "VARIABILITIES",
    "Simulation",
    "Variability",
    "builtin_library",
    "check_files",
    "check_folder",
    "check_lists",
    "demo_scene",
    "located",
    "scene_name",
    "scenes",
    "simulate",
    "write_demo_scene",
    "write_geotiff",
    "write_mat",
    "write_scenes",
    "write_truth",
]
