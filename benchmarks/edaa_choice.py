"""What rules without the truth choose among runs of EDAA, on real and simulated scenes.

    python benchmarks/edaa_choice.py DATA [--seeds 2] [--step paper]

DATA as for scale_modes.py. Scale "l2"; abundance RMSE / endmember angle [rad], means over seeds,
members matched by angle; "best" is each number's least over the runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import keep
from scale_modes import scenes
from scipy.optimize import linear_sum_assignment

from unmix.extract.edaa import STEPS, Run, archetypes, choose
from unmix.extract.vca import log_volume
from unmix.methods.edaa import EDAA
from unmix.scaling import abundances, normalise, well_lit
from unmix.simulate import builtin_library, simulate

MINERALS = ("Alunite", "Kaolinite", "Goethite", "Calcite", "Green grass")
SIMULATED = (
    ("minerals, 20 dB", MINERALS, {"snr": 20}),
    ("minerals, 30 dB, terrain", MINERALS, {"snr": 30, "brightness": (0.6, 1.1)}),
    ("bilinear, 25 dB", MINERALS[1:3] + MINERALS[4:], {"snr": 25, "model": "bilinear"}),
    ("Dirichlet, 30 dB", MINERALS[::2] + MINERALS[3:4], {"snr": 30, "field": "dirichlet"}),
)


def simulated() -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    library = builtin_library()
    for name, members, keywords in SIMULATED:
        rows = [library.names.index(m) for m in members]
        E = replace(library, spectra=library.spectra[rows], names=members)
        made = simulate(E, size=(80, 90), seed=1, **keywords)
        A = made.abundances.reshape(-1, len(rows))
        yield name, made.cube.reshape(len(A), -1), np.asarray(made.endmembers.spectra), A


def angles(E: np.ndarray, T: np.ndarray) -> np.ndarray:
    a, b = normalise(E.astype(float), "l2")[0], normalise(T, "l2")[0]
    return np.arccos(np.clip(a @ b.T, -1, 1))


def matched(E: np.ndarray, T: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean angle, and the row of E for each row of T."""
    S = angles(E, T)
    i, j = linear_sum_assignment(S)
    return float(S[i, j].mean()), i[np.argsort(j)]


def near(runs: tuple[Run, ...]) -> list[Run]:
    least = min(run.error for run in runs)
    return [run for run in runs if run.error - least <= 0.05 * run.error]


def squared(runs: tuple[Run, ...]) -> Run:
    return choose(tuple(replace(run, error=run.history[-1]) for run in runs))


def volume(runs: tuple[Run, ...]) -> Run:
    return max(near(runs), key=lambda run: log_volume(run.spectra))


def agreed(runs: tuple[Run, ...]) -> Run:
    """The medoid of the candidates: the least median angle to the others."""
    some = near(runs)
    return min(some, key=lambda a: np.median([matched(a.spectra, b.spectra)[0] for b in some]))


RULES: dict[str, Callable[[tuple[Run, ...]], Run]] = {
    "authors": choose,
    "squared error": squared,
    "least error": lambda runs: min(runs, key=lambda run: run.error),
    "largest volume": volume,
    "medoid": agreed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--step", choices=STEPS, default="paper")
    asked = parser.parse_args()
    for name, X, E, A in [*scenes(asked.data), *simulated()]:
        pixels = np.ascontiguousarray(X, dtype=np.float32)
        found: dict[str, list[tuple[float, float]]] = {}
        for seed in range(asked.seeds):
            lit = well_lit(pixels, len(E), seed, snr=EDAA.direction_snr)
            directions = normalise(pixels[lit], "l2")[0]
            runs = archetypes(directions, len(E), seed=seed, step=asked.step)
            scores = {}
            for run in runs:
                sad, order = matched(run.spectra, E)
                error = abundances(pixels, run.spectra, "l2")[0][:, order] - A
                scores[run.spectra.tobytes()] = float(np.sqrt((error**2).mean())), sad
            for rule, pick in RULES.items():
                found.setdefault(rule, []).append(scores[pick(runs).spectra.tobytes()])
            best = np.min(list(scores.values()), axis=0)
            found.setdefault("best", []).append((best[0], best[1]))
        row: dict[str, object] = {"scene": name, "step": asked.step, "seeds": asked.seeds}
        for rule, values in found.items():
            rmse, sad = np.mean(values, axis=0)
            row[rule] = f"{rmse:.3f} / {sad:.3f}"
        keep("edaa_choice", [row])


if __name__ == "__main__":
    main()
