r"""How far an unmixing is from the truth: pure functions on arrays.

Conventions
-----------
Abundances A are (..., member), endmembers E (member, band), pixels X (..., band); all leading
axes are pixels. Everything is finite: leave masked pixels and bands out first. Estimate first,
truth second. Members correspond by position: `align` first. Sums run in float64.

Names say what is compared: an ``abundance_`` metric compares abundances, an ``endmember_`` metric
spectra of members, ``reconstruction_`` pixels. Angles are in radians, logarithms natural.

Metrics
-------
* `abundance_rmse` (all entries), `abundance_rmse_per_endmember`, `mean_of_per_endmember_rmse`,
  `psnr_db`: papers differ in which RMSE they mean; the first is never below the third.
* `abundance_sad_rad`, `abundance_sid`: angle and divergence of per-pixel abundance vectors.
* `endmember_sad_rad`, `endmember_sid`: of each member's spectrum.
* `reconstruction_rmse`: of the pixels.

References
----------
Chang, C.-I. (2000). An information-theoretic approach to spectral variability, similarity, and
discrimination for hyperspectral image analysis. IEEE Trans. Inf. Theory 46(5), 1927-1932.
Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval Res. Logist. 2, 83-97.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from unmix.checks import InputError

__all__ = [
    "EPS",
    "abundance_rmse",
    "abundance_rmse_per_endmember",
    "abundance_sad_rad",
    "abundance_sid",
    "align",
    "endmember_sad_rad",
    "endmember_sid",
    "mean_of_per_endmember_rmse",
    "psnr_db",
    "reconstruction_rmse",
    "take",
    "validate",
]

EPS = 1e-6
"""Added to every entry before a divergence is taken, so that an exact zero stays finite."""

Array = NDArray[np.float64]


def validate(
    estimate: ArrayLike, truth: ArrayLike, name: str = "abundances"
) -> tuple[Array, Array]:
    """Both as float64 arrays of shape (row, column), equal in shape and finite.

    Raises
    ------
    InputError
        Shapes differ, fewer than two axes, nothing in them, NaN or infinite values.
    """
    a, b = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    if a.shape != b.shape or a.ndim < 2 or a.size == 0:
        raise InputError(
            f"{name}: estimate {a.shape}, truth {b.shape}; give two arrays of one shape, "
            "members aligned and last axis the same"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError(f"{name}: contains NaN or inf; leave masked pixels or bands out")
    return a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])


def abundance_rmse(A_est: ArrayLike, A_true: ArrayLike) -> float:
    r"""Root mean square error over all entries, :math:`\sqrt{\frac{1}{NK}\sum(\hat a-a)^2}`.

    >>> round(abundance_rmse([[0.6, 0.4], [0.1, 0.9]], [[0.5, 0.5], [0.2, 0.8]]), 12)
    0.1
    """
    a, b = validate(A_est, A_true)
    return float(np.sqrt(np.mean((a - b) ** 2)))


def abundance_rmse_per_endmember(A_est: ArrayLike, A_true: ArrayLike) -> Array:
    r"""RMSE of each map, :math:`\sqrt{\frac{1}{N}\sum_n(\hat a_{nk}-a_{nk})^2}`, shape (member,).

    >>> abundance_rmse_per_endmember([[0.5, 0.2, 0.3]], [[0.5, 0.4, 0.1]]).round(12)
    array([0. , 0.2, 0.2])
    """
    a, b = validate(A_est, A_true)
    return np.sqrt(np.mean((a - b) ** 2, axis=0))


def mean_of_per_endmember_rmse(A_est: ArrayLike, A_true: ArrayLike) -> float:
    """Mean over members of each map's RMSE, as many papers report.

    >>> round(mean_of_per_endmember_rmse([[0.5, 0.2, 0.3]], [[0.5, 0.4, 0.1]]), 6)
    0.133333
    """
    return float(abundance_rmse_per_endmember(A_est, A_true).mean())


def psnr_db(A_est: ArrayLike, A_true: ArrayLike) -> float:
    r"""Peak signal-to-noise ratio of abundances, :math:`-20\log_{10}\mathrm{RMSE}` (peak 1), dB.

    >>> psnr_db([[0.6, 0.4]], [[0.5, 0.5]])
    20.0
    """
    rmse = abundance_rmse(A_est, A_true)
    return float(-20 * np.log10(rmse)) if rmse > 0 else float("inf")


def abundance_sad_rad(A_est: ArrayLike, A_true: ArrayLike) -> float:
    r"""Mean angle between the two abundance vectors of a pixel, rad.

    .. math:: \arccos \frac{\hat a^T a}{\|\hat a\| \|a\|}

    A pixel whose vector is all zero in one of them counts π/2, in both 0.

    >>> abundance_sad_rad([[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.3, 0.3]]) / np.pi
    0.25
    """
    return float(_angles(*validate(A_est, A_true)).mean())


def abundance_sid(A_est: ArrayLike, A_true: ArrayLike, eps: float = EPS) -> float:
    """Mean spectral information divergence of a pixel's abundance vectors, nats.

    See `endmember_sid`; `eps` (1e-6 unless given) decides what an exact zero costs, so compare
    only values of the same `eps`.

    >>> round(abundance_sid([[0.5, 0.5]], [[0.25, 0.75]]), 4)
    0.2747
    """
    return float(_divergence(*validate(A_est, A_true), eps).mean())


def endmember_sad_rad(E_est: ArrayLike, E_true: ArrayLike) -> Array:
    """Spectral angle of each member in rad, shape (member,); blind to brightness.

    >>> endmember_sad_rad([[2.0, 2.0], [1.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]) / np.pi
    array([0.  , 0.25])
    """
    return _angles(*validate(E_est, E_true, "endmembers"))


def endmember_sid(E_est: ArrayLike, E_true: ArrayLike, eps: float = EPS) -> Array:
    r"""Spectral information divergence of each member in nats, shape (member,).

    .. math:: \sum_l (p_l - q_l) \ln \frac{p_l}{q_l}, \qquad p_l = \frac{\max(e_l,0)+ε}{Σ(\cdot)}

    which is the sum of both Kullback-Leibler divergences. Negative values count as 0.

    >>> endmember_sid([[0.1, 0.3]], [[0.1, 0.1]]).round(4)
    array([0.2747])
    """
    return _divergence(*validate(E_est, E_true, "endmembers"), eps)


def reconstruction_rmse(X_est: ArrayLike, X: ArrayLike) -> float:
    r"""RMSE of reconstructed pixels over all entries, in the pixels' unit.

    >>> reconstruction_rmse([[0.2, 0.4]], [[0.2, 0.2]])**2
    0.02...
    """
    a, b = validate(X_est, X, "pixels")
    return float(np.sqrt(np.mean((a - b) ** 2)))


def align(
    *,
    E_est: ArrayLike | None = None,
    E_true: ArrayLike | None = None,
    A_est: ArrayLike | None = None,
    A_true: ArrayLike | None = None,
) -> NDArray[np.intp]:
    """Which estimated member stands for each true one: the assignment with the least total cost.

    The cost of a pair is the spectral angle if both spectra are given, else the RMSE of the
    abundance maps (Hungarian method either way).

    Returns
    -------
    order : ndarray of int, shape (true member,)
        ``A_est[..., order]`` goes with ``A_true``; -1 where too few members were estimated.
        Estimated members not in it are unmatched.

    Raises
    ------
    InputError
        Neither pair is complete, or bands or pixels differ.

    >>> align(E_est=[[0.0, 1.0], [1.0, 1.0], [1.0, 0.1]], E_true=[[2.0, 0.0], [0.0, 2.0]])
    array([2, 0])
    >>> align(A_est=[[0.9], [0.1]], A_true=[[0.0, 1.0], [1.0, 0.0]])
    array([-1,  0])
    """
    if E_est is not None and E_true is not None:
        estimated, true = _pair(E_est, E_true, "endmembers")
        costs = np.stack([_angles(estimated, np.broadcast_to(t, estimated.shape)) for t in true])
    elif A_est is not None and A_true is not None:
        maps_est, maps_true = _pair(_by_member(A_est), _by_member(A_true), "abundances")
        costs = np.stack([np.sqrt(np.mean((maps_est - t) ** 2, axis=1)) for t in maps_true])
    else:
        raise InputError("align: give E_est and E_true, or A_est and A_true")
    order = np.full(len(costs), -1, np.intp)
    rows, columns = linear_sum_assignment(costs)
    order[rows] = columns
    return order


def take(values: ArrayLike, order: NDArray[np.intp], axis: int = -1) -> Array:
    """Members in the truth's order; zeros stand for a member that was not estimated (-1).

    >>> take([[0.7, 0.3]], np.array([1, -1, 0]))
    array([[0.3, 0. , 0.7]])
    """
    a = np.moveaxis(np.asarray(values, np.float64), axis, -1)
    out = np.where(order >= 0, a[..., np.maximum(order, 0)], 0.0)
    return np.moveaxis(out, -1, axis)


def _by_member(A: ArrayLike) -> Array:
    """(..., member) as (member, pixel)."""
    a = np.asarray(A, np.float64)
    return a.reshape(-1, a.shape[-1]).T if a.ndim > 1 else a[:, None]


def _pair(estimate: ArrayLike, truth: ArrayLike, name: str) -> tuple[Array, Array]:
    """Two finite matrices with as many columns."""
    a, b = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not a.size * b.size:
        raise InputError(f"{name}: {a.shape} and {b.shape} do not compare; give the same columns")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError(f"{name}: contains NaN or inf; leave masked pixels or bands out")
    return a, b


def _angles(a: Array, b: Array) -> Array:
    """Angle of each row pair, accurate near 0: 2 atan2(‖u − v‖, ‖u + v‖) of unit vectors."""
    norms = [np.linalg.norm(m, axis=1, keepdims=True) for m in (a, b)]
    u, v = (m / np.where(n > 0, n, 1.0) for m, n in zip((a, b), norms, strict=True))
    angle = 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))
    zero = [n[:, 0] == 0 for n in norms]
    return np.where(zero[0] & zero[1], 0.0, np.where(zero[0] | zero[1], np.pi / 2, angle))


def _divergence(a: Array, b: Array, eps: float) -> Array:
    """Symmetric Kullback-Leibler divergence of each row pair."""
    if not eps > 0:
        raise InputError(f"eps: got {eps}; give a small positive number such as {EPS}")
    p, q = (np.maximum(m, 0.0) + eps for m in (a, b))
    p, q = (m / m.sum(axis=1, keepdims=True) for m in (p, q))
    return np.sum((p - q) * np.log(p / q), axis=1)
