"""Ctrl-C at any moment: code 130, one line, nothing left behind, soon."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import QUICK, entries, manifest, mixture

LINE = "unmix: interrupted: nothing was written; run the same command again\n"
SOON = 10  # seconds, on a busy machine


def heeded() -> None:
    """Interrupts count, even where the tests run in the background of a shell that ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(folder: Path, delay: float, *arguments) -> int:
    """Start, interrupt after `delay`; the exit code, everything else checked."""
    before = set(entries(folder))
    command = [sys.executable, "-m", "unmix", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=folder, preexec_fn=heeded, **pipes)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SOON)
    if process.returncode == 0:  # it was faster
        assert err == ""
    else:
        new = sorted(set(entries(folder)) - before)
        assert (process.returncode, out, err, new) == (130, "", LINE, [])
    return process.returncode


@pytest.mark.parametrize(
    "command",
    [
        ["run", "scene.hdr", "-k3", "-o", "a/b/out"],
        ["run", "scene.hdr", "-k3", "-o", "out", *QUICK, "--set", "epochs=500"],
        ["demo", "-o", "demo"],
    ],
)
def test_at_some_moment(scene, tmp_path, command):
    moment = random.Random(" ".join(command))
    interrupt(tmp_path, moment.uniform(0.15, 2.5), *command)


def stages():
    """Functions within which the interrupt strikes, by command."""
    run, train = ["run", "scene.hdr", "-k3", "-o", "new/out"], ["train", "scene.hdr", "-k3"]
    train += ["-o", "new/model", "--method", "vca-fcls"]
    yield from ((run, f"unmix.pipeline.stages.{name}") for name in ("make_ready", "fit", "solve"))
    yield from ((run, f"unmix.output.{name}") for name in ("write_tiff", "write_csv", "_swap"))
    yield from ((run, f"unmix.output.{name}") for name in ("write_manifest", "os.rename"))
    yield from ((run, f"unmix.report.{name}") for name in ("render", "os.replace"))
    yield from ((train, f"unmix.pipeline.train.{name}") for name in ("make_ready", "fit", "_tried"))
    yield from (
        (train, f"unmix.pipeline.checkpoint.{name}") for name in ("os.rename", "json.dumps")
    )
    yield ["simulate", "--size", "5x6", "-o", "a.mat"], "unmix.io.simulated.savemat"
    nine = ["simulate", "--nine", "--size", "5x6", "-o", "new/nine"]
    for name in ("io.simulated.savemat", "plot.structure.file_structure", "simulate.several._swap"):
        yield nine, f"unmix.{name}"
    yield ["endmembers", "scene.hdr", "-k3", "-o", "a.sli"], "unmix.io.library.sli_files"
    yield ["demo", "-o", "new/demo"], "unmix.pipeline.stages.make_ready"


@pytest.mark.parametrize(("command", "where"), list(stages()))
def test_at_every_stage(pages, cli, scene, monkeypatch, command, where):
    def strikes(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, strikes)
    answer = cli(*command)
    assert (answer.code, answer.out, answer.err, answer.new) == (130, "", LINE, [])


@pytest.mark.parametrize("where", ["unmix.output._write_all", "unmix.output._swap"])
def test_an_earlier_result_survives(cli, scene, result, monkeypatch, where):
    before = (result / "manifest.json").read_bytes()

    def strikes(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, strikes)
    answer = cli("run", scene, "-k4", "-o", result, "--overwrite")
    assert answer.code == 130 and answer.new == []
    assert (result / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("what", ["run", "train"])
def test_between_two_renames_the_earlier_one_returns(cli, scene, result, model, monkeypatch, what):
    import os

    rename, count = os.rename, []

    def second_strikes(*arguments):
        count.append(arguments)
        if len(count) == 2:
            raise KeyboardInterrupt
        rename(*arguments)

    folder = {"run": result, "train": model}[what]
    before = entries(folder)
    monkeypatch.setattr("os.rename", second_strikes)
    answer = cli(what, scene, "-k4", "-o", folder, "--method", "vca-fcls", "--overwrite")
    assert (answer.code, answer.new, entries(folder)) == (130, [], before)
    if what == "run":
        assert manifest(folder)["n_endmembers"]["k"] == 3


def test_an_earlier_demonstration_survives(cli, tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "scene.tif").write_text("an earlier one")

    def strikes(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("unmix.pipeline.stages.fit", strikes)
    answer = cli("demo", "-o", "demo", "--overwrite")
    assert (answer.code, answer.new) == (130, [])
    assert (tmp_path / "demo" / "scene.tif").read_text() == "an earlier one"


def test_the_scene_is_never_written(scene, tmp_path):
    before = scene.with_suffix(".img").read_bytes()
    interrupt(tmp_path, 0.6, "run", scene, "-k3", "-o", "out")
    assert scene.with_suffix(".img").read_bytes() == before == mixture()[0].tobytes()


HALF = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass
except KeyboardInterrupt:  # as modules made with pybind11 do
    raise ImportError("initialization failed")
done = True
"""
IMPORTS = """
import sys, time
import unmix.cli
from unmix.__main__ import main

def work():
    import half
    sys.stdout.write(f"{half.done}")
    sys.stdout.flush()
    time.sleep(20)

unmix.cli.main = work
main()
"""


def test_within_an_import_it_waits(tmp_path):
    (tmp_path / "half.py").write_text(HALF)
    command = [sys.executable, "-c", IMPORTS]
    started = time.monotonic()
    answer = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=heeded, timeout=60
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (130, "True", LINE)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_what_fails_because_of_it_is_an_interrupt(cli, scene, monkeypatch, debug):
    def strikes(*_, **__):
        raise ImportError("initialization failed")

    monkeypatch.setattr("unmix.pipeline.stages.fit", strikes)
    monkeypatch.setattr("unmix.cli.is_interrupted", lambda: True)
    answer = cli(*debug, "run", scene, "-k3", "-o", "new/out")
    assert (answer.code, answer.out, answer.new) == (130, "", [])
    assert answer.err.endswith(LINE)
