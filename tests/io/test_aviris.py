"""Files of the AVIRIS family in ENVI form: their names tell what headers leave out."""

from __future__ import annotations

import numpy as np
import pytest

import unmix
from unmix.checks import InputError
from unmix.io.aviris import about_aviris
from unmix.scene import geo_of, open_scene

NM = np.linspace(380.0, 2500.0, 9)
TURNED = ["UTM", 1, 1, 277811.628, 4483607.425, 3.1, 3.1, 13, "North", "WGS-84", "rotation=53"]


@pytest.mark.parametrize(
    ("name", "sensor", "quantity", "acquired"),
    [
        ("ang20220224t210144_rdn_v2aa1_img", "AVIRIS-NG", "radiance", "2022-02-24"),
        ("ang20220224t210144_rfl_v2aa1_img", "AVIRIS-NG", "reflectance", "2022-02-24"),
        ("AV320231005t181518_L1B_RDN_ORT", "AVIRIS-3", "radiance", "2023-10-05"),
        ("AV320231005t181518_L2A_OE_x_RFL_ORT", "AVIRIS-3", "reflectance", "2023-10-05"),
        ("AV520250508t173511_000_L2A_OE_x_RFL_ORT.nc", "AVIRIS-5", "reflectance", "2025-05-08"),
        ("f201013t01p00r10rdn_e_sc01_ort_img", "AVIRIS", "radiance", "2020-10-13"),
        ("f201013t01p00r10_rfl_v1l1_img", "AVIRIS", "reflectance", "2020-10-13"),
        ("ang20220224t210144_obs_ort", "AVIRIS-NG", None, "2022-02-24"),
    ],
)  # fmt: skip
def test_names(name, sensor, quantity, acquired):
    found = about_aviris(name)
    assert found["sensor"] == sensor and found["acquired"][:10] == acquired
    assert found.get("quantity") == quantity


@pytest.mark.parametrize("name", ["angles.img", "f16.img", "scene_rdn_.img", "AV3.img"])
def test_other_names_say_nothing(name):
    assert about_aviris(name) == {}


def test_no_data_that_the_header_leaves_out(tmp_path, write_envi):
    cube = np.random.default_rng(1).uniform(0.1, 0.5, (6, 5, 9)).astype("f4")
    cube[2, 3] = -9999
    fields = {"wavelength": NM, "wavelength_units": "Nanometers", "map_info": TURNED}
    path = write_envi(
        tmp_path / "ang20220224t210144_rfl_v2aa1_img.dat", cube, "bil", "<f4", **fields
    )
    scene = open_scene(path)
    assert np.isnan(scene.values[2, 3]).all() and np.isfinite(scene.values).sum() == 29 * 9
    a, b, *_ = geo_of(scene)[1]
    assert (a, b) == pytest.approx((3.1 * np.cos(np.radians(53)), 3.1 * np.sin(np.radians(53))))
    plain = write_envi(tmp_path / "other.dat", cube, "bil", "<f4", **fields)
    assert open_scene(plain).values[2, 3, 0] == -9999


def test_radiance_is_refused(tmp_path, write_envi):
    cube = np.random.default_rng(1).uniform(1, 5, (6, 5, 9))
    path = write_envi(tmp_path / "ang20220224t210144_rdn_v2aa1_img.dat", cube, wavelength=NM)
    with pytest.raises(InputError, match=r"is radiance \(uW/cm\^2/sr/nm\)"):
        unmix.run(path, 3)


def test_what_headers_state(tmp_path, write_envi):
    cube = np.random.default_rng(1).uniform(1, 5, (6, 5, 9))
    stated = {"acquisition_time": "2013-12-06T13:34:10Z", "sun_elevation": 62.5}
    path = write_envi(tmp_path / "a.dat", cube, data_units="{W/m^2/sr/um}", **stated)
    attrs = open_scene(path).attrs
    found = [attrs.get(k) for k in ("quantity", "units", "acquired", "sun_zenith")]
    assert found == ["radiance", "W/m^2/sr/um", "2013-12-06T13:34:10Z", 27.5]
    path = write_envi(tmp_path / "b.dat", cube, sun_elevation="high")
    assert "sun_zenith" not in open_scene(path).attrs
