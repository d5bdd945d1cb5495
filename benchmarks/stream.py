"""A scene larger than memory: speed against reading and writing alone, and memory taken.

    python benchmarks/stream.py FOLDER [--rows 2900] [--cols 2760] [--bands 200] [--dtype float32]
        [--memory 1GB] [--interleave bip] [--limit 2GB] [--cold] [--features]

Makes a scene (five spectra in smooth maps, 30 dB; kept in FOLDER), then runs in turn, each in a
process of its own: reading every value, a few rows at a time, and writing every raster of the
result again as a Cloud Optimized GeoTIFF, with GDAL's driver, as strongly compressed ("alone"); and
`unmix run --endmembers`. Peak memory is that of the process without the pages of files; with
`--limit` both run under that hard limit on data (RLIMIT_DATA). With `--cold` the system forgets the
scene before each run, which then comes from the disk. The rows go to
benchmarks/results/stream.jsonl.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from common import keep

from unmix.io.library import write_csv
from unmix.tiles.memory import parse_memory
from unmix.types import Endmembers

K = 5
STEP = 32  # rows at a time
TYPES = {"int16": 2, "float32": 4}


def main() -> None:
    """Make the scene, run, print and keep a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=2900)
    parser.add_argument("--cols", type=int, default=2760)
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--dtype", choices=TYPES, default="float32")
    parser.add_argument("--interleave", choices=("bip", "bil", "bsq"), default="bip")
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--limit", default="")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--features", action="store_true")
    parser.add_argument("--cold", action="store_true")
    arguments = parser.parse_args()
    scene, spectra = make(arguments)
    out, rasters = arguments.folder / "out", arguments.folder / "rasters"
    command = [sys.executable, "-m", "unmix", "run", str(scene), "--endmembers", str(spectra)]
    command += ["--method", "vca-fcls", "--scale", "none", "--memory", arguments.memory]
    command += ["-o", str(out), "--overwrite"]
    command += [] if arguments.features else ["--no-features"]
    timed(command, arguments.limit)
    take_out(out, rasters)
    alone, ours = [], []
    for _ in range(arguments.repeats):
        for times, what in (
            (alone, [sys.executable, __file__, "--alone", str(scene), str(rasters)]),
            (ours, command),
        ):
            if arguments.cold:
                forget(scene)
            times.append(timed(what, arguments.limit))
    row = {
        "benchmark": "stream", "dtype": arguments.dtype, "interleave": arguments.interleave,
        "shape": [arguments.rows, arguments.cols, arguments.bands],
        "cold": arguments.cold, "memory": arguments.memory, "limit": arguments.limit,
        "alone_s": [round(a[0], 2) for a in alone], "unmix_s": [round(o[0], 2) for o in ours],
        "speed": round(np.median([a[0] for a in alone]) / np.median([o[0] for o in ours]), 3),
        "alone_mb": round(max(a[1] for a in alone) / 1e6),
        "unmix_mb": round(max(o[1] for o in ours) / 1e6),
    }  # fmt: skip

    keep("stream", [row])


