import pickle

import numpy as np
import pytest
import xarray as xr

from unmix.checks import InputError
from unmix.prepare import plan, reflectance_divisor
from unmix.prepare.bands import (
    detectors,
    local_noise,
    noisy_bands,
    parse_bands,
    runs,
    worse_detectors,
)
from unmix.prepare.preparation import Preparation
from unmix.prepare.sample import sample_pixels

ROWS, COLS, BANDS = 13, 17, 40


def make_scene(values=None, wavelength=None, good=None, **attrs):
    """A scene of mixed smooth spectra, 13 × 17 × 40, reflectance 0.05 to 0.6, noise 0.001."""
    if values is None:
        rng = np.random.default_rng(5)
        x = np.linspace(0, 1, BANDS)
        E = np.stack([0.1 + 0.5 * x, 0.6 - 0.4 * x, 0.3 + 0.2 * np.sin(6 * x)])
        values = rng.dirichlet(np.ones(3), (ROWS, COLS)) @ E
        values += 0.001 * rng.standard_normal(values.shape)
    values = np.asarray(values, np.float32)
    coords = {}
    if wavelength is not None:
        coords["wavelength"] = ("band", np.asarray(wavelength, float))
    if good is not None:
        coords["good"] = ("band", np.asarray(good, bool))
    return xr.DataArray(values, dims=("y", "x", "band"), coords=coords, attrs=attrs)


def spoiled(**changes):
    """`make_scene` with its array changed by functions of it."""
    scene = make_scene(**{k: v for k, v in changes.items() if k != "change"})
    array = scene.values.copy()
    changes["change"](array)
    return scene.copy(data=array)


# --- band specification -------------------------------------------------------------------------

NM = np.array([400.0, 500, 600, 1350, 1400, 1450, 2000])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", []),
        ("1", [0]),
        ("2-4", [1, 2, 3]),
        ("7, 1-2,2", [0, 1, 6]),
        ("1350nm-1450nm", [3, 4, 5]),
        ("1350-1450nm", [3, 4, 5]),
        ("1.35um - 1.45 µm", [3, 4, 5]),
        ("0.5UM", [1]),
        ("510nm", [1]),
        ("1,2000nm", [0, 6]),
    ],
)
def test_parse_bands(spec, expected):
    assert parse_bands(spec, NM, 7).tolist() == expected


@pytest.mark.parametrize(
    ("spec", "wavelength", "words"),
    [
        ("0", NM, "within bands 1 to 7"),
        ("8", NM, "within bands 1 to 7"),
        ("3-2", NM, "within bands 1 to 7"),
        ("1.5", NM, "within bands 1 to 7"),
        ("1350-1450", NM, "add a unit"),
        ("a-b", NM, "cannot read"),
        ("1-2-3", NM, "cannot read"),
        ("-3", NM, "cannot read"),
        ("1350nm", None, "needs wavelengths"),
        ("5parsec", NM, "unknown unit"),
        ("3000nm-3100nm", NM, "outside 400 to 2000 nm"),
        ("1450nm-1350nm", NM, "backwards"),
    ],
)
def test_parse_bands_refuses(spec, wavelength, words):
    with pytest.raises(InputError, match=words) as caught:
        parse_bands(spec, wavelength, 7)
    assert "\n" not in str(caught.value)


# --- detectors and runs -------------------------------------------------------------------------


def test_detectors_of_sensors():
    def found(nm):
        return [d.tolist() for d in detectors(np.array(nm, float), np.arange(len(nm)))]

    assert found([1, 2, 3, 4]) == [[0, 1, 2, 3]]
    assert found([1, 2, 3, 2.5, 3.5]) == [[0, 1, 2], [3, 4]]
    assert found([5, 4, 3, 2]) == [[0, 1, 2, 3]]  # descending is one detector
    assert found([5, 4, 3, 4, 2]) == [[0, 1, 2], [3, 4]]
    assert found([1, 2, 2, 3]) == [[0, 1], [2, 3]]  # the same band twice


