"""`unmix info`, `unmix endmembers`, `unmix methods`: look before you work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from unmix.checks import InputError
from unmix.cli import app
from unmix.cli.common import (
    DropBands,
    Json,
    Overwrite,
    ReflectanceScale,
    Scene,
    Seed,
    Smooth,
    Variable,
    WaterWindows,
    preparation_options,
    print_json,
)
from unmix.cli.radiometry import Radiometry, ToReflectance, open_reflectance

if TYPE_CHECKING:
    import xarray as xr


@app.command()
def info(
    scene: Scene,
    drop_bands: DropBands = None,
    water_windows: WaterWindows = None,
    reflectance_scale: ReflectanceScale = None,
    variable: Variable = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """What a scene holds: size, bands, no-data, noise, suggested number of endmembers."""
    from unmix.scene import open_scene

    options = preparation_options(drop_bands, water_windows, 0.0, reflectance_scale)
    found = describe(open_scene(scene, variable=variable), options, seed)
    if json:
        print_json(found)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for key, value in _lines(found):
        table.add_row(f"[bold]{key}[/bold]", escape(value))
    Console().print(table)


def describe(scene: xr.DataArray, options: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """Everything `unmix info` tells."""
    from unmix.n_endmembers import suggest
    from unmix.pipeline.decide import noise_warning
    from unmix.prepare import plan
    from unmix.scaling import choose_scale
    from unmix.scene import geo_of, swath_of
    from unmix.subspace import estimate_noise

    crs, transform = geo_of(scene)
    swath = swath_of(scene)
    if swath is not None:
        crs, transform = swath.crs_wkt, swath.affine
    prepared = plan(scene, seed=seed, **options)
    pixels, valid = prepared.apply(np.asarray(scene.values))
    X = np.ascontiguousarray(pixels[valid])
    noise, count = estimate_noise(X, seed=seed), suggest(X, seed=seed)
    scale = choose_scale(X, n_endmembers=count.k, seed=seed)
    wavelength = scene["wavelength"].values if "wavelength" in scene.coords else None
    return {
        "source": scene.attrs.get("source"),
        "format": scene.attrs.get("format"),
        "details": {
            k: v
            for k, v in scene.attrs.items()
            if k not in ("source", "format", "files", "history", "scale_declared", "swath")
        },
        "rows": scene.sizes["y"],
        "columns": scene.sizes["x"],
        "bands": scene.sizes["band"],
        "wavelength_nm": wavelength,
        "crs": crs,
        "transform": transform,
        "swath_grid": None if swath is None else list(swath.index.shape),
        "bands_kept": len(prepared.kept),
        "bands_left_out": {str(i + 1): why for i, why in prepared.reasons.items()},
        "pixels_valid": int(valid.sum()),
        "pixels_masked": int((~valid).sum()),
        "pixels_marked": _marked(scene),
        "reflectance_divisor": prepared.divisor,
        "preparation": list(prepared.steps),
        "snr_db": noise.snr_db,
        "noise_per_band": noise.sigma,
        "suggested_k": count.k,
        "suggested_k_why": count.why,
        "criteria": count.criteria,
        "scale": scale.mode,
        "scale_why": scale.why,
        "history": scene.attrs.get("history", []),
        "warnings": [*prepared.warnings, *_radiance(scene), *noise_warning(noise.snr_db)],
    }


def _radiance(scene: xr.DataArray) -> list[str]:
    """What a radiance scene needs first."""
    from unmix.prepare.radiance import check_reflectance

    try:
        check_reflectance(scene)
    except InputError as error:
        return [str(error)]
    return []


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What a person reads of it."""
    wavelength = found["wavelength_nm"]
    span = (
        "no wavelengths"
        if wavelength is None
        else f"{np.nanmin(wavelength):.0f} to {np.nanmax(wavelength):.0f} nm"
    )
    by_reason: dict[str, list[str]] = {}
    for band, why in found["bands_left_out"].items():
        by_reason.setdefault(why, []).append(band)
    lines = [
        ("scene", f"{found['source']} ({found['format']})"),
        ("size", f"{found['rows']} rows × {found['columns']} columns × {found['bands']} bands"),
        ("bands", f"{span}; {found['bands_kept']} used"),
    ]
    lines[1:1] = _product(found["details"])
    lines += [("left out", f"{_ranges(bands)}: {why}") for why, bands in by_reason.items()]
    lines += [("read", text) for text in found["history"]]
    steps = [s for s in found["preparation"] if not s["what"].startswith("bands ")]  # said above
    lines += [("prepared", f"{s['step']}: {s['what']} ({s['why']})") for s in steps]
    lines += [
        ("grid", _grid(found["crs"], found["transform"]) + _swath(found["swath_grid"])),
        ("pixels", f"{found['pixels_valid']} valid, {found['pixels_masked']} masked"),
        *(
            ("marked", f"{count} pixels as {name.replace('_', ' ')}, by the product's mask")
            for name, count in found["pixels_marked"].items()
        ),
        ("SNR", _snr(found["snr_db"])),
        ("endmembers", f"{found['suggested_k']} suggested: {found['suggested_k_why']}"),
    ]
    lines += [("", f"{c['name']}: {c['k']}") for c in found["criteria"]]
    lines.append(("brightness", f"scale {found['scale']}: {found['scale_why']}"))
    return lines + [("warning", text) for text in found["warnings"]]


