"""The page to look at: one HTML file that opens offline and can be forwarded.

Everything on it comes from the result itself, so it can be made again from a result folder:
``write_report(load(out), out / "report.html")``. It holds its own pictures, styles and a small
script, and asks the network for nothing (a content security policy sees to that).
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unmix.plot import (
    band_strip,
    endmember_spectra,
    information_curve,
    k_curves,
    loss_curves,
    noise_curve,
    residual_histogram,
)
from unmix.plot.curves import LIKELIHOOD
from unmix.plot.style import section
from unmix.report import chosen, facts, images, scale, sure, tables
from unmix.report.geology import geology
from unmix.report.identified import identified
from unmix.report.land import land
from unmix.report.trust import judgements
from unmix.types import Unmixing

__all__ = ["render", "write_report"]


def write_report(result: Unmixing, path: str | Path) -> Path:
    """Write report.html for `result`; an older one is replaced at the last moment."""
    path = Path(path)
    page = render(result).encode("utf-8", "replace")
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    try:
        temporary.write_bytes(page)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def render(result: Unmixing) -> str:
    """The page as HTML text."""
    templates = _templates()
    style, script = (
        templates.get_template(name).render().strip() for name in ("report.css", "report.js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return templates.get_template("report.html").render(
        style=Markup(style),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        **_content(result),
    )


def columns(n: int) -> int:
    """How many maps side by side leave the fewest gaps.

    >>> [columns(n) for n in (2, 5, 6, 7, 8, 9, 10)]
    [2, 5, 3, 4, 4, 3, 5]
    """
    return min(n, 5) if n < 6 else min((5, 4, 3), key=lambda c: (-n % c, -c))


@cache
def _templates() -> Environment:
    """The templates, compiled once; everything they are given is escaped."""
    environment = Environment(
        loader=PackageLoader("unmix", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = facts.number
    environment.filters["fraction"] = facts.fraction
    return environment


def _content(result: Unmixing) -> dict[str, Any]:
    """Everything the template names."""
    materials = facts.materials(result)
    return {
        "scene": facts.scene_name(result),
        "lead": facts.lead(result),
        "key_facts": facts.key_facts(result),
        "materials": materials,
        "columns": columns(len(materials)),
        "area_unit": facts.area_unit(result),
        "trust": judgements(result),
        "scale_bar": scale.scale_bar(result),
        "sure": sure.by_member(result),
        "spread": result.endmembers.spread is not None,
        "outputs": facts.outputs(result),
        "pictures": images.pictures(result),
        "spectra": images.svg(endmember_spectra(result)),
        "histogram": images.svg(residual_histogram(result)),
        "losses": images.svg(loss_curves(result)),
        "information": images.svg(information_curve(result)),
        "weighed": section(result, "evidence").get("surface") in chosen.MEANING,
        "fitted": list(section(result, "history")) == [LIKELIHOOD],
        "k_curves": images.svg(k_curves(result)),
        "noise": images.svg(noise_curve(result)),
        "band_strip": images.svg(band_strip(result)),
        "rows_columns": result.abundances.shape[:2],
        **tables.details(result),
        **chosen.choices(result),
        **identified(result),
        **geology(result),
        **land(result),
    }
