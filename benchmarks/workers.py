"""Worker processes against one, on methods that compute; what a killed worker costs.

    python benchmarks/workers.py [--rows 400] [--cols 300] [--bands 120] [--workers 1,2,4]
        [--methods edaa,vca-khype,cresdae] [--rounds 3]

A scene in memory-mapped ENVI is cut into bands of rows which go to one, two, four worker processes
of one thread each (`unmix.tiles.runner`), interleaved; the fit, the same for all, is not timed. In
the last row of a method one of two workers is killed at half time. Rows go to
benchmarks/results/workers.jsonl.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from common import keep, scene
from distributed import Client, LocalCluster

from unmix.methods import METHODS
from unmix.pipeline.ready import Ready, make_ready
from unmix.pipeline.tiled import work_of
from unmix.scene import open_scene
from unmix.tiles.cluster import connected
from unmix.tiles.cut import cut
from unmix.tiles.execution import Execution
from unmix.tiles.job import Job
from unmix.tiles.runner import carry_out
from unmix.tiles.store import FolderStore
from unmix.tiles.work import Work

QUICK: dict[str, dict[str, Any]] = {
    "cresdae": {"preset": "paper", "epochs": 1, "pretrain_epochs": 0},
}
TILES = 16


def write_scene(folder: Path, rows: int, cols: int, bands: int) -> Path:
    X, _ = scene(rows * cols, bands, 5)
    X.reshape(rows, cols, bands).astype("<f4").tofile(folder / "scene.img")
    (folder / "scene.hdr").write_text(
        f"ENVI\nsamples = {cols}\nlines = {rows}\nbands = {bands}\nheader offset = 0\n"
        "data type = 4\ninterleave = bip\nbyte order = 0\n"
    )
    return folder / "scene.hdr"


def fitted(ready: Ready, name: str) -> Work:
    method = METHODS[name](n_endmembers=5, scale="none", seed=0, **QUICK.get(name, {}))
    decisions = {"method": {"name": name}, "scale": {"mode": "none"}}
    estimator = method.fit(ready.seen_by(method))
    return work_of(ready, estimator, decisions, features=False, seed=0)


def seconds(work: Work, n: int, folder: Path, client: Any, kill: bool = False) -> float:
    """Time for all tiles by the workers of a client."""
    place = Path(tempfile.mkdtemp(dir=folder))
    Job(place, {}, resume=False)
    rows, cols = work.scene.shape[:2]
    store = FolderStore(place, (rows, cols), work.layers)
    left = [kill]

    def tell(done: float, words: str) -> None:
        if left[0] and done > 0.5:
            left[0] = False
            os.kill(next(iter(client.cluster.workers.values())).pid, signal.SIGKILL)

    start = time.perf_counter()
    tiles = cut((rows, cols), -(-rows // TILES))
    carry_out(work, tiles, store, Execution(workers=n, work=place, client=client), tell, client)
    return time.perf_counter() - start


@contextmanager
def processes(n: int, folder: Path) -> Iterator[Any]:
    """A client of n worker processes of one thread; of one, too, which `--workers 1` has not."""
    if n > 1:
        with connected(Execution(workers=n, work=folder)) as client:
            yield client
        return
    threads = {"UNMIX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit=0, env=threads, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def measured(work: Work, name: str, counts: list[int], rounds: int, folder: Path) -> list[Any]:
    """A row a number of workers, and one with a worker killed."""
    taken: dict[str, list[float]] = {}
    for number in range(rounds + 1):  # the first compiles
        for n in counts:
            for kill in (False, True) if n == 2 else (False,):
                with processes(n, folder) as client:
                    seconds(work, n, folder, client)  # every worker has loaded everything
                    one = seconds(work, n, folder, client, kill)
                if number:
                    taken.setdefault(f"{n} workers{', one killed' if kill else ''}", []).append(one)
    base = float(np.median(taken[f"{counts[0]} workers"]))
    return [
        {
            "method": name, "what": what, "pixels": work.scene.shape[0] * work.scene.shape[1],
            "bands": work.scene.shape[2], "seconds": round(float(np.median(all_)), 3),
            "times_as_fast": round(base / float(np.median(all_)), 3), "rounds": rounds,
        }
        for what, all_ in taken.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--cols", type=int, default=300)
    parser.add_argument("--bands", type=int, default=120)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--methods", default="edaa,vca-khype,cresdae")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    os.environ["UNMIX_THREADS"] = "1"  # one thread a worker, also where there is one worker
    counts = [int(n) for n in wanted.workers.split(",")]
    with tempfile.TemporaryDirectory(prefix="unmix-workers-") as name:
        folder = Path(name)
        ready = make_ready(open_scene(write_scene(folder, wanted.rows, wanted.cols, wanted.bands)))
        for method in wanted.methods.split(","):
            keep("workers", measured(fitted(ready, method), method, counts, wanted.rounds, folder))


if __name__ == "__main__":
    main()
