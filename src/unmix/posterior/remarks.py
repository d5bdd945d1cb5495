"""What is said of a fit: its status where spectra are typical ones, and what not to trust."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "APART",
    "UNEXPLAINED",
    "UNTRIED",
    "VARY",
    "equal_members",
    "misfits",
    "noise_members",
    "typical_status",
    "unsure_members",
]

APART = 0.1
"""Radians between answers that fit alike, from which on a member is not identified."""
UNEXPLAINED = 1.5
"""Misfit from which on something is missing in the model."""
UNTRIED = "the trial by simulation failed: intervals are those of noise alone"
VARY = (
    "materials vary by more than noise, which mixtures of {} spectra cannot follow; more members "
    "(-k) may help"
)

_SAME = 1e-4  # of their size: spectra that differ by less are the same


def typical_status(held: NDArray[np.bool_], smooths: bool, runs: int, scale: str) -> str:
    """What the spectra are, where no mixing surface explains the scene.

    Parameters
    ----------
    held : ndarray of bool, shape (member,)
        Which were given.
    smooths : bool
        Whether pixels were averaged first.
    runs : int
        How many fit alike.
    scale : str

    >>> typical_status(np.array([True, True]), False, 1, "none")
    'Materials vary by more than noise: the given spectra are mixed by area.'
    """
    if held.any():
        others = "" if held.all() else " with typical spectra of the others"
        return f"Materials vary by more than noise: the given spectra are mixed by area{others}."
    smoothed = " of smoothed pixels" if smooths else ""
    text = f"Typical spectra{smoothed}, as materials vary by more than noise"
    text += f"; {runs} runs fit alike." if runs > 1 else "."
    if scale == "none":
        return text
    return (
        f"{text} How bright a material is cannot be told from its pixels: all have the same "
        "maximum."
    )


def noise_members(spanned: int, n: int) -> list[str]:
    """A warning where pixels differ by more than noise as mixtures of fewer than n members do.

    >>> noise_members(3, 3)
    []
    >>> noise_members(2, 3)[0][-25:]
    'K is too large (try -k 2)'
    """
    if spanned >= n:
        return []
    remedy = f" (try -k {spanned})" if spanned > 1 else ""
    return [
        f"pixels differ by more than noise as mixtures of {spanned} members do, not of {n}: some "
        f"members are noise, K is too large{remedy}"
    ]


def equal_members(E: NDArray[np.floating], scale: str) -> list[str]:
    """Warnings of members (member, band) with the same spectrum, or direction unless scale is none.

    >>> equal_members(np.array([[1.0, 2.0], [0.0, 1.0], [2.0, 4.0]]), "shade")[0][:15]
    'members 1 and 3'
    """
    spectra = E if scale == "none" else _directions(E)
    return [
        f"members {j + 1} and {k + 1} have the same spectrum: how they split a share cannot be told"
        for j, k in combinations(range(len(E)), 2)
        if np.linalg.norm(spectra[j] - spectra[k]) <= _SAME * np.linalg.norm(spectra[j])
    ]


def unsure_members(E: NDArray[np.floating], alternatives: NDArray[np.floating]) -> list[str]:
    """A warning of members (member, band) that lie elsewhere in `alternatives` (run, member, band).

    >>> E = np.eye(2)
    >>> unsure_members(E, np.stack([E, np.array([[1.0, 0.0], [1.0, 1.0]])]))[0][:9]
    'member 2:'
    """
    cosine = (_directions(alternatives) * _directions(E)).sum(axis=-1).clip(-1, 1)
    unsure = np.flatnonzero(np.arccos(cosine).max(axis=0) > APART)
    if not len(unsure):
        return []
    names = ", ".join(f"{i + 1}" for i in unsure)
    return [
        f"member {names}: answers that fit alike have other spectra there; members swap or "
        "merge, and their shares are not to be trusted"
    ]


def misfits(misfit: float, n: int) -> list[str]:
    """A warning where mixtures of n spectra leave more than noise.

    >>> misfits(1.1, 4)
    []
    """
    if misfit <= UNEXPLAINED:
        return []
    return [
        f"mixtures of {n} spectra leave {misfit:.1f} times the noise: K may be too small, or "
        "intervals too narrow"
    ]


def _directions(E: NDArray[np.floating]) -> NDArray[np.floating]:
    out: NDArray[np.floating] = E / np.maximum(np.linalg.norm(E, axis=-1, keepdims=True), 1e-12)
    return out
