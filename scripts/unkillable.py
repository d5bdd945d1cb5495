"""Kill -9 at random moments, resume, compare with an undisturbed run byte for byte.

    python scripts/unkillable.py [--runs 20] [--seed 0] [--rows 160] [--method vca-fcls]

Who is killed takes turns: the process, one of its workers, the scheduler of a cluster, the process
of a job of three scenes. Each run is disturbed up to twice before it is left to finish. While it is
down, what lies at OUT must be nothing or a whole result. Manifests and reports, which hold dates
and timings, are not compared. Ends with 1 if any file differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from unmix.output import is_result, load

VICTIMS = ("process", "worker", "scheduler", "job")
NOT_COMPARED = ("manifest.json", "report.html", "summary.json", "summary.csv")
_ATTEMPTS = 8
DASK = [sys.executable, "-m", "dask"]


def write_scene(path: Path, rows: int, seed: int) -> Path:
    """Three smooth spectra in a noisy mixture with a gap, as ENVI."""
    cols, bands, k = 71, 40, 3
    rng, t = np.random.default_rng(seed), np.linspace(0, 1, 40)
    E = [0.15 + 0.3 * np.exp(-(((t - c) / 0.15) ** 2)) + 0.1 * t * c for c in (0.1, 0.5, 0.9)]
    A = rng.dirichlet(np.full(k, 0.5), (rows, cols))
    A.reshape(-1, k)[:k] = np.eye(k)
    cube = (A @ np.stack(E) + 1e-3 * rng.standard_normal((rows, cols, bands))).astype("<f4")
    cube[rows // 3 : rows // 2, 10:31] = -9999
    path.with_suffix(".img").write_bytes(cube.tobytes())
    path.write_text(
        f"ENVI\nsamples = {cols}\nlines = {rows}\nbands = {bands}\nheader offset = 0\n"
        "data type = 4\ninterleave = bip\nbyte order = 0\ndata ignore value = -9999\n"
        "map info = {UTM, 1, 1, 4e5, 5e6, 30, 30, 33, North, WGS-84}\n"
    )
    return path


class Disturbed:
    """One run that is killed, resumed and compared."""

    def __init__(self, scenes: list[Path], method: str, chance: random.Random) -> None:
        self.scenes, self.method, self.chance = scenes, method, chance

    def command(self, out: Path, victim: str, address: str | None, resume: bool) -> list[str]:
        """The command line of a run."""
        scenes = self.scenes if victim == "job" else self.scenes[:1]
        more = ["--workers", "2"] if victim == "worker" else []
        more += ["--scheduler", address] if address else []
        more += ["--resume"] if resume else []
        words = ["run", *map(str, scenes), "-o", str(out), "-k", "3", "--method", self.method]
        return [sys.executable, "-m", "unmix", *words, "--tile-rows", "7", "--no-identify", *more]

    def once(self, out: Path, victim: str, longest: float) -> int:
        """Disturb a run up to twice, then let it finish; how often something was killed."""
        kills = 0
        for attempt in range(_ATTEMPTS):
            disturb = kills < 2 and attempt < _ATTEMPTS - 1
            with cluster(victim == "scheduler") as (scheduler, address):
                run = subprocess.Popen(
                    self.command(out, victim, address, out.exists() or attempt > 0),
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                    start_new_session=True,
                )  # fmt: skip
                if disturb:
                    time.sleep(longest * self.chance.uniform(0.2, 0.9))
                    kills += kill(victim, run, scheduler, self.chance)
                error = run.communicate(timeout=300)[1]
            check_whole(out, victim)
            if run.returncode == 0:
                if kills:
                    return kills
                shutil.rmtree(out)  # it was faster: once more
                longest *= 0.8
            if not disturb:
                raise SystemExit(f"FAILED: {victim}: resuming ended with {run.returncode}: {error}")
        raise SystemExit(f"FAILED: {victim}: never finished")


def kill(victim: str, run: subprocess.Popen[str], scheduler: int, chance: random.Random) -> int:
    """SIGKILL to one of those that take part; whether it was there."""
    pids = [run.pid]
    if victim == "scheduler":
        pids = [scheduler]
    if victim == "worker":
        pids = [pid for pid in children(run.pid) if "spawn_main" in words_of(pid)]
    if not pids or run.poll() is not None:
        return 0
    with suppress(ProcessLookupError):
        os.kill(chance.choice(pids), signal.SIGKILL)
        return 1
    return 0


def children(pid: int) -> list[int]:
    """Processes started by any thread of a process."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def words_of(pid: int) -> str:
    """The command line of a process."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


@contextmanager
def cluster(wanted: bool) -> Iterator[tuple[int, str | None]]:
    """A scheduler and two workers, as started by hand."""
    if not wanted:
        yield 0, None
        return
    folder = Path(tempfile.mkdtemp(prefix="unmix-cluster-"))
    card = folder / "scheduler.json"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [*DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
         "--scheduler-file", str(card)], cwd=folder, **quiet,
    )  # fmt: skip
    while not card.is_file():
        time.sleep(0.1)
    workers = [
        subprocess.Popen(
            [*DASK, "worker", "--scheduler-file", str(card), "--nthreads", "1", "--no-dashboard",
             "--death-timeout", "20"], cwd=folder, env=os.environ | {"UNMIX_THREADS": "1"}, **quiet,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        yield scheduler.pid, json.loads(card.read_text())["address"]
    finally:
        for process in (*workers, scheduler):
            process.terminate()
        for process in (*workers, scheduler):
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def check_whole(out: Path, victim: str) -> None:
    """What looks like a result is one."""
    several = victim == "job" and out.is_dir()
    folders = [path for path in out.iterdir() if path.is_dir()] if several else [out]
    for folder in folders:
        unfinished = folder.suffix == ".partial" or folder.name.startswith(".")
        if not unfinished and folder.exists() and any(folder.iterdir()):
            if not is_result(folder):
                raise SystemExit(f"FAILED: {folder} looks finished and is not")
            load(folder)


def differing(out: Path, reference: Path) -> list[str]:
    """Files of either folder that the other lacks or has otherwise."""
    names = {str(p.relative_to(f)) for f in (out, reference) for p in f.rglob("*") if p.is_file()}
    names = {name for name in names if Path(name).name not in NOT_COMPARED}
    return sorted(n for n in names if read(out / n) != read(reference / n))


def read(path: Path) -> bytes | None:
    """A file's bytes; None where there is none."""
    return path.read_bytes() if path.is_file() else None


