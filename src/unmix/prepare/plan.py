"""Decide, once for a scene, which bands and pixels to use and how to scale them.

Every decision is taken from the header and from a seeded sample of pixels, recorded with its
reason, and frozen in a `Preparation` that prepares any block of the scene in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_option, check_seed
from unmix.prepare.draft import Draft
from unmix.prepare.preparation import Preparation

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["WATER_WINDOWS", "Preparation", "plan", "reflectance_divisor"]

WATER_WINDOWS = ((1350.0, 1450.0), (1800.0, 1950.0))
"""Water-vapour absorption, nm: the ground is not seen."""

_SAMPLE = 20_000


def plan(
    scene: xr.DataArray,
    *,
    water_windows: Iterable[tuple[float, float]] = WATER_WINDOWS,
    drop_bands: str | None = None,
    excluded: Mapping[int, str] | None = None,
    detect_bad_bands: bool = True,
    overlap: str = "keep-better",
    reflectance_scale: str | float = "auto",
    smooth: float = 0.0,
    mask: ArrayLike | None = None,
    sample: int = _SAMPLE,
    seed: int = 0,
) -> Preparation:
    """Plan a scene's preparation.

    A band is left out if the header calls it bad, the user names it, it holds no data in more
    than half of the sampled pixels, it lies in a water-vapour window, it is constant, far noisier
    than its neighbours (`noisy_bands`), like no material beside a water-vapour window
    (`window_edges`) or doubled by a better detector. A pixel is left out if any
    band still kept is NaN or infinite, if all are one fill value (zero always is one; another
    number is, if several pixels consist of it alone), or if the mask says so.

    Parameters
    ----------
    scene : xarray.DataArray, dims (y, x, band)
        As `unmix.open_scene` gives it.
    water_windows : sequence of (low, high)
        In nm, ends included; ``()`` for none.
    drop_bands : str, optional
        See `unmix.prepare.bands.parse_bands`: "1-5,104,1350nm-1450nm".
    excluded : mapping of int to str, optional
        More bands to leave out, counted from 0, with the reason of each.
    detect_bad_bands : bool
        Look for constant and noisy bands, and for the air beside the windows.
    overlap : {"keep-better", "keep"}
        Where two detectors see the same wavelengths: keep the less noisy one, or both.
    reflectance_scale : "auto" or float
        The value that means reflectance 1; "auto" is explained in `reflectance_divisor`.
    smooth : float
        Gaussian smoothing along the spectrum, standard deviation in bands.
    mask : array_like of bool, shape (y, x), optional
        True leaves a pixel out.
    sample : int
        Pixels to decide from.
    seed : int

    Raises
    ------
    InputError
        An option is wrong, or there is nothing to unmix: one band, no data, fewer than 2 valid
        pixels, every pixel the same.

    >>> import xarray as xr
    >>> values = np.random.default_rng(0).integers(100, 5000, (4, 5, 6)).astype(np.float32)
    >>> values[..., 2], values[0, 0] = np.nan, 0
    >>> p = plan(xr.DataArray(values, dims=("y", "x", "band")))
    >>> p.kept, p.reasons, p.divisor
    (array([0, 1, 3, 4, 5]), {2: 'no data'}, 10000.0)
    """
    draft = Draft.start(scene, mask)
    check_option(overlap, ("keep-better", "keep"), "overlap")
    check_seed(seed)
    if not (np.isfinite(smooth) and 0 <= smooth <= 50):
        raise InputError(f"smooth: got {smooth}; give a standard deviation of 0 to 50 bands")
    X = draft.pixels_with_data(scene, sample, seed)
    draft.drop_declared(scene, drop_bands, excluded or {})
    draft.drop_empty(X)
    windows = tuple(water_windows)
    draft.drop_windows(windows)
    X = draft.complete(X)
    if detect_bad_bands:
        draft.drop_detected(X, seed)
        fwhm = scene.coords.get("fwhm")
        widths = None if fwhm is None else np.asarray(fwhm.values, np.float64)
        draft.drop_edges(X, widths, windows, seed)
    if overlap == "keep-better":
        draft.drop_doubled(X, seed)
    divisor = _divisor(draft, X, reflectance_scale, bool(scene.attrs.get("scale_declared")))
    if smooth:
        draft.note("smooth", f"Gaussian, σ = {smooth:g} bands", "asked for", len(draft.kept))
    return draft.finish(divisor, float(smooth))


def _divisor(draft: Draft, X: NDArray[np.float32], wanted: str | float, declared: bool) -> float:
    """The divisor to reflectance, recorded with its reason."""
    if isinstance(wanted, str):
        check_option(wanted, ("auto",), "reflectance_scale")
        if declared:
            draft.note("scale", "nothing", "the file's scale is applied on reading", 0)
            return 1.0
        values = X[:, draft.kept]
        divisor, why, warning = reflectance_divisor(float(np.percentile(values, 99)))
        draft.warnings += [warning] if warning else []
    else:
        divisor, why = float(wanted), "asked for"
        if not 1e-30 < divisor < 1e30:
            raise InputError(f"reflectance_scale: got {wanted}; give a positive number")
        if declared and divisor != 1:
            draft.warnings.append(
                f"the file's own scale is applied on reading; divided by {divisor:g} again"
            )
    size = float(np.percentile(np.abs(X[:, draft.kept]), 99)) / divisor
    if not 1e-9 < size < 1e9:
        raise InputError(
            f"reflectance_scale: divided by {divisor:g} the pixels reach {size:.3g}, which is far "
            "from reflectance; give the stored value that means reflectance 1"
        )
    what = "values are fractions" if divisor == 1 else f"values divided by {divisor:g}"
    draft.note("scale", what, why, 0)
    return divisor


def reflectance_divisor(level: float) -> tuple[float, str, str]:
    """The stored value that means reflectance 1, given the 99th percentile of the pixels.

    Bright ground reflects 0.2 to 1; so up to 2 values are fractions, up to 200 percent, up to
    2000 thousandths, up to 20 000 ten-thousandths. Above that they are no reflectance (digital
    numbers, radiance) and are divided by `level` itself.

    Returns
    -------
    divisor, why, warning : float, str, str
        `warning` is empty where there is no doubt.

    >>> reflectance_divisor(0.53)[0], reflectance_divisor(4700.0)[0]
    (1.0, 10000.0)
    >>> reflectance_divisor(415.0)[2]
    'scale not declared and values near 415 could be reflectance × 1000 or × 10000: × 1000 used...'
    """
    why = f"99th percentile of the values is {level:.4g}"
    override = "; set reflectance_scale (--reflectance-scale) if that is wrong"
    if level <= 0:
        return 1.0, why, f"values are mostly negative or zero, read as fractions{override}"
    if level > 20_000:
        return level, why, f"values near {level:.4g} are no reflectance, divided by it{override}"
    limits = ((2.0, 1.0), (200.0, 100.0), (2000.0, 1000.0), (20_000.0, 10_000.0))
    divisor = next(d for limit, d in limits if level <= limit)
    doubt = {1.0: (1.5, 2.0), 100.0: (2.0, 5.0), 1000.0: (200.0, 2000.0)}.get(divisor, (np.inf, 0))
    if not doubt[0] <= level <= doubt[1]:
        return divisor, why, ""
    other = {1.0: 100.0, 100.0: 1.0}.get(divisor, 10_000.0)
    return (
        divisor,
        why,
        f"scale not declared and values near {level:.4g} could be reflectance × {divisor:g} or "
        f"× {other:g}: × {divisor:g} used{override}",
    )
