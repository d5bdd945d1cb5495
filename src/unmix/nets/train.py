"""The one training loop, for every network.

A network maps tensors to tensors; an objective is `objective(network, *batch) -> (loss, terms)`
with a scalar loss and a vector of the values to record. Files, presets and NumPy stay outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unmix.checks import InputError, check_option
from unmix.nets.descent import Descent, Objective
from unmix.nets.flat import Flat, RMSprop

__all__ = ["Objective", "Training", "seeded", "train"]

Progress = Callable[[int, int, dict[str, float]], object]

_NEGLIGIBLE = 1e-25  # a moment below this moves a weight by less than 1e-17 of lr
_MOMENTS = {"exp_avg", "exp_avg_sq", "square_avg"}
_GENERATOR = Lock()
_OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer | RMSprop]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "rmsprop": RMSprop,
}


@dataclass(frozen=True)
class Training:
    """How a training went.

    Parameters
    ----------
    history : dict of str to list of float
        For every recorded term its mean over the pixels of each completed epoch.
    n_epochs : int
        Completed epochs that the weights have seen.
    status : str
        A sentence that says how it ended.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    n_epochs: int = 0
    status: str = ""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Initial weights drawn inside come from `seed`; torch's own generator is put back after.

    >>> with seeded(3):
    ...     first = torch.rand(2)
    >>> with seeded(3):
    ...     torch.equal(first, torch.rand(2))
    True
    """
    with _GENERATOR:
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_rng_state(state)


def train(
    network: nn.Module,
    objective: Objective,
    data: Sequence[Tensor],
    *,
    groups: Sequence[tuple[Iterable[nn.Parameter], float]],
    names: Sequence[str],
    epochs: int,
    batch_size: int,
    seed: int = 0,
    dtype: str = "float32",
    nonnegative: Sequence[Tensor] = (),
    optimiser: str = "adam",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Training:
    """Minimise an objective over shuffled batches; the network is changed in place.

    The same seed, data and number of threads give the same weights to the byte. When an epoch
    ends with a loss or a weight that is not finite, the caller cancels, or anything is raised,
    training stops and the network gets back the weights of the last complete epoch.

    Parameters
    ----------
    network : nn.Module
        On any device.
    objective : callable
        `objective(network, *batch) -> (loss, terms)`; terms is a vector with one value a name.
    data : sequence of Tensor
        Equally long; a batch takes the same rows of each. On the network's device or the host's.
    groups : sequence of (parameters, learning rate)
        Parameters in no group stay as they are.
    names : sequence of str
        What the terms are called in the history.
    epochs, batch_size : int
        Passes over the data, and rows a step.
    seed : int
        Of the shuffling.
    dtype : {"float32", "bfloat16"}
        Arithmetic of the network's layers; weights, moments and losses stay float32.
    nonnegative : sequence of Tensor
        Parameters set to max(w, 0) after every step.
    optimiser : {"adam", "rmsprop"}
        Adam (Kingma & Ba 2015), or RMSprop (Hinton 2012) with a memory of 0.9.
    progress : callable, optional
        `progress(epoch, epochs, terms)` after every epoch.
    cancelled : callable, optional
        Asked before every step; True stops.

    Raises
    ------
    InputError
        Unknown dtype or optimiser, or epochs, batch size or a learning rate out of range.

    Examples
    --------
    >>> x = torch.linspace(0, 1, 64)[:, None]
    >>> with seeded(0):
    ...     line = nn.Linear(1, 1)
    >>> def objective(network, x, y):
    ...     loss = (network(x) - y).square().mean()
    ...     return loss, loss.detach()[None]
    >>> result = train(line, objective, (x, 3 * x + 1), groups=[(line.parameters(), 0.1)],
    ...                names=["loss"], epochs=200, batch_size=16)
    >>> round(line.weight.item(), 2), round(line.bias.item(), 2), result.status
    (3.0, 1.0, 'Trained for all 200 epochs.')
    """
    check_option(optimiser, tuple(_OPTIMISERS), "optimiser")
    _check(epochs, batch_size, dtype, [lr for _, lr in groups])
    network.train()
    low = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    flats = [Flat(parameters, lr, low, nonnegative) for parameters, lr in groups]
    stepper = _OPTIMISERS[optimiser]([flat.group for flat in flats])
    step = Descent(network, objective, data, flats, stepper, low)
    generator = torch.Generator().manual_seed(seed)
    history: dict[str, list[float]] = {name: [] for name in names}
    kept = _snapshot(network, flats)
    status = f"Trained for all {epochs} epochs."
    try:
        for epoch in range(1, epochs + 1):
            sums = torch.zeros(len(names), device=step.device)
            order = torch.randperm(len(data[0]), generator=generator).to(data[0].device)
            stop = False
            for rows in order.split(batch_size):
                if stop := cancelled is not None and cancelled():
                    break
                sums.add_(step(rows), alpha=len(rows) / len(order))
            if stop:
                status = f"Cancelled in epoch {epoch} of {epochs}; {_kept(epoch)}"
                break
            if not (sums.isfinite().all() and all(flat.is_finite() for flat in flats)):
                why = "not finite: lower lr"
                status = f"Diverged in epoch {epoch} of {epochs} ({why}); {_kept(epoch)}"
                break
            kept = _snapshot(network, flats)
            means = dict(zip(names, sums.tolist(), strict=True))
            for name, value in means.items():
                history[name].append(value)
            _drop_negligible(stepper)
            if progress is not None:
                progress(epoch, epochs, means)
    finally:  # an interrupt, too, leaves a network that can be used
        _restore(network, flats, kept)
    if step.pieces > 1:
        status += f" Batches went through in {step.pieces} pieces, for lack of memory."
    return Training(history, len(history[names[0]]), status)


def _check(epochs: int, batch_size: int, dtype: str, rates: list[float]) -> None:
    check_option(dtype, ("float32", "bfloat16"), "dtype")
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name}: got {value!r}; give a whole number of at least 1")
    for rate in rates:
        if not isinstance(rate, float | int) or not 0 < rate < float("inf"):
            raise InputError(f"lr: got {rate!r}; a learning rate is a positive number")


def _snapshot(network: nn.Module, flats: list[Flat]) -> tuple[list[Tensor], list[Tensor]]:
    """Copies of the float32 weights and of the network's buffers."""
    weights = [flat.vector.detach().clone() for flat in flats]
    return weights, [buffer.clone() for buffer in network.buffers()]


def _restore(
    network: nn.Module, flats: list[Flat], kept: tuple[list[Tensor], list[Tensor]]
) -> None:
    """Put a snapshot back and leave the network ready for inference."""
    for flat, vector in zip(flats, kept[0], strict=True):
        flat.release(vector)
    for buffer, values in zip(network.buffers(), kept[1], strict=True):
        buffer.copy_(values)
    network.eval()


def _kept(epoch: int) -> str:
    if epoch == 1:
        return "the weights are those from before training."
    return f"the weights are those after epoch {epoch - 1}."


def _drop_negligible(optimiser: torch.optim.Optimizer | RMSprop) -> None:
    """Zero the moments of units that no longer learn: as denormals they cost 100 times more."""
    for state in optimiser.state.values():
        for key in _MOMENTS & state.keys():
            state[key].copy_(F.hardshrink(state[key], _NEGLIGIBLE))
