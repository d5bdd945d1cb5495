"""Identification: right names for what is there, none for what is not."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.identify import Identification, as_record, identify, renamed, shipped_library
from unmix.identify.compare import noise_of, windows_of
from unmix.identify.judge import _doubt as doubt
from unmix.identify.score import score_shape
from unmix.io.library import read_endmembers
from unmix.resample import resample
from unmix.types import Endmembers

EMIT = np.linspace(381.0, 2493.0, 285)
AHSI = np.concatenate([np.linspace(390, 1029, 150), np.linspace(1004, 2513, 180)])
TITLES = {
    "kaolinite": "Kaolinite KGa-1 (wxl)",
    "calcite": "Calcite WS272",
    "dolomite": "Dolomite HS102.3B",
    "gypsum": "Gypsum HS333.3B (Selenite)",
    "jarosite": "Jarosite GDS101 Na;Sy 200C",
    "alunite": "Alunite GDS83 Na63",
    "goethite": "Goethite MPCMA2-C M-Crsgrad2",
    "hematite": "Hematite FE2602",
    "muscovite": "Muscovite GDS116 Tanzania",
    "montmorillonite": "Montmorillonite SAz-1",
    "green vegetation": "Maple_Leaves DW92-1",
    "dry vegetation": "Dry_Long_Grass AV87-2",
}


@pytest.fixture(scope="module")
def library() -> Endmembers:
    return shipped_library()


def taken(library: Endmembers, titles, wavelength=EMIT, fwhm=8.5) -> Endmembers:
    """Entries on a sensor's bands."""
    rows = [library.names.index(title) for title in titles]
    few = replace(library, spectra=library.spectra[rows], names=tuple(titles))
    with np.errstate(invalid="ignore"):
        return resample(few, wavelength, fwhm)


def noisy(members: Endmembers, seed: int, part: float = 0.02) -> Endmembers:
    rng = np.random.default_rng(seed)
    return replace(
        members, spectra=members.spectra * (1 + part * rng.standard_normal(members.spectra.shape))
    )


def without(library: Endmembers, titles) -> Endmembers:
    rows = [i for i, title in enumerate(library.names) if title not in titles]
    return replace(
        library, spectra=library.spectra[rows], names=tuple(library.names[i] for i in rows)
    )


@pytest.mark.parametrize("wavelength", [EMIT, AHSI], ids=["even", "overlapping"])
@pytest.mark.parametrize("seed", [0, 1])
def test_noisy_library_spectra_are_named(library, wavelength, seed):
    found = identify(noisy(taken(library, TITLES.values(), wavelength), seed), library)
    assert [one.candidates[0].name for one in found] == list(TITLES)
    assert sum(one.match == name for one, name in zip(found, TITLES, strict=True)) >= 10


def test_other_specimens_do_as_well(library):
    """Minerals of which several specimens ship, the asked one left out."""
    some = {k: v for k, v in TITLES.items() if k not in ("dolomite", "calcite")}
    found = identify(noisy(taken(library, some.values()), 3), without(library, some.values()))
    right = [one.candidates[0].name == name for one, name in zip(found, some, strict=True)]
    assert sum(right) >= len(some) - 1


def test_brightness_and_shade_change_nothing(library):
    members = taken(library, TITLES.values())
    dark = replace(members, spectra=members.spectra * np.linspace(0.05, 3, len(members))[:, None])
    for plain, other in zip(identify(members, library), identify(dark, library), strict=True):
        assert plain.match == other.match
        assert plain.candidates[0].score == pytest.approx(other.candidates[0].score, abs=1e-6)


def test_a_tenth_of_another_material_changes_no_first_candidate(library):
    members = noisy(taken(library, TITLES.values()), 5, 0.01)
    other = np.roll(members.spectra, 1, axis=0)
    mixed = replace(members, spectra=0.9 * members.spectra + 0.1 * other)
    found = identify(mixed, library)
    right = [one.candidates[0].name == name for one, name in zip(found, TITLES, strict=True)]
    assert sum(right) >= len(TITLES) - 1


def test_bands_in_any_order_and_missing_ones(library):
    members = taken(library, TITLES.values(), AHSI)
    order = np.random.default_rng(2).permutation(len(AHSI))
    holed = members.spectra.copy()
    holed[:, (AHSI > 1350) & (AHSI < 1450)] = np.nan
    holed[3, (AHSI > 1800) & (AHSI < 1950)] = np.nan
    mixed = Endmembers(holed[:, order], AHSI[order], members.names, fwhm=members.fwhm[order])
    found = identify(mixed, library)
    assert [one.candidates[0].name for one in found] == list(TITLES)
    assert found[3].n_bands < found[0].n_bands < len(AHSI)
    reference = found[0].reference
    assert np.isnan(reference[np.isnan(mixed.spectra[0])]).all()
    good = np.isfinite(reference)
    assert np.allclose(reference[good], mixed.spectra[0][good], rtol=0.02)


