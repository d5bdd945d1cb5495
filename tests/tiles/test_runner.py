"""Tiles handed out: to threads and processes, of damaged files, with workers that die."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
import xarray as xr

from unmix.checks import InputError
from unmix.io.salvage import salvaged
from unmix.tiles import runner
from unmix.tiles.cluster import connected
from unmix.tiles.cut import cut
from unmix.tiles.execution import Execution
from unmix.tiles.job import Job
from unmix.tiles.runner import carry_out
from unmix.tiles.store import FolderStore, MemoryStore
from unmix.tiles.work import Done, Unreadable

ROWS, COLS, HIGH = 53, 7, 6
LAYERS = {"abundances": (2,)}


def silent(*_):
    pass


class Work:
    """Stands for a tile's work: the row number, and what is read of the scene."""

    halo, layers = 0, LAYERS

    def __init__(self, scene, pause=0.0):
        self.scene, self.pause = scene, pause

    def __call__(self, tile):
        time.sleep(self.pause)
        try:
            values = self.scene[tile.rows, tile.cols].values
        except OSError as error:
            raise Unreadable(str(error)) from error
        return Done({"abundances": values.astype(np.float32)}, {"read": 0.5})


class Damaged:
    """A file of which some rows cannot be read, the first `recovers` times."""

    def __init__(self, bad, recovers=10**9):
        self.bad, self.left, self.lock = set(bad), recovers, threading.Lock()
        rows = np.arange(ROWS, dtype=np.float32)[:, None, None]
        self.whole = np.broadcast_to(rows, (ROWS, COLS, 2)) + np.array([0.0, 0.5])

    shape, sizes, attrs, name, coords = (ROWS, COLS, 2), {"y": ROWS, "x": COLS}, {}, "a", {}
    dims, encoding = ("y", "x", "band"), {}

    def __getitem__(self, key):
        first = np.atleast_1d(np.arange(ROWS)[key[0]])
        with self.lock:
            if self.bad & set(first.tolist()) and self.left > 0:
                self.left -= 1
                raise OSError(5, "Input/output error")
        return xr.DataArray(np.array(self.whole[key], np.float32))


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(runner, "_PAUSE", 0.001)
    monkeypatch.setattr("unmix.io.salvage._PAUSE", 0.001)
    monkeypatch.setattr(runner, "replace", lambda work, scene: Work(scene))


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    if request.param == "memory":
        return MemoryStore((ROWS, COLS), LAYERS)
    Job(tmp_path / "a.partial", {}, resume=False)
    return FolderStore(tmp_path / "a.partial", (ROWS, COLS), LAYERS)


TILES = cut((ROWS, COLS), HIGH)


def test_every_tile_once(store):
    outcome = carry_out(Work(Damaged([])), TILES, store, Execution(), silent)
    maps = store.maps(TILES)["abundances"]
    assert np.array_equal(maps, Damaged([]).whole.astype(np.float32))
    assert outcome.tiles == 9 and not outcome.errors and outcome.seconds["read"] == 4.5


def test_what_cannot_be_read_is_left_out_alone(store):
    bad = {8, 9, 40}
    outcome = carry_out(Work(Damaged(bad)), TILES, store, Execution(), silent)
    maps = store.maps(TILES)["abundances"]
    assert set(np.flatnonzero(np.isnan(maps).any(axis=(1, 2)))) == bad
    assert [t.rows.start for t in outcome.unread] == sorted(bad)
    assert list(outcome.errors) == [TILES[1].name, TILES[6].name]
    assert "Input/output error" in outcome.errors[TILES[1].name]


def test_what_can_be_read_again_is_not_lost(store):
    outcome = carry_out(Work(Damaged({8}, recovers=2)), TILES, store, Execution(), silent)
    assert not outcome.errors and np.isfinite(store.maps(TILES)["abundances"]).all()


def test_strict_fails(store):
    with pytest.raises(InputError, match=r"rows 6-11 cannot be read .*--strict"):
        carry_out(Work(Damaged({8})), TILES, store, Execution(strict=True), silent)


