from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from matplotlib.figure import Figure
from rasterio._err import CPLE_AppDefinedError
from rasterio.crs import CRS

from unmix.checks import InputError
from unmix.io.library import read_endmembers
from unmix.output import check_out, georeferencing, load, save
from unmix.output.place import COMPOSITES, FEATURES, FILES, LAND, MAPS, OPTIONAL, SWATH
from unmix.output.tables import json_safe
from unmix.types import Endmembers, Unmixing

ROTATED = Affine.translation(4.5e5, 5.2e6) @ Affine.rotation(33.0) @ Affine.scale(30.1, -29.7)
NAMES = ("Tree, wet", "=1+1", '<script>alert("x")</script> {é}')
DATA = ["abundances.tif", "residual.tif", "endmembers.csv", "endmembers.sli", "endmembers.hdr"]
DATA += ["uncertainty.tif", "endmembers_spread.csv", "false_colour.tif", "quicklook.png"]
DATA += [*MAPS, *COMPOSITES]
ASKED = {*SWATH, *LAND, *FEATURES, "maps.zarr"}
"""Files that `make` gives no reason for."""


def make(
    shape=(7, 5), *, georeferenced=True, dtype="float32", wavelengths=True, sure=True
) -> Unmixing:
    rng = np.random.default_rng(1)
    a = rng.dirichlet(np.ones(3), shape).astype(np.float32)
    a[1, 2] = np.nan
    residual = rng.random((*shape, 3), dtype=np.float32)
    residual[1, 2] = np.nan
    coords = {}
    if georeferenced:
        transform = " ".join(repr(v) for v in ROTATED.to_gdal())
        where = {"crs_wkt": CRS.from_epsg(32633).to_wkt(), "GeoTransform": transform}
        coords["spatial_ref"] = xr.DataArray(0, attrs=where)
    spectra = rng.uniform(0.1, 0.9, (3, 6)).astype(dtype)
    spectra[:, 2] = np.nan
    wavelength = np.array([450, 550.5, 1400, 990, 985, 2200], dtype) if wavelengths else None
    fwhm = np.array([5, 5.1, 6, np.nan, 9, 10]) if wavelengths else None
    spread = spectra / 10 if sure else None
    width = np.stack([a / 10, a * 0.8, a * 1.1], axis=-1)
    named = {"member": list(NAMES), "quantity": ["sd", "low", "high"], **coords}
    uncertainty = xr.DataArray(width, dims=("y", "x", "member", "quantity"), coords=named)
    return Unmixing(
        xr.DataArray(a, dims=("y", "x", "member"), coords={"member": list(NAMES), **coords}),
        Endmembers(spectra, wavelength, NAMES, "VCA, seed 3", fwhm, spread),
        xr.DataArray(
            residual,
            dims=("y", "x", "quantity"),
            coords={"quantity": ["rmse", "angle", "scale"], **coords},
        ),
        {
            "seed": np.int64(3),
            "noise": {"per_band": np.array([0.1, np.nan])},
            "timings": {"a": 1.5},
        },
        rng.random((*shape, 3)),
        uncertainty if sure else None,
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Figures and report in no time, except for `written` and tests that undo this."""
    monkeypatch.setattr("unmix.plot.overview", lambda _: Figure((1, 1)))
    monkeypatch.setattr("unmix.report.render", lambda _: "<!doctype html>")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("written") / "new" / "OUT"
    assert save(make(), out) == out
    return out


def layers(folder: Path) -> set[str]:
    """Files without the styles and names beside them."""
    return {p.name for p in folder.iterdir() if not p.name.endswith((".qml", ".aux.xml"))}


def test_writes_exactly_the_promised_files(written):
    assert layers(written) == FILES - ASKED
    assert [p.name for p in written.parent.iterdir()] == ["OUT"]
    assert written.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("wavelengths", [True, False])
@pytest.mark.parametrize("georeferenced", [True, False])
def test_round_trip(tmp_path, dtype, wavelengths, georeferenced):
    result = make(dtype=dtype, wavelengths=wavelengths, georeferenced=georeferenced)
    back = load(save(result, tmp_path / "OUT"))
    np.testing.assert_array_equal(back.abundances.values, result.abundances.values)
    np.testing.assert_array_equal(back.residual.values, result.residual.values)
    assert back.abundances.dims == ("y", "x", "member")
    assert list(back.abundances.member.values) == list(NAMES)
    assert list(back.residual.quantity.values) == ["rmse", "angle", "scale"]
    xr.testing.assert_equal(back.uncertainty, result.uncertainty)
    assert georeferencing(back.uncertainty) == georeferencing(result.uncertainty)
    a, b = result.endmembers, back.endmembers
    for name in ("spectra", "wavelength", "fwhm", "spread"):
        old, new = getattr(a, name), getattr(b, name)
        if old is None:
            assert new is None
            continue
        np.testing.assert_array_equal(new, old)
        assert new.dtype == old.dtype
    assert (b.names, b.source) == (a.names, a.source)
    assert georeferencing(back.abundances) == georeferencing(result.abundances)
    assert back.provenance == json_safe(result.provenance)
    np.testing.assert_allclose(back.rgb, result.rgb, atol=0.5 / 255 + 1e-6)
    again = load(save(back, tmp_path / "OUT2"))
    np.testing.assert_array_equal(again.rgb, back.rgb)


def test_abundances_are_a_cloud_optimized_geotiff(tmp_path):
    result = make((600, 301))
    out = save(result, tmp_path / "OUT")
    with rasterio.open(out / "abundances.tif") as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.block_shapes == [(256, 256)] * 3
        assert raster.overviews(1) == [2, 4]
        assert raster.dtypes == ("float32",) * 3
        assert np.isnan(raster.nodata)
        assert raster.descriptions == NAMES
        assert raster.crs == CRS.from_epsg(32633)
        assert raster.transform.almost_equals(ROTATED, 1e-9)
        np.testing.assert_array_equal(raster.read(2), result.abundances.values[..., 1])
    with rasterio.open(out / "residual.tif") as raster:
        assert raster.descriptions == ("rmse", "spectral angle [rad]", "scale")
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_uncertainty_is_a_cloud_optimized_geotiff_like_abundances(tmp_path):
    result = make((600, 301))
    out = save(result, tmp_path / "OUT")
    names = [f"{n} {what}" for n in NAMES for what in ("sd", "low 90%", "high 90%")]
    with rasterio.open(out / "uncertainty.tif") as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.dtypes == ("float32",) * 9 and np.isnan(raster.nodata)
        assert list(raster.descriptions) == names
        assert raster.crs == CRS.from_epsg(32633)
        assert raster.transform.almost_equals(ROTATED, 1e-9)
        values = result.uncertainty.sel(member=NAMES[1], quantity="high").values
        np.testing.assert_array_equal(raster.read(1 + names.index(f"{NAMES[1]} high 90%")), values)


def test_what_is_not_known_has_no_file(tmp_path):
    out = save(make(), tmp_path / "OUT")
    assert save(make(sure=False), out, overwrite=True) == out
    assert layers(out) == FILES - set(OPTIONAL) - ASKED
    back = load(out)
    assert back.uncertainty is None and back.endmembers.spread is None


def test_the_manifest_lists_the_data_with_their_hashes(written):
    listed = json.loads((written / "manifest.json").read_bytes())["output"]["files"]
    assert [f["path"] for f in listed] == sorted(set(DATA) - {"quicklook.png"})
    for entry in listed:
        content = (written / entry["path"]).read_bytes()
        assert entry["bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_spread_beside_them_leaves_the_endmembers_a_library(written):
    library = read_endmembers(written / "endmembers.csv", scale=1.0)
    assert len(library) == len(NAMES)
    with (written / "endmembers_spread.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["wavelength_nm", f"{NAMES[0]} sd", f"'{NAMES[1]} sd", f"{NAMES[2]} sd"]
    assert rows[3] == ["1400.0", "", "", ""]


def test_a_decimated_view_lies_over_the_whole_scene(tmp_path):
    result = make((8, 6))
    small = Unmixing(
        result.abundances, result.endmembers, result.residual, {}, np.full((4, 2, 3), 0.5)
    )
    out = save(small, tmp_path / "OUT")
    with rasterio.open(out / "abundances.tif") as a, rasterio.open(out / "false_colour.tif") as b:
        np.testing.assert_allclose(a.transform @ (6, 8), b.transform @ (2, 4), rtol=0, atol=1e-6)
        assert b.colorinterp[3].name == "alpha"


def test_csv_and_spectral_library_hold_the_whole_band_grid(written):
    with (written / "endmembers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["wavelength_nm", NAMES[0], "'" + NAMES[1], NAMES[2]]
    assert rows[3] == ["1400.0", "", "", ""]
    assert len(rows) == 7
    spectra = make().endmembers.spectra
    assert np.float32(rows[1][2]) == spectra[1, 0]
    header = (written / "endmembers.hdr").read_text(encoding="utf-8")
    assert header.startswith("ENVI\n")
    for line in (
        "samples = 6",
        "lines = 3",
        "file type = ENVI Spectral Library",
        "wavelength units = Nanometers",
        "bbl = {1, 1, 0, 1, 1, 1}",
        "data ignore value = -9999.0",
        'spectra names = {Tree  wet, =1+1, <script>alert("x")</script>  é }',
    ):
        assert line in header.splitlines(), line
    stored = np.fromfile(written / "endmembers.sli", "<f4").reshape(3, 6)
    np.testing.assert_array_equal(np.where(stored == -9999, np.nan, stored), spectra)


def test_bands_are_numbered_from_one_without_wavelengths(tmp_path):
    out = save(make(wavelengths=False), tmp_path / "OUT")
    lines = (out / "endmembers.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["band", "1", "2", "3", "4", "5", "6"]
    assert "wavelength" not in (out / "endmembers.hdr").read_text(encoding="utf-8")


def test_manifest_is_strict_json(written):
    def refuse(constant):
        raise AssertionError(constant)

    manifest = json.loads((written / "manifest.json").read_bytes(), parse_constant=refuse)
    assert manifest["seed"] == 3
    assert manifest["noise"]["per_band"] == [0.1, None]
    assert manifest["output"]["names"] == list(NAMES)


def test_same_result_same_bytes(written, tmp_path, monkeypatch):
    monkeypatch.undo()
    other = make()
    provenance = {**other.provenance, "timings": {"a": 2.5}, "created": "tomorrow"}
    again = replace(other, provenance=provenance)
    out = save(again, tmp_path / "elsewhere")
    for name in DATA:
        assert (out / name).read_bytes() == (written / name).read_bytes(), name
    assert (out / "manifest.json").read_bytes() != (written / "manifest.json").read_bytes()


def test_control_characters_and_surrogates_never_stop_it(tmp_path, monkeypatch):
    monkeypatch.undo()
    result = make()
    names = ("a\x00b\nc", "\udcff lone", "$\\frac{x$")
    endmembers = Endmembers(result.endmembers.spectra, None, names)
    odd = Unmixing(
        result.abundances,
        endmembers,
        result.residual,
        {"path": "/a\udcff", "f": {Path("x"): {2, 1}}},
    )
    back = load(save(odd, tmp_path / "OUT"))
    assert back.endmembers.names == ("a b c", "? lone", "$\\frac{x$")
    assert back.provenance == {"path": "/a?", "f": {"x": [1, 2]}}
    assert back.rgb is None


# --- where it may go ----------------------------------------------------------------------------


def test_an_existing_result_needs_overwrite(tmp_path):
    out = save(make(), tmp_path / "OUT")
    (out / "abundances.tif.aux.xml").write_text("a map program's")
    before = (out / "manifest.json").read_bytes()
    for refused in (lambda: check_out(out), lambda: save(make(), out)):
        with pytest.raises(InputError, match="--overwrite"):
            refused()
    assert (out / "manifest.json").read_bytes() == before
    assert check_out(out, overwrite=True) == out
    save(make((3, 4)), out, overwrite=True)
    assert load(out).abundances.shape == (3, 4, 3)
    assert layers(out) == FILES - ASKED
    assert [p.name for p in tmp_path.iterdir()] == ["OUT"]


@pytest.mark.parametrize("manifest", [None, "{}", "not json", '{"output": []}', "[1]"])
def test_no_other_folder_is_ever_deleted(tmp_path, manifest):
    home = tmp_path / "home"
    home.mkdir()
    (home / "abundances.tif").write_text("mine")
    if manifest is not None:
        (home / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="choose another"):
        save(make(), home, overwrite=True)
    assert (home / "abundances.tif").read_text() == "mine"


def test_a_result_with_other_things_in_it_is_kept(tmp_path):
    out = save(make(), tmp_path / "OUT")
    (out / "thesis.docx").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'thesis\.docx'"):
        check_out(out, overwrite=True)


def test_places_that_cannot_be(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    for out, why in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "OUT", "cannot write in"),
        (tmp_path, "current folder"),
        ("/", "mount point"),
        (tmp_path / ("x" * 300), "no usable path"),
        ("a\0b", "no usable path"),
    ):
        with pytest.raises(InputError, match=why):
            check_out(out, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="cannot write in"):
        check_out(tmp_path / "OUT")


def test_an_empty_folder_and_a_link_are_fine(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert save(make(), tmp_path / "link") == tmp_path / "real"
    assert (tmp_path / "link" / "manifest.json").is_file()


# --- when it goes wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stage",
    ["write_tiff", "write_uncertainty", "write_spread", "write_library", "write_manifest", "_swap"],
)
@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("bug")])
def test_a_crash_leaves_nothing_and_the_old_result_alone(tmp_path, monkeypatch, stage, failure):
    old = save(make(), tmp_path / "old")
    before = {p.name: p.read_bytes() for p in old.iterdir()}

    def crash(*_):
        raise failure

    monkeypatch.setattr(f"unmix.output.{stage}", crash)
    with pytest.raises(type(failure)):
        save(make((3, 4)), tmp_path / "new")
    with pytest.raises(type(failure)):
        save(make((3, 4)), old, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert {p.name: p.read_bytes() for p in old.iterdir()} == before


def test_an_interrupt_between_the_renames_puts_the_old_result_back(tmp_path, monkeypatch):
    old = save(make(), tmp_path / "OUT")
    rename, calls = os.rename, []

    def interrupted(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(make((3, 4)), old, overwrite=True)
    assert load(old).abundances.shape == (7, 5, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["OUT"]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("unmix.output.write_csv", full)
    with pytest.raises(InputError, match="no space left in") as caught:
        save(make(), tmp_path / "OUT")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_other_write_failures_name_their_reason(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("unmix.output.write_csv", broken)
    with pytest.raises(InputError, match="Read-only file system"):
        save(make(), tmp_path / "OUT")


def test_what_gdal_cannot_do_is_one_line(tmp_path, monkeypatch):
    def failing(*_, **__):
        raise CPLE_AppDefinedError(1, 1, "TIFFAppendToStrip:Seek error at scanline 0")

    monkeypatch.setattr(rasterio, "MemoryFile", failing)
    with pytest.raises(InputError, match="Seek error"):
        save(make(), tmp_path / "OUT")
    assert not list(tmp_path.iterdir())


def test_what_does_not_belong_together_is_refused(tmp_path):
    result = make()
    for a, r in (
        (result.abundances[..., :2], result.residual),
        (result.abundances, result.residual[1:]),
    ):
        with pytest.raises(InputError):
            save(Unmixing(a, result.endmembers, r), tmp_path / "OUT")
    for part in (result.uncertainty[1:], result.uncertainty[..., :2]):
        with pytest.raises(InputError, match="uncertainty: "):
            save(replace(result, uncertainty=part), tmp_path / "OUT")
    with pytest.raises(InputError, match="spread: got shape"):
        replace(result.endmembers, spread=np.ones((3, 5)))
    assert not list(tmp_path.iterdir())


# --- reading what is not right ------------------------------------------------------------------


def _spoil(out: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (out / name).unlink()
    else:
        (out / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("manifest.json", None, "has no manifest.json"),
        ("manifest.json", b"{", "damaged"),
        ("manifest.json", b'{"output": {"format": 99}}', "format 99"),
        ("abundances.tif", None, "has no abundances.tif"),
        ("abundances.tif", b"II*\0", "cannot be read"),
        ("residual.tif", b"", "cannot be read"),
        ("endmembers.csv", b"wavelength_nm,a,b,c\n1,2,3\n", "cannot be read"),
        ("endmembers.csv", b"wavelength_nm,a,b,c\n1,2,3,x\n", "cannot be read"),
        ("endmembers.csv", b"", "cannot be read"),
        ("endmembers.csv", b"band,a\n" + b"1,2\n" * 6, "not 1 of float32"),
        ("false_colour.tif", b"x", "cannot be read"),
        ("uncertainty.tif", b"x", "cannot be read"),
        ("endmembers_spread.csv", b"wavelength_nm,a,b,c\n1,2,3,x\n", "cannot be read"),
        ("endmembers_spread.csv", b"wavelength_nm,a,b,c\n1,2,3,4\n", r"got shape \(3, 1\)"),
        ("endmembers_spread.csv", b"", "cannot be read"),
    ],
)
def test_load_names_what_is_wrong(tmp_path, written, name, content, why):
    out = tmp_path / "OUT"
    out.mkdir()
    for file in written.iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    _spoil(out, name, content)
    with pytest.raises(InputError, match=why) as caught:
        load(out)
    assert "\n" not in str(caught.value)


def test_load_refuses_mixed_folders_and_none(tmp_path, written):
    out = save(make((3, 4)), tmp_path / "OUT")
    (out / "residual.tif").write_bytes((written / "residual.tif").read_bytes())
    with pytest.raises(InputError, match="differ in size"):
        load(out)
    save(make((3, 4)), out2 := tmp_path / "OUT2")
    (out2 / "uncertainty.tif").write_bytes((written / "uncertainty.tif").read_bytes())
    with pytest.raises(InputError, match=r"uncertainty\.tif and abundances\.tif differ in size"):
        load(out2)
    (out2 / "uncertainty.tif").write_bytes((written / "abundances.tif").read_bytes())
    with pytest.raises(InputError, match="not 9 of float32"):
        load(out2)
    (out / "false_colour.tif").write_bytes((written / "residual.tif").read_bytes())
    (out / "residual.tif").write_bytes((written / "abundances.tif").read_bytes())
    with pytest.raises(InputError):
        load(out)
    with pytest.raises(InputError, match="is no folder"):
        load(tmp_path / "nothing")


def test_a_name_edited_in_the_csv_is_the_name(tmp_path):
    out = save(make(), tmp_path / "OUT")
    text = (out / "endmembers.csv").read_text(encoding="utf-8").replace("'=1+1", "kaolinite")
    (out / "endmembers.csv").write_text("\ufeff" + text, encoding="utf-8")
    assert load(out).endmembers.names[1] == "kaolinite"
    assert load(out).abundances.member.values[1] == "kaolinite"


def test_an_unreadable_crs_is_left_out_with_a_word(caplog):
    where = xr.DataArray(0, attrs={"crs_wkt": "no wkt"})
    maps = xr.DataArray(np.zeros((1, 1, 2)), dims=("y", "x", "m"), coords={"spatial_ref": where})
    assert georeferencing(maps) == (None, None)
    assert "left out" in caplog.text
