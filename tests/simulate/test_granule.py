"""The GF-5-like granule: what it is, and what comes back from its files."""

import numpy as np
import pytest
from typer.testing import CliRunner

from unmix.checks import InputError
from unmix.cli import app
from unmix.io.library import read_endmembers
from unmix.io.roi import read_regions
from unmix.io.truth import read_truth
from unmix.prepare import plan
from unmix.prepare.land import ndvi
from unmix.scene import geo_of, open_scene
from unmix.simulate.granule import MATERIALS, TRANSFORM, ahsi_bands, granule
from unmix.simulate.granule_files import FILES, write_granule

SIZE = (90, 121)


@pytest.fixture(scope="module")
def made():
    return granule(size=SIZE, seed=2)


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    return write_granule(made, tmp_path_factory.mktemp("g") / "made")


def test_it_is_what_it_says(made):
    scene = made.scene
    assert scene.cube.shape == (*SIZE, 330) and scene.endmembers.names == tuple(MATERIALS)
    A, seen = scene.abundances, np.isfinite(scene.abundances[..., 0])
    assert 0.6 < seen.mean() < 0.85 and not seen[0, 0] and not seen[-1, -1]
    assert np.array_equal(seen, np.isfinite(scene.cube).all(axis=-1))
    np.testing.assert_allclose(A[seen].sum(axis=-1), 1, atol=1e-5)
    assert (A[seen].max(axis=0) > 0.99).all()
    assert (
        made.bad.sum() == 25 and made.declared.sum() == 17 and not (made.declared & ~made.bad).any()
    )
    west, east = A[:, :40, :2], A[:, -40:, :2]
    assert np.nanmean(west.sum(axis=-1)) > np.nanmean(east.sum(axis=-1)) + 0.3
    low = A[seen][:, :2].sum(axis=1) < 0.5
    assert low.mean() > 0.3


def test_noise_is_what_was_asked_for(made):
    scene = made.scene
    seen = np.isfinite(scene.abundances[..., 0])
    good = ~made.bad & (scene.parameters["noise_sigma"] > 0)
    clean = scene.brightness[seen][:, None] * (scene.abundances[seen] @ scene.endmembers.spectra)
    noise = scene.cube[seen][:, good] - clean[:, good]
    snr = 10 * np.log10((clean[:, good] ** 2).sum() / (noise.astype(float) ** 2).sum())
    assert snr == pytest.approx(30, abs=0.1)


def test_the_same_seed_is_the_same_granule(made):
    again, other = granule(size=SIZE, seed=2), granule(size=SIZE, seed=3)
    assert np.array_equal(again.scene.cube, made.scene.cube, equal_nan=True)
    assert not np.array_equal(other.bad, made.bad)


def test_files_come_back(made, folder):
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)
    scene = open_scene(folder / "scene.hdr")
    np.testing.assert_allclose(scene.values, made.scene.cube, atol=6e-5)
    crs, affine = geo_of(scene)
    assert affine == TRANSFORM and "UTM zone 47N" in crs
    assert np.array_equal(scene.good.values, ~made.declared)
    np.testing.assert_allclose(scene.wavelength.values, ahsi_bands()[0])
    truth = read_truth(folder / "truth.tif")
    assert truth.names == tuple(MATERIALS)
    np.testing.assert_allclose(truth.abundances, made.scene.abundances)
    assert read_endmembers(folder / "endmembers.csv").names == tuple(MATERIALS)


def test_undeclared_bad_bands_are_found(made, folder):
    prepared = plan(open_scene(folder / "scene.hdr"))
    assert not (set(np.flatnonzero(made.bad)) & set(prepared.kept.tolist()))
    assert len(prepared.kept) > 260


def test_regions_lie_on_their_material(made, folder):
    scene = open_scene(folder / "scene.hdr")
    regions = read_regions(folder / "rois.gpkg", scene)
    assert [r.name for r in regions] == list(MATERIALS)
    bright = made.scene.brightness
    usual = np.median(bright[np.isfinite(made.scene.abundances[..., 0])])
    for k, region in enumerate(regions):
        assert made.scene.abundances[region.rows, region.cols, k].min() > 0.9
        assert abs(bright[region.rows, region.cols].mean() / usual - 1) < 0.2
    assert np.nanmax(ndvi(scene)) > 0.8


def test_too_small_is_an_error():
    with pytest.raises(InputError, match="got 20x90; a granule has at least 60"):
        granule(size=(20, 90))


def test_command_line(tmp_path):
    out = tmp_path / "new" / "g"
    done = CliRunner().invoke(app, ["simulate", "--granule", "-o", str(out), "--size", "60x61"])
    assert done.exit_code == 0 and "60 × 61 pixels × 330 bands" in done.output
    for arguments, message in (
        (["-o", str(out)], "exists; give --overwrite"),
        (["-o", str(tmp_path / "x"), "--model", "fan"], "model: a granule has its own"),
        (["-o", str(tmp_path)], "holds 'new', no granule"),
        (["-o", str(out / "scene.hdr")], "is a file"),
        (["-o", str(tmp_path / "x"), "--snr", "1,2"], "a granule has one, in dB"),
    ):
        failed = CliRunner().invoke(app, ["simulate", "--granule", *arguments])
        assert isinstance(failed.exception, InputError) and message in str(failed.exception)
    assert not (tmp_path / "x").exists()
    again = ["simulate", "--granule", "-o", str(out), "--size", "60x61", "--overwrite"]
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    assert CliRunner().invoke(app, again).exit_code == 0
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