def test_unsorted_wavelengths_are_one_detector():
    nm = np.random.default_rng(0).permutation(np.arange(400.0, 900, 10))
    (group,) = detectors(nm, np.arange(50))
    assert np.array_equal(nm[group], np.sort(nm))


def test_runs_break_at_gap_detector_and_dropped_band():
    nm = np.array([400.0, 410, 420, 500, 510, 505, 515, 525])
    kept = np.array([0, 1, 2, 3, 4, 5, 7])
    assert [r.tolist() for r in runs(nm, kept)] == [[0, 1, 2], [3, 4], [5], [6]]
    assert [r.tolist() for r in runs(None, kept)] == [[0, 1, 2, 3, 4, 5], [6]]


# --- noise --------------------------------------------------------------------------------------


def test_local_noise_is_the_noise_whatever_the_mixture():
    rng = np.random.default_rng(1)
    E = rng.random((3, 30))
    sigma = np.linspace(0.002, 0.004, 30)
    X = rng.dirichlet(np.ones(3), 4000) @ E + sigma * rng.standard_normal((4000, 30))
    ratio = local_noise(X, [np.arange(30)]) / sigma
    assert ratio.min() > 0.95 and ratio.max() < 2.5  # neighbours bring noise of their own
    assert np.isnan(local_noise(X, [np.arange(5)])[5:]).all()


def test_a_material_with_a_narrow_feature_is_not_noise():
    rng = np.random.default_rng(2)
    x = np.arange(60.0)
    E = np.stack([np.full(60, 0.4), 0.4 - 0.3 * np.exp(-((x - 30) ** 2) / 4)])
    X = rng.dirichlet(np.ones(2), 2000) @ E + 0.002 * rng.standard_normal((2000, 60))
    assert noisy_bands(X, [np.arange(60)]).size == 0


def test_noise_must_also_drown_the_signal():
    rng = np.random.default_rng(3)
    X = 0.5 + 0.1 * rng.random((1000, 1)) + 1e-5 * rng.standard_normal((1000, 30))
    X[:, 9] += 1e-3 * rng.standard_normal(1000)  # 100 × its neighbours, but SNR 500
    X[:, 20] += 0.1 * rng.standard_normal(1000)  # SNR 5
    assert noisy_bands(X, [np.arange(30)]).tolist() == [20]
    assert noisy_bands(X[:20], [np.arange(30)]).size == 0  # too few pixels to say


def test_worse_detector_goes_and_only_where_both_see():
    rng = np.random.default_rng(4)
    nm = np.r_[np.arange(400.0, 1000, 20), np.arange(900.0, 1500, 20)]
    sigma = np.r_[np.full(30, 0.02), np.full(30, 0.005)]
    X = rng.random((500, 1)) + sigma * rng.standard_normal((500, 60))
    groups = detectors(nm, np.arange(60))
    assert nm[worse_detectors(X, nm, groups)].tolist() == [900, 920, 940, 960, 980]
    assert worse_detectors(X, nm, groups).max() < 30
    assert worse_detectors(X[:5], nm, groups).min() >= 30  # too few pixels: the first stays


# --- scale --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "divisor", "doubt"),
    [
        (0.4, 1, False),
        (1.2, 1, False),
        (1.8, 1, True),
        (3.0, 100, True),
        (60.0, 100, False),
        (415.0, 1000, True),
        (4712.0, 10_000, False),
        (65_000.0, 65_000, True),
        (-0.1, 1, True),
    ],
)
def test_reflectance_divisor(level, divisor, doubt):
    got, why, warning = reflectance_divisor(level)
    assert got == divisor
    assert bool(warning) == doubt
    assert f"{level:.4g}" in why


