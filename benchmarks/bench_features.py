"""Feature maps against reading the cube once, and their centres on noisy spectra.

    python benchmarks/bench_features.py [--pixels 1000000]

"read" is reading the cube from a file that the system has in memory, "touch" adding up its values
where they lie already.

Bars: 10⁶ pixels × 285 bands in under 3 × the time of reading them (float32 and int16); centres
within 3 nm of the noise-free ones where the depth exceeds 0.05.

The centres are those of the shipped minerals, in mixtures of three of them with noise. Without
preparation a pixel at 20 dB has a tenth of its signal as noise in every band and no feature of 5 %
can be placed in it; the second table has the pixels projected on their signal subspace first
(`unmix.denoise.whitening`), which uses what alike pixels have in common.
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

import numpy as np
from common import announce, interleaved, keep, read_once

from unmix.denoise.whiten import whitening
from unmix.features import MAPPED, feature_maps
from unmix.identify import shipped_library
from unmix.resample import values_on
from unmix.subspace import estimate_noise

BANDS = np.linspace(381.0, 2493.0, 285)  # as many as EMIT has, 7.4 nm apart


def cube(n_pixels: int, dtype: type, seed: int = 0) -> np.ndarray:
    """Mixtures of library minerals (pixel, band), reflectance or its ten-thousandths."""
    rng = np.random.default_rng(seed)
    E = np.nan_to_num(values_on(shipped_library(), BANDS, 8.5))[:12] + 0.05
    A = rng.dirichlet(np.ones(12), n_pixels).astype(np.float32)
    X = A @ E.astype(np.float32)
    return (X * 10_000).astype(dtype) if np.issubdtype(dtype, np.integer) else X


def speed(n_pixels: int, dtype: type) -> dict[str, Any]:
    X = cube(n_pixels, dtype)
    with tempfile.NamedTemporaryFile() as file:
        X.tofile(file.name)
        paths = {
            "touch": lambda: read_once(X),
            "read": lambda: np.fromfile(file.name, X.dtype),
            "maps": lambda: feature_maps(X, BANDS),
        }
        seconds = interleaved(paths, rounds=7)
    return {
        "pixels": n_pixels,
        "dtype": np.dtype(dtype).name,
        "touch_ms": round(1e3 * seconds["touch"], 1),
        "read_ms": round(1e3 * seconds["read"], 1),
        "maps_ms": round(1e3 * seconds["maps"], 1),
        "times_touching": round(seconds["maps"] / seconds["touch"], 2),
        "times_reading": round(seconds["maps"] / seconds["read"], 2),
    }


def accuracy(snr_db: float, projected: bool, seed: int = 0) -> list[dict[str, Any]]:
    """Distance of noisy centres from noise-free ones, where the noise-free depth exceeds 0.05."""
    library = shipped_library()
    rng = np.random.default_rng(seed)
    rows = [i for i, s in enumerate(library.spectra) if np.isfinite(s[4:-4]).all()]
    E = values_on(library, BANDS, 8.5)[rng.permutation(rows)[:24]]
    keep_bands = np.isfinite(E).all(axis=0)
    E, x = E[:, keep_bands], BANDS[keep_bands]
    A = rng.dirichlet(np.full(len(E), 0.05), 20_000)
    clean = A @ E
    sigma = np.sqrt((clean**2).mean() / 10 ** (snr_db / 10))
    noisy = clean + sigma * rng.standard_normal(clean.shape)
    if projected:
        white = whitening(noisy, estimate_noise(noisy).sigma, 1)
        noisy = white.spectra(white.coordinates(noisy))
    truth = feature_maps(clean.astype(np.float32), x)
    level = None if projected else np.full(len(x), sigma)
    found = feature_maps(noisy.astype(np.float32), x, noise=level)
    answers = []
    for k, name in enumerate(MAPPED):
        deep = (truth.depth[:, k] > 0.05) & np.isfinite(truth.centre[:, k])
        told = deep & np.isfinite(found.centre[:, k])
        off = np.abs(found.centre[told, k] - truth.centre[told, k])
        answers.append(
            {
                "snr_db": snr_db,
                "projected": projected,
                "feature": name,
                "pixels": int(deep.sum()),
                "told": round(float(told.sum() / max(deep.sum(), 1)), 3),
                "median_nm": round(float(np.median(off)), 2) if told.any() else None,
                "within_3_nm": round(float((off <= 3).mean()), 3) if told.any() else None,
            }
        )
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=1_000_000)
    n_pixels = parser.parse_args().pixels
    announce()
    rows = [speed(n_pixels, dtype) for dtype in (np.float32, np.int16)]
    for snr_db in (20.0, 25.0, 30.0, 35.0):
        for projected in (False, True):
            rows += accuracy(snr_db, projected)
    keep("features", rows)


if __name__ == "__main__":
    main()
