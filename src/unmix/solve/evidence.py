r"""Kernel and regularisation of K-Hype from the pixels alone: the largest evidence.

K-Hype's estimate is the mode of a Gaussian model: α of unit variance, ψ a Gaussian process with the
band kernel, white errors of variance μ, all up to one factor s² that the mode does not see. So

    y ~ N(0, s² C),    C = M Mᵀ + K_M + μ I,

and with s² at its best value in every pixel the logarithm of the evidence is, up to a constant,

    −½ log |C| − L/2 log (yᵀ C⁻¹ y).

The constraints on α are left out: they do not depend on kernel or μ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from unmix.parallel import one_blas_thread
from unmix.solve.khype import band_kernel

__all__ = ["MUS", "largest_evidence", "log_evidence"]

# From the authors' value up: with less, ψ is free to explain whatever is not white noise, and on
# real scenes, where endmembers vary, evidence would let it (then shares mean nothing).
MUS = tuple(float(v) for v in 10.0 ** np.arange(-2, 1.01, 0.25))


def log_evidence(
    X: NDArray[np.floating],
    E: NDArray[np.floating],
    kernel: str,
    sigma: float,
    mus: Sequence[float],
) -> NDArray[np.float64]:
    """Mean over pixels of the logarithm of the evidence, for each μ.

    Parameters
    ----------
    X : ndarray, shape (pixel, band)
    E : ndarray, shape (member, band)
        Both in units of reflectance.
    kernel : {"gaussian", "polynomial"}
    sigma : float
        Width of the Gaussian kernel.
    mus : sequence of float

    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((3, 60))
    >>> X = rng.dirichlet(np.ones(3), 200) @ E + 0.1 * rng.standard_normal((200, 60))
    >>> found = log_evidence(X, E, "gaussian", 2.0, [1e-4, 1e-1, 10.0])
    >>> int(found.argmax())
    1
    """
    M = np.asarray(E, np.float64).T
    with one_blas_thread():
        values, vectors = eigh(M @ M.T + band_kernel(M.T, kernel, sigma))
        squared = (np.asarray(X, np.float64) @ vectors) ** 2
    found = []
    for mu in mus:
        spread = np.maximum(values, 0.0) + mu
        power = np.maximum((squared / spread).sum(axis=1), np.finfo(float).tiny)
        found.append(-0.5 * np.log(spread).sum() - 0.5 * len(M) * np.log(power).mean())
    return np.asarray(found)


def largest_evidence(
    X: NDArray[np.floating],
    E: NDArray[np.floating],
    kernels: Iterable[str],
    sigma: float,
    mus: Sequence[float] = MUS,
) -> tuple[str, float]:
    """The kernel and μ under which the pixels (pixel, band) are likeliest.

    >>> E = 0.5 + 0.4 * np.sin(np.outer([3, 5, 8], np.linspace(0, 1, 60)))
    >>> X = np.random.default_rng(0).dirichlet(np.ones(3), 100) @ E
    >>> largest_evidence(X, E, ["gaussian"], 2.0, [1e-4, 1.0])
    ('gaussian', 0.0001)
    """
    tried = [(k, log_evidence(X, E, k, sigma, mus)) for k in kernels]
    kernel, values = max(tried, key=lambda item: float(item[1].max()))
    return kernel, float(mus[int(values.argmax())])
