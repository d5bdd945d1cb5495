"""A Dask cluster: one that is running, or worker processes started here; what is asked of it."""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import unmix
from unmix.checks import InputError
from unmix.parallel import n_threads
from unmix.tiles.execution import Execution

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

__all__ = ["Lost", "check_sees", "connected", "dashboard"]

_ANSWER = 10  # seconds a scheduler has to answer
_WORKERS = 20  # seconds its first worker has to appear
_THREADS = (
    *("UNMIX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    "NUMBA_NUM_THREADS",
)


class Lost(InputError):
    """The cluster is gone: whatever else is handed to it would fail as well."""


@contextmanager
def connected(execution: Execution) -> Iterator[Client | None]:
    """A client of the cluster asked for, or of one that is started here; None for threads.

    Worker processes started here have so many threads for BLAS and compiled kernels that all of
    them together have those of this process. They end with it, whatever ends it.

    Raises
    ------
    InputError
        No scheduler at that address, one without workers, or workers of other versions.
    """
    if not execution.several or execution.client is not None:
        yield execution.client
        return
    from distributed import Client

    for name in [n for n in logging.root.manager.loggerDict if n.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said in our own lines
    if execution.scheduler is not None:
        client = _client_of(execution.scheduler)
        with _closing(client):
            _check_workers(client, execution.scheduler)
            yield client
        return
    cluster = _started(execution.workers)
    try:
        client = Client(cluster, set_as_default=False)
    except BaseException:
        _end(cluster)
        raise
    with _closing(client, cluster):
        yield client


def dashboard(client: Client | None) -> str:
    """Where a cluster can be watched, or why it cannot; empty for threads."""
    if client is None:
        return ""
    if importlib.util.find_spec("bokeh") is None and client.cluster is not None:
        return "none: it needs bokeh (pip install bokeh)"
    with suppress(Exception):  # what a dashboard's address is made of is not ours
        return str(client.dashboard_link or "none")
    return "none"


def check_sees(client: Client, files: Sequence[Path]) -> None:
    """`InputError` unless every worker has these files under the same paths."""
    for worker, missing in _answers(client, _missing, [str(file) for file in files]):
        if isinstance(missing, BaseException):
            reason = " ".join(str(missing).split())[:100]
            raise InputError(f"scheduler: worker {worker} cannot look ({reason}); restart it")
        if missing:
            raise InputError(
                f"scheduler: worker {worker} does not see {missing[0]}; give it the scene and the "
                "output folder under the same paths"
            )


def _client_of(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=_ANSWER, set_as_default=False)
    except Exception as error:  # whatever stands in for a scheduler there
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"scheduler: no Dask scheduler answers at {address:.80} ({reason}); start one with "
            "dask scheduler"
        ) from None


def _check_workers(client: Client, address: str) -> None:
    """That there are workers, and that they run what this process runs."""
    try:
        client.wait_for_workers(1, timeout=_WORKERS)
    except TimeoutError:
        raise InputError(
            f"scheduler: {address} has no workers; start some with dask worker {address}"
        ) from None
    here = _versions()
    for worker, there in _answers(client, _versions):
        if isinstance(there, BaseException):
            reason = " ".join(str(there).split())[:100]
            raise InputError(
                f"scheduler: worker {worker} cannot run unmix ({reason}); install unmix "
                f"{unmix.__version__} where it runs"
            )
        other = [name for name in here if there.get(name) != here[name]]
        if other:
            name = other[0]
            raise InputError(
                f"scheduler: worker {worker} has {name} {there.get(name)}, here it is "
                f"{here[name]}; install the same"
            )


def _answers(
    client: Client, question: Callable[..., Any], *arguments: Any
) -> Iterator[tuple[str, Any]]:
    """What each worker answers, or the error it ends in; one that is gone does not answer."""
    workers = list(client.nthreads())
    asked = [
        client.submit(question, *arguments, workers=[worker], pure=False) for worker in workers
    ]
    for worker, future in zip(workers, asked, strict=True):
        try:
            yield worker, future.result(timeout=_ANSWER)
        except (TimeoutError, CancelledError):
            continue
        except Exception as error:  # whatever an installation that is not ours ends in
            yield worker, error


def _versions() -> dict[str, str]:
    import distributed
    import numpy

    python = ".".join(platform.python_version_tuple()[:2])
    return {
        "unmix": unmix.__version__, "Python": python, "distributed": distributed.__version__,
        "numpy": numpy.__version__,
    }  # fmt: skip


def _missing(files: Sequence[str]) -> list[str]:
    return [file for file in files if not Path(file).exists()]


def _started(n: int) -> LocalCluster:
    from distributed import LocalCluster

    share = dict.fromkeys(_THREADS, str(max(1, n_threads() // n)))
    return LocalCluster(
        n_workers=n, threads_per_worker=1, memory_limit=0, env=share,
        dashboard_address="127.0.0.1:0",
    )  # fmt: skip


@contextmanager
def _closing(client: Client, cluster: LocalCluster | None = None) -> Iterator[None]:
    """Close both; at once, and without waiting, where the user interrupts."""
    try:
        yield
    except KeyboardInterrupt:
        if cluster is not None:
            _end(cluster)
        raise
    except BaseException:
        _close(client, cluster)
        raise
    _close(client, cluster)


def _close(client: Client, cluster: LocalCluster | None) -> None:
    for one in (client, cluster):
        if one is not None:
            with suppress(Exception):  # what is gone already is closed
                one.close(timeout=5)


def _end(cluster: Any) -> None:
    """Kill the workers of a cluster of ours."""
    for nanny in list(cluster.workers.values()):
        nanny.auto_restart = False
        if nanny.pid:
            with suppress(OSError):
                os.kill(nanny.pid, signal.SIGKILL)
    threading.Thread(target=cluster.close, kwargs={"timeout": 1}, daemon=True).start()
