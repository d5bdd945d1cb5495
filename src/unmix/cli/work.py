"""`unmix run`, `unmix train`, `unmix apply`: the commands that unmix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmix.checks import InputError
from unmix.cli import app
from unmix.cli.common import (
    Asset,
    DropBands,
    Format,
    Json,
    Out,
    Overwrite,
    Parameters,
    ReflectanceScale,
    Report,
    Scenes,
    Seed,
    Smooth,
    Variable,
    WaterWindows,
    parse_parameters,
    preparation_options,
    progress,
)
from unmix.cli.execution import Memory, Resume, Scheduler, Strict, TileRows, Workers
from unmix.cli.finish import library_option
from unmix.cli.geology import AnomalyArea, AnomalyThreshold, Features, Ternary
from unmix.cli.jobs import How, apply_to, run_on
from unmix.cli.radiometry import Radiometry, ToReflectance, open_reflectance

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
Shared = Annotated[
    bool,
    typer.Option(
        "--shared", help="Train once on blocks of all scenes: the same members everywhere."
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


@app.command()
def run(
    scenes: Scenes,
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
    asset: Asset = None,
    shared: Shared = False,
    seed: Seed = 0,
    device: Device = "auto",
    memory: Memory = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    tile_rows: TileRows = None,
    resume: Resume = False,
    strict: Strict = False,
    overwrite: Overwrite = False,
    format: Format = "cog",
    report: Report = True,
    json: Json = False,
) -> None:
    """Unmix scenes: abundance maps, endmembers, a report. Of several, OUT has a folder each."""
    options = {
        "n_endmembers": n_endmembers, "endmembers": endmembers, "roi": roi,
        "roi_field": roi_field, "method": method, "scale": scale, "leave_out": leave_out,
        "cover": cover, "pretrain": pretrain, "identify": library_option(identify, library),
        "features": features, "anomaly_threshold": anomaly_threshold,
        "anomaly_area": anomaly_area, "ternary": ternary, "seed": seed, "device": device,
        "preparation": preparation_options(drop_bands, water_windows, smooth, reflectance_scale),
        "parameters": parse_parameters(parameters),
    }  # fmt: skip
    how = How(
        out, memory=memory, workers=workers, scheduler=scheduler, tile_rows=tile_rows,
        resume=resume, strict=strict, overwrite=overwrite, format=format, report=report,
        json=json, mask=mask, variable=variable, to_reflectance=to_reflectance,
        radiometry=radiometry, asset=asset,
    )  # fmt: skip
    run_on(scenes, options, how, shared)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Simulated or real scene.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="Folder to write.")],
    n_endmembers: Count = None,
    endmembers: Spectra = None,
    method: Method = None,
    scale: Scale = "auto",
    identify: Identify = True,
    library: Library = None,
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
    from unmix.pipeline import train_model

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
            identify=library_option(identify, library),
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
    scenes: Scenes,
    out: Out,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Fit the model to the scene first, from what it has.")
    ] = False,
    mask: Mask = None,
    identify: Identify = True,
    library: Library = None,
    features: Features = True,
    device: Annotated[
        str | None, typer.Option("--device", help="auto, cpu or cuda. [default: the model's]")
    ] = None,
    to_reflectance: ToReflectance = None,
    radiometry: Radiometry = None,
    variable: Variable = None,
    asset: Asset = None,
    memory: Memory = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    tile_rows: TileRows = None,
    resume: Resume = False,
    strict: Strict = False,
    overwrite: Overwrite = False,
    format: Format = "cog",
    report: Report = True,
    json: Json = False,
) -> None:
    """Unmix scenes with a trained model; the model itself stays as it is."""
    how = How(
        out, memory=memory, workers=workers, scheduler=scheduler, tile_rows=tile_rows,
        resume=resume, strict=strict, overwrite=overwrite, format=format, report=report,
        json=json, mask=mask, variable=variable, to_reflectance=to_reflectance,
        radiometry=radiometry, asset=asset,
    )  # fmt: skip
    options = {
        "finetune": finetune, "identify": library_option(identify, library), "features": features,
        "device": device,
    }  # fmt: skip
    apply_to(model, scenes, options, how)