@pytest.mark.parametrize("factor", [1, 100, 10_000])
def test_scale_is_found(factor):
    scene = make_scene()
    prepared = plan(scene * factor)
    assert prepared.divisor == factor
    pixels, _ = prepared.apply((scene * factor).values)
    assert np.allclose(pixels, scene.values, rtol=1e-5)


def test_declared_scale_is_left_alone():
    scene = make_scene(make_scene().values * 400, scale_declared=True)
    assert plan(scene).divisor == 1
    again = plan(scene, reflectance_scale=1000)
    assert again.divisor == 1000 and "again" in again.warnings[0]
    assert plan(make_scene(), reflectance_scale=1000.0).warnings == ()


# --- pixels -------------------------------------------------------------------------------------


def test_pixels_left_out():
    def change(a):
        a[0, 0] = np.nan
        a[1, 2] = 0
        a[2, 3, 5] = np.nan
        a[3, 4, 6] = np.inf
        a[5, :2] = -0.005
        a[6, 6] = 0.25  # flat, but only once: a grey card, not a fill value
        a[7, 7, 3] = 0  # a real zero
        a[8, 8, :4] = -0.01  # real negatives

    scene = spoiled(change=change)
    prepared = plan(scene)
    pixels, valid = prepared.apply(scene.values)
    expected = np.ones((ROWS, COLS), bool)
    for place in ((0, 0), (1, 2), (2, 3), (3, 4), (5, 0), (5, 1)):
        expected[place] = False
    assert np.array_equal(valid, expected)
    assert np.isnan(pixels[~valid]).all()
    assert np.array_equal(pixels[valid], scene.values[valid])
    counts = {(s["step"], s["count"]) for s in prepared.steps if s["count"]}
    assert counts == {("no data", 1), ("no data", 3), ("no data", 2)}


def test_nan_in_a_dropped_band_costs_no_pixel():
    def change(a):
        a[:, :, 7] = np.nan
        a[2:, :, 8] = np.nan  # in most pixels
        a[0, :3, 9] = np.nan  # in few

    scene = spoiled(change=change, good=np.arange(BANDS) != 7)
    prepared = plan(scene)
    assert prepared.reasons == {7: "bad in header", 8: "no data"}
    assert prepared.apply(scene.values)[1].sum() == ROWS * COLS - 3


def test_warning_names_the_band_that_costs_pixels():
    prepared = plan(spoiled(change=lambda a: a[:3, :, 11].fill(np.nan)))
    assert len(prepared.warnings) == 1
    assert "band 12" in prepared.warnings[0] and "drop_bands='12'" in prepared.warnings[0]


def test_mask():
    scene = make_scene()
    mask = np.zeros((ROWS, COLS), bool)
    mask[2:5, 3:] = True
    prepared = plan(scene, mask=mask)
    pixels, valid = prepared.apply(scene.values)
    assert np.array_equal(valid, ~mask)
    assert np.isfinite(scene.values).all(), "the scene is not written to"
    part, part_valid = prepared.apply(scene.values[4:9, 2:11], at=(4, 2))
    assert np.array_equal(part_valid, valid[4:9, 2:11])
    assert np.array_equal(part, pixels[4:9, 2:11], equal_nan=True)
    with pytest.raises(InputError, match="no part of"):
        prepared.apply(scene.values.reshape(-1, BANDS))
    with pytest.raises(InputError, match="no part of"):
        prepared.apply(scene.values[:4], at=(10, 0))
    with pytest.raises(InputError, match="mask"):
        plan(scene, mask=mask.T)
    with pytest.raises(InputError, match="0 pixel"):
        plan(scene, mask=~np.zeros_like(mask))


# --- bands --------------------------------------------------------------------------------------


