"""Endmember variability: spectra of one material that differ from pixel to pixel.

e_k(pixel) = s_k(pixel) · m_k(pixel),   s_k from a range, m_k one spectrum of member k's bundle
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from unmix.checks import InputError, check_option
from unmix.simulate.blocks import PATCHES, mosaic
from unmix.simulate.fields import random_field
from unmix.types import Endmembers

__all__ = ["BUNDLE_DRAWS", "VARIABILITIES", "Variability", "check_bundles", "draw_variability"]

VARIABILITIES = ("smooth", "white")
BUNDLE_DRAWS = ("patch", "pixel")

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Variability:
    """What became of each member's spectrum in each pixel.

    Parameters
    ----------
    scale : ndarray, float32, shape (row, col, member), optional
        Factor of the spectrum; None where it is 1 everywhere.
    bundles : tuple of ndarray, shape (n, band) each, optional
        The spectra each member is drawn from, on the cube's bands.
    index : ndarray, int32, shape (row, col, member), optional
        Which spectrum of its bundle each member has, counted from 0.
    """

    scale: NDArray[np.float32] | None = None
    bundles: tuple[Array, ...] | None = None
    index: NDArray[np.int32] | None = None

    @property
    def plain(self) -> bool:
        """Whether all pixels have the same spectra."""
        return self.scale is None and self.bundles is None

    def spectra(self, E: Array, rows: slice = slice(None)) -> Array:
        """Endmembers of the pixels in `rows`, (row, col, member, band); `E` where all are alike."""
        if self.bundles is not None and self.index is not None:
            drawn = self.index[rows]
            E = np.stack([b[drawn[..., k]] for k, b in enumerate(self.bundles)], axis=-2)
        return E if self.scale is None else self.scale[rows][..., None] * E


def draw_variability(
    streams: tuple[np.random.Generator, np.random.Generator],
    size: tuple[int, int],
    k: int,
    span: tuple[float, float] | None,
    field: str,
    bundles: tuple[Array, ...] | None,
    draw: str,
) -> Variability:
    """Draw factors from `span`, evenly, and spectra from `bundles`; by the one or other stream.

    `field` "smooth" draws factors that change slowly over the scene, "white" one for each pixel on
    its own; `draw` "patch" one spectrum for each patch of a mosaic, "pixel" one for each pixel.
    """
    check_option(field, VARIABILITIES, "variability_field")
    check_option(draw, BUNDLE_DRAWS, "bundle_draw")
    scale = index = None
    if span is not None:
        low, high = span
        if field == "white":
            unit = streams[0].random((*size, k))
        else:
            unit = np.stack([ndtr(random_field(streams[0], size)) for _ in range(k)], axis=-1)
        scale = (low + (high - low) * unit).astype(np.float32)
    if bundles is not None:
        index = np.empty((*size, k), np.int32)
        for member, spectra in enumerate(bundles):
            index[..., member] = _draws(streams[1], size, len(spectra), draw)
    return Variability(scale, bundles, index)


def _draws(
    rng: np.random.Generator, size: tuple[int, int], n: int, draw: str
) -> NDArray[np.integer]:
    """Numbers below n, one a pixel or one a patch (each occurs where there are patches enough)."""
    if draw == "pixel":
        return rng.integers(0, n, size)
    label = mosaic(rng, size, max(PATCHES, 3 * n))
    return rng.permutation(np.arange(label.max() + 1) % n)[label]


def check_bundles(bundles: Sequence[Any] | None, E: Endmembers) -> tuple[Array, ...] | None:
    """Bundles as arrays (n, band) on the bands of `E`, one a member.

    Raises
    ------
    InputError
        Not one a member, empty, another number of bands, a spectrum without any value.
    """
    if bundles is None:
        return None
    if isinstance(bundles, Endmembers) or not hasattr(bundles, "__len__"):
        raise InputError("bundles: give a list with the spectra of each member")
    if len(bundles) != len(E):
        raise InputError(f"bundles: got {len(bundles)} for {len(E)} endmembers; give one each")
    n_bands = E.spectra.shape[1]
    return tuple(_one(b, name, n_bands) for b, name in zip(bundles, E.names, strict=True))


def _one(bundle: Any, name: str, n_bands: int) -> Array:
    spectra = bundle.spectra if isinstance(bundle, Endmembers) else bundle
    try:
        array = np.asarray(spectra, float)
    except (TypeError, ValueError):
        raise InputError(f"bundles: {name!r} is no array of numbers; give (n, band)") from None
    if array.ndim != 2 or not len(array) or array.shape[1] != n_bands:
        raise InputError(
            f"bundles: {name!r} has shape {array.shape}; give (n, {n_bands}), its spectra on the "
            "bands of the endmembers"
        )
    return array
