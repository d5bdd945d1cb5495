"""`unmix identify`: which materials endmembers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmix.checks import InputError
from unmix.cli import app
from unmix.cli.common import Json, print_json

if TYPE_CHECKING:
    from unmix.identify import Identification
    from unmix.types import Endmembers

_SHOWN = 3  # candidates of each endmember in the table


@app.command()
def identify(
    endmembers: Annotated[
        Path, typer.Argument(metavar="ENDMEMBERS", help="Spectra, or the folder of a result.")
    ],
    library: Annotated[
        Path | None,
        typer.Option("--library", metavar="LIB", help="CSV, .sli, ECOSTRESS folder, .mat. "
                     "[default: the one shipped]"),
    ] = None,
    candidates: Annotated[
        int, typer.Option("--candidates", help="The most candidates told of each.")
    ] = 5,
    json: Json = False,
) -> None:  # fmt: skip
    """Which materials endmembers are: candidates from a spectral library, and a verdict."""
    from unmix.identify import as_record
    from unmix.identify import identify as match
    from unmix.pipeline.naming import library_of

    known = library_of(True if library is None else library)
    assert known is not None
    spectra = read_spectra(endmembers)
    found = match(spectra, known, n_candidates=candidates)
    if json:
        members = as_record(found, [one.match or one.endmember for one in found])
        for member in members:
            del member["reference"]  # as long as the bands, and in the library
        print_json({"library": known.source, "endmembers": members})
        return
    _show(found, known)


def read_spectra(path: Path) -> Endmembers:
    """Endmembers of a file or of a result's folder, with their FWHM where the result has it."""
    from unmix.io.library import read_endmembers

    if not (path / "manifest.json").is_file():
        return read_endmembers(path)
    for name in ("endmembers.csv", "endmembers.sli"):
        if not (path / name).is_file():
            raise InputError(f"{path}: has no {name}; give the folder `unmix run` wrote")
    found = read_endmembers(path / "endmembers.csv", scale=1.0)
    fwhm = read_endmembers(path / "endmembers.sli", scale=1.0).fwhm
    if fwhm is None or found.wavelength is None or len(fwhm) != len(found.wavelength):
        return found
    return replace(found, fwhm=fwhm)


def _show(found: Sequence[Identification], library: Endmembers) -> None:
    """A table of candidates, and a line of verdict for each endmember."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from unmix.identify.answer import absorption_at

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("endmember", overflow="fold")
    table.add_column("candidate", overflow="fold")
    table.add_column("library spectrum", overflow="fold")
    for head in ("score", "fit", "angle", "SID"):
        table.add_column(head, justify="right")
    for one in found:
        for k, c in enumerate(one.candidates[:_SHOWN]):
            table.add_row(
                escape(one.endmember) if k == 0 else "", escape(c.name), escape(c.entry),
                f"{c.score:.3f}", f"{c.fit:.3f}", f"{c.angle:.3f}", f"{c.sid:.4f}",
            )  # fmt: skip
    console = Console()
    if any(one.candidates for one in found):
        console.print(table)
        console.print()
    for one in found:
        what = f" is {one.match}" if one.match not in ("", one.endmember) else ""
        console.print(f"[bold]{escape(one.endmember)}[/bold]{escape(f'{what}: {one.verdict}')}")
        if one.absorptions:
            marks = "; ".join(absorption_at(a.centre, a.cause) for a in one.absorptions)
            console.print(f"  absorbs at {escape(marks)}", style="dim")
    console.print(f"library: {escape(library.source)}", style="dim")
