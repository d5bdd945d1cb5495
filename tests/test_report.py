from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import io
import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from rasterio.crs import CRS

from unmix.output import load, save
from unmix.plot import member_colour
from unmix.report import chosen, facts, render, scale, sure, tables, write_report
from unmix.report.trust import judgements
from unmix.types import Endmembers, Unmixing

EVIL = "</script><script>document.title='XSS'</script>"
NAMES = (EVIL, '$\\frac{a" onmouseover="x', "高岭石 & <b>")


def provenance(text: str = "plain") -> dict:
    """Every section, with `text` wherever a user's words may stand."""
    return {
        "unmix_version": "1.2",
        "git_commit": text,
        "created": text,
        "command": f"unmix run {text} -o OUT",
        "input": {
            "path": f"/data/{text.replace('/', '')}.hdr",
            "files": [{"path": text, "sha256": "ab12", "bytes": 12345}],
        },
        "method": {"name": "fcls", "label": text, "parameters": {text: [1, text]}},
        "scale": {"mode": "sum", "chosen": "auto", "why": text, "evidence": {text: 1.5}},
        "n_endmembers": {
            "k": 3,
            "chosen": "estimated",
            "why": text,
            "criteria": [{"name": text, "k": 3, "x": [2, 3], "y": [1, 2], "xlabel": text}],
        },
        "noise": {"snr_db": 31.25, "per_band": [0.01, None, 0.02, 0.01, 0.01, 0.02]},
        "preparation": [{"step": text, "what": text, "why": text, "count": 3}],
        "bands": {"kept": [True, True, False, True, True, True], "reason": {"2": text}},
        "pixels": {"total": 35, "masked": 1, "by": {text: 1}},
        "convergence": {"status": text, "kkt": 1e-9, "iterations": 20},
        "history": {text: [3.0, 2.0, 1.0]},
        "timings": {"read": 60.0, text: 30.0},
        "warnings": [text, "second warning"],
        "seed": 0,
        "threads": 2,
        "versions": {"numpy": text},
    }


CANDIDATES = [
    {"start": "a", "surface": "bilinear", "score": 90.0, "log_likelihood": 120.25,
     "constants": [0.5, 0.125, 0.0, 1.0, 0.75], "steps": 4},
    {"start": "b", "surface": "linear", "score": 60.0, "log_likelihood": 60.0, "constants": []},
    {"start": "a", "surface": "linear", "score": 50.0, "log_likelihood": 50.0, "constants": []},
    {"start": "a", "surface": "post-nonlinear", "failed": True},
]  # fmt: skip
EVIDENCE = {
    **{"surface": "bilinear", "constants": [0.5], "candidates": CANDIDATES},
    **{"misfit": 2.5, "noise_left": 0.25, "components": 4},
}


def make(names=("tree", "water", "soil"), given=None, *, pixel=20.0, crs=32633) -> Unmixing:
    rng = np.random.default_rng(5)
    a = rng.dirichlet(np.ones(3), (7, 5)).astype(np.float32)
    residual = rng.uniform(0.01, 0.02, (7, 5, 3)).astype(np.float32)
    a[1, 2], residual[1, 2] = np.nan, np.nan
    where = {"GeoTransform": f"500000 {pixel} 0 5000000 0 -{pixel}"}
    if crs:
        where["crs_wkt"] = CRS.from_epsg(crs).to_wkt()
    at = {"spatial_ref": xr.DataArray(0, attrs=where)} if crs else {}
    spectra = np.array([[1, 2, 0, 4, 5, 6], [6, 5, 0, 3, 2, 1], [3, 3, 0, 3, 3, 5]]) / 10
    spectra[:, 2] = np.nan
    wavelength = np.array([450.0, 550, 1400, 990, 985, 2200])
    return Unmixing(
        xr.DataArray(a, dims=("y", "x", "member"), coords=at),
        Endmembers(spectra, wavelength, tuple(names)),
        xr.DataArray(residual, dims=("y", "x", "quantity"), coords=at),
        provenance() if given is None else given,
        np.where(np.isnan(a[..., :1]), np.nan, rng.random((7, 5, 3))),
    )


