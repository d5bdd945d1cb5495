"""Several scenes in one job, as a stranger meets it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from unmix.output import load

from .conftest import COLUMNS, ROWS, entries, manifest, maps, mixture, spectra

PLAIN = ("--method", "vca-fcls", "--no-report")


@pytest.fixture
def scenes(make):
    """Headers of three scenes, seeds 1 to 3."""
    return [make(f"s{i}", mixture(rows=ROWS + i, seed=i)[0]) for i in (1, 2, 3)]


@pytest.fixture
def known(library):
    return ("--endmembers", library("known.csv", spectra()), *PLAIN)


def card(out):
    return json.loads((out / "summary.json").read_text())


def test_each_has_the_result_it_has_alone(works, scenes, known, tmp_path):
    answer = works("run", "s*.hdr", "-o", "out", *known)
    assert "done        3 of 3 scenes" in answer.out
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == [
        "s1",
        "s2",
        "s3",
        "summary.csv",
        "summary.json",
    ]
    works("run", scenes[1], "-o", "alone", *known)
    for name in ("abundances.tif", "endmembers.csv", "residual.tif"):
        assert (out / "s2" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    rows = list(csv.DictReader((out / "summary.csv").read_text().splitlines()))
    assert [(r["folder"], r["status"], r["k"]) for r in rows] == [
        (f"s{i}", "done", "3") for i in (1, 2, 3)
    ]
    about = card(out)
    assert about["complete"] and about["results"][0]["pixels"] == (ROWS + 1) * 9
    assert about["results"][2]["residual"] < 2e-3
    assert manifest(out / "s3")["command"].split()[0] == "unmix"
    load(out / "s1")


def test_one_that_fails_does_not_stop_the_others(cli, scenes, known, tmp_path):
    scenes[1].with_suffix(".img").write_bytes(b"short")
    answer = cli("run", *scenes, "-o", "out", *known)
    assert answer.code == 1
    assert answer.err.startswith("unmix: failed: s2: ") and answer.err.count("\n") == 1
    about = card(tmp_path / "out")
    assert [r["status"] for r in about["results"]] == ["done", "failed", "done"]
    assert (about["done"], about["failed"], about["complete"]) == (2, 1, True)
    assert not (tmp_path / "out" / "s2").exists()
    scenes[1].with_suffix(".img").write_bytes(mixture(rows=ROWS + 2, seed=2)[0].tobytes())
    before = (tmp_path / "out" / "s1" / "manifest.json").read_bytes()
    answer = cli("run", *scenes, "-o", "out", *known, "--resume", "--json")
    assert answer.code == 0 and answer.json["done"] == 3
    assert (tmp_path / "out" / "s1" / "manifest.json").read_bytes() == before


def test_strict_stops(cli, scenes, known, tmp_path):
    scenes[0].with_suffix(".img").write_bytes(b"short")
    assert cli("run", *scenes, "-o", "out", *known, "--strict").code == 1
    about = card(tmp_path / "out")
    assert [r["status"] for r in about["results"]] == ["failed", "waiting", "waiting"]
    assert not about["complete"]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--method", "bogus"),
        ("--scale", "bogus"),
        ("--device", "bogus"),
        ("--set", "bogus=1"),
        ("--endmembers", "none.csv"),
        ("--library", "none.csv"),
        ("--format", "bogus"),
        ("--seed", "-1"),
        ("--workers", "0"),
        ("--mask", "none.tif"),
        ("--anomaly-threshold", "7"),
        ("none.hdr",),
        ("none*.hdr",),
        ("--asset", "x"),
    ],
)
def test_what_is_wrong_for_all_is_said_once(refuses, scenes, wrong):
    assert refuses("run", *scenes, "-o", "out", *wrong)


def test_other_settings_and_other_folders_are_refused(cli, works, refuses, scenes, known, tmp_path):
    works("run", *scenes[:2], "-o", "out", *known)
    assert "--resume goes on with it" in refuses("run", *scenes[:2], "-o", "out", *known)
    line = refuses("run", *scenes[:2], "-o", "out", *known, "--resume", "--smooth", "1")
    assert "begun with another preparation" in line
    assert "several scenes" in refuses("run", scenes[0], "-o", "out", *known, "--overwrite")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    for more in ((), ("--overwrite",), ("--resume",)):
        assert "choose another" in refuses("run", *scenes, "-o", "mine", *known, *more)
    works("run", *scenes, "-o", "out", *known, "--resume")
    works("run", *scenes[1:], "-o", "out", *known, "--overwrite")
    assert [r["folder"] for r in card(tmp_path / "out")["results"]] == ["s2", "s3"]
    assert not (tmp_path / "out" / "s1").exists()


def test_another_mask_of_the_same_name_is_another_job(works, refuses, make, known, tiff):
    pair = [make(f"m{i}", mixture(seed=i)[0]) for i in (1, 2)]
    mask = np.zeros((1, ROWS, COLUMNS), np.uint8)
    mask[0, 2, 3] = 1
    more = (*known, "--mask", tiff("mask.tif", mask))
    works("run", *pair, "-o", "out", *more)
    works("run", *pair, "-o", "out", *more, "--resume")
    mask[0, 5, 1] = 1
    tiff("mask.tif", mask)
    line = refuses("run", *pair, "-o", "out", *more, "--resume")
    assert "begun with another mask" in line


def test_a_damaged_summary_leads_nowhere_else(cli, scenes, known, tmp_path):
    out, outside = tmp_path / "out", tmp_path / "outside"
    cli("run", *scenes, "-o", "out", *known)
    (outside / "sub").mkdir(parents=True)
    about = card(out)
    for name in ("../outside", "/etc", "..", ".hidden", 7, None):
        about["results"].append(about["results"][0] | {"folder": name})
    about["results"] += [7, {"scene": 1}]
    (out / "summary.json").write_text(json.dumps(about))
    assert cli("run", *scenes, "-o", "out", *known, "--resume").code == 0
    (out / "summary.json").write_text(json.dumps(about))
    assert cli("run", *scenes, "-o", "out", *known, "--overwrite").code == 0
    assert (outside / "sub").is_dir()


def test_a_shared_model_makes_members_comparable(works, refuses, scenes, make, tmp_path):
    works("run", *scenes, "-o", "out", "-k", "3", "--shared", *PLAIN)
    out = tmp_path / "out"
    tables = {(out / f"s{i}" / "endmembers.csv").read_bytes() for i in (1, 2, 3)}
    assert len(tables) == 1
    assert manifest(out / "s1")["n_endmembers"]["chosen"] == "model"
    works("run", *scenes, "-o", "out", "-k", "3", "--shared", *PLAIN, "--resume")
    other = make("other", np.ones((5, 7, 11)) + mixture(5, 7)[0][..., :11], wavelength=None)
    line = refuses("run", *scenes, other, "-o", "new", "-k3", "--shared", *PLAIN)
    assert "other.hdr has 11 bands where s1.hdr has 24" in line
    assert "belongs to one scene" in refuses(
        "run", *scenes, "-o", "new2", "-k3", "--shared", "--leave-out", "water", *PLAIN
    )


def test_apply_goes_through_scenes_too(works, model, scenes, tmp_path):
    works("apply", model, *scenes, "-o", "out", "--no-report")
    about = card(tmp_path / "out")
    assert about["settings"]["command"] == "apply" and about["done"] == 3
    assert maps(tmp_path / "out" / "s2").shape == (ROWS + 2, 9, 3)


def test_two_at_once_and_killed_ones(scenes, tmp_path):
    """The second is refused; what a killed one leaves holds nobody up and is cleared away."""
    command = [sys.executable, "-m", "unmix", "run", str(scenes[0]), "-o", "out", "-k", "3"]
    command += ["--set", "epochs=100000", "--method", "cresdae", "--set", "preset=paper"]
    command += ["--set", "pretrain_epochs=0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path}
    first = subprocess.Popen(command, **pipes)
    while first.poll() is None and not any(n.endswith(".lock") for n in entries(tmp_path)):
        time.sleep(0.05)
    plain = [*command[:9], *PLAIN]
    second = subprocess.run(plain, **pipes, timeout=60)
    assert second.returncode == 2 and "another process works at" in second.stderr
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    third = subprocess.run(plain, **pipes, timeout=60)
    assert third.returncode == 0, third.stderr
    assert not [n for n in entries(tmp_path) if n.startswith(".unmix") or n.endswith(".partial")]
    load(tmp_path / "out")
