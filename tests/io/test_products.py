"""Which reader a file or folder asks for."""

from __future__ import annotations

import shutil
from importlib import import_module

import numpy as np
import pytest
from tiny_products import CRS, FWHM, UPRIGHT, WAVELENGTH, assert_refused, cube

from unmix.io.products import READERS, files_in, read_product
from unmix.scene import open_scene
from unmix.simulate.products import PRODUCTS, writer


def make(folder, name):
    values = cube(100.0 if name == "ahsi" else 1.0)
    return writer(name)(folder, values, WAVELENGTH, FWHM, CRS, UPRIGHT)


def test_every_reader_has_a_writer():
    assert set(PRODUCTS) == set(READERS)
    for name in READERS:
        module = import_module(f"unmix.io.{name}")
        assert callable(module.find) and callable(module.read) and callable(writer(name))


@pytest.mark.parametrize("head", ["zip", "gztar", "bztar", "tar", "7z"])
def test_archives_are_not_unpacked(tmp_path, head, capsys):
    make(tmp_path / "p", "prisma")
    if head == "7z":
        path = tmp_path / "q.7z"
        path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(40))
    else:
        path = tmp_path / shutil.make_archive(str(tmp_path / "q"), head, tmp_path / "p")
    before = sorted(tmp_path.rglob("*"))
    assert_refused(path, "archive; unpack it and give its folder", capsys)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["cube.npy", "cube.npz"])
def test_numpy_files_are_no_archives(tmp_path, name, capsys):
    (np.save if name.endswith("y") else np.savez)(tmp_path / name, np.zeros((2, 3, 4)))
    assert_refused(tmp_path / name, "NumPy files are not read; save the cube as .mat", capsys)


def test_numbers_that_look_like_an_archive(tmp_path, write_envi):
    numbers = np.full((2, 3, 4), 35615, "u2")
    numbers[0, 0, 1] = 8  # the first bytes are those of gzip
    header = write_envi(tmp_path / "a.img", numbers, "bip", "<u2")
    assert header.with_suffix(".img").read_bytes()[:3] == b"\x1f\x8b\b"
    np.testing.assert_array_equal(open_scene(tmp_path / "a.img").values, numbers)


@pytest.mark.parametrize("name", READERS)
def test_a_folder_in_a_folder(tmp_path, name):
    path = make(tmp_path / "outer" / "product", name)
    found = open_scene(tmp_path / "outer")
    np.testing.assert_array_equal(found.values, open_scene(path).values)
    assert files_in(tmp_path / "outer") == sorted(path.parent.iterdir())


def test_products_of_two_missions_in_one_folder(tmp_path, capsys):
    one, other = make(tmp_path / "a", "enmap"), make(tmp_path / "b", "prisma")
    moved = shutil.copy(other, one.parent)
    assert_refused(one.parent, "holds several products", capsys)
    assert open_scene(moved).attrs["sensor"] == "PRISMA"
    assert open_scene(one).attrs["sensor"] == "EnMAP"


def test_the_current_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert_refused(".", "is a folder without a product", capsys)
    make("p", "enmap")
    monkeypatch.chdir("p")
    assert open_scene(".").attrs["sensor"] == "EnMAP"


def test_folders_without_a_product(tmp_path, capsys):
    assert_refused(tmp_path, "is a folder without a product", capsys)
    (tmp_path / "notes.txt").write_text("GF5B AHSI")
    (tmp_path / "ENMAP").mkdir()
    assert_refused(tmp_path, "is a folder without a product", capsys)


def test_other_files_belong_to_none(tmp_path, tiff_scene):
    assert read_product(tiff_scene, tiff_scene.read_bytes()[:1024]) is None
    text = tmp_path / "AHSI.xml"
    text.write_text("plain")
    assert read_product(text, b"plain") is None
