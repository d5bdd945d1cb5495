"""`unmix simulate`: one scene with a known truth, or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmix.checks import InputError
from unmix.cli import app
from unmix.cli.common import Overwrite, Seed, progress

if TYPE_CHECKING:
    from unmix.simulate import Simulation
    from unmix.types import Endmembers

DEFAULT_MEMBERS = ("Alunite", "Kaolinite", "Goethite", "Calcite")


@app.command()
def simulate(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="OUT", help=".mat or .tif; a folder for several."),
    ],
    library: Annotated[
        Path | None, typer.Option("--library", help="Spectra to mix. [default: built in]")
    ] = None,
    members: Annotated[
        str | None, typer.Option("--members", help="Names in the library, comma-separated.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="linear, bilinear, pnmm, fan, gbm, ppnm, mlm or hapke; several with commas. "
            "[default: linear]",
        ),
    ] = None,
    snr: Annotated[
        str | None,
        typer.Option("--snr", help="Signal-to-noise ratio, dB; several with commas. [default: 30]"),
    ] = None,
    nine: Annotated[
        bool, typer.Option("--nine", help="--model linear,bilinear,pnmm --snr 10,20,30")
    ] = False,
    granule: Annotated[
        bool,
        typer.Option(
            "--granule",
            help="A GF-5-like mineral scene in a folder: ENVI, regions, truth; with --size, --snr "
            "and --seed alone.",
        ),
    ] = False,
    size: Annotated[
        str | None, typer.Option("--size", help="ROWSxCOLUMNS [default: 96x128]")
    ] = None,
    field: Annotated[
        str, typer.Option("--field", help="gaussian, dirichlet, blocks or patches.")
    ] = "gaussian",
    pure: Annotated[
        bool, typer.Option("--pure/--no-pure", help="Pixels of one member alone.")
    ] = True,
    max_purity: Annotated[
        float | None,
        typer.Option("--max-purity", help="Largest abundance. [default: 0.8 with --no-pure]"),
    ] = None,
    max_members: Annotated[
        int | None, typer.Option("--max-members", help="The most members in a pixel.")
    ] = None,
    concentration: Annotated[
        str | None,
        typer.Option("--concentration", help="Of Dirichlet draws, one or one a member."),
    ] = None,
    abundances: Annotated[
        Path | None, typer.Option("--abundances", help="Maps to use: a truth, .tif or .mat.")
    ] = None,
    beta: Annotated[
        str, typer.Option("--beta", help="Bilinear strength, or LOW,HIGH to draw it for each pair.")
    ] = "1",
    interactions: Annotated[
        str, typer.Option("--interactions", help="pairs (i < j) or all (i and j).")
    ] = "pairs",
    kind: Annotated[
        str, typer.Option("--kind", help="Curve of pnmm: power, log, exp or sigmoid.")
    ] = "power",
    gamma: Annotated[
        float | None, typer.Option("--gamma", help="Its constant. [default: 0.7 of power]")
    ] = None,
    b: Annotated[
        str, typer.Option("--b", help="b of ppnm, or LOW,HIGH to draw it in each pixel.")
    ] = "-0.3,0.3",
    probability: Annotated[
        str, typer.Option("--probability", help="P of mlm, or LOW,HIGH to draw it in each pixel.")
    ] = "0,0.5",
    incidence: Annotated[
        float, typer.Option("--incidence", help="Angle of the light, hapke, degrees.")
    ] = 30.0,
    emergence: Annotated[
        float, typer.Option("--emergence", help="Angle of view, hapke, degrees.")
    ] = 0.0,
    brightness: Annotated[
        str | None, typer.Option("--brightness", help="LOW,HIGH of a terrain-like factor.")
    ] = None,
    variability: Annotated[
        str | None, typer.Option("--variability", help="LOW,HIGH of each spectrum's factor.")
    ] = None,
    variability_field: Annotated[
        str, typer.Option("--variability-field", help="smooth or white.")
    ] = "smooth",
    bundles: Annotated[
        Path | None,
        typer.Option("--bundles", help="Library of variants, named after the members."),
    ] = None,
    bundle_draw: Annotated[
        str, typer.Option("--bundle-draw", help="One variant a patch or a pixel.")
    ] = "patch",
    noise: Annotated[
        str, typer.Option("--noise", help="white, bands, or a CSV of wavelength and noise.")
    ] = "white",
    crs: Annotated[
        str | None, typer.Option("--crs", help="Where the scene lies, such as EPSG:32650.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option("--origin", metavar="X,Y", help="Its upper left corner.")
    ] = None,
    pixel_size: Annotated[
        str | None, typer.Option("--pixel-size", help="In units of the CRS. [default: 30]")
    ] = None,
    format: Annotated[
        str, typer.Option("--format", help="mat or tif, of the files in a folder.")
    ] = "mat",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Simulate a scene with known abundances, or one of each model at each SNR.

    A .mat file holds scene and truth; a .tif gets its truth beside it, NAME_truth.tif. Several
    scenes share their abundances and go into a folder, with two pictures.
    """
    from unmix import simulate as sim

    if granule:
        from unmix.cli.granule import only_granule, write

        only_granule(context)
        write(out, _size(size), snr, seed, overwrite)
        return
    spectra = _spectra(library, members)
    models, levels = _lists(model, snr, nine)
    sim.check_lists(models, levels)
    keywords: dict[str, Any] = {
        "seed": seed, "field": field, "pure": pure, "max_purity": max_purity,
        "max_members": max_members, "beta": _numbers(beta, "beta"), "interactions": interactions,
        "kind": kind, "gamma": gamma, "b": _numbers(b, "b"), "incidence": incidence,
        "probability": _numbers(probability, "probability"), "emergence": emergence,
        "variability_field": variability_field, "bundle_draw": bundle_draw,
    }  # fmt: skip
    ranges = {"brightness": brightness, "variability": variability, "concentration": concentration}
    keywords |= {n: None if t is None else _numbers(t, n) for n, t in ranges.items()}
    place = _from_files(keywords, spectra, size, abundances, bundles, noise)
    locate = _locator(place, crs, origin, pixel_size)
    several = nine or len(models) * len(levels) > 1
    if several:
        if out.suffix.lower() in (".mat", ".tif"):
            raise InputError(f"out: {out.name} is one file for {len(models) * len(levels)} scenes; "
                             "give a folder")  # fmt: skip
        sim.check_folder(out, overwrite)
    elif out.suffix.lower() not in (".mat", ".tif"):
        raise InputError(f"out: {out.name} ends in neither .mat nor .tif; name it so")
    else:
        sim.check_files(out, overwrite)
    with progress(False) as tell:
        made = map(locate, sim.scenes(spectra, models, levels, progress=tell, **keywords))
        if several:
            files = sim.write_scenes(made, out, format=format, overwrite=overwrite)
            typer.echo("\n".join(map(str, files)))
            return
        _one(next(made), out, overwrite)