def test_every_reason():
    nm = np.r_[np.linspace(500, 1500, 30), np.linspace(1465, 2000, 10)]
    rng = np.random.default_rng(0)

    def change(a):
        a[..., 4] = 0.3
        a[..., 12] += 0.3 * rng.standard_normal((ROWS, COLS)).astype(np.float32)
        a[..., 28:30] += 0.01 * rng.standard_normal((ROWS, COLS, 2)).astype(np.float32)

    scene = spoiled(change=change, wavelength=nm, good=np.arange(BANDS) != 39)
    prepared = plan(scene, drop_bands="1,9", excluded={20: "a reason"})
    reasons = dict(prepared.reasons)
    assert reasons.pop(0) == reasons.pop(8) == "dropped by user"
    assert reasons.pop(39) == "bad in header"
    assert reasons.pop(4) == "constant"
    assert reasons.pop(20) == "a reason"
    assert reasons.pop(12) == "far noisier than its neighbours"
    assert reasons.pop(28) == reasons.pop(29) == "overlapping detector"
    water = {i: f"water vapour {w} nm" for i, w in enumerate_windows(nm)}
    assert reasons == water
    assert np.array_equal(prepared.kept, [b for b in range(BANDS) if b not in prepared.reasons])
    assert sum(s["count"] for s in prepared.steps if "bands" in s["what"]) == len(prepared.reasons)
    both = plan(scene, overlap="keep", detect_bad_bands=False, water_windows=())
    assert both.reasons == {39: "bad in header"}


def enumerate_windows(nm):
    for low, high in ((1350, 1450), (1800, 1950)):
        for i in np.flatnonzero((nm >= low) & (nm <= high)):
            yield i, f"{low}–{high}"


def test_no_wavelengths_is_said():
    (step,) = [s for s in plan(make_scene()).steps if s["step"] == "water vapour"]
    assert step["count"] == 0 and "no wavelengths" in step["why"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"overlap": "both"}, "overlap"),
        ({"smooth": -1}, "smooth"),
        ({"smooth": np.nan}, "smooth"),
        ({"reflectance_scale": 0}, "reflectance_scale"),
        ({"reflectance_scale": "percent"}, "reflectance_scale"),
        ({"water_windows": ((1450, 1350),)}, "water_windows"),
        ({"drop_bands": "1-40"}, "0 of 40 bands left"),
        ({"drop_bands": "1-39"}, "39 dropped by user"),
        ({"excluded": {40: "x"}}, "excluded"),
        ({"mask": np.zeros(3)}, "mask"),
    ],
)
def test_bad_options(options, words):
    scene = make_scene(wavelength=np.linspace(400, 2400, BANDS), source="pond.hdr")
    with pytest.raises(InputError, match=words) as caught:
        plan(scene, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((3, 4, 5), np.nan), "0 pixel"),
        (np.zeros((3, 4, 5)), "0 pixel"),
        (np.random.default_rng(0).random((3, 4, 1)), "has 1 band"),
        (np.random.default_rng(0).random((1, 1, 5)), "1 pixel"),
        (np.broadcast_to([0.1, 0.2, 0.3], (3, 4, 3)), "every pixel is the same"),
    ],
)
def test_nothing_to_unmix(values, words):
    with pytest.raises(InputError, match=words) as caught:
        plan(make_scene(values, source="pond.hdr"))
    assert str(caught.value).startswith("pond.hdr: ")
    assert "\n" not in str(caught.value)


def test_wrong_dims():
    with pytest.raises(InputError, match="dims"):
        plan(make_scene().transpose("band", "y", "x"))


# --- applying -----------------------------------------------------------------------------------


def test_no_copy_when_nothing_is_to_do_and_never_a_write():
    values = make_scene().values
    frozen = values.copy()
    values.setflags(write=False)
    prepared = Preparation(BANDS, np.arange(BANDS))
    assert np.shares_memory(prepared.apply(values)[0], values)
    for other in (
        Preparation(BANDS, np.arange(BANDS), divisor=2.0),
        Preparation(BANDS, np.arange(BANDS), smooth=1.0),
    ):
        other.apply(values)
    assert np.array_equal(values, frozen)


