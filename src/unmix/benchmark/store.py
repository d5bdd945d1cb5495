"""The results folder: rows as they come, arrays of the first seed, what was asked for.

A row is written when its run has ended; a folder can be taken up again at any moment. A run in
which the process died is told by the marker it leaves: it is tried once more, then it is a row that
says so.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError

__all__ = ["Store"]

ATTEMPTS = 2  # a run that failed twice is not tried again
_OWN = {
    "results.jsonl", "results.csv", "summary.json", "tables.md", "cost.md", "index.html",
    "figures", "runs", "scenes", "manifest.json", "running.json",
}  # fmt: skip


class Store:
    """Rows and arrays under a folder.

    Parameters
    ----------
    out : path
    about : mapping
        What decides the numbers ("suite", "quick"); a folder made with others is not taken up.
    overwrite : bool
        Start anew.

    Raises
    ------
    InputError
        The folder holds other things, or results of another kind.
    """

    def __init__(self, out: Path, about: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.out = out
        self.rows: dict[str, dict[str, Any]] = {}
        self.attempts: dict[str, int] = {}
        self._take_up(about, overwrite)
        try:
            for folder in (out / "runs", out / "scenes"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"out: cannot make {out} ({error.strerror}); choose another") from None

    def _take_up(self, about: Mapping[str, Any], overwrite: bool) -> None:
        """Read what is there, or clear it."""
        out = self.out
        if not out.exists():
            return
        if not out.is_dir() or {p.name for p in out.iterdir()} - _OWN:
            raise InputError(f"out: {out} holds other things; choose another folder")
        if overwrite:
            for item in out.iterdir():
                shutil.rmtree(item) if item.is_dir() else item.unlink()
            return
        found = self._json("manifest.json")
        differing = [k for k, v in about.items() if found and found.get(k) != v]
        if differing:
            k = differing[0]
            raise InputError(
                f"out: {out} holds results with {k} {found.get(k)!r}, asked for is {about[k]!r}; "
                "add --overwrite or choose another folder"
            )
        for line in self._lines():
            self._note(line)
        self._after_death()

    def _after_death(self) -> None:
        """A marker left behind is a run during which the process ended."""
        marker = self._json("running.json")
        if not marker or marker.get("key") in self.finished():
            return
        row = marker["row"] | {
            "status": "failed",
            "message": "the process ended during this run (killed, or out of memory)",
        }
        self.add(marker["key"], row)

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.out / name).read_text()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            if name == "running.json":
                return {}
            raise InputError(f"{self.out / name}: damaged; add --overwrite to start anew") from None

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Whole lines of the results; one cut off by the end of a process is dropped."""
        path = self.out / "results.jsonl"
        if not path.is_file():
            return
        kept = []
        for line in path.read_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and "key" in row:
                kept.append(line)
                yield row
        part = path.with_name(".results.jsonl")
        part.write_text("".join(f"{line}\n" for line in kept))
        part.replace(path)

    def _note(self, row: dict[str, Any]) -> None:
        key = row["key"]
        self.rows[key] = row
        self.attempts[key] = self.attempts.get(key, 0) + 1

    def finished(self) -> set[str]:
        """Keys of runs that are not to be tried (again)."""
        return {
            key
            for key, row in self.rows.items()
            if row["status"] == "ok" or self.attempts[key] >= ATTEMPTS
        }

    def add(self, key: str, row: Mapping[str, Any]) -> None:
        """Write a row to disk."""
        full = {"key": key, **row}
        with (self.out / "results.jsonl").open("a") as file:
            file.write(json.dumps(full, ensure_ascii=False, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._note(full)

    def keep(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Write arrays as name.npz; the path, relative to the folder."""
        path = self.out / f"{name}.npz"
        part = path.with_name(f".{path.name}")
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        part.replace(path)
        return f"{name}.npz"

    def write(self, name: str, value: Any) -> None:
        """Write a value as JSON, beside and renamed."""
        part = self.out / f".{name}"
        part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
        part.replace(self.out / name)

    @contextmanager
    def running(self, key: str, row: Mapping[str, Any]) -> Iterator[None]:
        """Mark a run; a process that dies inside leaves the mark, anything else takes it away."""
        self.write("running.json", {"key": key, "row": dict(row)})
        try:
            yield
        finally:
            (self.out / "running.json").unlink(missing_ok=True)
