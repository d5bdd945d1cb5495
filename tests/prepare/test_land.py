"""Masks for what ground shows, and what lies under a cover."""

import numpy as np
import pytest
import xarray as xr

from unmix.checks import InputError
from unmix.cover import among_the_rest, covering, with_rest
from unmix.output import load
from unmix.pipeline import run
from unmix.prepare.land import land_masks, ndvi, ndvi_of_spectra, ndwi
from unmix.report import render
from unmix.types import Endmembers

NM = np.array([470.0, 550, 560, 570, 660, 670, 850, 860, 870, 1000, 1400, 1650, 2200])
SOIL = np.array([0.1, 0.14, 0.15, 0.16, 0.2, 0.21, 0.28, 0.28, 0.29, 0.3, 0.1, 0.36, 0.34])
LEAF = np.array([0.03, 0.1, 0.1, 0.1, 0.05, 0.05, 0.5, 0.5, 0.5, 0.5, 0.1, 0.3, 0.15])
WATER = np.array([0.06, 0.07, 0.07, 0.07, 0.04, 0.04, 0.01, 0.01, 0.01, 0.01, 0.0, 0.005, 0.002])
CHALK = np.full(13, 0.8) - np.array([0, 0, 0, 0, 0, 0, 0.05, 0.05, 0.05, 0, 0, 0, 0])
KINDS = np.stack([SOIL, LEAF, WATER, CHALK, 0.1 * SOIL])


def scene(**masks):
    """Rows of soil, leaf, water, chalk and shaded soil; 6 pixels each."""
    cube = np.repeat(np.vstack([KINDS[:1]] * 4 + [KINDS])[:, None], 6, axis=1)
    cube = cube * (1 + 0.01 * np.random.default_rng(0).standard_normal(cube.shape))
    cube[0, 0] = np.nan
    coords = {"wavelength": ("band", NM), "good": ("band", np.arange(13) != 7)}
    coords |= {name: (("y", "x"), value) for name, value in masks.items()}
    return xr.DataArray(cube.astype(np.float32), coords, ("y", "x", "band"))


def rows_of(mask):
    return np.flatnonzero(mask.mean(axis=1) > 0.5).tolist()


def test_indices_have_their_values():
    v, w = ndvi(scene()), ndwi(scene())
    assert np.isnan(v[0, 0]) and np.isnan(w[0, 0])
    assert v[5].mean() == pytest.approx(0.45 / 0.55, abs=0.02)
    assert w[6].mean() == pytest.approx(0.06 / 0.08, abs=0.02)
    np.testing.assert_allclose(ndvi_of_spectra(KINDS[1], NM), 0.45 / 0.55)
    assert np.isnan(ndvi_of_spectra(KINDS, None)).all()
    assert np.isnan(ndvi_of_spectra(KINDS, NM + 3000)).all()


def test_each_kind_finds_its_own():
    masks = {m.name: m for m in land_masks(scene(), "water, vegetation>0.6,shade")}
    assert {name: rows_of(m.mask) for name, m in masks.items()} == {
        "water": [6], "vegetation": [5], "shade": [6, 8],
    }  # fmt: skip
    assert masks["vegetation"].why == "NDVI > 0.6"
    assert not masks["shade"].mask[0, 0] and not masks["water"].mask[0, 0]


def test_thresholds_count():
    assert rows_of(land_masks(scene(), "vegetation>.9")[0].mask) == []
    assert rows_of(land_masks(scene(), "shade<0.05")[0].mask) == []
    assert rows_of(land_masks(scene(), "vegetation>-1")[0].mask) == list(range(9))


def test_masks_of_the_product():
    cloud, shadow = np.zeros((2, 9, 6), bool)
    cloud[1, 2], shadow[2, 4] = True, True
    both, one = land_masks(scene(cloud=cloud, cloud_shadow=shadow), "clouds,cloud")
    assert np.array_equal(both.mask, cloud | shadow) and np.array_equal(one.mask, cloud)
    (water,) = land_masks(scene(water=cloud), "water")
    assert water.mask[1, 2] and rows_of(water.mask) == [6]
    (cirrus,) = land_masks(scene(cirrus=cloud), "cirrus")
    assert np.array_equal(cirrus.mask, cloud)
    with pytest.raises(InputError, match="carries no mask cloud or cloud_shadow; give one with"):
        land_masks(scene(), "clouds")
    with pytest.raises(InputError, match=r"no mask cirrus \(it has cloud, haze\)"):
        land_masks(scene(cloud=cloud, haze=cloud), "cirrus")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("forest", "cannot read 'forest'; give clouds"),
        ("vegetation<0.4", "has no meaning; write vegetation>0.4"),
        ("shade>0.4", "write shade<0.3"),
        ("shade<-1", "'shade<-1' holds everywhere or nowhere"),
        ("water>99", "NDVI and NDWI lie between"),
        ("vegetation>-2", "holds everywhere or nowhere"),
        ("clouds>1", "has no meaning; write clouds"),
        ("vegetation>x", "cannot read"),
        ("vegetation=0.4", "cannot read"),
        (" ,", "names nothing"),
    ],
)
def test_what_cannot_be_read(text, message):
    with pytest.raises(InputError, match=message):
        land_masks(scene(), text)