def test_half_of_a_scene_is_none(store):
    with pytest.raises(InputError, match="more than half of it cannot be read"):
        carry_out(Work(Damaged(range(20, ROWS))), TILES, store, Execution(), silent)


def test_what_could_not_be_read_is_tried_again_later(tmp_path):
    Job(tmp_path, {}, resume=False)
    store = FolderStore(tmp_path, (ROWS, COLS), LAYERS)
    carry_out(Work(Damaged({8})), TILES, store, Execution(), silent)
    outcome = carry_out(Work(Damaged({8})), TILES, store, Execution(), silent)
    assert outcome.kept == 8 and [t.rows.start for t in outcome.unread] == [8]
    outcome = carry_out(Work(Damaged([])), TILES, store, Execution(), silent)
    assert outcome.kept == 8 and not outcome.unread
    assert np.isfinite(store.maps(TILES)["abundances"]).all()
    assert carry_out(Work(Damaged([])), TILES, store, Execution(), silent).kept == 9


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense"])
def test_a_damaged_tile_is_made_again(tmp_path, damage):
    Job(tmp_path, {}, resume=False)
    store = FolderStore(tmp_path, (ROWS, COLS), LAYERS)
    carry_out(Work(Damaged([])), TILES, store, Execution(), silent)
    store.file(TILES[2]).write_bytes(damage)
    cut_short = store.file(TILES[4])
    cut_short.write_bytes(cut_short.read_bytes()[:-3])
    assert carry_out(Work(Damaged([])), TILES, store, Execution(), silent).kept == 7
    assert np.isfinite(store.maps(TILES)["abundances"]).all()


def test_an_error_of_a_method_ends_it(store):
    class Diverged(Work):
        def __call__(self, tile):
            raise FloatingPointError("diverged")

    with pytest.raises(FloatingPointError, match="diverged"):
        carry_out(Diverged(Damaged([])), TILES, store, Execution(), silent)


def test_salvaged_windows_of_any_kind():
    scene = xr.DataArray(
        np.arange(60.0, dtype=np.float32).reshape(5, 4, 3), dims=("y", "x", "band")
    )
    found, source = salvaged(scene)
    for key in (
        np.s_[1],
        np.s_[:, 2],
        np.s_[1:4, 1:3, [0, 2]],
        np.s_[[0, 3], 1:, 1],
        np.s_[2, 1, 0],
    ):
        assert np.array_equal(found[key].values, scene[key].values)
    assert source.lost == {}


def test_a_file_of_which_most_is_lost_is_refused():
    found, source = salvaged(Damaged(range(10, 40)), most=20)
    assert np.isnan(found[10:30].values).all() and len(source.lost) == 20
    with pytest.raises(InputError, match=r"cannot be read .*Input/output error"):
        found[30:40].values  # noqa: B018


def test_a_killed_worker_costs_nothing_but_time(tmp_path):
    """The same bytes; the others and its successor do what it had."""
    Job(tmp_path, {}, resume=False)
    store = FolderStore(tmp_path, (ROWS, COLS), LAYERS)
    scene = xr.DataArray(Damaged([]).whole.astype(np.float32), dims=("y", "x", "band"))
    killed = []

    def kill(*_):
        if not killed:
            killed.append(next(iter(client.cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with connected(Execution(workers=2, work=tmp_path)) as client:
        outcome = carry_out(Paused(scene), TILES, store, Execution(), kill, client)
    assert killed and outcome.tiles == 9
    assert np.array_equal(store.maps(TILES)["abundances"], scene.values)


class Paused(Work):
    """Takes long enough to be killed at."""

    def __init__(self, scene):
        super().__init__(scene, 0.2)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://no.such.host:8786", "x://y"])
def test_no_scheduler(address, tmp_path, monkeypatch):
    monkeypatch.setattr("unmix.tiles.cluster._ANSWER", 0.5)
    with (
        pytest.raises(InputError, match=r"no Dask scheduler answers at .*dask scheduler"),
        connected(Execution(scheduler=address, work=tmp_path)),
    ):
        pass
