"""Which members a mineral map is about: all but vegetation and other cover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.cover import GREEN
from unmix.prepare.land import ndvi_of_spectra
from unmix.types import Endmembers, Unmixing

__all__ = ["check_ternary", "grounds", "three_of"]


def grounds(result: Unmixing) -> NDArray[np.bool_]:
    """Which members are ground (member,): not the result's cover, no spectrum with NDVI above 0.4.

    All of them where nothing else would be left.

    >>> from types import SimpleNamespace
    >>> E = Endmembers(np.array([[0.05, 0.5], [0.3, 0.4]]), np.array([660.0, 860]))
    >>> grounds(SimpleNamespace(endmembers=E, provenance={}))
    array([False,  True])
    """
    members: Endmembers = result.endmembers
    out = np.ones(len(members), bool)
    if members.wavelength is not None:
        out &= ~(ndvi_of_spectra(members.spectra, members.wavelength) > GREEN)
    about: Any = result.provenance.get("cover")
    listed = about.get("index", ()) if isinstance(about, dict) else ()
    for number in listed if isinstance(listed, list | tuple) else ():
        if isinstance(number, int) and 0 < number <= len(out):
            out[number - 1] = False
    return out if out.any() else np.ones(len(members), bool)


def check_ternary(asked: str | None, given: Endmembers | None, n_endmembers: int | None) -> None:
    """`InputError` before the work, as far as the members' names are known by then."""
    if asked is None:
        return
    _split(asked)
    if given is not None and n_endmembers in (None, len(given)):
        n = len(given)
        three_of(asked, given.names, np.zeros(n), np.ones(n, bool))


def _split(asked: str) -> list[str]:
    wanted = [part.strip() for part in asked.split(",")]
    if len(wanted) != 3 or len({name.lower() for name in wanted}) != 3 or "" in wanted:
        raise InputError(
            f"ternary: got {asked!r:.80}; give three different names with commas: red, green, blue"
        )
    return wanted


def three_of(
    asked: str | None, names: Sequence[str], mean: NDArray[np.floating], ground: NDArray[np.bool_]
) -> tuple[int, int, int] | None:
    """The members of a ternary composite: those asked for, else the most abundant of the ground.

    Parameters
    ----------
    asked : str, optional
        Three names with commas: red, green, blue.
    mean : ndarray, shape (member,)
        Mean abundance.

    Returns
    -------
    Three members, or None where there are fewer than three.

    Raises
    ------
    InputError
        A name that is none of the members', or not three different ones.

    >>> three_of(None, list("abcd"), np.array([0.4, 0.3, 0.1, 0.2]), np.array([False] + [True] * 3))
    (1, 3, 2)
    >>> three_of("d, a,b", list("abcd"), np.ones(4), np.ones(4, bool))
    (3, 0, 1)
    """
    if asked is not None:
        lower = [name.lower() for name in names]
        wanted = _split(asked)
        for name in wanted:
            if name.lower() not in lower:
                raise InputError(
                    f"ternary: no member is called {name!r:.60}; there are {', '.join(names)}"
                )
        first, second, third = (lower.index(name.lower()) for name in wanted)
        return first, second, third
    if len(names) < 3:
        return None
    order = np.lexsort((np.arange(len(mean)), -np.nan_to_num(mean), ~ground))
    return int(order[0]), int(order[1]), int(order[2])
