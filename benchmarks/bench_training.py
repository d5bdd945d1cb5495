"""One epoch of CResDAE training against the matrix products its layers cannot do without.

    python benchmarks/bench_training.py [--pixels 94249] [--bands 162] [--threads 2]

The floor is every layer of Tables 1 and 2 as published (forward, weight gradient, and input
gradient except for the first layer) by `torch.mm` into preallocated arrays, in the same type, with
the same threads, in the same run; nothing else: no activation, loss, optimiser or data. Training
is `unmix.nets.train.train` with everything. Bar: 1.6 × the floor in float32, and in bfloat16 if
it can be had. A ratio below 1 is possible: the decoder's first nonlinear layer is folded into
K columns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from common import announce, interleaved, keep, scene
from torch import Tensor, nn

from unmix.nets.cresdae import CResDAENet
from unmix.nets.losses import CompositeLoss
from unmix.nets.train import seeded, train

Path = Callable[[], Any]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def layers(network: nn.Module) -> list[tuple[int, int]]:
    """(inputs, outputs) of every linear layer, in order."""
    return [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]


def products(shapes: list[tuple[int, int]], rows: int, dtype: torch.dtype) -> Path:
    """The matrix products of one step on `rows` pixels."""

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape).to(dtype)

    sets = []
    for n, m in shapes:
        x, w, g = draw(rows, n), draw(m, n), draw(rows, m)
        sets.append((x, w, g, torch.empty_like(g), torch.empty_like(w), torch.empty_like(x)))

    def step() -> None:
        for i, (x, w, g, y, dw, dx) in enumerate(sets):
            torch.mm(x, w.t(), out=y)
            torch.mm(g.t(), x, out=dw)
            if i:
                torch.mm(g, w, out=dx)

    return step


def floor(shapes: list[tuple[int, int]], pixels: int, batch: int, dtype: torch.dtype) -> Path:
    """The products of an epoch, the last, smaller batch included."""
    full = products(shapes, batch, dtype)
    rest = products(shapes, pixels % batch, dtype) if pixels % batch else lambda: None

    def epoch() -> None:
        for _ in range(pixels // batch):
            full()
        rest()

    return epoch


def training(X: Tensor, E: Tensor, batch: int, dtype: str) -> tuple[Path, nn.Module]:
    """One epoch by the package's own loop, and the network it trains."""
    with seeded(0):
        network = CResDAENet(X.shape[1], len(E))
    network.decoder.linear.weight.data.copy_(E.T)
    loss = CompositeLoss()

    def objective(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        x_hat, a = net(x)
        return loss(x_hat, a, x)

    def epoch() -> None:
        groups = [(network.encoder.parameters(), 1e-3), (network.decoder.parameters(), 1e-5)]
        train(
            network, objective, (X,), groups=groups, names=loss.names, epochs=1, batch_size=batch,
            dtype=dtype, nonnegative=[network.decoder.linear.weight],
        )  # fmt: skip

    return epoch, network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=94_249)
    parser.add_argument("--bands", type=int, default=162)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    announce()
    X, E = (torch.from_numpy(v) for v in scene(options.pixels, options.bands, options.members))
    X, E = X / X.max(), E / X.max()
    paths: dict[str, Path] = {}
    for name, dtype in DTYPES.items():
        paths[f"train {name}"], network = training(X, E, options.batch, name)
        shapes = layers(network)
        paths[f"floor {name}"] = floor(shapes, options.pixels, options.batch, dtype)
    seconds = interleaved(paths, options.rounds)
    rows = []
    for name in DTYPES:
        epoch, bound = seconds[f"train {name}"], seconds[f"floor {name}"]
        print(f"{name:9} {epoch:6.3f} s an epoch, floor {bound:6.3f} s, ratio {epoch / bound:.2f}")
        row = {"dtype": name, "epoch_s": epoch, "floor_s": bound, "ratio": epoch / bound}
        rows.append(row | {"bar": 1.6} | vars(options))
    keep("training", rows)


if __name__ == "__main__":
    main()
