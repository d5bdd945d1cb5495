"""The training loop on small problems with known answers."""

import numpy as np
import pytest
import torch
from torch import nn

from unmix.checks import InputError
from unmix.nets.train import seeded, train

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def line(seed=0):
    with seeded(seed):
        return nn.Linear(2, 1)


def points(n=100):
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(n, 2)), dtype=torch.float32)
    return x, x @ torch.tensor([[2.0], [-1.0]]) + 0.5


def squared(network, x, y):
    loss = (network(x) - y).square().mean()
    return loss, torch.stack((loss, loss.sqrt())).detach()


def fit(network, data=None, **options):
    options = {"epochs": 3, "batch_size": 16, "names": ["loss", "root"]} | options
    options.setdefault("groups", [(network.parameters(), 0.05)])
    return train(network, squared, data or points(), **options)


def test_steps_are_those_of_adam():
    ours, theirs = line(), line()
    x, y = points(64)
    fit(ours, (x, y), epochs=4, batch_size=16, seed=5)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.05)
    generator = torch.Generator().manual_seed(5)
    for _ in range(4):
        for rows in torch.randperm(64, generator=generator).split(16):
            adam.zero_grad()
            squared(theirs, x[rows], y[rows])[0].backward()
            adam.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-4, atol=1e-6)


def test_steps_are_those_of_rmsprop():
    ours, theirs = line(), line()
    x, y = points(64)
    fit(ours, (x, y), epochs=4, batch_size=16, seed=5, optimiser="rmsprop")
    torchs = torch.optim.RMSprop(theirs.parameters(), lr=0.05, alpha=0.9, eps=1e-7)
    generator = torch.Generator().manual_seed(5)
    for _ in range(4):
        for rows in torch.randperm(64, generator=generator).split(16):
            torchs.zero_grad()
            squared(theirs, x[rows], y[rows])[0].backward()
            torchs.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-4, atol=1e-6)


def test_groups_have_their_own_rate_and_the_rest_stays():
    network = line()
    weight, bias = network.weight.detach().clone(), network.bias.detach().clone()
    fit(network, groups=[([network.weight], 1e-3)], epochs=1, batch_size=100)
    assert (network.weight - weight).abs().max().item() == pytest.approx(1e-3, rel=1e-2)
    assert torch.equal(network.bias, bias)


def test_history_is_the_pixel_mean_of_each_term():
    network = line()
    x, y = points(40)  # batches of 16, 16 and 8
    result = fit(network, (x, y), groups=[(network.parameters(), 1e-12)], epochs=1)
    assert result.history["loss"] == pytest.approx([squared(network, x, y)[0].item()], rel=1e-5)
    assert list(result.history) == ["loss", "root"]


def test_loss_falls_and_the_answer_is_found():
    network = line()
    result = fit(network, epochs=60)
    assert result.history["loss"][-1] < 1e-4 * result.history["loss"][0]
    np.testing.assert_allclose(network.weight.detach().numpy(), [[2, -1]], atol=0.01)
    assert result.n_epochs == 60 and result.status == "Trained for all 60 epochs."


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_same_seed_same_bytes_and_other_seed_other_bytes(dtype):
    def bytes_of(seed):
        network = line()
        fit(network, seed=seed, dtype=dtype)
        return network.weight.detach().numpy().tobytes()

    assert bytes_of(1) == bytes_of(1) != bytes_of(2)


def test_torchs_own_generator_is_left_alone():
    before = torch.get_rng_state()
    fit(line())
    assert torch.equal(before, torch.get_rng_state())


def test_bfloat16_trains_float32_weights():
    network = line()
    fit(network, dtype="bfloat16", epochs=60)
    assert network.weight.dtype == torch.float32
    np.testing.assert_allclose(network.weight.detach().numpy(), [[2, -1]], atol=0.05)
    low = network.weight.detach()
    assert not torch.equal(low, low.bfloat16().float())


