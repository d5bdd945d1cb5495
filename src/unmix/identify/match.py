"""Endmembers named from a spectral library: ranked candidates, margin, and a verdict.

Each endmember is compared with every entry (`score`), entries of one material stand behind their
best, and the first candidate is a match where its score, its lead over the next family of materials
and its own diagnostic features say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.features.sampling import sorted_bands
from unmix.features.windows import Feature, feature
from unmix.identify.answer import Absorption, Identification
from unmix.identify.compare import noise_of, on_bands, windows_of
from unmix.identify.judge import Comparison, judge, unknown
from unmix.identify.rules import Found, absorptions, fulfilled
from unmix.identify.score import Scores, score_features, score_shape
from unmix.identify.titles import Material, material_of
from unmix.parallel import one_blas_thread
from unmix.types import Endmembers

__all__ = ["identify"]

Array = NDArray[np.floating]

BROKEN = 0.16  # what broken rules take from a score; half of it where a material has none
HANDICAP = {"mixture": 0.1, "other": 0.03, "cover": 0.03, "mineral": 0.0}
FEWEST_BANDS = 20
RANGE = (350.0, 2600.0)  # nm
DARK = 0.02  # of a spectrum's maximum: beside less no absorption is told
NEAR = 8.0  # nm between centres that are one absorption


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
    shared, entries = _entries(endmembers, library)
    known = np.isfinite(endmembers.spectra) & shared
    patterns, group = np.unique(known, axis=0, return_inverse=True)
    found: dict[int, Identification] = {}
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(group.ravel() == number)
        with one_blas_thread():
            answers = _identify(endmembers, rows, pattern, library.names, entries, n_candidates)
        found.update(zip(rows.tolist(), answers, strict=True))
    return tuple(found[i] for i in range(len(endmembers)))


def _check(endmembers: Endmembers, library: Endmembers, n_candidates: int) -> None:
    for name, value in (("endmembers", endmembers), ("library", library)):
        if value.wavelength is None:
            raise InputError(f"{name}: no wavelengths, and spectra are compared by them; add them")
    if not 1 <= n_candidates <= 1000:
        raise InputError(f"candidates: got {n_candidates}; give 1 to 1000")


def _entries(endmembers: Endmembers, library: Endmembers) -> tuple[NDArray[np.bool_], Array]:
    """Bands (band,) that lie within what the library covers, and its entries (entry, band) there.

    Only what is reflected counts: beyond 2600 nm a scene emits light of its own.
    """
    own, theirs = (np.asarray(e.wavelength, np.float64) for e in (endmembers, library))
    low, high = max(np.nanmin(theirs), RANGE[0]), min(np.nanmax(theirs), RANGE[1])
    with np.errstate(invalid="ignore"):
        shared = np.asarray((own >= low) & (own <= high))
    entries = np.full((len(library), len(own)), np.nan)
    order, x = sorted_bands(own, shared)
    if len(order) >= FEWEST_BANDS:
        fwhm = None if endmembers.fwhm is None else np.asarray(endmembers.fwhm, np.float64)[order]
        entries[:, order] = on_bands(library, x, fwhm)
    return shared, entries


def _identify(
    endmembers: Endmembers,
    rows: NDArray[np.intp],
    good: NDArray[np.bool_],
    titles: Sequence[str],
    entries: Array,
    n_candidates: int,
) -> list[Identification]:
    """Endmembers that have values in the same bands; `entries` (entry, band) on all bands."""
    order, x = sorted_bands(np.asarray(endmembers.wavelength, np.float64), good)
    names = [endmembers.names[i] for i in rows]
    if len(order) < FEWEST_BANDS:
        few = f"{len(order)} bands in common with the library are too few to compare"
        return [unknown(name, few) for name in names]
    spectra = np.asarray(endmembers.spectra[np.ix_(rows, order)], np.float64)
    found = absorptions(spectra, x, noise_of(spectra))
    compared = compare(spectra, x, entries[:, order], titles, found)
    answers = []
    for i, name in enumerate(names):
        seen = tuple(a for a in _seen(found, i) if _lit(feature(a.name), spectra[i], x))
        answer, entry = judge(name, i, compared, n_candidates, seen)
        reference = np.full(len(good), np.nan)
        if entry is not None:
            reference[order] = entries[entry, order]
        answers.append(replace(answer, reference=reference, n_bands=len(order)))
    return answers


def compare(
    spectra: Array, wavelength: Array, entries: Array, titles: Sequence[str], found: Found
) -> Comparison:
    """Scores of spectra (member, band) with entries (entry, band) on the same sorted bands."""
    noise = noise_of(spectra)
    ours = windows_of(spectra, wavelength)
    told = score_features(ours, windows_of(entries, wavelength), noise)
    features, left = (np.broadcast_to(each, (len(spectra), len(entries))) for each in told)
    scores = Scores(features, left, *score_shape(spectra, entries))
    materials = [material_of(title) for title in titles]
    total, rules = _with_rules(scores.total, materials, found)
    return Comparison(materials, titles, scores, total, rules, len(ours))


def _with_rules(total: Array, materials: Sequence[Material], found: Found) -> tuple[Array, Array]:
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


def _rises(found: Found, name: str, row: int) -> bool:
    """A feature of one endmember is deeper than its noise would have it, and has a centre."""
    values, feigned = found[name]
    return bool(values.depth[row] > feigned[row] and np.isfinite(values.centre[row]))


def _lit(entry: Feature, spectrum: Array, wavelength: Array) -> bool:
    """Both ends of the continuum are no darker than water, where noise is divided by noise."""
    ends = [(wavelength >= low) & (wavelength <= high) for low, high in (entry.left, entry.right)]
    return all(spectrum[end].mean() >= DARK * spectrum.max() for end in ends if end.any())


def _seen(found: Found, row: int) -> tuple[Absorption, ...]:
    """Features of one endmember that rise above its noise, each place once."""
    seen: list[Absorption] = []
    there = {name for name in found if _rises(found, name, row)}
    for name in found:
        needs = feature(name).needs
        if name not in there or (needs in found and needs not in there):
            continue
        values = found[name][0]
        centre, depth = float(values.centre[row]), float(values.depth[row])
        near = next((a for a in seen if abs(a.centre - centre) < NEAR), None)
        if near is not None:  # what another feature bears out goes first, then the deeper
            if (feature(near.name).needs in there, near.depth) >= (needs in there, depth):
                continue
        seen = [a for a in seen if a is not near]
        seen.append(Absorption(name, centre, depth, feature(name).cause))
    return tuple(sorted(seen, key=lambda a: a.centre))
