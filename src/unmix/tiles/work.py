"""What is done with one tile: read, prepared, unmixed, checked; the maps of its pixels.

Nothing here depends on how the scene was cut: methods that look at neighbours are given the tile
with its halo, gaps filled as they are in the whole scene, and everything else is done pixel by
pixel with what was decided before.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmix.blocks import row_blocks
from unmix.parallel import over_items
from unmix.tiles.cut import Tile
from unmix.tiles.fill import filled, reach_of
from unmix.tiles.residual import residuals
from unmix.types import STATISTICS

if TYPE_CHECKING:
    import xarray as xr

    from unmix.methods.base import Unmixer
    from unmix.pipeline.features import FeaturePlan
    from unmix.prepare.preparation import Preparation

__all__ = ["Done", "Maps", "Unreadable", "Work"]

Pixels = NDArray[np.floating]
Maps = dict[str, NDArray[np.float32]]

_STRIP = 2**21  # values of the rows computed at a time: pixels and mixtures stay in cache


class Unreadable(OSError):
    """A window of the scene that cannot be read."""


@dataclass(frozen=True, eq=False)
class Done:
    """Maps of a tile.

    Parameters
    ----------
    maps : dict of str to ndarray, float32, shape (y, x, ...)
        Those of `Work.layers`; NaN where a pixel is not valid.
    seconds : mapping
        Spent on reading and on computing.
    """

    maps: Maps
    seconds: dict[str, float]


@dataclass(frozen=True, eq=False)
class Work:
    """A scene, and all that was decided about it.

    Parameters
    ----------
    scene : xarray.DataArray, dims (y, x, band)
    preparation : Preparation
    estimator : Unmixer
        Fitted.
    method : str
        Its name, for messages.
    scale : str
    uncertain : bool
        Whether the method says how sure it is.
    features : FeaturePlan, optional
    view : (red, green, blue)
        Bands of the false-colour view.
    """

    scene: xr.DataArray
    preparation: Preparation
    estimator: Unmixer
    method: str
    scale: str
    uncertain: bool
    features: FeaturePlan | None
    view: tuple[int, int, int]

    @property
    def halo(self) -> int:
        """Pixels around a pixel on which its maps depend."""
        return max(int(self.estimator.halo), 0 if self.features is None else self.features.halo)

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        """Maps by name with their shape after (y, x)."""
        n = len(self.estimator.endmembers_)
        found: dict[str, tuple[int, ...]] = {"abundances": (n,), "residual": (3,)}
        if self.uncertain:
            found["uncertainty"] = (n, len(STATISTICS))
        if self.features is not None:
            found["features"] = (3 * len(self.features.names),)
        return found | {"view": (3,)}

    def __call__(self, tile: Tile) -> Done:
        """The maps of a tile.

        Raises
        ------
        FloatingPointError
            The method gave no numbers.
        """
        start = time.perf_counter()
        if self.halo:
            window, pixels, valid, block = self._read(tile)
            read = time.perf_counter() - start
            inner = tile.within(window)
            maps = self._laid_out(pixels, valid, block, inner)
        else:
            block = self._block(tile)
            read = time.perf_counter() - start
            strips = list(row_blocks(block.shape, _STRIP))
            parts = over_items(lambda rows: self._strip(block, tile, rows), strips)
            maps = {name: np.concatenate([part[name] for part in parts]) for name in self.layers}
        return Done(maps, {"read": read, "compute": time.perf_counter() - start - read})

    def _strip(self, block: NDArray[np.float32], tile: Tile, rows: slice) -> Maps:
        """Maps of some rows of a tile, few enough to stay in the processor's cache."""
        part = block[rows]
        at = (tile.rows.start + rows.start, tile.cols.start)
        pixels, valid = self.preparation.apply(part, at)
        whole = (slice(0, part.shape[0]), slice(0, part.shape[1]))
        return self._laid_out(pixels, valid, part, whole)

    def _laid_out(
        self, pixels: Pixels, valid: NDArray[np.bool_], block: NDArray[np.float32],
        inner: tuple[slice, slice],
    ) -> Maps:  # fmt: skip
        """All maps of the inner part of a window (y, x, ...)."""
        seen = valid[inner]
        found: dict[str, Pixels] = {}
        if seen.any():
            found = self._maps(pixels, valid, inner)
            self._check(found)
            found["view"] = block[inner][..., self.view][seen]
        layers = self.layers.items()
        return {name: _laid_out(found.get(name), seen, shape) for name, shape in layers}

    def _check(self, maps: dict[str, Pixels]) -> None:
        """`FloatingPointError` unless all but features is numbers in every valid pixel."""
        if not all(np.isfinite(values).all() for k, values in maps.items() if k != "features"):
            raise FloatingPointError(f"{self.method} diverged; lower the learning rates set for it")

    def _read(self, tile: Tile) -> tuple[Tile, Pixels, NDArray[np.bool_], NDArray[np.float32]]:
        """A window around the tile: prepared pixels (y, x, band), which are valid, as stored.

        It is as wide as the halo, or wider where gaps in that have to be filled.
        """
        shape = self.scene.sizes["y"], self.scene.sizes["x"]
        window = tile.around(self.halo, shape)
        pixels, valid, block = self._prepared(window)
        if self.halo and valid[tile.within(window)].any() and not valid.all():
            window = tile.around(reach_of(self.halo), shape)
            pixels, valid, block = self._prepared(window)
        return window, pixels, valid, block

    def _block(self, window: Tile) -> NDArray[np.float32]:
        try:
            return np.asarray(self.scene[window.rows, window.cols].values, np.float32)
        except MemoryError:
            raise
        except Exception as error:  # whatever a format's library says of a bad block
            raise Unreadable(" ".join(str(error).split())[:200]) from error

    def _prepared(self, window: Tile) -> tuple[Pixels, NDArray[np.bool_], NDArray[np.float32]]:
        block = self._block(window)
        at = (window.rows.start, window.cols.start)
        pixels, valid = self.preparation.apply(block, at)
        return pixels, valid, block

    def _maps(
        self, pixels: Pixels, valid: NDArray[np.bool_], inner: tuple[slice, slice]
    ) -> dict[str, Pixels]:
        """Maps (valid pixel of the tile, ...)."""
        from sklearn import config_context

        seen = valid[inner]
        mine = pixels[inner]
        X = mine.reshape(-1, mine.shape[-1]) if seen.all() else mine[seen]
        image = None
        if self.halo:
            image, inner = _cropped(filled(pixels[valid], valid), inner, self.halo)
        with config_context(assume_finite=True):  # else a pass of its own for NaN
            if self.estimator.halo and image is not None:
                A, sure = self.estimator.transform_with_uncertainty(image)
                A = A[inner][seen]
                sure = None if sure is None else {k: v[inner][seen] for k, v in sure.items()}
            else:
                A, sure = self.estimator.transform_with_uncertainty(X)
        maps = {"abundances": A, "residual": residuals(self.estimator, X, A, self.scale)}
        if sure is not None and self.uncertain:
            maps["uncertainty"] = np.stack([sure[s] for s in STATISTICS], axis=-1)
        if self.features is not None:
            given = X if image is None or not self.features.halo else image
            maps["features"] = self.features(given, inner, seen)
        return maps


def _cropped(
    image: Pixels, inner: tuple[slice, slice], halo: int
) -> tuple[Pixels, tuple[slice, slice]]:
    """An image with no more than the halo around its inner part, and where that lies then."""
    outer = tuple(slice(max(s.start - halo, 0), s.stop + halo) for s in inner)
    moved = tuple(
        slice(s.start - o.start, s.stop - o.start) for s, o in zip(inner, outer, strict=True)
    )
    return np.ascontiguousarray(image[outer]), (moved[0], moved[1])


def _laid_out(
    values: Pixels | None, seen: NDArray[np.bool_], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Maps (y, x, *shape) of values (valid pixel, ...); NaN where a pixel is not valid.

    >>> _laid_out(np.ones((2, 3)), np.array([[True, False, True]]), (3,))[..., 0]
    array([[ 1., nan,  1.]], dtype=float32)
    """
    if values is not None and len(values) == seen.size:
        return np.ascontiguousarray(values, np.float32).reshape(*seen.shape, *shape)
    out = np.full((*seen.shape, *shape), np.nan, np.float32)
    if values is not None:
        out[seen] = values.reshape(-1, *shape)
    return out
