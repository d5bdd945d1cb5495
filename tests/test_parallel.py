"""Slices of pixels on threads: every pixel once, whatever the number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.parallel import n_threads, one_blas_thread, over_pixels


@pytest.mark.parametrize(
    ("wanted", "got"), [("1", 1), ("3", 3), ("007", 7), ("9999", 256), ("256", 256)]
)
def test_the_environment_says_how_many(monkeypatch, wanted, got):
    monkeypatch.setenv("UNMIX_THREADS", wanted)
    assert n_threads() == got


@pytest.mark.parametrize("wanted", ["", "0", "-1", "abc", "1.5", "²", "9" * 5000, " "])
def test_anything_else_means_the_processors(monkeypatch, wanted):
    monkeypatch.setenv("UNMIX_THREADS", wanted)
    assert n_threads() == len(os.sched_getaffinity(0))


def test_without_affinity(monkeypatch):
    monkeypatch.delenv("UNMIX_THREADS", raising=False)
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert n_threads() == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 20_000), st.integers(1, 9))
def test_every_pixel_once(n_pixels, threads):
    seen = np.zeros(n_pixels, int)

    def kernel(start: int, stop: int) -> int:
        seen[start:stop] += 1
        return stop - start

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNMIX_THREADS", str(threads))
        assert over_pixels(kernel, n_pixels) == n_pixels
    assert (seen == 1).all()


def test_several_threads_do_the_work(monkeypatch):
    monkeypatch.setenv("UNMIX_THREADS", "2")
    both = threading.Barrier(2, timeout=20)
    names = set()

    def kernel(start: int, stop: int) -> int:
        if start == 0 or start == 1000:
            both.wait()
        names.add(threading.current_thread().name)
        return 0

    over_pixels(kernel, 8000)
    assert all(name.startswith("unmix") for name in names)


def test_few_pixels_stay_where_they_are(monkeypatch):
    monkeypatch.setenv("UNMIX_THREADS", "4")
    calls = []
    over_pixels(lambda start, stop: calls.append((start, stop, threading.get_ident())) or 0, 2047)
    assert calls == [(0, 2047, threading.get_ident())]


def test_an_error_in_a_kernel_is_not_lost(monkeypatch):
    monkeypatch.setenv("UNMIX_THREADS", "2")

    def kernel(start: int, stop: int) -> int:
        if stop == 9000:
            raise FloatingPointError("here")
        return 0

    with pytest.raises(FloatingPointError, match="here"):
        over_pixels(kernel, 9000)
    assert over_pixels(lambda start, stop: stop - start, 9000) == 9000


def test_from_several_threads_at_once(monkeypatch):
    monkeypatch.setenv("UNMIX_THREADS", "2")
    with ThreadPoolExecutor(4) as callers:
        sizes = list(callers.map(lambda n: over_pixels(lambda a, b: b - a, n), range(5000, 5016)))
    assert sizes == list(range(5000, 5016))


def test_after_a_fork():
    code = (
        "import os; from unmix.parallel import over_pixels\n"
        "count = lambda a, b: b - a\n"
        "assert over_pixels(count, 9000) == 9000\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if over_pixels(count, 9000) == 9000 else 1)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    environment = {**os.environ, "UNMIX_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)


def test_one_blas_thread_is_taken_back():
    from threadpoolctl import threadpool_info

    def blas() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    np.eye(3) @ np.eye(3)
    before = blas()
    with one_blas_thread():
        assert set(blas()) <= {1}
    assert blas() == before
