"""A scene mixed from endmember spectra, with its truth.

    x = s · f(a, E) + n,    a_k ≥ 0,  Σ a_k = 1,    SNR = 10 log10(E‖s·f‖² / E‖n‖²)

f is one of the mixing models, s the brightness of the pixel (1 unless asked for), n Gaussian noise;
E is one for all pixels, or differs from pixel to pixel. Everything random comes from one seed, and
scenes that differ in model and SNR alone share abundances, β, P, brightness and variability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_option, check_seed
from unmix.simulate.abundances import FIELDS, check_size, draw_abundances
from unmix.simulate.fields import terrain
from unmix.simulate.models import MODELS, Constants, Mixer, Range, draw_mixer
from unmix.simulate.noise import check_snr, noise_profile, noise_sigma
from unmix.simulate.variability import Variability, check_bundles, draw_variability
from unmix.types import Endmembers

__all__ = ["Simulation", "simulate"]

Array = NDArray[np.floating]
BLOCK = 2**22  # numbers mixed at a time
SIDE_STREAMS = ("constants", "scale", "bundles")


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
    variability : Variability
        How the spectra of a pixel differ from `endmembers`.
    parameters : mapping
        Seed and field, the constants of the model as drawn ("beta" (member, member), "gamma",
        "pair_gamma" (row, col, pair), "b" or "probability" (row, col), ...), and "noise_sigma"
        (band,), the standard deviation of the noise.
    """

    cube: NDArray[np.float32]
    abundances: NDArray[np.float32]
    endmembers: Endmembers
    snr: float
    model: str
    brightness: NDArray[np.float32] | None = None
    crs: str | None = None
    transform: tuple[float, float, float, float, float, float] | None = None
    variability: Variability = field(default_factory=Variability)
    parameters: Mapping[str, Any] = field(default_factory=dict)


