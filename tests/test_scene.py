"""Opening scenes: dispatch, errors, georeferencing of scenes and crops."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.checks import InputError
from unmix.io.lazy import Decoding, PixelSource
from unmix.scene import files_of, geo_coords, geo_of, open_scene


def test_the_package_offers_it(envi_scene):
    assert unmix.open_scene(envi_scene).dims == ("y", "x", "band")


def test_contract_of_a_scene(envi_scene, tiff_scene):
    for path in (envi_scene, tiff_scene):
        scene = open_scene(str(path))
        assert scene.dims == ("y", "x", "band") and scene.dtype == np.float32
        assert scene.wavelength.dtype == np.float64 and scene.good.dtype == bool
        assert scene.attrs["source"] == str(path) and scene.name == path.stem
        assert "band" not in scene.indexes
        assert all(isinstance(line, str) and "\n" not in line for line in scene.attrs["history"])
        assert all(file.is_file() for file in files_of(scene))
        json.dumps(scene.attrs)


def test_spatial_ref_follows_the_convention(tiff_scene):
    scene = open_scene(tiff_scene)
    attrs = scene.spatial_ref.attrs
    assert attrs["GeoTransform"] == "365055.0 30.0 0.0 5807085.0 0.0 -20.0"
    assert attrs["crs_wkt"] == attrs["spatial_ref"] and "UTM zone 33N" in attrs["crs_wkt"]


@pytest.mark.parametrize("which", ["envi_scene", "tiff_scene"])
@pytest.mark.parametrize(
    "window", [np.s_[:, :], np.s_[2:, 3:6], np.s_[1:2, 2:3], np.s_[::2, ::3], np.s_[::-1, ::-2]]
)
def test_a_crop_knows_where_it_lies(request, which, window):
    path = request.getfixturevalue(which)
    scene = open_scene(path)
    a, b, c, d, e, f = geo_of(scene)[1]
    part = scene[window]
    rows, cols = np.arange(5)[window[0]], np.arange(7)[window[1]]
    pa, pb, pc, pd, pe, pf = geo_of(part)[1]
    for i, row in enumerate(rows):
        for j, col in enumerate(cols):
            old = (
                a * (col + 0.5) + b * (row + 0.5) + c,
                d * (col + 0.5) + e * (row + 0.5) + f,
            )
            new = (
                pa * (j + 0.5) + pb * (i + 0.5) + pc,
                pd * (j + 0.5) + pe * (i + 0.5) + pf,
            )
            assert new == pytest.approx(old, abs=1e-6)
    fresh = xr.DataArray(np.zeros(part.shape[:2]), geo_coords(part), ("y", "x"))
    assert geo_of(fresh)[0] == geo_of(scene)[0]
    assert geo_of(fresh)[1] == pytest.approx(geo_of(part)[1])


def test_rotated_grids_have_no_axes(envi_scene, tiff_scene):
    rotated, straight = open_scene(envi_scene), open_scene(tiff_scene)
    assert "x" not in rotated.coords and {"line", "sample"} <= set(rotated.coords)
    assert {"x", "y"} <= set(straight.coords) and "line" not in straight.coords


def test_partial_georeferencing():
    crs_only = xr.DataArray(0.0, {"spatial_ref": xr.DataArray(0, attrs={"crs_wkt": "WKT"})})
    assert geo_of(crs_only) == ("WKT", None)
    assert geo_of(xr.DataArray(0.0)) == (None, None)


def test_names_that_lead_nowhere(tmp_path):
    with pytest.raises(InputError, match=r"none\.tif: no such file"):
        open_scene(tmp_path / "none.tif")
    with pytest.raises(InputError, match="is a folder"):
        open_scene(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        open_scene("a\0b")
    with pytest.raises(InputError, match="cannot be read"):
        open_scene("a" * 5000)
    for name, message in [
        ("a.txt", "not a scene format unmix reads; give ENVI"),
        ("a", "not a scene format unmix reads"),
        ("a.bsq", "no ENVI header beside it"),
        ("a.hdr", "not an ENVI header"),
    ]:
        (tmp_path / name).write_bytes(b"\1\2\3")
        with pytest.raises(InputError, match=message) as caught:
            open_scene(tmp_path / name)
        assert name in str(caught.value)
        (tmp_path / name).unlink()
    (tmp_path / "empty.tif").touch()
    with pytest.raises(InputError, match="does not hold a TIFF"):
        open_scene(tmp_path / "empty.tif")


def test_files_that_may_not_be_read(envi_scene, monkeypatch):
    from pathlib import Path

    original = Path.open

    def refuse(self, *args, **kwargs):
        if self.suffix == denied:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    denied = ".img"
    with pytest.raises(InputError, match=r"rotated\.img': cannot be read \(Permission denied\)"):
        open_scene(envi_scene.with_suffix(".img"))
    denied = ".hdr"
    with pytest.raises(InputError, match=r"rotated\.hdr: cannot be read \(Permission denied\)"):
        open_scene(envi_scene.with_suffix(".img"))


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(InputError, match="no regular file"):
        open_scene(tmp_path / "pipe.tif")


def test_variable_is_for_matlab(tiff_scene):
    with pytest.raises(InputError, match=r"variable: scene\.tif is no MATLAB or netCDF file"):
        open_scene(tiff_scene, variable="Y")


def test_other_hdf5_is_not_taken_for_matlab(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.he5", "w") as file:
        file["cube"] = np.ones((2, 3, 4))
    with pytest.raises(InputError, match="leave open which is y, x, band"):
        open_scene(tmp_path / "a.he5")


def test_lazy_source_with_empty_windows():
    def reader(rows, cols, bands):
        raise AssertionError("nothing to read")

    source = PixelSource((2, 3, 4), reader)
    assert source.window((slice(1, 1), slice(None), slice(None))).shape == (0, 3, 4)
    assert source.window((slice(2, 0), 1, np.array([], int))).shape == (0, 0)


def test_decoding_copies_only_if_need_be():
    plain = np.ones((2, 3, 4), "f4")
    assert Decoding().apply(plain, slice(0, 4)) is plain
    plain.flags.writeable = False
    assert Decoding().apply(plain, slice(0, 4)).flags.writeable
    huge = np.full((1, 1, 1), 1e300)
    assert np.isinf(Decoding().apply(huge, slice(0, 1))).all()
    mask = np.array([[[True, False]]])
    assert Decoding(nodata=1).apply(mask, slice(0, 2)).tolist() == [[[1.0, 0.0]]]


def test_whole_scene_pickles_small(tmp_path, write_envi):
    hdr = write_envi(tmp_path / "a.img", np.ones((64, 65, 66)), "bsq", "<f4")
    assert len(pickle.dumps(open_scene(hdr))) < 10_000
