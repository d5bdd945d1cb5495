"""Endmembers named from a spectral library: ranked candidates, margin, and a verdict.

Each endmember is compared with every entry (`score`), entries of one material stand behind their
best, and the first candidate is a match where its score, its lead over the next family of materials
and its own diagnostic features say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.features.sampling import sorted_bands
from unmix.identify.compare import noise_of, on_bands, windows_of
from unmix.identify.rules import absorptions, fulfilled
from unmix.identify.score import Scores, score_features, score_shape
from unmix.identify.titles import Material, material_of
from unmix.parallel import one_blas_thread
from unmix.types import Endmembers

__all__ = ["Absorption", "Candidate", "Identification", "identify"]

Array = NDArray[np.floating]

CONVINCING = 0.88  # least fit of a match
UNRULED = 0.92  # the same for a material without diagnostic rules to confirm it
MARGIN = 0.03  # least lead over the next family
OBEYED = 0.75  # least share of a mineral's rules that a match fulfils
BROKEN = 0.16  # what broken rules take from a score; half of it where a material has none
HANDICAP = {"mixture": 0.1, "other": 0.03, "cover": 0.03, "mineral": 0.0}
FEWEST_BANDS = 20
FEWEST_WINDOWS = 3


@dataclass(frozen=True)
class Candidate:
    """A material that an endmember may be.

    Parameters
    ----------
    name : str
        The material: "kaolinite", or the library's own title where it says no more.
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


@dataclass(frozen=True)
class Absorption:
    """An absorption feature found in an endmember: its name, centre [nm], depth, and its cause."""

    name: str
    centre: float
    depth: float
    cause: str


@dataclass(frozen=True)
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
    """

    endmember: str
    candidates: tuple[Candidate, ...]
    margin: float
    match: str
    verdict: str
    absorptions: tuple[Absorption, ...] = ()
    n_bands: int = 0


def identify(
    endmembers: Endmembers, library: Endmembers, *, n_candidates: int = 5
) -> tuple[Identification, ...]:
    """Candidates from a library for each endmember.

    Parameters
    ----------
    endmembers : Endmembers
        With wavelengths in nm, in any order; bands that are NaN are skipped.
    library : Endmembers
        With wavelengths; brought to the endmembers' bands by their FWHM (`unmix.resample`).
    n_candidates : int
        The most candidates kept for each.

    Returns
    -------
    tuple of Identification
        One an endmember, in their order. Brightness does not matter.

    Raises
    ------
    InputError
        No wavelengths on either side, or no band in common.

    >>> x = np.arange(400.0, 2500.0, 10.0)
    >>> clay = 0.6 - 0.2 * np.exp(-0.5 * ((x - 2207) / 20) ** 2)
    >>> leaf = 0.05 + 0.4 / (1 + np.exp((700 - x) / 15)) * np.exp(-x / 4000)
    >>> library = Endmembers(np.array([clay, leaf]), x, ("Kaolinite K1", "Green tree"))
    >>> found = identify(Endmembers(0.3 * clay[None], x), library)
    >>> found[0].candidates[0].name
    'kaolinite'
    """
    _check(endmembers, library, n_candidates)
    patterns, group = np.unique(np.isfinite(endmembers.spectra), axis=0, return_inverse=True)
    found: dict[int, Identification] = {}
    materials = [material_of(title) for title in library.names]
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(group.ravel() == number)
        with one_blas_thread():
            answers = _identify(endmembers, rows, pattern, library, materials, n_candidates)
        found.update(zip(rows.tolist(), answers, strict=True))
    return tuple(found[i] for i in range(len(endmembers)))


def _check(endmembers: Endmembers, library: Endmembers, n_candidates: int) -> None:
    for name, value in (("endmembers", endmembers), ("library", library)):
        if value.wavelength is None:
            raise InputError(f"{name}: no wavelengths, and spectra are compared by them; add them")
    if not 1 <= n_candidates <= 1000:
        raise InputError(f"n_candidates: got {n_candidates}; give 1 to 1000")


def _identify(
    endmembers: Endmembers, rows: NDArray[np.intp], good: NDArray[np.bool_],
    library: Endmembers, materials: Sequence[Material], n_candidates: int,
) -> list[Identification]:  # fmt: skip
    """Endmembers that have values in the same bands."""
    assert endmembers.wavelength is not None
    order, x = sorted_bands(endmembers.wavelength, good)
    names = [endmembers.names[i] for i in rows]
    if len(order) < FEWEST_BANDS:
        return [_unknown(name, f"{len(order)} bands are too few to compare") for name in names]
    spectra = np.asarray(endmembers.spectra[np.ix_(rows, order)], np.float64)
    fwhm = None if endmembers.fwhm is None else np.asarray(endmembers.fwhm, np.float64)[order]
    entries = on_bands(library, x, fwhm)
    ours, noise = windows_of(spectra, x), noise_of(spectra)
    found = absorptions(spectra, x, noise)
    features = score_features(ours, windows_of(entries, x), noise)
    every = np.broadcast_to(features, (len(rows), len(entries)))
    scores = Scores(every, *score_shape(spectra, entries))
    total, rules = _with_rules(scores.total, materials, found)
    return [
        _judge(name, i, scores, total[i], rules[i], materials, library, n_candidates,
               _seen(found, i), (len(order), len(ours)))
        for i, name in enumerate(names)
    ]  # fmt: skip


def _with_rules(total: Array, materials: Sequence[Material], found: dict) -> tuple[Array, Array]:
    """Fits less what broken rules and kinds take, and the share of rules fulfilled."""
    rules = np.full(total.shape, np.nan)
    families = {m.family for m in materials if m.kind in ("mineral", "cover")}
    shares = {family: fulfilled(found, family) for family in families}
    for j, material in enumerate(materials):
        share = shares.get(material.family)
        if share is not None and material.kind in ("mineral", "cover"):
            rules[:, j] = share
    handicap = np.array([HANDICAP[m.kind] for m in materials])
    return total - BROKEN * (1 - np.nan_to_num(rules, nan=0.5)) - handicap, rules


def _judge(
    name: str, row: int, scores: Scores, total: Array, rules: Array,
    materials: Sequence[Material], library: Endmembers, n_candidates: int,
    absorbs: tuple[Absorption, ...], sizes: tuple[int, int],
) -> Identification:  # fmt: skip
    """Rank one endmember's candidates and decide whether the first is a match."""
    best: dict[str, int] = {}
    for j in np.argsort(-np.nan_to_num(total, nan=-np.inf), kind="stable"):
        if np.isfinite(total[j]):
            best.setdefault(materials[j].name, int(j))
    if not best:
        return _unknown(name, "no library spectrum covers its bands")
    ranked = list(best.values())
    first = materials[ranked[0]]
    rival = next((j for j in ranked if materials[j].family != first.family), None)
    margin = float("inf") if rival is None else float(total[ranked[0]] - total[rival])
    other = "" if rival is None else materials[rival].name
    fits = scores.total[row]
    candidates = tuple(
        Candidate(
            materials[j].name, library.names[j], materials[j].family, materials[j].kind,
            float(total[j]), float(fits[j]), float(scores.features[row, j]),
            float(scores.angle[row, j]), float(scores.sid[row, j]), float(rules[j]),
        )
        for j in ranked[:n_candidates]
    )  # fmt: skip
    doubt = _doubt(candidates[0], margin, other, sizes[1])
    match = "" if doubt else label(candidates[0])
    verdict = f"no convincing match: {doubt}" if doubt else f"{match}: {_because(candidates[0])}"
    return Identification(name, candidates, margin, match, verdict, absorbs, sizes[0])


