"""The GF-5-like granule: abundance error and names with regions and blind, anomalies found.

    python benchmarks/granule.py [--seeds 2] [--snr 20,30] [--method cresdae] [--size 420x520]

A row a granule and way of finding endmembers: the regions of rois.gpkg, and blind with K found by
the scene itself (`--k 7` gives it). RMSE over the pixels that are under 50 % vegetation by the
truth, and over all; members matched by spectral angle when blind. `anomalies` are the pixels where
jarosite, or dolomite and calcite together, exceed 0.3: precision and recall of those found. `named`
counts members whose first candidate from the shipped library is their material.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import keep

from unmix.identify import identify, shipped_library
from unmix.io.library import read_endmembers
from unmix.metrics import align
from unmix.pipeline import run
from unmix.scene import open_scene
from unmix.simulate.granule import MATERIALS, VEGETATION, Granule, granule
from unmix.simulate.granule_files import write_granule
from unmix.types import Unmixing

ANOMALY = 0.3
GROUPS = {"jarosite": ("jarosite",), "carbonate": ("dolomite", "calcite")}
NAMES = {  # what the first candidate's mineral may be called
    "forest": ("vegetation", "conifer", "tree", "forest", "spruce", "needle", "green"),
    "grassland": ("vegetation", "grass", "lawn", "green"),
    "illite": ("illite", "muscovite"),
}


def main() -> None:
    """Print and keep a row a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--snr", default="20,30")
    parser.add_argument("--method", default="cresdae")
    parser.add_argument("--size", default="420x520")
    parser.add_argument("--k", type=int, default=None)
    parser.add_argument("--ways", default="roi,blind")
    arguments = parser.parse_args()
    rows, cols = (int(v) for v in arguments.size.split("x"))
    for snr in map(float, arguments.snr.split(",")):
        for seed in range(arguments.seeds):
            made = granule(size=(rows, cols), snr=snr, seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                place = write_granule(made, Path(folder) / "granule")
                for way in arguments.ways.split(","):
                    about = {"snr_db": snr, "seed": seed, "way": way, "method": arguments.method}
                    keep("granule", [about | measure(made, place, way, arguments)])


def measure(made: Granule, place: Path, way: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One run and how near it came."""
    scene = open_scene(place / "scene.hdr").load()
    known = {"roi": place / "rois.gpkg"} if way == "roi" else {"n_endmembers": arguments.k}
    result = run(scene, method=arguments.method, identify=False, **known)
    k = len(result.endmembers)
    found = {
        "k": k,
        "scale": result.provenance["scale"]["mode"],
        "seconds": round(sum(result.provenance["timings"].values()), 1),
    }
    if k != len(MATERIALS):
        return found | {"low_rmse": None}
    order = _order(result, place) if way != "roi" else np.arange(k)
    A = np.asarray(result.abundances.values)[..., order]
    return found | _errors(A, made.scene.abundances) | _named(result, order)


def _order(result: Unmixing, place: Path) -> np.ndarray:
    """Members in the order of the truth, by spectral angle."""
    nm = np.asarray(result.endmembers.wavelength)
    truth = np.empty_like(result.endmembers.spectra)
    truth[:, np.argsort(nm, kind="stable")] = read_endmembers(place / "endmembers.csv").spectra
    kept = np.isfinite(result.endmembers.spectra).all(axis=0)
    return align(E_est=result.endmembers.spectra[:, kept], E_true=truth[:, kept])


def _errors(A: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    seen = np.isfinite(A[..., 0]) & np.isfinite(truth[..., 0])
    low = seen & (truth[..., : len(VEGETATION)].sum(axis=-1) < 0.5)
    out: dict[str, Any] = {
        "low_rmse": round(float(np.sqrt(((A - truth)[low] ** 2).mean())), 4),
        "all_rmse": round(float(np.sqrt(((A - truth)[seen] ** 2).mean())), 4),
    }
    names = list(MATERIALS)
    for group, members in GROUPS.items():
        picks = [names.index(m) for m in members]
        is_there, says = (v[seen][:, picks].sum(axis=1) > ANOMALY for v in (truth, A))
        hit = float((is_there & says).sum())
        out[f"{group}_precision"] = round(hit / max(float(says.sum()), 1), 3)
        out[f"{group}_recall"] = round(hit / max(float(is_there.sum()), 1), 3)
    return out


def _named(result: Unmixing, order: np.ndarray) -> dict[str, Any]:
    """How many members have the right first candidate, and those that have not."""
    wrong = []
    answers = identify(result.endmembers, shipped_library())
    for material, k in zip(MATERIALS, order, strict=True):
        first = answers[k].candidates[0].name.lower() if answers[k].candidates else "none"
        if not any(part in first for part in NAMES.get(material, (material,))):
            wrong.append(f"{material}: {first}")
    return {"named": len(order) - len(wrong), "wrong_names": wrong}


if __name__ == "__main__":
    main()
