r"""Posterior of abundances under a prior that is a mixture over the faces of the simplex.

A pixel holds some of the K members: its support S is a vertex, an edge, a triangle, ... of the
simplex. A priori p(S) = π_S, and within the face of S abundances are uniform, with density
(|S| − 1)!. Pixels have white noise of variance s² (coordinates are whitened before), and the
mixture is linear near the abundances at hand, y = c + Jᵀa + n with J (member, component). On a face
with last member l and edges B = J_i − J_l,

    a_S = B⁺ (y − c − J_l),   Σ_S = s² (B Bᵀ)⁻¹,   r² = ‖y − c − Jᵀa_S‖²,
    p(y, S) = π_S (|S| − 1)! (2π s²)^{(|S| − 1)/2} |B Bᵀ|^{−½} N-constant e^{−r²/2s²} P(a ≥ 0),

where a ~ N(a_S, Σ_S). P(a ≥ 0) and the moments of the truncated Gaussian are taken one bound at a
time (assumed-density filtering), each bound updating mean and covariance of all, which where noise
is as wide as the face is rough; a mean stays on the simplex. The sum over S
gives the likelihood, the mean and second moment of a, and the share of each face.

References
----------
Dobigeon, Moussaoui, Coulon, Tourneret & Hero (2009). Joint Bayesian endmember extraction and linear
unmixing for hyperspectral imagery. IEEE Trans. Signal Process. 57(11), 4355-4368 (flat prior on the
simplex). Minka (2001). Expectation propagation for approximate Bayesian inference.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmix.parallel import over_pixels

__all__ = ["Faces", "Posterior", "faces_of", "posterior"]

Array = NDArray[np.float64]

_MOST_FACES = 600
_PIECE = 256  # pixels whose sums are added up on their own: the same whatever the threads
_UNLIKELY = 30.0  # faces whose log-density is this far below the best are left out
_NONE = -1e300
_WIDEST = 1 / 12  # variance on a face: a uniform number's; nor is it over twice the flat prior's
_NEVER = 1e-7  # probability below which a face is not looked at again


class Faces(NamedTuple):
    """Supports: members of each face, filled up with −1, and how many they are."""

    members: NDArray[np.int64]
    sizes: NDArray[np.int64]


class Posterior(NamedTuple):
    """What is known of the abundances of pixels, and sums over pixels.

    Parameters
    ----------
    mean : ndarray, shape (pixel, member)
    covariance : ndarray, shape (pixel, member, member)
    on : ndarray, shape (pixel, face)
        Probability of each face.
    log_likelihood : float
        Σ log p(y).
    """

    mean: Array
    covariance: Array
    on: Array
    log_likelihood: float


def faces_of(n_members: int) -> Faces:
    """All faces of the simplex; of a large one those of few members, and the whole.

    >>> faces_of(3).members[-2:].tolist(), len(faces_of(12).sizes) <= 600
    ([[1, 2, -1], [0, 1, 2]], True)
    """
    chosen: list[tuple[int, ...]] = []
    for size in range(1, n_members):
        more = list(itertools.combinations(range(n_members), size))
        if len(chosen) + len(more) >= _MOST_FACES:
            break
        chosen += more
    chosen.append(tuple(range(n_members)))
    members = np.full((len(chosen), n_members), -1, np.int64)
    for row, face in zip(members, chosen, strict=True):
        row[: len(face)] = face
    return Faces(members, np.array([len(face) for face in chosen], np.int64))


def posterior(
    Y: Array,
    J: Array,
    offset: Array,
    faces: Faces,
    log_shares: Array,
    variance: Array,
    among: Array | None = None,
) -> Posterior:
    """Posterior of pixels' abundances.

    Parameters
    ----------
    Y : ndarray, shape (pixel, component)
    J : ndarray, shape (1 or pixel, member, component)
        Where the members are, as seen from the pixel; one for all if the mixture is linear.
    offset : ndarray, shape (1 or pixel, component)
    faces : Faces
    log_shares : ndarray, shape (face,)
        log π.
    variance : ndarray, shape (pixel,)
        s² of the noise of every coordinate.
    among : ndarray, shape (pixel, face), optional
        Probabilities found before, near by: faces below 1e-7 there are left out.

    >>> faces = faces_of(2)
    >>> at = posterior(np.array([[0.5], [0.0]]), np.array([[[0.0], [1.0]]]), np.zeros((1, 1)),
    ...                faces, np.log(np.full(3, 1 / 3)), np.full(2, 1e-6))
    >>> at.mean.round(2).tolist(), faces.members[at.on.argmax(axis=1)].tolist()
    ([[0.5, 0.5], [1.0, 0.0]], [[0, 1], [0, -1]])
    """
    n, k = len(Y), J.shape[1]
    mean, covariance, on = np.empty((n, k)), np.empty((n, k, k)), np.empty((n, len(faces.sizes)))
    pieces = -(-n // _PIECE)
    before = np.ones((1, len(faces.sizes))) if among is None else among
    likelihood = np.zeros(pieces)

    def kernel(start: int, stop: int) -> int:
        for piece in range(-(-start // _PIECE), -(-stop // _PIECE)):
            rows = slice(piece * _PIECE, min((piece + 1) * _PIECE, n))
            local = (J, offset) if len(J) == 1 else (J[rows], offset[rows])
            likelihood[piece] = _posterior(
                Y[rows], *local, faces.members, faces.sizes, log_shares, variance[rows],
                before if len(before) == 1 else before[rows],
                mean[rows], covariance[rows], on[rows],
            )  # fmt: skip
        return 0

    over_pixels(kernel, n)
    return Posterior(mean, covariance, on, float(likelihood.sum()))


@njit(cache=True, nogil=True, error_model="numpy")
def _log_tail(z: float) -> tuple[float, float]:
    """Log Φ(z) and φ(z)/Φ(z)."""
    if z > 8.0:
        return 0.0, 0.0
    if z > -5.0:
        p = 0.5 * math.erfc(-z * math.sqrt(0.5))
        return math.log(p), math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) / p
    series = 1.0 - 1.0 / (z * z) + 3.0 / z**4
    return -0.5 * z * z - math.log(-z * math.sqrt(2 * math.pi)) + math.log(series), -z / series


@njit(cache=True, nogil=True, error_model="numpy")
def _invert(G: Any, q: int, inverse: Any, b: Any) -> float:
    """Inverse of a positive definite (q, q) matrix, in place of G its factor; log|G|, or 1e300."""
    log_det = 0.0
    trace = 0.0
    for u in range(q):
        trace += G[u, u]
    for u in range(q):
        for w in range(u + 1):
            s = G[u, w]
            for x in range(w):
                s -= G[u, x] * G[w, x]
            if u == w:
                if not s > 1e-10 * trace:
                    return -_NONE
                G[u, u] = math.sqrt(s)
                log_det += math.log(s)
            else:
                G[u, w] = s / G[w, w]
    for c in range(q):
        for u in range(q):
            s = 1.0 if u == c else 0.0
            for x in range(u):
                s -= G[u, x] * b[x]
            b[u] = s / G[u, u]
        for u in range(q - 1, -1, -1):
            s = b[u]
            for x in range(u + 1, q):
                s -= G[x, u] * b[x]
            b[u] = s / G[u, u]
        for u in range(q):
            inverse[u, c] = b[u]
    return log_det


@njit(cache=True, nogil=True, error_model="numpy")
def _factor_faces(
    g: Any, members: Any, sizes: Any, before: Any, inverse: Any, log_det: Any, G: Any, b: Any
) -> None:
    """(B Bᵀ)⁻¹ and log|B Bᵀ| of every face in question from the inner products g of J."""
    for j in range(len(sizes)):
        if before[j] < _NEVER:
            log_det[j] = -_NONE
            continue
        q = sizes[j] - 1
        last = members[j, q]
        for u in range(q):
            i = members[j, u]
            for w in range(u + 1):
                o = members[j, w]
                G[u, w] = g[i, o] - g[i, last] - g[o, last] + g[last, last]
        log_det[j] = _invert(G, q, inverse[j], b)


@njit(cache=True, nogil=True, error_model="numpy")
def _truncate(a: Any, C: Any, m: int, column: Any) -> float:
    """Mean and covariance of a Gaussian cut to a ≥ 0, in place; log of what is left of it."""
    log_p = 0.0
    for u in range(m):
        variance = max(C[u, u], 1e-14)
        sd = math.sqrt(variance)
        z = max(a[u] / sd, -1e7)
        part, slope = _log_tail(z)
        log_p += part
        if slope > 1e-9:
            shrink = slope * (slope + z) / variance
            for w in range(m):
                column[w] = C[w, u]
            for w in range(m):
                a[w] += column[w] / sd * slope
                for x in range(m):
                    C[w, x] -= column[w] * column[x] * shrink
    _hold(a, C, m)
    return log_p


@njit(cache=True, nogil=True, error_model="numpy")
def _hold(a: Any, C: Any, m: int) -> None:
    """A mean back on the simplex, and variances no larger than one with that mean can have."""
    total = 0.0
    for u in range(m):
        a[u] = min(max(a[u], 0.0), 1.0)
        total += a[u]
    for u in range(m):
        a[u] = a[u] / total if total > 0 else 1.0 / m
    widest = min(_WIDEST, 2 * (m - 1) / (m * m * (m + 1)))
    for u in range(m):
        most = min(a[u] * (1 - a[u]), widest)
        if C[u, u] > most:
            shrink = math.sqrt(most / C[u, u])
            for w in range(m):
                C[u, w] *= shrink
                C[w, u] *= shrink


@njit(cache=True, nogil=True, error_model="numpy")
def _posterior(
    Y: Any, J: Any, offset: Any, members: Any, sizes: Any, log_shares: Any, noise: Any, before: Any,
    mean: Any, covariance: Any, on: Any,
) -> float:  # fmt: skip
    """Fill in the answers of a piece of pixels; its log-likelihood."""
    n, d = Y.shape
    K, F = J.shape[1], len(sizes)
    inverse, log_det = np.zeros((F, K, K)), np.zeros(F)
    g, G, C = np.zeros((K, K)), np.empty((K, K)), np.empty((K, K))
    a, cov = np.zeros((F, K)), np.zeros((F, K, K))
    b, h, column, logw, e = np.empty(K), np.empty(K), np.empty(K), np.empty(F), np.empty(d)
    total = 0.0
    for i in range(n):
        at = 0 if len(J) == 1 else i
        s2 = noise[i]
        log_noise = math.log(2 * math.pi * s2)
        if i == 0 or len(J) > 1 or len(before) > 1:
            for u in range(K):
                for w in range(u + 1):
                    s = 0.0
                    for k in range(d):
                        s += J[at, u, k] * J[at, w, k]
                    g[u, w] = s
                    g[w, u] = s
            probable = before[0 if len(before) == 1 else i]
            _factor_faces(g, members, sizes, probable, inverse, log_det, G, b)
        power = 0.0
        for k in range(d):
            e[k] = Y[i, k] - offset[at, k]
            power += e[k] * e[k]
        for u in range(K):
            s = 0.0
            for k in range(d):
                s += J[at, u, k] * e[k]
            h[u] = s
        # the Gaussian of every face, and a bound on its density after the cut
        best = _NONE
        for j in range(F):
            q = sizes[j] - 1
            last = members[j, q]
            if log_det[j] >= -_NONE:
                logw[j] = _NONE
                continue
            r2 = power - 2 * h[last] + g[last, last]
            left = 1.0
            outside = 0.0
            for u in range(q):
                o = members[j, u]
                b[u] = h[o] - h[last] - g[o, last] + g[last, last]
            for u in range(q):
                s = 0.0
                for w in range(q):
                    s += inverse[j, u, w] * b[w]
                a[j, u] = s
                left -= s
                r2 -= s * b[u]
                if s < 0:
                    outside = max(outside, s * s / (s2 * inverse[j, u, u]))
            a[j, q] = left
            logw[j] = (
                -0.5 * r2 / s2 + 0.5 * q * log_noise - 0.5 * log_det[j]
                + math.lgamma(q + 1.0) + log_shares[j]
            )  # fmt: skip
            cov[j, 0, 0] = outside
            best = max(best, logw[j] - 0.5 * outside)
        # the cut, for faces that are still in question
        top = _NONE
        for j in range(F):
            m = sizes[j]
            q = m - 1
            if logw[j] - 0.5 * cov[j, 0, 0] < best - _UNLIKELY:
                logw[j] = _NONE
                continue
            rest = 0.0
            for u in range(q):
                s = 0.0
                for w in range(q):
                    C[u, w] = s2 * inverse[j, u, w]
                    s += C[u, w]
                C[u, q] = -s
                C[q, u] = -s
                rest += s
            C[q, q] = rest
            if q:
                logw[j] += _truncate(a[j], C, m, column)
            for u in range(m):
                for w in range(m):
                    cov[j, u, w] = C[u, w]
            top = max(top, logw[j])
        weight = 0.0
        for j in range(F):
            if logw[j] > _NONE:
                logw[j] = math.exp(logw[j] - top)
                weight += logw[j]
            else:
                logw[j] = 0.0
        for u in range(K):
            mean[i, u] = 0.0
            for w in range(K):
                covariance[i, u, w] = 0.0
        for j in range(F):
            p = logw[j] / weight
            on[i, j] = p
            if p < 1e-8:
                continue
            for u in range(sizes[j]):
                o = members[j, u]
                mean[i, o] += p * a[j, u]
                for w in range(sizes[j]):
                    covariance[i, o, members[j, w]] += p * (a[j, u] * a[j, w] + cov[j, u, w])
        for u in range(K):
            for w in range(K):
                covariance[i, u, w] -= mean[i, u] * mean[i, w]
            covariance[i, u, u] = max(covariance[i, u, u], 0.0)
        total += top + math.log(weight) - 0.5 * d * log_noise
    return total
