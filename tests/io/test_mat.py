"""MATLAB scenes, v5 and v7.3: conventions, laziness, damage."""

from __future__ import annotations

import pickle
import struct
import zlib

import h5py
import numpy as np
import pytest
import scipy.io

from unmix.checks import InputError
from unmix.io.mat import scan_mat
from unmix.io.mat5 import Mat5Variable, scan_mat5
from unmix.io.mat73 import Mat73Variable
from unmix.scene import open_scene

FORMATS = ["v5", "v5-compressed", "v7.3"]


def save(path, values, form):
    """Write variables as one of FORMATS; v7.3 the way MATLAB lays it out."""
    if form != "v7.3":
        scipy.io.savemat(path, values, do_compression=form == "v5-compressed")
        return path
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in values.items():
            value = np.atleast_2d(value)
            chunks = tuple(max(1, n // 2) for n in value.T.shape) if value.size > 50 else None
            data = file.create_dataset(
                name, data=value.T, chunks=chunks, compression="gzip" if chunks else None
            )
            data.attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


@pytest.fixture(params=FORMATS)
def form(request):
    return request.param


def matrix(cube):
    """(bands, pixels), pixels down the columns, by the naive loop."""
    rows, cols, bands = cube.shape
    out = np.zeros((bands, rows * cols), cube.dtype)
    for column in range(cols):
        for row in range(rows):
            out[:, column * rows + row] = cube[row, column]
    return out


@pytest.mark.parametrize("dtype", ["f8", "f4", "u2", "i2", "u1", "i4", "u4", "i8", "u8", "i1"])
def test_cube_of_every_type(tmp_path, cube, form, dtype):
    small = (cube % 120).astype(dtype)
    scene = open_scene(save(tmp_path / "a.mat", {"hyperspectral_cube": small}, form))
    np.testing.assert_array_equal(scene.values, small)
    assert scene.attrs["scale_declared"] is False and scene.attrs["format"] == "MATLAB"
    assert scene.values.flags.writeable and scene.values.flags.c_contiguous


@pytest.mark.parametrize("name", ["Y", "V", "X"])
def test_columns_of_pixels(tmp_path, cube, form, name):
    values = {name: matrix(cube).astype("u2"), "nRow": 5, "nCol": 7, "maxValue": 50.0}
    scene = open_scene(save(tmp_path / "a.mat", values, form))
    np.testing.assert_array_equal(scene.values, cube.astype("f4") / np.float32(50))
    for window in (np.s_[1:3, 2:6, 4:9], np.s_[4, :, ::-3], np.s_[[0, 3], 5:, [10, 1, 1]]):
        np.testing.assert_array_equal(
            scene[window].values,
            scene.values[np.ix_(*indices(window))]
            if any(isinstance(k, list) for k in window)
            else scene.values[window],
        )
    assert scene.attrs["scale_declared"] is True and scene.attrs["scale_factor"] == 50
    assert "divided by maxValue 50" in scene.attrs["history"]


def indices(window):
    return [np.arange(n)[key] for n, key in zip((5, 7, 11), window, strict=True)]


def test_pixels_first_is_turned(tmp_path, cube, form):
    values = {"Y": matrix(cube).T.astype("u2"), "nRow": 5, "nCol": 7}
    scene = open_scene(save(tmp_path / "a.mat", values, form))
    np.testing.assert_array_equal(scene.values, cube)
    np.testing.assert_array_equal(scene[1:3, 4:, 2:5].values, cube[1:3, 4:, 2:5])


def test_cube_windows_pickles_and_threads(tmp_path, cube, form):
    from concurrent.futures import ThreadPoolExecutor

    scene = open_scene(save(tmp_path / "a.mat", {"data": cube.astype("f4")}, form))
    again = pickle.loads(pickle.dumps(scene))
    np.testing.assert_array_equal(again[1:3, :, ::4].values, cube[1:3, :, ::4])
    pickle.dumps(again)  # once more, now that something was read
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda row: scene[row].values, range(5)))
    np.testing.assert_array_equal(np.stack(parts), cube)


def test_opening_reads_no_pixels(tmp_path, cube, form, monkeypatch):
    read = []
    for kind, method in ((Mat5Variable, "array"), (Mat73Variable, "read")):
        original = getattr(kind, method)

        def spy(self, *args, original=original):
            read.append(self.name)
            return original(self, *args)

        monkeypatch.setattr(kind, method, spy)
    values = {"Y": matrix(cube).astype("f8"), "nRow": 5, "nCol": 7, "wavelength": np.arange(11)}
    scene = open_scene(save(tmp_path / "a.mat", values, form))
    repr(scene), scene.copy()
    assert "Y" not in read
    scene[0, 0].load()
    assert read.count("Y") == 1


