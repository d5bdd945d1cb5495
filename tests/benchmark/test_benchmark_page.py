"""The tables, figures and page of a benchmark, from a made-up folder."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import subprocess
import sys
from math import radians
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
from PIL import Image

from unmix.benchmark import published
from unmix.benchmark.figures import pictures
from unmix.benchmark.figures.boxes import FLOOR, _box
from unmix.benchmark.layout import columns, tables
from unmix.benchmark.page import write
from unmix.benchmark.reading import read
from unmix.benchmark.results import Entry, Place
from unmix.benchmark.tables import Cell, Row, Table, mark_best, to_html, to_markdown
from unmix.checks import InputError

from .fake_results import METHODS, NAMES, folder

SUITES = ("paper", "nae", "real")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """Folders of all suites, with everything written."""
    base = tmp_path_factory.mktemp("benchmark")
    folders = {s: folder(base / s, s, methods=8, seeds=3, side=(6, 7)) for s in SUITES}
    for out in folders.values():
        write(out)
    return folders


def rows_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def save_rows(out: Path, rows: list[dict]) -> None:
    (out / "results.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def markdown_tables(text: str) -> dict[str, list[list[str]]]:
    """Cells of every pipe table under its heading (the last of a name wins)."""
    found: dict[str, list[list[str]]] = {}
    part = title = ""
    for line in text.split("\n"):
        if line.startswith("## "):
            part = line[3:]
        elif line.startswith("### "):
            title = f"{part}: {line[4:]}"
        elif line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found.setdefault(title, []).append([c.strip() for c in cells])
    return found


@pytest.mark.parametrize("suite", SUITES)
def test_everything_is_written_and_nothing_left_beside(made, suite):
    out = made[suite]
    names = {p.name for p in out.iterdir()}
    assert names == {
        *("results.jsonl", "manifest.json", "runs", "scenes", "results.csv", "summary.json"),
        *("tables.md", "cost.md", "index.html", "figures"),
    }
    figures = sorted((out / "figures").iterdir())
    assert len(figures) > 5
    for path in figures:
        image = np.asarray(Image.open(path).convert("L"), float)
        assert image.std() > 5, path.name  # something is drawn
        assert image[0].min() > 240 and image[:, 0].min() > 240, path.name  # nothing runs out


@pytest.mark.parametrize("suite", SUITES)
def test_numbers_equal_an_independent_computation(made, suite):
    rows = rows_of(made[suite])
    part = {"paper": "simulated", "nae": "grid", "real": "blind"}[suite]
    digits = 4 if suite == "nae" else 3
    results = read(made[suite])
    table = next(t for t in tables(results, part) if "Abundance RMSE" in t.title)
    labels = {v: k for k, v in METHODS.items()}
    places = [c.place for c in columns(results, part)]
    checked = 0
    for row in table.rows:
        if row.kind.startswith("other") or row.head[0] not in labels:
            continue
        scale = row.head[1] if suite == "real" else "none"
        for place, cell in zip(places, row.cells, strict=False):
            values = [
                r["abundance_rmse"]
                for r in rows
                if (r["part"], r["scene"], r["scale"]) == (part, place.scene, scale)
                and r["method"] == labels[row.head[0]]
                and r["status"] == "ok"
            ]
            text = f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}"
            assert cell.text == text + (" (1 failed)" if len(values) < 3 else "")
            checked += 1
    assert checked == 8 * len(places) * (2 if suite == "real" else 1)


def test_mean_column_and_its_spread(made):
    rows = [r for r in rows_of(made["paper"]) if r["part"] == "simulated" and r["method"] == "nae"]
    by_seed = [mean(r["abundance_rmse"] for r in rows if r["seed"] == s) for s in range(3)]
    text = markdown_tables((made["paper"] / "tables.md").read_text())
    table = text["Simulated scenes: Table 3. Abundance RMSE"]
    nae = next(r for r in table if r[0] == "NAE")
    assert table[0][-2:] == ["mean", "published mean"]
    assert nae[-2:] == [f"{mean(by_seed):.3f} ± {stdev(by_seed):.3f}", "0.165"]
    assert next(r for r in table if r[0] == "VCA + FCLS")[-1] == "–"


def test_columns_stand_by_model_and_snr_and_methods_as_listed(made):
    text = markdown_tables((made["paper"] / "tables.md").read_text())
    for title, table in text.items():
        assert len({len(r) for r in table}) == 1, title
        if "Table" in title:
            nine = [f"{m}, {s} dB" for m in ("linear", "bilinear", "post-nonlinear")
                    for s in (10, 20, 30)]  # fmt: skip
            assert table[0][1:10] == nine
            assert [r[0] for r in table[2:]] == list(METHODS.values())[:8]


@pytest.mark.parametrize(("title", "higher"), [("Table 3. Abundance RMSE", False), ("PSNR", True)])
def test_the_best_of_each_column_is_bold(made, title, higher):
    text = markdown_tables((made["paper"] / "tables.md").read_text())
    table = next(v for k, v in text.items() if title in k)
    for column in list(zip(*table[2:], strict=True))[1:10]:
        plain = [c.replace("*", "").split(" ")[0] for c in column]
        able = [v for v, c in zip(plain, column, strict=True) if "failed" not in c]
        best = (max if higher else min)(able, key=float)
        assert [v for v, c in zip(plain, column, strict=True) if "**" in c] == [best]


def test_ties_as_printed_are_all_marked_and_others_never():
    rows = [
        Row(("a",), (Cell("0.123 ± 0.004", "", 0.1231),)),
        Row(("b",), (Cell("0.123 ± 0.009", "", 0.1229),)),
        Row(("c",), (Cell("0.1", "failed"),)),
        Row(("d",), (Cell("0.001", "", 0.001),), "other"),
    ]
    assert [r.cells[0].kind for r in mark_best(rows, 1)] == ["best", "best", "failed", ""]


def test_the_grid_beside_the_published_figures(made):
    rows = rows_of(made["nae"])
    text = (made["nae"] / "tables.md").read_text()
    table = markdown_tables(text)["The grid of NAE: Abundance RMSE"]
    index = next(i for i, r in enumerate(table) if r[0] == "NAE")
    ours, theirs, ratio = table[index : index + 3]
    assert (ours[1], theirs[1], ratio[1]) == ("ours", "published", "ratio")
    printed = [.0564, .0241, .0211, .0621, .0427, .0427, .0364, .0373, .0372]  # fmt: skip
    assert theirs[2:] == [f"{v:.4f}" for v in [*printed, mean(printed)]]
    over = 0
    for j, place in enumerate(columns(read(made["nae"]), "grid")):
        values = [r["abundance_rmse"] for r in rows
                  if r["method"] == "nae" and r["scene"] == place.place.scene]  # fmt: skip
        expected = mean(values) / printed[j]
        over += expected > 1.3
        assert ratio[2 + j] == f"{expected:.2f}×" + (" over" if expected > 1.3 else "")
    assert over and text.count("NAE on ") == over
    assert "Not compared, because runs failed: 3." in text
    # Methods without published figures stand below, one row each.
    assert [r[0] for r in table if r[0] == "ConvAE"] == ["ConvAE"]
    assert table.index(next(r for r in table if r[0] == "ConvAE")) > index
    spectra = markdown_tables(text)["The grid of NAE: Endmember SAD \\[rad\\]"]
    assert spectra[-1][0] == "VCA, published"
    assert spectra[-1][1] == f"{radians(3.29):.4f}"


def test_published_grid_is_the_printed_one():
    assert published.NAE_GRID["MVC-NMF"]["bilinear", 30] == 0.0942
    assert published.NAE_GRID["VCA + K-Hype"]["pnmm", 10] == 0.0452
    assert published.NAE_GRID["LinearAE"]["linear", 20] == 0.0670


def test_real_scenes_carry_printed_rows_with_their_protocol(made):
    text = (made["real"] / "tables.md").read_text()
    found = markdown_tables(text)
    rmse = found["Blind: endmembers estimated: Abundance RMSE"]
    crops = [f"Urban-{k} crop" for k in (4, 5, 6)]
    assert rmse[0] == ["method", "scale", "Samson", "Jasper Ridge", *crops, "mean"]
    by_name = {r[0]: r for r in rmse}
    assert by_name["DFFN, published"][2:] == ["0.027", "0.095", "0.105", "–", "–", "–"]
    assert by_name["CNNAEU, CyCU, uDAS, published"][2] == "≥0.180"
    angles = {r[0]: r for r in found["Blind: endmembers estimated: Endmember SAD \\[rad\\]"]}
    assert angles["A2SN, published"][2:5] == ["–", "0.042", "0.060"]
    assert "tuned on the truth" in text
    known = found["With the published endmembers given: Abundance RMSE"]
    assert not any("published" in r[0] for r in known)
    assert not any("Endmember SAD" in k and "given" in k for k in found)


def test_failed_runs_are_said_and_in_no_mean(made, tmp_path):
    text = (made["paper"] / "tables.md").read_text()
    failed = markdown_tables(text)["What failed: Runs that failed"]
    assert len(failed) == 2 + 3
    why = r"the matrix \| is singular &lt;b>now&lt;/b>"
    assert failed[2][2:] == ["MVC-NMF", "none", "0", why]
    out = folder(tmp_path / "all", "paper", methods=2, seeds=1, side=(6, 7))
    rows = rows_of(out)
    for r in rows:
        if r["method"] == "spa-fcls" and r["scene"] == "linear-10db":
            r |= {"status": "failed", "message": "no", "abundance_rmse": None}
    rows = [r for r in rows if not (r["method"] == "vca-fcls" and r["scene"] == "linear-20db")]
    save_rows(out, rows)
    text = to_markdown(tables(read(out), "simulated")[0])
    vca, spa = markdown_tables(text)[": Table 3. Abundance RMSE"][2:]
    assert spa[1] == "failed" and "(8 of 9)" in spa[-2] and "±" not in "".join(spa)
    assert vca[2] == "–" and "(8 of 9)" in vca[-2]


def test_csv_holds_every_run_exactly(made):
    for out in made.values():
        rows = {
            (r["part"], r["scene"], r["trained_on"] or "", r["method"], r["scale"], r["seed"]): r
            for r in rows_of(out)
        }
        with (out / "results.csv").open(newline="") as file:
            back = list(csv.DictReader(file))
        assert len(back) == len(rows)
        for b in back:
            names = ("part", "scene", "trained_on", "method", "scale")
            r = rows[(*(b[k] for k in names), int(b["seed"]))]
            for name in ("abundance_rmse", "psnr_db", "endmember_sad_rad", "seconds", "peak_mb"):
                assert (float(b[name]) if b[name] else None) == r[name]
            assert (json.loads(b["member_rmse"]) if b["member_rmse"] else {}) == r["member_rmse"]
            assert b["status"] == r["status"] and b["message"] == r["message"]


def test_summary_has_mean_spread_and_count(made):
    cells = json.loads((made["paper"] / "summary.json").read_text())["cells"]
    rows = rows_of(made["paper"])
    assert len(cells) == 27 * 8
    for cell in cells[::17]:
        keys = ("part", "scene", "trained_on", "method", "scale")
        own = [r for r in rows if all(r[k] == cell[k] for k in keys) and r["status"] == "ok"]
        found = cell["metrics"]["abundance_sid"]
        values = [r["abundance_sid"] for r in own]
        assert found == {
            "mean": pytest.approx(mean(values)), "std": pytest.approx(stdev(values)),
            "n": len(values),
        }  # fmt: skip
        assert cell["runs"] == 3 and cell["failed"] == 3 - len(own)
        assert set(cell["member_rmse"]) == set(own[0]["member_rmse"])


def test_the_same_scores_give_the_same_bytes_whatever_the_order_and_time(made, tmp_path):
    source = made["nae"]
    out = folder(tmp_path / "again", "nae", methods=8, seeds=3, side=(6, 7))
    rows = rows_of(source)
    np.random.default_rng(0).shuffle(rows)
    for r in rows:
        r["seconds"], r["peak_mb"] = 1.0, 2.0
    save_rows(out, rows)
    write(out)
    assert (out / "tables.md").read_bytes() == (source / "tables.md").read_bytes()
    assert (out / "cost.md").read_bytes() != (source / "cost.md").read_bytes()
    for path in (source / "figures").iterdir():
        if path.name.startswith("bars"):
            assert (out / "figures" / path.name).read_bytes() == path.read_bytes()
    assert not re.search(r"\[s\]|\[MB\]", (source / "tables.md").read_text())
    assert "Time \\[s\\]" in (source / "cost.md").read_text()


def test_a_repeated_run_replaces_the_earlier_and_half_a_line_is_passed_over(tmp_path):
    out = folder(tmp_path / "r", "nae", methods=1, seeds=1, side=(5, 6))
    rows = rows_of(out)
    again = {**rows[0], "abundance_rmse": 0.4321}
    save_rows(out, [*rows, again])
    with (out / "results.jsonl").open("a") as file:
        file.write('{"suite": "nae", "part": "gr')
    results = read(out)
    assert len(results.runs) == 9
    stat = results.stat("grid", Place(again["scene"]), Entry("vca-fcls", "none"), "abundance_rmse")
    assert stat == (0.4321, None, 1, 0)


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda out: (out / "results.jsonl").write_text("\n"), "has no results"),
        (lambda out: (out / "results.jsonl").unlink(), "has no results.jsonl"),
        (lambda out: (out / "manifest.json").unlink(), "has no manifest.json"),
        (lambda out: (out / "manifest.json").write_text("{"), "cannot be read"),
        (lambda out: (out / "results.jsonl").write_text("{}\n"), "line 1, is damaged"),
        (lambda out: next((out / "runs").iterdir()).write_bytes(b"PK"), "delete it"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, break_it, says):
    out = folder(tmp_path / "b", "nae", methods=1, seeds=1, side=(5, 6))
    break_it(out)
    with pytest.raises(InputError, match=says):
        write(out)


def test_without_arrays_scenes_or_a_manifests_lists(tmp_path):
    out = folder(tmp_path / "bare", "real", methods=2, seeds=1, side=(5, 6))
    for sub in ("runs", "scenes"):
        for path in (out / sub).iterdir():
            path.unlink()
    (out / "manifest.json").write_text('{"suite": "real"}')
    written = write(out)
    names = {p.name for p in written if p.suffix == ".png"}
    assert names == {
        "bars-blind-abundance-rmse.png", "bars-blind-endmember-sad-rad.png",
        "bars-known-abundance-rmse.png",
    }  # fmt: skip
    text = (out / "tables.md").read_text()
    assert "One seed, so no spread." in text and " ± " not in text


def test_an_array_outside_the_folder_is_not_read(tmp_path):
    out = folder(tmp_path / "o", "nae", methods=1, seeds=1, side=(5, 6))
    np.savez(tmp_path / "secret.npz", A=np.ones((5, 6, 4)), E=np.ones((4, 60)))
    rows = [{**r, "arrays": "../secret.npz"} for r in rows_of(out)]
    save_rows(out, rows)
    results = read(out)
    assert results.arrays(results.runs[0]) is None


def test_twelve_members_fifteen_methods_quick(tmp_path):
    out = folder(tmp_path / "big", "paper", 15, 1, members=12, side=(5, 6), quick=True)
    rows = [r for r in rows_of(out) if r["scene"] == "linear-20db"
            or (r["part"] == "transfer-crop" and r["trained_on"].endswith("20db"))]  # fmt: skip
    save_rows(out, rows)
    written = write(out)
    assert any(p.name == "maps-simulated-linear-20db.png" for p in written)
    assert "Do not quote these numbers" in (out / "index.html").read_text()
    table = markdown_tables((out / "tables.md").read_text())
    first = table["Simulated scenes: Table 3. Abundance RMSE"]
    assert first[0] == ["method", "linear, 20 dB", "published mean"]  # one scene has no mean


NASTY = "a|b *c* _d_ `e` [f](g) <script>alert(1)</script> & $x$ \\ ~h~"


def test_names_are_escaped_in_markdown_and_html(tmp_path):
    table = Table("t", NASTY, (NASTY, NASTY), (Row((NASTY,), (Cell("1.0"),)),), notes=(NASTY,))
    text = to_markdown(table)
    cells = markdown_tables(text)
    (lines,) = cells.values()
    assert all(len(line) == 2 for line in lines)
    back = html.unescape(re.sub(r"\\([\\`*_\[\]|~$])", r"\1", lines[0][0]))
    assert back == NASTY
    page = str(to_html(table))
    assert "<script>" not in page and html.escape(NASTY, quote=False) in page.replace("&#34;", '"')

    out = folder(tmp_path / "n", "real", methods=2, seeds=1, side=(5, 6))
    rows = [{**r, "label": NASTY, "scene_label": f"=cmd() {NASTY}", "fit_status": NASTY}
            for r in rows_of(out)]  # fmt: skip
    save_rows(out, rows)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest |= {"protocol": [NASTY], "skipped": NASTY, "git_commit": NASTY, "suite": NASTY}
    (out / "manifest.json").write_text(json.dumps(manifest))
    write(out)
    page = (out / "index.html").read_text()
    assert "<script" not in page and "alert(1)" in page
    assert "<script" not in (out / "tables.md").read_text()
    with (out / "results.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["scene_label"].startswith("'=cmd()")


def test_the_page_holds_everything_and_asks_for_nothing(made):
    for out in made.values():
        page = (out / "index.html").read_text()
        assert set(re.findall(r'(?:src|href)="(#|data:image/png;base64,|[^"]{1,9})', page)) <= {
            "#", "data:image/png;base64,",
        }  # fmt: skip
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
        assert page.count("<img ") == len(list((out / "figures").iterdir()))
        assert "Nine scenes of five spectra, made up for a test." in page
        assert "jasper/Jasper_GT.mat is not in DATA" in page
        assert html.escape(NAMES[-1], quote=False) not in page.replace(html.escape(NAMES[-1]), "")


def test_box_plots_show_the_percentiles_of_the_error(made):
    results = read(made["real"])
    column = columns(results, "blind")[0]
    box = _box(results, "blind", column, Entry("nae", "auto"))
    truth = np.load(made["real"] / "scenes" / "samson.npz")["A"]
    path = next((made["real"] / "runs").glob("blind_samson-*_nae_auto_s0.npz"))
    error = np.abs(np.load(path)["A"].astype(float) - truth).ravel()
    expected = np.maximum(np.quantile(error, [0.05, 0.25, 0.5, 0.75, 0.95]), FLOOR)
    assert [box[k] for k in ("whislo", "q1", "med", "q3", "whishi")] == pytest.approx(expected)


def test_a_method_has_one_colour_in_all_figures(made):
    results = read(made["paper"])
    seen: dict[str, set[str]] = {}
    for picture in pictures(results, "simulated"):
        if picture.name.startswith(("spectra", "errors")):
            for legend in picture.figure.legends:
                for line, text in zip(legend.get_lines(), legend.get_texts(), strict=True):
                    seen.setdefault(text.get_text(), set()).add(line.get_color())
    assert len(seen) == 9 and all(len(c) == 1 for c in seen.values())
    assert len({c for group in seen.values() for c in group}) == 9


def test_bars_are_the_means(made):
    results = read(made["paper"])
    picture = next(p for p in pictures(results, "simulated") if p.name.endswith("rmse"))
    axes = picture.figure.axes
    for panel, model in zip(axes, ("linear", "bilinear", "pnmm"), strict=True):
        widths = [p.get_width() for c in panel.containers for p in c.patches]
        wanted = [
            results.stat(
                "simulated", Place(f"{model}-{snr}db"), Entry(m, "none"), "abundance_rmse"
            ).mean
            for m in results.methods
            for snr in (10, 20, 30)
        ]
        assert widths == pytest.approx(wanted)


def test_a_method_far_off_does_not_hide_the_others(tmp_path):
    out = folder(tmp_path / "far", "paper", methods=5, seeds=1, side=(5, 6))
    rows = [{**r, "abundance_sid": 40.0} if r["method"] == "mvcnmf" else r for r in rows_of(out)]
    save_rows(out, rows)
    results = read(out)
    picture = next(p for p in pictures(results, "simulated") if p.name.endswith("sid"))
    assert picture.figure.axes[0].get_xlim()[1] < 2
    assert any(t.get_text() == "40 ›" for t in picture.figure.axes[0].texts)


def test_the_generator_runs_as_a_script(tmp_path):
    script = Path(__file__).with_name("fake_results.py")
    subprocess.run([sys.executable, script, "nae", tmp_path / "x", "1", "1"], check=True)
    assert len(rows_of(tmp_path / "x")) == 9
    buffer = io.BytesIO((tmp_path / "x" / "scenes" / "linear-10db.npz").read_bytes())
    assert np.load(buffer)["A"].shape == (60, 75, 4)