def test_parameters_come_back_with_memory_of_their_own():
    network = line()
    fit(network)
    assert network.weight.grad is None and network.weight.untyped_storage().nbytes() == 8
    assert network.weight.requires_grad and not network.training


def test_nonnegative_weights_are_projected():
    network = line()
    fit(network, epochs=60, nonnegative=[network.weight])
    assert network.weight[0, 1].item() == 0 and network.weight[0, 0] > 1
    free = line()
    fit(free, epochs=60)
    assert free.weight[0, 1] < 0


def test_divergence_stops_and_gives_back_finite_weights():
    network = nn.Sequential(line(), nn.Linear(1, 1))
    before = [p.detach().clone() for p in network.parameters()]
    result = fit(network, groups=[(network.parameters(), 1e30)], epochs=5)
    assert result.n_epochs == 0 and result.history["loss"] == []
    assert result.status.startswith("Diverged in epoch 1 of 5") and "lower lr" in result.status
    assert all(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))


def test_divergence_later_gives_back_the_last_complete_epoch():
    network, calls = line(), []

    def objective(network, x, y):
        calls.append(None)
        loss, terms = squared(network, x, y)
        return (loss * float("nan"), terms * float("nan")) if len(calls) > 2 else (loss, terms)

    kept = []
    result = train(
        network, objective, points(32), groups=[(network.parameters(), 0.05)],
        names=["loss", "root"], epochs=4, batch_size=16,
        progress=lambda *_: kept.append(network.weight.detach().clone()),
    )  # fmt: skip
    assert result.n_epochs == 1 and "after epoch 1" in result.status
    assert torch.equal(network.weight, kept[0])


def test_cancelling_keeps_the_last_complete_epoch_and_its_buffers():
    network, kept, steps = nn.Sequential(line(), nn.BatchNorm1d(1)), [], []

    def cancelled():
        steps.append(None)
        return len(steps) > 10  # 7 steps an epoch

    def progress(epoch, epochs, terms):
        kept.append({k: v.clone() for k, v in network.state_dict().items()})
        assert (epoch, epochs) == (1, 4) and set(terms) == {"loss", "root"}

    result = fit(network, epochs=4, cancelled=cancelled, progress=progress)
    assert result.status == "Cancelled in epoch 2 of 4; the weights are those after epoch 1."
    assert result.n_epochs == len(kept) == 1
    for name, value in network.state_dict().items():
        assert torch.equal(value, kept[0][name]), name


def test_seeded_draws_and_restores():
    state = torch.get_rng_state()
    assert torch.equal(line(3).weight, line(3).weight)
    assert not torch.equal(line(3).weight, line(4).weight)
    with pytest.raises(RuntimeError), seeded(1):
        raise RuntimeError
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0), ("epochs", 2.0), ("epochs", True), ("batch_size", 0), ("batch_size", "8"),
        ("dtype", "float16"), ("optimiser", "sgd"), ("lr", 0.0), ("lr", -1.0),
        ("lr", float("nan")), ("lr", float("inf")),
    ],
)  # fmt: skip
def test_wrong_options_are_named(option, value):
    network = line()
    options = {"groups": [(network.parameters(), value)]} if option == "lr" else {option: value}
    with pytest.raises(InputError, match=f"^{option}: got"):
        fit(network, **options)


def test_an_interrupt_leaves_the_last_complete_epoch():
    network, kept, steps = line(), [], []

    def interrupt():
        steps.append(None)
        if len(steps) > 10:  # 7 steps an epoch
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        fit(
            network, dtype="bfloat16", cancelled=interrupt,
            progress=lambda *_: kept.append(network.weight.detach().float()),
        )  # fmt: skip
    assert len(kept) == 1 and network.weight.dtype == torch.float32 and not network.training
    torch.testing.assert_close(network.weight.detach(), kept[0], rtol=0.01, atol=0.01)


def test_a_parameter_the_loss_does_not_reach_stays():
    network, idle = line(), nn.Parameter(torch.ones(3))
    fit(network, groups=[([network.weight, idle], 0.05)])
    assert torch.equal(idle.detach(), torch.ones(3))
