"""Archetypes by entropic descent: many runs, and the choice among them without the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_n_endmembers, check_option, check_seed
from unmix.extract.reduce import Moments, Subspace, sample_rows
from unmix.parallel import one_blas_thread, over_items
from unmix.solve.edaa import absolute_error, descend, weights
from unmix.solve.engine import as_pixels

__all__ = ["COMPONENTS", "STEPS", "Run", "archetypes", "choose", "near"]

STEPS = ("paper", "contrast")
COMPONENTS = 30  # directions of the pixels the descent works in
_FACTORS = (-3, 4)  # step sizes are 2^-3 ... 2^3 of the nominal one
_SPREAD = 0.1  # of the logarithms B starts from
_FLATTEST = 1e-6  # of the pixels' power: flatter problems take no longer steps
_NEAR = 0.05  # runs whose error is at most this far above the least are candidates


@dataclass(frozen=True, eq=False)
class Run:
    """One descent.

    Parameters
    ----------
    spectra : ndarray, shape (member, band)
        M = Y B: means of pixels.
    error : float
        Mean |Y − M A| over pixels and bands.
    coherence : float
        The largest correlation coefficient between two of the spectra.
    factor : float
        f, what the nominal step size was multiplied with.
    history : ndarray, shape (outer iteration,)
        ½‖Y − M A‖² a pixel, in the coordinates, of pixels whose root mean square norm is 1.
    """

    spectra: NDArray[np.floating]
    error: float
    coherence: float
    factor: float
    history: NDArray[np.float64]


def archetypes(
    X: ArrayLike,
    n_endmembers: int,
    *,
    n_restarts: int = 50,
    n_outer: int = 100,
    n_inner: int = 5,
    step: str = "paper",
    n_components: int = COMPONENTS,
    max_pixels: int = 100_000,
    seed: int = 0,
) -> tuple[Run, ...]:
    r"""Runs of entropic descent archetypal analysis on the pixels as they are.

    .. math:: \min_{A, B} \tfrac12 \lVert Y - Y B A \rVert^2

    columns of A and B on the simplex, by n_outer times n_inner steps on A then n_inner on B, with
    η_A = f / σ₁(Y B⁰)² and η_B = η_A √(K/N). Runs differ in B⁰, the softmax of uniform numbers
    below 0.1, and in f = 2^U{-3..3}; run i of a seed is the same however many there are.

    Parameters
    ----------
    X : array_like, shape (..., band)
    n_endmembers : int
        K.
    n_restarts, n_outer, n_inner : int
        Runs; outer iterations of each; steps on A and on B in one of them.
    step : {"paper", "contrast"}
        "paper": η_A as above, which is small where spectra differ little beside their mean, and
        the runs then stay near equal shares. "contrast": η_A = f / (4 mean‖y − ȳ‖²), which like
        the problem itself does not depend on the origin.
    n_components : int
        Directions of the pixels that the descent works in; as many as bands is exact.
    max_pixels : int
        A scene with more is represented by a seeded sample of so many.
    seed : int

    Raises
    ------
    InputError
        A number out of range, NaN or infinite values.

    References
    ----------
    Zouaoui, Muhawenayo, Rasti, Chanussot & Mairal, IEEE TIP 32, 2023.

    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> best = choose(archetypes(A @ E, 3, n_restarts=10, n_inner=20))
    >>> bool(np.allclose(sorted(best.spectra.tolist()), sorted(E.tolist()), atol=0.05))
    True
    """
    pixels = as_pixels(X)
    n = check_n_endmembers(n_endmembers, *pixels.shape)
    counts = {"n_restarts": n_restarts, "n_outer": n_outer, "n_inner": n_inner}
    for name, value in {**counts, "n_components": n_components, "max_pixels": max_pixels}.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InputError(f"{name}: got {value!r}; give a whole number, 1 or more")
    check_option(step, STEPS, "step")
    check_seed(seed)
    pixels = pixels[sample_rows(len(pixels), max(max_pixels, n), seed)]
    scene = _Coordinates.of(pixels, n_components, seed)

    def run(i: int) -> Run:
        return _descent(scene, n, n_outer, n_inner, step, np.random.default_rng((seed, i)))

    with one_blas_thread():
        return tuple(over_items(run, range(n_restarts)))


@dataclass(frozen=True, eq=False)
class _Coordinates:
    """Pixels X (pixel, band), Y (component, pixel) about their mean, both over `size` in Y."""

    X: NDArray[np.floating]
    Y: NDArray[np.float32]
    space: Subspace
    size: float

    @classmethod
    def of(cls, X: NDArray[np.floating], n_components: int, seed: int) -> _Coordinates:
        space = Moments.of(X, seed).subspace(n_components, affine=True)
        size = float(np.sqrt(space.power)) or 1.0  # numbers of order one, whatever the unit
        Y = np.ascontiguousarray(space.coordinates(X).T / size, dtype=np.float32)
        return cls(X, Y, space, size)

    def curvature(self, LB: NDArray[np.float32], step: str) -> float:
        """What step sizes are divided by: σ₁(Y B⁰)², or four times the mean ‖y − ȳ‖²."""
        if step == "contrast":
            nominal = 4 * float(np.square(self.Y, dtype=np.float64).sum(axis=0).mean())
        else:
            B = weights(self.Y, LB, np.zeros((len(self.Y), len(LB))))
            M = (B @ self.Y.T).astype(np.float64) @ self.space.axes + self.space.mean / self.size
            nominal = float(np.linalg.svd(M, compute_uv=False)[0] ** 2)
        return max(nominal, _FLATTEST)


def _descent(
    scene: _Coordinates, n: int, n_outer: int, n_inner: int, step: str, rng: np.random.Generator
) -> Run:
    """One run from a random B⁰ with a random step size."""
    X, Y = scene.X, scene.Y
    LB = np.float32(_SPREAD) * rng.random((n, len(X)), dtype=np.float32)
    factor = 2.0 ** int(rng.integers(*_FACTORS))
    eta = factor / scene.curvature(LB, step)
    LA = np.zeros((n, len(X)), np.float32)
    half = 0.5 * float(np.square(Y, dtype=np.float64).sum())
    _, W, history = descend(Y, LB, LA, eta, eta * np.sqrt(n / len(X)), n_outer, n_inner, half)
    E = weights(Y, LB, W).astype(X.dtype) @ X
    error = absolute_error(X, LA, E.astype(np.float32)) / X.size
    return Run(E, error, _coherence(E), factor, history / len(X))


def _coherence(E: NDArray[np.floating]) -> float:
    """The largest correlation coefficient between two spectra."""
    centred = E.astype(np.float64) - E.mean(axis=1, dtype=np.float64, keepdims=True)
    norm = np.linalg.norm(centred, axis=1)
    unit = centred / np.where(norm > 0, norm, 1)[:, None]
    return float((unit @ unit.T - 2 * np.eye(len(E))).max())


def choose(runs: tuple[Run, ...]) -> Run:
    """The run with the least coherent spectra among those within 5 % of the least error.

    The authors' rule, with their absolute error. It was compared with others on Samson, Jasper
    Ridge, crops of Urban and four simulated scenes, truth in view: docs/edaa.md has the numbers.

    >>> runs = [Run(np.eye(2), e, c, 1.0, np.zeros(1)) for e, c in ((1, 0.9), (1.04, 0.5), (2, 0))]
    >>> choose(tuple(runs)).error
    1.04
    """
    return near(runs)[0]


def near(runs: tuple[Run, ...]) -> list[Run]:
    """Runs whose error is within 5 % of the least, the least coherent first."""
    least = min(run.error for run in runs)
    kept = [run for run in runs if run.error - least <= _NEAR * run.error]
    return sorted(kept, key=lambda run: run.coherence)
