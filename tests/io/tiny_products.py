"""What the tests of satellite products share: a tiny scene seen by two detectors that overlap."""

from __future__ import annotations

import json
import pickle
import random
import re

import numpy as np
import pytest
import rasterio

import unmix
from unmix.checks import InputError
from unmix.cli import main
from unmix.scene import geo_of, open_scene

ROWS, COLS = 6, 9
CRS = "EPSG:32633"
UPRIGHT = (30.0, 0.0, 366015.0, 0.0, -30.0, 5807085.0)
TURNED = (28.2, 10.3, 366015.0, 10.3, -28.2, 5807085.0)

WAVELENGTH = np.r_[np.linspace(420, 1028, 10), np.linspace(1004, 2480, 13)]
FWHM = np.r_[np.full(10, 6.5), np.linspace(8, 12, 13)]
DETECTOR = np.r_[np.zeros(10, int), np.ones(13, int)]


def cube(scale=1.0, hidden=((0, 0), (5, 8), (5, 7))):
    """Values 0.05 to 0.75, all different, NaN in some corner pixels."""
    rng = np.random.default_rng(5)
    n = ROWS * COLS * len(WAVELENGTH)
    values = rng.permutation(np.linspace(0.05, 0.75, n)).reshape(ROWS, COLS, -1)
    for pixel in hidden:
        values[pixel] = np.nan
    return scale * values


def assert_placed(scene, affine, crs=CRS):
    """The scene's grid is this one, to the last digit."""
    found_crs, found = geo_of(scene)
    assert found == affine
    assert rasterio.crs.CRS.from_wkt(found_crs) == rasterio.crs.CRS.from_user_input(crs)


def assert_windows(scene):
    """Windows, picks and single bands are parts of the whole, also for another process."""
    scene = pickle.loads(pickle.dumps(scene))
    whole = scene.copy(data=scene.values)
    for key in (
        (slice(1, 4), slice(2, 8), slice(None)),
        (slice(None), slice(None), slice(8, 13)),
        (2, slice(0, 9, 4), [0, 11, 22]),
        (slice(5, 6), slice(6, 9), [22, 3]),
        (slice(0, 1), slice(0, 1), 20),
    ):
        np.testing.assert_array_equal(scene[key].values, whole[key].values)


def assert_refused(path, said, capsys):
    """The library says `said` in one line of an InputError, the command line likewise, code 2."""
    with pytest.raises(InputError, match=re.escape(said)) as error:
        open_scene(path).values  # noqa: B018
    assert "\n" not in str(error.value)
    with pytest.raises(SystemExit) as end:
        main(["info", str(path)])
    output = capsys.readouterr()
    assert end.value.code == 2
    assert output.out == "" and output.err.count("\n") == 1 and said in output.err


def assert_runs(scene, out, affine):
    """A quick run on the whole scene: maps on that grid, wavelengths in the table of spectra."""
    result = unmix.run(scene, 2, method="vca-fcls", preparation={"overlap": "keep"})
    with rasterio.open(result.save(out) / "abundances.tif") as file:
        assert tuple(file.transform)[:6] == affine
        assert file.crs == rasterio.crs.CRS.from_string(CRS)
        assert np.isnan(file.read(1)[0, 0]) and np.isfinite(file.read(1)).sum() > 30
    given = json.loads((out / "manifest.json").read_text())["input"]
    assert given["sensor"] == scene.attrs["sensor"] and given["quantity"] == "reflectance"
    table = np.genfromtxt(out / "endmembers.csv", delimiter=",", skip_header=1)
    np.testing.assert_allclose(table[:, 0], WAVELENGTH, atol=1e-3)
    assert 0.04 < np.nanmin(table[:, 1:]) < np.nanmax(table[:, 1:]) < 0.76


WORDS = [b"0", b"-1", b"1e999", b"nan", b"9" * 40, b"<", b"</", b"&", b"\0", b",", b"\n", b""]


def assert_survives_damage(main_file, seed=7, rounds=60):
    """Whatever byte of whatever file of a product is wrong: an answer, or one line."""
    rng = random.Random(seed)
    answers = 0
    for _ in range(rounds):
        path = rng.choice(sorted(main_file.parent.iterdir()))
        whole = path.read_bytes()
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(max(1, len(data) if rng.random() < 0.3 else min(len(data), 4000)))
            data[at : at + rng.randrange(7)] = rng.choice([*WORDS, rng.randbytes(2)])
        path.write_bytes(data if rng.random() < 0.8 else data[: rng.randrange(len(data))])
        try:
            values = open_scene(rng.choice([main_file, main_file.parent])).values
            answers += values.dtype == np.float32
        except InputError as error:
            assert "\n" not in str(error)
        path.write_bytes(whole)
    assert answers < rounds
