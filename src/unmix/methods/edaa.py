"""Entropic descent archetypal analysis: endmembers as means of a few of the scene's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.extract.edaa import archetypes, choose
from unmix.methods.linear import LinearUnmixer

__all__ = ["EDAA"]

Pixels = NDArray[np.floating]


class EDAA(LinearUnmixer):
    r"""Archetypes by entropic descent, then exact abundances.

    .. math:: \min_{A, B} \tfrac12 \lVert Y - Y B A \rVert^2, \quad E = Y B,

    columns of A (member, pixel) and B (pixel, member) on the simplex, by multiplicative steps
    A ← softmax(log A − η_A ∇_A), B ← softmax(log B − η_B ∇_B), from several starts and with
    several step sizes. Kept is the run whose spectra are least correlated among those within 5 % of
    the least absolute error. No pure pixels are needed, as long as means of pixels reach the
    members. Every scale mode but "none" finds them in the pixels' directions.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Known spectra: nothing is extracted.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness; the authors work on "l2".
    seed : int
    n_restarts : int
        Runs to choose from.
    n_outer, n_inner : int
        Outer iterations; steps on A, then on B, in each.
    step : {"paper", "contrast"}
        Nominal step size: over σ₁(Y B⁰)², as published, or over four times the pixels' variance,
        which moves faster where spectra differ little beside their mean.
    n_components : int
        Directions of the pixels the descent works in; the objective of all bands is the same to
        a few parts in 10⁴ with 30.
    max_pixels : int
        Of a larger scene, so many seeded ones are used to find the endmembers.

    Attributes
    ----------
    endmembers_ : ndarray, shape (member, band)
    n_iter_ : int
        Outer iterations.
    history_ : dict
        "objective" of the run kept, ½‖y − M a‖² a pixel.

    References
    ----------
    Zouaoui, Muhawenayo, Rasti, Chanussot & Mairal 2023, IEEE TIP 32.

    >>> E = np.array([[1.0, 0.0, 0.2, 0.1], [0.1, 0.8, 0.3, 0.5], [0.0, 0.3, 0.9, 0.2]])
    >>> A = np.vstack([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 50)])
    >>> found = EDAA(n_endmembers=3, n_restarts=10, n_inner=20).fit_transform(A @ E)
    >>> bool(np.allclose(np.sort(found), np.sort(A), atol=0.05))
    True
    """

    label = "EDAA"
    reference = "Zouaoui, Muhawenayo, Rasti, Chanussot & Mairal 2023"
    direction_snr = 4.0  # means of pixels bear noise that single picks do not

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        n_restarts: int = 50,
        n_outer: int = 100,
        n_inner: int = 5,
        step: str = "paper",
        n_components: int = 30,
        max_pixels: int = 100_000,
    ) -> None:
        super().__init__(n_endmembers, endmembers=endmembers, scale=scale, seed=seed)
        self.n_restarts = n_restarts
        self.n_outer = n_outer
        self.n_inner = n_inner
        self.step = step
        self.n_components = n_components
        self.max_pixels = max_pixels

    def fit(self, X: ArrayLike, y: Any = None) -> EDAA:
        """Find endmembers in pixels (..., band), or take those given.

        Raises
        ------
        InputError
            A keyword that does not fit the pixels, or pixels that cannot be unmixed.
        """
        for name in ("n_iter_", "history_", "status_"):  # with endmembers given there is no descent
            self.__dict__.pop(name, None)
        super().fit(X)
        return self

    def _extract(self, X: Pixels, n: int) -> Pixels:
        runs = archetypes(
            X,
            n,
            n_restarts=self.n_restarts,
            n_outer=self.n_outer,
            n_inner=self.n_inner,
            step=self.step,
            n_components=self.n_components,
            max_pixels=self.max_pixels,
            seed=self.seed,
        )
        best = choose(runs)
        self.n_iter_ = self.n_outer
        self.history_ = {"objective": best.history.tolist()}
        self.status_ = (
            f"All {self.n_outer} outer iterations of {self.n_restarts} runs; kept the one of step "
            f"factor {best.factor:g}, mean absolute error {best.error:.3g}, "
            f"coherence {best.coherence:.2f}."
        )
        return best.spectra
