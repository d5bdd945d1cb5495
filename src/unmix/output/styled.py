"""The styles of a result folder: one beside each layer, and one a band where bands have names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unmix.features import feature as feature_named
from unmix.output.classes import class_entries
from unmix.output.features import feature_names
from unmix.output.styles import categorised, paletted, pseudocolour, write_style
from unmix.output.uncertainty import band_names
from unmix.plot.style import ABUNDANCE, RESIDUAL
from unmix.summary import fit_of, highest_shown
from unmix.types import Unmixing

__all__ = ["write_styles"]

FEATURE_RAMP = "turbo"
_SURE = "cividis"


def write_styles(result: Unmixing, folder: Path) -> None:
    """A .qml for every layer of the folder that has one band at a time to look at.

    QGIS takes `<layer>.qml` when the layer is opened, which shows the first band. Abundances have
    one a band besides, `abundances_<number>.qml`, and features `features_<number>.qml`.
    """
    if result.provenance.get("format") != "zarr":
        _maps(result, folder)
        _features(result, folder)
    if result.rest is not None:
        first = str(result.rest.coords["member"].values[0])
        write_style(pseudocolour(1, first, 0, 1, ABUNDANCE), folder / "abundances_rest.qml")
    entries = class_entries(result.endmembers.names)
    write_style(paletted(entries), folder / "classes.qml")
    write_style(pseudocolour(1, "confidence", 0, 1, _SURE), folder / "confidence.qml")
    write_style(categorised("material", entries[:-1]), folder / "anomalies.qml")


def _maps(result: Unmixing, folder: Path) -> None:
    """Abundances from 0 to 1, errors from 0 to what few pixels exceed."""
    names = result.endmembers.names
    for k, name in enumerate(names, start=1):
        style = pseudocolour(k, name, 0, 1, ABUNDANCE)
        write_style(style, folder / f"abundances_{k}.qml")
        if k == 1:
            write_style(style, folder / "abundances.qml")
    top = fit_of(result).shown
    write_style(pseudocolour(1, "rmse", 0, top, RESIDUAL), folder / "residual.qml")
    if result.uncertainty is not None:
        top = highest_shown(np.asarray(result.uncertainty.values[:, :, 0, 0]))
        style = pseudocolour(1, band_names(names)[0], 0, top, RESIDUAL)
        write_style(style, folder / "uncertainty.qml")


def _features(result: Unmixing, folder: Path) -> None:
    """Depths from 0 to what few pixels exceed, centres over the range they may lie in."""
    if result.features is None:
        return
    bands = [str(band) for band in result.features.coords["quantity"].values]
    for i, name in enumerate(feature_names(bands)):
        depth = np.asarray(result.features.values[..., 3 * i])
        low, high = feature_named(name).centre
        styles = (
            pseudocolour(3 * i + 1, bands[3 * i], 0, highest_shown(depth), ABUNDANCE),
            pseudocolour(3 * i + 2, bands[3 * i + 1], low, high, FEATURE_RAMP, " nm"),
            pseudocolour(3 * i + 3, bands[3 * i + 2], 0, 1, "gray"),
        )
        for j, style in enumerate(styles, start=3 * i + 1):
            write_style(style, folder / f"features_{j}.qml")
            if j == 1:
                write_style(style, folder / "features.qml")
