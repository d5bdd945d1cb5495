"""A GF-5-like granule: a mineral district under a vegetation gradient, with its truth.

Seven measured spectra of the shipped library at the bands of an AHSI-like sensor (150 VNIR and 180
SWIR bands that overlap near 1004-1029 nm): forest and grassland over layered silicate (illite and
sepiolite in tilted strata), a carbonate massif (dolomite and calcite) and sulfate caps (jarosite).

    x = s Σ_k a_k e_k + n,   a_veg = v · (forest, grassland),   a_min = (1 − v) · minerals,

v the vegetation cover, which runs from bare to closed across the granule, s the brightness of the
slopes, n noise that grows towards the ends of each detector. 25 bands are bad: most are declared
so, eight are not (four dead, four far too noisy). The swath's footprint lies askew in the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from unmix.checks import InputError, check_seed
from unmix.resample import resample
from unmix.simulate.demo import builtin_library
from unmix.simulate.fields import random_field
from unmix.simulate.scene import Simulation, simulate
from unmix.types import Endmembers

__all__ = ["MATERIALS", "VEGETATION", "Granule", "ahsi_bands", "granule"]

Array = NDArray[np.floating]

MATERIALS = {
    "forest": "Conifer",
    "grassland": "Green grass",
    "illite": "Illite",
    "sepiolite": "Sepiolite",
    "dolomite": "Dolomite",
    "calcite": "Calcite",
    "jarosite": "Jarosite",
}
"""Name of each member and the spectrum of the shipped library that it is."""
VEGETATION = ("forest", "grassland")
CRS = "EPSG:32647"
TRANSFORM = (30.0, 0.0, 402_315.0, 0.0, -30.0, 4_187_655.0)
SIZE = (420, 520)
SNR = 30.0
BRIGHTNESS = (0.6, 1.1)
TILT = 11.0  # degrees of the swath against the grid
OUTCROP = 0.018  # radius of pure ground, as a share of the shorter side
SMALLEST = 60  # rows or columns
DECLARED, DEAD, NOISY = 17, 4, 4  # bad bands: in the header, and not
WINDOWS = ((1345.0, 1455.0), (1795.0, 1955.0))  # no light from the ground


@dataclass(frozen=True, eq=False)
class Granule:
    """A granule and what is known of it beside its abundances.

    Parameters
    ----------
    scene : Simulation
        Cube, abundances and endmembers; NaN outside the swath.
    bad : ndarray of bool, shape (band,)
        All 25 bad bands.
    declared : ndarray of bool, shape (band,)
        Those of them that a header lists.
    """

    scene: Simulation
    bad: NDArray[np.bool_]
    declared: NDArray[np.bool_]


def ahsi_bands() -> tuple[Array, Array]:
    """Band centres and FWHM in nm: 150 of the VNIR detector, 180 of the SWIR detector.

    An even grid between the published ends of the two detectors (390-1029 nm, 1004-2513 nm).

    >>> centre, fwhm = ahsi_bands()
    >>> centre.shape, centre[[0, 149, 150, 329]]
    ((330,), array([ 390., 1029., 1004., 2513.]))
    """
    vnir, swir = np.linspace(390, 1029, 150), np.linspace(1004, 2513, 180)
    width = np.concatenate([np.full(150, 4.4), np.full(180, 8.6)])
    return np.concatenate([vnir, swir]).round(2), width


def granule(
    *,
    size: tuple[int, int] = SIZE,
    snr: float = SNR,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Granule:
    """Make the granule.

    Parameters
    ----------
    size : (rows, cols)
        At least 60 each.
    snr : float
        In dB over the bands that are neither bad nor in the water windows; 20 to 35 is real.
    seed : int

    Raises
    ------
    InputError
        Too small, or a value out of range.

    >>> made = granule(size=(60, 80), seed=1)
    >>> made.scene.cube.shape, int(made.bad.sum()), int(made.declared.sum())
    ((60, 80, 330), 25, 17)
    """
    rows, cols = (int(n) for n in size)
    if min(rows, cols) < SMALLEST:
        raise InputError(f"size: got {rows}x{cols}; a granule has at least {SMALLEST} each way")
    rng = np.random.default_rng(check_seed(seed))
    inside = _footprint(rows, cols)
    A = _with_outcrops(_abundances(rng, (rows, cols)) * inside[..., None])
    A = A / np.where(inside, A.sum(axis=-1), np.nan)[..., None]
    members = _members()
    bad, declared = _bad_bands(rng, np.asarray(members.wavelength))
    lost = bad | _hidden(np.asarray(members.wavelength))
    profile = np.where(lost, 0.0, np.concatenate([_bathtub(150), _bathtub(180)]))
    power = (np.nan_to_num(A).reshape(-1, len(members)) @ members.spectra) ** 2
    snr += 10 * np.log10(power.sum() / power[:, ~lost].sum())  # of the bands that count
    scene = simulate(
        members, abundances=A, brightness=BRIGHTNESS, noise_profile=profile, snr=snr, seed=seed,
        progress=progress,
    )  # fmt: skip
    rubbish = max(0.15, 8.0 * float(np.max(scene.parameters["noise_sigma"])))
    scene = replace(scene, cube=_spoiled(scene.cube, lost, bad & ~declared, rubbish, rng))
    return Granule(replace(scene, crs=CRS, transform=TRANSFORM), bad, declared)


def _members() -> Endmembers:
    """The materials' spectra at the sensor's bands, under the materials' names.

    The library begins at 400 nm; the first bands take its first value.
    """
    library = builtin_library()
    rows = [library.names.index(title) for title in MATERIALS.values()]
    assert library.wavelength is not None
    nm = np.concatenate([[380.0, 390.0], library.wavelength, [2500.0, 2510, 2520, 2530]])
    ends = np.pad(library.spectra[rows], ((0, 0), (2, 4)), mode="edge")
    wide = Endmembers(ends, nm, tuple(MATERIALS), library.source)
    return resample(wide, *ahsi_bands())


def _bathtub(n: int) -> Array:
    """Relative noise 1 in the middle of a detector, 3 at its ends."""
    return 1.0 + 2.0 * np.linspace(-1.0, 1.0, n) ** 6


def _hidden(nm: Array) -> NDArray[np.bool_]:
    """Bands in which water vapour hides the ground."""
    return np.any([(nm >= low) & (nm <= high) for low, high in WINDOWS], axis=0)


def _bad_bands(rng: np.random.Generator, nm: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """25 bad bands among those that see the ground, and which of them are declared."""
    inner = np.flatnonzero(~_hidden(nm))
    inner = inner[(nm[inner] > 420) & (nm[inner] < 2480)]
    picks = rng.choice(inner, DECLARED + DEAD + NOISY, replace=False)
    bad, declared = np.zeros((2, nm.size), bool)
    bad[picks], declared[picks[:DECLARED]] = True, True
    return bad, declared


def _spoiled(
    cube: NDArray[np.float32],
    lost: NDArray[np.bool_],
    undeclared: NDArray[np.bool_],
    sigma: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Noise around 0.2 in the bands that are lost; half of the undeclared ones hold one value."""
    seen = np.isfinite(cube[..., 0])
    for band in np.flatnonzero(lost):
        cube[seen, band] = np.clip(rng.normal(0.2, sigma, int(seen.sum())), -0.9, 3.0)
    for band in np.flatnonzero(undeclared)[::2]:
        cube[seen, band] = 0.0
    return cube


