"""A benchmark's folder as the runner leaves it, small and made up, with names meant to hurt.

``python fake_results.py SUITE OUT [methods]`` writes one to look at.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

METHODS = {
    "vca-fcls": "VCA + FCLS",
    "spa-fcls": "SPA + FCLS",
    "vca-khype": "VCA + K-Hype",
    "mvcnmf": "MVC-NMF",
    "linear-ae": "LinearAE",
    "conv-ae": "ConvAE",
    "nae": "NAE",
    "cresdae": "CResDAE, paper",
    "edaa": "EDAA",
    "sisal": "SISAL + FCLS",
    "vca-skhype": "VCA + SK-Hype",
    "amortised": "CResDAE",
    "polyhedral": "Polyhedral",
    "sparse": "SUnSAL-TV",
    "em": "Amortised EM",
}
NETWORKS = {"linear-ae", "conv-ae", "nae", "cresdae", "amortised", "mvcnmf", "edaa"}
NAMES = ("asphalt", "grass", "tree", "roof", "soil", "metal", "water", "sand")
NAMES += ("shadow", "kaolinite", "alunite", "a|b <i>*x*</i> & $y$")


def folder(
    out: Path,
    suite: str = "paper",
    methods: int = 6,
    seeds: int = 2,
    members: int = 4,
    side: tuple[int, int] = (14, 17),
    quick: bool = False,
) -> Path:
    """Write manifest.json, results.jsonl, runs/ and scenes/ for a suite."""
    rng = np.random.default_rng(4)
    for sub in ("runs", "scenes"):
        (out / sub).mkdir(parents=True)
    names = list(METHODS)[:methods]
    rows = []
    for part, scene, label, trained_on, model, snr, k in places(suite, members):
        truth = scene_file(out, scene, k, side)
        level = (0.25 if snr is None else 0.5 / np.sqrt(snr)) * (1 + 0.3 * (model == "bilinear"))
        for i, method in enumerate(names):
            for scale in ("l2", "auto") if suite == "real" else ("none",):
                for seed in range(seeds):
                    error = level * (0.15 + 0.11 * i) * rng.uniform(0.8, 1.2)
                    row = {
                        **{"suite": suite, "part": part, "scene": scene, "scene_label": label},
                        **{"trained_on": trained_on, "model": model, "snr_db": snr},
                        **{"method": method, "label": METHODS[method], "scale": scale},
                        **{"seed": seed},
                    }
                    if i == 3 and snr == 10 and seed == 0:
                        rows.append(failed(row, "the matrix | is singular <b>now</b>"))
                        continue
                    rows.append(row | ok(out, row, truth, error, rng))
    rng.shuffle(rows)
    lines = [json.dumps(row) for row in rows]
    (out / "results.jsonl").write_text("\n".join([*lines, ""]))
    manifest = {
        "suite": suite,
        "quick": quick,
        "seeds": list(range(seeds)),
        "methods": names,
        "versions": {"unmix": "0.1.0", "numpy": "2.3"},
        "git_commit": "0123abc",
        "command": f"unmix benchmark {suite} -o OUT",
        "protocol": [
            "Nine scenes of five spectra, made up for a test. Blind, K given.",
            "Members are matched one to one by spectral angle; RMSE over all abundance entries.",
        ],
        "skipped": ["jasper: skipped, jasper/Jasper_GT.mat is not in DATA (published elsewhere)"],
    }
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


def places(suite: str, members: int):
    """Part, scene, label, trained on, model, SNR, K."""
    nine = [(m, s) for m in ("linear", "bilinear", "pnmm") for s in (10, 20, 30)]
    if suite == "real":
        real = [("samson", "Samson", 3), ("jasper", "Jasper Ridge", 4)]
        real += [(f"urban-{k}", f"Urban-{k} crop", k) for k in (4, 5, 6)]
        return [(p, s, n, None, None, None, k) for p in ("blind", "known") for s, n, k in real]
    part = {"paper": "simulated", "nae": "grid"}[suite]
    found = [(part, f"{m}-{s}db", f"{m}, {s} dB", None, m, s, members) for m, s in nine]
    if suite == "paper":
        for p, s, n in (
            ("transfer-crop", "urban-5", "Urban-5 crop"),
            ("transfer-full", "urban-full", "Urban 307 x 307, semi-synthetic"),
        ):
            found += [(p, s, n, f"{m}-{q}db", None, None, members) for m, q in nine]
    return found


def scene_file(out: Path, scene: str, k: int, side: tuple[int, int]) -> dict[str, np.ndarray]:
    """Smooth maps, smooth spectra, a picture."""
    rng = np.random.default_rng(len(scene) + k)
    fields = gaussian_filter(rng.standard_normal((*side, k)), (2.5, 2.5, 0)) * 18
    A = np.exp(fields) / np.exp(fields).sum(axis=-1, keepdims=True)
    E = 0.15 + 0.7 * gaussian_filter(rng.random((k, 60)), (0, 5))
    E = np.clip(E + np.linspace(-0.2, 0.3, k)[:, None] * np.linspace(0, 1, 60), 0.02, None)
    wavelength = np.r_[np.linspace(400, 1330, 32), np.linspace(1480, 2450, 28)]
    truth = {
        "A": A.astype(np.float32),
        "E": E.astype(np.float32),
        "names": np.array([*NAMES[: k - 1], NAMES[-1]]),
        "wavelength": np.empty(0) if scene == "samson" else wavelength,
        "rgb": np.clip(A @ E[:, [30, 18, 8]] * 1.6, 0, 1).astype(np.float32),
    }
    np.savez(out / "scenes" / f"{scene}.npz", **truth)
    return truth


def ok(out: Path, row: dict, truth: dict, error: float, rng: np.random.Generator) -> dict:
    """A row that went well; the arrays of the first seed only."""
    A = truth["A"] + error * rng.standard_normal(truth["A"].shape).astype(np.float32)
    A = np.clip(A, 0, None) + 1e-6
    A /= A.sum(axis=-1, keepdims=True)
    E = truth["E"] * (1 + error * gaussian_filter(rng.standard_normal(truth["E"].shape), (0, 6)))
    by_member = np.sqrt(((A - truth["A"]) ** 2).mean(axis=(0, 1)))
    rmse = float(np.sqrt((by_member**2).mean()))
    name = None
    if row["seed"] == 0:
        start = f"{row['part']}_{row['scene']}-from-{row['trained_on']}"
        name = f"runs/{start}_{row['method']}_{row['scale']}_s0.npz"
        epochs = np.arange(40)
        history = {}
        if row["method"] in NETWORKS:
            history["history_loss"] = 0.02 + error * np.exp(-epochs / 8) + 1e-3 * rng.random(40)
            history["history_angle"] = 0.1 + np.exp(-epochs / 8)
        np.savez(out / name, A=A.astype(np.float32), E=E.astype(np.float32), **history)
    return {
        **{"status": "ok", "message": "", "abundance_rmse": rmse, "abundance_sid": rmse * 2.2},
        **{"abundance_sad_rad": rmse * 1.8, "psnr_db": -20 * np.log10(rmse)},
        "endmember_sad_rad": None if row["part"] == "known" else rmse * 0.7,
        "reconstruction_rmse": 0.01 + 0.05 * rmse,
        "member_rmse": dict(zip(truth["names"].tolist(), by_member.tolist(), strict=True)),
        **{"seconds": float(rng.uniform(0.1, 30)), "peak_mb": float(rng.uniform(20, 900))},
        "n_iter": 40 if row["method"] in NETWORKS else None,
        "fit_status": "Converged after 40 iterations.",
        "arrays": name,
    }


def failed(row: dict, why: str) -> dict:
    """A row that went wrong."""
    names = ("abundance_rmse", "abundance_sad_rad", "abundance_sid", "psnr_db")
    names += ("endmember_sad_rad", "reconstruction_rmse", "peak_mb", "n_iter", "arrays")
    empty = dict.fromkeys(names)
    more = {"status": "failed", "message": why, "seconds": 1.5, "member_rmse": {}, "fit_status": ""}
    return row | empty | more


if __name__ == "__main__":
    folder(Path(sys.argv[2]), sys.argv[1], *map(int, sys.argv[3:]), side=(60, 75))
