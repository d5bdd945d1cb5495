"""XML as data: what a product's metadata never has is refused in one line."""

from __future__ import annotations

import pytest

from unmix.checks import InputError
from unmix.io import xml
from unmix.io.xml import first_number, first_text, read_xml


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_reads_text_attributes_and_drops_namespaces(tmp_path):
    root = read_xml(write(tmp_path / "a.xml", "<r><n:b k='2'>x</n:b><c> 4.5 </c></r>"))
    assert [child.tag for child in root] == ["b", "c"] and root[0].get("k") == "2"
    assert first_text(root, "b") == "x" and first_number(root, "c") == 4.5
    assert first_number(root, "b") is None and first_text(root, "none") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb2312", "GBK", "iso-8859-1"])
def test_encodings(tmp_path, encoding):
    word = "é" if encoding == "iso-8859-1" else "高分五号"
    text = f'<?xml version="1.0" encoding="{encoding}"?><r><s>{word}</s></r>'
    assert first_text(read_xml(write(tmp_path / "a.xml", text, encoding)), "s") == word


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB + "]><r>&i;</r>", "document type declaration"),
        ('<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', "document type declaration"),
        ('<!DOCTYPE r [<!ENTITY e SYSTEM "/etc/passwd">]><r>&e;</r>', "document type declaration"),
        ("<r>&e;</r>", "not readable as XML"),
        ("<r><b></r>", "not readable as XML"),
        ("<r>", "not readable as XML"),
        ("", "not readable as XML"),
        ("\0\1\2", "not readable as XML"),
        ("<a>" * 101 + "</a>" * 101, "too deeply nested"),
        ('<?xml version="1.0" encoding="klingon"?><r/>', "not readable as XML"),
    ],
)
def test_refuses(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as error:
        read_xml(write(tmp_path / "a.xml", text))
    assert "\n" not in str(error.value) and "a.xml" in str(error.value)


def test_refuses_what_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(xml, "_MOST_BYTES", 10)
    with pytest.raises(InputError, match="too many for metadata"):
        read_xml(write(tmp_path / "a.xml", "<r>0123456789</r>"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"b\.xml: no such file"):
        read_xml(tmp_path / "b.xml")
