"""Fixtures every test may use: tiny scenes without symmetries, written here, never downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # the first call may compile
settings.load_profile("any machine")

ENVI_CODE = {
    **{"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12, "u4": 13, "i8": 14, "u8": 15},
}
AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real scenes kept outside the repository."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real scenes at {folder}")
    return folder


@pytest.fixture(scope="session")
def cube() -> np.ndarray:
    """Distinct whole numbers, shape (rows 5, cols 7, bands 11), 1 to 385."""
    return np.random.default_rng(3).permutation(5 * 7 * 11).reshape(5, 7, 11) + 1


def envi(path: Path, cube: np.ndarray, interleave="bip", dtype="<f4", offset=0, **fields) -> Path:
    """Write `cube` (rows, cols, bands) as ENVI; `fields` go into the header. Gives the header."""
    dtype = np.dtype(dtype)
    rows, cols, bands = cube.shape
    numbers = cube.astype(dtype).transpose(AXES[interleave])
    path.write_bytes(b"\xa5" * offset + numbers.tobytes(order="C"))
    header = {
        "samples": cols,
        "lines": rows,
        "bands": bands,
        "header offset": offset,
        "file type": "ENVI Standard",
        "data type": ENVI_CODE[dtype.str[1:]],
        "interleave": interleave,
        "byte order": int(dtype.str[0] == ">"),
    }
    header |= {name.replace("_", " "): value for name, value in fields.items()}
    lines = [f"{name} = {listed(value)}" for name, value in header.items() if value is not None]
    hdr = path.with_suffix(".hdr")
    hdr.write_text("\n".join(["ENVI", *lines, ""]))
    return hdr


def listed(value) -> str:
    """A header value: sequences in braces."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return "{" + ", ".join(str(v) for v in value) + "}"
    return str(value)


@pytest.fixture(scope="session")
def write_envi():
    """Function that writes an ENVI scene: `write_envi(path, cube, interleave, dtype, ...)`."""
    return envi


@pytest.fixture
def envi_scene(tmp_path, cube) -> Path:
    """Header of a rotated, georeferenced int16 BIL scene with overlapping detectors."""
    stored = cube.copy()
    stored[1, 2] = -9999
    return envi(
        tmp_path / "rotated.img",
        stored,
        "bil",
        "<i2",
        description="{a made-up\n scene}",
        map_info=["UTM", 1, 1, 365055.0, 5807085.0, 30, 20, 33, "North", "WGS-84", "rotation=33"],
        wavelength_units="Micrometers",
        wavelength=[0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.9, 1.2, 1.6, 2.2],
        fwhm=[0.01] * 11,
        bbl=[1] * 8 + [0] + [1] * 2,
        data_ignore_value=-9999,
        reflectance_scale_factor=1000,
    )


@pytest.fixture
def tiff_scene(tmp_path, cube) -> Path:
    """A georeferenced int16 GeoTIFF with scale, offset, no-data and wavelengths."""
    import rasterio
    from rasterio.transform import Affine

    path = tmp_path / "scene.tif"
    stored = cube.transpose(2, 0, 1).astype("int16")
    stored[:, 3, 1] = -32768
    profile = {"driver": "GTiff", "height": 5, "width": 7, "count": 11, "dtype": "int16"}
    transform = Affine(30, 0, 365055, 0, -20, 5807085)
    with rasterio.open(
        path, "w", **profile, nodata=-32768, crs="EPSG:32633", transform=transform
    ) as file:
        file.write(stored)
        file.scales = [0.001] * 11
        file.offsets = [0.25] * 11
        for band in range(1, 12):
            file.update_tags(
                band,
                wavelength=400 + 100 * band,
                wavelength_units="Nanometers",
                fwhm=10,
                bbl=int(band != 9),
            )
            file.set_band_description(band, f"band {band} ({400 + 100 * band} Nanometers)")
    return path


@pytest.fixture
def one_torch_thread():
    """Networks of a few units on one thread: several would wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
