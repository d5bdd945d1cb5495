"""Random maps: abundances that look like outcrops and units, brightness that looks like terrain.

Everything is drawn from a `numpy.random.Generator`; the same generator state gives the same map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

__all__ = [
    "IMPURE",
    "capped",
    "dirichlet_abundances",
    "random_field",
    "smooth_abundances",
    "sparsest",
    "terrain",
]

Array = NDArray[np.floating]

SHARPNESS = 2.5
"""Contrast of the softmax that turns fields into abundances."""
IMPURE = 0.8
"""Largest abundance where no pure pixels are wanted."""
OUTCROP = 0.03
"""Radius of a pure outcrop, as a share of the shorter side (at least half a pixel)."""


def smooth_abundances(
    rng: np.random.Generator,
    k: int,
    size: tuple[int, int],
    pure: bool = True,
    *,
    max_members: int | None = None,
    max_purity: float = IMPURE,
) -> Array:
    """Abundances from K smooth Gaussian fields z: a = softmax(2.5 z), shape (row, col, member).

    The fields have a correlation length of a tenth of the shorter side with a finer one added, and
    unit variance over the scene, so that every member has ground of its own.

    Parameters
    ----------
    pure : bool
        Give each member a disc where its abundance is 1, fading out to twice the radius;
        otherwise draw every pixel towards the middle until no abundance exceeds `max_purity`.
    max_members : int, optional
        The most members a pixel holds (`sparsest`).
    max_purity : float
        The largest abundance without `pure`.

    >>> A = smooth_abundances(np.random.default_rng(0), 3, (40, 60))
    >>> bool(np.allclose(A.sum(axis=-1), 1)), A.max(axis=(0, 1)).round(3)
    (True, array([1., 1., 1.]))
    """
    z = np.stack([random_field(rng, size) for _ in range(k)], axis=-1)
    A = np.exp(SHARPNESS * (z - z.max(axis=-1, keepdims=True)))
    A /= A.sum(axis=-1, keepdims=True)
    A = sparsest(_with_outcrops(A) if pure else A, max_members)
    return A if pure else capped(A, max_purity, max_members)


def dirichlet_abundances(
    rng: np.random.Generator,
    k: int,
    size: tuple[int, int],
    pure: bool = True,
    *,
    concentration: ArrayLike = 1.0,
    max_members: int | None = None,
    max_purity: float = IMPURE,
) -> Array:
    """Independent Dirichlet abundances; with `pure`, one pixel of each member at random.

    Parameters
    ----------
    concentration : float or array_like, shape (member,)
        1 is flat over the simplex; below 1 pixels tend to be pure, above 1 well mixed.
    pure, max_members, max_purity
        As in `smooth_abundances`.

    >>> A = dirichlet_abundances(np.random.default_rng(0), 3, (40, 60), pure=False)
    >>> bool(A.max() <= 0.8 + 1e-12), A.mean(axis=(0, 1)).round(1)
    (True, array([0.3, 0.3, 0.3]))
    """
    alpha = np.broadcast_to(np.asarray(concentration, float), k)
    A = sparsest(rng.dirichlet(alpha, size), max_members)
    if not pure:
        return capped(A, max_purity, max_members)
    spots = rng.permutation(size[0] * size[1])[:k]
    A.reshape(-1, k)[spots] = np.eye(k)[: len(spots)]
    return A


def sparsest(A: Array, n: int | None) -> Array:
    """At most `n` members a pixel: a ← max(a - c, 0) over its sum, c the (n+1)-th largest.

    No jump where two members change rank, a pure pixel stays pure, and flat Dirichlet abundances
    become flat on the face of their `n` largest members. Where the `n` largest and the next are
    all equal, the first `n` of them share the pixel.

    >>> sparsest(np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]]), 2)
    array([[0.75, 0.25, 0.  ],
           [1.  , 0.  , 0.  ]])
    """
    k = A.shape[-1]
    if n is None or n >= k:
        return A
    next_largest = np.partition(A, k - n - 1, axis=-1)[..., k - n - 1, None]
    rest = np.maximum(A - next_largest, 0.0)
    total = rest.sum(axis=-1, keepdims=True)
    return np.where(total > 0, rest / np.where(total > 0, total, 1.0), _largest(A, n) / n)


def capped(A: Array, cap: float, n: int | None = None) -> Array:
    """Move pixels towards the mean of their n members until none exceeds `cap`.

    a ← u + t (a - u) with u = 1/n for the n largest members (all K by default) and 0 elsewhere.

    >>> capped(np.array([0.0, 0.0, 1.0]), 0.8)
    array([0.1, 0.1, 0.8])
    """
    n = A.shape[-1] if n is None else min(n, A.shape[-1])
    even = 1.0 / n
    u = even * _largest(A, n)
    top = A.max(axis=-1, keepdims=True)
    t = np.minimum(1.0, (max(cap, even) - even) / np.maximum(top - even, 1e-12))
    return u + t * (A - u)


def _largest(A: Array, n: int) -> NDArray[np.bool_]:
    """Which members are among the pixel's n largest, the first of equal ones."""
    if n == A.shape[-1]:
        return np.ones(A.shape, bool)
    chosen = np.zeros(A.shape, bool)
    np.put_along_axis(chosen, np.argsort(-A, axis=-1, kind="stable")[..., :n], True, axis=-1)
    return chosen


def terrain(
    rng: np.random.Generator, size: tuple[int, int], span: tuple[float, float]
) -> NDArray[np.float32]:
    """Brightness of slopes lit from one side, with least and greatest value `span`.

    >>> s = terrain(np.random.default_rng(0), (30, 50), (0.6, 1.1))
    >>> s.shape, round(float(s.min()), 3), round(float(s.max()), 3)
    ((30, 50), 0.6, 1.1)
    """
    height = random_field(rng, size, share=0.12, fine=0.05)
    padded = np.pad(height, 1, mode="edge")
    slope = (padded[1:-1, 2:] - padded[1:-1, :-2]) + 0.5 * (padded[2:, 1:-1] - padded[:-2, 1:-1])
    spread = np.ptp(slope)
    unit = (slope - slope.min()) / spread if spread > 0 else np.ones(size)
    return (span[0] + (span[1] - span[0]) * unit).astype(np.float32)


def random_field(
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
