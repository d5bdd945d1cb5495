"""How often endmembers are named right: library spectra at satellites' bands with noise.

    python benchmarks/identify.py DATA [--seeds 3]

DATA holds `usgs/` (splib06a at AVIRIS bands), `ecostress/` and `responses/` (band centres and
widths of EMIT, EnMAP and PRISMA). AHSI's bands are made here: 150 from 390 to 1029 nm and 180 from
1004 to 2513 nm, 4.3 and 8.4 nm wide.

A spectrum of a mineral, with noise of a fiftieth of its value in every band, is named by the
library it comes from without its own entry ("own"), and without any entry of the same specimen
("specimen"), where the mineral has others. Right is the first candidate's mineral; illite and
muscovite count as one, and so do chlorites. "named" is the share with a convincing match that is
right, "misnamed" the share with one that is wrong. Last come minerals whose family was taken out of
the library, where every name is false; spectra with a tenth of another material; one library by
the other; and the time for 10 endmembers against 1 365 spectra.

Bar: first candidate right for 90 % (mean of the minerals) at each sensor; 10 endmembers in 2 s.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from common import keep

from unmix.identify import identify, shipped_library
from unmix.identify.compare import noise_of
from unmix.identify.judge import judge
from unmix.identify.match import compare, on_bands
from unmix.identify.rules import absorptions
from unmix.identify.titles import material_of
from unmix.io.library import read_endmembers
from unmix.types import Endmembers

MINERALS = {
    name: {name}
    for name in (
        *("calcite", "dolomite", "gypsum", "jarosite", "alunite", "kaolinite", "montmorillonite"),
        *("goethite", "hematite"),
    )
} | {
    "illite/muscovite": {"illite", "muscovite"},
    "chlorite": {"chlorite", "clinochlore", "prochlorite", "thuringite"},
}
SENSORS = ("emit", "enmap", "prisma", "ahsi")
WATER = ((1350.0, 1450.0), (1800.0, 1950.0))  # nm, not seen through the air


def bands_of(data: Path, sensor: str, *, through_air: bool = False) -> np.ndarray:
    """Centres and widths (2, band) by wavelength."""
    if sensor == "ahsi":
        centres = np.r_[np.linspace(390, 1029, 150), np.linspace(1004, 2513, 180)]
        bands = np.stack([centres, np.r_[np.full(150, 4.3), np.full(180, 8.4)]])
    else:
        file = data / "responses" / f"response_{sensor}.csv"
        bands = np.loadtxt(file, delimiter=",", skiprows=1).T
    bands = bands[:, np.argsort(bands[0], kind="stable")]
    hidden = np.zeros(bands.shape[1], bool)
    for low, high in WATER if through_air else ():
        hidden |= (bands[0] >= low) & (bands[0] <= high)
    return bands[:, ~hidden]


class Trial:
    """Spectra of one library at a sensor's bands, compared with the entries of another."""

    def __init__(self, library: Endmembers, source: Endmembers, bands: np.ndarray) -> None:
        values = on_bands(source, *bands)
        used = np.isfinite(values).mean(axis=0) > 0.6
        self.x, self.values = bands[0, used], values[:, used]
        self.own = library is source
        self.titles = library.names
        self.entries = on_bands(library, *bands)[:, used]
        self.materials = [material_of(name) for name in library.names]
        self.asked = [material_of(name) for name in source.names]
        self.families = np.array([m.family for m in self.materials])

    def whole(self, i: int) -> bool:
        """Whether spectrum i is a pure mineral's with a value in every band."""
        return self.asked[i].kind == "mineral" and bool(np.isfinite(self.values[i]).all())

    def answers(self, rows: list[int], out: Any, seed: int, other: float = 0.0) -> list[Any]:
        """Identification of each row; `out(i)` are the entries that it may not be named by."""
        rng = np.random.default_rng(seed)
        pixels = self.values[rows]
        if other:
            pixels = (1 - other) * pixels + other * pixels[rng.permutation(len(rows))]
        pixels = pixels * (1 + rng.standard_normal(pixels.shape) / 50)
        found = absorptions(pixels, self.x, noise_of(pixels))
        compared = compare(pixels, self.x, self.entries, self.titles, found)
        answers = []
        for k, i in enumerate(rows):
            compared.total[k, out(i)] = np.nan
            answers.append(judge(self.titles[0], k, compared, 5, ())[0])
        return answers

    def same(self, i: int, specimen: bool) -> np.ndarray:
        """Entries that are the spectrum itself, or of the same specimen."""
        itself = np.zeros(len(self.titles), bool)
        if self.own:
            itself[i] = True
        if specimen and self.own:
            one = self.asked[i]
            itself |= [(m.name, m.sample) == (one.name, one.sample) for m in self.materials]
        return itself


