"""The hot paths, each beside the least that any program must do for the same answer.

A floor is named for what it is: reading every pixel once, copying it, the matrix products of a
network at the best rate found on this processor, writing the answer's bytes. A path never gets
nearer than 1 to it unless the floor does something that the path found unnecessary.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from common import read_once, scene

from unmix.parallel import n_threads, over_pixels

__all__ = ["PATHS", "Hot", "Setting"]

Action = Callable[[], Any]


@dataclass(frozen=True)
class Hot:
    """A path and its floor on the same pixels."""

    floor_is: str
    path: Action
    floor: Action
    pixels: int
    bar: float | None = None
    threads: int = n_threads()


class Setting:
    """Pixels (pixel, band) in float32, flat Dirichlet mixtures of K spectra at 30 dB."""

    def __init__(self, pixels: int, bands: int, members: int) -> None:
        self.size = (pixels, bands, members)
        self.X, self.E = scene(pixels, bands, members)
        self.folder = tempfile.TemporaryDirectory()

    def reading(self, path: Action, bar: float | None = None, pixels: int | None = None) -> Hot:
        """A path that no program can finish before it has seen every value once."""
        X = self.X[:pixels]
        return Hot("reading X once", path, lambda: read_once(X), len(X), bar)

    @cached_property
    def network(self) -> Any:
        """The published network, trained for one epoch on a few pixels."""
        from unmix.methods.cresdae import CResDAE
        from unmix.nets.device import one_torch_thread

        quick = {"preset": "paper", "epochs": 1, "pretrain_epochs": 1, "device": "cpu"}
        with one_torch_thread():
            return CResDAE(endmembers=self.E, **quick).fit(self.X[:5000])

    @cached_property
    def default(self) -> Any:
        """The default method, fitted with these endmembers to some pixels."""
        from unmix.methods.cresdae import CResDAE

        return CResDAE(endmembers=self.E).fit(self.X[:5000])


def fcls(s: Setting) -> Hot:
    from unmix.solve import fcls

    return s.reading(lambda: fcls(s.X, s.E), 3)


def nnls(s: Setting) -> Hot:
    from unmix.solve import nnls

    return s.reading(lambda: nnls(s.X, s.E))


def khype(s: Setting) -> Hot:
    from unmix.solve import khype

    unit = float(s.E.max())
    return s.reading(lambda: khype(s.X, s.E, unit=unit), 6)


def skhype(s: Setting) -> Hot:
    from unmix.solve import skhype

    few, unit = max(s.size[0] // 20, 1), float(s.E.max())
    return s.reading(lambda: skhype(s.X[:few], s.E, unit=unit), pixels=few)


def vca(s: Setting) -> Hot:
    from unmix.extract import vca

    return s.reading(lambda: vca(s.X, s.size[2]), 10)


def noise(s: Setting) -> Hot:
    from unmix.subspace import estimate_noise

    return s.reading(lambda: estimate_noise(s.X))


def features(s: Setting) -> Hot:
    from unmix.features import feature_maps

    wavelength = np.linspace(381.0, 2493.0, s.size[1])
    return s.reading(lambda: feature_maps(s.X, wavelength))


def prepare(s: Setting) -> Hot:
    """Two water windows and the ends left out, values divided."""
    from unmix.prepare.preparation import Preparation

    n_bands = s.size[1]
    share = np.arange(n_bands) / n_bands
    windows = ((share < 0.02), (share > 0.45) & (share < 0.49), (share > 0.66) & (share < 0.72))
    kept = np.flatnonzero(~np.logical_or.reduce(windows) & (share < 0.98))
    plan = Preparation(n_bands, kept, divisor=2.0)

    def copy() -> None:
        out = np.empty((len(s.X), len(kept)), np.float32)

        def piece(start: int, stop: int) -> int:
            out[start:stop] = s.X[start:stop, : len(kept)]
            return 0

        over_pixels(piece, len(s.X))

    return Hot("copying as many bands into new memory", lambda: plan.apply(s.X), copy, len(s.X))


def products(layers: list[Any], X: np.ndarray) -> Action:
    """Products of all pixels with the weights of these layers, and nothing else.

    By oneDNN with weights in its own order, 2048 pixels at a time and a thread on each batch: of
    NumPy, `torch.mm` and this, with batches of 256 to 16 384, the quickest by a factor of 2.
    """
    import torch

    from unmix.nets.device import one_torch_thread
    from unmix.nets.fused import ROWS
    from unmix.nets.inference import keep_freed_memory

    pixels = torch.from_numpy(X)
    product, order = torch.ops.mkldnn._linear_pointwise, torch.ops.mkldnn._reorder_linear_weight
    packed = [order(layer.weight.detach(), ROWS) for layer in layers]
    inputs = [torch.rand(ROWS, layer.in_features) for layer in layers]

    def piece(start: int, stop: int) -> int:
        with torch.inference_mode(), one_torch_thread():
            for i in range(start, stop, ROWS):
                first = pixels[i : min(i + ROWS, stop)]
                for j, weight in enumerate(packed):
                    product(inputs[j][: len(first)] if j else first, weight, None, "none", [], "")
        return 0

    keep_freed_memory()
    return lambda: over_pixels(piece, len(X))


def network(s: Setting) -> Hot:
    """The published network's `transform`: check, encoder, sum to one."""
    import torch

    layers = [m for m in s.network.network_.encoder.modules() if isinstance(m, torch.nn.Linear)]
    floor = products(layers, s.X)
    return Hot(
        "its matrix products (oneDNN, packed)", lambda: s.network.transform(s.X), floor,
        len(s.X), 1.5,
    )  # fmt: skip


