"""Random maps: abundances that look like outcrops and units, brightness that looks like terrain.

Everything is drawn from a `numpy.random.Generator`; the same generator state gives the same map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["dirichlet_abundances", "smooth_abundances", "terrain"]

Array = NDArray[np.floating]

SHARPNESS = 2.5
"""Contrast of the softmax that turns fields into abundances."""
IMPURE = 0.8
"""Largest abundance where no pure pixels are wanted."""
OUTCROP = 0.03
"""Radius of a pure outcrop, as a share of the shorter side (at least half a pixel)."""


def smooth_abundances(
    rng: np.random.Generator, k: int, size: tuple[int, int], pure: bool = True
) -> Array:
    """Abundances from K smooth Gaussian fields z: a = softmax(2.5 z), shape (row, col, member).

    The fields have a correlation length of a tenth of the shorter side with a finer one added, and
    unit variance over the scene, so that every member has ground of its own.

    Parameters
    ----------
    pure : bool
        Give each member a disc where its abundance is 1, fading out to twice the radius;
        otherwise draw every pixel towards the middle until no abundance exceeds 0.8.

    >>> A = smooth_abundances(np.random.default_rng(0), 3, (40, 60))
    >>> bool(np.allclose(A.sum(axis=-1), 1)), A.max(axis=(0, 1)).round(3)
    (True, array([1., 1., 1.]))
    """
    z = np.stack([_smooth(rng, size) for _ in range(k)], axis=-1)
    A = np.exp(SHARPNESS * (z - z.max(axis=-1, keepdims=True)))
    A /= A.sum(axis=-1, keepdims=True)
    return _with_outcrops(A) if pure else _capped(A)


def dirichlet_abundances(
    rng: np.random.Generator, k: int, size: tuple[int, int], pure: bool = True
) -> Array:
    """Independent flat Dirichlet abundances; with `pure`, one pixel of each member at random.

    >>> A = dirichlet_abundances(np.random.default_rng(0), 3, (40, 60), pure=False)
    >>> bool(A.max() <= 0.8 + 1e-12), A.mean(axis=(0, 1)).round(1)
    (True, array([0.3, 0.3, 0.3]))
    """
    A = rng.dirichlet(np.ones(k), size)
    if not pure:
        return _capped(A)
    spots = rng.permutation(size[0] * size[1])[:k]
    A.reshape(-1, k)[spots] = np.eye(k)[: len(spots)]
    return A


def terrain(
    rng: np.random.Generator, size: tuple[int, int], span: tuple[float, float]
) -> NDArray[np.float32]:
    """Brightness of slopes lit from one side, with least and greatest value `span`.

    >>> s = terrain(np.random.default_rng(0), (30, 50), (0.6, 1.1))
    >>> s.shape, round(float(s.min()), 3), round(float(s.max()), 3)
    ((30, 50), 0.6, 1.1)
    """
    height = _smooth(rng, size, share=0.12, fine=0.05)
    padded = np.pad(height, 1, mode="edge")
    slope = (padded[1:-1, 2:] - padded[1:-1, :-2]) + 0.5 * (padded[2:, 1:-1] - padded[:-2, 1:-1])
    spread = np.ptp(slope)
    unit = (slope - slope.min()) / spread if spread > 0 else np.ones(size)
    return (span[0] + (span[1] - span[0]) * unit).astype(np.float32)


def _smooth(
    rng: np.random.Generator, size: tuple[int, int], share: float = 0.1, fine: float = 0.2
) -> Array:
    """Gaussian random field of zero mean and unit variance over the scene."""
    length = share * min(size)
    coarse, detail = (
        _standard(gaussian_filter(rng.standard_normal(size), s, mode="reflect"))
        for s in (length, length / 4)
    )
    return _standard(coarse + fine * detail)


def _standard(z: Array) -> Array:
    spread = z.std()
    return (z - z.mean()) / (spread if spread > 0 else 1.0)


def _with_outcrops(A: Array) -> Array:
    """Blend in a pure disc around the pixel where each member is strongest, discs kept apart."""
    rows, cols, k = A.shape
    radius = max(0.5, OUTCROP * min(rows, cols))
    y, x = np.mgrid[:rows, :cols]
    free = np.ones((rows, cols), bool)
    out = A.copy()
    for member in range(k):
        score = np.where(free, gaussian_filter(A[..., member], radius), -1.0)
        top, left = np.unravel_index(score.argmax(), score.shape)
        distance = np.hypot(y - top, x - left)
        weight = np.clip(2.0 - distance / radius, 0.0, 1.0)[..., None]
        out = (1.0 - weight) * out + weight * np.eye(k)[member]
        free &= distance > 4.0 * radius
    return out


def _capped(A: Array) -> Array:
    """Move pixels towards 1/K until no abundance exceeds the cap: a ← 1/K + t (a - 1/K)."""
    k = A.shape[-1]
    cap = max(IMPURE, 1.0 / k)
    top = A.max(axis=-1, keepdims=True)
    t = np.minimum(1.0, (cap - 1.0 / k) / np.maximum(top - 1.0 / k, 1e-12))
    return 1.0 / k + t * (A - 1.0 / k)
