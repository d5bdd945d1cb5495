"""Endmember spectra of a scene, without abundances."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmix.checks import check_option
from unmix.pipeline import assemble, decide
from unmix.pipeline.ready import make_ready
from unmix.types import Endmembers

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["extract_endmembers"]


def extract_endmembers(
    scene: xr.DataArray | str | Path,
    n_endmembers: int,
    *,
    method: str = "vca",
    scale: str = "auto",
    seed: int = 0,
    preparation: Mapping[str, Any] | None = None,
) -> Endmembers:
    """Endmember spectra of a scene on its own bands, NaN in those left out.

    Parameters
    ----------
    scene : xarray.DataArray or path-like
    n_endmembers : int
    method : str
        A name in `unmix.methods.EXTRACTORS`: "vca", "spa", "nfindr", "sisal".
    scale : {"auto", "none", "l2", "max", "shade"}
    seed : int
    preparation : mapping, optional
        Keywords of `unmix.prepare.plan`.

    >>> from unmix.simulate import demo_scene
    >>> import xarray as xr
    >>> cube = demo_scene(0).cube[:40, 40:90]
    >>> len(extract_endmembers(xr.DataArray(cube, dims=("y", "x", "band")), 3))
    3
    """
    from unmix.methods import EXTRACTORS

    kind = EXTRACTORS[check_option(method, tuple(EXTRACTORS), "method")]
    ready = make_ready(scene, seed=seed, options=preparation)
    mode = decide.scale_mode(ready.X, None, n_endmembers, scale, seed)["mode"]
    found = kind(n_endmembers=n_endmembers, scale=mode, seed=seed).fit(ready.X).endmembers_
    source = f"{kind.label.split(' + ')[0]}, scale {mode}, seed {seed}"
    return assemble.member_spectra(ready, np.asarray(found), (), source)
