"""Sensor models: GDAL reads the same file to the same places; maps agree with exact geometry."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer
from tiny_products import CRS, TURNED, UPRIGHT

from unmix.checks import InputError
from unmix.io.rpb import map_of, read_rpb
from unmix.simulate.products.common import lonlat_of, write_tiff
from unmix.simulate.products.rpb import fit_rpc, write_rpb

SHAPE = (57, 41)


def curved(model):
    """The same model with cubic, height-dependent numerators and denominators other than 1."""
    rng = np.random.default_rng(2)
    model.coefficients[:, 1:] += 1e-3 * rng.standard_normal((4, 19))
    return model


@pytest.fixture
def model():
    return fit_rpc(*lonlat_of(CRS, TURNED, SHAPE))


def test_read_back_exactly(model, tmp_path):
    write_rpb(tmp_path / "a.rpb", model)
    found = read_rpb(tmp_path / "a.rpb")
    assert found.offset == model.offset and found.scale == model.scale
    np.testing.assert_allclose(found.coefficients, model.coefficients, rtol=1e-14, atol=0)


def test_gdal_finds_the_same_file_and_the_same_pixels(model, tmp_path):
    model = curved(model)
    write_rpb(tmp_path / "a.rpb", model)
    write_tiff(tmp_path / "a.tif", np.zeros((*SHAPE, 1), np.uint8), None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(tmp_path / "a.tif") as file:
            rpcs = file.rpcs
    assert isinstance(rpcs, RPC)
    lon, lat = (v[::9, ::7].ravel() for v in lonlat_of(CRS, TURNED, SHAPE))
    with RPCTransformer(rpcs) as gdal:
        rows, cols = gdal.rowcol(lon, lat, zs=np.full(lon.shape, 800.0), op=lambda v: v)
    line, sample = model.image(lon, lat, 800.0)
    # GDAL counts from the first pixel's corner
    np.testing.assert_allclose(np.array(rows) - 0.5, line, atol=1e-6)
    np.testing.assert_allclose(np.array(cols) - 0.5, sample, atol=1e-6)


def test_ground_inverts_image(model):
    model = curved(model)
    rows, cols = (k.astype(float) for k in np.indices(SHAPE))
    line, sample = model.image(*model.ground(rows, cols, 950.0), 950.0)
    np.testing.assert_allclose(line, rows, atol=1e-6)
    np.testing.assert_allclose(sample, cols, atol=1e-6)


def test_map_of_an_upright_grid_is_that_grid():
    """UTM pixels of 30 m: the map is the grid itself, at most shifted by the fit's error."""
    found = map_of(fit_rpc(*lonlat_of(CRS, UPRIGHT, SHAPE)), SHAPE, "a.rpb")
    assert found.affine[0] == 30.0 and found.affine[4] == -30.0
    assert abs(found.affine[2] - UPRIGHT[2]) < 1 and abs(found.affine[5] - UPRIGHT[5]) < 1
    inside = found.index[: SHAPE[0], : SHAPE[1]]
    np.testing.assert_array_equal(inside.ravel(), np.arange(SHAPE[0] * SHAPE[1]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (2, 3)])
def test_tiny_images_have_a_map(shape):
    found = map_of(fit_rpc(*lonlat_of(CRS, UPRIGHT, (9, 9))), shape, "a.rpb")
    assert set(np.unique(found.index)) - {-1} == set(range(shape[0] * shape[1]))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lineOffset", "offset", "lacks a number"),
        ("heightScale = 500.0;", "heightScale = 0;", "scales not 0"),
        ("latOffset = ", "latOffset = nan", "lacks a number"),
        ("lineNumCoef = (", "lineNumCoef = (1,", "lacks a number"),
    ],
)
def test_refuses(model, tmp_path, old, new, said):
    path = tmp_path / "a.rpb"
    write_rpb(path, model)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=said) as error:
        map_of(read_rpb(path), SHAPE, path.name)
    assert "\n" not in str(error.value) and "a.rpb" in str(error.value)
