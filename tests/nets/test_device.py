"""Devices by name, batches by memory, and what happens when memory runs out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unmix.checks import InputError
from unmix.nets import device as devices
from unmix.nets.device import (
    fitting,
    free_memory,
    in_halves,
    pick_device,
    resident,
    usable_device,
)
from unmix.nets.train import seeded, train

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["nonsense", "cuda:99", "meta2", ""])
def test_unknown_devices_are_refused_but_a_model_from_elsewhere_runs_on_the_cpu(name):
    with pytest.raises(InputError, match=r"^device:") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)
    assert usable_device(name) == CPU


def test_auto_is_the_cpu_where_the_gpu_does_not_work(monkeypatch):
    def broken(*_, device):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", broken)
    assert pick_device("auto") == CPU


@given(n=st.integers(1, 70), batch=st.integers(1, 90), room=st.integers(1, 90))
def test_every_item_goes_through_once_whatever_fits(n, batch, room):
    seen = []

    def step(start, stop):
        if stop - start > room:
            raise torch.OutOfMemoryError
        seen.extend(range(start, stop))

    last = in_halves(step, n, batch, device=CPU)
    assert seen == list(range(n))
    assert last <= batch and min(last, n) <= room
    assert last >= min(batch, (min(n, room) + 1) // 2)


def test_memory_for_less_than_the_least_is_one_line():
    tried = []

    def step(start, stop):
        tried.append(stop - start)
        raise torch.OutOfMemoryError

    with pytest.raises(InputError, match="no memory for 16 pixels at a time") as caught:
        in_halves(step, 1000, 128, least=16, device=CPU, what="pixels")
    assert tried == [128, 64, 32, 16] and "\n" not in str(caught.value)
    assert "--device cpu" in str(caught.value)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def step(start, stop):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        in_halves(step, 10, 8, device=CPU)


def test_a_batch_takes_half_of_what_is_free(monkeypatch):
    monkeypatch.setattr(devices, "free_memory", lambda device: 10_000)
    assert fitting(CPU, 100, 1000) == 50
    assert fitting(CPU, 100, 20) == 20
    assert fitting(CPU, 10**6, 20) == 1


def test_the_cpu_has_no_limit_of_its_own():
    assert free_memory(CPU) is None and fitting(CPU, 10**15, 77) == 77


def test_data_that_take_more_than_half_of_the_memory_stay_where_they_are(monkeypatch):
    moved = []

    class Data:
        def numel(self):
            return 100

        def element_size(self):
            return 4

        def to(self, device):
            moved.append(device)
            if len(moved) > 1:
                raise torch.OutOfMemoryError
            return "there"

    values = Data()
    monkeypatch.setattr(devices, "free_memory", lambda device: 800)
    assert resident(values, CPU) == "there"
    assert resident(values, CPU) is values and len(moved) == 2  # it ran out all the same
    monkeypatch.setattr(devices, "free_memory", lambda device: 799)
    assert resident(values, CPU) is values and len(moved) == 2


def trained(room, seed=0, epochs=3, batch=32, on=None):
    """A line trained where no more than `room` rows fit, and how it went."""
    with seeded(seed):
        network = nn.Linear(3, 1)
    x = torch.linspace(-1, 1, 75).reshape(25, 3).repeat(4, 1).sin()

    def objective(net, x, y):
        if len(x) > room:
            raise torch.OutOfMemoryError
        loss = (net(x) - y).square().mean()
        return loss, loss.detach()[None]

    done = train(
        network, objective, (x, x.sum(dim=1, keepdim=True)), names=["loss"], epochs=epochs,
        groups=[(network.parameters(), 0.05)], batch_size=batch, seed=seed,
    )  # fmt: skip
    return network.weight.detach().clone(), done


@pytest.mark.parametrize("room", [31, 16, 9, 5, 2])
def test_a_step_in_pieces_is_the_same_step(room):
    whole, plain = trained(32)
    pieces, done = trained(room)
    torch.testing.assert_close(pieces, whole, rtol=1e-4, atol=1e-6)
    assert done.history["loss"] == pytest.approx(plain.history["loss"], rel=1e-4)
    assert plain.status == "Trained for all 3 epochs."
    cut = {31: 2, 16: 2, 9: 4, 5: 8, 2: 16}[room]
    assert (
        done.status == f"{plain.status} Batches went through in {cut} pieces, for lack of memory."
    )


def test_a_step_that_never_fits_is_one_line_and_leaves_a_network():
    with pytest.raises(
        InputError, match=r"^device: cpu has no memory for a training step"
    ) as error:
        trained(1)
    assert "\n" not in str(error.value)
