r"""Which bands decide: the information on abundances that each band carries.

Near the mean abundances ā a mixture x changes with them by J = ∂x/∂a (member, band). Abundances sum
to one, so only differences of members count, and noise of standard deviation σ hides some of them:

    B_k = (J_k − mean J) / σ,    w_b = Σ_k B_kb² / Σ_b Σ_k B_kb².

The w_b are the bands' shares of the trace of Fisher's information BᵀB. Where every pixel has a
brightness of its own, which no band tells from the abundances, members are first made equally
bright along the mean x̄ = Σ ā_k e_k, as x̄ is seen in the noise: e_k → e_k (x̄·x̄) / (e_k·x̄).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.denoise import Whitening
from unmix.posterior.surfaces import Surface

__all__ = ["band_information"]

Array = NDArray[np.float64]


def band_information(
    E: ArrayLike,
    mean: ArrayLike,
    *,
    surface: Surface | None = None,
    sigma: ArrayLike | None = None,
    free: bool = False,
) -> Array:
    """Shares w (band,) of the information on abundances, their sum being 1.

    Parameters
    ----------
    E : array_like, shape (member, band)
        Endmembers.
    mean : array_like, shape (member,)
        ā.
    surface : Surface, optional
        How they mix; linearly when left out.
    sigma : array_like, shape (band,), optional
        Noise of each band; the same in all when left out.
    free : bool
        Whether pixels differ in brightness.

    >>> E = np.array([[0.2, 0.5, 0.9], [0.2, 0.6, 0.5]])
    >>> band_information(E, [0.5, 0.5]).round(3)
    array([0.   , 0.059, 0.941])
    >>> band_information(E, [0.5, 0.5], sigma=[1, 1, 4]).round(3)
    array([0. , 0.5, 0.5])
    """
    E_, a = np.asarray(E, np.float64), np.asarray(mean, np.float64)
    noise = np.ones(E_.shape[1]) if sigma is None else np.asarray(sigma, np.float64)
    if free:
        x = a @ E_ / noise
        along = (E_ / noise) @ x / max(float(x @ x), 1e-300)
        E_ = E_ / np.maximum(along, 1e-6)[:, None]
    J = E_
    if surface is not None:
        plain = _as_they_are(E_.shape[1])
        J = surface.slopes(a[None], surface.vertices(E_), plain)[0]
    B = (J - J.mean(axis=0)) / noise
    w: Array = (B**2).sum(axis=0)
    return w / max(float(w.sum()), 1e-300)


def _as_they_are(n_bands: int) -> Whitening:
    """Spectra as their own coordinates."""
    one = np.ones(n_bands)
    return Whitening(np.eye(n_bands), np.zeros(n_bands), one, one, one)
