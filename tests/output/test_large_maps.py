"""Results that do not fit into memory, or onto the disk."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from matplotlib.figure import Figure
from mineral_scenes import mineral_scene, on_map, swath_scene

from unmix.checks import InputError
from unmix.output import ortho, pyramid, save, zarr_maps
from unmix.output.ortho import on_grid
from unmix.plot import shrink
from unmix.report.geology import geology
from unmix.report.images import pictures
from unmix.report.trust import judgements
from unmix.summary import highest_shown, quantile, summary_of, sure_of
from unmix.types import Endmembers, Unmixing


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("unmix.plot.overview", lambda _: Figure((1, 1)))
    monkeypatch.setattr("unmix.report.render", lambda _: "<!doctype html>")


def striped(rows=1500, columns=1100, n=8) -> Unmixing:
    """Maps of many rows that take the memory of one: 53 MB of abundances, 158 of uncertainty."""
    rng = np.random.default_rng(2)
    a = rng.dirichlet(np.full(n, 0.3), columns).astype(np.float32)
    a[7] = np.nan
    sure = np.stack([np.full_like(a, 0.04), a - 0.1, a + 0.1], axis=-1)
    names = tuple(f"mineral {k}" for k in range(n))

    def maps(row, **labels):
        return on_map(np.broadcast_to(row, (rows, *row.shape)), **labels)

    labels = {"member": list(names)}
    return Unmixing(
        maps(a, **labels),
        Endmembers(rng.uniform(0.1, 0.6, (n, 5)), np.linspace(500, 2300, 5), names),
        maps(rng.random((columns, 3), np.float32), quantity=["rmse", "angle", "scale"]),
        {},
        np.broadcast_to(rng.random((columns, 3), np.float32), (rows, columns, 3)),
        maps(sure, **labels, quantity=["sd", "low", "high"]),
    )


@pytest.mark.parametrize("form", ["cog", "zarr"])
def test_memory_is_set_by_blocks_not_by_the_maps(tmp_path, form):
    result = striped()
    tracemalloc.start()
    save(result, tmp_path / "OUT", format=form)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert result.uncertainty.nbytes / 2**20 > 150
    assert peak < 200  # of two threads that write


def test_a_report_of_large_maps_says_what_their_numbers_say():
    """Blocks of few rows against numpy on the whole."""
    scene = mineral_scene()
    A = np.tile(scene.abundances.values, (70, 50, 1))
    U = np.tile(scene.uncertainty.values, (70, 50, 1, 1))
    rng = np.random.default_rng(3)
    A[rng.random(A.shape[:2]) < 0.2] = np.nan
    U[rng.random(A.shape[:2]) < 0.1] = np.nan
    names = list(scene.endmembers.names)
    maps = on_map(A, member=names)
    sure = on_map(U, member=names, quantity=["sd", "low", "high"])
    rmse = on_map(rng.random((*A.shape[:2], 3), np.float32), quantity=["rmse", "angle", "scale"])
    result = replace(scene, abundances=maps, uncertainty=sure, residual=rmse, features=None)
    valid = A[np.isfinite(A).all(-1)].astype(np.float64)
    found = summary_of(result)
    assert found.valid == len(valid)
    np.testing.assert_allclose(found.mean, valid.mean(0), rtol=1e-9)
    np.testing.assert_array_equal(found.highest, valid.max(0))
    np.testing.assert_array_equal(found.dominant, np.bincount(valid.argmax(1), minlength=3))
    known = U[np.isfinite(U).all((-2, -1))].astype(np.float64)
    sd, wide = sure_of(result)
    np.testing.assert_allclose(sd, known[..., 0].mean(0), rtol=1e-9)
    np.testing.assert_allclose(wide, (known[..., 2] - known[..., 1] > 0.2).mean(0))
    assert judgements(result) and geology(result) and pictures(result)["masked"]


def test_quantiles_and_shrunk_maps_are_numpy_s():
    values = np.random.default_rng(1).normal(size=1001).astype(np.float32)
    for q in (0.0, 0.02, 0.5, 0.99, 1.0):
        assert quantile(values.copy(), q) == pytest.approx(np.quantile(values.astype(float), q))
    assert highest_shown(np.array([1.0, np.nan])) == 1.0
    maps = np.random.default_rng(1).normal(size=(31, 45, 2)).astype(np.float32)
    maps[3:9, 2:9] = np.nan
    padded = np.pad(maps, [(0, 1), (0, 3), (0, 0)], constant_values=np.nan).reshape(8, 4, 12, 4, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nanmean(padded.astype(float), (1, 3))
    np.testing.assert_allclose(shrink(maps, 12), mean, rtol=1e-6)


# --- swaths --------------------------------------------------------------------------------------


def test_a_large_swath_is_put_on_its_grid_in_files(tmp_path, monkeypatch, quick):
    scene, _ = swath_scene()
    small = save(scene, tmp_path / "small")
    monkeypatch.setattr(ortho, "_LARGE", 0)
    shown = on_grid(scene, tmp_path / "scratch")
    assert isinstance(shown.uncertainty.values.base, np.memmap)
    np.testing.assert_array_equal(shown.rgb, on_grid(scene).rgb)
    large = save(scene, tmp_path / "large")
    assert {p.name for p in large.iterdir()} == {p.name for p in small.iterdir()}
    for path in small.iterdir():
        if path.name not in ("manifest.json", "report.html"):
            assert (large / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_coarse_view_of_a_swath_is_put_on_a_coarse_grid():
    scene, _ = swath_scene()
    row, col = np.indices((9, 13))
    number = np.stack([row, col, row * 0], -1) / 13.0
    coarse = replace(scene, rgb=number[::2, ::2])
    exact, shown = on_grid(replace(scene, rgb=number)).rgb[::2, ::2], on_grid(coarse).rgb
    assert shown.shape == exact.shape
    np.testing.assert_array_equal(np.isnan(shown), np.isnan(exact))
    assert np.nanmax(abs(shown - exact)) <= 1.01 / 13


# --- full disks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["cog", "zarr"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_disk_that_fills_up_is_one_line(tmp_path, monkeypatch, quick, form, after):
    """Some tiles have been written by then."""
    count, whole = iter(range(1000)), pyramid.framed

    def full(tile):
        if next(count) >= after:
            raise OSError(28, "No space left on device")
        return whole(tile)

    monkeypatch.setattr(pyramid, "framed", full)
    with pytest.raises(InputError, match="no space left in") as caught:
        save(mineral_scene(), tmp_path / "OUT", format=form)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("after", [0, 3])
def test_a_disk_that_fills_up_between_chunks(tmp_path, monkeypatch, quick, after):
    write, count = Path.write_bytes, iter(range(1000))

    def full(path, content):
        if path.name[0].isdigit() and next(count) >= after:
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(zarr_maps.Path, "write_bytes", full)
    with pytest.raises(InputError, match="no space left in"):
        save(mineral_scene(), tmp_path / "OUT", format="zarr")
    assert not list(tmp_path.iterdir())


LIMITED = """
import resource, sys
sys.path.insert(0, {tests!r})
from mineral_scenes import mineral_scene
from unmix.checks import InputError
from unmix.output import save
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
for form in ("cog", "zarr"):
    try:
        save(mineral_scene(), {out!r}, format=form)
    except InputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
def test_files_that_cannot_grow_leave_nothing(tmp_path):
    code = LIMITED.format(tests=str(Path(__file__).parent), out=str(tmp_path / "OUT"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert all(line.startswith("out: cannot write") for line in lines)
    assert not list(tmp_path.iterdir())


def test_maps_on_the_disk_are_saved_as_those_in_memory(tmp_path, quick):
    result = mineral_scene()
    names = ("abundances", "residual", "uncertainty", "features")
    mapped = {}
    for name in names:
        maps = getattr(result, name)
        maps.values.tofile(tmp_path / name)
        there = np.memmap(tmp_path / name, np.float32, "r", shape=maps.shape)
        mapped[name] = xr.DataArray(there, dims=maps.dims, coords=maps.coords)
    one, two = save(result, tmp_path / "one"), save(replace(result, **mapped), tmp_path / "two")
    for path in one.iterdir():
        if path.name not in ("manifest.json", "report.html"):
            assert (two / path.name).read_bytes() == path.read_bytes(), path.name
    with rasterio.open(two / "uncertainty.tif") as raster:
        np.testing.assert_array_equal(raster.read(2), result.uncertainty.values[..., 0, 1])
