"""Which scenes are meant: files and folders, patterns, STAC items; with a name each."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from unmix.checks import InputError
from unmix.io.envi import find_header
from unmix.io.files import read_head
from unmix.io.stac import is_stac, stac_scenes

__all__ = ["NAME", "Source", "named_apart", "sources_of"]

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}")
"""What a scene's folder may be called."""

_LONGEST = 80
_TAKEN = ("model", "summary.json", "summary.csv")  # names of our own beside the scenes'
_MOST = 100_000


class Source(NamedTuple):
    """A scene to be opened, and what it is called."""

    name: str
    path: Path


def sources_of(given: Sequence[Path], asset: str | None = None) -> list[Source]:
    """The scenes that the paths, patterns and STAC files mean, each once, in order.

    Parameters
    ----------
    given : sequence of path
        A pattern (``*``, ``?``, ``[...]``, ``**``) stands for what it matches, by name. Of an ENVI
        header and its data file the header is taken.
    asset : str, optional
        Key of the STAC asset that is the scene.

    Raises
    ------
    InputError
        Nothing there; a pattern that matches nothing; a STAC file that cannot be used.

    >>> sources_of([Path("no*such")])
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: no*such: matches nothing; check the pattern
    """
    found: dict[Path, Source] = {}
    listed = False
    for one in given:
        listed = listed or is_stac(one)
        for source in _meant(one, asset):
            found.setdefault(_identity(source.path), source)
            if len(found) > _MOST:
                raise InputError(f"scenes: more than {_MOST}; give fewer at a time")
    if asset is not None and not listed:
        raise InputError("asset: belongs to a STAC item or collection; leave it out")
    return list(found.values())


def named_apart(
    sources: Iterable[Source], known: Mapping[str, str] | None = None
) -> list[tuple[str, Source]]:
    """A folder name for every scene, no two alike even where case does not count.

    Parameters
    ----------
    known : mapping of str to str, optional
        Names that scenes have already, by their paths.

    >>> [n for n, _ in named_apart([Source("a b", Path("1")), Source("A_b", Path("2/x.tif"))])]
    ['a_b', 'A_b-2']
    """
    known = known or {}
    used = {name.lower() for name in (*_TAKEN, *known.values())}
    out = []
    for source in sources:
        name = known.get(str(source.path))
        if name is None:
            name = _free(_tidy(source.name), used)
            used.add(name.lower())
        out.append((name, source))
    return out


def _meant(one: Path, asset: str | None) -> list[Source]:
    text = str(one)
    if any(c in text for c in "*?[") and not _exists(one):
        matches = sorted(glob.glob(str(one.expanduser()), recursive=True))
        if not matches:
            raise InputError(f"{text}: matches nothing; check the pattern")
        return [s for match in matches for s in _meant(Path(match), asset)]
    read_head(one, 1, folder=True)
    if is_stac(one):
        return [Source(name, path) for name, path in stac_scenes(one, asset)]
    return [Source(one.resolve().stem if one.is_file() else one.resolve().name, one)]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _identity(path: Path) -> Path:
    """The same for an ENVI header and its data file."""
    whole = path.resolve()
    if whole.suffix.lower() != ".hdr" and whole.is_file():
        try:
            header = find_header(whole)
        except (InputError, OSError):
            header = None
        return whole if header is None else Path(header).resolve()
    return whole


def _tidy(name: str) -> str:
    """A name of letters, digits, '_', '-' and '.', which no folder of ours has.

    >>> _tidy("../é x.partial"), _tidy(".")
    ('x_partial', 'scene')
    """
    plain = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name).strip("._-")[:_LONGEST].rstrip(".")
    return re.sub(r"\.partial$", "_partial", plain, flags=re.IGNORECASE) or "scene"


def _free(name: str, used: set[str]) -> str:
    number, free = 1, name
    while free.lower() in used or free.lower().endswith(".partial"):
        number += 1
        free = f"{name}-{number}"
    return free
