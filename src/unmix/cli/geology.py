"""Options of the mineral map: features, anomalies, composite."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["AnomalyArea", "AnomalyThreshold", "Features", "Ternary"]

Features = Annotated[
    bool,
    typer.Option(
        "--features/--no-features",
        help="Map depth and centre of the absorptions at 900, 2200, 2250 and 2330 nm.",
    ),
]
AnomalyThreshold = Annotated[
    float | None,
    typer.Option(
        "--anomaly-threshold",
        help="Abundance above which a material makes an anomaly. [default: from the scene]",
    ),
]
AnomalyArea = Annotated[
    float | None,
    typer.Option(
        "--anomaly-area",
        help="Smallest anomaly, m² (pixels without georeference). [default: 4 pixels]",
    ),
]
Ternary = Annotated[
    str | None,
    typer.Option(
        "--ternary",
        help="Three members, with commas, for the composite's red, green and blue. "
        "[default: the most abundant that are no vegetation]",
    ),
]
