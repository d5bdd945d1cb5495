"""Damaged files: an answer or an InputError, whatever the damage.

UNMIX_FUZZ_EXAMPLES raises the number of examples a format gets.
"""

from __future__ import annotations

import os
import random
import struct

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unmix.checks import InputError
from unmix.io.truth import read_truth
from unmix.scene import geo_of, open_scene

EXAMPLES = int(os.environ.get("UNMIX_FUZZ_EXAMPLES", "120"))
FUZZ = settings(
    max_examples=EXAMPLES,
    derandomize="UNMIX_FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
NUMBERS = [0, 1, 2, 3, 7, 255, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1]
WORDS = [
    *("0", "-1", "3", "1e999", "nan", "inf", "9" * 40, "{", "}", "=", ",", ";", "\n", "\r", "\0"),
    *(
        "µm",
        "Nanometers",
        "Unknown",
        "{1,2,3}",
        "{}",
        "bsq",
        "bil",
        "UTM",
        "South",
        "units=Seconds",
    ),
    *(
        "rotation=nan",
        "samples",
        "bands = 4",
        "data type = 5",
        "map info = {",
        "ENVI",
        "١٢",
        "\ud7ff",
    ),
    *(
        "wavelength = {1, 2, 3, 4}",
        "data ignore value = 1e400",
        "reflectance scale factor = 1e-400",
    ),
    *("coordinate system string = {GEOGCS[", "bbl = {", "fwhm = {1,1,1,1}", "header offset = 8"),
]


def probe(path):
    """Open and read; only InputError may come of it."""
    try:
        scene = open_scene(path)
        geo_of(scene)
        assert not any("\n" in line for line in scene.attrs["history"])
        values = scene[:2, :3, -2:].values
        assert values.dtype == np.float32
        if scene.size < 10**6:
            assert scene.values.shape == scene.shape
    except InputError as error:
        assert "\n" not in str(error)
    except MemoryError:
        raise AssertionError("a damaged file must not ask for all memory") from None


def probe_truth(path):
    """Read a truth; only InputError may come of it."""
    try:
        assert read_truth(path).abundances.ndim in (2, 3)
    except InputError as error:
        assert "\n" not in str(error)


def damage(data: bytes, seed: int, strokes: int, head: float) -> bytes:
    """`data` after some strokes; `head` is the part from the start that most strokes hit."""
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(strokes):
        n = max(1, int(len(out) * (head if rng.random() < 0.7 else 1)))
        at, kind = rng.randrange(n), rng.randrange(9)
        if kind <= 1:
            out[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            out[at : at + 1] = bytes([out[at] ^ (1 << rng.randrange(8))]) if out else b""
        elif kind in (3, 4):
            at -= at % 4 if rng.random() < 0.8 else 0
            number = rng.choice([*NUMBERS, len(out), at])
            out[at : at + 4] = struct.pack(rng.choice("<>") + "I", number)
        elif kind == 5 and rng.random() < 0.3:
            del out[at:]
        elif kind == 6:
            del out[at : at + rng.randrange(1, 9)]
        elif kind == 7:
            out[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            other = rng.randrange(len(out) + 1)
            out[at : at + 8] = out[other : other + 8]
        if not out:
            break
    return bytes(out)


STROKES = {"seed": st.integers(0, 2**40), "strokes": st.integers(1, 6)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def small():
    return np.arange(1, 61, dtype="u2").reshape(3, 4, 5)


@FUZZ
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 6), st.sampled_from(WORDS)), max_size=5
    ),
    **STROKES,
)
def test_envi_headers(folder, small, write_envi, edits, seed, strokes):
    hdr = write_envi(
        folder / "a.img",
        small,
        "bil",
        "<u2",
        map_info="{UTM, 1, 1, 365055, 5807085, 30, 30, 33, North, WGS-84, rotation=3}",
        wavelength=[0.4, 0.5, 0.6, 0.7, 0.8],
        wavelength_units="Micrometers",
        fwhm=[0.1] * 5,
        bbl=[1] * 5,
        data_ignore_value=0,
        reflectance_scale_factor=1e4,
    )
    text = hdr.read_text()
    for at, cut, word in edits:
        text = text[:at] + word + text[at + cut :]
    data = text.encode("utf-8", "surrogatepass")
    hdr.write_bytes(damage(data, seed, strokes, 1) if seed % 3 else data)
    probe(hdr)


@pytest.fixture(scope="module")
def mat5(folder, small):
    names = np.array(["oak", "pine"], dtype=object)
    flat = small.reshape(12, 5).T.astype("f8")
    found = []
    for compress in (False, True):
        path = folder / "whole.mat"
        values = {"Y": flat, "nRow": 3, "nCol": 4, "maxValue": 60.0, "wavelength": np.r_[4:9] * 1e2}
        values |= {"A": np.ones((2, 12)), "cood": names, "s": {"a": 1}}
        scipy.io.savemat(path, values, do_compression=compress)
        found.append(path.read_bytes())
    return found


@FUZZ
@given(compressed=st.booleans(), **STROKES)
def test_mat5_bytes(folder, mat5, compressed, seed, strokes):
    path = folder / "b.mat"
    path.write_bytes(damage(mat5[compressed], seed, strokes, 1))
    probe(path)
    probe_truth(path)


@pytest.fixture(scope="module")
def mat73(folder, small):
    path = folder / "whole73.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("Y", data=small.reshape(12, 5), chunks=(6, 5), compression="gzip")
        file["nRow"], file["nCol"] = [[3.0]], [[4.0]]
        file["A"] = np.ones((12, 2))
        file["cood"] = np.array([[file["A"].ref, file["nRow"].ref]], dtype=h5py.ref_dtype)
        file["cood"].attrs["MATLAB_class"] = np.bytes_("cell")
    return path.read_bytes()


@FUZZ
@given(**STROKES)
def test_mat73_bytes(folder, mat73, seed, strokes):
    path = folder / "c.mat"
    path.write_bytes(damage(mat73, seed, strokes, 1))
    probe(path)
    probe_truth(path)


@pytest.fixture(scope="module")
def tiffs(folder, small):
    found = []
    for options in ({"compress": "deflate"}, {"compress": "lzw", "interleave": "pixel"}, {}):
        path = folder / "whole.tif"
        profile = {"driver": "GTiff", "height": 3, "width": 4, "count": 5, "dtype": "uint16"}
        with rasterio.open(
            path,
            "w",
            **profile,
            **options,
            nodata=0,
            crs="EPSG:32633",
            transform=rasterio.Affine(30, 0, 365055, 0, -30, 5807085),
        ) as file:
            file.write(small.transpose(2, 0, 1))
            for band in file.indexes:
                file.update_tags(band, wavelength=400 + band, wavelength_units="nm")
            file.scales = [0.1] * 5
        found.append(path.read_bytes())
    return found


@FUZZ
@given(which=st.integers(0, 2), **STROKES)
def test_tiff_bytes(folder, tiffs, which, seed, strokes):
    path = folder / "d.tif"
    path.write_bytes(damage(tiffs[which], seed, strokes, 0.5))
    probe(path)
    probe_truth(path)
