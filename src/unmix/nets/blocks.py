"""Building blocks of the networks: attention, residual block, decoder, normalisation, shares.

Features are vectors: X is (pixel, width), one row a pixel. Nothing here knows images, files,
devices or optimisers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "AdditiveDecoder",
    "BatchNorm",
    "ChannelAttention",
    "ResidualBlock",
    "Shares",
    "SoftThreshold",
]

SLOPE = 0.1  # of LeakyReLU: CResDAE (Tables 1-2), NAE and LinearAE have the same
EPS = 1e-7  # what shares are divided by is at least this


class ChannelAttention(nn.Module):
    r"""One gate in (0, 1) per channel, from a bottleneck of width/reduction.

    "feature" (Section 2.5 and Table 1): the pixel's own vector is squeezed and excited,

        y = x ⊙ σ(W₂ ReLU(W₁ x + b₁) + b₂).

    A spectrum is a map of 1 × 1 pixel, so the average pooling of Table 1 leaves the vector as it
    is; a maximum would leave the same vector, hence there is no "maximum" here.

    "cbam" (Section 2.3): average and maximum over the H × W map go through one shared MLP,

        y = x ⊙ σ(MLP(avg) + MLP(max)),   MLP(v) = W₂ ReLU(W₁ v + b₁) + b₂,

    one gate for the whole map. The rows of a training batch stand for the map's pixels. For
    inference the gate uses running averages of both pooled vectors (as batch normalisation
    does), so that a pixel's abundances do not depend on which other pixels are asked for.

    Parameters
    ----------
    width : int
        Channels of the feature.
    reduction : int
        Bottleneck ratio r; the hidden width is width // r.
    pooling : {"feature", "cbam"}
        Which of the two descriptions.
    momentum : float
        Weight of a batch in the running averages ("cbam").

    References
    ----------
    Hu et al., Squeeze-and-Excitation Networks, CVPR 2018; Woo et al., CBAM, ECCV 2018.

    >>> ChannelAttention(8, reduction=4)(torch.ones(5, 8)).shape
    torch.Size([5, 8])
    """

    average: Tensor
    maximum: Tensor

    def __init__(
        self, width: int, reduction: int = 16, pooling: str = "feature", momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.momentum = momentum
        self.squeeze = nn.Linear(width, max(1, width // reduction))
        self.excite = nn.Linear(max(1, width // reduction), width)
        if pooling == "cbam":
            self.register_buffer("average", torch.zeros(width))
            self.register_buffer("maximum", torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Feature (pixel, width) to feature (pixel, width)."""
        if self.pooling == "feature":
            return x * torch.sigmoid(self.excite(F.relu_(self.squeeze(x))))
        scores = self.excite(F.relu_(self.squeeze(self._pooled(x))))
        return x * torch.sigmoid(scores.sum(dim=0))

    def _pooled(self, x: Tensor) -> Tensor:
        """Average and maximum over the map, (2, width)."""
        if not self.training:
            return torch.stack((self.average, self.maximum))
        average, maximum = x.mean(dim=0), x.amax(dim=0)
        with torch.no_grad():
            self.average.lerp_(average.to(self.average.dtype), self.momentum)
            self.maximum.lerp_(maximum.to(self.maximum.dtype), self.momentum)
        return torch.stack((average, maximum))


class ResidualBlock(nn.Module):
    """y = ReLU(x + F(x)) with F(x) = W₂ ReLU(W₁ x + b₁) + b₂, all of one width.

    >>> ResidualBlock(8)(torch.ones(5, 8)).shape
    torch.Size([5, 8])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Feature (pixel, width) to feature (pixel, width)."""
        return F.relu_(self.second(F.relu_(self.first(x))).add_(x))


class AdditiveDecoder(nn.Module):
    """x̂ = ReLU(a E + N(a E)), N(z) = W₂ LeakyReLU(W₁ z + b₁) + b₂ (Table 2).

    The weights of the linear layer are the endmembers. z = a E is linear in a, so W₁ z is
    computed as a (W₁ Eᵀ)ᵀ: the same layer with K instead of L columns, a third of a training
    step's multiplications less. W₂ and b₂ start at zero: before any training the decoder is
    the linear mixing model.

    Parameters
    ----------
    n_bands, n_endmembers : int
        L and K.
    hidden : int
        Width of the nonlinear part; 0 leaves it out.

    >>> decoder = AdditiveDecoder(n_bands=4, n_endmembers=2)
    >>> _ = decoder.linear.weight.data.copy_(torch.tensor([[0.0, 1.0], [0.2, 1], [0.4, 1], [1, 0]]))
    >>> decoder(torch.tensor([[0.5, 0.5]])).detach()
    tensor([[0.5000, 0.6000, 0.7000, 0.5000]])
    """

    def __init__(self, n_bands: int, n_endmembers: int, hidden: int = 512) -> None:
        super().__init__()
        self.linear = nn.Linear(n_endmembers, n_bands, bias=False)
        self.hidden = hidden
        if not hidden:
            return
        self.first = nn.Linear(n_bands, hidden)
        self.second = nn.Linear(hidden, n_bands)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, a: Tensor) -> Tensor:
        """Abundances (pixel, member) to spectra (pixel, band)."""
        if not self.hidden:
            return F.relu_(self.linear(a))
        folded = self.first.weight @ self.linear.weight
        h = F.leaky_relu_(F.linear(a, folded, self.first.bias), SLOPE)
        return F.relu_(self.second(h).add_(self.linear(a)))


class Shares(nn.Module):
    """a = |v| / Σ|v|; a vector of zeros, of which nothing follows, gives equal shares.

    >>> Shares()(torch.tensor([[1.0, -3.0], [0.0, 0.0]]))
    tensor([[0.2500, 0.7500],
            [0.5000, 0.5000]])
    """

    def forward(self, v: Tensor) -> Tensor:
        """Vectors (..., member) to abundances (..., member)."""
        v = v.abs()
        total = v.sum(dim=-1, keepdim=True)
        return torch.where(total > 0, v / total.clamp(min=EPS), 1 / v.shape[-1])


class SoftThreshold(nn.Module):
    """ReLU(v − α) with one learned threshold a member, which training keeps at 0 or more.

    >>> SoftThreshold(2)(torch.tensor([[1.0, -3.0]])).detach()
    tensor([[1., 0.]])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.zeros(width))

    def forward(self, v: Tensor) -> Tensor:
        """Vectors (..., width) to vectors (..., width)."""
        return F.relu(v - self.threshold)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation over all axes but the second, in float32 whatever the weights are.

    >>> BatchNorm(2)(torch.tensor([[1.0, 4.0], [3.0, 4.0]])).round(decimals=2).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Features (pixel, width, ...) to the same."""
        return F.batch_norm(
            x.float(),
            self.running_mean,
            self.running_var,
            self.weight.float(),
            self.bias.float(),
            self.training,
            self.momentum or 0.0,
            self.eps,
        )
