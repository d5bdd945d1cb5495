"""The first look at any file a user names."""

from __future__ import annotations

from pathlib import Path

from unmix.checks import InputError

__all__ = ["printable", "read_head"]


def read_head(path: Path, n_bytes: int = 1024, *, folder: bool = False) -> bytes:
    """The first bytes of a file that must be there, be a file, and be readable.

    With `folder`, a folder may be named as well and has none.

    Raises
    ------
    InputError
        No such file, a folder, a pipe or device, or no right to read it.

    >>> read_head(Path("no such file"))
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: no such file: no such file; check the path
    """
    try:
        path.stat()
        if path.is_dir():
            if folder:
                return b""
            raise InputError(f"{path}: is a folder; give a file in it")
        if not path.is_file():
            raise InputError(f"{path}: is no regular file; give one")
        with path.open("rb") as file:
            return file.read(n_bytes)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise InputError(f"{str(path)!r:.200}: cannot be read ({reason}); check it") from None


def printable(text: str | None, most: int = 40) -> str:
    r"""The printable beginning of a text that a file holds, in one line.

    >>> printable(" 2022-06-15\x1b[2J 12:04 ", 16)
    '2022-06-15[2J 12'
    """
    return "".join(c for c in " ".join((text or "").split()) if c.isprintable())[:most]