def decoder(s: Setting) -> Hot:
    """The published network's `inverse_transform`, its first nonlinear layer folded as there."""
    import torch

    few = max(s.size[0] // 5, 1)
    A = np.random.default_rng(0).dirichlet(np.ones(s.size[2]), few).astype(np.float32)
    part = s.network.network_.decoder
    folded = torch.nn.Linear(s.size[2], part.hidden)
    floor = products([part.linear, folded, part.second], A)
    model = s.network
    return Hot(
        "its matrix products (oneDNN, packed)", lambda: model.inverse_transform(A), floor, few
    )


def training(s: Setting) -> Hot:
    """An epoch of the published recipe, batches of 1024, one thread on both sides."""
    import bench_training as bench
    import torch

    from unmix.nets.device import one_torch_thread

    few = max(s.size[0] // 20, 1024)
    X, E = torch.from_numpy(s.X[:few] / s.X.max()), torch.from_numpy(s.E / s.X.max())
    epoch, made = bench.training(X, E, 1024, "float32")
    least = bench.floor(bench.layers(made), len(X), 1024, torch.float32)

    def alone(action: Action) -> Action:
        def run() -> None:
            with one_torch_thread():
                action()

        return run

    floor_is = "its matrix products, forward and back (torch.mm)"
    return Hot(floor_is, alone(epoch), alone(least), len(X), 1.6, threads=1)


def default(s: Setting) -> Hot:
    """The default method's `transform` of pixels that are no image."""
    from unmix.solve.project import project

    few = max(s.size[0] // 20, 1)
    X, axes = s.X[:few], np.ascontiguousarray(s.default.axes_.T, np.float32)
    floor_is = f"one pass: {len(axes)} coordinates of every pixel"
    return Hot(floor_is, lambda: s.default.transform(X), lambda: project(X, axes), few)


def default_of_image(s: Setting) -> Hot:
    """The same of an image: its noise is averaged away over alike patches first."""
    from unmix.methods.cresdae import CResDAE
    from unmix.solve.project import project

    side = max(int((s.size[0] / 100) ** 0.5), 40)
    X = s.X[: side * (side + 3)].reshape(side, side + 3, -1)
    model = CResDAE(endmembers=s.E).fit(X)
    flat = X.reshape(-1, X.shape[2])
    axes = np.ascontiguousarray(model.axes_.T, np.float32)
    floor_is = f"one pass: {len(axes)} coordinates of every pixel"
    return Hot(floor_is, lambda: model.transform(X), lambda: project(flat, axes), len(flat))


def geotiff(s: Setting) -> Hot:
    """Abundances as a Cloud Optimized GeoTIFF: tiled, deflated, overviews, read back."""
    from unmix.output.rasters import write_tiff

    side = max(int(s.size[0] ** 0.5), 16)
    n = side * side
    A = s.network.transform(s.X[:n]).T.reshape(-1, side, side)
    A = np.ascontiguousarray(A)
    names = [f"member {k}" for k in range(len(A))]
    folder = Path(s.folder.name)
    return Hot(
        "writing the same bytes to a file",
        lambda: write_tiff(folder / "a.tif", A, names, None, None),
        lambda: (folder / "a.raw").write_bytes(A.data),
        n,
        threads=1,
    )


PATHS: dict[str, Callable[[Setting], Hot]] = {
    "FCLS": fcls,
    "NNLS": nnls,
    "K-Hype": khype,
    "SK-Hype": skhype,
    "VCA": vca,
    "noise": noise,
    "preparing": prepare,
    "feature maps": features,
    "network, transform": network,
    "network, inverse": decoder,
    "network, training": training,
    "default, pixels": default,
    "default, image": default_of_image,
    "GeoTIFF": geotiff,
}
