"""`unmix identify` and the naming of a run's endmembers, as typed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from unmix.identify import shipped_library
from unmix.io.library import write_csv, write_sli
from unmix.resample import resample
from unmix.types import Endmembers

from .conftest import COLUMNS, PLAIN, ROWS, manifest

X = np.arange(400.0, 2491.0, 12.0)
TITLES = ("Kaolinite CM9 (wxl)", "Calcite WS272", "Lawn_Grass GDS91 (Green)")
KINDS = ["kaolinite", "calcite", "green vegetation"]


@pytest.fixture(scope="module")
def members() -> Endmembers:
    library = shipped_library()
    rows = [library.names.index(title) for title in TITLES]
    few = Endmembers(library.spectra[rows], library.wavelength, ("a", "b", "c"))
    return resample(few, X, 12.0)


@pytest.fixture
def spectra(members, tmp_path):
    return write_csv(members, tmp_path / "members.csv")


@pytest.fixture
def ground(make, members):
    """A scene of the three materials with pure pixels."""
    rng = np.random.default_rng(0)
    A = rng.dirichlet(np.full(3, 0.4), (ROWS, COLUMNS))
    A[0, :3] = np.eye(3)
    cube = A @ members.spectra + 1e-3 * rng.standard_normal((ROWS, COLUMNS, len(X)))
    return make("ground", cube.astype(np.float32), wavelength=X, fwhm=np.full(len(X), 12.0))


def test_a_table_and_a_verdict_for_each(works, spectra):
    said = works("identify", spectra).out
    for kind in KINDS:
        assert kind in said
    assert "a is kaolinite: a convincing match" in " ".join(said.split())
    assert "Library" in said or "library" in said


def test_where_it_absorbs_and_why(works, tmp_path):
    library = shipped_library()
    green = library.names.index("Chlorite SMR-13.b 60-104um")
    one = Endmembers(library.spectra[[green]], library.wavelength, ("green",))
    said = " ".join(works("identify", write_csv(one, tmp_path / "green.csv")).out.split())
    assert " nm: (Fe, Al)-OH or plant matter; 23" in said
    assert "((" not in said and "))" not in said


def test_json_is_all_there_is_on_stdout(works, spectra):
    answer = works("identify", spectra, "--json", "--candidates", "2").json
    assert [m["match"] for m in answer["endmembers"]] == KINDS
    assert [m["endmember"] for m in answer["endmembers"]] == ["a", "b", "c"]
    for member in answer["endmembers"]:
        assert len(member["candidates"]) == 2 and "reference" not in member
        assert {"name", "entry", "score", "fit", "angle", "sid"} <= set(member["candidates"][0])


def test_another_library_and_another_format(works, members, tmp_path, spectra):
    own = Endmembers(members.spectra, X, ("White clay", "Chalk", "Meadow"))
    library = write_sli(own, tmp_path / "own.sli")
    answer = works("identify", spectra, "--library", library, "--json").json
    assert [m["match"] for m in answer["endmembers"]] == ["White clay", "Chalk", "Meadow"]
    assert "own.sli" in answer["library"]


def test_run_names_blind_endmembers_and_identify_reads_its_folder(works, ground, tmp_path):
    works("run", ground, "-k3", "-o", "out", *PLAIN)
    head = (tmp_path / "out" / "endmembers.csv").read_text().splitlines()[0]
    assert sorted(head.split(",")[1:]) == sorted(KINDS)
    record = manifest(tmp_path / "out")["identification"]
    assert sorted(r["name"] for r in record) == sorted(KINDS)
    again = works("identify", "out", "--json").json
    assert [m["match"] for m in again["endmembers"]] == [r["match"] for r in record]
    for one, other in zip(again["endmembers"], record, strict=True):
        assert one["margin"] == pytest.approx(other["margin"], abs=1e-6)


def test_run_without_names_and_with_ones_own(works, ground, members, tmp_path):
    works("run", ground, "-k3", "-o", "plain", *PLAIN, "--no-identify")
    head = (tmp_path / "plain" / "endmembers.csv").read_text().splitlines()[0]
    assert head == "wavelength_nm,endmember 1,endmember 2,endmember 3"
    assert manifest(tmp_path / "plain")["identification"] == []
    own = Endmembers(members.spectra, X, ("White clay", "Chalk", "Meadow"))
    library = write_csv(own, tmp_path / "own.csv")
    works("run", ground, "-k3", "-o", "own", *PLAIN, "--library", library)
    head = (tmp_path / "own" / "endmembers.csv").read_text().splitlines()[0]
    assert sorted(head.split(",")[1:]) == ["Chalk", "Meadow", "White clay"]


def test_endmembers_given_keep_their_names(works, ground, spectra, tmp_path):
    works("run", ground, "--endmembers", spectra, "-o", "out", *PLAIN)
    head = (tmp_path / "out" / "endmembers.csv").read_text().splitlines()[0]
    assert head == "wavelength_nm,a,b,c"
    assert [r["match"] for r in manifest(tmp_path / "out")["identification"]] == KINDS


def names_and_record(folder):
    head = (folder / "endmembers.csv").read_text().splitlines()[0]
    return head.split(",")[1:], manifest(folder)["identification"]


def test_a_model_has_names_and_what_is_applied_is_identified(works, ground, tmp_path):
    works("train", ground, "-k3", "-o", "model", *PLAIN)
    works("apply", "model", ground, "-o", "out")
    names, record = names_and_record(tmp_path / "out")
    assert sorted(names) == sorted(KINDS)
    assert [r["match"] for r in record] == names
    works("apply", "model", ground, "-o", "bare", "--no-identify")
    assert names_and_record(tmp_path / "bare") == (names, [])


def test_a_model_s_names_hold_whatever_the_scene_says(works, ground, tmp_path):
    works("train", ground, "-k3", "-o", "model", *PLAIN, "--no-identify")
    works("apply", "model", ground, "-o", "out")
    names, record = names_and_record(tmp_path / "out")
    assert names == ["endmember 1", "endmember 2", "endmember 3"]
    assert sorted(r["match"] for r in record) == sorted(KINDS)


@pytest.mark.usefixtures("pages")
def test_the_report_shows_it_and_can_be_made_again(works, ground, tmp_path):
    works("run", ground, "-k3", "-o", "out", *PLAIN)
    page = tmp_path / "out" / "report.html"
    text = page.read_text()
    assert "What the endmembers are" in text and "Calcite WS272" in text
    assert "convincing match" in text
    about = manifest(tmp_path / "out")
    about["identification"] = [{"verdict": "<b>x</b>"}, 3, None]  # somebody's own hand
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(about))
    works("report", "out")
    assert "What the endmembers are" not in page.read_text()
    row = {
        "verdict": "<script>bad</script>", "candidates": [{"name": None}, 7], "reference": "no",
        "absorptions": [
            {"centre": "far"}, {"centre": 2200.0, "name": "clay"},
            {"centre": 2252.4, "cause": "(Fe, Al)-OH"},
        ],
    }  # fmt: skip
    about["identification"] = [row, row, {}]
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(about))
    works("report", "out")
    text = page.read_text()
    assert "<script>bad" not in text and "What the endmembers are" in text
    assert "Absorbs at 2200 nm: clay; 2252 nm: (Fe, Al)-OH." in text


def test_what_cannot_be_identified_is_one_line(refuses, spectra, tmp_path, library, ground):
    assert "no such file" in refuses("identify", "nothing.csv")
    assert "no such file" in refuses("identify", spectra, "--library", "nothing.sli")
    bare = library("bare.csv", np.ones((2, 24)), np.arange(1, 25), head="band")
    assert "no wavelengths" in refuses("identify", bare)
    assert "no wavelengths" in refuses("identify", spectra, "--library", bare)
    assert "candidates" in refuses("identify", spectra, "--candidates", "0")
    (tmp_path / "empty").mkdir()
    assert "no spectra" in refuses("identify", "empty")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "manifest.json").write_text("{}")
    assert "has no endmembers.csv" in refuses("identify", "half")
    (tmp_path / "junk.csv").write_bytes(bytes(range(256)))
    refuses("identify", "junk.csv")
    refuses("identify", spectra, "--library", ground.with_suffix(".img"))
    run = ("run", ground, "-k3", "-o", "out", *PLAIN)
    assert "no such file" in refuses(*run, "--library", "nothing.csv")
    assert "leave one" in refuses(*run, "--no-identify", "--library", spectra)