@pytest.mark.parametrize("smooth", [0.0, 1.3])
def test_tiles_agree_with_the_whole(smooth):
    scene = spoiled(change=lambda a: a[3, 4:9].fill(np.nan), wavelength=np.linspace(400, 2400, 40))
    prepared = pickle.loads(pickle.dumps(plan(scene * 1e4, smooth=smooth)))
    block = (scene * 1e4).values
    whole, valid = prepared.apply(block)
    for rows, cols in ((slice(0, 5), slice(3, 17)), (slice(5, 13), slice(0, 3))):
        part, part_valid = prepared.apply(block[rows, cols])
        assert part.tobytes() == np.ascontiguousarray(whole[rows, cols]).tobytes()
        assert np.array_equal(part_valid, valid[rows, cols])
    flat, _ = prepared.apply(block.reshape(-1, BANDS))
    assert flat.tobytes() == whole.tobytes()


def test_smoothing_against_a_dense_oracle():
    nm = np.r_[np.linspace(400, 800, 15), np.linspace(760, 1300, 14), np.linspace(1500, 1700, 11)]
    kept = np.array([b for b in range(BANDS) if b not in (5, 33)])
    sigma = 1.7
    prepared = Preparation(BANDS, kept, smooth=sigma, wavelength=nm)
    piece = np.digitize(kept, [5, 15, 29, 33])  # dropped bands, detector step, gap
    distance = kept[:, None] - kept[None, :]
    G = np.exp(-0.5 * (distance / sigma) ** 2)
    G *= (piece[:, None] == piece[None, :]) & (np.abs(distance) <= np.ceil(4 * sigma))
    G /= G.sum(axis=1, keepdims=True)
    X = np.random.default_rng(0).random((50, BANDS))
    assert np.allclose(prepared.apply(X)[0], X[:, kept] @ G.T, atol=1e-6)
    assert np.allclose(prepared.apply_spectra(X[:3]), X[:3, kept] @ G.T, atol=1e-14)
    flat = prepared.apply_spectra(np.full((1, BANDS), 0.4))
    assert np.allclose(flat, 0.4, atol=1e-15)


def test_smoothing_follows_wavelengths_where_bands_are_shuffled():
    rng = np.random.default_rng(0)
    order = rng.permutation(BANDS)
    nm = np.linspace(400, 1300, BANDS)
    X = rng.random((4, BANDS))
    sorted_ = Preparation(BANDS, np.arange(BANDS), smooth=1.0, wavelength=nm).apply(X)[0]
    mixed = Preparation(BANDS, np.arange(BANDS), smooth=1.0, wavelength=nm[order])
    assert np.allclose(mixed.apply(X[:, order])[0], sorted_[:, order], atol=1e-7)


def test_spectra_go_there_and_back():
    prepared = Preparation(6, np.array([0, 2, 5]), divisor=100.0, wavelength=np.arange(6.0))
    E = np.arange(12.0).reshape(2, 6)
    assert np.array_equal(prepared.apply_spectra(E), E[:, [0, 2, 5]])
    assert np.array_equal(prepared.apply_spectra(E, stored_units=True), E[:, [0, 2, 5]] / 100)
    full = prepared.restore_spectra(prepared.apply_spectra(E))
    assert np.array_equal(np.isnan(full), np.isin(np.arange(6), [1, 3, 4]) & np.ones((2, 1), bool))
    assert np.array_equal(full[:, prepared.kept], E[:, prepared.kept])
    assert prepared.kept_wavelength.tolist() == [0, 2, 5]
    E[0, 1] = np.nan  # in a dropped band
    prepared.apply_spectra(E)
    E[0, 2] = np.nan
    with pytest.raises(InputError, match="no value in band 3"):
        prepared.apply_spectra(E)
    with pytest.raises(InputError, match="5 bands"):
        prepared.restore_spectra(np.ones((1, 5)))
    for wrong in (np.ones((2, 5)), np.ones((2, 2, 6))):
        with pytest.raises(InputError, match="6 bands"):
            prepared.apply_spectra(wrong)
    with pytest.raises(InputError, match="6 bands"):
        prepared.apply(np.ones((2, 5)))


