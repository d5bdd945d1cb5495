"""What lies under a cover: abundances among the members that remain when some are set aside.

Where vegetation takes part of a pixel, the shares of the minerals say how much of the pixel they
are, not how much of the ground:

    a'_k = a_k / Σ_j a_j,   j over the members that are no cover, where that sum exceeds 0.2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.prepare.land import ndvi_of_spectra
from unmix.types import Endmembers, Unmixing

__all__ = ["LEAST", "among_the_rest", "check_cover", "covering", "with_rest"]

LEAST = 0.2
"""Share of the pixel that has to be seen for its composition to be told."""
GREEN = 0.4  # NDVI of a spectrum above which it is vegetation


def covering(endmembers: Endmembers, text: str) -> NDArray[np.bool_]:
    """Which members are the cover (member,): names with commas, or "vegetation".

    Vegetation are the members whose spectrum has an NDVI above 0.4.

    Raises
    ------
    InputError
        No member of that name, none or nothing but vegetation, or no wavelengths to tell it by.

    >>> E = Endmembers(np.array([[0.05, 0.5], [0.3, 0.4]]), np.array([660.0, 860]), ("a", "b"))
    >>> covering(E, "vegetation")
    array([ True, False])
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise InputError("cover: names no member; give names with commas, or vegetation")
    green = ndvi_of_spectra(endmembers.spectra, endmembers.wavelength) > GREEN
    lower = [name.lower() for name in endmembers.names]
    out = np.zeros(len(endmembers), bool)
    for name in names:
        if name.lower() in lower:
            out[lower.index(name.lower())] = True
        elif name.lower() == "vegetation":
            out |= green
        else:
            raise InputError(
                f"cover: no member is called {name!r:.60}; there are {', '.join(endmembers.names)}"
            )
    if not out.any():
        raise InputError(
            "cover: no member is vegetation (NDVI above 0.4); name the cover's members"
        )
    if out.all():
        raise InputError("cover: every member belongs to it; leave one that does not")
    return out


def check_cover(text: str, given: Endmembers | None, n_endmembers: int | None) -> None:
    """`InputError` before the work, as far as the members' names are known by then."""
    if not text.replace(",", "").strip():
        raise InputError("cover: names no member; give names with commas, or vegetation")
    if given is not None and n_endmembers in (None, len(given)):
        covering(given, text)


def among_the_rest(
    A: NDArray[np.floating], cover: NDArray[np.bool_], least: float = LEAST
) -> NDArray[np.floating]:
    """Abundances (..., remaining member) among the members that are no cover; they sum to 1.

    NaN where those fill no more than `least` of the pixel.

    >>> A = np.array([[0.5, 0.4, 0.1], [0.9, 0.1, 0.0]])
    >>> among_the_rest(A, np.array([True, False, False]))
    array([[0.8, 0.2],
           [nan, nan]])
    """
    rest = A[..., ~cover]
    total = rest.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: NDArray[np.floating] = np.where(total > least, rest / total, np.nan).astype(A.dtype)
    return out


def with_rest(result: Unmixing, text: str) -> Unmixing:
    """A result with `rest`: abundances among the members that are no cover (y, x, member).

    A cover that is not among the members found is a warning: the work is done by then.
    """
    try:
        cover = covering(result.endmembers, text)
    except InputError as error:
        about = {**result.provenance}
        about["warnings"] = [*about.get("warnings", ()), str(error)]
        return replace(result, provenance=about)
    A = np.asarray(result.abundances.values)
    rest = result.abundances[..., ~cover].copy(data=among_the_rest(A, cover))
    seen = np.isfinite(A[..., 0])
    names = np.array(result.endmembers.names)
    about = {
        "asked": text,
        "members": names[cover].tolist(),
        "index": (np.flatnonzero(cover) + 1).tolist(),
        "among": names[~cover].tolist(),
        "least": LEAST,
        "pixels": int(np.isfinite(rest.values[..., 0]).sum()),
        "covered": int((seen & ~np.isfinite(rest.values[..., 0])).sum()),
    }
    return replace(result, rest=rest, provenance={**result.provenance, "cover": about})
