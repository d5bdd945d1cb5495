"""Options that make approximate reflectance of a radiance scene, for the commands that unmix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from unmix.checks import InputError

if TYPE_CHECKING:
    import xarray as xr

    from unmix.prepare.radiance import Reference

__all__ = ["Radiometry", "ToReflectance", "open_reflectance"]

ToReflectance = Annotated[
    str | None,
    typer.Option(
        "--to-reflectance",
        help="Radiance to approximate reflectance: sun, dark-object or empirical-line.",
    ),
]
Radiometry = Annotated[
    list[str] | None,
    typer.Option(
        "--radiometry",
        metavar="NAME=VALUE",
        help="For --to-reflectance where the product does not say: sun_zenith=35, "
        "acquired=2024-07-31, units=W/m^2/sr/um, reference=ROWS,COLS=SPECTRUM; repeatable.",
    ),
]
_NAMES = ("sun_zenith", "acquired", "units", "reference")
_WINDOW = re.compile(r"\s*(\d+):(\d+)\s*,\s*(\d+):(\d+)\s*=(.+)")


def open_reflectance(
    path: Path, variable: str | None, how: str | None, settings: list[str] | None
) -> xr.DataArray:
    """The scene, converted to reflectance where that is asked for."""
    from unmix.scene import open_scene

    scene = open_scene(path, variable=variable)
    if how is None:
        if settings:
            raise InputError("radiometry: belongs to --to-reflectance; give that, too")
        return scene
    from unmix.prepare.radiance import to_reflectance

    return to_reflectance(scene, how, **parse_radiometry(settings or [], scene))


def parse_radiometry(settings: list[str], scene: xr.DataArray) -> dict[str, Any]:
    """Keywords of `to_reflectance` from what was typed."""
    found: dict[str, Any] = {}
    references: list[Reference] = []
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in _NAMES or not value:
            raise InputError(
                f"radiometry: cannot read {setting!r:.60}; write NAME=VALUE, NAME one of "
                f"{', '.join(_NAMES)}"
            )
        if name == "reference":
            references.append(_reference(value, scene))
        else:
            found[name] = _number(value) if name == "sun_zenith" else value
    return found | ({"references": references} if references else {})


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(f"radiometry: sun_zenith={value!r:.40} is no number") from None


def _reference(text: str, scene: xr.DataArray) -> Reference:
    """A window and its spectrum, of ``10:20,30:40=white.csv`` or ``10:20,30:40=0.45``.

    A file of several spectra needs the name of one: ``white.csv#concrete``.
    """
    from unmix.prepare.radiance import Reference

    match = _WINDOW.fullmatch(text)
    if match is None:
        raise InputError(
            f"radiometry: cannot read reference={text!r:.60}; write "
            "reference=10:20,30:40=SPECTRUM (rows, columns from 0, end excluded)"
        )
    top, bottom, left, right = (int(n) for n in match.groups()[:4])
    if top >= bottom or left >= right:
        raise InputError(f"radiometry: reference {text!r:.60} holds no pixel; write START:STOP")
    spectrum = match[5].strip()
    try:
        values = np.full(scene.sizes["band"], float(spectrum))
    except ValueError:
        values = _spectrum(spectrum, scene)
    return Reference(slice(top, bottom), slice(left, right), values, text)


def _spectrum(text: str, scene: xr.DataArray) -> Any:
    """One spectrum of a file, on the scene's bands."""
    from unmix.pipeline.ready import on_bands_of

    file, _, name = text.partition("#")
    known = on_bands_of(scene, file)
    if not name and len(known) == 1:
        return known.spectra[0]
    if name not in known.names:
        some = ", ".join(known.names[:6])
        raise InputError(f"radiometry: {file} holds {some}; name one as {Path(file).name}#NAME")
    return known.spectra[known.names.index(name)]