def named_right(
    trial: Trial, seed: int, specimen: bool, other: float = 0.0
) -> dict[str, tuple[float, float, float, int]]:
    """Of each mineral the shares first, named and misnamed, and how many spectra."""
    found = defaultdict(list)
    for mineral, names in MINERALS.items():
        good = np.array([m.kind == "mineral" and m.name in names for m in trial.materials])
        rows = [i for i, m in enumerate(trial.asked) if m.name in names and trial.whole(i)]
        if not rows or not good.any():
            continue

        def out(i: int, good: np.ndarray = good) -> np.ndarray:
            same = trial.same(i, specimen)
            return same if (good & ~same).any() else np.zeros_like(same)

        for answer in trial.answers(rows, out, seed, other):
            first = bool(answer.candidates) and answer.candidates[0].name in names
            named = bool(answer.match)
            found[mineral].append((first, named and first, named and not first))
    return {k: (*map(float, np.mean(v, axis=0)), len(v)) for k, v in found.items()}


def false_names(trial: Trial, seed: int) -> tuple[float, int]:
    """Share of minerals that get a name although their family is not in the library."""
    rows = [i for i in range(len(trial.asked)) if trial.whole(i)]

    def out(i: int) -> np.ndarray:
        one = trial.asked[i]
        return np.array([m.family == one.family or one.name in m.name for m in trial.materials])

    answers = trial.answers(rows, out, seed)
    return float(np.mean([bool(a.match) for a in answers])), len(rows)


def table(title: str, trials: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Print shares by mineral (rows) and trial (columns), mean and spread over seeds."""
    print(f"\n{title}\n{'':17s}" + "".join(f"{name:>14s}" for name in trials))
    minerals = [m for m in MINERALS if any(m in run[0] for run in trials.values())]
    for mineral in minerals:
        cells = []
        for runs in trials.values():
            values = [run[mineral][0] for run in runs if mineral in run]
            n = runs[0][mineral][3] if mineral in runs[0] else 0
            cells.append(f"{np.mean(values):.2f} ({n})" if values else "-")
        print(f"{mineral:17s}" + "".join(f"{cell:>14s}" for cell in cells))
    rows = []
    for name, runs in trials.items():
        means = [[np.mean([v[j] for v in run.values()]) for j in range(3)] for run in runs]
        row = {"trial": title, "bands": name, "seeds": len(runs)}
        for j, what in enumerate(("first", "named", "misnamed")):
            values = [m[j] for m in means]
            row[what], row[f"{what}_sd"] = float(np.mean(values)), float(np.std(values))
        rows.append({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()})
    for what in ("first", "named", "misnamed"):
        cells = "".join(f"{r[what]:>8.3f}±{r[f'{what}_sd']:.3f}" for r in rows)
        print(f"{what:17s}{cells}")
    return rows


def speed(library: Endmembers, bands: np.ndarray) -> float:
    """Seconds for 10 endmembers, the library read already."""
    rng = np.random.default_rng(0)
    spectra = 0.3 + 0.1 * np.cumsum(rng.standard_normal((10, bands.shape[1])), axis=1) / 30
    members = Endmembers(np.abs(spectra), bands[0], fwhm=bands[1])
    identify(members, library)
    start = time.perf_counter()
    identify(members, library)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    seeds, data = range(given.seeds), given.data
    usgs = read_endmembers(data / "usgs" / "s06av95a_envi.hdr")
    eco, shipped = read_endmembers(data / "ecostress"), shipped_library()
    at = {name: bands_of(data, name) for name in SENSORS}
    rows: list[dict[str, Any]] = []
    own = {name: Trial(usgs, usgs, at[name]) for name in SENSORS}
    for title, specimen, other in (
        ("USGS, own entry left out", False, 0.0),
        ("USGS, own specimen left out", True, 0.0),
        ("USGS, specimen left out, a tenth of another", True, 0.1),
    ):
        runs = {k: [named_right(t, s, specimen, other) for s in seeds] for k, t in own.items()}
        rows += table(title, runs)
    air = {
        name: Trial(usgs, usgs, bands_of(data, name, through_air=True)) for name in ("emit", "ahsi")
    }
    runs = {k: [named_right(t, s, True) for s in seeds] for k, t in air.items()}
    rows += table("USGS, specimen left out, without water windows", runs)
    pairs = {"ECOSTRESS by USGS": (usgs, eco), "USGS by ECOSTRESS": (eco, usgs)}
    pairs["ECOSTRESS by shipped"] = (shipped, eco)
    for title, (library, source) in pairs.items():
        trials = {k: Trial(library, source, at[k]) for k in ("emit", "ahsi")}
        rows += table(
            title, {k: [named_right(t, s, False) for s in seeds] for k, t in trials.items()}
        )
    for title, trial in (
        ("USGS by USGS", own["emit"]),
        ("USGS by shipped", Trial(shipped, usgs, at["emit"])),
    ):
        shares = [false_names(trial, s) for s in seeds]
        share = round(float(np.mean([s for s, _ in shares])), 3)
        rows.append({"trial": f"{title}, family absent", "false": share, "n": shares[0][1]})
        print(f"\n{title}, family absent: {share} of {shares[0][1]} get a name (emit)")
    seconds = speed(usgs, at["emit"])
    rows.append({"trial": "10 endmembers against 1365 spectra", "seconds": round(seconds, 3)})
    print(f"10 endmembers against {len(usgs)} spectra: {seconds:.2f} s\n")
    keep("identify", rows)


if __name__ == "__main__":
    main()
