"""The layout of our Cloud Optimized GeoTIFFs, read with GDAL and byte by byte."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from unmix.output import cog, rasters
from unmix.output.layers import Layers, layers_of
from unmix.output.pyramid import HALVES, sizes_of, windows
from unmix.output.rasters import write_tiff

ROTATED = Affine.translation(4.5e5, 5.2e6) @ Affine.rotation(33.0) @ Affine.scale(30.1, -29.7)
PLACE = (CRS.from_epsg(32633), ROTATED)
NAMES = ["first", "é", "third"]


def noisy(shape=(3, 601, 1301)):
    values = np.random.default_rng(4).normal(size=shape).astype(np.float32)
    values[:, 40:90, 10:500] = np.nan
    return values


def test_pixels_names_grid_and_layout(tmp_path):
    values, path = noisy(), tmp_path / "x.tif"
    write_tiff(path, values, NAMES, *PLACE, tags={"a": "b"})
    with rasterio.open(path) as raster:
        np.testing.assert_array_equal(raster.read(), values)
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.tags(ns="IMAGE_STRUCTURE")["INTERLEAVE"] == "PIXEL"
        assert raster.descriptions == tuple(NAMES) and raster.tags()["a"] == "b"
        assert (raster.crs, raster.compression.name) == (CRS.from_epsg(32633), "deflate")
        assert raster.transform.almost_equals(ROTATED, 1e-9)
        assert raster.overviews(3) == [2, 4, 8]
        ending, start = np.frombuffer(path.read_bytes(), np.uint8)[[0, 2]]
    assert (chr(ending), start) == ("I", 42)
    assert [p.name for p in tmp_path.iterdir()] == ["x.tif"]


def _long_values(content: bytes, entry: tuple[int, int, int, int]) -> np.ndarray:
    """A single value lies in the entry itself."""
    _, _, count, value = entry
    return np.array([value]) if count == 1 else np.frombuffer(content, "<u4", count, value)


def test_tiles_lie_in_the_order_they_announce(tmp_path):
    """Directories before all data; coarse tiles before fine ones; sizes before, ends behind."""
    path = tmp_path / "x.tif"
    write_tiff(path, noisy(), NAMES, *PLACE)
    content = path.read_bytes()
    (first,) = struct.unpack("<I", content[4:8])
    assert content[8:51] == b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\n"
    assert b"LAYOUT=IFDS_BEFORE_DATA" in content[:first] and first % 2 == 0
    levels, directory = [], first
    while directory:
        (n,) = struct.unpack_from("<H", content, directory)
        entries = {e[0]: e for e in struct.iter_unpack("<HHII", content[directory + 2 :][: 12 * n])}
        assert list(entries) == sorted(entries)
        assert (254 in entries) == bool(levels)
        levels.append([_long_values(content, entries[t]) for t in (324, 325)])
        (directory,) = struct.unpack_from("<I", content, directory + 2 + 12 * n)
    assert [len(offsets) for offsets, _ in levels] == [3 * 6, 2 * 3, 1 * 2, 1]
    end = None
    for offsets, counts in reversed(levels):
        for offset, count in zip(offsets.tolist(), counts.tolist(), strict=True):
            assert end is None or offset == end + 4
            assert struct.unpack_from("<I", content, offset - 4) == (count,)
            end = offset + count + 4
            assert content[end - 4 : end] == content[end - 8 : end - 4]
    assert end == len(content)


def test_an_overview_is_the_mean_of_what_is_known(tmp_path):
    values, path = noisy(), tmp_path / "x.tif"
    write_tiff(path, values, NAMES, *PLACE)
    for level in range(3):
        rows, cols = (-(-n // 2) for n in values.shape[1:])
        missing = [(0, 0), (0, 2 * rows - values.shape[1]), (0, 2 * cols - values.shape[2])]
        padded = np.pad(values, missing, constant_values=np.nan)
        cells = padded.reshape(3, rows, 2, cols, 2).astype(np.float64)
        known = np.isfinite(cells)
        with np.errstate(invalid="ignore"):
            values = np.where(known, cells, 0).sum((2, 4)) / known.sum((2, 4))
        with rasterio.open(path, overview_level=level) as raster:
            assert raster.shape == (rows, cols)
            np.testing.assert_allclose(raster.read(), values, rtol=2e-5, atol=2e-6)
        values = values.astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (600, 1), (256, 256), (257, 255), (513, 300)])
def test_any_size(tmp_path, shape):
    values, path = noisy((2, 700, 700))[:, : shape[0], : shape[1]], tmp_path / "x.tif"
    write_tiff(path, values, ["a", "b"], *PLACE)
    with rasterio.open(path) as raster:
        np.testing.assert_array_equal(raster.read(), values)
        n = len(raster.overviews(1))
    sizes = [shape]
    for level in range(n):
        with rasterio.open(path, overview_level=level) as raster:
            sizes.append(raster.shape)
    assert sizes == sizes_of(*shape)


def test_bytes_depend_on_the_pixels_alone(tmp_path, monkeypatch):
    values = noisy()
    reference = tmp_path / "x.tif"
    write_tiff(reference, values, NAMES, *PLACE)
    backwards = np.asfortranarray(values)
    lazy = Layers(values.shape, values.dtype, lambda y, x: backwards[:, y, x])
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("UNMIX_THREADS", threads)
        write_tiff(tmp_path / "y.tif", lazy, NAMES, *PLACE)
        assert (tmp_path / "y.tif").read_bytes() == reference.read_bytes()


def test_files_beyond_four_gigabytes_have_longer_offsets(tmp_path, monkeypatch):
    values = noisy()
    write_tiff(tmp_path / "small.tif", values, NAMES, *PLACE)
    monkeypatch.setattr(cog, "_CLASSIC", 1000)
    write_tiff(tmp_path / "big.tif", values, NAMES, *PLACE)
    assert (tmp_path / "big.tif").read_bytes()[:4] == b"II\x2b\x00"
    with rasterio.open(tmp_path / "big.tif") as big, rasterio.open(tmp_path / "small.tif") as small:
        np.testing.assert_array_equal(big.read(), values)
        assert str(big.profile) == str(small.profile) and big.overviews(1) == small.overviews(1)
        assert big.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert big.descriptions == small.descriptions


def test_windows_are_whole_tiles_that_cover_everything():
    seen = np.zeros((601, 2301), int)
    for y, x in windows(601, 2301):
        assert y.start % 256 == x.start % 256 == 0
        seen[y, x] += 1
    assert (seen == 1).all()


def test_no_window_is_larger_than_a_row_of_tiles(tmp_path):
    values, asked = noisy((2, 700, 1500)), []

    def read(y, x):
        asked.append((y.stop - y.start) * (x.stop - x.start))
        return values[:, y, x]

    write_tiff(tmp_path / "x.tif", Layers(values.shape, values.dtype, read), ["a", "b"], *PLACE)
    assert max(asked) <= 256 * 1024


def test_pictures_and_classes_are_halved_as_such():
    seen = np.zeros((4, 2, 2), np.uint8)
    seen[:, 0, 0], seen[:, 1, 1] = [10, 20, 30, 255], [20, 40, 90, 255]
    assert HALVES["picture"](seen).ravel().tolist() == [15, 30, 60, 128]
    assert HALVES["picture"](seen[:, :, :1]).ravel().tolist() == [10, 20, 30, 128]
    classes = np.array([[[0, 2, 3], [0, 1, 0]]], np.uint8)
    assert HALVES["majority"](classes).tolist() == [[[2, 3]]]


def test_a_part_that_is_cut_short_is_no_result(tmp_path, monkeypatch):
    whole = rasters.write_levels

    def cut(*args):
        levels = whole(*args)
        with levels[0].path.open("r+b") as file:
            file.truncate(levels[0].path.stat().st_size // 2)
        return levels

    monkeypatch.setattr(rasters, "write_levels", cut)
    with pytest.raises(OSError, match=r"x\.tif is cut short"):
        write_tiff(tmp_path / "x.tif", noisy(), NAMES, *PLACE)
    assert not (tmp_path / ".x.tif-parts").exists()


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_tiles_without_anything_are_there_too(tmp_path, value):
    values, path = noisy((2, 600, 600)), tmp_path / "x.tif"
    values[:, 256:512, :256] = value
    write_tiff(path, values, ["a", "b"], *PLACE)
    with rasterio.open(path) as raster:
        np.testing.assert_array_equal(raster.read(), values)


def test_layers_of_layers_are_those():
    layers = layers_of(noisy())
    assert layers_of(layers) is layers
