"""One process at a time for a result folder; what a killed one left beside it is cleared away."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unmix.checks import InputError

__all__ = ["alone", "clear", "lock_file", "temporary_name"]

_TRIES = 10


def temporary_name(out: Path, token: str) -> str:
    """The name, beside `out`, under which it is written: plain, whatever `out` is called.

    >>> temporary_name(Path("maps/out"), "0123456789ab")
    '.unmix-762069bc-0123456789ab'
    """
    return f".unmix-{_digest(out)}-{token}"


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold a result folder for this process, and clear away what a killed one left beside it.

    The lock is the system's, so it goes with the process however that ends. Where the file system
    has none, the folder is not held.

    Raises
    ------
    InputError
        Another process works at it; there is no place for it.

    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "out"
    >>> with alone(out):
    ...     with alone(out):
    ...         pass
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: out: another process works at ...; wait for it, or choose another ...
    """
    path = out.expanduser().resolve()
    made = [parent for parent in path.parents if not parent.exists()]
    file = lock_file(path)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held = _held(file, path)
        except OSError as error:
            raise InputError(
                f"out: cannot write in {path.parent} ({error.strerror}); choose another folder"
            ) from None
        try:
            clear(path)
            yield
        finally:
            if held is not None:
                file.unlink(missing_ok=True)
                os.close(held)
    finally:
        for parent in made:  # stays if anything is in it
            with suppress(OSError):
                parent.rmdir()


def lock_file(out: Path) -> Path:
    """The file that is locked while a result is worked at.

    >>> lock_file(Path("maps/out")).name
    '.unmix-762069bc.lock'
    """
    path = out.expanduser().resolve()
    return path.with_name(f".unmix-{_digest(path)}.lock")


def _digest(out: Path) -> str:
    return hashlib.sha256(os.fsencode(out.name)).hexdigest()[:8]


def _held(file: Path, path: Path) -> int | None:
    """A locked file that is still the one of that name; None where nothing can be locked."""
    try:
        import fcntl
    except ImportError:  # no POSIX system
        return None
    for _ in range(_TRIES):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        except FileNotFoundError:  # whoever held it took it away in between
            pass
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise InputError(
                    f"out: another process works at {path}; wait for it, or choose another folder"
                ) from None
            with suppress(OSError):
                file.unlink()
            return None
        os.close(descriptor)
    return None


def clear(out: Path) -> None:
    """Remove temporary folders of a result, which nobody writes any more.

    >>> clear(Path("no/such/out"))
    """
    path = out.expanduser().resolve()
    if not path.parent.is_dir():
        return
    form = re.compile(re.escape(temporary_name(path, "")) + "[0-9a-f]{12}")
    for one in path.parent.iterdir():
        if form.fullmatch(one.name) and one.is_dir() and not one.is_symlink():
            shutil.rmtree(one, ignore_errors=True)
