"""Unfinished work in a folder: what it is, the fitted method, and the tiles that are done.

`job.json` says what the work is, so that nothing is continued with other settings; `model/` and
`fit.json` appear once the method is fitted; `tiles/` fills up. The folder lies beside the result
and goes when that is written.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmix.checks import InputError

__all__ = ["Job", "discard", "is_started", "is_work", "work_folder"]

FORMAT = 1
_CARD, _TILES, _FIT, _MODEL = "job.json", "tiles.json", "fit.json", "model"


def work_folder(out: Path) -> Path:
    """Where the unfinished work for a result folder is kept.

    >>> work_folder(Path("maps/scene1")).name
    'scene1.partial'
    """
    path = out.expanduser().absolute()
    return path.with_name(f"{path.name}.partial")


class Job:
    """One scene's unfinished work.

    Parameters
    ----------
    folder : path
    about : mapping
        Everything that shapes the result, as JSON takes it.
    resume, overwrite : bool
        Go on with what the folder holds, if it is the same work, or start anew.

    Raises
    ------
    InputError
        The folder holds other work, or some and nothing says what to do with it; it cannot be
        written.
    """

    def __init__(
        self, folder: Path, about: Mapping[str, Any], *, resume: bool, overwrite: bool = False
    ) -> None:
        self.folder = folder
        self.about = json.loads(json.dumps({"format": FORMAT, **about}, default=_plain))
        found = _read(folder / _CARD) if folder.exists() else None
        if found is None and folder.exists() and any(folder.iterdir()):
            raise InputError(f"work: {folder} exists and is no unfinished work; move it away")
        if found is not None and not (resume or overwrite) and self.started:
            raise InputError(
                f"work: {folder} holds interrupted work; --resume goes on with it, --overwrite "
                "starts anew"
            )
        if found is not None and resume and not overwrite:
            self._check_same(found)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            found = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if found is None:
                _write(folder / _CARD, self.about)
        except OSError as error:
            raise InputError(f"work: cannot write {folder} ({error.strerror})") from None

    @property
    def started(self) -> bool:
        """Whether anything in it is worth going on with."""
        return is_started(self.folder)

    def fitted(self) -> tuple[Any, dict[str, Any]] | None:
        """The fitted method and what was decided; None if it did not get so far."""
        decisions = _read(self.folder / _FIT)
        if decisions is None:
            return None
        from unmix.pipeline.checkpoint import load_model

        return load_model(self.folder / _MODEL), decisions

    def keep_fit(self, estimator: Any, decisions: Mapping[str, Any]) -> None:
        """Keep the fitted method; `fit.json` comes last and says that it is whole."""
        from unmix.pipeline.checkpoint import save_model

        try:
            shutil.rmtree(self.folder / _MODEL, ignore_errors=True)
            save_model(estimator, self.folder / _MODEL)
            _write(self.folder / _FIT, decisions)
        except OSError as error:
            raise InputError(f"work: cannot write {self.folder} ({error.strerror})") from None

    def tile_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of tiles: those the work was begun with, else `shape` from now on."""
        known = (_read(self.folder / _TILES) or {}).get("shape")
        if isinstance(known, list) and len(known) == 2 and all(type(n) is int for n in known):
            return known[0], known[1]
        _write(self.folder / _TILES, {"shape": list(shape)})
        return shape

    def _check_same(self, found: Mapping[str, Any]) -> None:
        other = sorted(k for k in {*found, *self.about} if found.get(k) != self.about.get(k))
        if other:
            raise InputError(
                f"resume: {self.folder} was begun with another {other[0].replace('_', '-')} "
                f"({found.get(other[0])!s:.60}); give the same, or --overwrite to start anew"
            )


def _read(file: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays, and tuples, as JSON has them."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _write(file: Path, value: Mapping[str, Any]) -> None:
    beside = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    try:
        beside.write_text(json.dumps(value, indent=1, default=_plain), encoding="utf-8")
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def is_work(folder: Path) -> bool:
    """Whether a folder holds unfinished work.

    >>> is_work(Path("no/such/folder"))
    False
    """
    return _read(folder / _CARD) is not None


def is_started(folder: Path) -> bool:
    """Whether a folder holds unfinished work that is worth going on with.

    >>> is_started(Path("no/such/folder"))
    False
    """
    return is_work(folder) and (folder / _FIT).is_file()


def discard(folder: Path) -> None:
    """Remove unfinished work, and nothing that is not.

    >>> discard(Path("no/such/folder"))
    """
    if is_work(folder):
        shutil.rmtree(folder, ignore_errors=True)
