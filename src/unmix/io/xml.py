"""XML that comes with products, read as data: no DTD, so no entities, and no file named in it.

A document type declaration is where XML's dangers start (entities that expand without end, or name
other files); products have none, so a file with one is refused. Size, depth and number of elements
are limited. Tags lose their namespace.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from unmix.checks import InputError

__all__ = ["first_number", "first_text", "looks_like_xml", "read_xml"]

_MOST_BYTES = 64 * 2**20
_MOST_ELEMENTS = 2_000_000
_DEEPEST = 100
_CHINESE = re.compile(rb"""<\?xml[^>]{0,100}encoding\s*=\s*["']gb""", re.IGNORECASE)


def looks_like_xml(head: bytes) -> bool:
    """Whether a file that begins with `head` is meant to be XML.

    >>> looks_like_xml(b"<?xml version='1.0'?>"), looks_like_xml(b"ENVI")
    (True, False)
    """
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def read_xml(path: Path) -> Element:
    """The root element of an XML file.

    Raises
    ------
    InputError
        Not there, not XML, with a document type declaration, or larger than any metadata is.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.xml"
    >>> _ = path.write_text("<a xmlns:n='x'><n:b k='1'> two </n:b></a>")
    >>> [(e.tag, e.text, e.get("k")) for e in read_xml(path)]
    [('b', ' two ', '1')]
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InputError(f"{path.name}: {size} bytes are too many for metadata; check the file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path.name}: no such file in {path.parent}; put it there") from None
    encoding = None
    if _CHINESE.match(data[:200]):  # an encoding expat does not know
        data, encoding = data.decode("gb18030", "replace").encode(), "utf-8"
    builder = _Builder(path.name, encoding)
    try:
        builder.parser.Parse(data, True)
        return builder.tree.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path.name}: not readable as XML ({reason:.100}); copy it again"
        ) from None


class _Builder:
    """expat's events to elements, refusing what a product's metadata never has."""

    def __init__(self, where: str, encoding: str | None) -> None:
        self.where = where
        self.tree = TreeBuilder()
        self.depth = self.count = 0
        self.parser = expat.ParserCreate(encoding)
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.tree.data

    def doctype(self, *_: Any) -> None:
        raise InputError(
            f"{self.where}: has a document type declaration (DTD), which no product has; not read"
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.count += 1
        if self.depth > _DEEPEST or self.count > _MOST_ELEMENTS:
            raise InputError(f"{self.where}: too many or too deeply nested elements; not read")
        self.tree.start(tag.rpartition(":")[2], attributes)

    def end(self, tag: str) -> None:
        self.depth -= 1
        self.tree.end(tag.rpartition(":")[2])


def first_text(root: Element, *path: str) -> str | None:
    """Text of the first element that `path`, tags at any depth below each other, leads to.

    >>> from xml.etree.ElementTree import fromstring
    >>> first_text(fromstring("<a><x><t>1</t></x><y><z><t> 2 </t></z></y></a>"), "y", "t")
    '2'
    """
    found: Element | None = root
    for tag in path:
        found = None if found is None else found.find(f".//{tag}")
    text = "" if found is None else (found.text or "").strip()
    return text or None


def first_number(root: Element, *path: str) -> float | None:
    """The same as a finite number; None where it is none.

    >>> from xml.etree.ElementTree import fromstring
    >>> first_number(fromstring("<a><t>41.5</t></a>"), "t")
    41.5
    """
    try:
        value = float(first_text(root, *path) or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
