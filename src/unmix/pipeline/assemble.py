"""What comes out: residuals, proof, record, and maps on the scene's grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.pipeline.features import FeaturePlan, labels
from unmix.pipeline.outside import NO_DATA, LeftOutMap, reasons
from unmix.pipeline.provenance import hash_files
from unmix.pipeline.ready import Ready, band_values
from unmix.types import STATISTICS, Endmembers, Unmixing

if TYPE_CHECKING:
    import xarray as xr

    from unmix.methods.base import Unmixer
    from unmix.tiles.cut import Tile

__all__ = ["assemble", "convergence", "describe", "left_out", "member_spectra", "record"]

Pixels = NDArray[np.floating]

_PROOF = 10_000  # pixels on which optimality is proved
_VIEW = 2048  # rows or columns of the false-colour view, at most


def convergence(estimator: Unmixer, X: Pixels, scale: str) -> dict[str, Any]:
    """Status sentence, and for the exact solvers the proof on a part of the pixels."""
    from unmix.methods.linear import LinearUnmixer

    found: dict[str, Any] = {"status": "solved exactly"}
    status = getattr(estimator, "status_", None)
    if status is not None:
        found = {"status": status, "iterations": getattr(estimator, "n_iter_", None)}
        if type(estimator).transform is not LinearUnmixer.transform:
            return found
        found["status"] = f"{status.rstrip('.')}; abundances solved exactly"
    from unmix.scaling import normalise
    from unmix.solve import kkt_residual, nnls

    x, E = X[:_PROOF], estimator.endmembers_
    if scale == "shade":
        kkt = kkt_residual(x, E, nnls(x, E), sum_to_one=False).max()
    else:
        kkt = kkt_residual(
            normalise(x, scale)[0], normalise(E, scale)[0], estimator.transform(x)
        ).max()
    return found | {"kkt": float(kkt), "pixels_checked": len(x)}


def describe(estimator: Unmixer, name: str) -> dict[str, Any]:
    """The method and every parameter that it uses, as the manifest holds them."""
    parameters = {
        key: value
        for key, value in estimator.get_params().items()
        if key not in ("endmembers", "progress", *getattr(estimator, "unused", ()))
    }
    label = type(estimator).label
    if estimator.get_params().get("endmembers") is not None and " + " in label:
        given, total = estimator.n_given, len(estimator.endmembers_)
        some = f"{given} of {total} endmembers" if given < total else "endmembers"
        label = f"{label.split(' + ')[-1]}, {some} given"
    return {"name": name, "label": label, "parameters": parameters}


_PRODUCT = ("sensor", "quantity", "units", "acquired", "sun_zenith", "product_bands")


def record(ready: Ready, outside: LeftOutMap) -> dict[str, Any]:
    """What was read, kept and masked, as the manifest holds it."""
    from unmix.scene import files_of, geo_of, swath_of

    swath, scene, prepared = swath_of(ready.scene), ready.scene, ready.preparation
    used = int((outside.code == 0).sum())
    return {
        "input": {
            "path": scene.attrs.get("source"),
            "files": hash_files(files_of(scene)),
            "format": scene.attrs.get("format"),
            **{key: scene.attrs[key] for key in _PRODUCT if key in scene.attrs},
            "shape": [scene.sizes[d] for d in ("y", "x", "band")],
            "crs": geo_of(scene)[0] if swath is None else swath.crs_wkt,
            "history": list(scene.attrs.get("history", [])),
        },
        "preparation": list(prepared.steps),
        "sample": ready.sample.about,
        "bands": {
            "kept": np.isin(np.arange(prepared.n_bands), prepared.kept).tolist(),
            "reason": {str(i): why for i, why in prepared.reasons.items()},
            "wavelength": band_values(scene, "wavelength"),
        },
        "pixels": {
            "total": int(outside.code.size),
            "masked": int(outside.code.size) - used,
            "by": {
                why: int((outside.code == i).sum()) for i, why in enumerate(outside.why, start=1)
            },
        },
        **({"regions": list(ready.regions)} if ready.regions else {}),
    }


def member_spectra(
    ready: Ready,
    spectra: Pixels,
    names: tuple[str, ...],
    source: str,
    spread: Pixels | None = None,
) -> Endmembers:
    """Spectra (member, kept band) on all the scene's bands, NaN in those left out."""
    restore = ready.preparation.restore_spectra
    return Endmembers(
        restore(np.asarray(spectra, np.float64)),
        band_values(ready.scene, "wavelength"),
        names,
        source,
        band_values(ready.scene, "fwhm"),
        None if spread is None else restore(np.asarray(spread, np.float64)),
    )


def left_out(
    ready: Ready, maps: Mapping[str, NDArray[np.float32]], unread: Sequence[Tile]
) -> LeftOutMap:
    """Which pixels have no abundances, and why."""
    valid = np.isfinite(maps["abundances"][..., 0])
    before = ready.left_out
    if not unread:
        return reasons(before, ready.preparation.mask, valid)
    gone = np.zeros(valid.shape, bool)
    for tile in unread:
        gone[tile] = True
    return reasons(before, ready.preparation.mask, valid, gone)


def assemble(
    ready: Ready,
    maps: Mapping[str, NDArray[np.float32]],
    endmembers: Endmembers,
    provenance: dict[str, Any],
    outside: LeftOutMap,
    features: FeaturePlan | None = None,
) -> Unmixing:
    """Maps on the scene's grid with the endmembers and the record.

    `maps` are those of `unmix.tiles.work.Work.layers`, (y, x, ...). Maps of a scene in swath
    geometry stay in the swath and carry their grid, `attrs["swath"]`.
    """
    import xarray as xr

    from unmix.plot import stretched
    from unmix.scene import geo_coords, swath_of

    swath = swath_of(ready.scene)
    attrs = {} if swath is None else {"swath": swath}
    grid = geo_coords(ready.scene)

    def on_grid(name: str, **labels: list[str]) -> xr.DataArray:
        return xr.DataArray(maps[name], {**grid, **labels}, ("y", "x", *labels), attrs=attrs)

    why = None
    if set(outside.why) - {NO_DATA}:
        code = outside.code.astype(np.float32)
        why = xr.DataArray(code, grid, ("y", "x"), attrs=attrs)
    member, sure, shown = list(endmembers.names), None, None
    if "uncertainty" in maps:
        sure = on_grid("uncertainty", member=member, quantity=list(STATISTICS))
    if features is not None:
        shown = on_grid("features", quantity=labels(features.names))
    step = max(1, int(np.ceil(max(outside.code.shape) / _VIEW)))
    return Unmixing(
        on_grid("abundances", member=member),
        endmembers,
        on_grid("residual", quantity=["rmse", "angle", "scale"]),
        provenance,
        stretched(maps["view"][::step, ::step]),
        sure,
        why,
        features=shown,
    )
