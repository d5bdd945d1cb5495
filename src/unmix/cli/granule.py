"""`unmix simulate --granule`: the GF-5-like scene with regions and truth."""

from __future__ import annotations

from pathlib import Path

import typer

from unmix.checks import InputError
from unmix.cli.common import progress

__all__ = ["only_granule", "write"]

_TAKEN = {"out", "granule", "size", "snr", "seed", "overwrite"}


def only_granule(context: typer.Context) -> None:
    """`InputError` for an option that a granule does not take."""
    for name in context.params:
        source = context.get_parameter_source(name)
        typed = source is not None and source.name == "COMMANDLINE"
        if typed and name not in _TAKEN:
            raise InputError(f"{name.replace('_', '-')}: a granule has its own; leave it out")


def write(
    out: Path, size: tuple[int, int] | None, snr: str | None, seed: int, overwrite: bool
) -> None:
    """Make a granule and write it into the folder `out`."""
    from unmix.simulate.granule import SIZE, SNR, granule
    from unmix.simulate.granule_files import FILES, check_granule_folder, write_granule

    check_granule_folder(out, overwrite)
    try:
        level = SNR if snr is None else float(snr)
    except ValueError:
        raise InputError(f"snr: cannot read {snr!r:.40}; a granule has one, in dB") from None
    with progress(False) as tell:
        made = granule(size=size or SIZE, snr=level, seed=seed, progress=tell)
        place = write_granule(made, out, overwrite=overwrite)
    rows, cols, bands = made.scene.cube.shape
    typer.echo(
        f"{rows} × {cols} pixels × {bands} bands of {', '.join(made.scene.endmembers.names)}"
    )
    typer.echo("\n".join(str(place / name) for name in FILES))
