"""Archetypes by entropic descent: many runs, and the choice among them without the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_n_endmembers, check_seed
from unmix.extract.reduce import Moments, Subspace, sample_rows
from unmix.parallel import one_blas_thread, over_items
from unmix.solve.edaa import absolute_error, descend, weights
from unmix.solve.engine import as_pixels

__all__ = ["COMPONENTS", "Run", "archetypes", "choose"]

COMPONENTS = 30  # directions of the pixels the descent works in
_FACTORS = (-3, 4)  # step sizes are 2^-3 ... 2^3 of the nominal one
_SPREAD = 0.1  # of the logarithms B starts from
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
        ½‖Y − M A‖² a pixel, in the coordinates.
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
    check_seed(seed)
    pixels = pixels[sample_rows(len(pixels), max(max_pixels, n), seed)]
    space = Moments.of(pixels, seed).subspace(n_components, affine=True)
    size = np.sqrt(space.power) or 1.0  # numbers of order one, whatever the unit
    Y = np.ascontiguousarray(space.coordinates(pixels).T / size, dtype=np.float32)
    with one_blas_thread():
        return tuple(
            over_items(
                lambda i: _run(pixels, Y, space, size, n, n_outer, n_inner, (seed, i)),
                range(n_restarts),
            )
        )


def _run(
    X: NDArray[np.floating],
    Y: NDArray[np.float32],
    space: Subspace,
    size: float,
    n: int,
    n_outer: int,
    n_inner: int,
    seed: tuple[int, int],
) -> Run:
    """Run `seed[1]`, in coordinates Y of the pixels divided by `size`."""
    rng = np.random.default_rng(seed)
    n_pixels = len(X)
    LB = np.float32(_SPREAD) * rng.random((n, n_pixels), dtype=np.float32)
    factor = 2.0 ** int(rng.integers(*_FACTORS))
    eta = factor / _largest_squared(Y, LB, space, size)
    LA = np.zeros((n, n_pixels), np.float32)
    half = 0.5 * float(np.square(Y, dtype=np.float64).sum())
    _, W, history = descend(Y, LB, LA, eta, eta * np.sqrt(n / n_pixels), n_outer, n_inner, half)
    E = weights(Y, LB, W).astype(X.dtype) @ X
    error = absolute_error(X, LA, E.astype(np.float32)) / X.size
    return Run(E, error, _coherence(E), factor, history / n_pixels)


def _largest_squared(
    Y: NDArray[np.float32], LB: NDArray[np.float32], space: Subspace, size: float
) -> float:
    """σ₁(Y B⁰)², Y about the true origin, not below a millionth of the pixels' power."""
    B = weights(Y, LB, np.zeros((len(Y), len(LB))))
    M = (B @ Y.T).astype(np.float64) @ space.axes + space.mean / size
    return max(float(np.linalg.svd(M, compute_uv=False)[0] ** 2), 1e-6)


def _coherence(E: NDArray[np.floating]) -> float:
    """The largest correlation coefficient between two spectra."""
    centred = E.astype(np.float64) - E.mean(axis=1, dtype=np.float64, keepdims=True)
    norm = np.linalg.norm(centred, axis=1)
    unit = centred / np.where(norm > 0, norm, 1)[:, None]
    return float((unit @ unit.T - 2 * np.eye(len(E))).max())


def choose(runs: tuple[Run, ...]) -> Run:
    """The run with the least coherent spectra among those within 5 % of the least error.

    >>> runs = [Run(np.eye(2), e, c, 1.0, np.zeros(1)) for e, c in ((1, 0.9), (1.04, 0.5), (2, 0))]
    >>> choose(tuple(runs)).error
    1.04
    """
    least = min(run.error for run in runs)
    near = [run for run in runs if run.error - least <= _NEAR * run.error]
    return min(near, key=lambda run: run.coherence)
