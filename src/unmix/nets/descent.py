"""One step of training: gradients of a batch, in pieces where memory does not hold all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from unmix.nets.device import exact, no_room
from unmix.nets.flat import Flat, RMSprop

__all__ = ["Descent", "Objective"]

Objective = Callable[..., tuple[Tensor, Tensor]]

_LEAST = 2  # rows of a piece: batch normalisation needs as many


class Descent:
    """Steps down the gradient of an objective that is a mean over a batch's rows.

    When a batch runs out of the device's memory its gradient is summed over two pieces, then four,
    and so on for the steps after it: the same step, up to rounding and up to what a layer learns of
    a batch as a whole (batch normalisation, pooled attention), which it then learns of a piece.

    Parameters
    ----------
    network : nn.Module
    objective : callable
        `objective(network, *batch) -> (loss, terms)`.
    data : sequence of Tensor
        Equally long, each on the network's device or, where it is too large for that, on the host.
    flats : sequence of Flat
    optimiser
        With a method `step`.
    dtype : torch.dtype
        Arithmetic of the layers: float32 or bfloat16.

    Attributes
    ----------
    pieces : int
        How many a batch is cut into.

    >>> _ = torch.manual_seed(0)
    >>> line = nn.Linear(2, 1)
    >>> flats = [Flat(line.parameters(), 0.001, torch.float32, [])]
    >>> def objective(network, x):
    ...     loss = network(x).square().mean()
    ...     return loss, loss.detach()[None]
    >>> step = Descent(line, objective, [torch.ones(8, 2)], flats,
    ...                RMSprop([f.group for f in flats]), torch.float32)
    >>> before = step(torch.arange(4)).item()
    >>> bool(step(torch.arange(4)) < before), step.pieces
    (True, 1)
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        data: Sequence[Tensor],
        flats: Sequence[Flat],
        optimiser: torch.optim.Optimizer | RMSprop,
        dtype: torch.dtype,
    ) -> None:
        self.network = network
        self.objective = objective
        self.data = data
        self.flats = flats
        self.optimiser = optimiser
        self.dtype = dtype
        self.device = next(network.parameters()).device
        self.pieces = 1

    def __call__(self, rows: Tensor) -> Tensor:
        """Make a step on these rows of the data; the objective's terms on them.

        Raises
        ------
        InputError
            The device's memory does not hold two rows.
        """
        terms = self._gradients(rows)
        while terms is None:
            if len(rows) < 2 * _LEAST * self.pieces:
                least = len(rows) // self._cut(rows)
                raise no_room(self.device, f"a training step of {least} rows")
            self.pieces *= 2
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            terms = self._gradients(rows)
        for flat in self.flats:
            flat.before_step()
        self.optimiser.step()
        for flat in self.flats:
            flat.after_step()
        return terms

    def _gradients(self, rows: Tensor) -> Tensor | None:
        """Leave the gradients of these rows in the parameters; None when memory ran out."""
        for flat in self.flats:
            flat.before_backward()
        try:
            with exact(self.device):
                return self._all(rows)
        except torch.OutOfMemoryError:
            for flat in self.flats:
                flat.before_backward()
            return None

    def _all(self, rows: Tensor) -> Tensor:
        if (pieces := self._cut(rows)) == 1:
            return self._piece(rows, 1.0)
        shares = [(part, len(part) / len(rows)) for part in rows.tensor_split(pieces)]
        return torch.stack([self._piece(part, share) for part, share in shares]).sum(dim=0)

    def _cut(self, rows: Tensor) -> int:
        """Pieces of these rows: of the last batch of an epoch, which is smaller, fewer."""
        return max(1, min(self.pieces, len(rows) // _LEAST))

    def _piece(self, rows: Tensor, share: float) -> Tensor:
        """Add the gradients of some rows, which are a share of the batch."""
        batch = [t.index_select(0, rows.to(t.device)).to(self.device) for t in self.data]
        low = self.dtype == torch.bfloat16
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            loss, terms = self.objective(self.network, *batch)
        if share == 1:
            loss.backward()
            return terms
        (loss * share).backward()
        return terms * share
