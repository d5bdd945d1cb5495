"""`unmix run`, `unmix train`, `unmix apply`: the commands that unmix."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmix.checks import InputError
from unmix.cli import app
from unmix.cli.common import (
    DropBands,
    Json,
    Out,
    Overwrite,
    Parameters,
    ReflectanceScale,
    Scene,
    Seed,
    Smooth,
    Variable,
    WaterWindows,
    parse_parameters,
    preparation_options,
    print_json,
    progress,
    read_mask,
)
from unmix.cli.execution import (
    Memory,
    Resume,
    Scheduler,
    Strict,
    TileRows,
    Workers,
    unfinished,
)
from unmix.cli.geology import AnomalyArea, AnomalyThreshold, Features, Ternary
from unmix.cli.radiometry import Radiometry, ToReflectance, open_reflectance
from unmix.tiles.job import discard, work_folder

if TYPE_CHECKING:
    from unmix.types import Unmixing

Count = Annotated[
    int | None, typer.Option("-k", "--n-endmembers", help="How many endmembers. [default: found]")
]
Spectra = Annotated[
    Path | None, typer.Option("--endmembers", help="Known spectra: CSV, .sli, ECOSTRESS, .mat.")
]
Roi = Annotated[
    str | None,
    typer.Option(
        "--roi",
        help="Regions whose means are endmembers: .geojson, .gpkg, .shp, ENVI ROI text, CSV, or "
        "windows such as soil=10:20,30:40;tree=5:9,1:4 (rows, columns from 0).",
    ),
]
RoiField = Annotated[
    str | None,
    typer.Option("--roi-field", help="Field with the class. [default: class, name, ...]"),
]
LeaveOut = Annotated[
    str | None,
    typer.Option(
        "--leave-out",
        help="Pixels to leave out: clouds, cloud_shadow, snow, haze, cirrus, water, vegetation, "
        "shade; thresholds such as vegetation>0.5 (NDVI), water>0 (NDWI), shade<0.3 (of the "
        "median).",
    ),
]
Cover = Annotated[
    str | None,
    typer.Option(
        "--cover",
        help="Members that cover the ground, by name or 'vegetation': shares of the others among "
        "themselves go to abundances_rest.tif.",
    ),
]
Identify = Annotated[
    bool,
    typer.Option("--identify/--no-identify", help="Name blind endmembers from a library."),
]
Library = Annotated[
    Path | None,
    typer.Option("--library", help="Spectra to name endmembers by. [default: the one shipped]"),
]
Pretrain = Annotated[
    str | None,
    typer.Option(
        "--pretrain",
        metavar="MODEL",
        help="Train on a scene simulated from the endmembers first (linear, bilinear, pnmm, ...), "
        "then fine-tune on the scene.",
    ),
]
Method = Annotated[
    str | None, typer.Option("--method", help="See unmix methods. [default: cresdae]")
]
Scale = Annotated[str, typer.Option("--scale", help="Brightness: auto, none, l2, max, shade.")]
Mask = Annotated[Path | None, typer.Option("--mask", help="Raster; not 0 leaves the pixel out.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


@app.command()
def run(
    scene: Scene,
    out: Out,
    n_endmembers: Count = None,
    endmembers: Spectra = None,
    roi: Roi = None,
    roi_field: RoiField = None,
    method: Method = None,
    scale: Scale = "auto",
    mask: Mask = None,
    leave_out: LeaveOut = None,
    cover: Cover = None,
    pretrain: Pretrain = None,
    identify: Identify = True,
    library: Library = None,
    features: Features = True,
    anomaly_threshold: AnomalyThreshold = None,
    anomaly_area: AnomalyArea = None,
    ternary: Ternary = None,
    drop_bands: DropBands = None,
    water_windows: WaterWindows = None,
    smooth: Smooth = 0.0,
    reflectance_scale: ReflectanceScale = None,
    to_reflectance: ToReflectance = None,
    radiometry: Radiometry = None,
    parameters: Parameters = None,
    variable: Variable = None,
    seed: Seed = 0,
    device: Device = "auto",
    memory: Memory = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    tile_rows: TileRows = None,
    resume: Resume = False,
    strict: Strict = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Unmix a scene: abundance maps, endmembers, a report."""
    from unmix.pipeline import run as unmix_run

    if finished(out, resume, overwrite):
        return
    how = unfinished(
        out, memory=memory, workers=workers, scheduler=scheduler, tile_rows=tile_rows,
        resume=resume, overwrite=overwrite, strict=strict,
    )  # fmt: skip
    with how as execution, progress(json) as tell:
        result = unmix_run(
            open_reflectance(scene, variable, to_reflectance, radiometry),
            n_endmembers,
            endmembers=endmembers,
            roi=roi,
            roi_field=roi_field,
            method=method,
            scale=scale,
            mask=read_mask(mask),
            leave_out=leave_out,
            cover=cover,
            pretrain=pretrain,
            identify=library_option(identify, library),
            features=features,
            anomaly_threshold=anomaly_threshold,
            anomaly_area=anomaly_area,
            ternary=ternary,
            seed=seed,
            device=device,
            preparation=preparation_options(drop_bands, water_windows, smooth, reflectance_scale),
            parameters=parse_parameters(parameters),
            progress=tell,
            execution=execution,
        )
        finish(result, out, overwrite, json)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Simulated or real scene.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="Folder to write.")],
    n_endmembers: Count = None,
    endmembers: Spectra = None,
    method: Method = None,
    scale: Scale = "auto",
    drop_bands: DropBands = None,
    water_windows: WaterWindows = None,
    smooth: Smooth = 0.0,
    reflectance_scale: ReflectanceScale = None,
    to_reflectance: ToReflectance = None,
    radiometry: Radiometry = None,
    parameters: Parameters = None,
    variable: Variable = None,
    seed: Seed = 0,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Train a method on a scene and keep the model; endmembers may come with simulated data."""
    from unmix.pipeline.model import train_model

    if out.exists() and not overwrite:
        raise InputError(f"out: {out} exists; add --overwrite or choose another name")
    with progress(False) as tell:
        status = train_model(
            open_reflectance(data, variable, to_reflectance, radiometry),
            out,
            n_endmembers=n_endmembers,
            endmembers=endmembers,
            method=method,
            scale=scale,
            seed=seed,
            device=device,
            preparation=preparation_options(drop_bands, water_windows, smooth, reflectance_scale),
            parameters=parse_parameters(parameters),
            progress=tell,
            overwrite=overwrite,
        )
    typer.echo(f"model   {out}\nstatus  {status}")


@app.command()
def apply(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder made by unmix train.")],
    scene: Scene,
    out: Out,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Fit the model to the scene first, from what it has.")
    ] = False,
    mask: Mask = None,
    features: Features = True,
    to_reflectance: ToReflectance = None,
    radiometry: Radiometry = None,
    variable: Variable = None,
    memory: Memory = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    tile_rows: TileRows = None,
    resume: Resume = False,
    strict: Strict = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Unmix a scene with a trained model; the model itself stays as it is."""
    from unmix.pipeline.model import apply_model

    if finished(out, resume, overwrite):
        return
    how = unfinished(
        out, memory=memory, workers=workers, scheduler=scheduler, tile_rows=tile_rows,
        resume=resume, overwrite=overwrite, strict=strict,
    )  # fmt: skip
    with how as execution, progress(json) as tell:
        opened = open_reflectance(scene, variable, to_reflectance, radiometry)
        result = apply_model(
            model, opened, mask=read_mask(mask), finetune=finetune, features=features,
            progress=tell, execution=execution,
        )  # fmt: skip
        finish(result, out, overwrite, json)


