"""ConvAE's network: layers as published, and the forward pass written out in NumPy."""

import numpy as np
import pytest
import torch

from unmix.nets.conv_ae import DROPOUT, MARGIN, ConvAENet, ConvEncoder
from unmix.nets.train import seeded


def correlate(x, w):
    """Valid cross-correlation: x (in, row, column) with w (out, in, side, side), loop by loop."""
    side = w.shape[-1]
    rows, columns = x.shape[1] - side + 1, x.shape[2] - side + 1
    out = np.zeros((len(w), rows, columns))
    for i in range(side):
        for j in range(side):
            out += np.einsum("oc,crk->ork", w[:, :, i, j], x[:, i : i + rows, j : j + columns])
    return out


def leaky(z):
    return np.where(z > 0, z, 0.02 * z)


def test_layers_are_those_published():
    network = ConvAENet(162, 4)
    found = [
        (name, tuple(m.weight.shape), m.bias)
        for name, m in network.named_modules()
        if isinstance(m, torch.nn.Conv2d)
    ]
    assert found == [
        ("encoder.first", (48, 162, 3, 3), None),
        ("encoder.second", (4, 48, 1, 1), None),
        ("decoder", (162, 4, 13, 13), None),
    ]
    count = 9 * 162 * 48 + 48 * 4 + 2 * 48 + 2 * 4 + 169 * 4 * 162
    assert sum(p.numel() for p in network.parameters()) == count
    assert (network.decoder.weight >= 0).all() and MARGIN == 1
    assert ConvAENet(9, 3, window=11).decoder.kernel_size == (11, 11)


@pytest.mark.parametrize("training", [True, False])
def test_forward_is_its_equations(training):
    with seeded(2):
        network = ConvAENet(6, 3, window=5).train(training)
        x = torch.rand(2, 6, 9, 8)
    w = {k: v.detach().numpy().astype(float) for k, v in network.state_dict().items()}

    def norm(v, name):
        axes = (0, 2, 3)
        mean = v.mean(axes) if training else w[f"{name}.running_mean"]
        variance = v.var(axes) if training else w[f"{name}.running_var"]
        return (v - mean[:, None, None]) / np.sqrt(variance + 1e-3)[:, None, None]

    x_hat, a = (t.detach().numpy() for t in network(x))
    v = np.stack([leaky(correlate(image, w["encoder.first.weight"])) for image in x.numpy()])
    v = norm(v, "encoder.norm")
    v = np.stack([leaky(correlate(image, w["encoder.second.weight"])) for image in v])
    v = np.exp(3 * norm(v, "encoder.second_norm"))
    expected = v / v.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(a, expected, atol=1e-5)
    padded = np.pad(expected, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    back = np.stack([correlate(image, w["decoder.weight"]) for image in padded])
    np.testing.assert_allclose(x_hat, back, rtol=1e-4)


def test_dropout_leaves_out_whole_maps_at_its_rate():
    with seeded(0):
        encoder = ConvEncoder(5, 4).eval()
        x = torch.rand(400, 5, 4, 4)
    noise = torch.Generator().manual_seed(0)
    a = encoder(x, noise)
    left_out = (a[:, :, :1, :1] == a).all(dim=(2, 3))  # of a map left out, the logit is constant
    assert not left_out.all() and torch.equal(encoder(x), encoder(x))
    from unmix.nets.conv_ae import _drop_maps

    v = _drop_maps(torch.ones(4000, 3, 2, 2), noise)
    assert ((v == v[:, :, :1, :1]).all()) and v.mean().item() == pytest.approx(1, abs=0.02)
    assert (v == 0).float().mean().item() == pytest.approx(DROPOUT, abs=0.02)


def test_every_weight_learns():
    with seeded(0):
        network, x = ConvAENet(7, 3, window=3), torch.rand(2, 7, 9, 8)
    x_hat, _ = network(x)
    (x_hat - x[:, :, 1:-1, 1:-1]).square().sum().backward()
    for name, p in network.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().max() > 0, name