def simulate(
    endmembers: Endmembers,
    *,
    model: str = "linear",
    snr: float = 30.0,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    field: str = "gaussian",
    pure: bool = True,
    max_purity: float | None = None,
    max_members: int | None = None,
    concentration: ArrayLike | None = None,
    abundances: ArrayLike | None = None,
    beta: ArrayLike = 1.0,
    interactions: str = "pairs",
    kind: str = "power",
    gamma: float | None = None,
    b: Range = (-0.3, 0.3),
    probability: ArrayLike = (0.0, 0.5),
    incidence: float = 30.0,
    emergence: float = 0.0,
    brightness: tuple[float, float] | None = None,
    variability: tuple[float, float] | None = None,
    variability_field: str = "smooth",
    bundles: Sequence[Any] | None = None,
    bundle_draw: str = "patch",
    noise_profile: ArrayLike | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Simulation:
    """A scene mixed from `endmembers`.

    Parameters
    ----------
    endmembers : Endmembers
        At least two; bands in which one of them has no value are left out.
    model : {"linear", "bilinear", "pnmm", "fan", "gbm", "ppnm", "mlm", "hapke"}
        See `unmix.mixing`.
    snr : float
        In dB, as defined above; `inf` for none.
    size : (rows, cols), optional
        (96, 128), or that of `abundances`.
    seed : int
    field : {"gaussian", "dirichlet", "blocks", "patches"}
        Smooth fields, independent draws, squares on a mixed background, a mosaic of patches.
    pure : bool
        Give each member pixels that are nothing else; if False no abundance exceeds `max_purity`.
    max_purity : float, optional
        Largest abundance, 0.8 without `pure`; given, it stands for `pure=False`.
    max_members : int, optional
        The most members that a pixel holds.
    concentration : float or array_like, shape (member,), optional
        Of the Dirichlet draws of "dirichlet" and "patches"; 1, flat, by default.
    abundances : array_like, shape (row, col, member), optional
        Maps to use instead of a field; each pixel sums to 1 or is NaN, without data.
    beta : float, (low, high) or array_like, shape (member, member)
        Strengths in [0, 1] of "bilinear": for every pair i < j, drawn for each of them, or β_ij of
        the double sum. "gbm" draws γ_ij of each pixel from [0, β], or from the range.
    interactions : {"pairs", "all"}
        Whether a number or range `beta` stands for the pairs i < j, or for all i and j of the
        double sum, i = j included.
    kind : {"power", "log", "exp", "sigmoid"}
        Curve of "pnmm".
    gamma : float, optional
        Its constant, above 0; by default the exponent 0.7, and 1, 1 and 4 of the others.
    b : float or (low, high)
        Of "ppnm", in [-1, 1]; a range is drawn from in each pixel.
    probability : float, (low, high) or array_like, shape (row, col)
        P of "mlm", in [0, 1); a range is drawn from in each pixel.
    incidence, emergence : float
        Angles of "hapke" in degrees.
    brightness : (low, high), optional
        Multiply pixels by a smooth, terrain-like factor with this range.
    variability : (low, high), optional
        Multiply each member's spectrum in each pixel by a factor from this range.
    variability_field : {"smooth", "white"}
        Whether those factors change slowly over the scene or from pixel to pixel.
    bundles : sequence of array_like, shape (n, band) each, optional
        For each member the spectra that pixels draw theirs from, on the bands of `endmembers`.
    bundle_draw : {"patch", "pixel"}
        Whether the pixels of a patch share the draw.
    noise_profile : "white", "bands" or array_like, shape (band,), optional
        Relative noise standard deviation of each band of `endmembers`; equal by default. "bands"
        rises towards the ends of the range and in the water-vapour bands.
    progress : callable, optional
        Called with ("simulate", fraction done).

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
    rng = np.random.default_rng(check_seed(seed))
    side = _side_streams(seed)
    E, bundled, profile = _complete(endmembers, bundles, noise_profile)
    k, shape = len(E), check_size(size, abundances)
    A = draw_abundances(
        rng, k, shape, field, pure, max_purity, max_members, concentration, abundances
    )
    given = Constants(beta, interactions, kind, gamma, b, probability, incidence, emergence)
    mixer = draw_mixer(model, given, shape, k, rng, side["constants"])
    shade = None if brightness is None else terrain(rng, shape, _span(brightness, "brightness"))
    span = None if variability is None else _span(variability, "variability")
    varied = draw_variability(
        (side["scale"], side["bundles"]), shape, k, span, variability_field, bundled, bundle_draw
    )
    mixed = _Mixture(A, np.asarray(E.spectra, float), mixer, shade, varied)
    cube, sigma = _noisy(mixed, rng, check_snr(snr), profile, progress or (lambda *_: None))
    parameters = {"seed": int(seed), "field": "given" if abundances is not None else field}
    parameters |= mixer.constants | {"noise_sigma": sigma}
    return Simulation(
        cube, A.astype(np.float32), E, float(snr), model, shade,
        variability=varied, parameters=parameters,
    )  # fmt: skip


def _side_streams(seed: int) -> dict[str, np.random.Generator]:
    """Generators for what must not depend on what else is drawn."""
    return {
        name: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,)))
        for i, name in enumerate(SIDE_STREAMS)
    }


@dataclass(frozen=True, eq=False)
class _Mixture:
    """The scene before noise, mixed a few rows at a time."""

    A: Array
    E: Array
    mixer: Mixer
    shade: NDArray[np.float32] | None
    variability: Variability

    def blocks(self) -> Iterator[slice]:
        rows, cols, k = self.A.shape
        per_row = cols * self.E.shape[1] * (1 if self.variability.plain else k)
        step = max(1, BLOCK // per_row)
        return (slice(i, min(i + step, rows)) for i in range(0, rows, step))

    def signal(self, rows: slice) -> Array:
        """Spectra without noise, (row, col, band); NaN where the abundances are."""
        A = self.A[rows]
        void = np.isnan(A[..., 0])
        X = self.mixer.mix(
            np.where(void[..., None], 1 / A.shape[-1], A) if void.any() else A,
            self.variability.spectra(self.E, rows),
            rows,
        )
        if self.shade is not None:
            X = self.shade[rows][..., None] * X
        if void.any():
            X[void] = np.nan
        return X


def _noisy(
    mixed: _Mixture,
    rng: np.random.Generator,
    snr: float,
    profile: Array,
    tell: Callable[[str, float], None],
) -> tuple[NDArray[np.float32], Array]:
    """The scene with Gaussian noise of this SNR, and σ of each band; twice over its rows."""
    rows, cols, _ = mixed.A.shape
    cube = np.empty((rows, cols, mixed.E.shape[1]), np.float32)
    energy = np.empty((rows, cols))
    for block in mixed.blocks():
        X = mixed.signal(block)
        energy[block] = np.sum(X**2, axis=-1)
        cube[block] = X
        tell("simulate", 0.3 * block.stop / rows)
    known = energy[np.isfinite(energy)]
    sigma = noise_sigma(float(np.mean(known)), snr, profile)
    if np.isfinite(snr):
        for block in mixed.blocks():
            X = mixed.signal(block)
            cube[block] = X + sigma * rng.standard_normal(X.shape)
            tell("simulate", 0.3 + 0.7 * block.stop / rows)
    return cube, sigma


def _complete(
    endmembers: Endmembers, bundles: Sequence[Any] | None, profile: ArrayLike | None
) -> tuple[Endmembers, tuple[Array, ...] | None, Array]:
    """Endmembers, bundles and noise without the bands in which a spectrum has no value."""
    if len(endmembers) < 2:
        raise InputError(f"endmembers: got {len(endmembers)}; a mixture has at least 2")
    noise = noise_profile(profile, endmembers.spectra.shape[1], endmembers.wavelength)
    bundled = check_bundles(bundles, endmembers)
    keep = np.isfinite(endmembers.spectra).all(axis=0)
    for bundle in bundled or ():
        keep &= np.isfinite(bundle).all(axis=0)
    if not keep.any():
        raise InputError("endmembers: no band in which every member has a value; choose others")
    if not noise[keep].any():
        raise InputError("noise_profile: zero in every band; give snr=inf for no noise")
    wavelength, fwhm = (
        None if v is None else np.asarray(v)[keep] for v in (endmembers.wavelength, endmembers.fwhm)
    )
    E = replace(endmembers, spectra=endmembers.spectra[:, keep], wavelength=wavelength, fwhm=fwhm)
    kept = None if bundled is None else tuple(b[:, keep] for b in bundled)
    return E, kept, noise[keep]


def _span(span: tuple[float, float], name: str) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in span)
    except (TypeError, ValueError):
        low = high = np.nan
    if not 0 < low <= high < np.inf:
        raise InputError(f"{name}: got {span!r}; give (low, high) with 0 < low <= high")
    return low, high