def test_what_is_not_in_the_library_is_mostly_not_named(library):
    """Each mineral against the library without its family; near kin may pass for one another."""
    wrong = 0
    for family in ("kaolin", "gypsum", "jarosite", "alunite", "goethite", "hematite", "chlorite"):
        names = [t for t in library.names if material_family(t) == family]
        found = identify(noisy(taken(library, names[:1]), 7), without(library, names))[0]
        wrong += bool(found.match)
    assert wrong <= 2


def material_family(title: str) -> str:
    from unmix.identify.titles import material_of

    return material_of(title).family


def test_noise_alone_and_smooth_shapes_are_no_material(library):
    rng = np.random.default_rng(0)
    shapes = np.stack(
        [
            0.3 * (1 + 0.3 * rng.standard_normal(len(EMIT))),
            0.2 + 0.1 * np.sin(EMIT / 150),
            np.linspace(0.6, 0.1, len(EMIT)),
            np.full(len(EMIT), 0.5),
        ]
    )
    for one in identify(Endmembers(np.abs(shapes), EMIT), library):
        assert one.match == "" and one.verdict.startswith("no convincing match")


def test_absorptions_are_told_with_their_centres(library):
    found = identify(taken(library, [TITLES["kaolinite"], TITLES["calcite"]]), library)
    places = [[a.centre for a in one.absorptions] for one in found]
    assert any(abs(c - 2206) < 8 for c in places[0])
    assert any(abs(c - 2340) < 6 for c in places[1])
    assert all(p == sorted(p) for p in places)


def test_water_of_leaves_is_not_told_as_iron_alone(library):
    """A ferric centre lies short of 960 nm."""
    leaf = 0.4 * (1 - 0.15 * np.exp(-(((EMIT - 972) / 35) ** 2)))
    (near,) = [
        a
        for a in identify(Endmembers(leaf[None], EMIT), library)[0].absorptions
        if 950 < a.centre < 985
    ]
    assert "water" in near.cause


def test_noise_of_dark_water_is_no_absorption(library):
    """Green in the visible, nothing but noise beyond: no iron, hydroxyl or carbonate."""
    rng = np.random.default_rng(0)
    water = 0.3 * np.exp(-(((EMIT - 570) / 60) ** 2)) + np.abs(2e-4 * rng.standard_normal(285))
    for spectrum in (water, water + 0.3 * np.exp(-(((EMIT - 765) / 6) ** 2))):
        found = identify(Endmembers(spectrum[None], EMIT), library)[0]
        assert [a for a in found.absorptions if a.centre > 800] == []


def test_gypsum_s_absorption_is_told_only_where_its_other_one_may_be(library):
    titles = ["Illite IMt-1.b <2um", TITLES["gypsum"]]
    beside = EMIT[(EMIT < 1790) | (EMIT > 1950)]  # 1750 nm has no right end any more
    for wavelength, causes in ((EMIT, ("Al-OH", "bound water")), (beside, ("Al-OH", "Al-OH"))):
        found = identify(taken(library, titles, wavelength), library)
        for one, cause in zip(found, causes, strict=True):
            near = [a for a in one.absorptions if abs(a.centre - 2213) < 8]
            assert len(near) == 1 and cause in near[0].cause


def test_few_bands_no_bands_and_entries_elsewhere(library):
    few = np.linspace(450, 2400, 12)
    found = identify(Endmembers(np.full((1, 12), 0.3), few), library)
    assert found[0].match == "" and "too few" in found[0].verdict
    thermal = np.linspace(8000, 12000, 50)
    found = identify(Endmembers(np.full((1, 50), 0.3), thermal), library)
    assert found[0].candidates == ()
    visible = np.linspace(420, 900, 90)
    found = identify(taken(library, [TITLES["hematite"]], visible), library)
    assert found[0].match == "" and "features" in found[0].verdict
    half = library.spectra.copy()
    half[:, library.wavelength < 2000] = np.nan
    short = replace(library, spectra=half)
    found = identify(taken(library, [TITLES["calcite"]]), short)
    assert found[0].candidates == () and "no library spectrum" in found[0].verdict


@pytest.mark.parametrize(
    ("spectrum", "wavelength"),
    [
        (np.full(3, 0.3), np.array([550.0, 9000.0, 9100.0])),
        (np.full(50, 0.3), np.full(50, 800.0)),
        (np.full(50, 0.3), np.full(50, np.nan)),
        (np.full(285, -0.3), EMIT),
        (np.where(np.arange(285) % 2, 0.3, 0.0), EMIT),
        (np.where(np.arange(285) == 5, 0.3, np.nan), EMIT),
    ],
)
def test_odd_endmembers_get_an_answer(library, spectrum, wavelength):
    found = identify(Endmembers(spectrum[None], wavelength), library)
    assert found[0].match == "" and found[0].verdict.startswith("no convincing match")


