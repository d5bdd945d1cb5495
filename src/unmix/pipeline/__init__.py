"""From a scene to maps: prepare, decide, fit, solve, check; every decision is written down."""

from unmix.pipeline.model import apply_model
from unmix.pipeline.stages import Progress, extract_endmembers, run
from unmix.pipeline.train import train_model

__all__ = ["Progress", "apply_model", "extract_endmembers", "run", "train_model"]