def main() -> None:
    """Run, compare, print a line a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--method", default="vca-fcls")
    parser.add_argument("--victims", default=",".join(VICTIMS))
    wanted = parser.parse_args()
    victims = wanted.victims.split(",")
    with tempfile.TemporaryDirectory(prefix="unmix-unkillable-") as name:
        top = Path(name)
        scenes = [write_scene(top / f"scene{i}.hdr", wanted.rows + i, i) for i in range(3)]
        chance = random.Random(wanted.seed)
        disturbed = Disturbed(scenes, wanted.method, chance)
        longest = {}
        for victim in ("process", "job"):
            command = disturbed.command(top / f"reference-{victim}", victim, None, False)
            for last in (False, True):  # the second time everything is compiled
                start = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                longest[victim] = time.perf_counter() - start
                if not last:
                    shutil.rmtree(top / f"reference-{victim}")
        bad = 0
        for number in range(wanted.runs):
            victim = victims[number % len(victims)]
            out, kind = top / f"out{number}", "job" if victim == "job" else "process"
            kills = disturbed.once(out, victim, longest[kind])
            other = differing(out, top / f"reference-{kind}")
            left = [
                p.name
                for p in [*top.iterdir(), *out.iterdir()]
                if p.name.startswith((".unmix", f"{out.name}.")) or p.suffix == ".partial"
            ]
            bad += bool(other or left)
            print(
                f"{number:3d} {victim:<9} {kills} kills, differing {other}, left over {left}",
                flush=True,
            )
            shutil.rmtree(out)
    print(f"{wanted.runs - bad} of {wanted.runs} runs equal")
    raise SystemExit(bad > 0)


if __name__ == "__main__":
    main()