def test_bands_that_are_missing_are_said():
    with pytest.raises(InputError, match="no good band near 860 nm"):
        land_masks(scene()[..., :6], "vegetation")
    with pytest.raises(InputError, match="has no wavelengths"):
        land_masks(scene().drop_vars("wavelength"), "vegetation")
    assert rows_of(land_masks(scene()[..., :10], "water")[0].mask) == [3 + 3, 7]  # chalk, unseen


def test_masks_are_counted_and_mapped(tmp_path):
    given = np.zeros((9, 6), bool)
    given[5, :2] = True
    keywords = {"method": "vca-fcls", "scale": "none"}
    keywords |= {"preparation": {"detect_bad_bands": False}}
    result = run(scene(), 2, mask=given, leave_out="vegetation,water", **keywords)
    pixels = result.provenance["pixels"]
    assert pixels["by"] == {
        "left out by the mask given": 2,
        "vegetation: NDVI > 0.4": 4,
        "water: NDWI > 0 and dark at 1650 nm": 6,
        "no data, or a bad value in a band that is used": 1,
    }
    assert pixels["masked"] == 13 == np.isnan(result.abundances.values[..., 0]).sum()
    code = result.left_out.values
    assert code[5].tolist() == [1, 1, 2, 2, 2, 2] and code[0, 0] == 4 and code[1, 1] == 0
    back = load(result.save(tmp_path / "out"))
    assert np.array_equal(back.left_out.values, code)
    page = render(back)
    assert "Pixels left out" in page and "NDVI &gt; 0.4" in page
    with pytest.raises(InputError, match="leaves no pixel"):
        run(scene()[1:], 2, leave_out="vegetation>-1,shade<9", **keywords)


def test_nothing_asked_nothing_written(tmp_path):
    result = run(scene(), 2, method="vca-fcls", scale="none")
    out = result.save(tmp_path / "out")
    assert result.left_out is None and result.rest is None
    assert not (out / "left_out.tif").exists() and not (out / "abundances_rest.tif").exists()


def test_shares_among_the_rest(tmp_path):
    E = Endmembers(KINDS[:3], NM, ("soil", "leaf", "water"))
    result = run(scene(), endmembers=E, method="vca-fcls", scale="shade", cover="vegetation",
                 preparation={"detect_bad_bands": False})  # fmt: skip
    rest, A = result.rest.values, result.abundances.values
    assert list(result.rest.member.values) == ["soil", "water"]
    assert np.isnan(rest[5]).all() and np.isfinite(rest[6]).all()
    seen = np.isfinite(rest[..., 0])
    np.testing.assert_allclose(rest[seen].sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rest[seen][:, 0], A[seen][:, 0] / (1 - A[seen][:, 1]), atol=1e-5)
    about = result.provenance["cover"]
    assert about["members"] == ["leaf"] and about["covered"] == 6
    back = load(result.save(tmp_path / "out"))
    assert np.array_equal(back.rest.values, rest, equal_nan=True)
    assert "Among the rest" in render(back)


def test_a_cover_is_named_or_found():
    E = Endmembers(KINDS[:3], NM, ("soil", "leaf", "water"))
    assert covering(E, "Leaf, water").tolist() == [False, True, True]
    for text, message in (
        ("grass", "no member is called 'grass'; there are soil, leaf, water"),
        (" , ", "names no member"),
        ("soil,leaf,water", "every member belongs to it"),
    ):
        with pytest.raises(InputError, match=message):
            covering(E, text)
    with pytest.raises(InputError, match="no member is vegetation"):
        covering(Endmembers(KINDS[[0, 2]], NM), "vegetation")
    with pytest.raises(InputError, match="no member is called"):
        run(scene(), endmembers=E, method="vca-fcls", cover="grass")
    with pytest.raises(InputError, match="names no member"):
        run(scene(), 2, method="vca-fcls", cover="")


def test_a_cover_that_was_not_found_is_a_warning():
    result = run(scene(), 2, leave_out="vegetation", method="vca-fcls", scale="none")
    tried = with_rest(result, "vegetation")
    assert tried.rest is None and "no member is vegetation" in tried.provenance["warnings"][-1]


def test_little_seen_is_not_told():
    A = np.array([[0.79, 0.21, 0.0], [0.81, 0.1, 0.09], [np.nan] * 3])
    rest = among_the_rest(A, np.array([True, False, False]))
    assert rest[0].tolist() == [1, 0] and np.isnan(rest[1:]).all()
