"""Runs of a suite: what rows say, taking up, failing, dying."""

import json

import numpy as np
import pytest

from unmix.benchmark import runner
from unmix.benchmark.case import Case, Job, Suite, Target
from unmix.benchmark.data import AbsentError, find
from unmix.benchmark.paper import paper, semi_synthetic
from unmix.benchmark.real import real
from unmix.benchmark.runner import run_jobs
from unmix.benchmark.store import Store
from unmix.checks import InputError
from unmix.methods import METHODS
from unmix.methods.linear import VCAFCLS
from unmix.metrics import abundance_rmse

ABOUT = {"suite": "small", "quick": False}


def small_case(seed=0):
    rng = np.random.default_rng(seed)
    E = rng.random((3, 20))
    A = rng.dirichlet(np.ones(3), (9, 13)).astype(np.float32)
    A[0, :3] = np.eye(3)
    X = (A @ E + 0.002 * rng.standard_normal((9, 13, 20))).astype(np.float32)
    return Case("small", "Small <scene>", X, A, E, ("a", "b", "c"))


def small_suite(methods=("vca-fcls", "spa-fcls"), seeds=2):
    target = Target("grid", "small", small_case)
    jobs = [Job(m, "none", s, (target,)) for s in range(seeds) for m in methods]
    return Suite("small", jobs, ["protocol"], [])


def stripped(store):
    """Rows without what differs from run to run."""
    return [
        {k: v for k, v in r.items() if k not in ("seconds", "peak_mb")} for r in store.rows.values()
    ]


def test_a_row_holds_the_metrics_of_its_own_arrays(tmp_path):
    store = Store(tmp_path / "out", ABOUT)
    run_jobs(small_suite(), store)
    assert len(store.rows) == 4
    for row in store.rows.values():
        assert row["status"] == "ok" and row["message"] == ""
        assert (row["arrays"] is not None) == (row["seed"] == 0)
        assert row["seconds"] > 0 and row["peak_mb"] >= 0
        if row["arrays"]:
            with np.load(tmp_path / "out" / row["arrays"], allow_pickle=False) as arrays:
                A, E = arrays["A"], arrays["E"]
            case = small_case()
            assert A.shape == case.A.shape and E.shape == case.E.shape
            assert row["abundance_rmse"] == pytest.approx(abundance_rmse(A, case.A), rel=1e-5)
            assert row["abundance_rmse"] < 0.05
            per_member = np.sqrt(((A - case.A) ** 2).mean(axis=(0, 1)))
            assert list(row["member_rmse"].values()) == pytest.approx(per_member.tolist(), rel=1e-4)
            error = small_case().X - A @ E
            assert row["reconstruction_rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-4)
    with np.load(tmp_path / "out" / "scenes" / "small.npz", allow_pickle=False) as scene:
        assert scene["names"].tolist() == ["a", "b", "c"] and scene["rgb"].shape == (9, 13, 3)


def test_two_runs_agree_and_a_second_call_does_nothing(tmp_path):
    stores = [Store(tmp_path / name, ABOUT) for name in ("a", "b")]
    for store in stores:
        run_jobs(small_suite(), store)
    assert stripped(stores[0]) == stripped(stores[1])
    before = (tmp_path / "a" / "results.jsonl").read_bytes()
    again = Store(tmp_path / "a", ABOUT)
    run_jobs(small_suite(), again)
    assert (tmp_path / "a" / "results.jsonl").read_bytes() == before
    run_jobs(small_suite(seeds=3), again)
    assert len(again.rows) == 6


class Failing(VCAFCLS):
    label = "Failing"
    fits = 0

    def fit(self, X, y=None):
        Failing.fits += 1
        raise FloatingPointError("diverged\nbadly")


def test_a_failed_run_is_a_row_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "failing", Failing)
    Failing.fits = 0
    suite = small_suite(("failing", "vca-fcls"), seeds=1)
    store = Store(tmp_path / "out", ABOUT)
    run_jobs(suite, store)
    failed, good = store.rows.values()
    assert failed["status"] == "failed" and failed["abundance_rmse"] is None
    assert failed["message"] == "FloatingPointError: diverged badly"
    assert good["status"] == "ok"
    for _ in range(3):  # tried once more when called again, then never
        run_jobs(suite, Store(tmp_path / "out", ABOUT))
    assert Failing.fits == 2


def test_infinite_abundances_are_a_failure(tmp_path, monkeypatch):
    class Broken(VCAFCLS):
        def transform(self, X):
            return np.full((*X.shape[:-1], 3), np.nan, np.float32)

    monkeypatch.setitem(METHODS, "broken", Broken)
    store = Store(tmp_path / "out", ABOUT)
    run_jobs(small_suite(("broken",), seeds=1), store)
    (row,) = store.rows.values()
    assert row["status"] == "failed" and "not finite" in row["message"]


def test_a_run_in_which_the_process_died_is_tried_once_more(tmp_path):
    suite = small_suite(("vca-fcls",), seeds=1)
    key = suite.jobs[0].key(suite.jobs[0].targets[0])
    for death in (1, 2):
        store = Store(tmp_path / "out", ABOUT)
        assert key not in store.finished()
        store.write("running.json", {"key": key, "row": {"method": "vca-fcls", "status": ""}})
        del store
        store = Store(tmp_path / "out", ABOUT)
        assert store.rows[key]["status"] == "failed"
        assert "process ended" in store.rows[key]["message"]
        assert (key in store.finished()) == (death == 2)
        (tmp_path / "out" / "running.json").unlink()


