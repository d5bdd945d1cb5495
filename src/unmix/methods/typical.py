r"""Typical spectra, for scenes whose materials vary by more than noise; half of `Best`.

How sure abundances are has two parts. Runs that fit alike differ; and with a material's spectrum
its pixel moves within the span of the members too, where nothing shows it. There it is taken to
move as much as it does in the K directions, outside of the span, in which residuals r are largest:

    Var a_k = ρ ‖aE‖² ‖P_k − a_k Σ_j P_j‖²,    ρ the mean of the K largest eigenvalues of E r rᵀ,

r = x / (s ‖aE‖) − aE / ‖aE‖, and P the pseudo-inverse of E with a row a member.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from unmix.denoise import Smoother
from unmix.extract.variable import members, recentre
from unmix.scaling import abundances

__all__ = ["SMOOTHER", "Typical", "typical"]

Pixels = NDArray[np.floating]
Array = NDArray[np.float64]

SMOOTHER = tuple(f.name for f in fields(Smoother))


@dataclass(frozen=True, eq=False)
class Typical:
    """Spectra of materials as they usually are.

    Parameters
    ----------
    endmembers : ndarray, shape (member, band)
    alternatives : ndarray, shape (run, member, band)
        Of every run that did as well.
    smoother : Smoother or None
        What takes the variation out of an image, if it differs from pixel to pixel.
    rest : float
        ρ.
    """

    endmembers: Array
    alternatives: Array
    smoother: Smoother | None = None
    rest: float = 0.0

    def seen(self, X: Pixels, image: tuple[int, int] | None) -> Pixels:
        """Pixels (pixel, band) as members are mixed to explain them."""
        return X if self.smoother is None or image is None else self.smoother(X, image)

    def abundances(
        self, X: Pixels, image: tuple[int, int] | None, scale: str, sure: bool
    ) -> tuple[Array, Array]:
        """Exact ones (pixel, member), and their variance over the alternatives if `sure`."""
        X = self.seen(X, image)
        A = np.asarray(abundances(X, self.endmembers.astype(X.dtype), scale)[0], np.float64)
        if not sure:
            return A, np.zeros_like(A)
        P = np.linalg.pinv(self.endmembers).T
        total = P.sum(axis=0)
        reach = (P**2).sum(axis=1) - 2 * A * (P @ total) + A**2 * (total @ total)
        variance = self.rest * ((A @ self.endmembers) ** 2).sum(axis=1, keepdims=True) * reach
        for E in self.alternatives:
            other, _ = abundances(X, E.astype(X.dtype), scale)
            variance += (other - A) ** 2 / len(self.alternatives)
        return A, variance

    def moved_to(self, X: Pixels, scale: str) -> Typical:
        """To the typical spectra of the pixels of another scene, which are means already."""
        found = Typical(
            recentre(X, self.endmembers, scale),
            np.stack([recentre(X, S, scale) for S in self.alternatives]),
            self.smoother,
        )
        return found.sized(X, scale)

    def measured(self, X: Pixels, scale: str) -> Typical:
        """With ρ from pixels as they are seen."""
        A = np.asarray(abundances(X, self.endmembers.astype(X.dtype), scale)[0], np.float64)
        M = A @ self.endmembers
        power = np.maximum((M**2).sum(axis=1), 1e-300)
        size = np.ones(len(M)) if scale == "none" else np.maximum((X * M).sum(axis=1) / power, 1e-9)
        R = (X / size[:, None] - M) / np.sqrt(power)[:, None]
        strongest = np.linalg.eigvalsh(R.T @ R / len(R))[-len(self.endmembers) :]
        return replace(self, rest=float(strongest.mean()))

    def sized(self, X: Pixels, scale: str) -> Typical:
        """With spectra of maximum 1 brought to the median brightness of pixels."""
        if scale == "none":
            return self
        size = float(np.median(abundances(X, self.endmembers.astype(X.dtype), scale)[1]))
        return replace(
            self, endmembers=self.endmembers * size, alternatives=self.alternatives * size
        )


def typical(
    X: Pixels,
    image: tuple[int, int] | None,
    n: int,
    scale: str,
    seed: int,
    taken: Smoother | None,
    E: Pixels | None = None,
    held: NDArray[np.bool_] | None = None,
) -> Typical:
    """Typical spectra of n materials, or of those of E (member, band) that are not held.

    Of pixels that have been smoothed if `taken` says how.
    """
    if E is None:
        seen = X if taken is None or image is None else taken(X, image)
        found = members(seen, image, n, scale, seed, smooth=taken is not None)
        return Typical(*found, taken).sized(seen, scale).measured(seen, scale)
    spectra = np.array(E, np.float64)
    if held is not None and not held.all():
        free = recentre(X, spectra, scale)[~held]
        size, length = (np.linalg.norm(S, axis=1, keepdims=True) for S in (spectra[~held], free))
        spectra[~held] = free * (size / np.maximum(length, 1e-12))
    return Typical(spectra, spectra[None]).measured(X, scale)
