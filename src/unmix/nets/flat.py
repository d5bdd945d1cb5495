"""A network's parameters as one vector, for training, and a step on such vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Flat", "RMSprop"]

_ALIGN = 16  # floats: each parameter starts on a cache line


class Flat:
    """Parameters of one learning rate as views of one vector, their gradients likewise.

    Adam then makes one pass over one array where it made one a layer, and bfloat16 weights are
    cast once a step: with layers this small the bookkeeping costs more than the arithmetic.
    `vector` is the float32 master; the network computes with `weights`, which is the master
    itself or its copy in bfloat16.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
    lr : float
    dtype : torch.dtype
        What the network computes in: float32 or bfloat16.
    nonnegative : sequence of Tensor
        Those of the parameters that are projected on w ≥ 0 after a step.

    >>> line = nn.Linear(2, 1)
    >>> flat = Flat(line.parameters(), 0.1, torch.float32, [line.weight])
    >>> flat.vector.data.fill_(-1)[:2]
    tensor([-1., -1.])
    >>> flat.after_step()
    >>> line.weight.tolist(), line.bias.tolist()
    ([[0.0, 0.0]], [-1.0])
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        dtype: torch.dtype,
        nonnegative: Sequence[Tensor],
    ) -> None:
        self.parameters = list(parameters)
        sizes = [-(-p.numel() // _ALIGN) * _ALIGN for p in self.parameters]
        master = torch.zeros(sum(sizes), device=self.parameters[0].device)
        self.vector = nn.Parameter(master)
        self.gradient = self.vector.grad = torch.zeros_like(master)
        self.group = {"params": [self.vector], "lr": lr}
        self.weights = master if dtype == torch.float32 else master.to(dtype)
        self.gathered = self.gradient if dtype == torch.float32 else master.to(dtype)
        self.sizes = sizes
        for p, view in zip(self.parameters, self._views(master), strict=True):
            view.copy_(p.data)
        self.weights.copy_(master)
        chosen = {id(p) for p in nonnegative}
        self.clamped = [
            view
            for p, view in zip(self.parameters, self._views(master), strict=True)
            if id(p) in chosen
        ]
        for p, weight in zip(self.parameters, self._views(self.weights), strict=True):
            p.data = weight
        self.padding = [self.weights.new_zeros(n - p.numel()) for n, p in self._sized()]

    def _views(self, vector: Tensor) -> list[Tensor]:
        """The pieces of `vector`, each in its parameter's shape."""
        pieces = zip(vector.split(self.sizes), self.parameters, strict=True)
        return [piece[: p.numel()].view(p.shape) for piece, p in pieces]

    def _sized(self) -> Iterator[tuple[int, nn.Parameter]]:
        return zip(self.sizes, self.parameters, strict=True)

    def before_backward(self) -> None:
        """Forget the gradients of the step before."""
        for p in self.parameters:
            p.grad = None

    def before_step(self) -> None:
        """Gather the gradients in one vector (zero for a parameter the loss does not reach)."""
        pieces: list[Tensor] = []
        for p, padding in zip(self.parameters, self.padding, strict=True):
            gradient = torch.zeros_like(p) if p.grad is None else p.grad
            pieces += gradient.reshape(-1), padding
        torch.cat(pieces, out=self.gathered)
        if self.gathered is not self.gradient:
            self.gradient.copy_(self.gathered)

    def after_step(self) -> None:
        """Project the non-negative weights; give the network its copy of the new weights."""
        for weight in self.clamped:
            weight.clamp_(min=0)
        if self.weights.dtype != torch.float32:
            self.weights.copy_(self.vector.data)

    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        return bool(self.vector.isfinite().all())

    def release(self, vector: Tensor) -> None:
        """Give each parameter memory of its own, in float32, with the values of `vector`."""
        for p, values in zip(self.parameters, self._views(vector), strict=True):
            p.grad = None
            p.data = values.clone()


class RMSprop:
    """w ← w − lr g / (√v + ε) with v ← ρ v + (1 − ρ) g², ρ = 0.9, ε = 1e-7 (Hinton 2012).

    torch's own, without the bookkeeping that on batches of a few pixels costs as much as a layer.

    >>> w = nn.Parameter(torch.ones(2))
    >>> w.grad = torch.tensor([2.0, -2.0])
    >>> RMSprop([{"params": [w], "lr": 0.1}]).step()
    >>> w.data
    tensor([0.6838, 1.3162])
    """

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        self.pairs = [(p, float(group["lr"])) for group in groups for p in group["params"]]
        self.state = {p: {"square_avg": torch.zeros_like(p.data)} for p, _ in self.pairs}

    def step(self) -> None:
        """Move every parameter down its gradient."""
        for p, lr in self.pairs:
            square = self.state[p]["square_avg"]
            square.mul_(0.9).addcmul_(p.grad, p.grad, value=0.1)
            p.data.addcdiv_(p.grad, square.sqrt().add_(1e-7), value=-lr)
