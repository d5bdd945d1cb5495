"""Abundance RMSE of each scale mode with the published endmembers of real scenes.

    python benchmarks/scale_modes.py DATA

DATA holds samson/, jasper/ and urban/ in their published .mat files (see docs/conventions.md).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import keep
from scipy.io import loadmat

from unmix.scaling import SCALES, abundances, choose_scale


def scenes(data: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Name, pixels in reflectance, endmembers (member, band), abundances (pixel, member)."""
    for name, file, truth, key, divisor in (
        ("samson", "Samson.mat", "Samson_GT.mat", "V", 1.0),
        ("jasper", "jasperRidge2_R198.mat", "Jasper_GT.mat", "Y", 5000.0),
    ):
        known = loadmat(data / name / truth)
        yield name, loadmat(data / name / file)[key].T / divisor, known["M"].T, known["A"].T
    crop = loadmat(data / "urban" / "urban_162band.mat")["urban_detection"] / 1000.0
    for n in (4, 5, 6):
        known = loadmat(data / "urban" / f"end{n}_groundTruth.mat")
        A = known["A"].reshape(n, 307, 307, order="F")[:, :80, 187:287]
        yield f"urban-{n}", crop.reshape(-1, 162), known["M"].T, A.reshape(n, -1).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    rows = []
    for name, X, E, A in scenes(parser.parse_args().data):
        row: dict[str, object] = {"scene": name}
        for scale in SCALES:
            error = abundances(X, E, scale)[0] - A
            row[scale] = round(float(np.sqrt((error**2).mean())), 4)
        known, blind = choose_scale(X, E=E), choose_scale(X, n_endmembers=len(E))
        row["auto_with_endmembers"], row["auto_blind"] = known.mode, blind.mode
        row["held_out_error_ratio"] = round(blind.evidence["held_out_error_ratio"], 3)
        rows.append(row)
    keep("scale_modes", rows)


if __name__ == "__main__":
    main()
