"""Unfinished work in a folder: what it is, the fitted method, and the tiles that are done.

`job.json` says what the work is, so that nothing is continued with other settings; `model/` and
`fit.json` appear once the method is fitted; `tiles/` fills up. The folder lies beside the result
and goes when that is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmix.checks import InputError

__all__ = ["CARD", "Job", "discard", "is_started", "is_work", "memory_of", "work_folder"]

FORMAT = 2
CARD = "job.json"
_TILES, _FIT, _MODEL = "tiles.json", "fit.json", "model"
_OURS = {CARD, _TILES, _FIT, _MODEL, "tiles", "unread"}
_NOT_COMPARED = ("memory",)


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
    memory : int, optional
        Bytes that may be taken: remembered, since the sample of a scene depends on it.

    Raises
    ------
    InputError
        The folder holds other work, or some and nothing says what to do with it; it cannot be
        written.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        resume: bool,
        overwrite: bool = False,
        memory: int | None = None,
    ) -> None:
        self.folder = folder
        card = {"format": FORMAT, **about, "memory": memory}
        self.about = json.loads(json.dumps(card, default=_plain))
        found = _read(folder / CARD)
        if found is None and folder.exists():
            self._check_ours(resume, overwrite)
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
        except OSError as error:
            raise InputError(f"work: cannot write {folder} ({error.strerror})") from error
        if found is None:
            self._write(CARD, self.about)

    @property
    def started(self) -> bool:
        """Whether anything in it is worth going on with."""
        return is_started(self.folder)

    def fitted(self) -> tuple[Any, dict[str, Any]] | None:
        """The fitted method and what was decided; None if that is not there, or damaged."""
        kept = _read(self.folder / _FIT) or {}
        decisions = kept.get("decisions")
        if not isinstance(decisions, dict) or kept.get("digest") != self._digest(decisions):
            return None
        from unmix.pipeline.checkpoint import load_model

        return load_model(self.folder / _MODEL), decisions

    def keep_fit(self, estimator: Any, decisions: Mapping[str, Any]) -> None:
        """Keep the fitted method; `fit.json` comes last and says that it is whole.

        Tiles of an earlier fit, which was damaged, go.
        """
        from unmix.pipeline.checkpoint import save_model

        for name in (_FIT, _MODEL, "tiles", "unread"):
            _remove(self.folder / name)
        save_model(estimator, self.folder / _MODEL)
        plain = json.loads(json.dumps(decisions, default=_plain))
        self._write(_FIT, {"decisions": plain, "digest": self._digest(plain)})

    def tile_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of tiles: those the work was begun with, else `shape` from now on."""
        known = (_read(self.folder / _TILES) or {}).get("shape")
        if isinstance(known, list) and len(known) == 2 and all(type(n) is int for n in known):
            if min(known) > 0:
                return known[0], known[1]
        self._write(_TILES, {"shape": list(shape)})
        return shape

    def _digest(self, decisions: Mapping[str, Any]) -> str:
        """What tells a fit from a damaged one: of the decisions and the model's files."""
        found = hashlib.sha256(json.dumps(decisions, sort_keys=True).encode())
        try:
            for file in sorted((self.folder / _MODEL).iterdir()):
                found.update(file.name.encode() + file.read_bytes())
        except OSError:
            return ""
        return found.hexdigest()

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        try:
            _write(self.folder / name, value)
        except OSError as error:
            raise InputError(f"work: cannot write {self.folder} ({error.strerror})") from error

    def _check_ours(self, resume: bool, overwrite: bool) -> None:
        """`InputError` for a folder that is not ours, or is and is damaged."""
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            return
        if not _looks_ours(self.folder):
            raise InputError(f"work: {self.folder} exists and is no unfinished work; move it away")
        if resume and not overwrite:
            raise InputError(
                f"work: {self.folder} is damaged ({CARD} cannot be read); --overwrite starts anew"
            )

    def _check_same(self, found: Mapping[str, Any]) -> None:
        names = {*found, *self.about} - {*_NOT_COMPARED}
        other = sorted(k for k in names if found.get(k) != self.about.get(k))
        if other:
            raise InputError(
                f"resume: {self.folder} was begun with another {other[0].replace('_', '-')} "
                f"({found.get(other[0])!s:.60}); give the same, or --overwrite to start anew"
            )


def memory_of(folder: Path) -> int | None:
    """The memory that unfinished work was begun with.

    >>> memory_of(Path("no/such/folder")) is None
    True
    """
    memory = (_read(folder / CARD) or {}).get("memory")
    return memory if type(memory) is int and memory > 0 else None


def is_work(folder: Path) -> bool:
    """Whether a folder holds unfinished work.

    >>> is_work(Path("no/such/folder"))
    False
    """
    return _read(folder / CARD) is not None


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


def _looks_ours(folder: Path) -> bool:
    """Whether all that is in a folder has names of ours, the card among them."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    plain = {n for n in names if not n.startswith(".") and not n.endswith((".npy", ".zarr"))}
    return CARD in names and plain <= _OURS


def _read(file: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays, and tuples, as JSON has them."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _write(file: Path, value: Mapping[str, Any]) -> None:
    beside = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    try:
        beside.write_text(json.dumps(value, indent=1, default=_plain), encoding="utf-8")
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)
