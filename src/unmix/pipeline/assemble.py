"""What comes out: residuals, proof, record, and maps on the scene's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.pipeline.features import labels, stacked
from unmix.pipeline.outside import NO_DATA, reasons
from unmix.pipeline.provenance import hash_files
from unmix.pipeline.ready import Ready, band_values
from unmix.types import STATISTICS, Endmembers, Unmixing

if TYPE_CHECKING:
    import xarray as xr

    from unmix.features import FeatureMaps
    from unmix.methods.base import Unmixer

__all__ = ["assemble", "convergence", "describe", "member_spectra", "record", "residuals"]

Pixels = NDArray[np.floating]

_CHUNK = 65_536  # pixels whose residual is worked out at a time
_PROOF = 10_000  # pixels on which optimality is proved


def residuals(estimator: Unmixer, X: Pixels, A: Pixels, scale: str) -> NDArray[np.float32]:
    """Reconstruction RMSE, spectral angle [rad] and brightness of every pixel: (pixel, 3)."""
    out = np.empty((len(X), 3), np.float32)
    for start in range(0, len(X), _CHUNK):
        part = slice(start, start + _CHUNK)
        x, fit = X[part], estimator.inverse_transform(A[part])
        along = (x * fit).sum(axis=-1)
        power = np.maximum((fit * fit).sum(axis=-1), np.finfo(np.float32).tiny)
        s = along / power if scale != "none" else np.ones(len(x), x.dtype)
        size = np.sqrt(power) * np.linalg.norm(x, axis=-1)
        out[part, 0] = np.sqrt(((x - s[:, None] * fit) ** 2).mean(axis=-1))
        cosine = along / np.maximum(size, np.finfo(np.float32).tiny)
        out[part, 1] = np.arccos(np.clip(cosine, -1, 1))
        out[part, 2] = s
    return out


def convergence(estimator: Unmixer, X: Pixels, A: Pixels, scale: str) -> dict[str, Any]:
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
        kkt = kkt_residual(normalise(x, scale)[0], normalise(E, scale)[0], A[:_PROOF]).max()
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


def record(ready: Ready) -> dict[str, Any]:
    """What was read, kept and masked, as the manifest holds it."""
    from unmix.scene import files_of, geo_of, swath_of

    swath = swath_of(ready.scene)
    scene, prepared, valid = ready.scene, ready.preparation, ready.valid
    outside = reasons(ready.left_out, prepared.mask, valid)
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
        "bands": {
            "kept": np.isin(np.arange(prepared.n_bands), prepared.kept).tolist(),
            "reason": {str(i): why for i, why in prepared.reasons.items()},
            "wavelength": band_values(scene, "wavelength"),
        },
        "pixels": {
            "total": int(valid.size),
            "masked": int(valid.size - valid.sum()),
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


def assemble(
    ready: Ready,
    A: Pixels,
    residual: NDArray[np.float32],
    endmembers: Endmembers,
    provenance: dict[str, Any],
    uncertainty: Pixels | None = None,
    features: FeatureMaps | None = None,
) -> Unmixing:
    """Maps on the scene's grid with the endmembers and the record.

    `A`, `residual` and what is in `features` are (valid pixel, ...), `uncertainty` (valid pixel,
    member, statistic). Maps of a scene in swath geometry stay in the swath and carry their grid,
    `attrs["swath"]`.
    """
    import xarray as xr

    from unmix.plot import false_colour
    from unmix.scene import geo_coords, swath_of

    swath = swath_of(ready.scene)
    attrs = {} if swath is None else {"swath": swath}
    grid, valid = geo_coords(ready.scene), ready.valid

    def on_grid(values: Pixels, **labels: list[str]) -> xr.DataArray:
        full = np.full((*valid.shape, *values.shape[1:]), np.nan, np.float32)
        full[valid] = values
        return xr.DataArray(full, {**grid, **labels}, ("y", "x", *labels), attrs=attrs)

    outside = reasons(ready.left_out, ready.preparation.mask, valid)
    why = None
    if set(outside.why) - {NO_DATA}:
        code = outside.code.astype(np.float32)
        why = xr.DataArray(code, grid, ("y", "x"), attrs=attrs)
    member, sure = list(endmembers.names), None
    if uncertainty is not None:
        sure = on_grid(uncertainty, member=member, quantity=list(STATISTICS))
    shown = None
    if features is not None:
        shown = on_grid(stacked(features), quantity=labels(features.names))
    seen = np.where(valid[..., None], ready.cube, np.float32(np.nan))
    return Unmixing(
        on_grid(A, member=member),
        endmembers,
        on_grid(residual, quantity=["rmse", "angle", "scale"]),
        provenance,
        false_colour(seen, band_values(ready.scene, "wavelength")),
        sure,
        why,
        features=shown,
    )
