"""CResDAE's `preset="best"`: posterior abundances under a mixing surface fitted blind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.denoise import Smoother, Whitening, halo_of, smoother
from unmix.methods.base import Image, Unmixer, image_of
from unmix.methods.typical import SMOOTHER, Typical, typical
from unmix.posterior.again import explain_again, moved
from unmix.posterior.doubt import by_parameters, by_sizes
from unmix.posterior.explain import Explanation, explain
from unmix.posterior.fit import abundances_of
from unmix.posterior.observe import Lens, View, focus
from unmix.posterior.remarks import (
    APART,
    UNEXPLAINED,
    UNTRIED,
    VARY,
    equal_members,
    misfits,
    noise_members,
    typical_status,
    unsure_members,
)
from unmix.posterior.sizes import conditional_covariance, sizes
from unmix.posterior.surfaces import Surface, surface_of
from unmix.posterior.trial import Trial, trial

__all__ = ["HALO", "Best"]

Pixels = NDArray[np.floating]
Array = NDArray[np.float64]

HALO = halo_of()
TYPICAL = "typical spectra"  # in place of a mixing surface: materials vary
_VARIES = 4.0  # misfit above which a fixed spectrum per material is no description of the scene
_CHUNK = 20_000  # pixels whose posterior is worked out at a time
_WHITE = ("axes", "centre", "sigma", "power", "left")
_NINETY = 1.6449  # standard deviations on each side that hold 90 % of a Gaussian


class Best(Unmixer):
    """What `CResDAE` does with `preset="best"`; it has no keywords of its own."""

    seed: int
    scale: str
    endmembers_: Any
    alternatives_: Array
    surface_: str
    theta_: Array
    vertices_: Array
    sizes_: Array
    sizes_covariance_: Array
    covariance_: Array
    hidden_: float
    untried_: bool
    smooths_: bool
    rest_: float
    unit_: float
    progress: Callable[[float], Any] | None

    def _fit_best(self, X: ArrayLike) -> Any:
        """Learn lens, endmembers and mixing surface from pixels (..., band)."""
        pixels = self._check_pixels(X, reset=True)
        n, E = self._check_configuration(pixels)
        if not np.abs(pixels).max() > 0:
            raise InputError("X: every value is zero; there is nothing to unmix")
        image = image_of(X)
        self.unit_ = _unit(pixels)
        pixels, E = pixels / pixels.dtype.type(self.unit_), None if E is None else E / self.unit_
        with np.errstate(all="ignore"):
            lens, view = focus(pixels, image, n, self.scale, self.seed)
            found = explain(
                lens, view, n, E=E, held=self._held(n), seed=self.seed, progress=self._tell
            )
        taken = None
        if found.misfit > UNEXPLAINED and E is None and image is not None:
            taken = smoother(pixels, image, n, self.scale, self.seed)
        if found.misfit > _VARIES or taken is not None:
            spectra = typical(pixels, image, n, self.scale, self.seed, taken, E, self._held(n))
            self._keep_typical(spectra)
            self.status_ = typical_status(
                self._held(n), self.smooths_, len(self.alternatives_), self.scale
            )
        else:
            tried = trial(lens, view, found, image, seed=self.seed, known=self._held(n))
            self._fit_surface(lens, view, tried, image, E)
        self._record(lens, found)
        self._in_the_pixels_unit(pixels.dtype)
        self.warnings_ = self._warnings(lens, found)
        return self

    def _record(self, lens: Lens, found: Explanation) -> None:
        """What was chosen, among what, and how well it explains the scene."""
        self.evidence_: dict[str, Any] = {
            "surface": str(self.surface_),
            "constants": [round(float(v), 6) for v in self.theta_],
            "candidates": [candidate.record() for candidate in found.candidates],
            "misfit": round(found.misfit, 4),
            "noise_left": round(lens.ratio, 4) if lens.denoises else 1.0,
            "components": int(lens.white.axes.shape[1]),
            "alternatives": len(self.alternatives_),
            "hidden_sd": round(float(self.hidden_), 5),
        }
        self.history_ = {"log_likelihood": [float(v) for v in found.best.history]}
        self.n_iter_ = found.best.n_iter

    def _in_the_pixels_unit(self, dtype: Any) -> None:
        """Endmembers, found in `unit_`, in the unit of the pixels."""
        self.endmembers_ = (self.endmembers_ * self.unit_).astype(dtype)
        if self.endmembers is not None:
            self.endmembers_[: self.n_given] = np.asarray(self.endmembers).astype(dtype)
        self.alternatives_ = self.alternatives_ * self.unit_
        self.spread_ = self._spread().astype(dtype)

    def _held(self, n: int) -> NDArray[np.bool_]:
        """Which of n members were given, and stay (member,)."""
        return np.arange(n) < self.n_given

    def _tell(self, fraction: float) -> None:
        if self.progress is not None:
            self.progress(fraction)

    # --- one spectrum a material ----------------------------------------------------------------

    def _fit_surface(
        self,
        lens: Lens,
        view: View,
        tried: Trial,
        image: Image,
        E: Pixels | None,
    ) -> None:
        """Everything `transform` needs, as arrays a model file can hold."""
        best = tried.best
        for name in _WHITE:
            setattr(self, f"{name}_", np.ascontiguousarray(getattr(lens.white, name)))
        self.along_, self.level_, self.denoises_ = lens.along, lens.unit, lens.denoises
        self.slope_, self.middle_ = lens.slope, lens.middle
        self.surface_, self.theta_ = best.surface.name, best.surface.theta
        self.vertices_, self.log_shares_ = best.vertices, best.log_shares
        self.hidden_, self.untried_ = tried.hidden, tried.failed
        self.covariance_ = best.covariance / min(lens.ratio, 1.0)
        held = self._held(len(best.vertices))
        self.sizes_ = np.ones(len(best.vertices))
        self.sizes_covariance_ = np.zeros((len(best.vertices),) * 2)
        if self.scale == "shade" and not held.all():
            self.sizes_, covariance = sizes(lens, view, best, image, self.seed)
            self.sizes_covariance_ = conditional_covariance(covariance, held)
        if E is not None:
            self._size_of_given(np.asarray(lens.onto(E)[1], np.float64), held)
        unit = self.sizes_[:, None] if self.scale == "shade" else self.level_
        self.endmembers_ = best.surface.endmembers(best.vertices) * unit
        alternatives = tried.alternatives * unit
        if E is not None:
            self.endmembers_[held] = alternatives[:, held] = np.asarray(E, np.float64)[held]
        if held.all():
            self.alternatives_ = self.endmembers_[None]
        else:
            self.alternatives_ = np.stack([*alternatives, self.endmembers_])
        self.status_ = f"Fitted in {best.n_iter} steps, {best.surface.name} mixing."

    def _size_of_given(self, own: Array, held: NDArray[np.bool_]) -> None:
        """Sizes of held members from their spectra; those found have theirs beside them."""
        if self.scale == "shade":
            self.sizes_ *= float(np.median(own[held] / self.sizes_[held]))
        elif self.scale != "none":
            self.sizes_ *= self.level_
        self.sizes_[held] = own[held]

    @property
    def _lens(self) -> Lens:
        white = Whitening(*(getattr(self, f"{name}_") for name in _WHITE))
        return Lens(
            white, self.scale, bool(self.denoises_), self.slope_, self.middle_, self.along_,
            float(self.level_),
        )  # fmt: skip

    @property
    def _surface(self) -> Surface:
        return surface_of(str(self.surface_), len(self.endmembers_), self.theta_)

    def _posterior(self, pixels: Pixels, image: Image) -> tuple[Array, Array]:
        """Mean and variance (pixel, member) of abundances."""
        lens, surface = self._lens, self._surface
        view = lens.view(pixels, image)
        mean, variance = (np.empty((len(pixels), len(self.vertices_))) for _ in range(2))
        for start in range(0, len(pixels), _CHUNK):
            part = slice(start, start + _CHUNK)
            found = abundances_of(
                view.Y[part], lens.white, self.vertices_, surface, self.log_shares_,
                view.noise[part],
            )  # fmt: skip
            mean[part] = found.mean
            variance[part] = np.diagonal(found.covariance, axis1=1, axis2=2)
            variance[part] += by_parameters(
                found, lens.white, self.vertices_, surface, view.noise[part], self.covariance_
            )
        if (self.sizes_ != 1).any():
            weights = mean / self.sizes_
            total = weights.sum(axis=1, keepdims=True)
            variance /= (self.sizes_ * total) ** 2
            mean = weights / total
            variance += by_sizes(mean, self.sizes_covariance_)
        mean = np.maximum(mean, 0)
        return mean / mean.sum(axis=1, keepdims=True), variance + float(self.hidden_) ** 2

    # --- materials that vary --------------------------------------------------------------------

    def _keep_typical(self, found: Typical) -> None:
        """Everything `transform` needs, as arrays a model file can hold."""
        self.surface_, self.theta_, self.hidden_ = TYPICAL, np.zeros(0), 0.0
        self.untried_ = False
        self.endmembers_, self.alternatives_ = found.endmembers, found.alternatives
        self.smooths_, self.rest_ = found.smoother is not None, found.rest
        for name in SMOOTHER:
            value = getattr(found.smoother, name, np.zeros(0))
            setattr(self, f"smoother_{name}_", np.ascontiguousarray(value))

    @property
    def _typical(self) -> Typical:
        taken = None
        if self.smooths_:
            taken = Smoother(*(getattr(self, f"smoother_{name}_") for name in SMOOTHER))
        spectra = (self.endmembers_ / self.unit_, self.alternatives_ / self.unit_)
        return Typical(*spectra, taken, self.rest_)

    # --- another scene ----------------------------------------------------------------------------

    def _finetune_best(self, X: ArrayLike) -> Any:
        """Fit again to pixels (..., band) of another scene, from the members and the surface found.

        Members keep their order, those that were given their spectra. Where materials vary typical
        spectra are moved, or take the surface's place.
        """
        pixels = self._check_pixels(X, reset=False)
        self._check_configuration(pixels)
        dtype = self.endmembers_.dtype
        pixels = pixels / pixels.dtype.type(self.unit_)
        image, n, before = image_of(X), len(self.endmembers_), self.endmembers_ / self.unit_
        E, held = None if self.endmembers is None else before.copy(), self._held(n)
        if E is not None:
            E[held] = np.asarray(self.endmembers, float) / self.unit_
        lens, view = focus(pixels, image, n, self.scale, self.seed)
        varied = self.surface_ == TYPICAL
        surface = surface_of("linear", n) if varied else self._surface
        if varied or E is not None:
            start = surface.vertices(lens.onto(before)[0])
        elif self.scale == "shade":
            start = lens.onto(self.vertices_ * self.sizes_[:, None])[0]
        else:
            start = self.vertices_
        found = explain_again(
            lens, view, start, surface, known=held, typical=varied, seed=self.seed,
            progress=self._tell,
        )  # fmt: skip
        if not varied and found.misfit <= _VARIES:
            tried = trial(lens, view, found, image, seed=self.seed, known=held)
            self._fit_surface(lens, view, tried, image, E)
        else:
            there = self._typical if varied else Typical(before, self.alternatives_ / self.unit_)
            if there.smoother is not None and image is not None:
                there = replace(there, smoother=smoother(pixels, image, n, self.scale, self.seed))
            seen = there.seen(pixels, image)
            there = there if E is not None else there.moved_to(pixels, self.scale)
            self._keep_typical(there.measured(seen, self.scale))
            self.status_ = "Typical spectra of the model, moved to those of this scene."
        self._record(lens, found)
        far = any(c.start == "model" and c.fit is None for c in found.candidates)
        others = moved(self.endmembers_, before, APART, far)
        self.warnings_ = (*self._warnings(lens, found), *others)
        self._in_the_pixels_unit(dtype)
        return self

    # --- abundances -----------------------------------------------------------------------------

    def _both_best(self, X: ArrayLike, sure: bool = True) -> tuple[Pixels, dict[str, Pixels]]:
        """Abundances, and how sure they are."""
        pixels = self._check_pixels(X, reset=False)
        if self.surface_ == TYPICAL:
            mean, variance = self._typical.abundances(
                pixels / pixels.dtype.type(self.unit_), image_of(X), self.scale, sure
            )
        else:
            try:
                with np.errstate(all="ignore"):
                    mean, variance = self._posterior(
                        pixels / pixels.dtype.type(self.unit_), image_of(X)
                    )
            except FloatingPointError:
                raise InputError(
                    "X: these pixels cannot be explained by the members found; fit to them"
                ) from None
        sd = np.minimum(np.sqrt(variance), 0.5)  # none in [0, 1] is wider
        values = {
            "sd": sd,
            "low": np.clip(mean - _NINETY * sd, 0, 1),
            "high": np.clip(mean + _NINETY * sd, 0, 1),
        }
        dtype = getattr(X, "dtype", np.float64)
        dtype = dtype if dtype in (np.float32, np.float64) else np.float64
        about = {k: self._like(v.astype(dtype), X) for k, v in values.items()}
        return self._like(mean.astype(dtype), X), about

    def _inverse_best(self, A: Pixels) -> Pixels:
        """Spectra (pixel, band) of abundances (pixel, member), at brightness 1."""
        if self.surface_ == TYPICAL:
            spectra: Pixels = A @ self.endmembers_
            return spectra
        weights = A * self.sizes_
        total = weights.sum(axis=1, keepdims=True)
        out: Array = self._surface.mix(weights / total, self.vertices_)
        return out * (total if self.scale == "shade" else self.level_) * self.unit_

    # --- how far to trust it --------------------------------------------------------------------

    def _spread(self) -> Array:
        """Standard deviation (member, band) of the endmembers over the alternatives."""
        out: Array = np.sqrt(((self.alternatives_ - self.endmembers_) ** 2).mean(axis=0))
        return out

    def _warnings(self, lens: Lens, found: Explanation) -> tuple[str, ...]:
        """What about the answer may be no property of the scene."""
        n = len(self.endmembers_)
        spanned = max(int(lens.white.signal or 0) + (lens.scale != "shade"), 1)
        out = [] if self._held(n).all() else noise_members(spanned, n)
        out += equal_members(self.endmembers_, self.scale)
        out += unsure_members(self.endmembers_, self.alternatives_)
        if self.surface_ == TYPICAL:
            return (*out, *([VARY.format(n)] if spanned >= n else []))
        return (*out, *([UNTRIED] if self.untried_ else []), *misfits(found.misfit, n))


def _unit(X: Pixels) -> float:
    """A power of ten by which pixels are fractions, roughly: products of spectra have a unit."""
    top = float(np.quantile(np.abs(X).max(axis=1), 0.99)) or float(np.abs(X).max())
    return float(10.0 ** np.ceil(np.log10(top / 1.5)))
