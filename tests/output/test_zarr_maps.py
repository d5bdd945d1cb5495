"""Results whose large maps are one Zarr group."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from matplotlib.figure import Figure
from mineral_scenes import NAMES, ROTATED, mineral_scene, swath_scene
from rasterio.crs import CRS

from unmix.checks import InputError
from unmix.output import georeferencing, load, save
from unmix.output.zarr_maps import folder_hash

NORTH_UP = Affine(30.0, 0, 4.5e5, 0, -20.0, 5.2e6)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("unmix.plot.overview", lambda _: Figure((1, 1)))
    monkeypatch.setattr("unmix.report.render", lambda _: "<!doctype html>")


def large(transform=NORTH_UP):
    """The scene many times over: 270 × 520 pixels, more than one chunk each way."""
    scene = mineral_scene(transform=transform)

    def tiled(maps):
        values = np.tile(maps.values, (30, 40) + (1,) * (maps.ndim - 2))
        return xr.DataArray(values, dims=maps.dims, coords=maps.coords)

    names = ("abundances", "residual", "uncertainty", "features")
    return replace(scene, rgb=None, **{n: tiled(getattr(scene, n)) for n in names})


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED, None])
def test_what_is_loaded_is_what_was_saved(tmp_path, transform):
    result = large(transform)
    out = save(result, tmp_path / "OUT", format="zarr")
    back = load(out)
    for name in ("abundances", "residual", "uncertainty", "features"):
        old, new = getattr(result, name), getattr(back, name)
        np.testing.assert_array_equal(new.values, old.values)
        assert new.dims == old.dims and new.dtype == np.float32
        assert georeferencing(new) == georeferencing(old)
        for dim in old.dims[2:]:
            assert list(new[dim].values) == list(old[dim].values)
    assert back.provenance == {"seed": 3, "format": "zarr"}
    layers = {p.name for p in out.iterdir()}
    assert not layers & {"abundances.tif", "residual.tif", "uncertainty.tif", "features.tif"}
    assert not layers & {"abundances.qml", "residual.qml", "uncertainty.qml", "features.qml"}
    assert {"classes.tif", "classes.qml", "anomalies.gpkg", "endmembers.csv"} <= layers


def test_formats_turn_into_each_other(tmp_path):
    result = large()
    one = save(result, tmp_path / "one")
    other = save(load(save(result, tmp_path / "zarr", format="zarr")), tmp_path / "other")
    for path in one.iterdir():
        if path.name not in ("manifest.json", "report.html"):
            assert (other / path.name).read_bytes() == path.read_bytes(), path.name
    assert "format" not in json.loads((other / "manifest.json").read_text())
    save(load(one), tmp_path / "zarr", overwrite=True)
    assert not (tmp_path / "zarr" / "maps.zarr").exists()


def test_xarray_finds_names_and_grid(tmp_path):
    result = large()
    out = save(result, tmp_path / "OUT", format="zarr")
    maps = xr.open_zarr(out / "maps.zarr", consolidated=True, chunks=None)
    A = maps["abundances"]
    assert A.dims == ("member", "y", "x") and list(A["member"].values) == list(NAMES)
    assert A.encoding["preferred_chunks"] == {"member": 1, "y": 256, "x": 256}
    np.testing.assert_array_equal(A.sel(member=NAMES[1]), result.abundances.values[..., 1])
    sd = maps["uncertainty"].sel(member=NAMES[0], uncertainty_quantity="high")
    np.testing.assert_array_equal(sd, result.uncertainty.values[..., 0, 2])
    x, y = NORTH_UP @ (0.5, 0.5)
    assert (float(A["x"][0]), float(A["y"][0])) == (x, y)
    assert float(A["x"][1] - A["x"][0]) == 30 and float(A["y"][1] - A["y"][0]) == -20
    where = A.coords["spatial_ref"].attrs
    assert CRS.from_wkt(where["crs_wkt"]) == CRS.from_epsg(32633)
    assert where["GeoTransform"].split() == [repr(v) for v in NORTH_UP.to_gdal()]
    assert (A.encoding | A.attrs)["grid_mapping"] == "spatial_ref"


def test_gdal_finds_the_grid(tmp_path):
    result = large()
    out = save(result, tmp_path / "OUT", format="zarr")
    with rasterio.open(f'ZARR:"{out / "maps.zarr"}":/abundances') as raster:
        assert (raster.count, raster.shape) == (3, (270, 520))
        assert raster.crs == CRS.from_epsg(32633)
        assert raster.transform.almost_equals(NORTH_UP, 1e-9)
        np.testing.assert_array_equal(raster.read(2), result.abundances.values[..., 1])


def test_same_maps_same_bytes_and_the_manifest_says_which(tmp_path):
    one = save(large(), tmp_path / "one", format="zarr")
    two = save(large(), tmp_path / "two", format="zarr")
    files = sorted(p.relative_to(one) for p in (one / "maps.zarr").rglob("*") if p.is_file())
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file
    listed = json.loads((one / "manifest.json").read_text())["output"]["files"]
    [entry] = [e for e in listed if e["path"] == "maps.zarr"]
    assert entry == folder_hash(two / "maps.zarr")
    (two / files[-1]).write_bytes(b"")
    assert entry != folder_hash(two / "maps.zarr")


def test_a_swath_lies_on_its_grid(tmp_path):
    scene, _ = swath_scene()
    out = save(scene, tmp_path / "OUT", format="zarr")
    back = load(out)
    assert back.abundances.shape == (11, 15, 3)
    np.testing.assert_array_equal(
        back.abundances.attrs["lookup"].index, scene.abundances.attrs["swath"].index
    )


def test_a_result_without_uncertainty_and_features(tmp_path):
    back = load(save(mineral_scene(sure=False, features=False), tmp_path / "OUT", format="zarr"))
    assert back.uncertainty is None and back.features is None


def test_other_formats_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match=r"format: got 'png'; give cog or zarr"):
        save(mineral_scene(), tmp_path / "OUT", format="png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"filters": [{"id": "pickle"}]}, "was not written by unmix"),
        ({"compressor": {"id": "pickle"}}, "was not written by unmix"),
        ({"dtype": "|O"}, "was not written by unmix"),
        ({"shape": [3, 9]}, "cannot be read"),
        ({"shape": [2, 9, 13]}, "does not have the chunks it lists"),
        ({"shape": [10**6] * 3}, "does not have the chunks it lists"),
        ({"shape": [10**6] * 3, "chunks": [10**6] * 3}, "does not have the chunks it lists"),
        ({"shape": [3, 8, 13]}, "differ in size"),
        ({"zarr_format": 7}, "cannot be read"),
    ],
)
def test_damaged_groups_are_named(tmp_path, change, why):
    out = save(mineral_scene(), tmp_path / "OUT", format="zarr")
    file = out / "maps.zarr" / "abundances" / ".zarray"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=why) as caught:
        load(out)
    assert "\n" not in str(caught.value)


def test_another_number_of_maps_is_named(tmp_path):
    out = save(mineral_scene(), tmp_path / "OUT", format="zarr")
    folder = out / "maps.zarr" / "abundances"
    about = json.loads((folder / ".zarray").read_text())
    (folder / ".zarray").write_text(json.dumps(about | {"shape": [2, *about["shape"][1:]]}))
    for chunk in folder.glob("2.*"):
        chunk.unlink()
    with pytest.raises(InputError, match=r"not \(3,\)"):
        load(out)


def test_damaged_chunks_and_missing_maps_are_named(tmp_path):
    out = save(mineral_scene(), tmp_path / "OUT", format="zarr")
    chunk = next((out / "maps.zarr" / "residual").glob("0.*"))
    chunk.write_bytes(chunk.read_bytes()[:7])
    with pytest.raises(InputError, match=r"maps\.zarr cannot be read"):
        load(out)
    (out / "maps.zarr" / "residual" / ".zarray").unlink()
    with pytest.raises(InputError, match=r"maps\.zarr cannot be read"):
        load(out)
    for file in (out / "maps.zarr" / "residual").iterdir():
        file.unlink()
    (out / "maps.zarr" / "residual").rmdir()
    with pytest.raises(InputError, match=r"maps\.zarr has no residual"):
        load(out)
