"""Several scenes of one ground: every model at every signal-to-noise ratio, in a folder."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from unmix.checks import InputError, check_option
from unmix.io.simulated import check_crs, truth_of, write_geotiff, write_mat
from unmix.simulate.models import MODELS
from unmix.simulate.noise import check_snr
from unmix.simulate.scene import Simulation, simulate
from unmix.types import Endmembers

__all__ = [
    "FORMATS",
    "NINE",
    "check_folder",
    "check_lists",
    "located",
    "scene_name",
    "scenes",
    "write_scenes",
]

NINE: tuple[tuple[str, ...], tuple[float, ...]] = (
    ("linear", "bilinear", "pnmm"),
    (10.0, 20.0, 30.0),
)
"""Models and SNRs of the nine scenes of the CResDAE paper."""
FORMATS = ("mat", "tif")
PICTURES = ("file_structure.png", "false_colour.png")
_OURS = re.compile(rf"({'|'.join(MODELS)})_(inf|[-+.e0-9]+)dB(_truth)?\.(mat|tif)(\.aux\.xml)?")

Progress = Callable[[str, float], None]


def scenes(
    endmembers: Endmembers,
    models: Sequence[str] = NINE[0],
    snrs: Sequence[float] = NINE[1],
    *,
    progress: Progress | None = None,
    **keywords: Any,
) -> Iterator[Simulation]:
    """A scene of every model at every SNR, models first; all else as in `simulate`.

    They share abundances, β, P, brightness and variability, and each is the scene `simulate`
    makes of the same keywords on its own. One is made at a time.

    Raises
    ------
    InputError
        None or twice the same model or SNR; see `simulate`.

    >>> import numpy as np
    >>> E = Endmembers(np.array([[0.1, 0.4, 0.5], [0.5, 0.2, 0.1]]))
    >>> [scene_name(s) for s in scenes(E, ("linear", "fan"), (20, np.inf), size=(4, 5))]
    ['linear_20dB', 'linear_infdB', 'fan_20dB', 'fan_infdB']
    """
    check_lists(models, snrs)
    total = len(models) * len(snrs)
    for i, (model, snr) in enumerate((m, s) for m in models for s in snrs):

        def tell(stage: str, fraction: float, done: int = i) -> None:
            if progress is not None:
                progress(stage, (done + fraction) / total)

        yield simulate(endmembers, model=model, snr=snr, progress=tell, **keywords)


def check_lists(models: Sequence[str], snrs: Sequence[float]) -> None:
    """`InputError` unless these are models and SNRs, at least one and none twice."""
    for model in models:
        check_option(model, MODELS, "model")
    levels = [check_snr(snr) for snr in snrs]
    for name, values in (("model", models), ("snr", levels)):
        if not len(values) or len(set(values)) < len(values):
            raise InputError(f"{name}: got {', '.join(map(str, values))!r}; give each once")


def scene_name(scene: Simulation) -> str:
    """Name of a scene's file, without suffix."""
    return f"{scene.model}_{scene.snr:g}dB"


def located(
    scene: Simulation,
    crs: str,
    origin: tuple[float, float],
    pixel_size: float | tuple[float, float] = 30.0,
) -> Simulation:
    """The scene with a place: its upper left corner at `origin` (x, y), north up.

    Parameters
    ----------
    crs : str
        Coordinate reference system, such as "EPSG:32650".
    origin : (x, y)
        In the units of `crs`, as is the pixel size.
    pixel_size : float or (width, height)

    Raises
    ------
    InputError
        No such CRS, or numbers that make no grid.
    """
    width, height = _pair(pixel_size, "pixel_size")
    x, y = _pair(origin, "origin")
    if not (width > 0 and height > 0):
        raise InputError(f"pixel_size: got {pixel_size!r}; give a number above 0, or two")
    return replace(scene, crs=check_crs(crs), transform=(width, 0.0, x, 0.0, -height, y))