def _one(scene: Simulation, out: Path, overwrite: bool) -> None:
    """Write a single scene and say so."""
    from unmix.simulate import write_geotiff, write_mat

    if out.suffix.lower() == ".mat":
        written = write_mat(scene, out, overwrite=overwrite)
    else:
        written = write_geotiff(scene, out, truth=True, overwrite=overwrite)
    rows, columns = scene.cube.shape[:2]
    typer.echo(f"{rows} × {columns} pixels of {', '.join(scene.endmembers.names)} in {written}")


def _spectra(library: Path | None, members: str | None) -> Endmembers:
    """The spectra to mix: those named, or all of a library, or four of the built-in one."""
    from unmix.io.library import read_endmembers, select_members
    from unmix.simulate import builtin_library

    spectra = builtin_library() if library is None else read_endmembers(library)
    if members is not None:
        return select_members(spectra, members)
    return select_members(spectra, DEFAULT_MEMBERS) if library is None else spectra


def _lists(model: str | None, snr: str | None, nine: bool) -> tuple[list[str], list[float]]:
    """Models and SNRs of lists with commas, or the nine."""
    from unmix.simulate import NINE

    if nine:
        if model is not None or snr is not None:
            raise InputError("nine: it says model and SNR; leave --model and --snr out, or it")
        return list(NINE[0]), list(NINE[1])
    models = [name.strip() for name in ("linear" if model is None else model).split(",")]
    levels = _numbers("30" if snr is None else snr, "snr")
    return models, list(levels) if isinstance(levels, tuple) else [levels]


def _numbers(text: str, name: str) -> float | tuple[float, ...]:
    """A number, or several with commas between them.

    >>> _numbers("0.5", "beta"), _numbers("0, 1", "beta")
    (0.5, (0.0, 1.0))
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{name}: cannot read {text!r:.60}; give numbers, with commas") from None
    return values if len(values) > 1 else values[0]


def _size(text: str | None) -> tuple[int, int] | None:
    shape = None if text is None else re.fullmatch(r"(\d+)[x×](\d+)", text.strip())
    if text is not None and shape is None:
        raise InputError(f"size: cannot read {text!r}; write ROWSxCOLUMNS, such as 96x128")
    return None if shape is None else (int(shape[1]), int(shape[2]))


def _from_files(
    keywords: dict[str, Any],
    spectra: Endmembers,
    size: str | None,
    abundances: Path | None,
    bundles: Path | None,
    noise: str,
) -> list[Any]:
    """Add what is read from files, and the size, to the keywords; where the maps lie."""
    from unmix.io.bundles import read_bundles, read_maps, read_noise
    from unmix.simulate import NOISES

    place: list[Any] = [None, None]
    keywords["size"] = _size(size)
    if abundances is not None:
        keywords["abundances"], *place = read_maps(abundances, spectra, keywords["size"])
    if bundles is not None:
        keywords["bundles"] = read_bundles(bundles, spectra)
    if noise not in NOISES and "." not in noise:
        raise InputError(f"noise: got {noise!r}; give {', '.join(NOISES)} or a CSV file")
    keywords["noise_profile"] = noise if noise in NOISES else read_noise(noise, spectra)
    return place


def _locator(
    place: list[Any], crs: str | None, origin: str | None, pixel_size: str | None
) -> Callable[[Simulation], Simulation]:
    """What gives a scene its place: that of the maps, or the one asked for."""
    from unmix.io.simulated import check_crs
    from unmix.simulate import located

    if crs is None and (origin is not None or pixel_size is not None):
        raise InputError("crs: --origin and --pixel-size need one, such as --crs EPSG:32650")
    if crs is None:
        return lambda scene: replace(scene, crs=place[0], transform=place[1])
    if origin is None:
        raise InputError("origin: --crs needs the upper left corner, --origin X,Y in its units")
    check_crs(crs)
    corner: Any = _numbers(origin, "origin")
    pixel: Any = 30.0 if pixel_size is None else _numbers(pixel_size, "pixel_size")
    return lambda scene: located(scene, crs, corner, pixel)
