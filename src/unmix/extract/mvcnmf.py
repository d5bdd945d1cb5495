"""Minimum volume constrained non-negative matrix factorisation (MVC-NMF)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_endmembers
from unmix.extract.hull import Hull, Sums
from unmix.extract.priced_members import priced_members
from unmix.extract.simplex_pass import abundance_sums
from unmix.solve.engine import as_pixels

__all__ = ["Descent", "Factors", "check_keywords", "mvcnmf", "volume_price"]

Array = NDArray[np.float64]

_SPAN = 0.5  # of the last move: the first extrapolation
_LONGER, _SHORTER, _MOST = 1.1, 0.5, 1.0


@dataclass(frozen=True, eq=False)
class Factors:
    """Endmembers with what was minimised and how it ended.

    Parameters
    ----------
    endmembers : ndarray, float64, shape (member, band)
    tau : float
        The price of volume.
    objective : list of float
        At the start and after each iteration.
    converged : bool
    status : str
    """

    endmembers: Array
    tau: float
    objective: list[float]
    converged: bool
    status: str

    @property
    def n_iter(self) -> int:
        """Iterations."""
        return len(self.objective) - 1


def mvcnmf(
    X: ArrayLike,
    E: ArrayLike,
    *,
    tau: float | None = None,
    delta: float = 20.0,
    max_iter: int = 150,
    tol: float = 1e-6,
) -> Factors:
    r"""MVC-NMF: endmembers E and abundances A whose simplex fits the pixels and is small.

    .. math:: \min_{A ≥ 0,\, E ≥ 0} \; ½ ‖X - A E‖² + ½ δ² ‖1 - A 1‖² + ½ τ \det²(Z),
              \qquad Z = [1; U (e_k - μ)] \text{, one column a member,}

    X denoised to the hull of its K − 1 principal components U around the mean μ. This is the
    objective of the authors' program (the paper has τ / (K − 1)! for τ) with its δ. The program
    takes projected gradient steps on all bands; here both halves of an iteration are exact, on the
    K − 1 numbers z that a denoised pixel is (`unmix.extract.simplex_pass`,
    `unmix.extract.priced_members`), and each starts beyond the last by a share of the last move
    that grows while that lowers the objective; where it does not, the iteration is made again
    without. The objective never increases.

    Parameters
    ----------
    X : array_like, shape (..., band)
        In reflectance of order 1: τ and δ are absolute.
    E : array_like, shape (member, band)
        Start. Negative values are taken as 0.
    tau : float, optional
        Price of volume: the authors give 0.015, for scenes of 4096 pixels at 20 dB. The best value
        follows the noise energy and the scene's size, so that by default it is `volume_price`.
    delta : float
        Weight of the sum to one.
    max_iter : int
    tol : float
        Converged when the objective falls by less than this share in two iterations running.

    Raises
    ------
    InputError
        Shapes that do not fit, NaN or infinite values, a keyword out of range.

    References
    ----------
    Miao & Qi, IEEE TGRS 45(3), 2007. Extrapolation with a restart: Ang & Gillis, Neural Comput.
    31(2), 2019.

    >>> rng = np.random.default_rng(0)
    >>> E = np.array([[0.9, 0.1, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.1, 0.3, 0.9, 0.2]])
    >>> A = rng.dirichlet(np.ones(3), 2000)
    >>> A = A[A.max(axis=1) < 0.8]  # no pixel is pure
    >>> found = mvcnmf(A @ E, 0.7 * E + 0.3 * E.mean(axis=0))
    >>> bool(np.abs(found.endmembers - E).max() < 0.02)
    True
    """
    pixels = as_pixels(X)
    members = np.maximum(check_endmembers(E, pixels.shape[1], "E").astype(np.float64), 0.0)
    check_keywords(tau, delta, max_iter, tol)
    if not 2 <= len(members) <= min(pixels.shape[1], 64):
        raise InputError(f"E: got {len(members)} spectra; give from 2 to the number of bands or 64")
    hull = Hull.of(pixels, len(members) - 1)
    price = volume_price(hull, members) if tau is None else float(tau)
    objective, converged = Descent(hull, price, float(delta), members), False
    while not converged and len(objective.history) <= max_iter:
        objective.iterate()
        converged = objective.settled(tol)
    n_iter = len(objective.history) - 1
    status = (
        f"Converged after {n_iter} iterations."
        if converged
        else f"The maximum number of iterations ({max_iter}) was reached."
    )
    return Factors(objective.E, price, objective.history, converged, status)


def check_keywords(tau: float | None, delta: float, max_iter: int, tol: float) -> None:
    """An `InputError` unless τ and tol are 0 or more, δ is positive and `max_iter` at least 1."""
    for name, value, least in (("tau", tau, 0), ("delta", delta, 1e-3), ("tol", tol, 0)):
        if value is None and name == "tau":
            continue
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not (number and least <= value < np.inf):  # type: ignore[operator]
            raise InputError(f"{name}: got {value!r}; give a number of at least {least}")
    if isinstance(max_iter, bool) or not isinstance(max_iter, int | np.integer) or max_iter < 1:
        raise InputError(f"max_iter: got {max_iter!r}; give a whole number from 1")


def volume_price(hull: Hull, E: Array) -> float:
    r"""τ = N σ² / (4 det²(Z)) for N pixels with noise of variance σ² in a band and the start E.

    The price at which the true simplex stands still, det Z taken to be its. Abundances spread
    evenly put N (K − 1)/h pixels a unit of depth behind a facet, h its height. Those that noise
    takes across it pull it outwards, by their distance from it: by N (K − 1) σ² / 4h on average.
    The price pushes it back by (K − 1)/h τ det². No K, h or shape is left in the ratio.
    """
    squared = hull.volume(E) ** 2
    return hull.z.shape[1] * hull.noise / (4 * squared) if squared > 0 else 0.0


class Descent:
    """The state between iterations: E, how far it moved, and the objective so far."""

    def __init__(self, hull: Hull, tau: float, delta: float, E: Array) -> None:
        self.hull, self.tau, self.delta = hull, tau, delta
        self.E = self.before = E
        self.span, self.limit = _SPAN, _MOST
        self.sets = np.zeros(hull.z.shape[1], np.int16)
        sums = abundance_sums(hull, E, delta, self.sets)
        self.history = [self.value(E, sums)]

    def value(self, E: Array, sums: Sums) -> float:
        """The objective."""
        return sums.fit(self.hull, E, self.delta) + 0.5 * self.tau * self.hull.volume(E) ** 2

    def step(self, E: Array) -> tuple[Array, float]:
        """Abundances for E, then the endmembers for them, and the objective of both."""
        sums = abundance_sums(self.hull, E, self.delta, self.sets)
        E = priced_members(self.hull, E, sums, self.tau)
        return E, self.value(E, sums)

    def iterate(self) -> None:
        """One iteration, from beyond E; from E itself if that was too far."""
        E, value = self.step(np.maximum(self.E + self.span * (self.E - self.before), 0.0))
        if value <= self.history[-1]:
            self.limit = min(1.01 * self.limit, _MOST)
            self.span = min(_LONGER * self.span, self.limit)
        else:
            self.limit, self.span = self.span, _SHORTER * self.span
            E, value = self.step(self.E)
        self.before, self.E = self.E, E
        self.history.append(min(value, self.history[-1]))

    def settled(self, tol: float) -> bool:
        """Whether the last two iterations changed nothing to speak of."""
        last = self.history[-3:]
        return len(last) == 3 and last[0] - last[1] <= tol * last[0] >= last[1] - last[2]
