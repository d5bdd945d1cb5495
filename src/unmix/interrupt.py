"""Ctrl-C as `KeyboardInterrupt`, but never where it would be lost.

Compiled modules that are interrupted while they start turn the interrupt into an `ImportError`, or
leave themselves half made and abort when the process ends; finalizers and what the compiler calls
back swallow it, with a traceback on the screen. There it waits until they are done.
"""

from __future__ import annotations

import signal
from types import FrameType

__all__ = ["ignore", "is_interrupted", "listen"]

_SOON = 0.01  # s, until another look
_state = {"interrupted": False}


def listen() -> None:
    """Heed Ctrl-C from now on, unless whoever started the process had it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def ignore() -> None:
    """Heed Ctrl-C no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def is_interrupted() -> bool:
    """Whether Ctrl-C was pressed: what fails after it, fails because of it."""
    return _state["interrupted"]


def _interrupt(_signal: int, frame: FrameType | None) -> None:
    _state["interrupted"] = True
    if hasattr(signal, "setitimer") and _must_wait(frame):
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, _SOON)
        return
    raise KeyboardInterrupt


def _must_wait(frame: FrameType | None) -> bool:
    while frame is not None:
        code = frame.f_code
        file, name = code.co_filename, code.co_name
        if file.startswith("<frozen importlib") or name == "__del__" or "llvmlite" in file:
            return True
        frame = frame.f_back
    return False
