r"""SK-Hype: K-Hype with a weight d between the linear and the nonlinear part, found in every pixel.

    min_{h, ψ, d} ½ (‖h‖²/d + ‖ψ‖²/(1 − d)) + 1/(2μ) Σ_λ (y_λ − hᵀm_λ − ψ(m_λ))²,   h ≥ 0,

and abundances α = h / Σh, is solved by turns. With d fixed, ψ drops out as in K-Hype,

    min_h ½ ‖h‖²/d + ½ (y − Mh)ᵀ S (y − Mh),   h ≥ 0,   S = ((1 − d) K_M + μI)⁻¹,

and with h and β = S (y − Mh), which has ‖ψ‖ = (1 − d) (βᵀK_Mβ)^½, d has a closed form:

    d = ‖h‖ / (‖h‖ + ‖ψ‖).

S differs from pixel to pixel, but its eigenvectors do not. In the basis K_M = U Λ Uᵀ, y' = Uᵀy and
M' = UᵀM,

    G = I/d + Σ_l m'_l m'_lᵀ / ((1 − d) λ_l + μ),    c = Σ_l m'_l y'_l / ((1 − d) λ_l + μ).

Where λ_l is nothing beside μ the sums need only M⊥ᵀM⊥ and M⊥ᵀy, so a pixel is projected once, on
the r eigenvectors that count and on K columns M⊥, and is then a problem of K + r numbers. G but for
I/d is one smooth curve of the scene in t = log(1 + (1 − d) λ_max/μ), free of poles within π of the
real axis: it is tabulated and read by cubic Hermite interpolation, to 1e-10.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.parallel import one_blas_thread, over_pixels
from unmix.solve.engine import as_pixels, check_members
from unmix.solve.khype import band_kernel, check_kernel
from unmix.solve.nonnegative import nonnegative

__all__ = ["Alternation", "alternate", "skhype"]

Array = NDArray[np.float64]
_NEGLIGIBLE = 1e-8  # of μ: eigenvalues below it leave S as it is
_INTERVALS = 1024  # of the tabulated curve of G: (t_max/1024)⁴/384 is 3e-11
_BLOCK = 512  # pixels projected at a time
_VECTOR = {"reassoc", "contract", "nsz"}


class Alternation(NamedTuple):
    """Answers and how they came about, a row a pixel.

    Parameters
    ----------
    abundances : ndarray, shape (pixel, member)
    weight : ndarray, shape (pixel,)
        d of the linear part: 1 for a linear mixture, 0 where the kernel explains everything.
    steps : ndarray, shape (pixel,)
        Updates of d.
    change : ndarray, shape (pixel,)
        Of (d, 1 − d) in the last one, Euclidean, divided by K: below the tolerance is converged.
    """

    abundances: NDArray[np.floating]
    weight: Array
    steps: NDArray[np.int64]
    change: Array


class _Scene(NamedTuple):
    """What all pixels share."""

    P: Array  # (r + K, band): projects a pixel on U and on M⊥/μ
    eigenvalues: Array  # (r,)
    M: Array  # (member, r): M'
    curve: Array  # (knot, 2, member · (member + 1) / 2): G − I/d, and its derivative times the step
    per_t: float  # intervals a unit of t
    growth: float  # λ_max / μ


def _shared(E: Array, kernel: str, sigma: float, mu: float, unit: float) -> _Scene:
    values, U = np.linalg.eigh(band_kernel(E / unit, kernel, sigma))
    count = values > _NEGLIGIBLE * mu
    values, U = np.ascontiguousarray(values[count]), U[:, count]
    M = (E / unit) @ U
    rest = E / unit - M @ U.T
    growth = float(values.max(initial=mu)) / mu
    step = np.log1p(growth) / _INTERVALS
    t = step * np.arange(_INTERVALS + 1)[:, None]
    w = 1.0 / (values * np.expm1(t) / growth + mu)
    slope = -w * w * values * (step * np.exp(t) / growth)
    i, j = np.tril_indices(len(E))
    pairs = M[i] * M[j]
    curve = np.stack([w @ pairs.T + (rest @ rest.T / mu)[i, j], slope @ pairs.T], axis=1)
    P = np.vstack([U.T, rest / mu]) / unit
    return _Scene(P, values, M, curve, 1.0 / step, growth)


@njit(nogil=True, cache=True)
def _curvature(d: float, shared: Any, G: Any) -> None:
    """G of weight d."""
    _, _, M, curve, per_t, growth = shared
    position = np.log1p((1.0 - d) * growth) * per_t
    knot = min(int(position), len(curve) - 2)
    u = position - knot
    v = 1.0 - u
    a, b = v * v * (1.0 + 2.0 * u), u * u * (3.0 - 2.0 * u)
    left, right = u * v * v, -u * u * v
    pair = 0
    for i in range(len(M)):
        for j in range(i + 1):
            value = a * curve[knot, 0, pair] + b * curve[knot + 1, 0, pair]
            value += left * curve[knot, 1, pair] + right * curve[knot + 1, 1, pair]
            G[i, j] = G[j, i] = value
            pair += 1
        G[i, i] += 1.0 / d


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _dot(a: Any, b: Any) -> Any:
    s = 0.0
    for p in range(len(a)):
        s += a[p] * b[p]
    return s


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _pull(d: float, mu: float, z: Any, shared: Any, w: Any, wz: Any, c: Any) -> None:
    """Write c of weight d, and w = diag S in the eigenbasis."""
    eigenvalues, M = shared[1], shared[2]
    n_members, rank = M.shape
    for p in range(rank):
        w[p] = 1.0 / ((1.0 - d) * eigenvalues[p] + mu)
        wz[p] = w[p] * z[p]
    for k in range(n_members):
        c[k] = z[rank + k] + _dot(M[k], wz)


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _fluctuation(h: Any, z: Any, shared: Any, w: Any, wz: Any) -> float:
    """βᵀK_Mβ with β = S (y − Mh)."""
    eigenvalues, M = shared[1], shared[2]
    n_members, rank = M.shape
    for p in range(rank):
        wz[p] = z[p]
    for k in range(n_members):
        if h[k] > 0.0:
            for p in range(rank):
                wz[p] -= h[k] * M[k, p]
    total = 0.0
    for p in range(rank):
        beta = w[p] * wz[p]
        total += eigenvalues[p] * beta * beta
    return total


@njit(nogil=True, cache=True)
def _alternate_rows(
    Z: Any, shared: Any, mu: float, max_iter: int, tol: float,
    out: Any, weight: Any, steps: Any, change: Any, start: int,
) -> int:  # fmt: skip
    """Solve the pixels whose projections are the rows of Z; how many are not finite."""
    n_members, rank = shared[2].shape
    w, wz = np.empty(rank), np.empty(rank)
    G, A = np.empty((n_members, n_members)), np.empty((n_members, n_members))
    c, h, b = np.empty(n_members), np.empty(n_members), np.empty(n_members)
    held = np.empty(n_members, np.bool_)
    index = np.empty(n_members, np.int64)
    bad = 0
    for row in range(len(Z)):
        z, i = Z[row], start + row
        if not np.isfinite(z.sum()):
            bad += 1
            continue
        held[:] = False
        d, moved, step = 0.5, np.inf, 0
        _curvature(d, shared, G)
        _pull(d, mu, z, shared, w, wz, c)
        nonnegative(G, c, held, h, A, b, index)
        while step < max_iter and not (step > 1 and moved < tol):
            linear = np.sqrt(_dot(h, h))
            if linear == 0.0:
                d, moved = 0.0, 0.0
                break
            before = d
            d = linear / (linear + (1.0 - d) * np.sqrt(_fluctuation(h, z, shared, w, wz)))
            moved = np.sqrt(2.0) * abs(d - before) / n_members
            _curvature(d, shared, G)
            _pull(d, mu, z, shared, w, wz, c)
            nonnegative(G, c, held, h, A, b, index)
            step += 1
        weight[i], steps[i], change[i] = d, step, moved
        total = h.sum()
        for k in range(n_members):
            out[i, k] = h[k] / total if total > 0.0 else 1.0 / n_members
    return bad


def alternate(
    X: ArrayLike,
    E: ArrayLike,
    *,
    kernel: str = "gaussian",
    sigma: float = 2.0,
    mu: float = 1e-2,
    unit: float = 1.0,
    max_iter: int = 15,
    tol: float = 1e-4,
) -> Alternation:
    """SK-Hype of pixels (..., band), flattened, with the weights and how many turns they took."""
    check_alternation(max_iter, tol)
    check_kernel(kernel, sigma, mu, unit)
    pixels = as_pixels(X)
    members = np.asarray(check_members(E, pixels.shape[1]), np.float64)
    n = len(pixels)
    out = np.empty((n, len(members)), pixels.dtype)
    weight, steps, change = np.empty(n), np.empty(n, np.int64), np.empty(n)

    def kernel_of(start: int, stop: int) -> int:
        bad = 0
        for begin in range(start, stop, _BLOCK):
            Z = pixels[begin : min(begin + _BLOCK, stop)].astype(np.float64) @ shared.P.T
            bad += _alternate_rows(
                Z, shared, float(mu), max_iter, float(tol), out, weight, steps, change, begin
            )
        return bad

    with one_blas_thread():
        shared = _shared(members, kernel, sigma, mu, unit)
        bad = over_pixels(kernel_of, n)
    if bad:
        raise InputError(f"X: contains NaN or inf in {bad} pixels; mask them first")
    return Alternation(out, weight, steps, change)


def check_alternation(max_iter: int, tol: float) -> None:
    """An `InputError` unless `max_iter` is a whole number from 1 up and `tol` is 0 or more."""
    if isinstance(max_iter, bool) or not isinstance(max_iter, int | np.integer) or max_iter < 1:
        raise InputError(f"max_iter: got {max_iter!r}; give a whole number from 1 up")
    number = isinstance(tol, int | float | np.number) and not isinstance(tol, bool)
    if not (number and 0 <= tol < np.inf):
        raise InputError(f"tol: got {tol!r}; give a number from 0 up")


def skhype(
    X: ArrayLike,
    E: ArrayLike,
    *,
    kernel: str = "gaussian",
    sigma: float = 2.0,
    mu: float = 1e-2,
    unit: float = 1.0,
    max_iter: int = 15,
    tol: float = 1e-4,
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    r"""SK-Hype: K-Hype that finds the share of the linear part in every pixel.

    Alternates between h and ψ with d fixed (exactly) and d in closed form, from d = ½, as the
    authors do; abundances are h / Σh.

    Parameters
    ----------
    X, E, kernel, sigma, mu, unit
        As in `khype`.
    max_iter : int
        Most updates of d.
    tol : float
        A change of (d, 1 − d) smaller than this times K ends them.

    Returns
    -------
    A : ndarray, shape (..., member)
        A pixel that no endmember helps to explain gets equal abundances.
    d : ndarray, shape (...)
        Weight of the linear part, from 0 to 1.

    Raises
    ------
    InputError
        Shapes that do not fit, NaN or infinite values, a keyword out of range.

    References
    ----------
    Chen, Richard & Honeine, IEEE TSP 61(2), 2013.

    >>> from unmix.mixing import bilinear
    >>> E = np.vstack([np.linspace(0, 1, 60) ** 2, np.linspace(1, 0, 60), np.full(60, 0.4)])
    >>> a = np.array([0.2, 0.5, 0.3])
    >>> A, d = skhype(np.array([a @ E, bilinear(a, E)]), E)
    >>> A.round(2), d.round(2)
    (array([[0.21, 0.53, 0.26],
           [0.2 , 0.54, 0.26]]), array([0.96, 0.89]))
    """
    found = alternate(
        X, E, kernel=kernel, sigma=sigma, mu=mu, unit=unit, max_iter=max_iter, tol=tol
    )
    A, d = found.abundances, found.weight
    lead = np.shape(X)[:-1]
    return A.reshape(*lead, A.shape[-1]), d.astype(A.dtype).reshape(lead)
