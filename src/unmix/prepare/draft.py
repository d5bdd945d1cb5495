"""The draft of a scene's preparation: one method a decision, each recorded with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError
from unmix.prepare.bands import detectors, noisy_bands, parse_bands, worse_detectors
from unmix.prepare.edges import window_edges
from unmix.prepare.preparation import BEYOND, Preparation
from unmix.prepare.sample import sample_pixels

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Draft", "in_swath"]

_NOISE_SAMPLE = 5_000
_MOSTLY = 0.5  # a band without data in more than this share of the pixels goes, not the pixels
_NOTABLE = 0.05


@dataclass(eq=False)
class Draft:
    """A plan while it is made: what is kept so far, and the book of reasons."""

    name: str
    n_bands: int
    wavelength: NDArray[np.float64] | None
    mask: NDArray[np.bool_] | None
    reasons: dict[int, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fills: tuple[float, ...] = (0.0,)

    @classmethod
    def start(cls, scene: xr.DataArray, mask: ArrayLike | None) -> Draft:
        """Check the scene and the mask."""
        name = str(scene.attrs.get("source") or scene.name or "scene")
        if scene.dims != ("y", "x", "band"):
            raise InputError(f"{name}: dims {scene.dims}; give a scene with dims (y, x, band)")
        rows, cols, n_bands = scene.shape
        if n_bands < 2:
            raise InputError(f"{name}: has {n_bands} band; unmixing needs several bands")
        out = None if mask is None else in_swath(np.asarray(mask), scene)
        if out is not None and out.shape != (rows, cols):
            raise InputError(
                f"mask: shape {out.shape} where {name} has ({rows}, {cols}) pixels; "
                "give one value a pixel, True to leave it out"
            )
        nm = scene.coords.get("wavelength")
        wavelength = None if nm is None else np.asarray(nm.values, np.float64)
        draft = cls(name, n_bands, wavelength, None if out is None else out.astype(bool))
        if draft.mask is not None:
            draft.note("mask", "pixels left out", "the user's mask", int(draft.mask.sum()))
        return draft

    @property
    def kept(self) -> NDArray[np.intp]:
        """Bands not left out so far."""
        return np.array([b for b in range(self.n_bands) if b not in self.reasons], np.intp)

    def note(self, step: str, what: str, why: str, count: int) -> None:
        """Record a step."""
        self.steps.append({"step": step, "what": what, "why": why, "count": int(count)})

    def drop(self, step: str, bands: Iterable[int], reason: str, why: str) -> None:
        """Leave out bands that are still kept, and record it."""
        new = sorted({int(b) for b in bands} - set(self.reasons))
        if not new:
            return
        self.reasons |= dict.fromkeys(new, reason)
        self.note(step, f"bands {_numbers(new)} left out", why, len(new))
        if self.n_bands - len(self.reasons) < 2:
            counts = ", ".join(f"{n} {r}" for r, n in Counter(self.reasons.values()).items())
            raise InputError(
                f"{self.name}: {self.n_bands - len(self.reasons)} of {self.n_bands} bands left "
                f"({counts}); unmixing needs several: check the bad-band list and the options"
            )

    def pixels_with_data(self, scene: xr.DataArray, size: int, seed: int) -> NDArray[np.float32]:
        """Sampled pixels that hold data in some band; notes what the others are."""
        X = sample_pixels(scene, size, seed, self.mask)
        finite = np.abs(X) <= BEYOND
        X[~finite] = np.nan
        empty = ~finite.any(axis=1)
        low = np.min(X, axis=1, where=finite, initial=np.inf)
        flat = (np.max(X, axis=1, where=finite, initial=-np.inf) == low) & ~empty
        values, counts = np.unique(low[flat], return_counts=True)
        repeated = [float(v) for v in values[counts > 1][np.argsort(-counts[counts > 1])] if v]
        self.fills = (0.0, *repeated[:3]) if self.n_bands > 2 else (0.0,)
        filled = flat & np.isin(low, np.array(self.fills, np.float32))
        of = f"of {len(X)} pixels looked at"
        if empty.any():
            self.note("no data", f"pixels without data, {of}", "NaN in every band", empty.sum())
        if filled.any():
            held = ", ".join(f"{v:.6g}" for v in np.unique(low[filled]))
            self.note("no data", f"pixels of one value, {of}", f"{held} throughout", filled.sum())
        return self.enough(X[~empty & ~filled])

    def enough(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pass on at least two pixels."""
        if len(X) < 2:
            masked = "" if self.mask is None else " and the mask"
            raise InputError(
                f"{self.name}: {len(X)} pixel(s) with data; unmixing needs at least 2: check the "
                f"no-data value{masked}"
            )
        return X

    def drop_declared(
        self, scene: xr.DataArray, spec: str | None, excluded: Mapping[int, str]
    ) -> None:
        """Bands the header, the user or the caller calls bad."""
        if "good" in scene.coords:
            bad = np.flatnonzero(~np.asarray(scene.coords["good"].values, bool))
            self.drop("bad bands", bad, "bad in header", "the header's bad-band list")
        if spec:
            bands = parse_bands(spec, self.wavelength, self.n_bands)
            self.drop("bad bands", bands, "dropped by user", f"asked for: {spec}")
        if excluded and not 0 <= min(excluded) <= max(excluded) < self.n_bands:
            raise InputError(
                f"excluded: bands beyond the {self.n_bands} of {self.name}; correct it"
            )
        for reason in dict.fromkeys(excluded.values()):
            bands_of = [band for band, why in excluded.items() if why == reason]
            self.drop("bad bands", bands_of, reason, reason)
        left, lost = len(self.kept), sum(b in excluded for b in self.reasons)
        if excluded and left < lost:
            reason = next(iter(excluded.values()))
            self.warnings.append(
                f"{left} of {self.n_bands} bands are left, as {lost} are {reason}: what the others "
                "show does not count"
            )

    def drop_empty(self, X: NDArray[np.float32]) -> None:
        """Bands that hold no data in most pixels; a warning for bands that cost many pixels."""
        gone = 1 - np.isfinite(X).mean(axis=0)
        why = f"NaN in more than {_MOSTLY:.0%} of the pixels"
        self.drop("bad bands", np.flatnonzero(gone > _MOSTLY), "no data", why)
        kept = self.kept
        worst = kept[np.argmax(gone[kept])]
        if gone[worst] > _NOTABLE:
            self.warnings.append(
                f"band {worst + 1} is NaN in {gone[worst]:.0%} of the pixels, which are left out "
                f"for it; drop_bands='{worst + 1}' would keep them"
            )

    def drop_windows(self, windows: tuple[tuple[float, float], ...]) -> None:
        """Bands in the water-vapour windows."""
        if self.wavelength is None:
            if windows:
                self.note("water vapour", "no band left out", "the scene has no wavelengths", 0)
            return
        for low, high in windows:
            if not 0 < low < high:
                raise InputError(f"water_windows: got ({low}, {high}); give (low, high) in nm")
            inside = np.flatnonzero((self.wavelength >= low) & (self.wavelength <= high))
            reason = f"water vapour {low:g}–{high:g} nm"
            self.drop("water vapour", inside, reason, f"{low:g}–{high:g} nm hide the ground")

    def complete(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels with a value in every kept band."""
        whole = np.isfinite(X[:, self.kept]).all(axis=1)
        if not whole.all():
            why = "NaN or infinite in a kept band"
            self.note("no data", f"incomplete pixels, of {len(X)} with data", why, (~whole).sum())
        X = self.enough(X[whole])
        if (X[:, self.kept] == X[0, self.kept]).all():
            raise InputError(f"{self.name}: every pixel is the same; there is nothing to unmix")
        return X

    def drop_detected(self, X: NDArray[np.float32], seed: int) -> None:
        """Constant bands, then bands far noisier than their neighbours."""
        kept = self.kept
        constant = kept[(X[:, kept] == X[0, kept]).all(axis=0)]
        self.drop("bad bands", constant, "constant", "the same value in every pixel")
        noisy = noisy_bands(_thin(X, seed), detectors(self.wavelength, self.kept))
        reason = "far noisier than its neighbours"
        self.drop("bad bands", noisy, reason, "unpredictable from the bands around, little signal")

    def drop_edges(
        self,
        X: NDArray[np.float32],
        fwhm: NDArray[np.float64] | None,
        windows: tuple[tuple[float, float], ...],
        seed: int,
    ) -> None:
        """Bands beside the water-vapour windows where the air still shows."""
        if self.wavelength is None:
            return
        bands = window_edges(_thin(X, seed), self.wavelength, fwhm, self.kept, windows)
        why = "more than 5 % off any mixture of the library's materials, beside a water window"
        self.drop("water vapour", bands, "edge of a water-vapour window", why)

    def drop_doubled(self, X: NDArray[np.float32], seed: int) -> None:
        """Bands of the noisier detector where two overlap."""
        groups = detectors(self.wavelength, self.kept)
        if self.wavelength is None or len(groups) < 2:
            return
        worse = worse_detectors(_thin(X, seed), self.wavelength, groups)
        why = "another detector sees these wavelengths with less noise"
        self.drop("overlap", worse, "overlapping detector", why)

    def finish(self, divisor: float, smooth: float) -> Preparation:
        """Freeze the plan."""
        return Preparation(
            n_bands=self.n_bands,
            kept=self.kept,
            reasons=dict(sorted(self.reasons.items())),
            divisor=divisor,
            fills=self.fills,
            smooth=smooth,
            wavelength=self.wavelength,
            mask=self.mask,
            steps=tuple(self.steps),
            warnings=tuple(self.warnings),
        )


def in_swath(mask: NDArray[Any], scene: xr.DataArray) -> NDArray[Any]:
    """A mask on the map grid of a scene in swath geometry, in the swath; any other as it is."""
    from unmix.scene import swath_of

    swath = swath_of(scene)
    if swath is None or mask.shape == swath.shape or mask.shape != swath.index.shape:
        return mask
    return swath.back(mask.astype(bool))


def _thin(X: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Few enough pixels to estimate noise quickly."""
    if len(X) <= _NOISE_SAMPLE:
        return X
    return X[np.random.default_rng(seed).choice(len(X), _NOISE_SAMPLE, replace=False)]


def _numbers(bands: list[int]) -> str:
    """Band numbers as users write them.

    >>> _numbers([0, 1, 2, 7])
    '1-3,8'
    """
    pieces = np.split(np.array(bands), np.flatnonzero(np.diff(bands) != 1) + 1)
    return ",".join(f"{p[0] + 1}-{p[-1] + 1}" if len(p) > 1 else f"{p[0] + 1}" for p in pieces)