def label(candidate: Candidate) -> str:
    """What to call an endmember that matches: a cover by its family, all else by its name."""
    return candidate.family if candidate.kind == "cover" else candidate.name


def _doubt(best: Candidate, margin: float, rival: str, n_windows: int) -> str:
    """Why the first candidate is no match; empty where it is one."""
    if n_windows < FEWEST_WINDOWS:
        return "its bands cover too few absorption features"
    if best.fit < CONVINCING:
        return (
            f"{best.name} is nearest, but fits to {best.fit:.2f} only ({CONVINCING} is asked for)"
        )
    if best.rules < OBEYED:
        return f"{best.name} is nearest, but its diagnostic absorptions are not there"
    if margin < MARGIN:
        return f"{best.name} and {rival} fit alike ({margin:.3f} apart)"
    return ""


def _because(best: Candidate) -> str:
    text = f"fits to {best.fit:.2f}, its absorption features to {best.feature_fit:.2f}"
    return text + (", diagnostic absorptions found" if best.rules >= 1 else "")


def _seen(found: dict, row: int) -> tuple[Absorption, ...]:
    """Features of one endmember that rise above its noise, each place once."""
    from unmix.features.windows import feature

    seen: list[Absorption] = []
    for name, (values, feigned) in found.items():
        centre, depth = float(values.centre[row]), float(values.depth[row])
        if not depth > feigned[row] or not np.isfinite(centre):
            continue
        near = next((a for a in seen if abs(a.centre - centre) < 8), None)
        if near is not None and near.depth >= depth:
            continue
        seen = [a for a in seen if a is not near]
        seen.append(Absorption(name, centre, depth, feature(name).cause))
    return tuple(sorted(seen, key=lambda a: a.centre))


def _unknown(name: str, why: str) -> Identification:
    return Identification(name, (), 0.0, "", f"no convincing match: {why}")