def test_an_interrupt_leaves_no_mark(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_configured", interrupted)
    store = Store(tmp_path / "out", ABOUT)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(small_suite(), store)
    assert not (tmp_path / "out" / "running.json").exists()
    assert not Store(tmp_path / "out", ABOUT).rows


def test_a_line_cut_off_is_dropped(tmp_path):
    store = Store(tmp_path / "out", ABOUT)
    run_jobs(small_suite(), store)
    path = tmp_path / "out" / "results.jsonl"
    text = path.read_text()
    path.write_text(text[:-40])
    again = Store(tmp_path / "out", ABOUT)
    assert len(again.rows) == 3
    run_jobs(small_suite(), again)
    assert len(again.rows) == 4
    assert all(json.loads(line)["status"] == "ok" for line in path.read_text().splitlines())


def test_folders_that_are_not_ours_are_left_alone(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="holds other things"):
            Store(other, ABOUT, overwrite=overwrite)
    assert (other / "thesis.tex").read_text() == "x"
    store = Store(tmp_path / "out", ABOUT)
    store.write("manifest.json", ABOUT)
    with pytest.raises(InputError, match="quick False, asked for is True"):
        Store(tmp_path / "out", ABOUT | {"quick": True})
    assert not Store(tmp_path / "out", ABOUT | {"quick": True}, overwrite=True).rows
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        Store(tmp_path / "file", ABOUT)


def test_one_fit_serves_all_targets(tmp_path, monkeypatch):
    class Counting(VCAFCLS):
        fits = 0

        def fit(self, X, y=None):
            Counting.fits += 1
            return super().fit(X)

    monkeypatch.setitem(METHODS, "counting", Counting)
    training = Target("simulated", "from", lambda: small_case(0))
    targets = (
        Target("transfer-crop", "one", small_case),
        Target("transfer-full", "two", small_case),
    )
    store = Store(tmp_path / "out", ABOUT)
    run_jobs(Suite("small", [Job("counting", "l2", 0, targets, training)], [], []), store)
    assert Counting.fits == 1
    assert [(r["scene"], r["trained_on"]) for r in store.rows.values()] == [
        ("one", "from"),
        ("two", "from"),
    ]


def test_paper_has_nine_scenes_that_share_their_abundances(data):
    suite = paper(data, seeds=1, quick=True, methods=["vca-fcls"])
    scenes = [job.targets[0] for job in suite.jobs if job.training is None]
    assert len(scenes) == 9
    cases = [target.make() for target in scenes]
    assert len({case.name for case in cases}) == 9
    assert all(np.array_equal(case.A, cases[0].A) for case in cases)
    for case in cases:
        assert case.X.shape[-1] == 162 and case.E.shape == (5, 162)
    parts = {t.part for job in suite.jobs if job.training is not None for t in job.targets}
    assert parts == {"transfer-crop", "transfer-full"}
    full = paper(data, seeds=2, quick=False, methods=["vca-fcls"])
    assert sum(job.training is not None for job in full.jobs) == 18


def test_the_semi_synthetic_scene_has_the_brightness_and_noise_of_the_crop(data):
    crop = paper(data, seeds=1, quick=True, methods=["vca-fcls"]).jobs[-1].targets[0].make()
    from unmix.benchmark.data import read_urban_truth
    from unmix.solve import snnls

    A = read_urban_truth(data, 5).abundances
    full = semi_synthetic(crop, A, 0)
    assert full.X.shape == (307, 307, 162)
    s_crop = snnls(crop.X, crop.E)[1]
    s_full = snnls(full.X[:80, :100], crop.E)[1]
    assert np.corrcoef(s_crop.ravel(), s_full.ravel())[0, 1] > 0.98
    assert np.abs(np.median(s_full) / np.median(s_crop) - 1) < 0.02


def test_real_skips_what_is_absent_and_says_where_it_is(data, tmp_path):
    suite = real(data, seeds=1, quick=True, methods=["vca-fcls"])
    scenes = {target.scene for job in suite.jobs for target in job.targets}
    assert scenes == {"samson", "urban-4", "urban-5", "urban-6"}
    (line,) = suite.skipped
    assert line.startswith("jasper: left out") and "rslab" in line
    assert {job.label for job in suite.jobs if job.known} == {"FCLS"}
    assert not real(tmp_path, seeds=1, quick=True).jobs
    with pytest.raises(AbsentError, match="usgs"):
        find(None, "usgs", "x")


def test_the_truth_is_the_crops_own(data):
    """Abundances of the crop, counted down the columns of the full scene, explain its pixels."""
    suite = real(data, seeds=1, quick=True, methods=["vca-fcls"])
    case = next(j.targets[0] for j in suite.jobs if j.targets[0].scene == "urban-6").make()
    from unmix.scaling import abundances

    A, _ = abundances(case.X, case.E, "shade")
    assert abundance_rmse(A, case.A) < 0.02
