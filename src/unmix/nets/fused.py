"""A trained network on the CPU at the speed of its matrix products.

Layers of a few hundred units spend as much time on biases, activations and copies as on products,
and torch's plain product reaches half of what the processor can do. Here weights are brought into
the order in which oneDNN reads them, once a call of `fused`, and bias and activation are applied to
a product's tiles while they are in registers. Sums over units keep their order whatever the number
of rows, so a pixel's answer does not depend on its company.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unmix.nets.blocks import SLOPE, AdditiveDecoder, BatchNorm, ChannelAttention, ResidualBlock
from unmix.nets.conv_ae import SHARPNESS, ConvEncoder
from unmix.nets.conv_ae import SLOPE as CONV_SLOPE
from unmix.nets.nae import PostNonlinearDecoder

__all__ = ["ROWS", "fused", "fused_image"]

ROWS = 2048  # at a time: features of 128 units stay in the cache of a core

Layer = Callable[[Tensor], Tensor]


def fused(network: nn.Module, gain: float = 1.0) -> Layer:
    """The same function of rows times `gain`, for inference, as quick as the device allows.

    Linear layers with what follows them become one operation each, `gain` part of the first. A
    network that starts with another layer, or is not on an x86 processor, computes as it is.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode. Its weights are copied: later changes of them do not count.
    gain : float
        What rows (row, unit) are multiplied with on the way in.

    >>> layers = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.1), nn.Linear(4, 2)).eval()
    >>> x = torch.rand(5, 3)
    >>> with torch.inference_mode():
    ...     torch.allclose(fused(layers, 0.5)(x), layers(0.5 * x), atol=1e-6)
    True
    """
    parts = list(network) if isinstance(network, nn.Sequential) else [network]
    starts = isinstance(parts[0], nn.Linear | AdditiveDecoder | PostNonlinearDecoder)
    if not (starts and _packs(next(network.parameters()))):
        return network if gain == 1 else lambda x: network(x * gain)
    steps = list(_steps(parts, gain))

    def run(x: Tensor) -> Tensor:
        for step in steps:
            x = step(x)
        return x

    return run


def fused_image(encoder: nn.Module, gain: float = 1.0) -> Layer | None:
    """A convolutional encoder of images times `gain`, each window a sum of nine products.

    A window's place has its own product with all pixels; shifted, the nine are added in a fixed
    order, so that, unlike torch's convolution, a pixel's answer depends on its window alone.

    Parameters
    ----------
    encoder : nn.Module
        In evaluation mode.
    gain : float

    Returns
    -------
    callable or None
        Images (row + 2, column + 2, band) to abundances (row, column, member); None of another
        network and where products are not packed.

    >>> encoder, x = ConvEncoder(n_bands=4, n_endmembers=3).eval(), torch.rand(6, 5, 4)
    >>> with torch.inference_mode():
    ...     run = fused_image(encoder) or (lambda x: encoder(x.permute(2, 0, 1)[None])[0])
    ...     run(x).shape.numel()
    36
    """
    if not (isinstance(encoder, ConvEncoder) and _packs(encoder.first.weight)):
        return None
    width, _, side, _ = encoder.first.weight.shape
    places = encoder.first.weight.permute(2, 3, 0, 1).flatten(0, 2)  # (row, column, map) × band
    first, second = _product(places * gain, None), _product(encoder.second.weight[..., 0, 0], None)
    norms = [_affine(encoder.norm), _affine(encoder.second_norm)]

    def run(x: Tensor) -> Tensor:
        rows, columns = x.shape[0] - side + 1, x.shape[1] - side + 1
        maps = first(x.flatten(0, 1)).view(*x.shape[:2], side, side, width)
        v = maps[:rows, :columns, 0, 0].contiguous()
        for i in range(1, side * side):
            r, c = divmod(i, side)
            v += maps[r : r + rows, c : c + columns, r, c]
        v = norms[0](F.leaky_relu_(v.flatten(0, 1), CONV_SLOPE))
        v = norms[1](F.leaky_relu_(second(v), CONV_SLOPE))
        return torch.softmax(SHARPNESS * v, dim=1).view(rows, columns, -1)

    return run


def _affine(norm: BatchNorm) -> Layer:
    """What a trained normalisation does to rows, in place."""
    mean, var = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight / torch.sqrt(var + norm.eps)
    shift = norm.bias - mean * scale
    return lambda x: x.mul_(scale).add_(shift)


def _packs(weight: Tensor) -> bool:
    """Whether oneDNN's products with packed weights are there for such weights."""
    here = weight.device.type == "cpu" and weight.dtype == torch.float32
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return here and x86 and torch.backends.mkldnn.is_available() and _has_operations()