def test_a_compressed_variable_is_unpacked_once(tmp_path, cube, monkeypatch):
    scene = open_scene(save(tmp_path / "a.mat", {"cube": cube.astype("f8")}, "v5-compressed"))
    unpacked = []
    original = Mat5Variable.content
    monkeypatch.setattr(Mat5Variable, "content", lambda self: unpacked.append(1) or original(self))
    first = scene[0].values
    first[:] = -1  # what is handed out is the caller's own
    np.testing.assert_array_equal(scene.values, cube)
    assert len(unpacked) == 1


def test_hdf5_windows_stay_windows(tmp_path, cube, monkeypatch):
    values = {"Y": matrix(cube).astype("u2"), "nRow": 5, "nCol": 7}
    scene = open_scene(save(tmp_path / "a.mat", values, "v7.3"))
    sizes = []
    original = Mat73Variable.read

    def spy(self, key):
        out = original(self, key)
        sizes.append(out.size)
        return out

    monkeypatch.setattr(Mat73Variable, "read", spy)
    scene[1:3, 2:5, 4:6].load()
    assert sizes == [2 * 3 * 2]


def test_wavelengths_fwhm_bands(tmp_path, cube, form):
    values = {
        "cube": cube.astype("f8"),
        "wavelengths": np.linspace(0.4, 2.4, 11),
        "fwhm": np.full(11, 0.01),
        "bbl": np.r_[np.ones(10), 0],
        "SlectBands": np.r_[4:15].astype("f8"),
    }
    scene = open_scene(save(tmp_path / "a.mat", values, form))
    np.testing.assert_allclose(scene.wavelength, np.linspace(400, 2400, 11))
    np.testing.assert_allclose(scene.fwhm, 10)
    assert scene.good.values.sum() == 10
    assert scene.attrs["kept_bands"] == list(range(4, 15))
    values["wavelengths"] = np.arange(400.0, 410.0)
    scene = open_scene(save(tmp_path / "b.mat", values, form))
    assert "wavelength" not in scene.coords
    assert any("10 values for 11 bands" in line for line in scene.attrs["history"])


def test_a_square_without_its_size(tmp_path, form):
    cube = np.arange(3 * 3 * 4).reshape(3, 3, 4)
    scene = open_scene(save(tmp_path / "a.mat", {"Y": matrix(cube)}, form))
    np.testing.assert_array_equal(scene.values, cube)
    assert any("square of side 3" in line for line in scene.attrs["history"])


def test_which_variable(tmp_path, cube, form):
    one, two = cube.astype("f4"), cube.astype("f4") + 1
    path = save(tmp_path / "a.mat", {"one": one, "two": two, "S_GT": one[..., :2]}, form)
    with pytest.raises(InputError, match=r"several variables may be the scene \(one, two\)"):
        open_scene(path)
    np.testing.assert_array_equal(open_scene(path, variable="two").values, two)
    with pytest.raises(InputError, match="'three' is no numeric array"):
        open_scene(path, variable="three")
    path = save(tmp_path / "b.mat", {"hyperspectral_cube": two, "one": one, "X": 3.0}, form)
    np.testing.assert_array_equal(open_scene(path).values, two)
    path = save(tmp_path / "c.mat", {"cube": two, "X": np.arange(4.0), "A": one}, form)
    np.testing.assert_array_equal(open_scene(path).values, two)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"A": np.ones((3, 12))}, r"no scene in it \(found A \(3, 12\)\)"),
        ({"Y": np.ones((4, 12))}, "12 pixels make no square"),
        ({"Y": np.ones((4, 12)), "nRow": 5, "nCol": 7}, "nRow 5 x nCol 7 is not the 12 pixels"),
        ({"Y": np.ones((4, 12)), "nRow": 2.5, "nCol": 7}, "nRow is not a positive whole"),
        ({"Y": np.ones((4, 9)), "maxValue": 0.0}, "maxValue is not one positive number"),
        ({"Y": np.ones((4, 9)), "maxValue": np.nan}, "maxValue is not one positive number"),
        ({"Y": np.ones((4, 9)) * 1j}, "no scene in it"),
    ],
)
def test_no_scene(tmp_path, form, values, message):
    if form == "v7.3" and np.iscomplexobj(values["Y"] if "Y" in values else 0):
        values = {"Y": values["Y"].astype(np.complex64)}
    with pytest.raises(InputError, match=message) as caught:
        open_scene(save(tmp_path / "a.mat", values, form))
    assert "\n" not in str(caught.value) and "a.mat" in str(caught.value)