def finished(out: Path, resume: bool, overwrite: bool) -> bool:
    """Whether the result is there and is to stay; else `InputError` unless it may be written."""
    from unmix.output import check_out, is_result

    if resume and not overwrite and is_result(out):
        discard(work_folder(out))
        typer.echo(f"finished    {out} is complete; there is nothing to resume")
        return True
    check_out(out, overwrite)
    return False


def library_option(identify: bool, library: Path | None) -> bool | Path:
    """What `unmix.run` takes to name endmembers by."""
    if library is not None and not identify:
        raise InputError("library: given beside --no-identify; leave one of them out")
    return identify if library is None else library


def finish(result: Unmixing, out: Path, overwrite: bool, json: bool) -> None:
    """Write the result and say in a few lines what came out."""
    command = shlex.join(["unmix", *sys.argv[1:]])
    result = replace(result, provenance={**result.provenance, "command": command})
    folder = result.save(out, overwrite=overwrite)
    if json:
        print_json({"out": str(folder), **_summary(result)})
        return
    for key, value in _summary(result).items():
        typer.echo(f"{key:<11} {value}")
    for warning in result.provenance["warnings"]:
        typer.echo(f"warning     {warning}")
    typer.echo(f"report      {folder / 'report.html'}")


def _summary(result: Unmixing) -> dict[str, Any]:
    """The lines a run ends with."""
    about = result.provenance
    residual = result.residual.sel(quantity="rmse")
    return {
        "method": about["method"]["label"],
        "endmembers": f"{about['n_endmembers']['k']} ({about['n_endmembers']['why']})",
        "scale": f"{about['scale']['mode']} ({about['scale']['why']})",
        "pixels": f"{about['pixels']['total'] - about['pixels']['masked']} of "
        f"{about['pixels']['total']}",
        "residual": f"{float(residual.median()):.4g} (median RMSE, reflectance)",
        "status": about["convergence"]["status"],
        "seconds": f"{sum(about['timings'].values()):.1f}",
    }
