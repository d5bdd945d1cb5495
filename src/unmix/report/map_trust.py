"""What to trust of a material map and what not, in sentences drawn from its own numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unmix.blocks import finite_pixels, planes, row_blocks
from unmix.geology.dominant import ASSUMED_SD, LEAST, LEAST_SD, Dominant
from unmix.geology.materials import grounds
from unmix.output.anomalies import Anomalies
from unmix.output.features import feature_names
from unmix.plot.identified import records
from unmix.report.trust import Judgement
from unmix.summary import summary_of
from unmix.types import Unmixing

__all__ = ["map_judgements"]


def map_judgements(result: Unmixing, found: Dominant, anomalies: Anomalies) -> list[Judgement]:
    """Doubts first."""
    everything = [
        *_mixed(result, found), *_known(result), *_names(result), *_cover(result),
        *_patches(anomalies), *_features(result),
    ]  # fmt: skip
    return sorted(everything, key=lambda j: ("doubt", "note", "good").index(j.level))


def _mixed(result: Unmixing, found: Dominant) -> Iterator[Judgement]:
    """How much of the map is grey, and which two materials it lies between."""
    seen, n = int((found.code > 0).sum()), len(result.endmembers)
    mixed = int((found.code == n + 1).sum())
    share = mixed / max(seen, 1)
    level = "good" if share < 0.1 else "note" if share < 0.4 else "doubt"
    text = f"{share:.0%} of the pixels are mixed or unsure: no material is the most abundant one "
    text += f"with a probability of {LEAST:g} there."
    if mixed and n > 1 and share >= 0.01:
        counts = _pairs(np.asarray(result.abundances.values), found.code == n + 1)
        i, j = divmod(int(counts.argmax()), n)
        names = result.endmembers.names
        text += f" Most often ({counts.max() / mixed:.0%} of them) it is between "
        text += f"“{names[i]}” and “{names[j]}”."
    yield Judgement(level, text)


def _pairs(A: NDArray[np.floating], mixed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How often two members i < j are the most abundant ones of mixed pixels, at i n + j."""
    n = A.shape[-1]
    counts = np.zeros(n * n, np.intp)
    for rows in row_blocks(A.shape):
        a = planes(A[rows][mixed[rows]])
        first = a.argmax(axis=0)
        a[first, np.arange(a.shape[1])] = -np.inf
        second = a.argmax(axis=0)
        pair = np.minimum(first, second) * n + np.maximum(first, second)
        counts += np.bincount(pair, minlength=n * n)
    return counts


def _known(result: Unmixing) -> Iterator[Judgement]:
    if result.uncertainty is None:
        text = "The method does not say how sure it is, so confidence reckons with an error of "
        yield Judgement("note", f"{text}{ASSUMED_SD:g} in every abundance.")
    else:
        text = "Confidence reckons with the intervals of the abundances, and an error of at least "
        yield Judgement("note", f"{text}{LEAST_SD:g}; endmembers that are wrong come on top.")


def _names(result: Unmixing) -> Iterator[Judgement]:
    """Names that no spectrum of the library stands for."""
    found = records(result)
    without = [
        name
        for name, record in zip(result.endmembers.names, found, strict=False)
        if not record.get("match")
    ]
    if found and without:
        listed = ", ".join(f"“{name}”" for name in without[:5])
        more = f" and {len(without) - 5} more" if len(without) > 5 else ""
        text = f"{listed}{more}: no library spectrum matches convincingly; the map shows where the "
        yield Judgement("note", text + "spectrum is, not that the name is right.")


def _cover(result: Unmixing) -> Iterator[Judgement]:
    """How much of the ground plants hide."""
    plants = ~grounds(result)
    if not plants.any():
        return
    A, covered = np.asarray(result.abundances.values), 0
    for rows in row_blocks(A.shape):
        a = planes(A[rows])
        covered += int((a[plants].sum(axis=0)[finite_pixels(a)] > 0.5).sum())
    share = covered / max(summary_of(result).valid, 1)
    if share > 0.05:
        text = f"In {share:.0%} of the pixels more than half is vegetation or other cover: what is "
        yield Judgement("note", text + "under it is hardly seen.")


def _patches(anomalies: Anomalies) -> Iterator[Judgement]:
    sure = np.concatenate([np.zeros(0), *(p.confidence for p in anomalies.patches)])
    if not len(sure):
        yield Judgement("note", "No material stands out anywhere.")
        return
    pixels = np.concatenate([p.pixels for p in anomalies.patches])
    weak = sure < LEAST
    share = float(pixels[weak].sum() / pixels.sum())
    level = "good" if share < 0.2 else "note"
    text = f"{int(weak.sum())} of {len(sure)} anomalies, {share:.0%} of their area, exceed the "
    yield Judgement(level, f"{text}threshold with a mean probability below {LEAST:g}.")


def _features(result: Unmixing) -> Iterator[Judgement]:
    if result.features is None:
        return
    bands = [str(band) for band in result.features.coords["quantity"].values]
    if feature_names(bands):
        text = "A feature is no mineral: each row names what else absorbs there. Centres are shown "
        yield Judgement("note", text + "only where the absorption is deeper than 0.02.")
