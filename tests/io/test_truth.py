"""Truth files: both orders of axes, names, sizes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io

from unmix.checks import InputError
from unmix.io.truth import read_truth


@pytest.fixture
def maps():
    """Abundances, shape (rows 5, cols 7, members 3)."""
    return np.random.default_rng(1).dirichlet(np.ones(3), (5, 7))


def columns(maps):
    """(member, pixel), pixels down the columns, by the naive loop."""
    rows, cols, _ = maps.shape
    return np.array([maps[r, c] for c in range(cols) for r in range(rows)]).T


def test_a_of_columns(tmp_path, maps):
    spectra = np.arange(12.0).reshape(4, 3)
    names = np.array(["1-oak", "#2 pine needle", "soil"], dtype=object)
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {"A": columns(maps), "M": spectra, "cood": names})
    truth = read_truth(path, shape=(5, 7))
    np.testing.assert_array_equal(truth.abundances, maps)
    np.testing.assert_array_equal(truth.endmembers, spectra.T)
    assert truth.names == ("oak", "pine needle", "soil") and truth.source == str(path)
    np.testing.assert_array_equal(read_truth(path).abundances, columns(maps).T)
    with pytest.raises(InputError, match="A has 35 pixels, not 6 x 7"):
        read_truth(path, shape=(6, 7))


def test_own_size_and_turned(tmp_path, maps):
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {"A": columns(maps), "nRow": 5, "nCol": 7}, do_compression=True)
    truth = read_truth(path)
    np.testing.assert_array_equal(truth.abundances, maps)
    assert truth.names == ("member 1", "member 2", "member 3") and truth.endmembers is None
    scipy.io.savemat(path, {"A": columns(maps).T, "nRow": 5, "nCol": 7})
    np.testing.assert_array_equal(read_truth(path).abundances, maps)


@pytest.mark.parametrize("key", ["S_GT", "abundance_cube"])
def test_cubes(tmp_path, maps, key):
    spectra = np.arange(12.0).reshape(3, 4)
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {key: maps, "GT": spectra, "mineral_names": np.array(["a", "bc", "d"])})
    truth = read_truth(path, shape=(5, 7))
    np.testing.assert_array_equal(truth.abundances, maps)
    np.testing.assert_array_equal(truth.endmembers, spectra)
    assert truth.names == ("a", "bc", "d")
    with pytest.raises(InputError, match=r"truth is 5 x 7 pixels, the scene 7 x 5"):
        read_truth(path, shape=(7, 5))


def test_library_either_way_and_wrong_counts(tmp_path, maps):
    spectra = np.arange(12.0).reshape(3, 4)
    path = tmp_path / "gt.mat"
    for stored in (spectra, spectra.T):
        scipy.io.savemat(path, {"abundance_cube": maps, "spectra_library": stored})
        np.testing.assert_array_equal(read_truth(path).endmembers, spectra)
    scipy.io.savemat(path, {"abundance_cube": maps, "M": np.ones((3, 4))})
    with pytest.raises(InputError, match=r"M \(3, 4\) has 4 members, the abundances 3"):
        read_truth(path)


def test_v73_with_cells(tmp_path, maps):
    path = tmp_path / "gt.mat"
    words = ["oak", "grüne Wiese", "soil"]
    with h5py.File(path, "w") as file:
        file["S_GT"] = maps.T
        refs = []
        for i, word in enumerate(words):
            item = file.create_dataset(f"#refs#/{i}", data=[[ord(c)] for c in word], dtype="u2")
            refs.append(item.ref)
        cood = file.create_dataset("cood", (1, 3), dtype=h5py.ref_dtype)
        cood[0] = refs
        cood.attrs["MATLAB_class"] = np.bytes_("cell")
        title = file.create_dataset("title", data=[[ord("h")], [ord("i")]], dtype="u2")
        title.attrs["MATLAB_class"] = np.bytes_("char")
    truth = read_truth(path)
    np.testing.assert_array_equal(truth.abundances, maps)
    assert truth.names == tuple(words)
    from unmix.io.mat import scan_mat

    assert scan_mat(path)["title"].strings() == ["hi"]
    with pytest.raises(InputError, match="no list of names"):
        scan_mat(path)["S_GT"].strings()
    with pytest.raises(InputError, match="no real numbers"):
        scan_mat(path)["title"].array()


def test_abundance_tiff(tmp_path, maps):
    path = tmp_path / "abundances.tif"
    stored = maps.astype("f4").transpose(2, 0, 1)
    stored[:, 0, 0] = -1
    profile = {"driver": "GTiff", "height": 5, "width": 7, "count": 3, "dtype": "float32"}
    with rasterio.open(
        path,
        "w",
        **profile,
        nodata=-1,
        crs="EPSG:32633",
        transform=rasterio.Affine(2, 0, 0, 0, -2, 9),
    ) as file:
        file.write(stored)
        for band, name in enumerate(["oak", "pine"], 1):
            file.set_band_description(band, name)
    truth = read_truth(path, shape=(5, 7))
    assert np.isnan(truth.abundances[0, 0]).all() and truth.names == ("oak", "pine", "member 3")
    np.testing.assert_allclose(truth.abundances[1:], maps[1:], rtol=1e-6)


def test_wrong_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_truth(tmp_path / "none.mat")
    with pytest.raises(InputError, match="is a folder"):
        read_truth(tmp_path)
    (tmp_path / "a.mat").write_text("x" * 500)
    with pytest.raises(InputError, match="not a MATLAB"):
        read_truth(tmp_path / "a.mat")
    scipy.io.savemat(tmp_path / "b.mat", {"Y": np.ones((2, 4))})
    with pytest.raises(InputError, match=r"no abundances in it \(found Y \(2, 4\)\)"):
        read_truth(tmp_path / "b.mat")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "shape", "names"),
    [
        ("samson/Samson_GT.mat", (95, 95), ("rock", "Tree", "water")),
        ("jasper/Jasper_GT.mat", (100, 100), ("tree", "water", "dirt", "road")),
        ("urban/end5_groundTruth.mat", None, ("Asphalt Road", "Grass", "Tree", "Roof", "Dirt")),
    ],
)
def test_real_truths(shared_data, name, shape, names):
    truth = read_truth(shared_data / name, shape=shape)
    assert truth.names == names
    assert truth.abundances.shape == (*(shape or (307, 307)), len(names))
    np.testing.assert_allclose(truth.abundances.sum(-1), 1, atol=1e-3)
    assert truth.endmembers.shape[0] == len(names)
