"""Many scenes in one job: a result folder each, and a summary that is true at every moment.

`OUT/summary.json` names every scene with its state from the start on and is replaced as scenes
finish; it says `complete` only when none is left. A result folder appears whole or not at all, so
what is finished is what `--resume` skips. One cluster serves all scenes.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmix.checks import InputError
from unmix.pipeline.sources import NAME, Source, named_apart
from unmix.tiles.execution import Execution
from unmix.tiles.job import discard, is_started, work_folder
from unmix.tiles.lock import clear

if TYPE_CHECKING:
    import xarray as xr

    from unmix.types import Unmixing

__all__ = ["MODEL", "Record", "Summary", "is_summary", "work_through"]

FORMAT = 1
MODEL = "model"
"""Folder of the model that all scenes share."""

_CARD, _TABLE = "summary.json", "summary.csv"
_HERE = 2**14  # pixels up to which handing out tiles takes longer than working at them
_SELDOM = 20  # times as long as it takes to write the summary it is left as it is
_LARGEST = 2**28  # bytes of a summary

Open = Callable[[Path], "xr.DataArray"]
Unmix = Callable[["xr.DataArray", Execution], "Unmixing"]
Save = Callable[["Unmixing", Path], None]


@dataclass
class Record:
    """What became of a scene.

    Parameters
    ----------
    scene : str
        The file.
    folder : str
        Of the result, within OUT.
    status : {"waiting", "done", "failed"}
    pixels, k, residual : optional
        Unmixed pixels, number of endmembers, median reconstruction RMSE [reflectance].
    warnings : list of str
    seconds : float
    error : str
        Why it failed; empty if it did not.
    """

    scene: str
    folder: str
    status: str = "waiting"
    pixels: int | None = None
    k: int | None = None
    residual: float | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""


class Summary:
    """The state of all scenes, in OUT/summary.json and OUT/summary.csv.

    Parameters
    ----------
    out : path
        The folder of the job.
    sources : sequence of Source
    settings : mapping
        All that shapes results, as JSON takes it.
    resume, overwrite : bool

    Raises
    ------
    InputError
        OUT holds something else, other work, or some and nothing says what to do with it.
    """

    def __init__(
        self,
        out: Path,
        sources: Sequence[Source],
        settings: Mapping[str, Any],
        *,
        resume: bool,
        overwrite: bool,
    ) -> None:
        self.out = out.expanduser().absolute()
        self.settings = json.loads(json.dumps(settings, default=str))
        before = _read(self.out / _CARD)
        self._check(before, resume, overwrite)
        keep = before if resume and not overwrite else None
        old = {r.scene: r for r in _records(keep)}
        names = named_apart(
            [Source(s.name, _path(s)) for s in sources], {k: r.folder for k, r in old.items()}
        )
        fresh = {str(s.path): Record(str(s.path), name) for name, s in names}
        self.records = [old.get(scene, record) for scene, record in fresh.items()]
        self.before = [] if keep else _records(before)
        self.new = before is None

    def start(self) -> None:
        """Begin: what an earlier job left is cleared away if it is to be overwritten."""
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            for record in self.before:
                for folder in (self.out / record.folder, work_folder(self.out / record.folder)):
                    _clear(folder)
            if self.before and (self.out / MODEL / "model.json").is_file():
                shutil.rmtree(self.out / MODEL)
        except OSError as error:
            raise InputError(f"out: cannot write {self.out} ({error.strerror})") from None
        self.write(False)

    def withdraw(self) -> None:
        """Leave nothing of a job that failed before its first scene."""
        if self.new:
            for name in (_CARD, _TABLE):
                (self.out / name).unlink(missing_ok=True)
            with suppress(OSError):  # something else is in it
                self.out.rmdir()

    def write(self, complete: bool) -> None:
        """Replace both files."""
        failed = sum(r.status == "failed" for r in self.records)
        done = sum(r.status == "done" for r in self.records)
        card = {
            "format": FORMAT, "complete": complete, "scenes": len(self.records), "done": done,
            "failed": failed, "settings": self.settings,
            "results": [_finite(asdict(r)) for r in self.records],
        }  # fmt: skip
        table = io.StringIO()
        columns = list(asdict(self.records[0]))
        rows = csv.DictWriter(table, columns, lineterminator="\n")
        rows.writeheader()
        for record in self.records:
            row = _finite(asdict(record)) | {"warnings": len(record.warnings)}
            rows.writerow({k: _cell(v) for k, v in row.items()})
        try:
            _replace(self.out / _TABLE, table.getvalue())
            _replace(self.out / _CARD, json.dumps(card, indent=1, allow_nan=False))
        except OSError as error:
            raise InputError(
                f"out: cannot write {self.out} ({error.strerror}); --resume goes on"
            ) from None

    def _check(self, before: dict[str, Any] | None, resume: bool, overwrite: bool) -> None:
        if before is None:
            if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
                raise InputError(
                    f"out: {self.out} exists and holds no job of several scenes; choose another"
                )
            return
        if not (resume or overwrite):
            raise InputError(
                f"out: {self.out} holds a job of {len(_records(before))} scenes; --resume goes on "
                "with it, --overwrite starts anew"
            )
        known = before.get("settings")
        if overwrite or not isinstance(known, dict):
            return
        other = [k for k in {*known, *self.settings} if known.get(k) != self.settings.get(k)]
        if other:
            name = min(other)
            raise InputError(
                f"resume: {self.out} was begun with another {name.replace('_', '-')} "
                f"({known.get(name)!s:.60}); give the same, or --overwrite to start anew"
            )


def work_through(
    summary: Summary,
    execution: Execution,
    *,
    opened: Open,
    unmix: Unmix,
    save: Save,
    told: Callable[[Record], None],
) -> list[Record]:
    """Unmix every scene that is not done; a scene that fails is recorded and the others go on.

    Parameters
    ----------
    summary : Summary
        Started.
    execution : Execution
        Of each scene; its `client` is used for all, and with `strict` the first failure ends the
        job.
    opened, unmix, save : callable
        Open a file; unmix what was opened; write the result into a folder.
    told : callable
        Called with each record when its scene is over, and those that were done before.

    Raises
    ------
    InputError
        Something that would stop every other scene as well: no space left, a cluster that is gone.
    """
    from unmix.output import is_result

    due = 0.0
    for record in summary.records:
        folder = summary.out / record.folder
        if is_result(folder) and record.status == "done":
            discard(work_folder(folder))
            told(record)
            continue
        start, record.error, record.status = time.perf_counter(), "", "waiting"
        try:
            _one(record, folder, execution, opened, unmix, save)
        except Exception as error:
            if _stops_all(error) or not isinstance(error, _REPORTED):
                raise
            record.status, record.error = "failed", _line(error)
        record.seconds = round(time.perf_counter() - start, 3)
        if time.perf_counter() >= due:  # of very many scenes the summary is large
            began = time.perf_counter()
            summary.write(False)
            due = time.perf_counter() + _SELDOM * (time.perf_counter() - began)
        told(record)
        if record.status == "failed" and execution.strict:
            summary.write(False)
            break
    else:
        summary.write(True)
    return summary.records


_REPORTED = (
    ValueError,
    ArithmeticError,
    OSError,
    RuntimeError,
    MemoryError,
    LookupError,
    TypeError,
)


def _one(
    record: Record, folder: Path, execution: Execution, opened: Open, unmix: Unmix, save: Save
) -> None:
    """One scene: opened, unmixed, saved; its unfinished work kept beside it meanwhile."""
    from unmix.output import is_result

    clear(folder)
    scene, work = opened(Path(record.scene)), work_folder(folder)
    how = replace(execution, work=work)
    if scene.sizes["y"] * scene.sizes["x"] <= _HERE:
        how = replace(how, workers=1, scheduler=None, client=None)
    try:
        result = unmix(scene, how)
        if not is_result(folder):  # finished, but killed before the summary knew
            save(result, folder)
    except Exception:
        if not is_started(work):
            discard(work)
        raise
    discard(work)
    about = result.provenance
    record.pixels = about["pixels"]["total"] - about["pixels"]["masked"]
    record.k = about["n_endmembers"]["k"]
    record.residual = float(result.residual.sel(quantity="rmse").median())
    record.warnings, record.status = list(map(str, about["warnings"])), "done"


def is_summary(out: Path) -> bool:
    """Whether a folder holds a job of several scenes.

    >>> is_summary(Path("no/such/folder"))
    False
    """
    return _read(out.expanduser() / _CARD) is not None


def _stops_all(error: BaseException) -> bool:
    """No space left, or no cluster: the next scene would end in the same way."""
    from unmix.tiles.runner import Lost

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return True
        if isinstance(cause, Lost):
            return True
        cause = cause.__cause__
    return False


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


def _path(source: Source) -> Path:
    return source.path.expanduser().absolute()


def _records(card: Mapping[str, Any] | None) -> list[Record]:
    """The records in a summary; what is damaged, or names no folder of OUT, is left out."""
    found: Any = None if card is None else card.get("results")
    return list(_usable(found if isinstance(found, list) else ()))


def _usable(found: Sequence[Any]) -> Iterator[Record]:
    for one in found:
        with suppress(TypeError, KeyError, AttributeError):
            record = Record(**one)
            named = isinstance(record.scene, str) and NAME.fullmatch(record.folder)
            if named and record.status in ("waiting", "done", "failed"):
                yield record


def _clear(folder: Path) -> None:
    """Remove a result or unfinished work, and nothing that is not."""
    from unmix.output import check_out, is_result

    discard(folder)
    if is_result(folder):
        check_out(folder, True)
        shutil.rmtree(folder)


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and v - v != 0 else v for k, v in row.items()}


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return f"'{value}"
    return value


def _read(file: Path) -> dict[str, Any] | None:
    try:
        if file.stat().st_size > _LARGEST:
            return None
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("results"), list) else None


def _replace(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)
