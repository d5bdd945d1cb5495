"""The network against Tables 1 and 2."""

import pytest
import torch

from unmix.nets.cresdae import CResDAENet
from unmix.nets.train import seeded

# name, weight shape, bias: Table 1, then Table 2, with L = 162 and K = 5
LAYERS = [
    ("encoder.0", (128, 162), True),
    ("encoder.2.squeeze", (8, 128), True),
    ("encoder.2.excite", (128, 8), True),
    ("encoder.3.first", (128, 128), True),
    ("encoder.3.second", (128, 128), True),
    ("encoder.4", (64, 128), True),
    ("encoder.6", (32, 64), True),
    ("encoder.8", (5, 32), True),
    ("decoder.linear", (162, 5), False),
    ("decoder.first", (512, 162), True),
    ("decoder.second", (162, 512), True),
]


def test_layers_are_those_of_the_tables():
    found = [
        (name, tuple(m.weight.shape), m.bias is not None)
        for name, m in CResDAENet(162, 5).named_modules()
        if isinstance(m, torch.nn.Linear)
    ]
    assert found == LAYERS


@pytest.mark.parametrize(("n_bands", "k"), [(162, 5), (37, 3), (305, 20)])
def test_parameter_count_follows_from_bands_and_members(n_bands, k):
    attention, residual = 2 * 128 * 8 + 8 + 128, 2 * (128 * 128 + 128)
    encoder = 129 * n_bands - n_bands + 128 + attention + residual
    encoder += 129 * 64 + 65 * 32 + 33 * k
    decoder = k * n_bands + (n_bands + 1) * 512 + 513 * n_bands
    count = sum(p.numel() for p in CResDAENet(n_bands, k).parameters())
    assert count == encoder + decoder


def test_activations_are_those_of_the_tables():
    kinds = [type(m).__name__ for m in CResDAENet(162, 5).encoder]
    assert kinds == [
        *("Linear", "LeakyReLU", "ChannelAttention", "ResidualBlock", "Linear", "LeakyReLU"),
        *("Linear", "LeakyReLU", "Linear", "Softmax"),
    ]
    assert {
        m.negative_slope for m in CResDAENet(9, 2).modules() if hasattr(m, "negative_slope")
    } == {0.1}


@pytest.mark.parametrize("attention", ["feature", "cbam"])
def test_output_is_a_non_negative_spectrum_and_abundances_on_the_simplex(attention):
    with seeded(0):
        network = CResDAENet(37, 3, attention)
        x = torch.rand(11, 37)
    x_hat, a = network(x)
    assert x_hat.shape == (11, 37) and a.shape == (11, 3)
    assert (x_hat >= 0).all() and (a >= 0).all()
    torch.testing.assert_close(a.sum(dim=1), torch.ones(11))


@pytest.mark.parametrize("attention", ["feature", "cbam"])
def test_every_weight_learns(attention):
    with seeded(0):
        network = CResDAENet(37, 3, attention)
        torch.nn.init.normal_(network.decoder.second.weight)
        x = torch.rand(64, 37)
    x_hat, a = network(x)
    ((x_hat - x).square().sum() + a.square().sum()).backward()
    for name, p in network.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().max() > 0, name
