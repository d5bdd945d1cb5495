"""Results to write: rotated, in degrees, without coordinates, of a swath."""

from __future__ import annotations

import numpy as np
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from unmix.ortho import from_glt
from unmix.types import Endmembers, Unmixing

ROTATED = Affine.translation(4.5e5, 5.2e6) @ Affine.rotation(33.0) @ Affine.scale(30.1, -29.7)
NAMES = ("Tree, wet", "=1+1", '<script>alert("x")</script> & {é}')
NM = np.array([550.0, 660.0, 865.0, 1600.0, 2200.0])


def on_map(values, crs=32633, transform=ROTATED, **labels):
    """Maps (y, x, ...) with the coordinate that places them."""
    coords = dict(labels)
    if transform is not None:
        where = {"GeoTransform": " ".join(repr(v) for v in transform.to_gdal())}
        if crs is not None:
            where["crs_wkt"] = CRS.from_epsg(crs).to_wkt()
        coords["spatial_ref"] = xr.DataArray(0, attrs=where)
    return xr.DataArray(values, dims=("y", "x", *labels), coords=coords)


def mineral_scene(crs=32633, transform=ROTATED, names=NAMES, sure=True, features=True) -> Unmixing:
    """9 × 13 pixels: ground of the first member, patches of the others, a hole without data."""
    A = np.zeros((9, 13, len(names)), np.float32)
    A[..., 0] = 1
    A[1:4, 2:5] = [0.1, 0.9, 0][: len(names)]
    A[4, 5] = [0.4, 0.6, 0][: len(names)]  # touches the patch above at a corner
    A[6:8, 9:12] = [0.2, 0.1, 0.7][: len(names)]
    A[8, 0] = [0.3, 0.7, 0][: len(names)]  # too small
    A[0, 12] = np.nan
    rng = np.random.default_rng(5)
    residual = rng.random((9, 13, 3), dtype=np.float32)
    spectra = np.array([[0.3, 0.35, 0.4, 0.5, 0.4], [0.5] * 5, [0.2, 0.3, 0.35, 0.6, 0.3]])
    labels = {"member": list(names)}
    sd = np.where(np.isfinite(A), np.float32(0.03), np.nan)
    width = np.stack([sd, A - 0.05, A + 0.05], axis=-1)
    place = {"crs": crs, "transform": transform}
    quantity = ["2200 nm depth", "2200 nm centre [nm]", "2200 nm mask"]
    maps = np.stack([A[..., 1] / 5, np.where(A[..., 1] > 0.5, 2207, np.nan), A[..., 1] > 0.5], -1)
    return Unmixing(
        on_map(A, **place, **labels),
        Endmembers(spectra[: len(names)], NM, names),
        on_map(residual, **place, quantity=["rmse", "angle", "scale"]),
        {"seed": 3},
        rng.random((9, 13, 3)),
        on_map(width, **place, **labels, quantity=["sd", "low", "high"]) if sure else None,
        features=on_map(maps.astype(np.float32), **place, quantity=quantity) if features else None,
    )


def swath_scene() -> tuple[Unmixing, tuple[np.ndarray, np.ndarray]]:
    """The scene as a swath whose grid shows it mirrored, with a gap; its lookup table."""
    scene = mineral_scene(None, None)
    row, col = np.indices((9, 13)) + 1
    glt_x, glt_y = np.pad(col[:, ::-1], 1), np.pad(row, 1)
    glt_x[4, 3] = glt_y[4, 3] = 0
    wkt = CRS.from_epsg(32633).to_wkt()
    grid = (60.0, 0.0, 4e5, 0.0, -60.0, 5e6)
    ortho = from_glt(glt_x, glt_y, (9, 13), wkt, grid, "test")
    scene.abundances.attrs["swath"] = ortho
    return scene, (glt_x, glt_y)
