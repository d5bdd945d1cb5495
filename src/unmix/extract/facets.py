"""The smallest simplex that leaves few pixels outside, by Newton steps on its facets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, helmert

from unmix.parallel import one_blas_thread, over_pixels

__all__ = ["WIDTHS", "Simplex", "hinge", "smallest_simplex"]

Array = NDArray[np.float64]

WIDTHS = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)  # of the hinge, in abundance
_BLOCK = 1024  # pixels whose abundances stay in cache
_MAX_STEPS = 60  # per width
_DECREMENT = 1e-9  # objective that the quadratic model still promises
_ARMIJO = 1e-4
_SHORTEST = 1e-10


@dataclass(frozen=True, eq=False)
class Simplex:
    """A simplex and how it was found.

    Parameters
    ----------
    Q : ndarray, shape (K, K)
        Abundances of a point z are Q (z, 1).
    objective : list of float
        −log|det Q| + τ Σ hinge after each step, at the step's width of the hinge.
    converged : bool
        Whether the last width ended with no step promising anything.
    """

    Q: Array
    objective: list[float]
    converged: bool

    @property
    def vertices(self) -> Array:
        """(K, K − 1)."""
        return np.asarray(np.linalg.inv(self.Q)[:-1].T)


def smallest_simplex(z: Array, Q: Array, tau: float, widths: tuple[float, ...] = WIDTHS) -> Simplex:
    r"""Minimise −log|det Q| + τ Σ_n Σ_i max(0, −s_in), s_n = Q (z_n, 1), subject to Σ_i s_in = 1.

    The objective and constraint are SISAL's. A step is Q ← (I + P) Q with 1ᵀP = 0, which keeps the
    constraint and makes the problem the same in any coordinates of z:

    .. math:: -\log|\det(I + P)| = -\mathrm{tr} P + \tfrac12 \mathrm{tr}(P^2) - …

    The hinge, rounded within a width of zero to s²/(2 width), has a Hessian too, of one K × K block
    a facet that only pixels near it enter, so a Newton step takes one pass over the pixels and a
    linear system of K (K − 1) unknowns. The width falls from a third of an abundance to 1e-5; tr P²
    is indefinite, and where the sum is, tr P² + ‖P‖² takes its place. Steps are halved until the
    objective falls (Armijo), so it never rises at a width.

    Parameters
    ----------
    z : ndarray, shape (K − 1, pixel), C-contiguous
    Q : ndarray, shape (K, K)
        The start: the inverse of the vertices' (z, 1), a column a vertex.
    tau : float
    widths : tuple of float

    >>> z = np.array([[0.0, 1, 0, 0.2], [0, 0, 1, 0.3]])
    >>> start = np.linalg.inv(np.array([[-1.0, 4, -1], [-1, -1, 4], [1, 1, 1]]))
    >>> smallest_simplex(z, start, 10.0).vertices.round(3) + 0.0
    array([[0., 0.],
           [1., 0.],
           [0., 1.]])
    """
    n = len(Q)
    C = helmert(n).T
    history: list[float] = []
    converged = False
    with one_blas_thread():
        for width in widths:
            converged = False
            f, gradient, blocks = _objective(z, Q, tau, width)
            for _ in range(_MAX_STEPS):
                P, slope = _direction(C, gradient, blocks)
                if -slope < _DECREMENT:
                    converged = True
                    break
                t = 1.0
                while t > _SHORTEST:
                    W = np.eye(n) + t * P
                    if np.linalg.det(W) > 0:
                        trial = _objective(z, W @ Q, tau, width)
                        if trial[0] <= f + _ARMIJO * t * slope:
                            break
                    t /= 2
                else:
                    break  # rounding hides what is left
                Q = W @ Q
                f, gradient, blocks = trial
                history.append(f)
    return Simplex(Q, history, converged)


def hinge(z: Array, Q: Array) -> float:
    """Σ max(0, −s) over pixels and facets.

    >>> hinge(np.array([[-0.5, 0.5]]), np.array([[1.0, 0.0], [-1.0, 1.0]]))
    0.5
    """
    return float(np.maximum(-(Q[:, :-1] @ z + Q[:, -1:]), 0).sum())


def _direction(C: Array, gradient: Array, blocks: Array) -> tuple[Array, float]:
    """Newton's P = C R and the slope along it; C (K, K − 1) spans the columns that sum to zero."""
    n = len(C)
    size = n * (n - 1)
    g = (C.T @ gradient).ravel()
    curved = np.einsum("ia,ib,ikl->akbl", C, C, blocks, optimize=True).reshape(size, size)
    trace = np.einsum("la,kb->akbl", C, C).reshape(size, size)  # tr P²
    for convex in (False, True):
        H = curved + (trace + np.eye(size) if convex else trace)
        H[np.diag_indices(size)] += 1e-12 * np.trace(curved) / size + (1e-6 if convex else 0.0)
        try:
            factor = cho_factor(H, lower=True, overwrite_a=True)
        except LinAlgError:
            continue
        r = -cho_solve(factor, g)
        return C @ r.reshape(n - 1, n), float(g @ r)
    return -(C @ (C.T @ gradient)), -float(g @ g)


