"""Whether the suggested number of endmembers is the true one, on simulated scenes.

    python benchmarks/count_members.py DATA

48 scenes of 64 × 64 pixels: K from 3 to 8 minerals of USGS drawn at random, linear and bilinear, 20
and 30 dB, smooth Gaussian fields and independent Dirichlet abundances.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from unmix.benchmark.data import find, read_endmembers, read_usgs
from unmix.n_endmembers import suggest
from unmix.simulate import simulate

MINERALS = (
    "Alunite", "Kaolinite", "Calcite", "Goethite", "Muscovite", "Montmorillonite", "Hematite",
    "Jarosite", "Dolomite", "Gypsum", "Chlorite", "Lawn_Grass", "Illite",
)  # fmt: skip


def main() -> None:
    """Print a line a scene and how many are within one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    library = read_endmembers(find(data, "usgs", "s06av95a_envi.hdr"))
    whole = np.isfinite(np.asarray(library.spectra)).all(axis=1)
    names = [n for n, w in zip(library.names, whole, strict=True) if w and n.startswith(MINERALS)]
    rng, near = np.random.default_rng(0), []
    fields = ("gaussian", "dirichlet")
    for model, snr, k, field in product(("linear", "bilinear"), (20, 30), range(3, 9), fields):
        members = read_usgs(data, tuple(rng.choice(names, k, replace=False)))
        made = simulate(members, model=model, snr=float(snr), seed=k, size=(64, 64), field=field)
        found = suggest(made.cube.reshape(-1, made.cube.shape[-1]), seed=0).k
        near.append(abs(found - k) <= 1)
        print(f"{model}, {snr} dB, {field}: {k} members, {found} suggested", flush=True)
    print(f"within one: {sum(near)} of {len(near)}")


if __name__ == "__main__":
    main()