def _snr(decibels: float) -> str:
    """Signal to noise with what it means.

    >>> _snr(40.0)
    '40.0 dB: noise is 1 % of the signal'
    """
    share = 100 * 10 ** (-decibels / 20)
    return f"{decibels:.1f} dB: noise is {share:{'.2g' if share < 99 else '.0f'}} % of the signal"


def _marked(scene: xr.DataArray) -> dict[str, int]:
    """How many pixels the product's own masks mark, by their names."""
    masks = (n for n, c in scene.coords.items() if c.dtype == bool and c.dims == ("y", "x"))
    return {str(name): int(scene.coords[name].values.sum()) for name in masks}


def _product(details: dict[str, Any]) -> list[tuple[str, str]]:
    """What a satellite product says of itself.

    >>> _product({"sensor": "PRISMA", "quantity": "reflectance", "sun_zenith": 31.25})
    [('sensor', 'PRISMA'), ('product', 'reflectance, sun 31.2° from the zenith')]
    """
    lines = [("sensor", str(details["sensor"]))] if details.get("sensor") else []
    about = [str(details[key]) for key in ("quantity", "units") if details.get(key)]
    about = [" in ".join(about)] if about else []
    if details.get("acquired"):
        about.append(f"acquired {details['acquired']}")
    if details.get("sun_zenith") is not None:
        about.append(f"sun {details['sun_zenith']:.1f}° from the zenith")
    return lines + ([("product", ", ".join(about))] if about else [])


def _ranges(bands: list[str]) -> str:
    """Band numbers as ranges.

    >>> _ranges(["1", "2", "3", "9"])
    '1-3, 9'
    """
    numbers = np.array(bands, dtype=int)
    pieces = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return ", ".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else f"{p[0]}" for p in pieces)


def _swath(shape: list[int] | None) -> str:
    """What the grid of a scene in swath geometry is."""
    return "" if shape is None else f"; {shape[0]} × {shape[1]} for results, the scene is a swath"


def _grid(crs: str | None, transform: Any) -> str:
    if transform is None:
        return "not georeferenced"
    from rasterio.crs import CRS

    name = "unknown CRS" if crs is None else CRS.from_wkt(crs).to_string()
    if len(name) > 40:
        name = name.split('"')[1] if '"' in name else name[:40]
    a, b, c, d, _, f = transform[:6]
    size = (a * a + d * d) ** 0.5
    turned = "" if b == 0 and d == 0 else f", turned by {np.degrees(np.arctan2(d, a)):.1f}°"
    return f"{name}, pixel {size:g}, origin ({c:.10g}, {f:.10g}){turned}"


@app.command()
def endmembers(
    scene: Scene,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help=".csv or .sli")],
    n_endmembers: Annotated[int, typer.Option("-k", "--n-endmembers", help="How many.")],
    method: Annotated[str, typer.Option("--method", help="vca, spa, nfindr, sisal.")] = "vca",
    scale: Annotated[str, typer.Option("--scale", help="auto, none, l2, max, shade.")] = "auto",
    drop_bands: DropBands = None,
    water_windows: WaterWindows = None,
    smooth: Smooth = 0.0,
    reflectance_scale: ReflectanceScale = None,
    to_reflectance: ToReflectance = None,
    radiometry: Radiometry = None,
    variable: Variable = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Extract endmember spectra from a scene."""
    from unmix.io.library import write_csv, write_sli
    from unmix.pipeline import extract_endmembers

    writers = {".csv": write_csv, ".sli": write_sli}
    if out.suffix.lower() not in writers:
        raise InputError(f"out: {out.name} ends in neither .csv nor .sli; name it so")
    if out.exists() and not overwrite:
        raise InputError(f"out: {out} exists; add --overwrite or choose another name")
    found = extract_endmembers(
        open_reflectance(scene, variable, to_reflectance, radiometry),
        n_endmembers,
        method=method,
        scale=scale,
        seed=seed,
        preparation=preparation_options(drop_bands, water_windows, smooth, reflectance_scale),
    )
    written = writers[out.suffix.lower()](found, out, overwrite=overwrite)
    typer.echo(f"{len(found)} endmembers ({found.source}) in {written}")


@app.command()
def methods(json: Json = False) -> None:
    """The methods there are."""
    from unmix.methods import DEFAULT, METHODS

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "label": kind.label,
            "default": name == DEFAULT,
            "halo": kind().halo,
            "scales": list(kind.scales),
            "reference": kind.reference,
        }
        for name, kind in METHODS.items()
    ]
    if json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("method", "what it is", "scale modes", "reference", box=None)
    for row in rows:
        mark = " (default)" if row["default"] else ""
        table.add_row(row["name"] + mark, row["label"], " ".join(row["scales"]), row["reference"])
    Console().print(table)
