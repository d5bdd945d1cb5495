"""Radiance: refused where reflectance is needed; approximate conversions, marked as such."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.checks import InputError
from unmix.prepare.radiance import Reference, empirical_line, to_reflectance
from unmix.prepare.solar import earth_sun_distance, irradiance, sun_gain, unit_factor
from unmix.scene import open_scene
from unmix.simulate.products.emit import write

NM = np.linspace(420.0, 2450.0, 30)
ZENITH, DATE = 33.0, "2024-07-04"


@pytest.fixture(scope="module")
def rho():
    """Reflectance (13, 9, band) of three materials, the darkest of 1 %."""
    E = np.stack([np.full(30, 0.01), 0.2 + NM / 6000, 0.6 - NM / 8000])
    A = np.random.default_rng(1).dirichlet([0.5] * 3, (13, 9))
    A[0, 0], A[4, 2], A[7, 7] = np.eye(3)
    return A @ E


@pytest.fixture(scope="module")
def radiance(rho):
    """What a sensor above no atmosphere sees, W/m²/sr/µm."""
    sun = irradiance(NM, np.full(30, 8.0)) * np.cos(np.radians(ZENITH))
    return 1000 * rho * sun / np.pi / earth_sun_distance(DATE) ** 2


def scene_of(cube, **attrs):
    coords = {"wavelength": ("band", NM), "fwhm": ("band", np.full(30, 8.0))}
    about = {"quantity": "radiance", "units": "W/m^2/sr/um", "sun_zenith": ZENITH} | attrs
    return xr.DataArray(cube, coords, ("y", "x", "band"), "mine", about)


def test_the_sun_is_the_sun():
    """300 to 2600 nm hold 96 % of its 1361 W/m²; a Planck curve is near."""
    nm = np.arange(300.5, 2600.0, 1.0)
    assert irradiance(nm, np.full(nm.shape, 2.0)).sum() == pytest.approx(0.96 * 1361, rel=0.015)
    h, c, k, T = 6.62607015e-34, 299792458.0, 1.380649e-23, 5772.0
    m = NM * 1e-9
    planck = 2 * np.pi * h * c**2 / m**5 / np.expm1(h * c / m / k / T) * 1e-9
    diluted = planck * (6.957e8 / 1.495978707e11) ** 2
    np.testing.assert_allclose(irradiance(NM, np.full(30, 40.0)), diluted, rtol=0.22)


def test_bands_average_the_sun():
    fine = np.arange(500, 600.1, 0.25)
    sun = irradiance(fine, np.full(fine.shape, 0.1))
    weight = np.exp(-4 * np.log(2) * ((fine - 550) / 20) ** 2)
    assert irradiance([550.0], [20.0])[0] == pytest.approx(
        (sun * weight).sum() / weight.sum(), rel=2e-3
    )
    assert np.isnan(irradiance([200.0, np.nan, 2700.0])).all()


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("W/m^2/sr/um", 1e-3),
        ("W m-2 sr-1 μm-1", 1e-3),
        ("W/(m^2 sr um)", 1e-3),
        ("uW/cm^2/SR/nm", 1e-2),
        ("uW nm-1 cm-2 sr-1", 1e-2),
        ("mW/cm^2/sr/um", 1e-2),
        ("W m^-2 sr^-1 nm^-1", 1.0),
    ],
)
def test_units(text, factor):
    assert unit_factor(text) == factor
    with pytest.raises(InputError, match="is no radiance"):
        unit_factor(text.lower().replace("sr", ""))


def test_distances():
    """Perihelion, aphelion and an equinox, from the almanac."""
    known = {"2024-01-03": 0.98331, "2024-07-05": 1.01673, "2024-03-20": 0.99594}
    for day, au in known.items():
        assert earth_sun_distance(day) == pytest.approx(au, abs=8e-4)
    with pytest.raises(InputError, match="is no date"):
        earth_sun_distance("yesterday")


def test_sun_gives_reflectance_back(rho, radiance):
    found = to_reflectance(scene_of(radiance, acquired=DATE))
    np.testing.assert_allclose(found.values, rho, rtol=1e-5)
    assert found.attrs["quantity"] == "reflectance" and "units" not in found.attrs
    assert "sun zenith 33°" in found.attrs["approximate"]
    assert found.attrs["approximate"] in found.attrs["history"]
    undated = to_reflectance(scene_of(radiance))
    ratio = earth_sun_distance(DATE) ** -2
    np.testing.assert_allclose(undated.values, rho * ratio, rtol=1e-5)
    assert "wrong by up to 3.4 %" in undated.attrs["approximate"]


@pytest.mark.parametrize(
    ("name", "factor", "words"),
    [
        ("ahsi", 1, {}),
        ("enmap", 1e-3, {"level": "L1C"}),
        ("prisma", 1, {"level": "L1"}),
        ("emit", 0.1, {"quantity": "radiance", "sun_zenith": ZENITH}),
        ("tanager", 1, {"quantity": "radiance"}),
    ],
)
def test_radiance_products_of_every_sensor(tmp_path, rho, radiance, name, factor, words):
    """Each in its own unit and numbers: they give the same reflectance, within what they store."""
    from unmix.simulate.products import writer

    where = (30.0, 0.0, 366015.0, 0.0, -30.0, 5807085.0)
    detector = np.arange(30) > 9
    if name in ("ahsi", "enmap", "prisma"):
        words = words | {"detector": detector.astype(int)}
    path = writer(name)(tmp_path / "p", factor * radiance, NM, 8.0, "EPSG:32633", where, **words)
    found = to_reflectance(open_scene(path), sun_zenith=ZENITH, acquired=DATE)
    order = np.argsort(found.wavelength.values)
    np.testing.assert_allclose(found.values[..., order], rho, atol=0.01)


def test_dark_object_removes_even_haze(rho, radiance):
    haze = 20 * (400 / NM) ** 3
    hazy = scene_of(radiance + haze, acquired=DATE)
    assert np.abs(to_reflectance(hazy).values - rho).max() > 0.03
    np.testing.assert_allclose(to_reflectance(hazy, "dark-object").values, rho, atol=2e-3)


def test_dark_object_is_not_the_noise_of_the_darkest(rho, radiance):
    """Of a thousand dark pixels the least value is three standard deviations too low."""
    rng = np.random.default_rng(2)
    haze, sun = 20 * (400 / NM) ** 3, radiance[0, 1] / rho[0, 1]
    true = np.tile(rho, (8, 9, 1))
    true[:20] = rho[0, 0]
    seen = true * sun + haze + 0.01 * sun * rng.standard_normal(true.shape)
    found = to_reflectance(scene_of(seen.astype(np.float32), acquired=DATE), "dark-object").values
    error = np.median((found - true).reshape(-1, 30), axis=0)
    assert np.abs(error).max() < 0.015  # 0.03 by the least values themselves


def test_empirical_line_undoes_any_line(rho, radiance):
    rng = np.random.default_rng(3)
    gain, offset = rng.uniform(0.5, 2, 30), rng.uniform(0, 5, 30)
    seen = scene_of(radiance * gain + offset)
    places = [
        Reference(slice(r, r + 1), slice(c, c + 1), rho[r, c], f"{r},{c}")
        for r, c in ((0, 0), (4, 2), (7, 7))
    ]
    found = to_reflectance(seen, "empirical-line", references=places)
    np.testing.assert_allclose(found.values, rho, atol=1e-5)
    one = to_reflectance(scene_of(radiance * gain), "empirical-line", references=places[1:2])
    np.testing.assert_allclose(one.values, rho, rtol=1e-5)
    assert "through the origin of 1 place" in one.attrs["approximate"]


def test_a_line_needs_two_different_places():
    gain, _ = empirical_line(np.array([[5.0, 5], [5, 9]]), np.array([[0.1, 0.1], [0.4, 0.2]]))
    assert np.isnan(gain[0]) and gain[1] == pytest.approx(0.025)
    gain, _ = empirical_line(np.array([[5.0], [9]]), np.array([[0.4], [0.2]]))
    assert np.isnan(gain).all()


def test_pixels_stay_lazy(rho, radiance, tmp_path):
    path = write(tmp_path / "r", radiance / 10, NM, 8.0, quantity="radiance", sun_zenith=ZENITH)
    scene = open_scene(path)
    found = to_reflectance(scene, acquired=DATE)
    assert not isinstance(found.variable._data, np.ndarray)
    np.testing.assert_allclose(found[3:5, 2:9, [4, 11]].values, rho[3:5, 2:9, [4, 11]], rtol=1e-5)
    assert found.attrs["swath"] is scene.attrs["swath"]
    np.testing.assert_allclose(found.values, rho, rtol=1e-5)


def test_bands_outside_the_table_are_bad(radiance):
    scene = scene_of(radiance).assign_coords(wavelength=("band", np.linspace(420, 2700, 30)))
    assert to_reflectance(scene).good.values.tolist() == [True] * 28 + [False] * 2


@pytest.mark.parametrize(
    ("how", "attrs", "words", "message"),
    [
        ("moon", {}, {}, "choose one of sun, dark-object, empirical-line"),
        ("sun", {"quantity": "reflectance"}, {}, "is reflectance already"),
        ("sun", {"sun_zenith": None}, {}, "zenith is not known; give --radiometry sun_zenith"),
        ("sun", {}, {"sun_zenith": 93.0}, "got 93.0; give degrees from 0 to 85"),
        ("sun", {}, {"sun_zenith": float("nan")}, "give degrees from 0 to 85"),
        ("sun", {"units": ""}, {}, "unit is not known; give --radiometry units"),
        ("sun", {"units": "counts"}, {}, "'counts' is no radiance"),
        ("sun", {"acquired": "soon"}, {}, "'soon' is no date"),
        ("empirical-line", {}, {}, "needs places of known reflectance"),
    ],
)
def test_what_is_missing_is_said(radiance, how, attrs, words, message):
    with pytest.raises(InputError, match=message):
        to_reflectance(scene_of(radiance, **attrs), how, **words)


def test_bad_references(radiance):
    def ask(rows, cols, n=30, value=0.4):
        place = Reference(slice(*rows), slice(*cols), np.full(n, value), "here")
        return to_reflectance(scene_of(radiance), "empirical-line", references=[place])

    with pytest.raises(InputError, match="here is no window of the scene's 13 × 9 pixels"):
        ask((10, 14), (0, 2))
    with pytest.raises(InputError, match="with 30 reflectances"):
        ask((1, 2), (0, 2), n=29)
    with pytest.raises(InputError, match="do not rise with their reflectances"):
        ask((1, 2), (0, 2), value=-0.1)


@pytest.mark.parametrize("what", ["run", "file", "extract"])
def test_radiance_is_refused(radiance, tmp_path, what):
    from unmix.pipeline import extract_endmembers

    scene = scene_of(radiance)
    if what == "file":
        scene = write(tmp_path / "r", radiance / 10, NM, 8.0, quantity="radiance")
    with pytest.raises(InputError, match=r"is radiance \(.*\), unmixing needs reflectance"):
        extract_endmembers(scene, 3) if what == "extract" else unmix.run(scene, 3)


def test_results_are_marked(rho, radiance):
    found = unmix.run(to_reflectance(scene_of(radiance, acquired=DATE)), 3, method="vca-fcls")
    warning = next(w for w in found.provenance["warnings"] if "approximate" in w)
    assert "the atmosphere is not removed" in warning
    assert warning in found.provenance["input"]["history"]
    from unmix.report import render

    assert "eflectance is approximate: top of the atmosphere" in render(found)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, radiance):
    """Runs `unmix run` on a radiance granule without sun angle; exit code, output, errors."""
    path = write(tmp_path / "r", radiance / 10, NM, 8.0, quantity="radiance", acquired=DATE)

    def run(*words):
        from unmix.cli import main

        line = ["unmix", "run", str(path), "-o", str(tmp_path / "OUT"), "--method", "vca-fcls"]
        monkeypatch.setattr("sys.argv", [*line, "-k", "3", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return run


def test_command_line(command, tmp_path):
    code, out, _ = command("--to-reflectance", "sun", "--radiometry", "sun_zenith=33")
    assert code == 0 and "reflectance is approximate" in out
    manifest = json.loads((tmp_path / "OUT" / "manifest.json").read_text())
    assert any("approximate" in w for w in manifest["warnings"])


def test_command_line_references(command, tmp_path, rho):
    rows = "\n".join(f"{nm},{a},{b}" for nm, a, b in zip(NM, rho[4, 2], rho[0, 0], strict=True))
    (tmp_path / "white.csv").write_text(f"wavelength_nm,bright,dark\n{rows}\n")
    file = tmp_path / "white.csv"
    code, out, err = command(
        "--to-reflectance", "empirical-line",
        "--radiometry", f"reference=4:5,2:3={file}#bright",
        "--radiometry", "reference=0:1,0:1=0.01",
    )  # fmt: skip
    assert code == 0, err
    assert "empirical line of 2 place(s)" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "is radiance"),
        (("--to-reflectance", "sun"), "zenith is not known"),
        (("--to-reflectance", "moon"), "choose one of"),
        (("--radiometry", "sun_zenith=3"), "belongs to --to-reflectance"),
        (("--to-reflectance", "sun", "--radiometry", "sun_zenith"), "write NAME=VALUE"),
        (("--to-reflectance", "sun", "--radiometry", "sun_zenith=high"), "is no number"),
        (("--to-reflectance", "sun", "--radiometry", "moon=3"), "NAME one of"),
        (("--to-reflectance", "empirical-line"), "needs places"),
        (("--to-reflectance", "empirical-line", "--radiometry", "reference=1,2=3"), "cannot read"),
        (
            ("--to-reflectance", "empirical-line", "--radiometry", "reference=3:3,1:2=0.3"),
            "holds no pixel",
        ),
        (
            ("--to-reflectance", "empirical-line", "--radiometry", "reference=3:9,1:2=none.csv"),
            "no such file",
        ),
        (
            ("--to-reflectance", "empirical-line", "--radiometry", "reference=3:99,1:2=0.4"),
            "is no window of the scene",
        ),
    ],
)
def test_wrong_words_are_one_line(command, tmp_path, words, message):
    code, _, err = command(*words)
    assert code == 2 and message in err and err.strip().count("\n") == 0
    assert not (tmp_path / "OUT").exists()


def test_info_says_so(command, tmp_path, capsys, monkeypatch):
    from unmix.cli import main

    folder = tmp_path / "r"
    monkeypatch.setattr("sys.argv", ["unmix", "info", str(folder), "--json"])
    with pytest.raises(SystemExit):
        main()
    found = json.loads(capsys.readouterr().out)
    assert any("unmixing needs reflectance" in w for w in found["warnings"])


def test_gains_grow_as_the_sun_sinks():
    gains = [sun_gain(NM, None, z)[3] for z in (0, 30, 60, 85)]
    assert gains == sorted(gains) and gains[2] == pytest.approx(2 * gains[0])
