"""Absorption features of the scene's pixels, beside the abundances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.pipeline.ready import Ready, band_values

if TYPE_CHECKING:
    from unmix.features import FeatureMaps, Signal

__all__ = ["FeaturePlan", "labels", "plan_features", "stacked"]

SMALLEST = 8
"""Rows and columns of a scene below which there are no patches to compare."""

QUANTITIES = ("{} nm depth", "{} nm centre [nm]", "{} nm mask")


@dataclass(frozen=True, eq=False)
class FeaturePlan:
    """Which features are mapped, and how pixels are cleaned before; decided once for a scene.

    Parameters
    ----------
    names : tuple of str
        Features that the bands cover.
    wavelength : ndarray, shape (kept band,)
        In nm.
    signal : Signal
        Pixels are projected on their signal subspace first (`unmix.features.signal`).
    """

    names: tuple[str, ...]
    wavelength: NDArray[np.float64]
    signal: Signal

    @property
    def halo(self) -> int:
        """Pixels around a pixel of an image on which its features depend."""
        return self.signal.halo

    def __call__(
        self, X: NDArray[np.floating], inner: tuple[slice, slice], seen: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Depth, centre and mask (pixel, 3 · feature) of pixels, or of those of an image.

        Parameters
        ----------
        X : ndarray, shape (pixel, kept band) or (row, column, kept band)
        inner : (rows, columns)
            The part of an image that is asked for.
        seen : ndarray of bool
            Which pixels of that part.
        """
        from unmix.features import feature, feature_maps

        clean = self.signal.apply(X)
        pixels = clean[inner][seen] if clean.ndim == 3 else clean
        good = np.ones(len(self.wavelength), bool)
        entries = [feature(name) for name in self.names]
        found = feature_maps(
            pixels, self.wavelength, entries, good=good, noise=self.signal.noise, sure=0.0
        )  # patches leave less noise: how much less at a centre is not known
        return stacked(found)


def plan_features(ready: Ready, *, denoise: bool, seed: int) -> FeaturePlan | None:
    """What to map of a prepared scene; None where its bands cover no feature.

    With `denoise`, for methods whose own work takes as long, alike patches of the image are
    averaged in the signal subspace, too.
    """
    wavelength = band_values(ready.scene, "wavelength")
    if wavelength is None:
        return None
    from unmix.features import MAPPED, feature_maps, signal

    nm = wavelength[ready.preparation.kept]
    try:  # a probe of two pixels: what is not covered costs nothing
        probe = feature_maps(np.ones((2, len(nm)), np.float32), nm)
    except InputError:
        return None
    covered = [name for k, name in enumerate(MAPPED) if np.isfinite(probe.depth[:, k]).any()]
    if not covered:
        return None
    image = denoise and min(ready.scene.shape[:2]) >= SMALLEST
    return FeaturePlan(tuple(covered), nm, signal(ready.X, image=image, seed=seed))


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