def _has_operations() -> bool:
    names = ("_reorder_linear_weight", "_linear_pointwise")
    return all(hasattr(torch.ops.mkldnn, name) for name in names)


def _steps(layers: Sequence[nn.Module], gain: float) -> Iterator[Layer]:
    """The layers, each linear one together with the activation after it."""
    i = 0
    while i < len(layers):
        layer, i = layers[i], i + 1
        if isinstance(layer, nn.Linear):
            after = layers[i] if i < len(layers) else None
            if isinstance(after, nn.ReLU | nn.LeakyReLU):
                i += 1
            yield _product(layer.weight * gain, layer.bias, after)
            gain = 1.0
        elif isinstance(layer, ChannelAttention) and layer.pooling == "feature":
            yield _attention(layer)
        elif isinstance(layer, ResidualBlock):
            yield _residual(layer)
        elif isinstance(layer, AdditiveDecoder):
            yield _decoder(layer, gain)
        elif isinstance(layer, PostNonlinearDecoder):
            folded = layer.first.weight @ layer.linear.weight * gain
            yield _product(folded, layer.first.bias, "sigmoid")
            yield _product(layer.second.weight, layer.second.bias)
        elif not isinstance(layer, nn.Identity):
            yield layer


def _packed(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), ROWS)
    return packed


def _product(weight: Tensor, bias: Tensor | None, after: Any = None) -> Layer:
    """The layer f(x Wᵀ + b); `after` is f: a module, the name of a function, or None."""
    name, constants = "none", []
    if isinstance(after, str):
        name = after
    elif isinstance(after, nn.LeakyReLU):
        name, constants = "leaky_relu", [after.negative_slope]
    elif isinstance(after, nn.ReLU):
        name = "relu"
    packed, b = _packed(weight), None if bias is None else bias.detach()
    product = torch.ops.mkldnn._linear_pointwise
    return lambda x: product(x, packed, b, name, constants, "")


def _plus_product(layer: nn.Linear) -> Callable[[Tensor, Tensor], Tensor]:
    """(x, y) ↦ y + x Wᵀ + b."""
    packed, bias = _packed(layer.weight), layer.bias.detach()
    product = torch.ops.mkldnn._linear_pointwise.binary
    return lambda x, y: product(x, y, packed, bias, "add")


def _attention(layer: ChannelAttention) -> Layer:
    squeeze = _product(layer.squeeze.weight, layer.squeeze.bias, "relu")
    excite = _product(layer.excite.weight, layer.excite.bias, "sigmoid")
    return lambda x: excite(squeeze(x)).mul_(x)


def _residual(layer: ResidualBlock) -> Layer:
    first = _product(layer.first.weight, layer.first.bias, "relu")
    second = _plus_product(layer.second)
    return lambda x: second(first(x), x).relu_()


def _decoder(layer: AdditiveDecoder, gain: float) -> Layer:
    """As `AdditiveDecoder.forward`, its first nonlinear layer folded into the endmembers."""
    E = layer.linear.weight * gain
    if not layer.hidden:
        return _product(E, None, "relu")
    linear = _product(E, None)
    first = _product(layer.first.weight @ E, layer.first.bias, nn.LeakyReLU(SLOPE))
    second = _plus_product(layer.second)
    return lambda a: second(first(a), linear(a)).relu_()