def _pair(value: Any, name: str) -> tuple[float, float]:
    try:
        single = name == "pixel_size" and isinstance(value, (int, float))
        first, second = (value, value) if single else value
        first, second = float(first), float(second)
    except (TypeError, ValueError):
        raise InputError(f"{name}: got {value!r}; give two numbers") from None
    if not abs(first) + abs(second) < 1e12:
        raise InputError(f"{name}: got {value!r}; give finite numbers")
    return first, second


def write_scenes(
    made: Iterator[Simulation],
    out: str | Path,
    *,
    format: str = "mat",
    pictures: bool = True,
    overwrite: bool = False,
) -> list[Path]:
    """Write each scene into the folder `out`, with two pictures; all or nothing.

    `<model>_<SNR>dB.mat` each (or .tif with `<name>_truth.tif`), `file_structure.png`: what the
    files hold, and `false_colour.png`: the scenes, models down and SNRs across. An earlier folder
    of scenes is replaced with `overwrite`, as the last step.

    Raises
    ------
    InputError
        As `check_folder`; a scene cannot be made or written.
    """
    check_option(format, FORMATS, "format")
    place = check_folder(out, overwrite)
    above = [p for p in place.parents if not p.exists()]
    work = place.parent / f".unmix-{secrets.token_hex(6)}"
    try:
        work.mkdir(parents=True)
        files = _write_all(made, work, format, pictures)
        _swap(work, place)
    except OSError as error:
        raise InputError(f"out: cannot write {out} ({error.strerror or error})") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for folder in above:  # stays where the scenes are in it
            with suppress(OSError):
                folder.rmdir()
    return [Path(out) / name for name in files]


def _write_all(made: Iterator[Simulation], work: Path, format: str, pictures: bool) -> list[str]:
    from unmix.plot.simulated import View, false_colour_grid, view_of
    from unmix.plot.structure import file_structure
    from unmix.plot.style import save_png

    views: list[View] = []
    files: list[str] = []
    for scene in made:
        path = work / f"{scene_name(scene)}.{format}"
        if format == "mat":
            write_mat(scene, path)
        else:
            write_geotiff(scene, path, truth=True)
            files.append(truth_of(path).name)
        files.append(path.name)
        if pictures:
            views.append(view_of(scene))
    if pictures:
        save_png(file_structure(path), work / PICTURES[0], dpi=150)
        save_png(false_colour_grid(views), work / PICTURES[1], dpi=150)
        files.extend(PICTURES)
    return files


def check_folder(out: str | Path, overwrite: bool = False) -> Path:
    """Absolute path of a folder that scenes may go to; call it before the work starts.

    Raises
    ------
    InputError
        A file, the current folder, a folder that holds other things, an earlier one without
        `overwrite`, or a place where nothing can be written.
    """
    try:
        place = Path(out).expanduser().resolve()
        if place.exists():
            _check_free(place, out, overwrite)
        above = next(p for p in place.parents if p.exists())
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            raise InputError(f"out: cannot write in {above}; choose another folder")
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"out: {str(out)!r:.80} is no usable path ({error})") from None
    return place


def _check_free(place: Path, out: str | Path, overwrite: bool) -> None:
    if not place.is_dir():
        raise InputError(f"out: {out} is a file; several scenes need a folder")
    if place == Path.cwd() or place.is_mount():
        raise InputError(f"out: {out} is the current folder or a mount point; name one inside it")
    present = sorted(p.name for p in place.iterdir())
    foreign = [n for n in present if n not in PICTURES and not _OURS.fullmatch(n)]
    if foreign:
        raise InputError(f"out: {out} holds {foreign[0]!r}, no simulated scene; choose another")
    if present and not overwrite:
        raise InputError(f"out: {out} exists; give --overwrite to replace it")


def _swap(new: Path, place: Path) -> None:
    """Give `new` the name `place`; what was there is moved aside first and deleted last."""
    if not place.exists() or not any(place.iterdir()):
        os.rename(new, place)
        return
    old = place.parent / f".unmix-{secrets.token_hex(6)}"
    os.rename(place, old)
    try:
        os.rename(new, place)
    except BaseException:
        os.rename(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)
