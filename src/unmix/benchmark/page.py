"""Everything that is made from a benchmark's rows: CSV, JSON, Markdown, figures, and the page.

``write(out)`` can be called again at any time; it reads results.jsonl, runs/, scenes/ and
manifest.json and touches none of them. Times and memory are in cost.md and on the page alone, so
that tables.md is the same bytes for the same scores.
"""

from __future__ import annotations

import base64
import io
import os
import secrets
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from PIL import Image

from unmix.benchmark.figures import Picture, pictures
from unmix.benchmark.layout import PART_TITLES, costs, failures, tables
from unmix.benchmark.reading import read
from unmix.benchmark.results import Results
from unmix.benchmark.summary import to_csv, to_json
from unmix.benchmark.tables import Table, md, to_html, to_markdown
from unmix.output.tables import plain
from unmix.plot.style import ABUNDANCE, INK, MASKED, colormap

__all__ = ["write"]

SUITES = {
    "paper": "The CResDAE publication’s experiment",
    "nae": "The NAE grid",
    "real": "Real scenes with a published truth",
}
DPI = 150


@dataclass(frozen=True)
class Drawn:
    """A figure as PNG, with its words."""

    name: str
    title: str
    caption: str
    png: bytes
    size: tuple[int, int]

    @property
    def address(self) -> str:
        """As a data address."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


def write(out: Path) -> list[Path]:
    """Make the tables, figures and page of a benchmark's folder; gives the files written.

    Each file is written beside its place and takes its name when complete.

    Parameters
    ----------
    out : Path
        What the runner wrote.

    Raises
    ------
    InputError
        It holds no results, or a file in it is damaged.
    """
    out = Path(out)
    results = read(out)
    scores = {part: tables(results, part) for part in results.parts}
    cost = {part: costs(results, part) for part in results.parts}
    written = [
        _replace(out / "results.csv", to_csv(results).encode("utf-8", "replace")),
        _replace(out / "summary.json", to_json(results).encode()),
        _replace(out / "tables.md", _scores_text(results, scores).encode()),
        _replace(out / "cost.md", _cost_text(results, cost).encode()),
    ]
    drawn: dict[str, list[Drawn]] = {}
    (out / "figures").mkdir(exist_ok=True)
    for part in results.parts:
        drawn[part] = [_draw(p) for p in pictures(results, part)]
        written += [_replace(out / "figures" / f"{d.name}.png", d.png) for d in drawn[part]]
    page = _render(results, scores, cost, drawn)
    return [*written, _replace(out / "index.html", page.encode("utf-8", "replace"))]


def _replace(path: Path, data: bytes) -> Path:
    """Write beside and rename."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _draw(picture: Picture) -> Drawn:
    """A figure as PNG of at most 256 colours, which halves it; photographs keep all theirs."""
    picture.figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(picture.figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    if picture.kind != "photograph":
        image = image.quantize(256, palette=_palette(picture.kind), dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return Drawn(picture.name, picture.title, picture.caption, buffer.getvalue(), image.size)


@cache
def _palette(kind: str) -> Image.Image | None:
    """The colours of maps: their scale, and greys for the words; None: those that occur most."""
    if kind != "maps":
        return None
    scale = colormap(ABUNDANCE)(np.linspace(0, 1, 239))[:, :3]
    greys = np.linspace(to_rgb(INK), (1.0, 1.0, 1.0), 16)
    image = Image.new("P", (1, 1))
    colours = np.concatenate([scale, greys, [to_rgb(MASKED)]])
    image.putpalette(np.rint(255 * colours).astype(int).ravel().tolist())
    return image


def _scores_text(results: Results, scores: Mapping[str, list[Table]]) -> str:
    """tables.md: protocol, tables of scores, and what failed or was left out."""
    lines = [f"# {md(_title(results))}", "", *_bullets(_texts(results, "protocol"))]
    if results.manifest.get("quick"):
        lines += ["**Quick mode: not the full benchmark.**", ""]
    for part, made in scores.items():
        lines += [f"## {md(_part(part))}", "", *(to_markdown(t) for t in made)]
    bad = failures(results)
    if bad:
        lines += ["## What failed", "", to_markdown(bad)]
    skipped = _texts(results, "skipped")
    if skipped:
        lines += ["## What was left out", "", *_bullets(skipped)]
    return "\n".join(lines).rstrip() + "\n"


def _cost_text(results: Results, cost: Mapping[str, list[Table]]) -> str:
    """cost.md: time, memory, iterations."""
    lines = [f"# {md(_title(results))}: time and memory", "", COST_NOTE, ""]
    for part, made in cost.items():
        lines += [f"## {md(_part(part))}", "", *(to_markdown(t) for t in made)]
    return "\n".join(lines).rstrip() + "\n"


COST_NOTE = (
    "Wall time of fitting and unmixing, and the memory above what was held before; one machine, "
    "one run after the other. Differences of a few per cent mean nothing."
)


def _bullets(lines: list[str]) -> list[str]:
    return [*(f"- {md(line)}" for line in lines), ""] if lines else []


def _title(results: Results) -> str:
    return SUITES.get(results.suite, f"Benchmark {plain(results.suite)}".strip())


def _part(part: str) -> str:
    return PART_TITLES.get(part, plain(part))


def _texts(results: Results, key: str) -> list[str]:
    """Lines of the manifest, whether they are a list or one text."""
    value = results.manifest.get(key)
    lines = value if isinstance(value, list | tuple) else [value] if value else []
    return [" ".join(plain(str(line)).split()) for line in lines]


@cache
def _templates() -> Environment:
    """The templates; everything they are given is escaped."""
    return Environment(
        loader=PackageLoader("unmix", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render(
    results: Results,
    scores: Mapping[str, list[Table]],
    cost: Mapping[str, list[Table]],
    drawn: Mapping[str, list[Drawn]],
) -> str:
    """The page as HTML text."""
    templates = _templates()
    style = "\n".join(
        templates.get_template(name).render() for name in ("report.css", "benchmark.css")
    )
    bad = failures(results)
    return templates.get_template("benchmark.html").render(
        style=Markup(style),
        title=_title(results),
        lead=_lead(results),
        warnings=list(_warnings(results)),
        protocol=_texts(results, "protocol"),
        skipped=_texts(results, "skipped"),
        parts=[
            {
                "id": part,
                "title": _part(part),
                "tables": [(t.name, t.title, to_html(t)) for t in scores[part]],
                "figures": drawn[part],
                "costs": [to_html(t) for t in cost[part]],
            }
            for part in results.parts
        ],
        cost_note=COST_NOTE,
        failed=to_html(bad) if bad else None,
        settings=list(_settings(results)),
    )


def _lead(results: Results) -> str:
    """One sentence: how many methods, scenes, seeds and runs."""
    scenes = len({r.scene for r in results.runs})
    seeds = len({r.seed for r in results.runs})
    counts = (
        (len(results.methods), "method"),
        (scenes, "scene"),
        (seeds, "seed"),
        (len(results.runs), "run"),
    )
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts) + "."


def _warnings(results: Results) -> Iterator[str]:
    """What a reader must know before the numbers."""
    if results.manifest.get("quick"):
        yield "Quick mode: smaller or shorter than the full benchmark. Do not quote these numbers."
    bad = sum(r.failed for r in results.runs)
    if bad:
        yield f"{bad} of {len(results.runs)} runs failed; they are listed below and in no mean."
    if _texts(results, "skipped"):
        yield "Some data sets were absent and are left out; they are listed below."


def _settings(results: Results) -> Iterator[tuple[str, str]]:
    """The rest of the manifest, as text."""
    for key, value in results.manifest.items():
        if key in ("protocol", "skipped", "suite", "quick", "seed") or value in (None, "", [], {}):
            continue
        if isinstance(value, Mapping):
            text = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list | tuple):
            text = ", ".join(str(v) for v in value)
        else:
            text = str(value)
        yield plain(str(key)).replace("_", " "), plain(text)
