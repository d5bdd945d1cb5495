"""What several commands share: option types, progress, JSON, parsing of parameters."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from unmix.checks import InputError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from unmix.pipeline import Progress

Scene = Annotated[Path, typer.Argument(metavar="SCENE", help="ENVI, GeoTIFF or MATLAB scene.")]
Scenes = Annotated[
    list[Path],
    typer.Argument(
        metavar="SCENE...",
        help="Files, folders, quoted patterns ('scenes/*.hdr'), STAC items or collections.",
    ),
]
Asset = Annotated[
    str | None, typer.Option("--asset", help="Which asset of a STAC item is the scene.")
]
Variable = Annotated[
    str | None, typer.Option("--variable", help="Which variable of a .mat file is the scene.")
]
Out = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished OUT.")]
Format = Annotated[
    str, typer.Option("--format", help="Large maps: cog (GeoTIFFs) or zarr (one group).")
]
Report = Annotated[
    bool,
    typer.Option(
        "--report/--no-report", help="Draw figures and the page; unmix report does later."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output only.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the method; repeatable."),
]
DropBands = Annotated[
    str | None,
    typer.Option("--drop-bands", help="Bands to leave out: 1-5,104,1350nm-1450nm."),
]
WaterWindows = Annotated[
    str | None,
    typer.Option(
        "--water-windows",
        help="Wavelengths hidden by water vapour, 'none' for no window. "
        "[default: 1350nm-1450nm,1800nm-1950nm]",
    ),
]
Smooth = Annotated[
    float, typer.Option("--smooth", help="Gaussian smoothing along the spectrum (sigma, bands).")
]
ReflectanceScale = Annotated[
    float | None,
    typer.Option("--reflectance-scale", help="Stored value of reflectance 1. [default: found]"),
]


def preparation_options(
    drop_bands: str | None,
    water_windows: str | None,
    smooth: float,
    reflectance_scale: float | None,
) -> dict[str, Any]:
    """Keywords of `unmix.prepare.plan` from what was typed."""
    options: dict[str, Any] = {"drop_bands": drop_bands, "smooth": smooth}
    if water_windows is not None:
        options["water_windows"] = parse_windows(water_windows)
    if reflectance_scale is not None:
        options["reflectance_scale"] = reflectance_scale
    return options


def parse_windows(text: str) -> tuple[tuple[float, float], ...]:
    """Wavelength windows in nm of a text such as ``1350nm-1450nm,1.8um-1.95um``.

    >>> parse_windows("1350-1450,1.8um-1.95um"), parse_windows("none")
    (((1350.0, 1450.0), (1800.0, 1950.0)), ())
    """
    if text.strip().lower() in ("", "none"):
        return ()
    windows = []
    for term in text.split(","):
        factor = 1000.0 if "um" in term or "µm" in term else 1.0
        plain = term.replace("nm", "").replace("um", "").replace("µm", "")
        try:
            low, high = (factor * float(end) for end in plain.split("-"))
        except ValueError:
            raise InputError(
                f"water-windows: cannot read {term.strip()!r}; write 1350nm-1450nm"
            ) from None
        if not 0 < low < high < math.inf:
            raise InputError(f"water-windows: {term.strip()!r} is no range; the lower end first")
        windows.append((low, high))
    return tuple(windows)


def parse_parameters(pairs: Sequence[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs, values read as JSON where they are JSON and as text otherwise.

    >>> parse_parameters(["epochs=10", "attention=cbam"])
    {'epochs': 10, 'attention': 'cbam'}
    """
    found: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"set: cannot read {pair!r}; write NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except (ValueError, RecursionError):
            found[name] = value
    return found


def read_mask(path: Path | None) -> NDArray[np.bool_] | None:
    """A raster as a mask: True where its first band is not zero (and not no-data)."""
    if path is None:
        return None
    from unmix.scene import open_scene

    raster = open_scene(path)
    if raster.sizes["band"] != 1:
        raise InputError(f"mask: {path.name} has {raster.sizes['band']} bands; give one")
    return np.nan_to_num(raster.values[..., 0], nan=0.0) != 0


def check_mask_lies(path: Path, scene: xr.DataArray) -> None:
    """Refuse a mask of the scene's size that lies elsewhere.

    One without a place goes by rows and columns, one of another size is refused where it is used.
    """
    from rasterio.crs import CRS

    from unmix.scene import geo_of, open_scene, swath_of

    swath, raster = swath_of(scene), open_scene(path)
    crs, affine = geo_of(scene) if swath is None else (swath.crs_wkt, swath.affine)
    shape = (scene.sizes["y"], scene.sizes["x"]) if swath is None else swath.index.shape
    own_crs, own = geo_of(raster)
    if own is None or affine is None or (raster.sizes["y"], raster.sizes["x"]) != shape:
        return
    pixel = max(abs(affine[0]) + abs(affine[1]), abs(affine[3]) + abs(affine[4]))
    steps = np.subtract(own, affine) * (shape[1], shape[0], 1, shape[1], shape[0], 1)
    codes = {CRS.from_wkt(wkt).to_epsg() for wkt in (crs, own_crs) if wkt is not None} - {None}
    if np.abs(steps).max() > 0.5 * pixel or len(codes) > 1:
        raise InputError(
            f"mask: {path.name} lies on another grid than the scene; warp it to the scene's grid"
        )


def print_json(value: Any) -> None:
    """Write a value as JSON on standard output; NaN and infinities become null."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """A value made of dict, list, str, int, float, bool and None.

    >>> plain({"a": np.float32("nan"), "b": np.arange(2)})
    {'a': None, 'b': [0, 1]}
    """
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Progress | None]:
    """A progress bar on standard error, one line a stage; nothing when it is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<9}"), BarColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[words]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bars(bar)


class _Bars:
    """A bar for every stage, and words on how it goes."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar
        self.tasks: dict[str, Any] = {}

    def __call__(self, stage: str, fraction: float) -> None:
        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task(stage, total=1.0, words="")
        self.bar.update(self.tasks[stage], completed=fraction)

    def words(self, stage: str, text: str) -> None:
        """Throughput and memory."""
        self.bar.update(self.tasks[stage], words=text)