@pytest.mark.parametrize("unit", [1e-12, 1e4])
def test_any_unit_will_do(library, unit):
    members = taken(library, TITLES.values())
    other = replace(members, spectra=unit * members.spectra)
    assert [one.match for one in identify(other, library)] == list(TITLES)


def test_without_wavelengths_there_is_one_line(library):
    bare = Endmembers(np.full((2, 30), 0.3))
    with pytest.raises(InputError, match="endmembers: no wavelengths"):
        identify(bare, library)
    with pytest.raises(InputError, match="library: no wavelengths"):
        identify(Endmembers(np.full((1, 285), 0.3), EMIT), bare)
    with pytest.raises(InputError, match="candidates: got 0"):
        identify(Endmembers(np.full((1, 285), 0.3), EMIT), library, n_candidates=0)


def test_names_are_unique_and_never_collide():
    def one(name, match):
        return Identification(name, (), 1.0, match, "")

    found = [one("gypsum", ""), one("endmember 2", "gypsum"), one("endmember 3", "gypsum")]
    assert renamed(found) == ("gypsum", "gypsum 2", "gypsum 3")
    assert renamed([one("mine", "gypsum"), one("endmember 2", "gypsum")], 1) == ("mine", "gypsum")


def test_the_record_is_plain(library):
    import json

    found = identify(taken(library, list(TITLES.values())[:2]), library)
    record = as_record(found, ("a", "b"))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record[0]["name"] == "a" and record[0]["reference"][0] is None  # before 400 nm


def test_windows_do_not_see_brightness():
    spectra = np.abs(0.3 + 0.1 * np.sin(EMIT / 90))[None]
    for plain, other in zip(windows_of(spectra, EMIT), windows_of(9 * spectra, EMIT), strict=True):
        assert np.allclose(plain.values, other.values)
    assert noise_of(spectra)[0] < 0.005


def test_angle_and_divergence_are_those_of_their_definitions():
    rng = np.random.default_rng(4)
    q, e = rng.uniform(0.1, 1, (3, 40)), rng.uniform(0.1, 1, (5, 40))
    e[2, 4:9] = np.nan
    angle, sid = score_shape(q, e)
    for i in range(3):
        for j in range(5):
            both = np.isfinite(e[j])
            a, b = q[i][both], e[j][both]
            cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            assert angle[i, j] == pytest.approx(np.arccos(cosine))
            p, r = a / a.sum(), b / b.sum()
            assert sid[i, j] == pytest.approx(((p - r) * np.log(p / r)).sum())


def test_ten_endmembers_take_less_than_two_seconds(library):
    members = taken(library, list(TITLES.values())[:10])
    big = replace(
        library,
        spectra=np.tile(library.spectra, (6, 1)),
        names=tuple(f"{title} {k}" for k in range(6) for title in library.names),
    )
    identify(members, big)
    start = time.perf_counter()
    assert len(identify(members, big)) == 10
    assert time.perf_counter() - start < 4  # 0.3 s on an idle core


@pytest.mark.data
def test_minerals_of_one_library_by_another(shared_data):
    usgs = read_endmembers(shared_data / "usgs" / "s06av95a_envi.hdr")
    eco = read_endmembers(shared_data / "ecostress")
    rows = [
        i
        for i, name in enumerate(eco.names)
        if name.split()[0] in ("Calcite", "Kaolinite", "Gypsum", "Alunite", "Jarosite")
    ]
    few = replace(eco, spectra=eco.spectra[rows], names=tuple(eco.names[i] for i in rows))
    found = [one for one in identify(few, usgs) if one.candidates]
    right = [one.candidates[0].name == one.endmember.split()[0].lower() for one in found]
    assert len(right) > 10 and np.mean(right) > 0.9


def test_what_a_mineral_leaves_unexplained_is_told_and_costs_the_name(library):
    """A calcite with an absorption of another kind: the deeper, the more is left over."""
    pure = taken(library, [TITLES["calcite"]])
    lines = [1 - depth * np.exp(-(((EMIT - 1150) / 60) ** 2)) for depth in (0, 0.04, 0.08)]
    found = [identify(replace(pure, spectra=pure.spectra * by), library)[0] for by in lines]
    left = [one.candidates[0].left for one in found]
    assert [one.candidates[0].name for one in found] == ["calcite"] * 3
    assert left[0] < 1e-3 < left[1] < left[2] < 0.12
    best = found[0].candidates[0]
    assert doubt(best, 0.5, "dolomite", 9) == ""
    assert "20% of what is absorbed" in doubt(replace(best, left=0.2), 0.5, "dolomite", 9)
    assert doubt(replace(best, left=0.2, kind="cover"), 0.5, "soil", 9) == ""
