"""A scene mixed from endmember spectra, with its truth.

    x = s · f(a, E) + n,    a_k ≥ 0,  Σ a_k = 1,    SNR = 10 log10(E‖s·f‖² / E‖n‖²)

f is one of the mixing models, s the brightness of the pixel (1 unless asked for), n Gaussian noise.
Everything random comes from one seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix import mixing
from unmix.checks import InputError, check_option, check_seed
from unmix.simulate.fields import dirichlet_abundances, smooth_abundances, terrain
from unmix.types import Endmembers

__all__ = ["FIELDS", "MODELS", "Simulation", "simulate"]

FIELDS = ("gaussian", "dirichlet")
MODELS = ("linear", "bilinear", "pnmm", "fan", "gbm", "ppnm")
PPNM_RANGE = 0.3
MOST_PIXELS = 10**8

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated scene and its truth.

    Parameters
    ----------
    cube : ndarray, float32, shape (row, col, band)
        Reflectance; NaN where the scene has no data.
    abundances : ndarray, float32, shape (row, col, member)
        Non-negative, summing to 1; NaN where the scene has no data.
    endmembers : Endmembers
        The spectra mixed, on the cube's bands.
    snr : float
        Signal-to-noise ratio in dB; infinite for no noise.
    model : str
        Mixing model, one of `MODELS`.
    brightness : ndarray, float32, shape (row, col), optional
        The factor s of each pixel; None where it is 1 everywhere.
    crs : str, optional
        Coordinate reference system, such as "EPSG:32650".
    transform : tuple of 6 floats, optional
        Affine (a, b, c, d, e, f): x = a·col + b·row + c, y = d·col + e·row + f.
    """

    cube: NDArray[np.float32]
    abundances: NDArray[np.float32]
    endmembers: Endmembers
    snr: float
    model: str
    brightness: NDArray[np.float32] | None = None
    crs: str | None = None
    transform: tuple[float, float, float, float, float, float] | None = None


def simulate(
    endmembers: Endmembers,
    *,
    model: str = "linear",
    snr: float = 30.0,
    size: tuple[int, int] = (96, 128),
    seed: int = 0,
    field: str = "gaussian",
    pure: bool = True,
    beta: ArrayLike = 1.0,
    gamma: float = 0.7,
    brightness: tuple[float, float] | None = None,
    noise_profile: ArrayLike | None = None,
) -> Simulation:
    """A scene mixed from `endmembers`.

    Parameters
    ----------
    endmembers : Endmembers
        At least two; bands in which one of them has no value are left out.
    model : {"linear", "bilinear", "pnmm", "fan", "gbm", "ppnm"}
        See `unmix.mixing`. In each pixel "gbm" draws γ_ij from [0, β], "ppnm" b from [-0.3, 0.3].
    snr : float
        In dB, as defined above; `inf` for none.
    size : (rows, cols)
    seed : int
    field : {"gaussian", "dirichlet"}
        Smooth fields, or independent flat Dirichlet draws.
    pure : bool
        Give each member pixels that are nothing else; if False no abundance exceeds 0.8.
    beta : float or array_like, shape (member, member)
        Bilinear strength in [0, 1]; a number stands for every pair i < j.
    gamma : float
        Exponent of "pnmm", in (0, 3].
    brightness : (low, high), optional
        Multiply pixels by a smooth, terrain-like factor with this range.
    noise_profile : array_like, shape (band,), optional
        Relative noise standard deviation of each band of `endmembers`; equal by default.

    Raises
    ------
    InputError
        An unknown name or a value out of range.

    >>> E = Endmembers(np.array([[0.1, 0.4, 0.5], [0.5, 0.2, 0.1]]), names=("leaf", "rust"))
    >>> scene = simulate(E, snr=np.inf, size=(20, 30))
    >>> scene.cube.shape, scene.abundances.shape
    ((20, 30, 3), (20, 30, 2))
    >>> bool(np.allclose(scene.cube, scene.abundances @ E.spectra, atol=1e-6))
    True
    """
    check_option(model, MODELS, "model")
    check_option(field, FIELDS, "field")
    rng, shape = np.random.default_rng(check_seed(seed)), _size(size)
    E, profile = _complete(endmembers, noise_profile)
    draw = smooth_abundances if field == "gaussian" else dirichlet_abundances
    A = draw(rng, len(E), shape, pure)
    X = _mixer(rng, model, len(E), beta, gamma)(A, np.asarray(E.spectra, float))
    shade = None if brightness is None else terrain(rng, shape, _span(brightness))
    if shade is not None:
        X = shade[..., None] * X
    cube = (X + _noise(rng, X, _snr(snr), profile)).astype(np.float32)
    return Simulation(cube, A.astype(np.float32), E, float(snr), model, shade)


