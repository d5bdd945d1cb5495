"""Where a network computes, and how much of the data goes there at a time.

A GPU's memory is shared with whoever else uses it: what is free is asked for, a batch that does not
fit all the same is halved, and only a batch that cannot be halved any more is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from unmix.checks import InputError

__all__ = [
    "exact",
    "fitting",
    "free_memory",
    "in_halves",
    "no_room",
    "one_torch_thread",
    "pick_device",
    "resident",
    "usable_device",
]

_SHARE = 0.5  # of the free memory that one batch may take: the rest is for what is not counted


def pick_device(device: str) -> torch.device:
    """Device from its name; "auto" is the GPU where there is one that works.

    Raises
    ------
    InputError
        A name torch does not know, or a device that is not there.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return usable_device("cuda") if torch.cuda.is_available() else torch.device("cpu")
    if not _works(device):
        raise InputError(f"device: {device!r} is not available here; use auto or cpu")
    return torch.device(device)


def usable_device(device: str) -> torch.device:
    """`pick_device`, and the CPU where that device is not there: for a model made elsewhere.

    >>> usable_device("no such thing")
    device(type='cpu')
    """
    if device == "auto":
        return pick_device(device)
    return torch.device(device if _works(device) else "cpu")


def _works(device: str) -> bool:
    """Whether torch can put a number there."""
    try:
        torch.empty(1, device=torch.device(device))
    except torch.OutOfMemoryError:  # it is there, and full
        return True
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):
        return False
    return True


def free_memory(device: torch.device) -> int | None:
    """Bytes free on a GPU, those torch holds without using them included; None for the CPU.

    >>> free_memory(torch.device("cpu")) is None
    True
    """
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)


def fitting(device: torch.device, bytes_each: int, most: int) -> int:
    """How many items of so many bytes to put through at a time: from 1 to `most`.

    >>> fitting(torch.device("cpu"), 4000, 2048)
    2048
    """
    free = free_memory(device)
    return most if free is None else max(1, min(most, int(_SHARE * free) // max(bytes_each, 1)))


def no_room(device: torch.device, what: str) -> InputError:
    """The one line for a device whose memory does not hold even `what`."""
    free = free_memory(device)
    left = "" if free is None else f" ({free / 2**20:.0f} MiB free)"
    return InputError(f"device: {device.type} has no memory for {what}{left}; use --device cpu")


def in_halves(
    step: Callable[[int, int], object],
    n: int,
    batch: int,
    *,
    least: int = 1,
    device: torch.device,
    what: str = "items",
) -> int:
    """Call `step(start, stop)` over [0, n); where memory runs out, again with half of the batch.

    A step that ran out of memory is repeated, so it must set its part of the answer, not add to it.

    Returns
    -------
    batch : int
        The size it ended with.

    Raises
    ------
    InputError
        A batch of `least` does not fit.

    >>> done = []
    >>> def step(start, stop):
    ...     if stop - start > 3:
    ...         raise torch.OutOfMemoryError
    ...     done.append((start, stop))
    >>> in_halves(step, 5, 8, device=torch.device("cpu"))
    2
    >>> done
    [(0, 2), (2, 4), (4, 5)]
    """
    start = 0
    while start < n:
        stop = min(start + batch, n)
        if _fits(step, start, stop):
            start = stop
            continue
        batch = stop - start  # the last batch may be smaller than the others
        if batch <= least:
            raise no_room(device, f"{batch} {what} at a time")
        batch = max(batch // 2, least)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return batch


def _fits(step: Callable[[int, int], object], start: int, stop: int) -> bool:
    """Whether a step had memory enough. Its tensors are gone when this returns."""
    try:
        step(start, stop)
    except torch.OutOfMemoryError:
        return False
    return True


def resident(values: Tensor, device: torch.device) -> Tensor:
    """Training data on the device where half of its free memory holds them, else where they are.

    >>> resident(torch.ones(3), torch.device("cpu")).device
    device(type='cpu')
    """
    free = free_memory(device)
    if free is not None and values.numel() * values.element_size() > _SHARE * free:
        return values
    try:
        return values.to(device)
    except torch.OutOfMemoryError:
        return values


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Convolutions on a GPU in float32 proper, by algorithms that give the same bytes each time.

    Left alone, cuDNN rounds their factors to 10 bits, and answers differ from the CPU's by 1e-3.

    >>> with exact(torch.device("cpu")):
    ...     pass
    """
    if device.type != "cuda":
        yield
        return
    enabled = torch.backends.cudnn.enabled
    with torch.backends.cudnn.flags(enabled=enabled, deterministic=True, allow_tf32=False):
        yield


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """A context in which torch's operations stay on the thread that calls them.

    For work that is on all threads already. torch's own threads meet after every operation and spin
    while they wait, which on a machine with other work costs a hundredfold.

    >>> before = torch.get_num_threads()
    >>> with one_torch_thread():
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    torch.get_num_threads()  # a new thread takes over torch's number now, not in the middle
    with _openmp().limit(limits=1):
        yield


@cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")