def _objective(z: Array, Q: Array, tau: float, width: float) -> tuple[float, Array, Array]:
    """Value, gradient (K, K) and the hinge's Hessian blocks (K, K, K), with respect to P."""
    n = len(Q)
    Q = np.ascontiguousarray(Q)
    parts: dict[int, tuple[float, Array, Array]] = {}

    def kernel(start: int, stop: int) -> int:
        G, D = np.zeros((n, n)), np.zeros((n, n, n))
        parts[start] = float(_outside(z, Q, width, G, D, start, stop)), G, D
        return 0

    over_pixels(kernel, z.shape[1])
    total, G, D = 0.0, np.zeros((n, n)), np.zeros((n, n, n))
    for start in sorted(parts):  # in this order whoever came first
        total += parts[start][0]
        G += parts[start][1]
        D += parts[start][2]
    value = tau * total - float(np.linalg.slogdet(Q)[1])
    D = np.tril(D) + np.transpose(np.tril(D, -1), (0, 2, 1))
    return value, -np.eye(n) - tau * G, (tau / width) * D


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _outside(z: Any, Q: Any, width: float, G: Any, D: Any, start: int, stop: int) -> float:
    """Σ of the rounded hinge; G_i Σ slope s, D_i (lower triangle) Σ s sᵀ where it is rounded."""
    n = len(Q)
    S, near, far = np.empty((n, _BLOCK)), np.empty((n, _BLOCK)), np.zeros(n)
    inside, beyond = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    total = 0.0
    for begin in range(start, stop, _BLOCK):
        size = min(begin + _BLOCK, stop) - begin
        for i in range(n):
            for j in range(size):
                S[i, j] = Q[i, n - 1]
            for k in range(n - 1):
                for j in range(size):
                    S[i, j] += Q[i, k] * z[k, begin + j]
        for i in range(n):
            n_in, n_far = 0, 0
            for j in range(size):  # without branches: which are rounded, which beyond
                inside[n_in] = beyond[n_far] = j
                n_in += (S[i, j] < 0.0) & (S[i, j] > -width)
                n_far += S[i, j] <= -width
            if n_in + n_far == 0:
                continue
            for k in range(n):
                for j in range(n_in):
                    near[k, j] = S[k, inside[j]]
                far[k] = 0.0
                for j in range(n_far):
                    far[k] += S[k, beyond[j]]
            total -= far[i] + 0.5 * width * n_far
            for k in range(n):
                G[i, k] += far[k]
                for m in range(k + 1):
                    dot = 0.0
                    for j in range(n_in):
                        dot += near[k, j] * near[m, j]
                    D[i, k, m] += dot
                rounded = 0.0
                for j in range(n_in):
                    rounded -= near[i, j] * near[k, j]
                G[i, k] += rounded / width
                if k == i:
                    total -= 0.5 * rounded / width
    return total