def _noise(rng: np.random.Generator, X: Array, snr: float, profile: Array) -> Array | float:
    """Gaussian noise, σ_b ∝ profile_b, with Σ_b σ_b² = E‖x‖² / 10^(SNR/10)."""
    if np.isinf(snr):
        return 0.0
    power = np.mean(np.sum(X**2, axis=-1)) / 10 ** (snr / 10)
    sigma = profile * np.sqrt(power / np.sum(profile**2))
    return sigma * rng.standard_normal(X.shape)


def _mixer(
    rng: np.random.Generator, model: str, k: int, beta: ArrayLike, gamma: float
) -> Callable[[Array, Array], Array]:
    """The mixing model with its constants, as f(A, E)."""
    strength = np.asarray(beta, float)
    if strength.shape not in ((), (k, k)) or not ((strength >= 0) & (strength <= 1)).all():
        raise InputError(f"beta: give a number in [0, 1], or a ({k}, {k}) array of them")
    if not isinstance(gamma, (int, float, np.number)) or not 0 < gamma <= 3:
        raise InputError(f"gamma: got {gamma!r}; the exponent of pnmm lies in (0, 3]")
    upper = np.triu_indices(k, 1)
    top = np.broadcast_to(strength, (k, k))[upper]

    def gbm(A: Array, E: Array) -> Array:
        return mixing.generalised_bilinear(A, E, top * rng.random((*A.shape[:-1], top.size)))

    def ppnm(A: Array, E: Array) -> Array:
        return mixing.polynomial(A, E, rng.uniform(-PPNM_RANGE, PPNM_RANGE, A.shape[:-1]))

    return {
        "linear": mixing.linear,
        "bilinear": lambda A, E: mixing.bilinear(A, E, strength),
        "pnmm": lambda A, E: mixing.post_nonlinear(A, E, "power", gamma),
        "fan": mixing.fan,
        "gbm": gbm,
        "ppnm": ppnm,
    }[model]


def _complete(endmembers: Endmembers, profile: ArrayLike | None) -> tuple[Endmembers, Array]:
    """Endmembers and noise profile without the bands in which a member has no value."""
    if len(endmembers) < 2:
        raise InputError(f"endmembers: got {len(endmembers)}; a mixture has at least 2")
    n_bands = endmembers.spectra.shape[1]
    noise = np.ones(n_bands) if profile is None else np.asarray(profile, float)
    if noise.shape != (n_bands,) or not (np.isfinite(noise) & (noise >= 0)).all():
        raise InputError(f"noise_profile: give {n_bands} numbers, 0 or more, one a band")
    keep = np.isfinite(endmembers.spectra).all(axis=0)
    if not keep.any():
        raise InputError("endmembers: no band in which every member has a value; choose others")
    if not noise[keep].any():
        raise InputError("noise_profile: zero in every band; give snr=inf for no noise")
    wavelength, fwhm = (
        None if v is None else np.asarray(v)[keep] for v in (endmembers.wavelength, endmembers.fwhm)
    )
    spectra = endmembers.spectra[:, keep]
    return Endmembers(spectra, wavelength, endmembers.names, endmembers.source, fwhm), noise[keep]


def _size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        rows, cols = size
        good = all(int(n) == n and n > 0 for n in (rows, cols))
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        raise InputError(f"size: got {size!r}; give (rows, cols), each at least 1")
    if int(rows) * int(cols) > MOST_PIXELS:
        raise InputError(f"size: {rows} x {cols} is more than {MOST_PIXELS} pixels; give fewer")
    return int(rows), int(cols)


def _snr(snr: float) -> float:
    if not isinstance(snr, (int, float, np.number)) or not (-100 <= snr <= 300 or snr == np.inf):
        raise InputError(f"snr: got {snr!r}; give decibels, -100 to 300, or inf for no noise")
    return float(snr)


def _span(span: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in span)
    except (TypeError, ValueError):
        low = high = np.nan
    if not 0 < low <= high < np.inf:
        raise InputError(f"brightness: got {span!r}; give (low, high) with 0 < low <= high")
    return low, high
