"""What goes in: the scene opened and prepared, the endmembers on its bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_endmembers
from unmix.pipeline.given import regions_of, with_regions
from unmix.pipeline.outside import LeftOutMap, left_out_of
from unmix.prepare import plan
from unmix.prepare.preparation import Preparation
from unmix.prepare.radiance import check_reflectance
from unmix.tiles.fill import filled
from unmix.tiles.sample import FIT_PIXELS, Sample, draw
from unmix.types import Endmembers

if TYPE_CHECKING:
    import xarray as xr

    from unmix.io.roi import Region
    from unmix.methods.base import Unmixer

__all__ = [
    "Ready",
    "as_scene",
    "band_values",
    "gaps_of",
    "make_ready",
    "on_bands_of",
    "prepared_with",
    "readable",
    "with_given",
]

Pixels = NDArray[np.floating]
Known = Endmembers | ArrayLike | str | Path | None

_SEEN = 2**14  # pixels that tell their unit


@dataclass(frozen=True, eq=False)
class Ready:
    """A scene ready to unmix.

    Parameters
    ----------
    scene : xarray.DataArray, dims (y, x, band)
    preparation : Preparation
    sample : Sample
        Prepared pixels that everything is decided from: all of them, or blocks of a large scene.
    given : Endmembers, optional
        Known endmembers on all the scene's bands.
    E : ndarray, shape (member, kept band), optional
        The same as the solvers need them.
    """

    scene: xr.DataArray
    preparation: Preparation
    sample: Sample
    given: Endmembers | None = None
    E: Pixels | None = None
    regions: tuple[dict[str, Any], ...] = ()
    left_out: LeftOutMap | None = None

    @property
    def X(self) -> NDArray[np.float32]:
        """The sample's pixels (valid pixel, kept band)."""
        return self.sample.X

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Which pixels of the sample are valid (y, x)."""
        return self.sample.valid

    @cached_property
    def image(self) -> NDArray[np.floating]:
        """The sample as an image (y, x, kept band); a pixel that is not valid mirrors valid ones.

        For methods that look at a pixel's neighbours: there is nothing in it that could leak.
        """
        return filled(self.X, self.valid)

    def seen_by(self, method: type[Unmixer] | Unmixer) -> Pixels:
        """What a method is given: the image if it looks at neighbours, else the valid pixels."""
        return self.image if method.halo else self.X

    @cached_property
    def usual(self) -> float:
        """What values of the pixels reach: the 99th percentile of their sizes."""
        some = self.X[:: max(len(self.X) // _SEEN, 1)]
        return float(np.percentile(np.abs(some), 99))

    @property
    def warnings(self) -> list[str]:
        """What the user should look at before trusting the result."""
        found = list(self.preparation.warnings)
        if self.scene.attrs.get("approximate"):
            found.append(str(self.scene.attrs["approximate"]))
        if self.E is None:
            return found
        pixel = self.usual
        member = float(np.percentile(np.abs(self.E), 99))
        if member > 30 * pixel or pixel > 30 * member:
            found.append(
                f"the endmembers reach {member:.3g} where the pixels reach {pixel:.3g}: "
                "check that both are in the same unit (reflectance 0 to 1)"
            )
        return found


def make_ready(
    scene: xr.DataArray | str | Path,
    *,
    endmembers: Endmembers | ArrayLike | str | Path | None = None,
    roi: str | Path | Sequence[Region] | None = None,
    roi_field: str | None = None,
    mask: ArrayLike | None = None,
    leave_out: str | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    memory: int | None = None,
) -> Ready:
    """Open and prepare a scene; `options` are keywords of `unmix.prepare.plan`.

    `memory` is what may be taken, in bytes.

    Endmembers of regions (`roi`) follow those of `endmembers`.
    """
    stored = as_scene(scene)
    data = readable(stored)
    excluded = gaps_of(data, endmembers)
    regions = regions_of(data, roi, roi_field)
    outside = None
    if leave_out is not None:
        outside = left_out_of(data, mask, leave_out)
        mask = outside.mask
    preparation = plan(data, mask=mask, seed=seed, excluded=excluded, **dict(options or {}))
    ready = prepared_with(data, preparation, seed=seed, memory=memory)
    ready = replace(ready, scene=stored, left_out=outside)
    return with_regions(with_given(ready, data, endmembers), regions)


def readable(scene: xr.DataArray) -> xr.DataArray:
    """A scene to decide from: where its file is damaged there is no data.

    Reading it raises `InputError` once half of it turns out to be damaged.
    """
    from unmix.io.salvage import salvaged
    from unmix.scene import files_of

    return salvaged(scene, most=scene.sizes["y"] // 2)[0] if files_of(scene) else scene


def prepared_with(
    scene: xr.DataArray,
    preparation: Preparation,
    *,
    seed: int = 0,
    memory: int | None = None,
    most: int = FIT_PIXELS,
) -> Ready:
    """Prepare a scene by a plan, and draw the sample it is decided from: `most` pixels, or so."""
    sample = draw(scene, preparation, seed, memory, most)
    if not len(sample.X):
        raise InputError(f"{scene.attrs.get('source', 'scene')}: no valid pixel is left")
    return Ready(scene, preparation, sample)


def as_scene(scene: xr.DataArray | str | Path) -> xr.DataArray:
    """The scene as a DataArray with dims (y, x, band), reflectance.

    Raises
    ------
    InputError
        No array, dimensions that leave open what is what, or radiance.
    """
    from unmix.scene import from_array, open_scene

    if isinstance(scene, str | Path):
        scene = open_scene(scene)
    elif not all(hasattr(scene, name) for name in ("dims", "coords", "attrs", "variable")):
        raise InputError(
            f"scene: got {type(scene).__name__}; give a DataArray with dims ('y', 'x', 'band'), "
            "as open_scene does"
        )
    scene = from_array(scene)
    check_reflectance(scene)
    return scene


def on_bands_of(
    scene: xr.DataArray,
    endmembers: Endmembers | ArrayLike | str | Path,
    *,
    scale: float | None = None,
    like: tuple[float, float] | None = None,
) -> Endmembers:
    """Endmembers on the scene's bands (NaN where they have no value there).

    `scale` and `like` are `read_endmembers`' and matter for files only.
    """
    if isinstance(endmembers, str | Path):
        from unmix.io.library import read_endmembers

        endmembers = read_endmembers(endmembers, scale=scale, like=like)
    wavelength, n_bands = band_values(scene, "wavelength"), scene.sizes["band"]
    if not isinstance(endmembers, Endmembers):
        spectra = check_endmembers(endmembers, n_bands)
        return Endmembers(spectra, wavelength, source="given as an array")
    from unmix.resample import resample

    return resample(endmembers, wavelength, band_values(scene, "fwhm"), n_bands=n_bands)


def band_values(scene: xr.DataArray, name: str) -> NDArray[np.float64] | None:
    """A coordinate along band (wavelength, fwhm) as an array; None where the scene has none."""
    return np.asarray(scene[name].values, np.float64) if name in scene.coords else None


def gaps_of(scene: xr.DataArray, endmembers: Known) -> dict[int, str]:
    """Bands in which a known endmember has no value, with the reason to leave them out.

    Looked at before the scene is prepared, in no unit: a file's may be told only by the pixels.
    """
    if endmembers is None:
        return {}
    known = on_bands_of(scene, endmembers, scale=1.0)
    gaps = np.flatnonzero(~np.isfinite(known.spectra).all(axis=0))
    return dict.fromkeys(gaps.tolist(), "not covered by the endmembers")


def with_given(ready: Ready, scene: xr.DataArray, endmembers: Known) -> Ready:
    """A prepared scene with the known endmembers, a file's in the unit of the pixels."""
    if endmembers is None:
        return ready
    prepared, like = ready.preparation, None
    if not scene.attrs.get("scale_declared"):
        like = prepared.divisor, ready.usual
    given = on_bands_of(scene, endmembers, like=like)
    return replace(ready, given=given, E=prepared.apply_spectra(given.spectra))
