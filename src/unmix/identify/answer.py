"""What identification answers with: candidates, absorptions, and the verdict on one endmember."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Absorption", "Candidate", "Identification", "absorption_at"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Candidate:
    """A material that an endmember may be.

    Parameters
    ----------
    name : str
        The material: "kaolinite", "dry vegetation", or the library's own title.
    entry : str
        Title of the library spectrum that stands for it, the best of its entries.
    family : str
        Materials that are not told apart by reflectance.
    kind : {"mineral", "mixture", "cover", "other"}
    score : float
        What candidates are ranked by: `fit` less what broken rules take.
    fit : float
        Features and shape together; 1 is the same spectrum.
    feature_fit : float
        Fit of the continuum-removed features, -1..1; NaN where no window is covered.
    angle : float
        Spectral angle, rad.
    sid : float
        Spectral information divergence.
    rules : float
        Share of the material's diagnostic rules fulfilled; NaN where it has none.
    left : float
        Share of what the endmember absorbs that the material does not; NaN as `feature_fit`.
    """

    name: str
    entry: str
    family: str
    kind: str
    score: float
    fit: float
    feature_fit: float
    angle: float
    sid: float
    rules: float
    left: float = float("nan")


@dataclass(frozen=True)
class Absorption:
    """An absorption feature found in an endmember: its name, centre [nm], depth, and its cause."""

    name: str
    centre: float
    depth: float
    cause: str


def absorption_at(centre: float, cause: str) -> str:
    """Where it absorbs [nm] and why, in words; causes have commas and brackets of their own.

    >>> absorption_at(2251.7, "(Fe, Al)-OH")
    '2252 nm: (Fe, Al)-OH'
    """
    return f"{centre:.0f} nm: {cause}"


@dataclass(frozen=True, eq=False)
class Identification:
    """What an endmember is thought to be.

    Parameters
    ----------
    endmember : str
    candidates : tuple of Candidate
        Best first, one a material.
    margin : float
        Lead of the first over the best candidate of another family.
    match : str
        The material's name; empty where no candidate is convincing.
    verdict : str
        A sentence that says why.
    absorptions : tuple of Absorption
        Features above the noise, by wavelength.
    n_bands : int
        Bands compared.
    reference : ndarray, shape (band,), optional
        The first candidate's library spectrum on the endmember's bands, NaN where it has none.
    """

    endmember: str
    candidates: tuple[Candidate, ...]
    margin: float
    match: str
    verdict: str
    absorptions: tuple[Absorption, ...] = ()
    n_bands: int = 0
    reference: Array | None = None
