"""Scenes listed by STAC: items, collections and catalogs in local JSON files.

A file is data from others: nothing is fetched, sizes and depths are limited, and what it names must
lie within the folder of the file that the user gave. Paths are relative to the file they stand in.

STAC 1.0 and 1.1: https://github.com/radiantearth/stac-spec.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from unmix.checks import InputError
from unmix.io.files import printable, read_head

__all__ = ["is_stac", "stac_scenes"]

_MOST_BYTES = 64 * 2**20
_MOST_ITEMS = 100_000
_MOST_FILES = 100_000
_DEEPEST = 8  # links from the file given to an item
_SCENES = (
    *(".tif", ".tiff", ".hdr", ".img", ".dat", ".bsq", ".bil", ".bip", ".mat", ".nc", ".nc4"),
    *(".h5", ".he5", ".hdf", ".hdf5", ".zarr", ".raw", ".xml"),
)
_NO_SCENE = {"thumbnail", "overview", "metadata", "visual", "snow-ice", "cloud", "data-mask"}
_LIKELY = ("reflectance", "data")  # roles, the better one first


@dataclass
class _Walk:
    """What was found and what is still allowed."""

    root: Path
    asset: str | None
    seen: set[Path] = field(default_factory=set)
    items: int = 0


def is_stac(path: Path) -> bool:
    """Whether a file is to be read as STAC: no scene is JSON.

    >>> is_stac(Path("item.json")), is_stac(Path("scene.hdr"))
    (True, False)
    """
    return path.suffix.lower() in (".json", ".geojson") and not path.is_dir()


def stac_scenes(path: Path, asset: str | None = None) -> list[tuple[str, Path]]:
    """Identifiers and scene files of the items that a STAC file is, holds or links to.

    Parameters
    ----------
    path : path
        An Item, an ItemCollection, a Collection or a Catalog.
    asset : str, optional
        Key of the asset that is the scene; needed where an item has several that could be.

    Raises
    ------
    InputError
        No STAC; an item without a scene, or with several; a path that is remote or leaves the
        folder.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.tif").write_bytes(b"II")
    >>> item = {"type": "Feature", "stac_version": "1.0.0", "id": "a"}
    >>> item["assets"] = {"cube": {"href": "./a.tif", "roles": ["data"]}}
    >>> _ = (folder / "item.json").write_text(json.dumps(item))
    >>> [(name, file.name) for name, file in stac_scenes(folder / "item.json")]
    [('a', 'a.tif')]
    """
    walk = _Walk(path.expanduser().resolve().parent, asset)
    found = list(_scenes(path.expanduser().resolve(), walk, 0))
    if not found:
        raise InputError(f"{path}: lists no item; give a STAC item or a collection of some")
    return found


def _scenes(file: Path, walk: _Walk, depth: int) -> Iterator[tuple[str, Path]]:
    """Scenes of a file and of all it links to."""
    if file in walk.seen:
        return
    walk.seen.add(file)
    if depth > _DEEPEST or len(walk.seen) > _MOST_FILES:
        raise InputError(f"{file}: links that lead on and on; give a smaller collection")
    node = _read(file)
    kind = node.get("type")
    if kind == "Feature":
        yield _scene(node, file, walk)
    elif kind == "FeatureCollection":
        items = node.get("features")
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, dict):
                raise InputError(f"{file}: holds a feature that is no STAC item; check it")
            yield _scene(item, file, walk)
    elif kind in ("Collection", "Catalog"):
        for href in _links(node):
            yield from _scenes(_place(href, file, walk), walk, depth + 1)
    else:
        raise InputError(f"{file}: is no STAC item, collection or catalog; give a scene or one")


def _links(node: dict[str, Any]) -> Iterator[Any]:
    """Where a collection's items and children are."""
    links = node.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") in ("item", "child"):
            yield link.get("href")


def _scene(item: dict[str, Any], file: Path, walk: _Walk) -> tuple[str, Path]:
    """An item's name and the file that is its scene."""
    walk.items += 1
    if walk.items > _MOST_ITEMS:
        raise InputError(f"{walk.root}: more than {_MOST_ITEMS} items; give a smaller collection")
    name, assets = printable(str(item.get("id", "")), 100) or file.stem, item.get("assets")
    if item.get("type") != "Feature" or not isinstance(assets, dict):
        raise InputError(f"{file}: item {name!r} has no assets; give a STAC item")
    if walk.asset is not None:
        if not isinstance(assets.get(walk.asset), dict):
            keys = ", ".join(printable(str(k)) for k in list(assets)[:8])
            raise InputError(
                f"{file}: item {name!r} has no asset {walk.asset!r:.40}; choose among {keys}"
            )
        return name, _place(assets[walk.asset].get("href"), file, walk)
    best = _best(assets)
    files = {_place(assets[key].get("href"), file, walk): key for key in best}
    for data in [f for f in files if f.suffix.lower() == ".hdr"]:  # its data file is the same scene
        files = {f: k for f, k in files.items() if f == data or f.stem != data.stem}
    if len(files) != 1:
        keys = ", ".join(printable(key) for key in list(files.values())[:8])
        which = f"several ({keys})" if files else "none"
        raise InputError(
            f"{file}: which asset of item {name!r} is the scene? {which}; name it with --asset"
        )
    return name, next(iter(files))


def _best(assets: dict[str, Any]) -> list[str]:
    """Keys of the assets that may be the scene, those alone that say so if some do."""
    rank: dict[str, int] = {}
    for key, asset in assets.items():
        href = asset.get("href") if isinstance(asset, dict) else None
        roles = asset.get("roles") if isinstance(asset, dict) else None
        said = {r for r in roles if isinstance(r, str)} if isinstance(roles, list) else set()
        if isinstance(href, str) and href.rstrip("/").lower().endswith(_SCENES):
            if not said & _NO_SCENE or said & set(_LIKELY):
                rank[key] = next((i for i, r in enumerate(_LIKELY) if r in said), len(_LIKELY))
    return [key for key, r in rank.items() if r == min(rank.values())]


def _place(href: Any, file: Path, walk: _Walk) -> Path:
    """The local file an `href` names, within the folder the user gave."""
    if not isinstance(href, str) or not href or "\0" in href:
        raise InputError(f"{file}: a link or asset without a path; check it")
    shown = printable(href, 80)
    parts = urlsplit(href) if "://" in href else None
    if parts is not None and (parts.scheme != "file" or parts.netloc not in ("", "localhost")):
        raise InputError(f"{file}: {shown} is remote; download it and say where it lies")
    text = href if parts is None else unquote(parts.path)
    try:
        place = (file.parent / text).resolve()
        exists = place.exists()
    except (OSError, ValueError, RuntimeError):
        raise InputError(f"{file}: {shown} is no usable path; check it") from None
    if not place.is_relative_to(walk.root):
        raise InputError(
            f"{file}: {shown} lies outside {walk.root}; give a collection above it, or the scene"
        )
    if not exists:
        raise InputError(f"{file}: {shown} is not there; check the paths in it")
    return place


def _read(file: Path) -> dict[str, Any]:
    """A JSON object of bounded size."""
    read_head(file, 1)
    size = file.stat().st_size
    if size > _MOST_BYTES:
        raise InputError(f"{file}: {size} bytes are too many for STAC; split it")
    try:
        node = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise InputError(
            f"{file}: is no JSON; give a scene, or a STAC item or collection"
        ) from None
    if not isinstance(node, dict):
        raise InputError(f"{file}: is no STAC item, collection or catalog; give a scene or one")
    return node
