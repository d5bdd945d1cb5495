"""Run a compiled kernel over slices of pixels on several threads.

The kernels release the interpreter lock, so plain threads are enough: no threading layer to
configure, safe inside Dask workers, and the answer does not depend on how pixels are cut.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from typing import TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["beside", "n_threads", "one_blas_thread", "over_items", "over_pixels"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_MOST = 256  # threads
_SMALL = 2048  # pixels below which one thread is faster than the hand-over


def n_threads() -> int:
    """Threads to use: UNMIX_THREADS, else the processors this process may run on.

    >>> n_threads() >= 1
    True
    """
    wanted = os.environ.get("UNMIX_THREADS", "")
    if wanted.isdecimal() and len(wanted) < 5 and int(wanted) > 0:
        return min(int(wanted), _MOST)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """A context in which BLAS and LAPACK stay on one thread.

    A few hundred rows gain nothing from more, and threads that spin while they wait cost a
    hundredfold on a machine that is shared.

    >>> with one_blas_thread():
    ...     pass
    """
    return _controller().limit(limits=1, user_api="blas")


_here = threading.local()  # `busy` on the threads of a pool: they hand nothing on


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    mark = partial(setattr, _here, "busy", True)
    return ThreadPoolExecutor(size, thread_name_prefix="unmix", initializer=mark)


def _workers() -> int:
    return 1 if getattr(_here, "busy", False) else n_threads()


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: the child makes its own
    os.register_at_fork(after_in_child=_pool.cache_clear)


def over_pixels(kernel: Callable[[int, int], int], n_pixels: int) -> int:
    """Call `kernel(start, stop)` over [0, n_pixels) in one slice a thread; sum of its returns.

    On a thread of `over_items` it is called there, once.

    >>> over_pixels(lambda start, stop: stop - start, 10_000)
    10000
    """
    workers = _workers()
    if workers == 1 or n_pixels < _SMALL:
        return kernel(0, n_pixels)
    pieces = workers * 4  # a few a thread, so that an uneven scene does not leave one waiting
    cuts = [n_pixels * i // pieces for i in range(pieces + 1)]
    return sum(_pool(workers).map(kernel, cuts[:-1], cuts[1:]))


def over_items(function: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Answers of `function` for each item, on all threads, in the items' order.

    For runs of a method, and parts of a scene; what they would do on all threads they do on theirs.

    >>> over_items(lambda i: i * i, [1, 2, 3])
    [1, 4, 9]
    """
    workers = _workers()
    if workers == 1 or len(items) < 2:
        return [function(item) for item in items]
    return list(_pool(workers).map(function, items))


@contextmanager
def beside(task: Callable[[], object]) -> Iterator[None]:
    """Carry out `task` on a thread while the block runs; both are over at its end.

    What fails in either is raised. Warnings are ignored meanwhile: their filters are one for all
    threads, and libraries that set and restore them would do so across each other.

    >>> done = []
    >>> with beside(lambda: done.append(1)):
    ...     pass
    >>> done
    [1]
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(1, thread_name_prefix="unmix") as pool:
        warnings.simplefilter("ignore")
        over = pool.submit(task)
        yield
        over.result()
