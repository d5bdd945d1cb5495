"""CResDAE's `preset="best"`: posterior abundances under a mixing surface fitted blind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.denoise import Whitening, halo_of
from unmix.methods.base import Unmixer
from unmix.posterior.explain import Explanation, explain, sizes
from unmix.posterior.faces import Posterior
from unmix.posterior.fit import abundances_of
from unmix.posterior.observe import Lens, View, focus
from unmix.posterior.surfaces import Surface, surface_of

__all__ = ["HALO", "Best"]

Pixels = NDArray[np.floating]
Array = NDArray[np.float64]

HALO = halo_of()
_CHUNK = 20_000  # pixels whose posterior is worked out at a time
_WHITE = ("axes", "centre", "sigma", "power", "left")
_NINETY = 1.6449  # standard deviations on each side that hold 90 % of a Gaussian


class Best(Unmixer):
    """What `CResDAE` does with `preset="best"`; it has no keywords of its own."""

    seed: int
    scale: str
    progress: Callable[[float], Any] | None

    def _fit_best(self, X: ArrayLike) -> Any:
        """Learn lens, endmembers and mixing surface from pixels (..., band)."""
        pixels = self._check_pixels(X, reset=True)
        n, E = self._check_configuration(pixels)
        if not np.abs(pixels).max() > 0:
            raise InputError("X: every value is zero; there is nothing to unmix")
        lens, view = focus(pixels, _image(X), n, self.scale, self.seed)
        found = explain(lens, view, n, E=E, seed=self.seed, progress=self._tell)
        self._remember(lens, found)
        self._size(view, found, E)
        best = found.best
        self.evidence_: dict[str, Any] = {
            "surface": best.surface.name,
            "constants": [round(float(v), 6) for v in best.surface.theta],
            "candidates": [candidate.record() for candidate in found.candidates],
            "misfit": round(found.misfit, 4),
            "noise_left": round(lens.ratio, 4) if lens.denoises else 1.0,
            "components": int(lens.white.axes.shape[1]),
        }
        self.history_ = {"log_likelihood": [float(v) for v in best.history]}
        self.n_iter_ = best.n_iter
        self.status_ = f"Fitted in {best.n_iter} steps, {best.surface.name} mixing."
        self.endmembers_ = self._spectra(E).astype(pixels.dtype)
        return self

    def _tell(self, fraction: float) -> None:
        if self.progress is not None:
            self.progress(fraction)

    def _remember(self, lens: Lens, found: Explanation) -> None:
        """Everything `transform` needs, as arrays a model file can hold."""
        best = found.best
        for name in _WHITE:
            setattr(self, f"{name}_", np.ascontiguousarray(getattr(lens.white, name)))
        self.along_, self.level_, self.denoises_ = lens.along, lens.unit, lens.denoises
        self.surface_, self.theta_ = best.surface.name, best.surface.theta
        self.vertices_, self.log_shares_ = best.vertices, best.log_shares

    def _size(self, view: View, found: Explanation, E: Pixels | None) -> None:
        """Sizes of the members: those given, or those with which brightness varies least."""
        n = len(found.best.vertices)
        if E is not None:
            self.sizes_ = np.asarray(self._lens.onto(E)[1], np.float64)
        elif self.scale == "shade":
            self.sizes_ = sizes(found.best.mean, view.brightness[found.rows])
        else:
            self.sizes_ = np.ones(n)

    def _spectra(self, E: Pixels | None) -> Array:
        """Endmembers (member, band) in the pixels' unit."""
        if E is not None:
            return np.asarray(E, np.float64)
        e = self._surface.endmembers(self.vertices_)
        if self.scale == "shade":
            return e * self.sizes_[:, None]
        return e * self.level_

    # --- what was learned, as objects -----------------------------------------------------------

    @property
    def _lens(self) -> Lens:
        white = Whitening(*(getattr(self, f"{name}_") for name in _WHITE))
        return Lens(white, self.scale, bool(self.denoises_), self.along_, float(self.level_))

    @property
    def _surface(self) -> Surface:
        return surface_of(str(self.surface_), len(self.vertices_), self.theta_)

    # --- abundances -----------------------------------------------------------------------------

    def _posterior_best(self, X: ArrayLike) -> tuple[Array, Array]:
        """Mean and variance (pixel, member) of the abundances of pixels (..., band)."""
        pixels = self._check_pixels(X, reset=False)
        lens, surface = self._lens, self._surface
        view = lens.view(pixels, _image(X))
        mean, variance = (np.empty((len(pixels), len(self.vertices_))) for _ in range(2))
        for start in range(0, len(pixels), _CHUNK):
            part = slice(start, start + _CHUNK)
            found: Posterior = abundances_of(
                view.Y[part], lens.white, self.vertices_, surface, self.log_shares_,
                view.noise[part],
            )  # fmt: skip
            mean[part], variance[part] = found.mean, found.variance
        if (self.sizes_ != 1).any():
            weights = mean / self.sizes_
            total = weights.sum(axis=1, keepdims=True)
            variance /= (self.sizes_ * total) ** 2
            mean = weights / total
        return np.maximum(mean, 0), variance

    def _transform_best(self, X: ArrayLike) -> Pixels:
        mean, _ = self._posterior_best(X)
        mean /= mean.sum(axis=1, keepdims=True)
        return self._like(mean.astype(self._float_of(X)), X)

    def _uncertainty_best(self, X: ArrayLike) -> dict[str, Pixels]:
        mean, variance = self._posterior_best(X)
        sd = np.sqrt(variance)
        values = {
            "sd": sd,
            "low": np.clip(mean - _NINETY * sd, 0, 1),
            "high": np.clip(mean + _NINETY * sd, 0, 1),
        }
        return {k: self._like(v.astype(self._float_of(X)), X) for k, v in values.items()}

    def _inverse_best(self, A: Pixels) -> Pixels:
        """Spectra (pixel, band) of abundances (pixel, member), at brightness 1."""
        weights = A * self.sizes_
        total = weights.sum(axis=1, keepdims=True)
        out: Array = self._surface.mix(weights / total, self.vertices_)
        return out * (total if self.scale == "shade" else self.level_)

    @staticmethod
    def _float_of(X: ArrayLike) -> Any:
        dtype = getattr(X, "dtype", np.float64)
        return dtype if dtype in (np.float32, np.float64) else np.float64


def _image(X: ArrayLike) -> tuple[int, int] | None:
    """Rows and columns of an image (row, column, band); any other shape has no neighbours."""
    return X.shape[:2] if isinstance(X, np.ndarray) and X.ndim == 3 else None