def make(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """The scene as ENVI, and its spectra; made once."""
    rows, cols, bands = arguments.rows, arguments.cols, arguments.bands
    name = f"{arguments.dtype}-{arguments.interleave}-{rows}x{cols}x{bands}"
    header, spectra = arguments.folder / f"{name}.hdr", arguments.folder / f"{bands}.csv"
    if header.exists() and spectra.exists():
        return header, spectra
    arguments.folder.mkdir(parents=True, exist_ok=True)
    nm = np.linspace(400, 2450, bands)
    centres = np.linspace(500, 2300, K)
    E = 0.15 + 0.5 * np.exp(-0.5 * ((nm - centres[:, None]) / 300) ** 2)
    write_csv(Endmembers(E, nm), spectra, overwrite=True)
    rng = np.random.default_rng(0)
    coarse = rng.standard_normal((K, rows // 40 + 3, cols // 40 + 3))
    axes = {"bip": (0, 1, 2), "bil": (0, 2, 1), "bsq": (2, 0, 1)}[arguments.interleave]
    size = {"bip": (rows, cols, bands), "bil": (rows, bands, cols), "bsq": (bands, rows, cols)}
    shape = size[arguments.interleave]
    file = np.memmap(header.with_suffix(".img"), arguments.dtype, "w+", shape=shape)
    view = file.transpose(np.argsort(axes))
    for top in range(0, rows, 20):
        block = slice(top, min(top + 20, rows))
        y, x = np.arange(block.start, block.stop) / 40, np.arange(cols) / 40
        A = np.exp(2 * _smooth(coarse, y, x))
        A /= A.sum(axis=-1, keepdims=True)
        X = (A @ E).astype(np.float32)
        X += np.float32(0.01) * rng.standard_normal(X.shape, np.float32)
        view[block] = np.rint(X * 10_000) if arguments.dtype == "int16" else X
    file.flush()
    code = 2 if arguments.dtype == "int16" else 4
    lines = ["ENVI", f"samples = {cols}", f"lines = {rows}", f"bands = {bands}"]
    lines += [f"data type = {code}", f"interleave = {arguments.interleave}", "byte order = 0"]
    lines += ["wavelength units = Nanometers", f"wavelength = {{{', '.join(map(str, nm))}}}"]
    if arguments.dtype == "int16":
        lines.append("reflectance scale factor = 10000")
    header.write_text("\n".join(lines) + "\n")
    return header, spectra


def _smooth(coarse: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear between the points of a coarse grid: (y, x, member)."""
    i, j = y.astype(int), x.astype(int)
    v, u = (y - i)[:, None, None], (x - j)[None, :, None]
    grid = np.moveaxis(coarse, 0, -1)
    top = grid[i][:, j] * (1 - u) + grid[i][:, j + 1] * u
    return top * (1 - v) + (grid[i + 1][:, j] * (1 - u) + grid[i + 1][:, j + 1] * u) * v


def alone(scene: str, result: str) -> None:
    """Read every value of the scene, and write every raster of the result again."""
    import rasterio
    import rasterio.shutil

    from unmix.scene import open_scene

    opened = open_scene(scene)
    for top in range(0, opened.shape[0], STEP):
        opened[top : top + STEP].values.sum()
    for path in sorted(Path(result).glob("*.npy")):
        values = np.load(path, mmap_mode="r")
        count, rows, cols = values.shape
        plain, final = path.with_suffix(".plain.tif"), path.with_suffix(".tif")
        options = {"count": count, "height": rows, "width": cols, "dtype": values.dtype}
        options |= {"tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "pixel"}
        with rasterio.open(plain, "w", driver="GTiff", **options) as file:
            for top in range(0, rows, STEP):
                part = values[:, top : top + STEP]
                file.write(part, window=((top, top + part.shape[1]), (0, cols)))
        rasterio.shutil.copy(
            plain, final, driver="COG", compress="DEFLATE", level=1, predictor="YES", num_threads=2
        )
        plain.unlink()
        final.unlink()


def take_out(result: Path, folder: Path) -> None:
    """The rasters of a result as arrays, for `alone` to write."""
    import rasterio

    folder.mkdir(exist_ok=True)
    for path in result.glob("*.tif"):
        with rasterio.open(path) as raster:
            np.save(folder / f"{path.stem}.npy", raster.read())


def forget(scene: Path) -> None:
    """Have the system drop the scene's pages, so that they are read from the disk."""
    file = os.open(scene.with_suffix(".img"), os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def timed(command: list[str], limit: str) -> tuple[float, int]:
    """Seconds, and the most memory that no file backs."""

    def limited() -> None:
        if limit:
            size = parse_memory(limit)
            resource.setrlimit(resource.RLIMIT_DATA, (size, size))

    start = time.perf_counter()
    process = subprocess.Popen(command, preexec_fn=limited, stdout=subprocess.DEVNULL)
    peak = [0]

    def watch() -> None:
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            for line in status.splitlines():
                if line.startswith("RssAnon:"):
                    peak[0] = max(peak[0], 1024 * int(line.split()[1]))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    taken = time.perf_counter() - start
    watcher.join()
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return taken, peak[0]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # that rasters lie nowhere on the ground
    if sys.argv[1:2] == ["--alone"]:
        alone(*sys.argv[2:4])
    else:
        main()
