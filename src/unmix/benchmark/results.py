"""The runs of a benchmark, and their means over seeds.

A row is one run. A cell is what the runs share that differ in nothing but the seed; its spread is
the sample standard deviation over them (n - 1), and there is none for a single seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmix.benchmark.order import SCALES, method_order, rank
from unmix.checks import InputError

__all__ = ["COSTS", "METRICS", "Entry", "Place", "Results", "Run", "Stat", "failed", "stat"]

METRICS = (
    *("abundance_rmse", "abundance_sad_rad", "abundance_sid", "psnr_db"),
    *("endmember_sad_rad", "reconstruction_rmse"),
)
COSTS = ("seconds", "peak_mb", "n_iter")


class Stat(NamedTuple):
    """Mean over seeds, sample standard deviation (None for one), runs that gave it, runs failed."""

    mean: float | None
    std: float | None
    n: int
    failed: int


class Entry(NamedTuple):
    """A row of a table: a method in a scale mode."""

    method: str
    scale: str


class Place(NamedTuple):
    """A column of a table: the scene unmixed, and the one trained on where that is another."""

    scene: str
    trained_on: str | None = None


@dataclass(frozen=True)
class Run:
    """One line of results.jsonl."""

    part: str
    scene: str
    scene_label: str
    trained_on: str | None
    model: str | None
    snr_db: float | None
    method: str
    label: str
    scale: str
    seed: int
    failed: bool
    message: str
    values: Mapping[str, float]
    member_rmse: Mapping[str, float]
    fit_status: str
    arrays: str | None

    @property
    def entry(self) -> Entry:
        """The row it belongs to."""
        return Entry(self.method, self.scale)

    @property
    def place(self) -> Place:
        """The column it belongs to."""
        return Place(self.scene, self.trained_on)


@dataclass(frozen=True)
class Results:
    """Everything in a benchmark's folder, in an order that does not depend on who finished first.

    Parameters
    ----------
    out : Path
    manifest : dict
    runs : tuple of Run
        By part, scene, method (in the manifest's order), scale and seed.
    """

    out: Path
    manifest: Mapping[str, Any]
    runs: tuple[Run, ...]
    _arrays: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def suite(self) -> str:
        """Name of the suite."""
        return str(self.manifest.get("suite") or "")

    @cached_property
    def parts(self) -> list[str]:
        """Parts that have runs."""
        return list(dict.fromkeys(r.part for r in self.runs))

    @cached_property
    def methods(self) -> list[str]:
        """All methods, each in one place of the order, which is also that of the colours."""
        return sorted({r.method for r in self.runs}, key=method_order(self.manifest))

    @cached_property
    def _cells(self) -> dict[tuple[str, Place, Entry], list[Run]]:
        cells: dict[tuple[str, Place, Entry], list[Run]] = {}
        for run in self.runs:
            cells.setdefault((run.part, run.place, run.entry), []).append(run)
        return cells

    def entries(self, part: str) -> list[Entry]:
        """Methods and scale modes of a part."""
        found = {r.entry for r in self.runs if r.part == part}
        order = method_order(self.manifest)
        return sorted(found, key=lambda e: (order(e.method), rank(SCALES, e.scale)))

    def places(self, part: str) -> list[Place]:
        """Scenes of a part, with what was trained on."""
        return list(dict.fromkeys(r.place for r in self.runs if r.part == part))

    def label(self, part: str, method: str) -> str:
        """What a method is called in a part."""
        own = [r.label for r in self.runs if r.method == method and r.part == part]
        return own[0] if own else method

    def about(self, part: str, place: Place) -> Run:
        """A run at a place, for what it says of the scene."""
        return next(r for r in self.runs if r.part == part and r.place == place)

    def cell(self, part: str, place: Place, entry: Entry) -> list[Run]:
        """Runs that differ in nothing but the seed."""
        return self._cells.get((part, place, entry), [])

    def stat(self, part: str, place: Place, entry: Entry, metric: str) -> Stat | None:
        """Mean and spread over seeds; None where nothing was run."""
        runs = self.cell(part, place, entry)
        return stat([r.values.get(metric) for r in runs], failed(runs)) if runs else None

    def mean_stat(
        self, part: str, places: Sequence[Place], entry: Entry, metric: str
    ) -> tuple[Stat, int] | None:
        """Mean over places of the cells' means, and how many places have one.

        Its spread is that of the seeds' own means, over the seeds that have all the places.
        """
        cells = [self.cell(part, place, entry) for place in places]
        means = [s.mean for s in (self.stat(part, p, entry, metric) for p in places) if s]
        good = [m for m in means if m is not None]
        if not any(cells):
            return None
        by_seed: dict[int, list[float]] = {}
        for run in (r for cell in cells for r in cell if metric in r.values):
            by_seed.setdefault(run.seed, []).append(run.values[metric])
        whole = [float(np.mean(v)) for v in by_seed.values() if len(v) == len(places)]
        std = float(np.std(whole, ddof=1)) if len(whole) > 1 else None
        mean = float(np.mean(good)) if good else None
        return Stat(mean, std, len(whole), sum(failed(c) for c in cells)), len(good)

    def arrays(self, run: Run) -> dict[str, NDArray[Any]] | None:
        """A, E and history of a run; None where they were not kept."""
        return self._load(run.arrays) if run.arrays else None

    def kept(self, part: str, place: Place, entry: Entry) -> dict[str, NDArray[Any]] | None:
        """Arrays of the first seed that has them."""
        return next((a for r in self.cell(part, place, entry) if (a := self.arrays(r))), None)

    def truth(self, scene: str) -> dict[str, NDArray[Any]] | None:
        """A, E, names, wavelength and rgb of a scene."""
        return self._load(f"scenes/{scene}.npz")

    def _load(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Arrays of a file in the folder; the last few files stay in memory."""
        if name not in self._arrays:
            while len(self._arrays) > 24:
                self._arrays.pop(next(iter(self._arrays)))
            self._arrays[name] = _load(self.out, name)
        return self._arrays[name]


def stat(values: Sequence[float | None], failed: int = 0) -> Stat:
    """Mean and sample standard deviation of the values there are.

    >>> stat([1.0, 2.0, None], failed=1)
    Stat(mean=1.5, std=0.7071067811865476, n=2, failed=1)
    >>> stat([0.25]), stat([None], 1)
    (Stat(mean=0.25, std=None, n=1, failed=0), Stat(mean=None, std=None, n=0, failed=1))
    """
    good = [v for v in values if v is not None]
    if not good:
        return Stat(None, None, 0, failed)
    std = float(np.std(good, ddof=1)) if len(good) > 1 else None
    return Stat(float(np.mean(good)), std, len(good), failed)


def failed(runs: Sequence[Run]) -> int:
    """How many runs failed."""
    return sum(r.failed for r in runs)


def _load(out: Path, name: str) -> dict[str, NDArray[Any]] | None:
    path = (out / name).resolve()
    if not path.is_relative_to(out.resolve()) or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except Exception as error:  # numpy, zip and zlib each raise their own
        raise InputError(
            f"out: {name} cannot be read ({error}); delete it to leave it out"
        ) from None
