"""Real scenes end to end: grids equal to the last digit, wavelengths in every file with spectra."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

import unmix
from unmix.io.library import read_endmembers
from unmix.scene import geo_of, open_scene

SCENES = [
    "emit/emit20250324t221005_jpl_unmix_ex",
    "avirisng/ang20140912t192359_corr_v1c_img_2580-2590_540-550.img",
    "avirisng/ang20150420t182808_corr_v1e_img_4200-4210_70-80.img",
    "avirisng/ang20150422t163638_corr_v1e_img_4000-4010_550-560.img",
    "gamsberg/cubus_gamsberg_subset",
    "enmap_potsdam/enmap_potsdam_tile_128_96.tif",
    "enmap_potsdam/enmap_potsdam_tile_160_128.tif",
    "enmap_potsdam/enmap_potsdam_128x64.hdr",
]


def grid(path):
    """CRS and transform as GDAL says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            return file.crs, tuple(file.transform)


@pytest.mark.data
@pytest.mark.parametrize("name", SCENES)
def test_end_to_end(shared_data, tmp_path, name):
    path = shared_data / name
    scene = open_scene(path)
    unmix.run(path, 3, method="vca-fcls").save(tmp_path / "OUT")
    image = path.with_suffix(".bsq") if path.suffix == ".hdr" else path
    crs, transform = grid(image)
    for raster in ("abundances.tif", "residual.tif"):
        assert grid(tmp_path / "OUT" / raster) == (crs, transform)
    affine = geo_of(scene)[1]
    assert affine is None or affine == transform[:6]
    nm = scene.wavelength.values
    table = np.genfromtxt(tmp_path / "OUT" / "endmembers.csv", delimiter=",", skip_header=1)
    np.testing.assert_allclose(table[:, 0], nm, rtol=1e-9)
    library = read_endmembers(tmp_path / "OUT" / "endmembers.sli")  # which reads by wavelength
    np.testing.assert_allclose(library.wavelength, np.sort(nm), rtol=1e-9)


@pytest.mark.data
def test_files_say_what_they_are(shared_data):
    about = {}
    for name in SCENES[:2]:
        attrs = open_scene(shared_data / name).attrs
        about[attrs["sensor"]] = attrs["acquired"], attrs.get("quantity")
    assert about == {
        "EMIT": ("2025-03-24T22:10:05+00:00", None),
        "AVIRIS-NG": ("2014-09-12T19:23:59+00:00", "reflectance"),
    }


@pytest.mark.data
def test_deep_water_bands_of_emit_are_left_out(shared_data):
    """They hold −0.01 in every pixel."""
    result = unmix.run(shared_data / SCENES[0], 3, method="vca-fcls")
    values = open_scene(shared_data / SCENES[0]).values
    deep = (values == np.float32(-0.01)).all(axis=(0, 1))
    assert deep.sum() > 20 and np.isnan(result.endmembers.spectra[:, deep]).all()