def _footprint(rows: int, cols: int) -> NDArray[np.bool_]:
    """Pixels inside the swath, a rectangle turned by `TILT` that touches the grid's edges."""
    turn = np.deg2rad(TILT)
    c, s = np.cos(turn), np.sin(turn)
    grid = np.array([[c, s], [s, c]])  # half extents of the grid of a turned rectangle
    half = np.linalg.solve(grid, np.array([cols, rows]) / 2.0)
    y, x = np.mgrid[:rows, :cols] + 0.5
    y, x = y - rows / 2, x - cols / 2
    inside: NDArray[np.bool_] = (np.abs(c * x + s * y) <= half[0]) & (
        np.abs(c * y - s * x) <= half[1]
    )
    return inside


def _abundances(rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """Maps (row, col, member) in the order of `MATERIALS`."""
    minerals = _minerals(rng, size)
    cover = _cover(rng, size)
    trees = _step(3.0 * random_field(rng, size, share=0.09))
    leaves = np.stack([trees, 1 - trees], axis=-1)
    return np.concatenate([cover[..., None] * leaves, (1 - cover)[..., None] * minerals], axis=-1)


def _cover(rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """Vegetation cover: closed in the west, bare in the east, with clearings and groves."""
    west = np.linspace(1.0, 0.0, size[1])[None]
    rough = random_field(rng, size, share=0.06, fine=0.3)
    return _step(7.0 * (west - 0.55) + 1.1 * rough)


def _minerals(rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """Illite, sepiolite, dolomite, calcite and jarosite of the ground below; they sum to 1."""
    rows, cols = size
    y, x = np.mgrid[:rows, :cols] / min(size)
    warp = 0.05 * random_field(rng, size, share=0.2, fine=0.0)
    strata = _step(6.0 * np.sin(2 * np.pi * (2.2 * (y + 0.3 * x) + warp * 4)))
    massif = _step(9.0 * (0.42 * rows / min(size) - y + 0.25 * x - 0.2 + 2.0 * warp))
    calcite = _step(3.5 * random_field(rng, size, share=0.12))
    caps = _step(5.0 * (random_field(rng, size, share=0.045, fine=0.1) - 1.75))
    silicate, carbonate = (1 - massif) * (1 - caps), massif * (1 - caps)
    return np.stack(
        [silicate * strata, silicate * (1 - strata), carbonate * (1 - calcite),
         carbonate * calcite, caps], axis=-1,
    )  # fmt: skip


def _with_outcrops(A: Array) -> Array:
    """Blend in four discs of pure ground a member where it is strong, apart from each other."""
    rows, cols, k = A.shape
    radius = OUTCROP * min(rows, cols)
    y, x = np.mgrid[:rows, :cols]
    free, own = np.ones((rows, cols)), np.ones((k, rows, cols))
    for turn in range(4 * k):
        member = turn % k
        strength = gaussian_filter(A[..., member], radius) * own[member]
        score = np.where(free > 0, strength, -1.0)
        top, left = np.unravel_index(score.argmax(), score.shape)
        distance = np.hypot(y - top, x - left)
        weight = np.clip(2.0 - distance / radius, 0.0, 1.0)[..., None]
        A = (1.0 - weight) * A + weight * np.eye(k)[member]
        free[distance < 3.5 * radius] = 0
        own[member] *= 1.0 - np.exp(-((distance / (12.0 * radius)) ** 2))
    return A


def _step(z: Array) -> Array:
    """From field to share: 0 below −2, 1 above 2, smooth between; whole areas are pure.

    >>> _step(np.array([-3.0, 0.0, 3.0]))
    array([0. , 0.5, 1. ])
    """
    u = np.clip((z + 2.0) / 4.0, 0.0, 1.0)
    out: Array = u * u * (3.0 - 2.0 * u)
    return out
