"""Figures of a benchmark: bars, maps, spectra, box plots, training curves.

A method has one colour in all of them, but it is never told by colour alone: its name stands at
its bar, its box, its column of maps, and lines also differ in their dashes. Where arrays are drawn
they are those of the first seed; which scenes are drawn is fixed by a rule that looks at no error.
"""

from __future__ import annotations

from collections.abc import Iterator

from unmix.benchmark.figures.bars import score_bars
from unmix.benchmark.figures.boxes import error_boxes
from unmix.benchmark.figures.common import Picture
from unmix.benchmark.figures.curves import training_curves
from unmix.benchmark.figures.maps import abundance_maps, scene_views
from unmix.benchmark.figures.spectra import spectra
from unmix.benchmark.results import Results

__all__ = ["Picture", "pictures"]


def pictures(results: Results, part: str) -> Iterator[Picture]:
    """All figures of a part, made one at a time so that only one is in memory."""
    for make in (scene_views, score_bars, error_boxes, abundance_maps, spectra, training_curves):
        yield from make(results, part)