def unsure(given=None, names=("tree", "water", "soil")) -> Unmixing:
    """The same result with intervals 0.08, 0.16 (once 1) and 0.4 wide, spectra with a spread."""
    result = make(names, given)
    sd = np.broadcast_to(np.float32([0.02, 0.04, 0.1]), (7, 5, 3)).copy()
    sd[np.isnan(result.abundances.values)] = np.nan
    sd[3, 4, 1] = 0.25
    mid = np.float32(0.5)
    maps = np.stack([sd, mid - 2 * sd, mid + 2 * sd], axis=-1)
    spread = result.endmembers.spectra / 10
    return dataclasses.replace(
        result,
        uncertainty=xr.DataArray(maps, dims=("y", "x", "member", "quantity")),
        endmembers=dataclasses.replace(result.endmembers, spread=spread),
    )


class Page(HTMLParser):
    """What a browser would make of the page: tags with attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br", "hr", "path", "use", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(make()))


def image(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1])))


def test_page_says_what_matters(page):
    words = " ".join(page.text.split())
    for expected in (
        "3 endmembers by plain in 7 × 5 pixels, from 5 of 6 bands.",
        "31.2 dB",
        "1 min 30 s",
        "97.1% of 35",
        "Second warning.",
        "ab12",
        "12 345",
        "1400 nm",
        "estimated: plain",
    ):
        assert expected in words, expected
    assert "plain" in page.text[: page.text.index("Unmixing report")]  # the title


@pytest.mark.parametrize("hostile", [False, True])
def test_page_asks_nobody_for_anything(hostile):
    text = render(make(NAMES, provenance("http://evil.example/x.js")) if hostile else make())
    for tag, attrs in Page(text).tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        for name, value in attrs.items():
            if name in {"src", "href", "xlink:href", "srcset", "data", "poster"}:
                assert value.startswith(("data:image/png;base64,", "#")), (tag, name, value)
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]{1,4})", text)) <= {"#" + m for m in ()} | set(
        re.findall(r"url\((#[^)]{3})", text)
    )


def test_policy_allows_this_script_and_no_other():
    text = render(make())
    policy = next(a for a in Page(text).all("meta") if a.get("http-equiv"))["content"]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy.split("script-src")[1]


def test_hostile_words_stay_words():
    page = Page(render(make(NAMES, provenance(EVIL))))
    assert len(page.all("script")) == 1
    assert not page.all("b")
    for tag, attrs in page.tags:
        assert not [a for a in attrs if a.startswith("on")], (tag, attrs)
    assert page.text.count(EVIL) > 15
    for name in NAMES:
        assert name in page.text
        assert any(attrs.get("data-name") == name for attrs in page.all("button"))
    svg_labels = [EVIL[:6], html.unescape("高岭石 &amp; &lt;b&gt;")]
    assert all(any(label in t for t in page.text.splitlines()) for label in svg_labels)


JUNK = ("missing", None, 3, "text", [], {}, [None], {"a": None})


def _without(section: str | None, junk) -> dict:
    """The whole provenance with `junk` in place of one section, or of all."""
    given = {k: junk if section in (None, k) else v for k, v in provenance().items()}
    return {k: v for k, v in given.items() if v != "missing"}


def test_any_section_may_be_missing_or_odd(monkeypatch):
    monkeypatch.setattr("unmix.report.images.svg", lambda _: None)  # slow; in test_plot
    for junk in JUNK:
        assert "How far to trust it" in render(make(given=_without(None, junk))), junk
    for i, section in enumerate(provenance()):
        for junk in ("missing", JUNK[1 + i % 7]):
            assert "How far to trust it" in render(make(given=_without(section, junk))), section


def test_bare_result_has_a_page():
    result = dataclasses.replace(make(crs=None, given={}), rgb=None)
    page = Page(render(result))
    assert "Unmixed scene" in page.text
    for absent in ("To repeat it", "Training", "How many", "left out, and", "km²", "m²"):
        assert absent not in page.text
    assert len(page.all("img")) == 3 + 2 + 5  # classes, confidence, composite, legend, anomalies


def test_nothing_valid_has_a_page():
    result = make()
    nothing = xr.full_like(result.abundances, np.nan), xr.full_like(result.residual, np.nan)
    page = Page(render(dataclasses.replace(result, abundances=nothing[0], residual=nothing[1])))
    assert "there is nothing to trust" in page.text


# --- pictures -----------------------------------------------------------------------------------


def test_maps_carry_their_values(page):
    result = make()
    maps = [b for b in page.all("button") if "data-colour" in b]
    assert [b["data-colour"] for b in maps] == [member_colour(k) for k in range(3)]
    colours = re.findall(".{6}", page.all("main")[0]["data-colours"])
    level = {tuple(bytes.fromhex(c)): i / (len(colours) - 1) for i, c in enumerate(colours)}
    images = [image(i["src"]) for i in page.all("img")]
    for k, picture in enumerate(images[2:5]):
        assert picture.mode == "P"
        rgba = np.asarray(picture.convert("RGBA"))
        values = result.abundances.values[..., k]
        np.testing.assert_array_equal(rgba[..., 3] == 0, np.isnan(values))
        for y, x in np.argwhere(np.isfinite(values)):
            assert level[tuple(rgba[y, x, :3].tolist())] == pytest.approx(values[y, x], abs=0.006)


def test_dominant_map_shows_the_largest(page):
    result = make()
    rgba = np.asarray(image(page.all("img")[1]["src"]).convert("RGBA"))
    largest = result.abundances.values.argmax(axis=-1)
    for y, x in np.argwhere(rgba[..., 3] > 0):
        colour = "#" + bytes(rgba[y, x, :3].tolist()).hex().upper()
        assert colour == member_colour(largest[y, x])
    assert (rgba[..., 3] == 0).sum() == 1


def test_large_scenes_make_small_pages():
    rng = np.random.default_rng(0)
    a = rng.dirichlet(np.ones(6), (700, 900)).astype(np.float32)
    maps = xr.DataArray(a, dims=("y", "x", "member"))
    residual = xr.DataArray(a[..., :3], dims=("y", "x", "quantity"))
    result = Unmixing(maps, Endmembers(rng.random((6, 9))), residual, {}, a[..., :3])
    text = render(result)
    assert len(text) < 3e6
    page = Page(text)
    assert int(page.all("main")[0]["data-step"]) == 3
    assert image(page.all("img")[0]["src"]).size == (300, 234)


def test_same_result_same_page(tmp_path):
    first, second = (write_report(make(), tmp_path / name) for name in ("a.html", "b.html"))
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_page_is_made_again_from_the_folder(tmp_path):
    out = save(make(NAMES, provenance(EVIL)), tmp_path / "OUT")
    before = (out / "report.html").read_text(encoding="utf-8")
    write_report(load(out), out / "report.html")
    after = (out / "report.html").read_text(encoding="utf-8")
    pictures = re.compile(r"data:image/png;base64,[^\"]*")
    assert pictures.sub("", after) == pictures.sub("", before)
    assert pictures.findall(after) == pictures.findall(before)
    assert [p for p in out.iterdir() if p.name.startswith(".")] == []


def test_what_was_asked_for_is_not_explained():
    given = provenance()
    given["n_endmembers"] = {"k": 3, "chosen": "user", "why": "asked for"}
    page = Page(render(make(given=given)))
    assert "as asked" in page.text
    assert "How many endmembers" not in page.text


# --- uncertainty and evidence -------------------------------------------------------------------


def section_of(page: Page, heading: str, following: str) -> str:
    words = " ".join(page.text.split())
    return words[words.index(heading) : words.index(following)]


def test_trust_says_how_sure_each_member_is():
    result = unsure({"warnings": ["tree and water swap between starts"], "evidence": EVIDENCE})
    page = Page(render(result))
    words = section_of(page, "How far to trust it", "What was chosen and why")
    judged = words[words.index("materials. ") + len("materials. ") :]
    assert judged.startswith("The intervals of the abundances do not count what stays unexplained")
    assert " ".join(page.text.split()).count("ree and water swap between starts.") == 1
    rows = sure.by_member(result)
    np.testing.assert_allclose([r["sd"] for r in rows], [0.02, 0.04 + 0.21 / 34, 0.1], rtol=1e-5)
    np.testing.assert_allclose([r["wide"] for r in rows], [0, 1 / 34, 1])
    for row in ("tree 0.020.0 %", "water 0.0462.9 %", "soil 0.1100.0 %"):
        assert row in words
    assert "uncertainty.tif" in page.text and "endmembers_spread.csv" in page.text


def test_the_map_shows_the_largest_standard_deviation():
    page = Page(render(unsure()))
    (frame,) = [b for b in page.all("button") if "standard deviation" in b["data-title"]]
    at = [b["data-title"] for b in page.all("button")].index(frame["data-title"])
    rgba = np.asarray(image(page.all("img")[at]["src"]).convert("RGBA")).astype(int)
    assert (rgba[..., 3] == 0).sum() == 1 and rgba[1, 2, 3] == 0
    assert rgba[3, 4, :3].sum() > rgba[0, 0, :3].sum() == rgba[6, 1, :3].sum()


def test_a_result_that_is_not_unsure_says_nothing_of_it():
    page = Page(render(make()))
    for absent in ("How sure", "standard deviation to each side", "uncertainty.tif", "was chosen"):
        assert absent not in " ".join(page.text.split()), absent
    assert sure.by_member(make()) == [] and sure.largest_sd(make()) is None
    nothing = unsure()
    nothing = dataclasses.replace(nothing, uncertainty=xr.full_like(nothing.uncertainty, np.nan))
    assert sure.by_member(nothing) == []
    assert "How sure" not in Page(render(nothing)).text


def test_what_was_chosen_is_a_row_a_surface_best_first():
    page = Page(render(make(given={"evidence": EVIDENCE})))
    words = section_of(page, "What was chosen and why", "Abundance maps")
    assert "Mixing is taken as bilinear: it scores 30 better than linear." in words
    assert "4 independent directions" in words and "leaves 25% of the noise’s power" in words
    assert "What stays unexplained is 1.6 times the noise that is left" in words
    found = chosen.choices(make(given={"evidence": EVIDENCE}))["surfaces"]
    assert [(r["name"], r["behind"]) for r in found] == [
        *(("bilinear", 0), ("linear", 30), ("post-nonlinear", None)),
    ]
    assert found[0]["constants"] == "5, from 0 to 1" and found[1]["constants"] == "none"
    for cell in ("120.25best", "none60−30", "post-nonlinear", "could not be fitted"):
        assert cell in words, cell


def test_a_good_fit_is_said_to_be_noise():
    given = {"evidence": EVIDENCE | {"misfit": 0.8, "noise_left": 1.0}}
    assert "What stays unexplained is no more than the noise" in render(make(given=given))
    assert "Averaging" not in render(make(given=given))
    assert level_of(unsure(given), "true errors are larger") is None
    assert level_of(unsure({"evidence": EVIDENCE}), "true errors are larger") == "doubt"


@pytest.mark.parametrize("junk", JUNK[1:])
@pytest.mark.parametrize("part", EVIDENCE)
def test_evidence_may_be_odd(part, junk):
    found = chosen.choices(make(given={"evidence": EVIDENCE | {part: junk}}))
    assert found["reasons"] and isinstance(found["surfaces"], list)
    odd = [{key: junk for key in CANDIDATES[0]} | {"surface": name} for name in ("a", "b")]
    assert len(chosen.choices(make(given={"evidence": {"candidates": odd}}))["surfaces"]) == 2


def test_hostile_evidence_stays_words():
    evil = CANDIDATES[0] | {"surface": EVIL}
    evidence = EVIDENCE | {"surface": EVIL, "candidates": [evil, *CANDIDATES[1:]]}
    page = Page(render(unsure({"evidence": evidence, "warnings": [EVIL]}, NAMES)))
    assert len(page.all("script")) == 1
    assert section_of(page, "What was chosen", "Abundance maps").count(EVIL) == 2


# --- numbers ------------------------------------------------------------------------------------


def test_shares_and_areas():
    result = make()
    table = facts.materials(result)
    a = result.abundances.values.reshape(-1, 3).astype(float)
    a = a[np.isfinite(a).all(axis=1)]
    np.testing.assert_allclose([m["mean"] for m in table], a.mean(axis=0))
    dominant = np.bincount(a.argmax(axis=1), minlength=3) / 34
    np.testing.assert_allclose([m["dominant"] for m in table], dominant)
    assert facts.area_unit(result) == "m²"
    assert sum(m["area"] for m in table) == pytest.approx(34 * 400, rel=1e-6)
    big = make(pixel=1000.0)
    assert facts.area_unit(big) == "km²"
    assert sum(m["area"] for m in facts.materials(big)) == pytest.approx(34, rel=1e-6)


def test_areas_need_metres():
    degrees = make(crs=4326, pixel=0.001)
    assert facts.pixel_area(degrees) is None
    feet = make(crs=2263, pixel=10.0)
    assert facts.pixel_area(feet) == pytest.approx(100 * 0.3048006096**2)


def test_scale_bar_is_a_round_third_at_most():
    assert scale.scale_bar(make()) == (0.2, "20 m")
    assert scale.scale_bar(make(pixel=1000.0)) == (0.2, "1 km")
    assert scale.scale_bar(make(crs=4326, pixel=0.001)) is None  # beyond the pole
    assert scale.scale_bar(make(crs=None)) is None


def test_every_large_map_has_the_scale_bar_and_the_page_the_pixel():
    page = Page(render(make()))
    bars = [d for d in page.all("div") if d.get("class") == "scale"]
    assert len(bars) >= 6
    assert {d["style"] for d in bars} == {"width:20.0%"}
    words = " ".join(page.text.split())
    assert "Pixel20 m100 m × 140 m, EPSG:32633" in words.replace(" Pixel 20 m ", "Pixel20 m")
    bare = Page(render(make(crs=None)))
    assert not [d for d in bare.all("div") if d.get("class") == "scale"]
    assert "EPSG" not in bare.text


def test_a_warning_is_said_once():
    warned = {"evidence": EVIDENCE, "warnings": ["mixtures of 3 spectra leave much"]}
    words = " ".join(Page(render(make(given=warned))).text.split())
    assert words.count("ixtures of 3 spectra leave much") == 1
    assert "What stays unexplained" not in words


def test_left_out_bands_are_told_in_runs():
    result = make(given={"bands": {"reason": {"0": "a", "1": "a", "2": "b", "4": "a", "x": "c"}}})
    rows = tables.details(result)["bands_left_out"]
    assert rows == [("a", 3, "450–550, 985 nm"), ("b", 1, "1400 nm")]
    e = result.endmembers
    bare = dataclasses.replace(result, endmembers=Endmembers(e.spectra, None, e.names))
    assert tables.details(bare)["bands_left_out"][0] == ("a", 3, "1–2, 5")


# --- trust --------------------------------------------------------------------------------------


def told(result) -> dict[str, str]:
    return {j.text: j.level for j in judgements(result)}


def level_of(result, start: str) -> str | None:
    return next((v for k, v in told(result).items() if start in k), None)


@pytest.mark.parametrize(("noise", "level"), [(0.012, "good"), (0.005, "note"), (0.001, "doubt")])
def test_residual_is_weighed_against_noise(noise, level):
    assert level_of(make(given={"noise": {"per_band": [noise] * 6}}), "times the noise") == level


@pytest.mark.parametrize(("factor", "level"), [(0.1, "good"), (1.0, "note"), (9.0, "doubt")])
def test_residual_is_weighed_against_brightness(factor, level):
    result = make(given={})
    result = dataclasses.replace(result, residual=result.residual * factor)
    assert level_of(result, "mean brightness") == level


def test_doubts_come_first_and_name_their_reason():
    result = make(("endmember 1", "water", "soil"), {"convergence": {"kkt": 0.1}})
    a = result.abundances.copy()
    a[:4] = np.nan
    a[4:] = [0.95, 0.0, 0.05]
    e = result.endmembers
    spectra = e.spectra.copy()
    spectra[1] = 1.1 * spectra[0]
    result = dataclasses.replace(
        result, abundances=a, endmembers=dataclasses.replace(e, spectra=spectra)
    )
    levels = list(told(result).values())
    assert levels == sorted(levels, key=("doubt", "note", "good").index)
    assert level_of(result, "optimality conditions hold to 0.1") == "doubt"
    assert level_of(result, "“endmember 1” and “water” are the most alike") == "doubt"
    assert level_of(result, "“soil” nowhere exceeds 10 %") == "note"
    assert level_of(result, "57% of the pixels are masked") == "note"
    assert level_of(result, "numbered, not identified") == "note"
    compared = [{"name": name, "match": ""} for name in result.endmembers.names]
    compared = {**result.provenance, "identification": compared}
    compared = dataclasses.replace(result, provenance=compared)
    assert level_of(compared, "like no library spectrum enough") == "note"
    assert not any("not identified" in text for text in told(compared))


def test_outliers_are_counted():
    result = make()
    residual = result.residual.copy()
    residual[0, :4] = 1.0
    assert level_of(dataclasses.replace(result, residual=residual), "11.8% of the pixels") == "note"
    assert level_of(result, "times worse") is None


# --- in a browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("chromium is not installed")

    def dom(path: Path) -> str:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            command = [found, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
            command += ["--disable-background-networking", "--disable-component-update"]
            command += ["--disable-sync", f"--user-data-dir={profile}", "--dump-dom"]
            answer = subprocess.run(
                [*command, path.as_uri()], capture_output=True, timeout=60, check=False
            )
        return answer.stdout.decode()

    return dom


def test_browser_runs_the_script_and_nothing_hostile(browser, tmp_path):
    dom = browser(write_report(make(NAMES, provenance(EVIL)), tmp_path / "report.html"))
    assert 'data-ready="yes"' in dom
    assert "<title>XSS" not in dom


def test_browser_reads_a_pixel_out(browser, tmp_path):
    text = render(make())
    probe = """<script>addEventListener("load", () => {
      const frame = document.querySelectorAll(".frame")[3], box = frame.getBoundingClientRect();
      const at = {clientX: box.left + box.width * 0.5, clientY: box.top + box.height * 0.9};
      frame.dispatchEvent(new PointerEvent("pointermove", at));
    })</script></body>"""
    text = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", probe)
    (tmp_path / "probe.html").write_text(text, encoding="utf-8")
    dom = browser(tmp_path / "probe.html")
    (readout,) = re.findall(r'<output id="readout"[^>]*>(.*?)</output>', dom)
    values = make().abundances.values[6, 2]
    assert "row 7, column 3 · 500050, 4999870" in readout
    k = int(values.argmax())
    shown = re.search(rf"{('tree', 'water', 'soil')[k]} ([\d.]+)", readout)
    assert float(shown[1]) == pytest.approx(values[k], abs=0.011)
