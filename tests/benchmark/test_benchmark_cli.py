"""`unmix benchmark` as a stranger meets it."""

import json
import shutil

import pytest

from unmix.cli import main
from unmix.cli.execution import said


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", *map(str, arguments)])
    return ended.value.code


def refused(capsys, *arguments):
    """The one line of a call that exits with 2."""
    assert call(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("unmix: error: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("urban", "--quick"), "paper, nae, real"),
        (("real", "--quick"), "needs --data DIR with"),
        (("nae", "--quick", "--data", "{data}"), "s06av95a_envi"),
        (("real", "--data", "{data}/nowhere"), "is no folder"),
        (("real", "--data", "{data}", "--methods", "vca-fcls,magic"), "'magic'"),
        (("real", "--data", "{data}", "--methods", ""), "choose from"),
        (("real", "--data", "{data}", "--seeds", "0"), "whole number from 1"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(data, tmp_path, capsys, arguments, words):
    filled = [a.format(data=data) for a in arguments]
    assert words in refused(capsys, *filled, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_benchmark_from_start_to_page_and_again(data, tmp_path, capsys):
    out = tmp_path / "out"
    options = ("--quick", "--data", data, "--methods", "vca-fcls,spa-fcls")
    assert call("paper", *options, "-o", out) == 0
    assert "tables.md" in capsys.readouterr().out
    for name in ("tables.md", "cost.md", "index.html", "results.csv", "summary.json"):
        assert (out / name).stat().st_size > 100
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * (9 + 3 * 2) and all(r["status"] == "ok" for r in rows)
    tables, lines = (out / "tables.md").read_bytes(), (out / "results.jsonl").read_bytes()
    assert call("paper", *options, "-o", out) == 0  # nothing left to do
    assert (out / "results.jsonl").read_bytes() == lines
    assert (out / "tables.md").read_bytes() == tables
    capsys.readouterr()
    assert "suite 'paper', asked for is 'real'" in refused(capsys, "real", *options, "-o", out)
    other = tmp_path / "other"
    assert call("paper", *options, "-o", other) == 0
    assert (other / "tables.md").read_bytes() == tables


def test_real_goes_without_what_is_absent_and_says_so(data, tmp_path, capsys):
    out, folder = tmp_path / "out", tmp_path / "data"
    shutil.copytree(data / "samson", folder / "samson")
    assert call("real", "--quick", "--data", folder, "--methods", "spa-fcls", "-o", out) == 0
    assert "unmix: jasper: left out; needs --data DIR with" in capsys.readouterr().err
    skipped = json.loads((out / "manifest.json").read_text())["skipped"]
    assert len(skipped) == 2 and any(line.startswith("jasper: left out") for line in skipped)
    assert "jasper: left out" in (out / "index.html").read_text()


def test_an_interrupted_benchmark_says_that_it_goes_on(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("unmix.benchmark.suites.benchmark", interrupted)
    monkeypatch.setitem(said, "interrupted", said["interrupted"])
    assert call("paper", "-o", tmp_path / "b") == 130
    assert f"kept in {tmp_path / 'b'}; the same command goes on" in capsys.readouterr().err
