"""The blocks against their formulas written out in NumPy."""

import numpy as np
import pytest
import torch

from unmix.nets.blocks import AdditiveDecoder, ChannelAttention, ResidualBlock
from unmix.nets.train import seeded


def arrays(block):
    return {name: p.detach().numpy().astype(float) for name, p in block.named_parameters()}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def leaky(z):
    return np.where(z > 0, z, 0.1 * z)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(7, 12)).astype(np.float32)


def test_feature_attention_gates_each_pixel_by_its_own_feature(x):
    with seeded(1):
        block = ChannelAttention(12, reduction=4)
    w = arrays(block)
    hidden = np.maximum(x @ w["squeeze.weight"].T + w["squeeze.bias"], 0)
    expected = x * sigmoid(hidden @ w["excite.weight"].T + w["excite.bias"])
    assert hidden.shape == (7, 3)
    np.testing.assert_allclose(block(torch.tensor(x)).detach().numpy(), expected, atol=1e-6)


def test_cbam_attention_pools_average_and_maximum_through_one_mlp(x):
    with seeded(1):
        block = ChannelAttention(12, reduction=4, pooling="cbam").train()
    w = arrays(block)

    def mlp(v):
        hidden = np.maximum(v @ w["squeeze.weight"].T + w["squeeze.bias"], 0)
        return hidden @ w["excite.weight"].T + w["excite.bias"]

    expected = x * sigmoid(mlp(x.mean(axis=0)) + mlp(x.max(axis=0)))
    np.testing.assert_allclose(block(torch.tensor(x)).detach().numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(block.average.numpy(), 0.1 * x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(block.maximum.numpy(), 0.1 * x.max(axis=0), rtol=1e-5)


@pytest.mark.parametrize("pooling", ["feature", "cbam"])
def test_inference_looks_at_one_pixel_only(x, pooling):
    with seeded(1):
        block = ChannelAttention(12, reduction=4, pooling=pooling)
    block(torch.tensor(x))
    block.eval()
    together = block(torch.tensor(x))[2:3]
    np.testing.assert_allclose(
        block(torch.tensor(x[2:3])).detach().numpy(), together.detach().numpy(), rtol=1e-6
    )


def test_residual_block(x):
    with seeded(2):
        block = ResidualBlock(12)
    w = arrays(block)
    inner = np.maximum(x @ w["first.weight"].T + w["first.bias"], 0)
    expected = np.maximum(x + inner @ w["second.weight"].T + w["second.bias"], 0)
    given = torch.tensor(x)
    np.testing.assert_allclose(block(given).detach().numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(given.numpy(), x)


def test_decoder_is_linear_plus_network_of_the_linear_part():
    rng = np.random.default_rng(3)
    with seeded(3):
        decoder = AdditiveDecoder(n_bands=9, n_endmembers=4, hidden=16)
    torch.nn.init.normal_(decoder.second.weight, generator=torch.Generator().manual_seed(0))
    torch.nn.init.constant_(decoder.second.bias, -0.1)
    w = arrays(decoder)
    a = rng.dirichlet(np.ones(4), 6)
    z = a @ w["linear.weight"].T
    hidden = leaky(z @ w["first.weight"].T + w["first.bias"])
    expected = np.maximum(z + hidden @ w["second.weight"].T + w["second.bias"], 0)
    assert (expected == 0).any() and (expected > 0).any()
    found = decoder(torch.tensor(a, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_folded_first_layer_gives_every_weight_its_gradient():
    with seeded(4):
        decoder = AdditiveDecoder(n_bands=9, n_endmembers=4, hidden=16).double()
    torch.nn.init.normal_(decoder.second.weight, generator=torch.Generator().manual_seed(0))
    a = torch.softmax(torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double(), 1)
    decoder(a).square().sum().backward()
    folded = {name: p.grad.clone() for name, p in decoder.named_parameters()}
    decoder.zero_grad()
    z = decoder.linear(a)
    hidden = torch.nn.functional.leaky_relu(decoder.first(z), 0.1)
    torch.relu(z + decoder.second(hidden)).square().sum().backward()
    for name, p in decoder.named_parameters():
        torch.testing.assert_close(folded[name], p.grad, msg=name)


def test_untrained_decoder_is_the_linear_model():
    decoder = AdditiveDecoder(n_bands=9, n_endmembers=4)
    E = np.random.default_rng(0).random((4, 9), dtype=np.float32)
    decoder.linear.weight.data.copy_(torch.tensor(E.T))
    a = np.random.default_rng(1).dirichlet(np.ones(4), 5).astype(np.float32)
    np.testing.assert_allclose(decoder(torch.tensor(a)).detach().numpy(), a @ E, atol=1e-6)
