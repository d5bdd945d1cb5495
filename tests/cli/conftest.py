"""The command line as a stranger meets it: a tiny scene with a known truth, and two judges."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from unmix.cli import main

ROWS, COLUMNS, BANDS, K = 13, 9, 24, 3
WAVELENGTH = np.linspace(450.0, 2400.0, BANDS)
NAMES = ("clay", "tree", "road")
PLAIN = ("--method", "vca-fcls")  # where the method is not the point
QUICKLY = {
    "cresdae": {"preset": "paper", "epochs": 1, "pretrain_epochs": 0},
    "nae": {"epochs": 1, "pretrain_steps": 2},
    "linear-ae": {"epochs": 1, "n_spectra": 20},
    "conv-ae": {"epochs": 1, "n_patches": 4, "patch_size": 8, "window": 3},
}
QUICK = (
    "--method",
    "cresdae",
    "--set",
    "preset=paper",
    "--set",
    "epochs=1",
    "--set",
    "pretrain_epochs=0",
)


def spectra(k: int = K) -> np.ndarray:
    """Reflectances (member, band): a bump each, on slopes that differ."""
    t = np.linspace(0, 1, BANDS)
    bumps = [np.exp(-(((t - c) / 0.15) ** 2)) for c in np.linspace(0.1, 0.9, k)]
    return np.stack([0.15 + 0.3 * b + 0.2 * t * i / k for i, b in enumerate(bumps)])


def mixture(rows: int = ROWS, columns: int = COLUMNS, noise: float = 1e-3, seed: int = 0):
    """A scene (row, column, band) of `spectra`, and its abundances."""
    rng = np.random.default_rng(seed)
    A = rng.dirichlet(np.full(K, 0.5), (rows, columns))
    pure = min(K, rows * columns)
    A.reshape(-1, K)[:pure] = np.eye(K)[:pure]
    X = A @ spectra() + noise * rng.standard_normal((rows, columns, BANDS))
    return X.astype(np.float32), A.astype(np.float32)


@dataclass
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str
    new: list[str]

    @property
    def json(self):
        return json.loads(self.out)


def entries(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.fixture
def pages():
    """Ask for it to have figures and the report drawn: most of a run's time on a tiny scene."""


@pytest.fixture(autouse=True)
def _no_pages(request, monkeypatch):
    """Without `pages`, empty files stand for the figures and the report."""
    if "pages" not in request.fixturenames:
        monkeypatch.setattr("unmix.plot.overview", lambda result: None)
        monkeypatch.setattr("unmix.plot.save_png", lambda figure, path: path.write_bytes(b""))
        monkeypatch.setattr(
            "unmix.report.write_report", lambda result, path: (path.write_bytes(b""), path)[1]
        )


@pytest.fixture
def cli(tmp_path, capsys, monkeypatch):
    """Run `unmix` with these arguments, in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments) -> Answer:
        before = set(entries(tmp_path))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        new = [name for name in entries(tmp_path) if name not in before]
        return Answer(end.value.code, out, err, new)

    return run


@pytest.fixture
def works(cli):
    """Run a command that must succeed without a word on standard error."""

    def run(*arguments) -> Answer:
        answer = cli(*arguments)
        assert (answer.code, answer.err) == (0, "")
        return answer

    return run


@pytest.fixture
def refuses(cli):
    """Run a command that must be refused: code 2, one line, nothing written; the line."""

    def run(*arguments) -> str:
        answer = cli(*arguments)
        assert answer.code == 2, answer.err
        assert answer.err.startswith("unmix: error: ") and answer.err.count("\n") == 1
        assert answer.err.endswith("\n") and "Traceback" not in answer.err
        assert answer.out == "" and answer.new == []
        return answer.err.removeprefix("unmix: error: ").strip()

    return run


@pytest.fixture(scope="session")
def done(tmp_path_factory, write_envi) -> Path:
    """Folder with the scene, its result `out` and a model `model`: made once, to be copied."""
    folder = tmp_path_factory.mktemp("done")
    scene = str(write_scene(write_envi, folder / "scene.img", mixture()[0]))
    for command in (
        ["run", scene, "-k3", "-o", str(folder / "out"), "--method", "vca-fcls"],
        ["train", scene, "-k3", "-o", str(folder / "model"), "--method", "vca-fcls"],
    ):
        with pytest.raises(SystemExit, match="0"):
            main(command)
    return folder


@pytest.fixture
def result(done, scene, tmp_path) -> Path:
    """A finished result folder of `scene`."""
    return Path(shutil.copytree(done / "out", tmp_path / "out"))


@pytest.fixture
def model(done, scene, tmp_path) -> Path:
    """A model trained on `scene`."""
    return Path(shutil.copytree(done / "model", tmp_path / "model"))


@pytest.fixture
def truth() -> np.ndarray:
    return mixture()[1]


@pytest.fixture
def scene(tmp_path, write_envi) -> Path:
    """Header of the scene, reflectance as float32, wavelengths in nm."""
    return write_scene(write_envi, tmp_path / "scene.img", mixture()[0])


def write_scene(write_envi, path: Path, cube: np.ndarray, dtype: str = "<f4", **fields) -> Path:
    given = {"wavelength": WAVELENGTH, "wavelength_units": "Nanometers"}
    return write_envi(path, cube, dtype=dtype, **(given | fields))


@pytest.fixture
def make(tmp_path, write_envi):
    """Write another scene: `make("name", cube, dtype, **header fields)`; its header."""

    def write(name: str, cube: np.ndarray, dtype: str = "<f4", **fields) -> Path:
        return write_scene(write_envi, tmp_path / f"{name}.img", cube, dtype, **fields)

    return write


@pytest.fixture
def tiff(tmp_path):
    """Write a GeoTIFF of (band, row, column): `tiff("name.tif", values, **profile)`."""
    import rasterio
    from rasterio.transform import Affine

    def write(name: str, values: np.ndarray, **profile) -> Path:
        count, height, width = values.shape
        place = {"crs": "EPSG:32633", "transform": Affine(30, 0, 4e5, 0, -30, 5e6)}
        size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
        with rasterio.open(
            tmp_path / name, "w", driver="GTiff", **(place | size | profile)
        ) as file:
            file.write(values)
        return tmp_path / name

    return write


@pytest.fixture
def library(tmp_path):
    """Write spectra as CSV: `library("name.csv", spectra, first column, names)`."""

    def write(name: str, members: np.ndarray, first=WAVELENGTH, names=NAMES, head="wavelength_nm"):
        lines = [",".join([head, *names[: len(members)]])]
        for value, row in zip(first, members.T, strict=True):
            lines.append(",".join(str(v) for v in (value, *row)))
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def maps(folder: Path) -> np.ndarray:
    """Abundances of a result folder, (row, column, member)."""
    import warnings

    import rasterio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(folder / "abundances.tif") as file:
            return np.moveaxis(file.read(), 0, -1)


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def distance(found: np.ndarray, truth: np.ndarray) -> float:
    """Largest difference of abundances, members in the best order."""
    from itertools import permutations

    orders = permutations(range(truth.shape[-1]))
    return min(float(np.abs(found[..., order] - truth).max()) for order in map(list, orders))
