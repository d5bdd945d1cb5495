"""The mineral scene's anomaly polygons and feature maps against its truth, from the files written.

    python benchmarks/anomalies.py [--seeds 2] [--snr 20,30] [--method cresdae] [--size 420x520]

A row a granule and way of finding endmembers (regions; blind with the true K). Polygons are read
back from anomalies.gpkg and drawn on the grid: precision and recall of their pixels against those
whose true abundance exceeds the polygons' own threshold; carbonate is dolomite or calcite.
`centre_3nm` is the share of pixels, of those whose noise-free depth exceeds 0.05, whose centre in
features.tif is within 3 nm of the noise-free one; not told counts as missed. `class_right` is the
share of the classified pixels in classes.tif whose material is the truly dominant one, `mixed` the
share that is left open.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from common import keep
from rasterio.features import rasterize

from unmix.features import feature_maps
from unmix.io.library import read_endmembers
from unmix.io.truth import read_truth
from unmix.io.vector import read_polygons
from unmix.metrics import align
from unmix.output.features import feature_names, read_features
from unmix.pipeline import run
from unmix.simulate.granule import MATERIALS, granule
from unmix.simulate.granule_files import write_granule
from unmix.types import Unmixing

GROUPS = {"jarosite": ("jarosite",), "carbonate": ("dolomite", "calcite")}
DEEP, NEAR = 0.05, 3.0  # depth; nm


def main() -> None:
    """Print and keep a row a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--snr", default="20,30")
    parser.add_argument("--method", default="cresdae")
    parser.add_argument("--size", default="420x520")
    parser.add_argument("--ways", default="roi,blind")
    arguments = parser.parse_args()
    rows, cols = (int(v) for v in arguments.size.split("x"))
    for snr in map(float, arguments.snr.split(",")):
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            made = granule(size=(rows, cols), snr=snr, seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                place = write_granule(made, Path(folder) / "granule")
                for way in arguments.ways.split(","):
                    about = {"snr_db": snr, "seed": seed, "way": way, "method": arguments.method}
                    keep("anomalies", [about | measure(place, way, arguments.method)])


def measure(place: Path, way: str, method: str) -> dict[str, Any]:
    """One run, written and read back."""
    known = {"roi": place / "rois.gpkg"} if way == "roi" else {"n_endmembers": len(MATERIALS)}
    result = run(place / "scene.hdr", method=method, identify=False, **known)
    spectra = true_spectra(result, place)
    if way != "roi":
        result = named_as_the_truth(result, spectra)
    start = time.perf_counter()
    out = result.save(place.parent / f"out-{way}")
    seconds = time.perf_counter() - start
    truth = read_truth(place / "truth.tif").abundances
    seen = np.isfinite(result.abundances.values[..., 0]) & np.isfinite(truth[..., 0])
    timings = result.provenance["timings"]
    return {
        "run_s": round(sum(timings.values()), 1), "save_s": round(seconds, 1),
        **polygons(out, truth, seen),
        **classes(out, truth, seen, result.endmembers.names),
        "centre_3nm": centres(out, truth, spectra, result, seen),
    }  # fmt: skip


def true_spectra(result: Unmixing, place: Path) -> np.ndarray:
    """The scene's true spectra (material, band) in the order of its bands."""
    order = np.argsort(np.asarray(result.endmembers.wavelength), kind="stable")
    spectra = np.empty((len(MATERIALS), len(order)))
    spectra[:, order] = read_endmembers(place / "endmembers.csv").spectra
    return spectra


def named_as_the_truth(result: Unmixing, spectra: np.ndarray) -> Unmixing:
    """Blind members called what they are, by spectral angle."""
    kept = np.isfinite(result.endmembers.spectra).all(axis=0)
    order = align(E_est=result.endmembers.spectra[:, kept], E_true=spectra[:, kept])
    names = [f"other {k}" for k in range(len(result.endmembers))]
    for material, k in zip(MATERIALS, order, strict=True):
        names[k] = material
    return replace(result, endmembers=replace(result.endmembers, names=tuple(names)))


def polygons(out: Path, truth: np.ndarray, seen: np.ndarray) -> dict[str, Any]:
    """Precision and recall of each group, by the polygons' own thresholds."""
    layer = read_polygons(out / "anomalies.gpkg")
    with rasterio.open(out / "abundances.tif") as raster:
        transform = raster.transform
    found: dict[str, Any] = {}
    for group, members in GROUPS.items():
        says, is_there = np.zeros(seen.shape, bool), np.zeros(seen.shape, bool)
        for member in members:
            mine = [i for i, m in enumerate(layer.fields["material"]) if m == member]
            if mine:
                shapes = [layer.polygons[i] for i in mine]
                says |= rasterize(shapes, seen.shape, transform=transform) > 0
                limit = layer.fields["threshold"][mine[0]]
                found[f"{member}_threshold"] = limit
                is_there |= truth[..., list(MATERIALS).index(member)] > limit
        hit = float((says & is_there & seen).sum())
        found[f"{group}_precision"] = round(hit / max(float((says & seen).sum()), 1), 3)
        found[f"{group}_recall"] = round(hit / max(float((is_there & seen).sum()), 1), 3)
    return found


def classes(out: Path, truth: np.ndarray, seen: np.ndarray, names: Any) -> dict[str, float]:
    """How many classes are right, how many pixels are left open."""
    with rasterio.open(out / "classes.tif") as raster:
        code = raster.read(1)
    told = seen & (code > 0) & (code <= len(names))
    order = np.array([list(MATERIALS).index(n) if n in MATERIALS else -1 for n in names])
    right = order[code[told] - 1] == truth[told].argmax(axis=-1)
    mixed = float((seen & (code > len(names))).sum() / seen.sum())
    return {"class_right": round(float(right.mean()), 4), "mixed": round(mixed, 3)}


def centres(
    out: Path, truth: np.ndarray, spectra: np.ndarray, result: Unmixing, seen: np.ndarray
) -> dict[str, float | None]:
    """Share of the deep pixels whose centre is near the noise-free one, a feature each."""
    maps = read_features(out / "features.tif")
    names = feature_names([str(band) for band in maps.coords["quantity"].values])
    kept = np.isfinite(result.endmembers.spectra).all(axis=0)
    clean = truth[seen].astype(np.float32) @ spectra[:, kept].astype(np.float32)
    true = feature_maps(clean, np.asarray(result.endmembers.wavelength)[kept], names)
    shares: dict[str, float | None] = {}
    for k, name in enumerate(names):
        deep = (true.depth[:, k] > DEEP) & np.isfinite(true.centre[:, k])
        off = np.abs(maps.values[seen][:, 3 * k + 1] - true.centre[:, k])[deep]
        shares[name] = round(float((off <= NEAR).mean()), 3) if deep.any() else None
    return shares


if __name__ == "__main__":
    main()
