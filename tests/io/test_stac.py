"""STAC files: what they list, and what they must not do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unmix.checks import InputError
from unmix.io import stac
from unmix.io.stac import stac_scenes
from unmix.pipeline.sources import NAME, Source, named_apart, sources_of


@pytest.fixture
def write(tmp_path):
    """Write JSON into a folder of its own: `write("a/item.json", node)`."""
    top = tmp_path / "top"

    def at(name: str, node) -> Path:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(node if isinstance(node, bytes) else json.dumps(node).encode())
        return path

    return at


def item(name, **assets):
    found = {k: a if isinstance(a, dict) else {"href": a} for k, a in assets.items()}
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "assets": found}


def test_an_item_a_collection_of_items_and_a_catalog(write):
    for name in "abc":
        write(f"data/{name}.tif", b"II")
    write("items/a.json", item("a", cube="../data/a.tif", thumb="../data/a.png"))
    write("items/b.json", item("b", cube="../data/b.tif"))
    links = [
        {"rel": "self", "href": "https://far/away"},
        {"rel": "item", "href": "../items/b.json"},
    ]
    write("sub/collection.json", {"type": "Collection", "links": links})
    several = {"type": "FeatureCollection", "features": [item("c", cube="data/c.tif")]}
    top = [{"rel": "item", "href": "items/a.json"}, {"rel": "child", "href": "sub/collection.json"}]
    top.append({"rel": "child", "href": "./catalog.json"})
    catalog = write("catalog.json", {"type": "Catalog", "links": top})
    assert [(n, p.name) for n, p in stac_scenes(catalog)] == [("a", "a.tif"), ("b", "b.tif")]
    assert [n for n, _ in stac_scenes(write("several.json", several))] == ["c"]


def test_which_asset_is_the_scene(write):
    for name in ("a.hdr", "a.img", "b.tif", "m.xml"):
        write(name, b"ENVI")
    envi = write("envi.json", item("x", head="a.hdr", data="a.img", picture="p.png"))
    assert stac_scenes(envi)[0][1].name == "a.hdr"
    roles = {"one": {"href": "a.hdr", "roles": ["metadata"]}, "two": {"href": "b.tif"}}
    assert stac_scenes(write("roles.json", item("x", **roles)))[0][1].name == "b.tif"
    better = {"one": {"href": "a.hdr", "roles": ["data"]}, "two": {"href": "b.tif"}}
    assert stac_scenes(write("better.json", item("x", **better)))[0][1].name == "a.hdr"
    both = write("both.json", item("x", one="a.hdr", two="b.tif"))
    with pytest.raises(InputError, match=r"several \(one, two\); name it with --asset"):
        stac_scenes(both)
    assert stac_scenes(both, "two")[0][1].name == "b.tif"
    with pytest.raises(InputError, match="no asset 'three'; choose among one, two"):
        stac_scenes(both, "three")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (b"", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        ([1], "is no STAC"),
        ({"type": "Scene"}, "is no STAC"),
        ({"type": "Feature"}, "has no assets"),
        ({"type": "FeatureCollection", "features": [1]}, "no STAC item"),
        ({"type": "FeatureCollection", "features": {}}, "lists no item"),
        ({"type": "Collection", "links": [{"rel": "item"}]}, "without a path"),
        ({"type": "Collection", "links": [{"rel": "child", "href": "x.json"}]}, "lists no item"),
        (item("x", a="https://far/a.tif"), "is remote; download it"),
        (item("x", a="s3://far/a.tif"), "is remote; download it"),
        (item("x", a="file://host/a.tif"), "is remote; download it"),
        (item("x", a="../secret.tif"), "lies outside"),
        (item("x", a="/etc/secret.tif"), "lies outside"),
        (item("x", a="file:///etc/secret.tif"), "lies outside"),
        (item("x", a="link.tif"), "lies outside"),
        (item("x", a="none.tif"), "is not there"),
        (item("x", a="\0.tif"), "without a path"),
        (item("x", a={"href": 7}), "none; name it"),
        (item("x\x1b[2J", a="y" * 5000 + ".tif"), "no usable path|is not there"),
    ],
)
def test_bad_files_are_one_line(write, tmp_path, node, said):
    path = write("x.json", node)
    (tmp_path / "secret.tif").write_bytes(b"II")
    (tmp_path / "top" / "link.tif").symlink_to(tmp_path / "secret.tif")
    with pytest.raises(InputError, match=said) as error:
        stac_scenes(path)
    assert str(error.value).isprintable() and len(str(error.value)) < 700


def test_sizes_and_numbers_are_bounded(write, monkeypatch):
    write("a.tif", b"II")
    several = write("s.json", {"type": "FeatureCollection", "features": [item("a", a="a.tif")] * 9})
    monkeypatch.setattr(stac, "_MOST_ITEMS", 8)
    with pytest.raises(InputError, match="more than 8 items"):
        stac_scenes(several)
    monkeypatch.setattr(stac, "_MOST_BYTES", 20)
    with pytest.raises(InputError, match="too many for STAC"):
        stac_scenes(several)
    monkeypatch.undo()
    for i in range(12):
        link = [{"rel": "child", "href": f"{i + 1}.json"}]
        write(f"{i}.json", {"type": "Catalog", "links": link})
    with pytest.raises(InputError, match="lead on and on"):
        stac_scenes(
            write("start.json", {"type": "Catalog", "links": [{"rel": "child", "href": "0.json"}]})
        )


def test_scenes_by_pattern_come_once(write, tmp_path):
    for name in ("b.hdr", "b.img", "a.tif", "deep/c.tif"):
        write(name, b"II")
    top = tmp_path / "top"
    found = sources_of([top / "*.*", top / "**" / "*.tif", top / "b.hdr"])
    assert [s.path.name for s in found] == ["a.tif", "b.hdr", "c.tif"]
    with pytest.raises(InputError, match="matches nothing"):
        sources_of([top / "*.nc"])
    with pytest.raises(InputError, match="no such file"):
        sources_of([top / "a.tif", top / "z.tif"])
    with pytest.raises(InputError, match="asset: belongs to a STAC item"):
        sources_of([top / "a.tif"], "cube")


def test_names_are_safe_and_differ():
    given = ["a", "A", "../a", "..", "", "model", "summary.json", "x.partial", "é", "-o", "n" * 300]
    names = [n for n, _ in named_apart(Source(g, Path(str(i))) for i, g in enumerate(given))]
    assert len({n.lower() for n in names}) == len(given)
    assert all(NAME.fullmatch(n) and not n.endswith(".partial") for n in names)
    assert not {"model", "summary.json"} & set(names)
    again = named_apart([Source("z", Path("9")), Source("a", Path("0"))], {"0": "kept"})
    assert [n for n, _ in again] == ["z", "kept"]
