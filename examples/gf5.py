"""The mineral scene of Section 4.5, from regions to a mineral map: one run, two figures.

    python examples/gf5.py [-o gf5] [--blind] [--method cresdae] [--size 420x520] [--seed 0]

Simulates a GF-5-like granule (or takes `--granule FOLDER`), unmixes it with the means of the
regions as endmembers, or blind, and writes OUT/result (the result folder), OUT/figure24.png (false
colour with the regions, endmember spectra, abundance maps beside the truth) and OUT/figure25.png
(most abundant material, jarosite and carbonate anomalies). The paper's scene is not public; this
one has a truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from unmix.io.library import read_endmembers
from unmix.io.roi import read_regions
from unmix.io.truth import read_truth
from unmix.metrics import align
from unmix.pipeline import run
from unmix.plot import member_colour
from unmix.scene import open_scene
from unmix.simulate.granule import MATERIALS, granule
from unmix.simulate.granule_files import write_granule
from unmix.types import Unmixing

ANOMALIES = {"jarosite": ("jarosite",), "carbonate": ("dolomite", "calcite")}
THRESHOLD = 0.3


def main() -> None:
    """Run, save, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path("gf5"))
    parser.add_argument("--granule", type=Path)
    parser.add_argument("--blind", action="store_true")
    parser.add_argument("--method", default="cresdae")
    parser.add_argument("--size", default="420x520")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    place = arguments.granule
    if place is None:
        rows, cols = (int(v) for v in arguments.size.split("x"))
        made = granule(size=(rows, cols), seed=arguments.seed)
        place = write_granule(made, arguments.out / "granule", overwrite=True)
    known: dict[str, Any] = {"roi": place / "rois.gpkg"}
    if arguments.blind:
        known = {"n_endmembers": len(MATERIALS)}
    result = run(place / "scene.hdr", method=arguments.method, **known)
    result.save(arguments.out / "result", overwrite=True)
    order = _as_the_truth(result, place)
    A = np.asarray(result.abundances.values)[..., order]
    figure24(result, A, place, order).savefig(arguments.out / "figure24.png", dpi=140)
    figure25(result, A).savefig(arguments.out / "figure25.png", dpi=140)
    print(arguments.out / "figure24.png", arguments.out / "figure25.png", sep="\n")


def _as_the_truth(result: Unmixing, place: Path) -> np.ndarray:
    """Which member is which of `MATERIALS`; by spectral angle where the run was blind."""
    if result.endmembers.names == tuple(MATERIALS):
        return np.arange(len(MATERIALS))
    truth = np.empty_like(result.endmembers.spectra)
    order = np.argsort(np.asarray(result.endmembers.wavelength), kind="stable")
    truth[:, order] = read_endmembers(place / "endmembers.csv").spectra
    kept = np.isfinite(result.endmembers.spectra).all(axis=0)
    return align(E_est=result.endmembers.spectra[:, kept], E_true=truth[:, kept])


def figure24(result: Unmixing, A: np.ndarray, place: Path, members: np.ndarray) -> Figure:
    """False colour with the regions, endmember spectra, abundance maps above the truth's."""
    names = list(MATERIALS)
    figure = Figure(figsize=(2.1 * len(names), 7.6), layout="constrained")
    top, below = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    view, curves = top.subplots(1, 2, width_ratios=(1, 1.7))
    view.imshow(result.rgb)
    for region in read_regions(place / "rois.gpkg", open_scene(place / "scene.hdr")):
        colour = member_colour(names.index(region.name))
        view.contour(region.mask(A.shape[:2]), [0.5], colors=[colour], linewidths=1.2)
    view.set_title("False colour, regions", fontsize=9)
    E = result.endmembers
    order = np.argsort(np.asarray(E.wavelength), kind="stable")
    for k, member in enumerate(members):  # colours are those of the materials in every panel
        curves.plot(E.wavelength[order], E.spectra[member][order], lw=1, color=member_colour(k),
                    label=E.names[member])  # fmt: skip
    curves.set(xlabel="Wavelength, nm", ylabel="Reflectance")
    curves.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes = below.subplots(2, len(names))
    truth = read_truth(place / "truth.tif").abundances
    for k, name in enumerate(names):
        axes[0, k].set_title(name, fontsize=9)
        for row, maps in zip(axes, (A, truth), strict=True):
            image = row[k].imshow(maps[..., k], vmin=0, vmax=1, cmap="viridis")
    below.colorbar(image, ax=axes, shrink=0.8, pad=0.01, label="abundance")
    axes[0, 0].set_ylabel("found")
    axes[1, 0].set_ylabel("truth")
    for axis in (view, *axes.ravel()):
        axis.set(xticks=[], yticks=[])
    return figure


def figure25(result: Unmixing, A: np.ndarray) -> Figure:
    """The most abundant material of each pixel, and where an anomaly's share exceeds 0.3."""
    names, seen = list(MATERIALS), np.isfinite(A[..., 0])
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    axes = figure.subplots(1, 1 + len(ANOMALIES))
    colours = [member_colour(k) for k in range(len(names))]
    largest = np.where(seen, np.argmax(np.nan_to_num(A), axis=-1), np.nan)
    axes[0].imshow(largest, cmap=ListedColormap(colours), vmin=-0.5, vmax=len(names) - 0.5)
    patches = [Patch(color=c, label=n) for c, n in zip(colours, names, strict=True)]
    axes[0].legend(handles=patches, fontsize=7, loc="upper center", ncol=4, frameon=False,
                   bbox_to_anchor=(0.5, -0.01))  # fmt: skip
    axes[0].set_title("Most abundant material", fontsize=10)
    heat = matplotlib.colormaps["magma_r"]
    for axis, (group, members) in zip(axes[1:], ANOMALIES.items(), strict=True):
        share = A[..., [names.index(m) for m in members]].sum(axis=-1)
        image = axis.imshow(share, vmin=0, vmax=1, cmap=heat)
        axis.contour(np.nan_to_num(share) > THRESHOLD, [0.5], colors=["#1f6feb"], linewidths=0.9)
        axis.set_title(f"{group}: share, and where it exceeds {THRESHOLD}", fontsize=10)
        figure.colorbar(image, ax=axis, shrink=0.6, label="abundance")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    main()