def test_our_v5_reader_agrees_with_scipy(tmp_path, cube):
    values = {
        "text": "hello",
        "cells": np.array(["oak", "pine needle"], dtype=object),
        "struct": {"a": 1.0, "b": "x"},
        "sparse": scipy.sparse.csc_array(np.eye(3)),
        "flag": np.array([[True, False]]),
        "empty": np.zeros((0, 3)),
        "small": np.array([[7]], "u1"),
        "four": np.arange(24.0).reshape(2, 3, 2, 2),
        "Y": cube.astype(">i4"),
        "complex": np.ones((2, 2)) * 1j,
    }
    for compress in (False, True):
        path = tmp_path / f"{compress}.mat"
        scipy.io.savemat(path, values, do_compression=compress)
        ours, theirs = scan_mat5(path), scipy.io.loadmat(path)
        assert list(ours) == [name for name, _, _ in scipy.io.whosmat(path)]
        for name in ("flag", "empty", "small", "four", "Y"):
            np.testing.assert_array_equal(ours[name].array(), theirs[name])
            assert ours[name].shape == theirs[name].shape
        assert ours["cells"].strings() == ["oak", "pine needle"]
        assert ours["text"].strings() == ["hello"]
        assert ours["struct"].kind == ours["sparse"].kind == ours["complex"].kind == "other"
        for name in ("struct", "complex"):
            with pytest.raises(InputError, match="no real numbers"):
                ours[name].array()
            with pytest.raises(InputError, match="no list of names"):
                ours[name].strings()


def element(code, data):
    """One big-endian element of a v5 file."""
    return struct.pack(">II", code, len(data)) + data + b"\0" * (-len(data) % 8)


def big_endian(values=None, *, flags=6, dims=None, name=b"cube", numbers=None) -> bytes:
    """A v5 file in big-endian order, by hand."""
    values = np.ones((2, 3, 4)) if values is None else values
    body = element(6, struct.pack(">II", flags, 0))
    body += element(5, struct.pack(f">{values.ndim}i", *values.shape)) if dims is None else dims
    body += element(1, name)
    body += element(9, values.astype(">f8").tobytes(order="F")) if numbers is None else numbers
    return HEAD + element(14, body)


HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (big_endian(dims=b""), "without dimensions"),
        (big_endian(dims=element(5, struct.pack(">2i", -1, 3))), r"of size \(-1, 3\)"),
        (big_endian(name=b"x" * 300), "endless name"),
        (big_endian(numbers=element(99, b"12345678")), "unknown type 99"),
        (big_endian(numbers=struct.pack(">HHI", 5, 9, 0)), "small element of more than 4"),
        (big_endian(numbers=b""), "ends inside its header"),
        (HEAD + element(14, element(6, b"")), "without array flags"),
        (HEAD + element(14, struct.pack(">II", 6, 8)), "without array flags"),
        (HEAD + element(77, b"12345678"), "unknown data type 77 at byte 128"),
        (HEAD + element(15, b"12345678"), "damaged"),
        (HEAD + element(15, zlib.compress(b"1234")), "compressed variable is empty"),
        (HEAD + struct.pack(">II", 14, 1000), r"needs 1136 bytes"),
        (big_endian(flags=17), r"no scene in it \(found nothing\)"),
        (HEAD, "found nothing"),
    ],
)
def test_damaged_v5_headers(tmp_path, data, message):
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(InputError, match=message):
        open_scene(tmp_path / "a.mat")


def test_damaged_cells(tmp_path):
    good = np.array(["oak", "pine"], dtype=object)
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"cood": good, "n": np.array([1.0, "x", ""], dtype=object)})
    assert scan_mat(path)["n"].strings() == ["", "x", ""]
    data = path.read_bytes()
    at = data.index(b"cood") + 4
    path.write_bytes(data[:at] + data[at:].replace(struct.pack("<I", 14), struct.pack("<I", 9), 1))
    with pytest.raises(InputError, match="a cell holds no array"):
        scan_mat(path)["cood"].strings()
    scipy.io.savemat(path, {"cood": np.array([["x"] * 70] * 70, dtype=object)})
    with pytest.raises(InputError, match="holds 4900 names"):
        scan_mat(path)["cood"].strings()


