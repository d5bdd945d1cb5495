"""Scenes tile by tile: what is read at a time, by whom, and where unfinished work is kept."""

from unmix.tiles.execution import Execution

__all__ = ["Execution"]
