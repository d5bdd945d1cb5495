"""Unfinished work: what is gone on with, what is refused, what is started anew."""

from __future__ import annotations

import json

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.methods.linear import VCAFCLS
from unmix.tiles.job import Job, discard, is_started, is_work, memory_of, work_folder
from unmix.tiles.lock import alone, clear, lock_file, temporary_name

ABOUT = {"scene": "a.hdr", "seed": 0, "parameters": {"restarts": 3}}
DECIDED = {"method": {"name": "vca-fcls"}, "scale": {"mode": "none"}, "noise": {"snr_db": np.inf}}


@pytest.fixture
def model():
    return VCAFCLS(n_endmembers=3).fit(np.random.default_rng(0).random((50, 8)))


@pytest.fixture
def folder(tmp_path, model):
    """Work with a fit and a tile."""
    folder = work_folder(tmp_path / "out")
    job = Job(folder, ABOUT, resume=False, memory=10**9)
    assert job.fitted() is None and not is_started(folder)
    job.keep_fit(model, DECIDED)
    assert job.tile_shape((7, 9)) == (7, 9)
    (folder / "tiles").mkdir()
    (folder / "tiles" / "0000000-0000000.npy").write_bytes(b"tile")
    return folder


def again(folder, about=ABOUT, **how):
    return Job(folder, about, **({"resume": True} | how))


def test_it_goes_on(folder, model):
    job = again(folder, memory=5)
    estimator, decisions = job.fitted()
    assert np.array_equal(estimator.endmembers_, model.endmembers_)
    assert decisions["noise"]["snr_db"] == np.inf
    assert job.tile_shape((3, 4)) == (7, 9)
    assert memory_of(folder) == 10**9
    assert (folder / "tiles" / "0000000-0000000.npy").exists()


def test_without_a_word_it_is_refused(folder):
    with pytest.raises(InputError, match="--resume goes on with it, --overwrite starts anew"):
        again(folder, resume=False)


def test_overwriting_starts_anew(folder):
    assert again(folder, resume=False, overwrite=True).fitted() is None
    assert not (folder / "tiles").exists()


@pytest.mark.parametrize("name", list(ABOUT))
def test_other_settings_are_refused(folder, name):
    with pytest.raises(InputError, match=f"begun with another {name}"):
        again(folder, ABOUT | {name: "other"})


def test_another_version_is_refused(folder):
    card = json.loads((folder / "job.json").read_text()) | {"format": 1}
    (folder / "job.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="begun with another format"):
        again(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b'{"decisions": {}}'])
@pytest.mark.parametrize("name", ["fit.json", "model/model.json", "model/model.safetensors"])
def test_a_damaged_fit_is_made_again_and_its_tiles_with_it(folder, model, name, content):
    (folder / name).write_bytes(content)
    job = again(folder)
    assert job.fitted() is None
    job.keep_fit(model, DECIDED)
    assert job.fitted() is not None and not (folder / "tiles").exists()


def test_a_changed_number_in_a_fit_is_damage(folder):
    text = (folder / "fit.json").read_text()
    (folder / "fit.json").write_text(text.replace('"none"', '"l2"'))
    assert again(folder).fitted() is None


@pytest.mark.parametrize("shape", ["[0, 9]", '["7", 9]', "[7]", "null", "[true, 9]"])
def test_a_damaged_tile_size_is_decided_again(folder, shape):
    (folder / "tiles.json").write_text(f'{{"shape": {shape}}}')
    assert again(folder).tile_shape((3, 4)) == (3, 4)


def test_a_damaged_card(folder):
    (folder / "job.json").write_bytes(b"{")
    with pytest.raises(InputError, match=r"is damaged .* --overwrite starts anew"):
        again(folder)
    assert again(folder, overwrite=True).fitted() is None


@pytest.mark.parametrize("card", [True, False])
def test_what_is_not_ours_stays(tmp_path, card):
    folder = tmp_path / "out.partial"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    if card:
        (folder / "job.json").write_text("nonsense")
    for how in ({}, {"resume": False}, {"overwrite": True}):
        with pytest.raises(InputError, match="is no unfinished work; move it away"):
            again(folder, **how)
    discard(folder)
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out.partial").mkdir()
    again(tmp_path / "out.partial", resume=False)
    assert is_work(tmp_path / "out.partial")


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="work: cannot write"):
        Job(tmp_path / "file" / "out.partial", ABOUT, resume=False)


def test_one_at_a_time_and_nothing_left(tmp_path):
    out = tmp_path / "new" / "out"
    with alone(out), pytest.raises(InputError, match="another process works at"), alone(out):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_left_by_a_killed_process_holds_nobody_up(tmp_path):
    out = tmp_path / "out"
    lock_file(out).write_text("")
    with alone(out):
        pass
    assert list(tmp_path.iterdir()) == []


def test_only_its_own_leftovers_are_cleared(tmp_path):
    out, token = tmp_path / "out", "0123456789ab"
    ours = tmp_path / temporary_name(out, token)
    others = [
        tmp_path / temporary_name(tmp_path / "out2", token),
        tmp_path / f"{ours.name}x",
        tmp_path / ".unmix-notes",
    ]
    for path in (ours, *others):
        path.mkdir()
        (path / "abundances.tif").write_text("")
    clear(out)
    assert sorted(tmp_path.iterdir()) == sorted(others)
