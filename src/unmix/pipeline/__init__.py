"""From a scene to maps: prepare, decide, fit, solve, check; every decision is written down."""

from unmix.pipeline.extract import extract_endmembers
from unmix.pipeline.model import apply_model
from unmix.pipeline.progress import Progress
from unmix.pipeline.stages import run
from unmix.pipeline.train import train_model

__all__ = ["Progress", "apply_model", "extract_endmembers", "run", "train_model"]
