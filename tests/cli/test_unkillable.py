"""Killed at some moment, resumed: the same bytes. `scripts/unkillable.py` does so for hours."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "unkillable.py"


@pytest.fixture(scope="module")
def unkillable():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("unkillable", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# What a process is doing when it is killed: the function in which it ends there and then.
MOMENTS = ("unmix.output.write_csv", "unmix.cli.execution.discard")
DIES = """
import importlib, os, signal, sys
sys.path.insert(0, os.getcwd())
where, count = sys.argv[1], int(sys.argv[2])
names = where.split(".")
for cut in range(len(names) - 1, 0, -1):
    try:
        owner = importlib.import_module(".".join(names[:cut]))
        break
    except ImportError:
        continue
for name in names[cut:-1]:
    owner = getattr(owner, name)
inner, left = getattr(owner, names[-1]), [count]
def dies(*a, **k):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(*a, **k)
setattr(owner, names[-1], dies)
from unmix.cli import main
main(sys.argv[3:])
"""


def run(folder: Path, *arguments, dying: tuple[str, int] | None = None):
    import subprocess

    words = ["run", "scene.hdr", "-k", "3", "--method", "vca-fcls", "--tile-rows", "7"]
    words += ["--no-identify", "--no-report", *arguments]
    start = [sys.executable, "-m", "unmix"]
    if dying is not None:
        start = [sys.executable, "-c", DIES, dying[0], str(dying[1])]
    return subprocess.run([*start, *words], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def reference(unkillable, tmp_path_factory):
    """A folder with a scene and an undisturbed result."""
    folder = tmp_path_factory.mktemp("unkillable")
    unkillable.write_scene(folder / "scene.hdr", 40, 0)
    done = run(folder, "-o", "reference")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_there_and_resumed(unkillable, reference, moment):
    out = reference / f"out-{moment.rpartition('.')[2]}"
    killed = run(reference, "-o", out, dying=(moment, 1))
    assert killed.returncode < 0, killed.stderr
    unkillable.check_whole(out, "process")
    done = run(reference, "-o", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert unkillable.differing(out, reference / "reference") == []
    left = {p.name for p in reference.iterdir()}
    assert not {n for n in left if n.startswith(".unmix") or n.endswith(".partial")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits on file sizes are POSIX")
@pytest.mark.parametrize("where", ["FolderStore.put", "FolderStore.maps", "save"])
def test_a_full_disk_is_one_line_and_can_be_gone_on_with(unkillable, reference, where, monkeypatch):
    """As on a full disk: what is written ends in ENOSPC."""
    import errno

    from unmix.cli import main

    place = {
        "FolderStore.put": "numpy.lib.format.write_array_header_1_0",
        "FolderStore.maps": "unmix.tiles.store.FolderStore._put_together",
        "save": "unmix.output.write_csv",
    }[where]
    out = reference / f"full-{where}"

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(reference)
    words = ["run", "scene.hdr", "-k", "3", "--method", "vca-fcls", "--tile-rows", "7"]
    words += ["--no-identify", "--no-report", "-o", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr(place, full)
        with pytest.raises(SystemExit) as end:
            main(words)
    assert end.value.code == 2 and not out.exists()
    assert (reference / f"full-{where}.partial" / "fit.json").is_file()
    done = run(reference, "-o", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert unkillable.differing(out, reference / "reference") == []
