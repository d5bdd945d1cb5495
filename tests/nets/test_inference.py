"""Fused layers against the networks they are made of, and arrays through them in pieces."""

import numpy as np
import pytest
import torch
from torch import nn

from unmix.checks import InputError
from unmix.nets import fused as fusing
from unmix.nets import inference
from unmix.nets.conv_ae import ConvAENet, WithoutNeighbours
from unmix.nets.cresdae import CResDAENet
from unmix.nets.fused import fused
from unmix.nets.inference import NotFinite, image_through, through
from unmix.nets.linear_ae import LinearAENet
from unmix.nets.nae import NAENet
from unmix.nets.train import seeded

L, K = 37, 5

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def busy(network):
    """The network in evaluation mode, with no weight, mean or threshold left at zero or one."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            if value.dtype.is_floating_point:
                value.add_(torch.randn(value.shape, generator=generator) * 0.05).abs_()
                if value.ndim > 1:
                    value *= 1.8 * torch.randn(value.shape, generator=generator).sign()
    return network.eval()


NETWORKS = {
    "published": lambda: CResDAENet(L, K),
    "cbam": lambda: CResDAENet(L, K, attention="cbam"),
    "no attention": lambda: CResDAENet(L, K, attention="none"),
    "no residual block": lambda: CResDAENet(L, K, residual=False),
    "neither": lambda: CResDAENet(L, K, attention="none", residual=False, nonlinear=False),
    "LinearAE": lambda: LinearAENet(L, K),
    "NAE": lambda: NAENet(L, K),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    with seeded(0):
        return busy(NETWORKS[request.param]())


@pytest.fixture(scope="module")
def x():
    return torch.from_numpy(np.random.default_rng(0).random((301, L), dtype=np.float32))


def test_the_networks_here_have_something_to_get_wrong(network, x):
    a = reference(network.encoder, x)
    assert a.std(dim=0).max() > 0.01 and (a > 0.02).sum(dim=1).float().mean() > 1.3


@torch.inference_mode()
def reference(part, x):
    return part(x)


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_fused_layers_are_the_networks_layers(network, x, gain):
    for part, data in ((network.encoder, x), (network.decoder, x[:, :K])):
        with torch.inference_mode():
            found = fused(part, gain)(data.clone() / gain)
        torch.testing.assert_close(found, reference(part, data), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_a_processor_without_packed_products_computes_the_network_as_it_is(
    network, x, gain, monkeypatch
):
    monkeypatch.setattr(fusing, "_packs", lambda weight: False)
    with torch.inference_mode():
        found = fused(network.encoder, gain)(x / gain)
    torch.testing.assert_close(found, reference(network.encoder, x), rtol=2e-5, atol=2e-6)


def test_the_rows_that_go_in_stay_as_they_are(network, x):
    before = x.clone()
    with torch.inference_mode():
        fused(network.encoder)(x)
    assert torch.equal(x, before)


def test_weights_are_those_of_the_call(x):
    network = busy(CResDAENet(L, K))
    run = fused(network.encoder)
    with torch.inference_mode():
        before = run(x)
        network.encoder[0].weight.mul_(2)
        assert torch.equal(run(x), before)
        assert not torch.allclose(fused(network.encoder)(x), before, atol=1e-3)


def test_an_answer_does_not_depend_on_company_or_batch(network, x, monkeypatch):
    """Bytes, not digits: a scene cut into tiles gives the scene's abundances."""
    rows = x.numpy()
    whole = through(network.encoder, rows, K)
    for batch in (1, 7, 64, 100):
        monkeypatch.setattr(inference, "ROWS", batch)
        assert through(network.encoder, rows, K).tobytes() == whole.tobytes()
    for part in (slice(3, 4), slice(13, 145), slice(300, 301)):
        assert through(network.encoder, rows[part], K).tobytes() == whole[part].tobytes()


@pytest.mark.parametrize("kind", ["float64", "read-only", "every other row", "columns first"])
def test_rows_of_any_kind(network, x, kind):
    rows = x.numpy().copy()
    whole = through(network.encoder, rows, K, gain=0.5)
    if kind == "float64":
        found = through(network.encoder, rows.astype(float), K, gain=0.5)
        np.testing.assert_allclose(found, whole, rtol=2e-5, atol=1e-6)
        return
    if kind == "read-only":
        rows.flags.writeable = False
    elif kind == "every other row":
        rows, whole = rows[::2], whole[::2]
    else:
        rows = np.asfortranarray(rows)
    assert through(network.encoder, rows, K, gain=0.5).tobytes() == whole.tobytes()


class Small(nn.Module):
    """A device that holds so many rows at a time."""

    def __init__(self, part, room):
        super().__init__()
        self.part, self.room, self.most = part, room, 0

    def forward(self, x):
        rows = x.shape[0] if x.ndim == 2 else x.shape[2]
        if rows > self.room:
            raise torch.OutOfMemoryError
        self.most = max(self.most, rows)
        return self.part(x)


def test_where_memory_runs_out_half_is_tried(network, x):
    small = Small(network.encoder, 90)
    found = through(small, x.numpy(), K)
    np.testing.assert_allclose(found, reference(network.encoder, x).numpy(), atol=2e-6)
    assert small.most == 75  # 301, 150, 75


def test_fewer_than_the_least_is_one_line(network, x):
    with pytest.raises(InputError, match="no memory for 64 pixels at a time"):
        through(Small(network.encoder, 10), x.numpy(), K)


@pytest.fixture(scope="module")
def convolutional():
    with seeded(0):
        return busy(ConvAENet(L, K))


def test_an_image_in_strips_is_the_image(convolutional):
    rng = np.random.default_rng(1)
    X = rng.random((11, 7, L), dtype=np.float32)
    padded = torch.from_numpy(np.pad(X, ((1, 1), (1, 1), (0, 0)), mode="edge") * np.float32(0.5))
    whole = reference(convolutional.encoder, padded.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    for most in (1, 20, 36, 10**6):
        found = image_through(convolutional.encoder, X, K, margin=1, most=most, gain=0.5)
        np.testing.assert_allclose(found, whole.numpy(), atol=2e-5)
    small = Small(convolutional.encoder, 4)  # two rows and their margin
    found = image_through(small, X, K, margin=1, most=10**6, gain=0.5)
    np.testing.assert_allclose(found, whole.numpy(), atol=2e-5)
    assert small.most == 4
    with pytest.raises(InputError, match="no memory for 1 rows of 7 pixels at a time"):
        image_through(Small(convolutional.encoder, 2), X, K, margin=1, most=10**6)


def test_pixels_without_neighbours_are_images_of_one_pixel(convolutional, x):
    found = through(WithoutNeighbours(convolutional.encoder), x.numpy()[:9], K)
    for i in (0, 8):
        image = image_through(
            convolutional.encoder, x.numpy()[None, i : i + 1], K, margin=1, most=9
        )
        np.testing.assert_allclose(found[i], image[0, 0], atol=2e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_is_found_wherever_it_is(network, x, bad, dtype):
    rows = x.numpy().astype(dtype)
    through(network.encoder, rows, K, check=True)
    rows[277, 3] = bad
    with pytest.raises(NotFinite):
        through(network.encoder, rows, K, check=True)


def test_large_numbers_are_finite(network):
    rows = np.full((9, L), 3e38, np.float32)  # their sum is not
    assert np.isfinite(through(network.encoder, rows, K, gain=1e-38, check=True)).all()
