"""Endmembers as CSV and as ENVI spectral library; provenance as JSON."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.types import Endmembers, Unmixing

FORMAT = 1  # of the folder; goes up when an older reader could no longer read it
DATA = (".tif", ".gpkg", ".csv", ".sli", ".hdr")  # what the manifest lists with its hash
MISSING = -9999.0  # a band without a value, in the spectral library


def write_csv(endmembers: Endmembers, path: Path) -> None:
    """One row a band, one column an endmember; an empty cell is a band that was left out."""
    _write_columns(path, endmembers, endmembers.names, endmembers.spectra)


def write_spread(endmembers: Endmembers, path: Path) -> None:
    """Standard deviation of each endmember, as `write_csv`; no file where it is unknown.

    A file of its own, so that every column of endmembers.csv is a spectrum to unmix with.
    """
    if endmembers.spread is not None:
        names = [f"{name} sd" for name in endmembers.names]
        _write_columns(path, endmembers, names, endmembers.spread)


def _write_columns(
    path: Path, endmembers: Endmembers, names: Sequence[str], columns: NDArray[Any]
) -> None:
    """Values (member, band) under `names`, after the wavelengths or the bands' numbers."""
    wavelength = endmembers.wavelength
    first = np.arange(1, columns.shape[1] + 1) if wavelength is None else wavelength
    head = "band" if wavelength is None else "wavelength_nm"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([head, *map(_defuse, names)])
        for row in zip(first, *columns, strict=True):
            writer.writerow(["" if np.isnan(v) else str(v) for v in row])


def read_csv(path: Path, output: Mapping[str, Any]) -> Endmembers:
    """Endmembers from endmembers.csv; `output` is the manifest's section of that name."""
    try:
        head, columns = _read_columns(path)
        dtype, first = (output.get(k, "float64") for k in ("dtype", "wavelength_dtype"))
        wavelength = np.array(columns[0], dtype=first) if head[0] == "wavelength_nm" else None
        spectra = np.array(columns[1:], dtype=dtype)
        names = tuple(_fuse(n) for n in head[1:])
        fwhm = None if output.get("fwhm") is None else np.array(output["fwhm"], dtype=np.float64)
        return Endmembers(spectra, wavelength, names, str(output.get("source", "")), fwhm)
    except (OSError, ValueError, IndexError, TypeError, csv.Error) as error:
        raise InputError(f"out: {path} cannot be read ({error}); run anew") from None


def read_spread(path: Path, endmembers: Endmembers) -> Endmembers:
    """The endmembers with their spread from endmembers_spread.csv, as they are without that file.

    The columns are in the order of endmembers.csv, whatever their names.
    """
    if not path.is_file():
        return endmembers
    try:
        _, columns = _read_columns(path)
        spread = np.array(columns[1:], dtype=endmembers.spectra.dtype)
        return dataclasses.replace(endmembers, spread=spread)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"out: {path} cannot be read ({error}); run anew") from None


def _read_columns(path: Path) -> tuple[list[str], list[list[float]]]:
    """Header and columns of a table; an empty cell is NaN."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = [row for row in csv.reader(file) if row]
    columns = [[float(v) if v.strip() else math.nan for v in c] for c in zip(*rows, strict=True)]
    return head, columns


def write_library(endmembers: Endmembers, path: Path) -> None:
    """ENVI spectral library: little-endian float32, one line an endmember, and its header."""
    members, bands = endmembers.spectra.shape
    good = np.isfinite(endmembers.spectra)
    np.where(good, endmembers.spectra, MISSING).astype("<f4").tofile(path)
    fields: dict[str, Any] = {
        "samples": bands,
        "lines": members,
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Spectral Library",
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        "data ignore value": MISSING,
        "spectra names": [re.sub(r"[{},]", " ", n) for n in endmembers.names],
    }
    if endmembers.wavelength is not None:
        fields |= {"wavelength units": "Nanometers", "wavelength": endmembers.wavelength}
    if endmembers.fwhm is not None:
        fields["fwhm"] = endmembers.fwhm
    fields["bbl"] = good.any(axis=0).astype(int)
    lines = ["ENVI"]
    for key, value in fields.items():
        many = isinstance(value, list | np.ndarray)
        lines.append(f"{key} = {{{', '.join(map(str, value))}}}" if many else f"{key} = {value}")
    path.with_suffix(".hdr").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_manifest(result: Unmixing, path: Path, about: Mapping[str, Any] | None = None) -> None:
    """The provenance as it is, plus `output`: what the other files cannot say about themselves.

    `output.files` has name, size and SHA-256 of the maps and spectra that lie beside `path`;
    `about` is what else is to be said of them.
    """
    endmembers = result.endmembers
    output = {"format": FORMAT, "names": endmembers.names, "source": endmembers.source}
    output |= {"dtype": endmembers.spectra.dtype.name, "fwhm": endmembers.fwhm}
    if endmembers.wavelength is not None:
        output["wavelength_dtype"] = endmembers.wavelength.dtype.name
    output |= about or {}
    output["files"] = _data_files(path.parent)
    manifest = {**result.provenance, "output": output}
    text = json.dumps(json_safe(manifest), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _data_files(folder: Path) -> list[dict[str, Any]]:
    from unmix.output.zarr_maps import folder_hash
    from unmix.pipeline.provenance import hash_files

    data = sorted(p for p in folder.iterdir() if p.suffix in DATA)
    listed = [entry | {"path": Path(entry["path"]).name} for entry in hash_files(data)]
    groups = [folder_hash(p) for p in sorted(folder.glob("*.zarr"))]
    return sorted(listed + groups, key=lambda entry: str(entry["path"]))


def read_manifest(path: Path) -> dict[str, Any]:
    """The provenance and `output`; `InputError` when it is not unmix's."""
    try:
        manifest = json.loads(path.read_bytes())
        form = manifest["output"]["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"out: {path} was not written by unmix or is damaged; run anew") from None
    if form != FORMAT:
        raise InputError(
            f"out: {path} has format {form}, not {FORMAT}; use the unmix that wrote it"
        )
    return manifest


def json_safe(value: Any) -> Any:
    """`value` in JSON's own types: NaN and infinity become null, sets are sorted.

    >>> json_safe({"k": np.int64(3), "snr": np.array([1.5, np.nan]), "out": Path("a")})
    {'k': 3, 'snr': [1.5, None], 'out': 'a'}
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return json_safe(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return json_safe({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {plain(str(k), keep="\n\t"): json_safe(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return [json_safe(v) for v in sorted(value, key=str)]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [json_safe(v) for v in value]
    return plain(str(value), keep="\n\t")


def plain(text: str, keep: str = "") -> str:
    """`text` without control characters and lone surrogates, which no file format carries."""
    text = text.encode("utf-8", "replace").decode()
    bad = {"Cc", "Zl", "Zp"}
    return "".join(
        c if c in keep or (unicodedata.category(c) not in bad and c not in "\ufffe\uffff") else " "
        for c in text
    )


def _defuse(name: str) -> str:
    """A name no spreadsheet takes for a formula; `_fuse` is its inverse.

    >>> _defuse("=1+1"), _fuse(_defuse("=1+1")), _fuse(_defuse("'-a"))
    ("'=1+1", '=1+1', "'-a")
    """
    return f"'{name}" if re.match(r"'*[=+\-@]", name) else name


def _fuse(cell: str) -> str:
    return cell[1:] if re.match(r"'+[=+\-@]", cell) else cell