# --- sampling -----------------------------------------------------------------------------------


def test_sample_of_a_large_scene_is_seeded_and_spread(monkeypatch):
    monkeypatch.setattr("unmix.prepare.sample._SMALL", 1000)
    values = np.arange(400.0)[:, None, None] + np.zeros((400, 6, 3)) + 1
    scene = make_scene(values)
    first, again = (sample_pixels(scene, 200, 7) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, sample_pixels(scene, 200, 8))
    rows = np.unique(first[:, 0])
    assert np.histogram(rows, bins=8, range=(1, 401))[0].min() > 0
    mask = np.ones((400, 6), bool)
    mask[:, 2] = False
    assert len(sample_pixels(scene, 10_000, 0, mask)) <= 400
    mask[10:] = True
    assert len(sample_pixels(scene, 10_000, 0, mask)) == 10


def test_rows_stored_together_are_read_once(monkeypatch):
    """A file that unpacks 100 rows for one is not asked 32 times."""
    monkeypatch.setattr("unmix.prepare.sample._SMALL", 1000)
    values = np.arange(400.0)[:, None, None] + np.zeros((400, 6, 3)) + 1
    scene = make_scene(values)
    scene.encoding = {"preferred_chunks": {"y": 100}}
    asked = []
    whole = type(scene).__getitem__

    def spy(self, key):
        asked.append(key)
        return whole(self, key)

    monkeypatch.setattr(type(scene), "__getitem__", spy)
    X = sample_pixels(scene, 640, 7)
    spans = [key for key in asked if isinstance(key, slice)]
    assert len(spans) == 4 and all(s.start // 100 == (s.stop - 1) // 100 for s in spans)
    assert np.histogram(X[:, 0], bins=8, range=(1, 401))[0].min() > 0
    assert len(X) > 400


def test_data_in_a_corner_is_found(monkeypatch):
    monkeypatch.setattr("unmix.prepare.sample._SMALL", 1000)
    values = np.full((900, 6, 3), np.nan)
    values[777, 3:5] = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.4]]
    found = [np.isfinite(sample_pixels(make_scene(values), 50, s)).any(1).sum() for s in range(5)]
    assert min(found) >= 2


def test_a_scene_of_which_little_is_covered_is_warned_of():
    gaps = dict.fromkeys(range(25), "not covered by the endmembers")
    (warning,) = plan(make_scene(), excluded=gaps).warnings
    assert warning.startswith("15 of 40 bands are left, as 25 are not covered by the endmembers")
    assert plan(make_scene(), excluded=dict.fromkeys(range(10), "not covered")).warnings == ()


# --- real scenes --------------------------------------------------------------------------------


@pytest.mark.data
def test_real_scenes(shared_data):
    from unmix.scene import open_scene

    enmap = plan(open_scene(shared_data / "enmap_potsdam" / "enmap_potsdam_128x64.hdr"))
    counts = {r: list(enmap.reasons.values()).count(r) for r in enmap.reasons.values()}
    assert counts["bad in header"] == 6
    assert counts["overlapping detector"] == 12  # 904-993 nm of the first detector
    assert enmap.reasons[165] == "far noisier than its neighbours"  # 1958 nm
    assert [b + 1 for b, why in enmap.reasons.items() if "edge" in why] == [137, 170]
    assert enmap.divisor == 1 and len(enmap.kept) == 201
    gamsberg = plan(open_scene(shared_data / "gamsberg" / "cubus_gamsberg_subset.hdr"))
    assert gamsberg.divisor == 10_000 and len(gamsberg.kept) == 155
    (blank,) = (shared_data / "avirisng").glob("*_400-410_10-20.hdr")
    with pytest.raises(InputError, match=r"0 pixel\(s\) with data"):
        plan(open_scene(blank))
