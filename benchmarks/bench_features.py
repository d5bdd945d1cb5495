"""Feature maps against reading the cube once, and their centres on noisy spectra.

    python benchmarks/bench_features.py [--pixels 1000000]

"read" is reading the cube from a file that the system has in memory, "touch" adding up its values
where they lie already.

Bars: 10⁶ pixels × 285 bands in under 3 × the time of reading them (float32 and int16); centres
within 3 nm of the noise-free ones where the depth exceeds 0.05.

The centres are those of twelve materials at AHSI's bands, mixed in smooth fields under changing
illumination. A pixel at 20 dB has a tenth of its signal as noise in every band, and no feature of
5 % can be placed in it; so they are measured as the pixels are ("raw"), on the pixels' signal
subspace ("subspace"), and with alike patches of the image averaged there ("patches"; both by
`unmix.features.signal_of`).
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

import numpy as np
from common import announce, interleaved, keep, read_once
from scipy.ndimage import gaussian_filter

from unmix.features import MAPPED, feature_maps, signal_of
from unmix.identify import shipped_library
from unmix.resample import values_on

BANDS = np.linspace(381.0, 2493.0, 285)  # as many as EMIT has, 7.4 nm apart
MATERIALS = (
    "Walnut_Leaf SUN (Green)", "Grass_Golden_Dry GDS480", "Illite IMt-1.b <2um",
    "Sepiolite SepNev-1.AcB", "Dolomite HS102.3B", "Calcite WS272", "Jarosite GDS99 K 200C Syn",
    "Soil lrxnxx.006-", "Kaolinite CM9 (wxl)", "Chlorite SMR-13.b 60-104um", "Hematite FE2602",
    "Goethite MPCMA2-B FineGr adj",
)  # fmt: skip


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


def fields(rows: int, columns: int, n: int, seed: int) -> np.ndarray:
    """Abundances (row, column, member): smooth fields, one or two members in most pixels."""
    rng = np.random.default_rng(seed)
    G = gaussian_filter(rng.standard_normal((rows, columns, n)), (6, 6, 0))
    G = np.exp(2.5 * G / G.std())
    return G / G.sum(axis=-1, keepdims=True)


def image(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise-free pixels (row, column, band) and their wavelengths."""
    library = shipped_library()
    x = np.sort(np.concatenate([np.linspace(390, 1029, 150), np.linspace(1004, 2513, 180)]))
    E = values_on(library, x, np.where(x < 1016, 4.3, 8.4))
    E = E[[library.names.index(title) for title in MATERIALS]]
    kept = np.isfinite(E).all(axis=0)
    for low, high in ((1350, 1450), (1800, 1950)):
        kept &= (x < low) | (x > high)
    rng = np.random.default_rng(seed)
    shade = 1 + gaussian_filter(rng.standard_normal((96, 120)), 3)[..., None]
    return fields(96, 120, len(E), seed) @ E[:, kept] * shade, x[kept]


def accuracy(snr_db: float, seed: int = 0) -> list[dict[str, Any]]:
    """Distance of noisy centres from noise-free ones, where the noise-free depth exceeds 0.05."""
    clean, x = image(seed)
    sigma = np.sqrt((clean**2).mean() / 10 ** (snr_db / 10))
    noisy = clean + sigma * np.random.default_rng(seed + 1).standard_normal(clean.shape)
    flat = signal_of(noisy.reshape(-1, len(x))).reshape(clean.shape)
    truth, answers = feature_maps(clean.astype(np.float32), x), []
    for how, pixels in (("raw", noisy), ("subspace", flat), ("patches", signal_of(noisy))):
        level = np.full(len(x), sigma) if how == "raw" else None
        found = feature_maps(pixels.astype(np.float32), x, noise=level)
        for k, name in enumerate(MAPPED):
            deep = (truth.depth[..., k] > 0.05) & np.isfinite(truth.centre[..., k])
            told = deep & np.isfinite(found.centre[..., k])
            off = np.abs(found.centre[..., k] - truth.centre[..., k])[told]
            about = {"snr_db": snr_db, "pixels_are": how, "feature": name, "deep": int(deep.sum())}
            shares = {"told": told.sum() / deep.sum(), "within_3_nm": (off <= 3).mean()}
            shares["median_nm"] = np.median(off)
            answers.append(about | {key: round(float(v), 3) for key, v in shares.items()})
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=1_000_000)
    n_pixels = parser.parse_args().pixels
    announce()
    rows = [speed(n_pixels, dtype) for dtype in (np.float32, np.int16)]
    for snr_db in (20.0, 25.0, 30.0, 35.0):
        rows += accuracy(snr_db)
    keep("features", rows)


if __name__ == "__main__":
    main()
