"""NAE and LinearAE: layers as published, and the forward pass written out in NumPy."""

import numpy as np
import pytest
import torch

from unmix.nets.blocks import Shares, SoftThreshold
from unmix.nets.linear_ae import DROPOUT, LinearAENet, gaussian_dropout
from unmix.nets.losses import angle, spectral_angle
from unmix.nets.nae import NAENet
from unmix.nets.train import seeded


def linears(network):
    return [
        (name, tuple(m.weight.shape), m.bias is not None)
        for name, m in network.named_modules()
        if isinstance(m, torch.nn.Linear)
    ]


def weights(network):
    return {k: v.detach().numpy().astype(float) for k, v in network.state_dict().items()}


def leaky(z):
    return np.where(z > 0, z, 0.1 * z)


@pytest.fixture
def x():
    return np.random.default_rng(0).random((9, 12)).astype(np.float32)


def test_layers_of_nae_are_those_published():
    network = NAENet(224, 4)
    assert linears(network) == [
        ("encoder.0", (128, 224), True),
        ("encoder.2", (64, 128), True),
        ("encoder.4", (16, 64), True),
        ("encoder.6", (4, 16), True),
        ("decoder.linear", (224, 4), False),
        ("decoder.first", (224, 224), True),
        ("decoder.second", (224, 224), True),
    ]
    count = 225 * 128 + 129 * 64 + 65 * 16 + 17 * 4 + 4 * 224 + 2 * 225 * 224
    assert sum(p.numel() for p in network.parameters()) == count


def test_nae_forward_is_its_equations(x):
    with seeded(1):
        network = NAENet(12, 3)
    w = weights(network)
    v = x.astype(float)
    for i in (0, 2, 4, 6):
        v = v @ w[f"encoder.{i}.weight"].T + w[f"encoder.{i}.bias"]
        v = leaky(v) if i < 6 else v
    a = np.abs(v) / np.abs(v).sum(axis=1, keepdims=True)
    z = a @ w["decoder.linear.weight"].T
    hidden = 1 / (1 + np.exp(-(z @ w["decoder.first.weight"].T + w["decoder.first.bias"])))
    bent = hidden @ w["decoder.second.weight"].T + w["decoder.second.bias"]
    x_hat, found = (t.detach().numpy() for t in network(torch.tensor(x)))
    np.testing.assert_allclose(found, a, atol=1e-6)
    np.testing.assert_allclose(x_hat, bent, atol=1e-5)
    again = network.decoder.bend(torch.tensor(z, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(again, bent, atol=1e-5)


def test_layers_of_linear_ae_are_those_published():
    network = LinearAENet(156, 3)
    assert linears(network) == [
        ("encoder.0", (27, 156), False),
        ("encoder.2", (18, 27), False),
        ("encoder.4", (9, 18), False),
        ("encoder.6", (3, 9), False),
        ("decoder", (156, 3), False),
    ]
    count = 156 * 27 + 27 * 18 + 18 * 9 + 9 * 3 + 2 * 3 + 3 + 3 * 156  # norm, threshold, decoder
    assert sum(p.numel() for p in network.parameters()) == count
    assert (network.decoder.weight >= 0).all() and (network.decoder.weight > 0).any()


@pytest.mark.parametrize("training", [True, False])
def test_linear_ae_forward_is_its_equations(x, training):
    with seeded(1):
        network = LinearAENet(12, 3).train(training)
        network.encoder[-2].threshold.data.fill_(0.3)
        network.encoder[-3].running_mean.fill_(0.01)
        network.encoder[-3].weight.data.copy_(torch.tensor([1.0, 2.0, 0.5]))
    w = weights(network)
    v = x.astype(float)
    for i in (0, 2, 4, 6):
        v = leaky(v @ w[f"encoder.{i}.weight"].T)
    mean = v.mean(axis=0) if training else w["encoder.8.running_mean"]
    variance = v.var(axis=0) if training else w["encoder.8.running_var"]
    v = (v - mean) / np.sqrt(variance + 1e-3) * w["encoder.8.weight"] + w["encoder.8.bias"]
    v = np.maximum(v - 0.3, 0)
    total = v.sum(axis=1, keepdims=True)
    a = np.where(total > 0, v / np.maximum(total, 1e-7), 1 / 3)
    x_hat, found = (t.detach().numpy() for t in network(torch.tensor(x)))
    np.testing.assert_allclose(found, a, atol=1e-4)
    np.testing.assert_allclose(x_hat, a @ w["decoder.weight"].T, atol=1e-4)


def test_dropout_multiplies_by_gaussians_of_mean_one():
    a = torch.full((20_000, 2), 0.5)
    noisy = gaussian_dropout(a, DROPOUT, torch.Generator().manual_seed(0))
    assert noisy.mean().item() == pytest.approx(0.5, abs=1e-3)
    assert noisy.std().item() == pytest.approx(0.5 * np.sqrt(0.0045 / 0.9955), rel=0.02)


@pytest.mark.parametrize("network", [NAENet, LinearAENet])
def test_every_weight_learns(network):
    with seeded(0):
        net, x = network(37, 3), torch.rand(64, 37)
    x_hat, a = net(x)
    ((x_hat - x).square().sum() + a.square().sum()).backward()
    for name, p in net.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().max() > 0, name


def test_shares_and_threshold():
    v = torch.tensor([[1.0, -3.0], [0.0, 0.0], [1e-30, 0.0]], requires_grad=True)
    a = Shares()(v)
    np.testing.assert_allclose(a.detach()[:2], [[0.25, 0.75], [0.5, 0.5]])
    a.square().sum().backward()
    assert a.isfinite().all() and v.grad.isfinite().all()
    block = SoftThreshold(2)
    block.threshold.data.copy_(torch.tensor([0.5, 0.0]))
    assert torch.equal(block(torch.tensor([[0.75, -1.0]])), torch.tensor([[0.25, 0.0]]))


def test_spectral_angle_and_its_gradient_are_those_of_angle():
    generator = torch.Generator().manual_seed(0)
    x, start = (torch.rand(9, 23, generator=generator, dtype=torch.float64) for _ in range(2))
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    found, expected = spectral_angle(ours, x), angle(theirs, x)
    (2 * found).backward(), (2 * expected).backward()
    assert found.item() == pytest.approx(expected.item())
    cosine = (start * x).sum(1) / start.norm(dim=1) / x.norm(dim=1)
    assert found.item() == pytest.approx(cosine.arccos().mean().item())
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-10)
