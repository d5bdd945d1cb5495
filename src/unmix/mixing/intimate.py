"""Intimate mixtures: grains that scatter light many times, after Hapke.

Reflectance r is relative to a perfect diffuser lit and seen in the same way. With γ = √(1 - w),
w the single-scattering albedo, μ₀ and μ the cosines of incidence and emergence, isotropic
scatterers and no opposition effect (Hapke's equation with H(μ) = (1 + 2μ) / (1 + 2μγ)):

    r(w) = w / ((1 + 2μγ)(1 + 2μ₀γ))                                                        (1)

In w, grains mix linearly. (1) is a quadratic in γ, so its inverse is exact:

    γ = (√((μ₀ + μ)² r² + (1 + 4μ₀μ r)(1 - r)) - (μ₀ + μ) r) / (1 + 4μ₀μ r),   w = 1 - γ²    (2)

References
----------
Hapke, B. (1981). Bidirectional reflectance spectroscopy: 1. Theory. JGR 86(B4).
Heylen, R., Parente, M., Gader, P. (2014). A review of nonlinear hyperspectral unmixing methods.
IEEE JSTARS 7(6): equation 2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from unmix.checks import InputError
from unmix.mixing.base import Array, agree, weighted_sum

__all__ = ["albedo", "hapke", "reflectance"]


def hapke(A: ArrayLike, E: ArrayLike, incidence: float = 30.0, emergence: float = 0.0) -> Array:
    """Intimate mixture, x = r(Σ_i a_i w(e_i)): linear in single-scattering albedo.

    Parameters
    ----------
    A : array_like, shape (..., member)
        Shares of the cross-section, the abundances of this model (mass fractions only for grains
        of one size and density).
    E : array_like, shape (member, band)
        Reflectance in [0, 1].
    incidence, emergence : float
        Angles of light and view from the vertical, in degrees.

    Raises
    ------
    InputError
        Shapes that do not fit, reflectance outside [0, 1], an angle outside [0, 90).

    >>> white, dark = [0.9, 0.8], [0.05, 0.1]
    >>> hapke([1.0, 0.0], [white, dark]).round(6)     # a pure pixel keeps its spectrum
    array([0.9, 0.8])
    >>> hapke([0.5, 0.5], [white, dark]).round(3)     # dark grains rule: the mean is 0.475, 0.45
    array([0.152, 0.207])
    """
    A, E = agree(A, E)
    w = albedo(E.astype(float), incidence, emergence)  # near 1 its last digits matter
    x = reflectance(weighted_sum(A.astype(float), w), incidence, emergence)
    return x.astype(np.result_type(A, E))


def reflectance(w: ArrayLike, incidence: float = 30.0, emergence: float = 0.0) -> Array:
    """Equation 1: reflectance of single-scattering albedo w in [0, 1].

    >>> float(reflectance(1.0)), float(reflectance(0.0))
    (1.0, 0.0)
    """
    w = _fraction(w, "w")
    mu0, mu = _cosine(incidence, "incidence"), _cosine(emergence, "emergence")
    gamma = np.sqrt(1 - w)
    return w / ((1 + 2 * mu * gamma) * (1 + 2 * mu0 * gamma))


def albedo(r: ArrayLike, incidence: float = 30.0, emergence: float = 0.0) -> Array:
    """Equation 2: single-scattering albedo of reflectance r in [0, 1], the inverse of equation 1.

    >>> float(albedo(reflectance(0.7)).round(12))
    0.7
    """
    r = _fraction(r, "reflectance")
    mu0, mu = _cosine(incidence, "incidence"), _cosine(emergence, "emergence")
    s, p = (mu0 + mu) * r, 1 + 4 * mu0 * mu * r
    # 1 - γ² = (1 - γ)(1 + γ) with γ = (1 - r) / (√(s² + p(1 - r)) + s): no loss near r = 1
    gamma = (1 - r) / (np.sqrt(s**2 + p * (1 - r)) + s)
    return (1 - gamma) * (1 + gamma)


def _fraction(value: ArrayLike, name: str) -> Array:
    array = np.asarray(value)
    array = array if array.dtype.kind == "f" else array.astype(float)
    slack = 1e-6  # of a sum of fractions in single precision
    outside = ~((array >= -slack) & (array <= 1 + slack))
    if outside.any():
        got = f"{array[outside].flat[0]:.3g}"
        raise InputError(f"{name}: got {got}; intimate mixing is defined for values in [0, 1]")
    return np.clip(array, 0, 1)


def _cosine(angle: float, name: str) -> float:
    if not isinstance(angle, (int, float, np.number)) or not 0 <= angle < 90:
        raise InputError(f"{name}: got {angle!r}; give degrees from the vertical, 0 to below 90")
    return math.cos(math.radians(angle))
