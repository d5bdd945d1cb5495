"""Spectral libraries and endmember files: read any, write CSV and ENVI.

    file → Raw (what it says) → rules of `unmix.io.raw` → Endmembers (nm, fraction, sorted)

The format is told by suffix and content, never by unpickling.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from unmix.checks import InputError
from unmix.io.ecostress import is_ecostress, merge, read_ecostress
from unmix.io.mat_library import read_mat_library
from unmix.io.raw import Raw, to_endmembers
from unmix.io.sli import find_sli, read_sli, sli_files
from unmix.io.table import read_table, read_text
from unmix.resample import resample
from unmix.types import Endmembers

__all__ = ["read_endmembers", "select_members", "write_csv", "write_sli"]

MAX_FILES = 10_000


def read_endmembers(
    path: str | Path | Sequence[str | Path],
    *,
    members: Sequence[str] | str | None = None,
    grid: ArrayLike | None = None,
    scale: float | None = None,
    like: tuple[float, float] | None = None,
) -> Endmembers:
    r"""Read spectra from a CSV, ENVI .sli, ECOSTRESS text or .mat file.

    Wavelengths come back in nm and sorted, reflectance as a fraction, missing values as NaN; what
    was changed is said in `source`. Several ECOSTRESS files, or a folder of them, make one library
    on the union of their wavelengths, NaN where a spectrum was not measured.

    Parameters
    ----------
    path : path or sequence of paths
    members : sequence of str, or str with commas, optional
        The spectra to take, in this order: an exact name, or a part that occurs in one name only,
        upper or lower case.
    grid : array_like, optional
        Wavelengths in nm to interpolate onto.
    scale : float, optional
        Divide the values by this; by default the unit is told from the file (see `unmix.io.raw`).
    like : (divisor, level), optional
        The scene they are for, where its own scale is a guess (see `unmix.io.raw.to_endmembers`).

    Raises
    ------
    InputError
        Missing, unreadable, not a library, inconsistent, or a member that is not in it.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "lib.csv"
    >>> _ = path.write_text("wavelength_um,Clay,Green tree\n0.6,20,5\n2.2,30,10\n")
    >>> tree = read_endmembers(path, members=["tree"])
    >>> tree.names, tree.wavelength, tree.spectra
    (('Green tree',), array([ 600., 2200.]), array([[0.05, 0.1 ]]))
    >>> tree.source
    'lib.csv: 2 spectra; percent to fraction; micrometres to nm'
    """
    try:
        found = to_endmembers(_read(path), scale, like)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if members is not None:
        found = select_members(found, members)
    return found if grid is None else resample(found, grid)


def select_members(endmembers: Endmembers, members: Sequence[str] | str) -> Endmembers:
    """The spectra named, in the order given.

    Raises
    ------
    InputError
        None, one that is not there (the message lists close names) or one that fits several.

    >>> library = Endmembers(np.eye(3) + 0.1, names=("Soil 1", "Soil 2", "Calcite"))
    >>> select_members(library, "calcite, soil 2").names
    ('Calcite', 'Soil 2')
    """
    wanted = members.split(",") if isinstance(members, str) else [str(m) for m in members]
    wanted = [name.strip() for name in wanted if name.strip()]
    if not wanted:
        raise InputError("members: none given; name at least one spectrum")
    rows = [_find(name, endmembers.names) for name in wanted]
    twice = next((endmembers.names[r] for r in rows if rows.count(r) > 1), None)
    if twice is not None:
        raise InputError(f"members: {twice!r} is named twice; name each once")
    return replace(
        endmembers, spectra=endmembers.spectra[rows], names=tuple(endmembers.names[r] for r in rows)
    )


def _find(name: str, names: tuple[str, ...]) -> int:
    """The one name that is `name`, or that it is part of."""
    if name in names:
        return names.index(name)
    low = [n.lower() for n in names]
    for hits in (
        [i for i, n in enumerate(low) if n == name.lower()],
        [i for i, n in enumerate(low) if name.lower() in n],
    ):
        if len(hits) == 1:
            return hits[0]
        if hits:
            some = "; ".join(names[i] for i in hits[:6]) + ("; ..." if len(hits) > 6 else "")
            raise InputError(f"members: {name!r} fits {len(hits)} spectra ({some}); say which")
    close = difflib.get_close_matches(name.lower(), low, n=5, cutoff=0.4)
    listed = [names[low.index(c)] for c in close] or list(names[:8])
    what = "close ones are" if close else "it has"
    raise InputError(f"members: no spectrum {name!r}; {what} {'; '.join(listed)}")


def _read(path: str | Path | Sequence[str | Path]) -> Raw:
    """Dispatch on what the path is."""
    if not isinstance(path, (str, Path)):
        return _read_many([Path(p) for p in path], f"{len(path)} files")
    path = Path(path)
    if path.is_dir():
        files = sorted(p for p in path.glob("*.txt") if "ancillary" not in p.name)
        return _read_many(files, path.name)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a spectral library (CSV, .sli, .mat, .txt)")
    if path.suffix.lower() == ".mat":
        return read_mat_library(path)
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        pair = find_sli(path)
        if pair is not None:
            return read_sli(*pair)
    text = read_text(path)
    return read_ecostress(text, path.name) if is_ecostress(text) else read_table(text, path.name)


def _read_many(files: list[Path], name: str) -> Raw:
    """ECOSTRESS files as one library, brought to nm and fractions one by one."""
    if not files:
        raise InputError(f"{name}: no spectra in it; give a folder of ECOSTRESS .txt files")
    if len(files) > MAX_FILES:
        raise InputError(f"{name}: {len(files)} files; give at most {MAX_FILES}")
    read = []
    for file in files:
        text = read_text(file)
        if not is_ecostress(text):
            raise InputError(f"{file.name}: not an ECOSTRESS spectrum; give CSV libraries singly")
        one = to_endmembers(read_ecostress(text, file.name))
        read.append(Raw(file.name, one.spectra, one.names, one.wavelength, unit="nm", factor=1.0))
    return merge(read, name)


def write_csv(endmembers: Endmembers, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write `wavelength_nm` (or `band`) and a column a spectrum; NaN as an empty cell.

    Numbers are written in full: reading the file back gives the same values.

    Raises
    ------
    InputError
        The file is there and `overwrite` is False, or it cannot be written.
    """
    n_bands = endmembers.spectra.shape[1]
    axis = range(1, n_bands + 1) if endmembers.wavelength is None else endmembers.wavelength
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    first = "band" if endmembers.wavelength is None else "wavelength_nm"
    table.writerow([first, *(" ".join(name.split()) for name in endmembers.names)])
    for centre, values in zip(axis, endmembers.spectra.T, strict=True):
        table.writerow([_shortest(centre), *("" if np.isnan(v) else _shortest(v) for v in values)])
    (written,) = _write({Path(path): out.getvalue().encode()}, overwrite)
    return written


def write_sli(endmembers: Endmembers, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write an ENVI spectral library: `path` (.sli) and its header beside it (.hdr).

    NaN becomes -1.23e34, the header's `data ignore value`; a comma or brace in a name, which the
    header cannot hold, becomes a semicolon or parenthesis.

    Raises
    ------
    InputError
        A file is there and `overwrite` is False, or it cannot be written.
    """
    path = Path(path)
    data = path if path.suffix.lower() == ".sli" else path.with_name(path.name + ".sli")
    header, values = sli_files(endmembers)
    _write({data: values, data.with_suffix(".hdr"): header}, overwrite)
    return data


def _shortest(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return (
        np.format_float_positional(value, trim="-")
        if 1e-4 <= abs(value) < 1e6
        else repr(float(value))
    )


def _write(files: dict[Path, bytes], overwrite: bool) -> list[Path]:
    """Write each file beside its target, then rename all."""
    for path in files:
        if path.exists() and not overwrite:
            raise InputError(f"{path}: is there already; choose another name or allow overwriting")
    parts = {path.with_name(f".{os.getpid()}.{path.name}"): path for path in files}
    try:
        for part, path in parts.items():
            part.write_bytes(files[path])
        for part, path in parts.items():
            part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return list(files)
