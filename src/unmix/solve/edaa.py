r"""Entropic descent on archetypes: ½‖Y − M A‖², M = Y B, columns of A and B on simplices.

Everything is computed in r centred coordinates y (component, pixel). Because the columns of A and B
sum to one, moving the origin to the mean pixel changes neither the objective nor a softmax, so
centring is exact; r < L leaves out what is beyond the leading r directions. Per pixel:

* the gradient for A is MᵀM a − Mᵀy: with c = Mᵀy found once, n_inner steps are K × K work;
* the gradient for B is yᵀR with R = M AAᵀ − Y Aᵀ, K columns. The logarithms only ever add up, so
  after any number of steps log b = log b⁰ − yᵀW with W = η Σ R: B is never stored, and a step is
  one pass that makes b from W and sums M = Σ y bᵀ.

Pixels go through in blocks, a member's values side by side, so that all loops run in vector
registers; sums over pixels are float32 within a block and float64 between blocks.

References
----------
Zouaoui, Muhawenayo, Rasti, Chanussot & Mairal (2023). Entropic descent archetypal analysis for
blind hyperspectral unmixing. IEEE TIP 32, 4649-4663.
Beck & Teboulle (2003). Mirror descent and nonlinear projected subgradient methods. ORL 31(3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from unmix.parallel import one_blas_thread

__all__ = ["absolute_error", "archetype_sums", "descend", "share_sums", "weights"]

Array = NDArray[np.float64]

_BLOCK = 512  # pixels: a block's numbers stay in the first-level cache
_VECTOR = {"reassoc", "contract", "nsz"}  # sums may be re-ordered into vector lanes
_LOG2E = np.float32(1.4426950408889634)
_LOWEST = np.float32(-87.0)  # e^x of what is below is zero
_C1 = np.float32(0.6931471805599453)
_C2 = np.float32(0.2402264923172690)
_C3 = np.float32(0.0555041086648216)
_C4 = np.float32(0.0096181291076285)
_C5 = np.float32(0.0013333558146429)
_C6 = np.float32(0.0001540353039338)


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _exp(z: Any, bits: Any, power: Any, n: int) -> None:
    """Turn z into e^z in place, z ≤ 0, to 3e-7; `bits` and `power` are one buffer seen twice."""
    for j in range(n):
        t = max(z[j], _LOWEST) * _LOG2E
        whole = np.int32(t - np.float32(0.5))
        f = t - np.float32(whole)
        p = _C5 + f * _C6
        p = _C4 + f * p
        p = _C3 + f * p
        p = _C2 + f * p
        p = _C1 + f * p
        z[j] = np.float32(1.0) + f * p
        bits[j] = (whole + np.int32(127)) << np.int32(23)
    for j in range(n):
        z[j] *= power[j]


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _product(W: Any, Y: Any, start: int, n: int, z: Any) -> None:
    """z[k, j] += Σ_d W[d, k] Y[d, start + j] for j < n."""
    n_components, n_members = W.shape
    stop = start + n
    d = 0
    while d + 4 <= n_components:
        y0, y1 = Y[d, start:stop], Y[d + 1, start:stop]
        y2, y3 = Y[d + 2, start:stop], Y[d + 3, start:stop]
        for k in range(n_members):
            w0, w1, w2, w3 = W[d, k], W[d + 1, k], W[d + 2, k], W[d + 3, k]
            out = z[k, :n]
            for j in range(n):
                out[j] += (w0 * y0[j] + w1 * y1[j]) + (w2 * y2[j] + w3 * y3[j])
        d += 4
    while d < n_components:
        y0 = Y[d, start:stop]
        for k in range(n_members):
            w0 = W[d, k]
            out = z[k, :n]
            for j in range(n):
                out[j] += w0 * y0[j]
        d += 1


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _outer(Y: Any, start: int, a: Any, n: int, P: Any) -> None:
    """P[d, k] += Σ_j Y[d, start + j] a[k, j]."""
    zero = np.float32(0)
    stop = start + n
    d = 0
    while d + 4 <= Y.shape[0]:
        y0, y1 = Y[d, start:stop], Y[d + 1, start:stop]
        y2, y3 = Y[d + 2, start:stop], Y[d + 3, start:stop]
        for k in range(a.shape[0]):
            v = a[k, :n]
            s0, s1, s2, s3 = zero, zero, zero, zero
            for j in range(n):
                s0 += y0[j] * v[j]
                s1 += y1[j] * v[j]
                s2 += y2[j] * v[j]
                s3 += y3[j] * v[j]
            P[d, k] += s0
            P[d + 1, k] += s1
            P[d + 2, k] += s2
            P[d + 3, k] += s3
        d += 4
    while d < Y.shape[0]:
        y0 = Y[d, start:stop]
        for k in range(a.shape[0]):
            v = a[k, :n]
            s = zero
            for j in range(n):
                s += y0[j] * v[j]
            P[d, k] += s
        d += 1


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _softmax(la: Any, n: int, a: Any, top: Any, bits: Any, power: Any) -> None:
    """Set a to the softmax of la over members; la is left with its largest entry at 0."""
    n_members = la.shape[0]
    for j in range(n):
        top[j] = la[0, j]
    for k in range(1, n_members):
        for j in range(n):
            top[j] = max(top[j], la[k, j])
    for k in range(n_members):
        for j in range(n):
            la[k, j] -= top[j]
            a[k, j] = la[k, j]
        _exp(a[k], bits, power, n)
    for j in range(n):
        top[j] = a[0, j]
    for k in range(1, n_members):
        for j in range(n):
            top[j] += a[k, j]
    for j in range(n):
        top[j] = np.float32(1.0) / top[j]
    for k in range(n_members):
        for j in range(n):
            a[k, j] *= top[j]


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _steps(la: Any, a: Any, c: Any, G: Any, n: int, n_inner: int, work: Any) -> None:
    """n_inner times log a ← log a + c + G a (η c, −η G given); a is the softmax on return."""
    top, bits, power = work
    _softmax(la, n, a, top, bits, power)
    for _ in range(n_inner):
        for k in range(len(la)):
            la[k, :n] += c[k, :n]
        _product(G, a, 0, n, la)
        _softmax(la, n, a, top, bits, power)


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz", "reassoc"})
def _largest(z: Any, n: int) -> Any:
    highest = z[0]
    for j in range(n):
        highest = max(highest, z[j])
    return highest


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _sum(z: Any, n: int) -> Any:
    total = np.float32(0)
    for j in range(n):
        total += z[j]
    return total


@njit(nogil=True, cache=True)
def _work() -> Any:
    bits = np.empty(_BLOCK, np.int32)
    return np.empty(_BLOCK, np.float32), bits, bits.view(np.float32)


@njit(nogil=True, cache=True)
def share_sums(Y: Any, M: Any, LA: Any, eta: float, n_inner: int, S: Any, P: Any) -> None:
    """n_inner steps on the logarithms LA (member, pixel); then S = A Aᵀ and P = Y Aᵀ."""
    n_members, n_pixels = LA.shape
    work = _work()
    c = np.empty((n_members, _BLOCK), np.float32)
    a = np.empty((n_members, _BLOCK), np.float32)
    la = np.empty((n_members, _BLOCK), np.float32)
    Mc = (eta * M).astype(np.float32)
    G = (-eta * (M.T @ M)).astype(np.float32)
    S[:], P[:] = 0.0, 0.0
    for start in range(0, n_pixels, _BLOCK):
        n = min(_BLOCK, n_pixels - start)
        c[:] = 0
        _product(Mc, Y, start, n, c)
        la[:, :n] = LA[:, start : start + n]
        _steps(la, a, c, G, n, n_inner, work)
        LA[:, start : start + n] = la[:, :n]
        _outer(a, 0, a, n, S)
        _outer(Y, start, a, n, P)


@njit(nogil=True, cache=True)
def archetype_sums(Y: Any, LB: Any, W: Any, M: Any) -> None:
    """M = Y B (component, member) for B ∝ exp(LB − YᵀW), columns of B summing to one."""
    n_members, n_pixels = LB.shape
    _, bits, power = _work()
    z = np.empty((n_members, _BLOCK), np.float32)
    Wf = (-W).astype(np.float32)
    top = np.full(n_members, -np.inf)
    total = np.zeros(n_members)
    part = np.zeros(W.shape)
    M[:] = 0.0
    for start in range(0, n_pixels, _BLOCK):
        n = min(_BLOCK, n_pixels - start)
        z[:, :n] = LB[:, start : start + n]
        _product(Wf, Y, start, n, z)
        for k in range(n_members):
            highest = _largest(z[k], n)
            if highest > top[k]:  # sums so far are brought down to the new largest logarithm
                shrink = np.exp(top[k] - highest)
                top[k] = highest
                total[k] *= shrink
                M[:, k] *= shrink
            z[k, :n] -= np.float32(top[k])
            _exp(z[k], bits, power, n)
            total[k] += _sum(z[k], n)
        part[:] = 0.0
        _outer(Y, start, z, n, part)
        M += part
    M /= total


@njit(nogil=True, cache=True)
def descend(
    Y: Any, LB: Any, LA: Any, eta_a: float, eta_b: float, n_outer: int, n_inner: int, half: float
) -> Any:
    """One run: M, W and the objective after the steps on A of every outer iteration.

    Y (component, pixel) and LB, LA (member, pixel) are float32 and contiguous; LA is updated;
    `half` is ½‖Y‖².
    """
    n_members = len(LB)
    W, M = np.zeros((len(Y), n_members)), np.empty((len(Y), n_members))
    S, P = np.empty((n_members, n_members)), np.empty((len(Y), n_members))
    history = np.empty(n_outer)
    archetype_sums(Y, LB, W, M)
    for t in range(n_outer):
        share_sums(Y, M, LA, eta_a, n_inner, S, P)
        for _ in range(n_inner):
            W += eta_b * (M @ S - P)
            archetype_sums(Y, LB, W, M)
        history[t] = half - (P * M).sum() + 0.5 * ((M.T @ M) * S).sum()
    return M, W, history


def weights(Y: NDArray[np.float32], LB: NDArray[np.float32], W: Array) -> NDArray[np.float32]:
    """B (member, pixel) ∝ exp(LB − WᵀY), rows summing to one."""
    with one_blas_thread():
        z = LB - W.T.astype(np.float32) @ Y
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)


@njit(nogil=True, cache=True, fastmath=_VECTOR)
def _row_error(x: Any, fit: Any) -> Any:
    total = np.float32(0)
    for j in range(len(x)):
        total += abs(np.float32(x[j]) - fit[j])
    return total


@njit(nogil=True, cache=True)
def absolute_error(X: Any, LA: Any, E: Any) -> float:
    """Σ |X − A E| over all pixels (pixel, band), A the softmax of LA (member, pixel)."""
    total = 0.0
    a = np.empty(len(LA), np.float32)
    fit = np.empty(E.shape[1], np.float32)
    for i in range(len(X)):
        a[:] = np.exp(LA[:, i] - LA[:, i].max())
        a /= a.sum()
        fit[:] = 0
        for k in range(len(a)):
            fit += a[k] * E[k]
        total += _row_error(X[i], fit)
    return total
