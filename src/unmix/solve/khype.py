r"""K-Hype: linear mixing plus a nonlinear fluctuation over the bands, exactly, all pixels at once.

A band is described by what the endmembers reflect in it, m_λ = (e_1λ … e_Kλ), and a pixel is

    y_λ = αᵀ m_λ + ψ(m_λ) + e_λ,        ψ in the reproducing kernel Hilbert space of κ.

The paper solves, in every pixel and in its dual of L + K + 1 unknowns,

    min_{α, ψ} ½ (‖α‖² + ‖ψ‖²) + 1/(2μ) Σ e_λ²    subject to    α ≥ 0,  Σ α = 1.

With α fixed, ψ is a kernel ridge regression of y − Mα (M = Eᵀ), whose optimum costs half of
(y − Mα)ᵀ S (y − Mα) with S = (K_M + μI)⁻¹ and K_M the kernel between bands. What is left is exactly

    min_α ½ ‖α‖² + ½ ‖V (y − Mα)‖²,    VᵀV = S,    α ≥ 0,  Σ α = 1:

G = I + MᵀSM, c = MᵀSy. S depends on the endmembers alone, so it is factored once a scene, and the
pixels go through the same compiled pass as FCLS.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from unmix.checks import InputError, check_option
from unmix.parallel import one_blas_thread
from unmix.solve.engine import as_pixels, check_members, solve_factored
from unmix.solve.optimality import kkt_residual
from unmix.solve.quadratic import Quadratic, factor

__all__ = ["KERNELS", "band_kernel", "check_kernel", "khype", "khype_kkt"]

Array = NDArray[np.float64]
KERNELS = ("gaussian", "polynomial")


def check_kernel(kernel: str, sigma: float, mu: float, unit: float = 1.0) -> None:
    """An `InputError` unless the kernel is known and σ, μ and the unit are positive and finite."""
    check_option(kernel, KERNELS, "kernel")
    for name, value in (("sigma", sigma), ("mu", mu), ("unit", unit)):
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not (number and 0 < value < np.inf):
            raise InputError(f"{name}: got {value!r}; give a positive number")


def band_kernel(E: NDArray[np.floating], kernel: str, sigma: float) -> Array:
    """K_M (band, band), the kernel between bands m = E[:, λ]; K members, reflectance of order 1.

    Gaussian: exp(−‖m − m'‖² / 2σ²); polynomial: (1 + (m − ½)ᵀ(m' − ½) / K²)².

    >>> band_kernel(np.array([[0.5, 1.5], [0.5, 0.5]]), "polynomial", 2.0)
    array([[1.    , 1.    ],
           [1.    , 1.5625]])
    """
    m = np.asarray(E, np.float64)
    if kernel == "polynomial":
        shifted = m - 0.5
        return np.asarray((1.0 + shifted.T @ shifted / len(m) ** 2) ** 2)
    centred = m - m.mean(axis=1, keepdims=True)  # distances keep their digits
    size = (centred * centred).sum(axis=0)
    squared = np.maximum(size[:, None] + size - 2.0 * (centred.T @ centred), 0.0)
    return np.asarray(np.exp(-squared / (2.0 * sigma**2)))


def khype(
    X: ArrayLike,
    E: ArrayLike,
    *,
    kernel: str = "gaussian",
    sigma: float = 2.0,
    mu: float = 1e-2,
    unit: float = 1.0,
) -> NDArray[np.floating]:
    r"""K-Hype: exact abundances under a linear mixture with a nonlinear fluctuation.

    Each pixel y solves, over α on the simplex and functions ψ of what the endmembers reflect,

        min_{α, ψ} ½ (‖α‖² + ‖ψ‖²) + 1/(2μ) Σ_λ (y_λ − αᵀm_λ − ψ(m_λ))².

    Parameters
    ----------
    X : array_like, shape (..., band)
        Spectra; float32 gives float32 back, anything else float64.
    E : array_like, shape (member, band)
        Endmembers, at most 64, in X's unit.
    kernel : {"gaussian", "polynomial"}
        See `band_kernel`.
    sigma : float
        Width of the Gaussian kernel.
    mu : float
        Regularisation; the authors' C is 1/μ.
    unit : float
        What counts as reflectance 1 in X and E: σ, μ and the kernels are absolute.

    Returns
    -------
    A : ndarray, shape (..., member)

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
    >>> khype(bilinear(a, E), E).round(2)  # FCLS finds 0.32, 0.68, 0
    array([0.21, 0.49, 0.31])
    """
    check_kernel(kernel, sigma, mu, unit)
    pixels = as_pixels(X)
    members = check_members(E, pixels.shape[1])
    with one_blas_thread():
        problem = _problem(members, kernel, sigma, mu, unit)
    A, _ = solve_factored(pixels, problem)
    return A.reshape(*np.shape(X)[:-1], len(members))


def _problem(
    E: NDArray[np.floating], kernel: str, sigma: float, mu: float, unit: float
) -> Quadratic:
    """The reduced problem of all pixels: V = C⁻¹ with K_M + μI = C Cᵀ, in X's unit; ridge 1."""
    K = band_kernel(np.asarray(E, np.float64) / unit, kernel, sigma)
    K[np.diag_indices_from(K)] += mu
    try:
        C = cholesky(K, lower=True)
    except LinAlgError:
        raise InputError(
            f"mu: got {mu!r}, lost in rounding beside kernel values of {K.max():.1e}; give more, "
            "or give `unit` if reflectance 1 is another number in X"
        ) from None
    V = np.tril(solve_triangular(C, np.eye(len(C)), lower=True)) / unit
    return factor(E, sum_to_one=True, V=V, ridge=1.0)


def khype_kkt(
    X: ArrayLike,
    E: ArrayLike,
    A: ArrayLike,
    *,
    kernel: str = "gaussian",
    sigma: float = 2.0,
    mu: float = 1e-2,
    unit: float = 1.0,
) -> Array:
    """How far abundances A (..., member) are from K-Hype's optimum: `kkt_residual` of ‖V(y − Mα)‖.

    >>> E = np.eye(2, 5)
    >>> bool(khype_kkt(E, E, khype(E, E)).max() < 1e-14)
    True
    """
    x = as_pixels(X)
    with one_blas_thread():
        problem = _problem(check_members(E, x.shape[1]), kernel, sigma, mu, unit)
        weighted = x @ np.asarray(problem.V).T
    target = np.hstack([weighted, np.zeros((len(x), len(problem.F)))])
    a = np.reshape(A, (len(x), -1))
    return kkt_residual(target, problem.F, a).reshape(np.shape(X)[:-1])
