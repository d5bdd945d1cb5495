"""`unmix demo`: a scene with a known truth, unmixed blind."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from unmix.checks import InputError
from unmix.cli import app
from unmix.cli.common import Overwrite, Seed, print_json, progress

DEMO_METHODS = ("cresdae", "vca-fcls")  # the first report is opened


@app.command()
def demo(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT")] = Path("unmix-demo"),
    seed: Seed = 0,
    overwrite: Overwrite = False,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output only.")] = False,
) -> None:
    """Simulate a scene, unmix it blind, compare with the truth, write the reports."""
    from unmix.simulate import write_demo_scene

    with _demo_folder(out, overwrite) as folder:
        scene, truth = write_demo_scene(folder / "scene.tif", seed=seed, overwrite=True)
        rows = [_demo_run(name, scene, truth, folder, seed, json) for name in DEMO_METHODS]
    if json:
        print_json({"scene": str(scene), "truth": str(truth), "runs": rows})
        return
    _print_demo(rows)
    if show or (sys.stdout.isatty() and sys.stdin.isatty()):
        typer.launch(str(Path(rows[0]["report"]).resolve()))


@contextlib.contextmanager
def _demo_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """An empty folder to work in; whatever ends the work early, all is as it was before.

    An earlier demonstration is replaced only when asked.
    """
    known = {"scene.tif", "scene_truth.tif", *DEMO_METHODS}
    place = out.absolute()
    if place.exists():
        if not place.is_dir() or {p.name for p in place.iterdir()} - known:
            raise InputError(f"out: {out} holds other things; choose another folder")
        if not overwrite and any(place.iterdir()):
            raise InputError(f"out: {out} exists; add --overwrite or choose another folder")
    made = [p for p in (place, *place.parents) if not p.exists()]
    earlier = place.with_name(f".{place.name}-{secrets.token_hex(6)}")
    try:
        if place.exists() and any(place.iterdir()):
            place.rename(earlier)
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out: cannot make {out} ({error.strerror}); choose another") from None
    try:
        yield out
    except BaseException:
        for item in place.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
        for folder in made:
            folder.rmdir()
        if earlier.exists():
            place.rmdir()
            earlier.rename(place)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _demo_run(
    name: str, scene: Path, truth: Path, folder: Path, seed: int, quiet: bool
) -> dict[str, Any]:
    """Unmix the scene blind by one method; how near it came."""
    from unmix.evaluate import evaluate
    from unmix.io.truth import read_truth
    from unmix.output import save
    from unmix.pipeline import run

    truth_read = read_truth(truth)
    with progress(quiet) as tell:
        result = run(scene, truth_read.abundances.shape[-1], method=name, seed=seed, progress=tell)
    out = save(result, folder / name)
    found = evaluate(result, truth_read)
    return {
        "method": result.provenance["method"]["label"],
        "scale": result.provenance["scale"]["mode"],
        "abundance_rmse": found["abundance_rmse"],
        "abundance_sad_rad": found["abundance_sad_rad"],
        "psnr_db": found["psnr_db"],
        "seconds": sum(result.provenance["timings"].values()),
        "report": str(out / "report.html"),
    }


def _print_demo(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("method", "scale", title="Demonstration scene, unmixed blind (K given)")
    for heading in ("abundance RMSE", "abundance SAD, rad", "PSNR, dB", "time, s"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row["method"], row["scale"], f"{row['abundance_rmse']:.4f}",
            f"{row['abundance_sad_rad']:.4f}", f"{row['psnr_db']:.1f}", f"{row['seconds']:.1f}",
        )  # fmt: skip
    console = Console(width=max(80, Console().width))
    console.print(table)
    for row in rows:
        console.print(f"report ({row['method']}): {row['report']}", soft_wrap=True, markup=False)
