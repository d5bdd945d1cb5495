"""A benchmark from its name: choose the suite, run it, write tables, figures and the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unmix.benchmark.case import Suite
from unmix.benchmark.nae import nae
from unmix.benchmark.paper import paper
from unmix.benchmark.real import real
from unmix.benchmark.runner import Progress, run_jobs
from unmix.benchmark.store import Store
from unmix.checks import InputError, check_option
from unmix.pipeline.provenance import code

__all__ = ["SUITES", "benchmark"]

SUITES: dict[str, Callable[..., Suite]] = {"paper": paper, "nae": nae, "real": real}
SEEDS = 5


def benchmark(
    suite: str,
    out: str | Path,
    *,
    data: str | Path | None = None,
    quick: bool = False,
    seeds: int | None = None,
    methods: Sequence[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Run a suite into a folder, or go on where an earlier call ended.

    Parameters
    ----------
    suite : {"paper", "nae", "real"}
    out : path-like
    data : path-like, optional
        Folder with samson/, jasper/, urban/ and usgs/; what is not there is skipped.
    quick : bool
        Minutes instead of hours: smaller scenes, one seed, shortened training.
    seeds : int, optional
        By default 5, quick 1. A later call may ask for more.
    methods : sequence of str, optional
        Names in `settings.NAMES`; all by default.
    overwrite : bool
        Start anew in a folder that holds results.
    progress : callable, optional
        Called with what runs and the fraction done.

    Returns
    -------
    list of Path
        The files made from the results.

    Raises
    ------
    InputError
        An argument out of range, a folder that holds other things, or no data at all.
    """
    check_option(suite, tuple(SUITES), "suite")
    n = seeds if seeds is not None else (1 if quick else SEEDS)
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 1000:
        raise InputError(f"seeds: got {n!r}; give a whole number from 1 to 1000")
    folder = None if data is None else Path(data)
    if folder is not None and not folder.is_dir():
        raise InputError(f"data: {folder} is no folder; give the one that holds the data sets")
    made = SUITES[suite](folder, seeds=n, quick=quick, methods=methods)
    if not made.jobs:
        raise InputError(f"data: nothing to run. {' | '.join(made.skipped)}")
    store = Store(Path(out), {"suite": suite, "quick": quick}, overwrite=overwrite)
    store.write("manifest.json", _manifest(made, quick, n))
    run_jobs(made, store, progress)
    from unmix.benchmark.page import write

    return write(Path(out))


def _manifest(suite: Suite, quick: bool, seeds: int) -> dict[str, Any]:
    """What shaped the numbers."""
    return {
        "suite": suite.name,
        "quick": quick,
        "seeds": seeds,
        "methods": list(dict.fromkeys(job.method for job in suite.jobs)),
        "parameters": {job.method: dict(job.parameters) for job in suite.jobs if job.parameters},
        "protocol": suite.protocol,
        "skipped": suite.skipped,
        **code(0),
    }