def test_big_endian_v5(tmp_path, cube):
    (tmp_path / "a.mat").write_bytes(big_endian(cube))
    np.testing.assert_array_equal(open_scene(tmp_path / "a.mat").values, cube)


def test_lies_about_sizes_are_refused_before_memory_is_taken(tmp_path, cube):
    plain = bytearray(big_endian(cube))
    at = plain.index(struct.pack(">iii", *cube.shape))
    plain[at : at + 4] = struct.pack(">i", 2**30)
    (tmp_path / "a.mat").write_bytes(plain)
    with pytest.raises(InputError, match=r"declares \(1073741824, 7, 11\) but holds"):
        open_scene(tmp_path / "a.mat")
    body = zlib.compress(struct.pack("<II", 14, 2**32 - 8) + b"\0" * 100)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "b.mat").write_bytes(head + struct.pack("<II", 15, len(body)) + body)
    with pytest.raises(InputError, match="compressed bytes declares 4294967288 bytes"):
        open_scene(tmp_path / "b.mat")
    with h5py.File(tmp_path / "c.mat", "w") as file:
        file.create_dataset("cube", shape=(100_000, 100_000, 200), dtype="f4", chunks=(9, 9, 9))
    scene = open_scene(tmp_path / "c.mat")
    with pytest.raises(InputError, match="holds 0 bytes"):
        scene[0, 0].load()


def test_hdf5_that_points_elsewhere_is_refused(tmp_path, cube):
    (tmp_path / "secret").write_bytes(cube.astype("f4").tobytes())
    with h5py.File(tmp_path / "other.mat", "w") as file:
        file["cube"] = cube.astype("f4")
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset(
            "cube", cube.shape, "f4", external=[(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)]
        )
        file["linked"] = h5py.ExternalLink("other.mat", "cube")
        file["soft"] = h5py.SoftLink("/cube")
        file.create_group("group")
        file["nothing"] = h5py.Empty("f4")
    assert [v.name for v in scan_mat(tmp_path / "a.mat").values() if v.kind == "numeric"] == [
        "cube"
    ]
    with pytest.raises(InputError, match="refers to other files"):
        open_scene(tmp_path / "a.mat").load()


@pytest.mark.parametrize("part", [0.02, 0.4, 0.99])
def test_truncated(tmp_path, cube, form, part):
    path = save(tmp_path / "a.mat", {"cube": cube.astype("f8")}, form)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(InputError, match=r"a\.mat"):
        open_scene(path).load()


def test_corrupt_compressed_numbers(tmp_path, cube):
    path = save(tmp_path / "a.mat", {"cube": cube.astype("f8")}, "v5-compressed")
    data = bytearray(path.read_bytes())
    data[-3] ^= 255  # the checksum
    path.write_bytes(data)
    scene = open_scene(path)
    with pytest.raises(InputError, match="damaged MATLAB file"):
        scene.load()


def test_not_matlab(tmp_path):
    path = tmp_path / "a.mat"
    path.write_text("hello\n" * 100)
    with pytest.raises(InputError, match=r"a\.mat: not a MATLAB v5 or v7\.3 file"):
        open_scene(path)
    with pytest.raises(InputError, match="not a MATLAB"):
        scan_mat(path)


def test_a_file_gone_after_opening(tmp_path, cube):
    for form in ("v5", "v7.3"):
        path = save(tmp_path / "a.mat", {"cube": cube.astype("f8")}, form)
        scene = open_scene(path)
        path.unlink()
        with pytest.raises(InputError, match=r"a\.mat"):
            scene.load()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "key", "shape", "scale"),
    [
        ("samson/Samson.mat", "V", (95, 95, 156), 1),
        ("jasper/jasperRidge2_R198.mat", "Y", (100, 100, 198), 5000),
        ("urban/urban_162band.mat", "urban_detection", (80, 100, 162), 1),
    ],
)
def test_real_scenes(shared_data, name, key, shape, scale):
    scene = open_scene(shared_data / name)
    assert scene.shape == shape and scene.attrs["variable"] == key
    stored = scipy.io.loadmat(shared_data / name, variable_names=[key])[key]
    if stored.ndim == 2:
        stored = stored.reshape(-1, *shape[:2], order="F").transpose(1, 2, 0)
    np.testing.assert_array_equal(scene.values, stored.astype("f4") / np.float32(scale))
