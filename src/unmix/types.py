"""The types users meet: a scene is a plain `xarray.DataArray`; these three are the rest.

Conventions (one everywhere): rows are pixels, the last axis is band. X = A E with X (..., band),
A (..., member), E (member, band). Wavelengths and FWHM are in nm, reflectance is a fraction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError, check_endmembers

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["STATISTICS", "Endmembers", "Solution", "Unmixing"]

STATISTICS = ("sd", "low", "high")
"""What is said of an uncertain abundance: standard deviation, lower and upper end of the 90 %
interval."""


@dataclass(frozen=True, eq=False)
class Endmembers:
    """Pure spectra with their wavelengths and names.

    Parameters
    ----------
    spectra : ndarray, shape (member, band)
        Reflectance (fraction) or whatever unit the scene has; NaN marks a band without a value.
    wavelength : ndarray, shape (band,), optional
        Band centres in nm; None where the source has none.
    names : tuple of str
        One a member; "endmember 1", ... when left empty.
    source : str
        Where they come from: a file, an extractor with its seed.
    fwhm : ndarray, shape (band,), optional
        Full widths at half maximum in nm.
    spread : ndarray, shape (member, band), optional
        Standard deviation of the spectra over restarts, in their unit; None where it is unknown.

    >>> Endmembers(np.array([[0.1, 0.4], [0.5, 0.2]])).names
    ('endmember 1', 'endmember 2')
    """

    spectra: NDArray[np.floating]
    wavelength: NDArray[np.floating] | None = None
    names: tuple[str, ...] = ()
    source: str = ""
    fwhm: NDArray[np.floating] | None = None
    spread: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        spectra = check_endmembers(np.nan_to_num(self.spectra, nan=0.0, posinf=np.inf), None)
        n_members, n_bands = spectra.shape
        for name in ("wavelength", "fwhm"):
            value = getattr(self, name)
            if value is not None and np.shape(value) != (n_bands,):
                raise InputError(
                    f"{name}: {np.size(value)} values for {n_bands} bands; give one a band"
                )
        if self.spread is not None and np.shape(self.spread) != spectra.shape:
            raise InputError(
                f"spread: got shape {np.shape(self.spread)} for spectra of {spectra.shape}; "
                "give a value for each member and band"
            )
        names = self.names or tuple(f"endmember {i + 1}" for i in range(n_members))
        if len(names) != n_members:
            raise InputError(f"names: {len(names)} for {n_members} endmembers; give one each")
        object.__setattr__(self, "names", tuple(str(n) for n in names))

    def __len__(self) -> int:
        return len(self.spectra)


@dataclass(frozen=True, eq=False)
class Solution:
    """A solver's answer with the proof of it.

    Parameters
    ----------
    abundances : ndarray, shape (..., member)
    kkt : float
        Largest violation of the optimality (Karush-Kuhn-Tucker) conditions over all pixels,
        relative to the size of the problem's gradient; 0 is exact.
    status : str
        A sentence that says how it ended.
    n_pivoted : int
        How many pixels had an active constraint.
    """

    abundances: NDArray[np.floating]
    kkt: float
    status: str
    n_pivoted: int = 0


@dataclass(frozen=True, eq=False)
class Unmixing:
    """A scene unmixed: maps on the scene's grid, spectra, and everything that shaped them.

    Parameters
    ----------
    abundances : xarray.DataArray, dims (y, x, member)
        Fractions, each pixel summing to 1; NaN where masked.
    endmembers : Endmembers
        On the scene's bands; NaN in the bands that were left out.
    residual : xarray.DataArray, dims (y, x, quantity)
        Quantities "rmse" (reflectance), "angle" (rad) and "scale" (brightness, 1 where unused).
    provenance : mapping
        What goes into manifest.json: method, parameters, seed, input, masks, timings, warnings.
    rgb : ndarray, shape (y, x, 3), optional
        False-colour view for figures, values 0..1, NaN where masked.
    uncertainty : xarray.DataArray, dims (y, x, member, quantity), optional
        Quantities "sd", "low" and "high" of the abundances: standard deviation and 90 % interval;
        NaN where masked. None where the method does not say how sure it is.
    left_out : xarray.DataArray, dims (y, x), optional
        Why a pixel was left out: 0 it was not, else the number of a reason in
        ``provenance["pixels"]["by"]``, counted from 1.
    rest : xarray.DataArray, dims (y, x, member), optional
        Abundances among the members that cover nothing (`unmix.cover`); NaN where little is seen.
    features : xarray.DataArray, dims (y, x, quantity), optional
        Absorption features (`unmix.features`): of each the depth, the centre in nm, and a mask,
        1 where it is deep enough to have a centre; None where the bands cover none.
    """

    abundances: xr.DataArray
    endmembers: Endmembers
    residual: xr.DataArray
    provenance: Mapping[str, Any] = field(default_factory=dict)
    rgb: NDArray[np.floating] | None = None
    uncertainty: xr.DataArray | None = None
    left_out: xr.DataArray | None = None
    rest: xr.DataArray | None = None
    features: xr.DataArray | None = None

    def save(
        self,
        out: str | Path,
        *,
        overwrite: bool = False,
        format: str = "cog",
        report: bool = True,
    ) -> Path:
        """Write the result folder (maps, CSV, spectral library, manifest, report).

        `format` "zarr" puts the large maps into one Zarr group instead of GeoTIFFs. Without
        `report` there is no page and no quicklook.

        Raises
        ------
        InputError
            `out` exists and `overwrite` is False, or it cannot be written.
        """
        from unmix.output import save

        return save(self, Path(out), overwrite=overwrite, format=format, report=report)

    def plot(self) -> Any:
        """Matplotlib figure with the false-colour view, abundance maps and spectra."""
        from unmix.plot import overview

        return overview(self)
