"""Absorption features of the scene's pixels, beside the abundances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.pipeline.ready import Ready, band_values

if TYPE_CHECKING:
    from unmix.features import FeatureMaps

__all__ = ["features_of", "labels", "stacked"]

QUANTITIES = ("{} nm depth", "{} nm centre [nm]", "{} nm mask")


def features_of(ready: Ready, *, denoise: bool, seed: int) -> FeatureMaps | None:
    """Features (valid pixel, feature) of a prepared scene; None where its bands cover none.

    Pixels are projected on their signal subspace first. With `denoise`, for methods whose own work
    takes as long, alike patches of the image are averaged there, too (`unmix.features.signal_of`).
    """
    wavelength = band_values(ready.scene, "wavelength")
    if wavelength is None:
        return None
    from unmix.features import MAPPED, feature, feature_maps, signal_of

    nm = wavelength[ready.preparation.kept]
    try:  # a probe of two pixels: what is not covered costs nothing
        probe = feature_maps(np.ones((2, len(nm)), np.float32), nm)
    except InputError:
        return None
    covered = [name for k, name in enumerate(MAPPED) if np.isfinite(probe.depth[:, k]).any()]
    if not covered:
        return None
    pixels = signal_of(ready.image, seed=seed)[ready.valid] if denoise else None
    if pixels is None:
        pixels = signal_of(ready.X, seed=seed)
    found = feature_maps(pixels, nm, [feature(name) for name in covered])
    return replace(found, names=tuple(covered))


def labels(names: Sequence[str]) -> list[str]:
    """Names of the bands: depth, centre and mask of the first feature, then of the next.

    >>> labels(["2200"])
    ['2200 nm depth', '2200 nm centre [nm]', '2200 nm mask']
    """
    return [label.format(name) for name in names for label in QUANTITIES]


def stacked(found: FeatureMaps) -> NDArray[np.float32]:
    """Depth, centre and mask (..., 3 · feature), in the order of `labels`.

    The mask is 1 where the centre is told, 0 where the feature is too shallow, NaN without depth.
    """
    mask = np.where(np.isfinite(found.depth), np.isfinite(found.centre), np.nan)
    both = np.stack([found.depth, found.centre, mask.astype(np.float32)], axis=-1)
    return both.reshape(*both.shape[:-2], -1)
