"""The network of NAE (Wang, Zhao, Chen & Rahardja 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unmix.nets.blocks import SLOPE, Shares

__all__ = ["NAENet", "PostNonlinearDecoder"]


class PostNonlinearDecoder(nn.Module):
    """x̂ = Ψ(a E), Ψ(z) = W₂ σ(W₁ z + b₁) + b₂, every layer L wide, σ the logistic function.

    The weights of the linear layer are the endmembers. W₁ z is computed as a (W₁ Eᵀ)ᵀ: the same
    layer with K instead of L columns.

    Parameters
    ----------
    n_bands, n_endmembers : int
        L and K.

    >>> PostNonlinearDecoder(n_bands=6, n_endmembers=3)(torch.eye(3)).shape
    torch.Size([3, 6])
    """

    def __init__(self, n_bands: int, n_endmembers: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_endmembers, n_bands, bias=False)
        self.first = nn.Linear(n_bands, n_bands)
        self.second = nn.Linear(n_bands, n_bands)

    def forward(self, a: Tensor) -> Tensor:
        """Abundances (pixel, member) to spectra (pixel, band)."""
        folded = self.first.weight @ self.linear.weight
        return self.second(torch.sigmoid(F.linear(a, folded, self.first.bias)))

    def bend(self, z: Tensor) -> Tensor:
        """Ψ alone: spectra (pixel, band) to spectra (pixel, band)."""
        return self.second(torch.sigmoid(self.first(z)))


class NAENet(nn.Module):
    """Autoencoder for post-nonlinear mixtures: spectrum to abundances to spectrum.

    Encoder: L → 128 → 64 → 16 → K with LeakyReLU(0.1) between, then a = |v| / Σ|v|.

    Parameters
    ----------
    n_bands, n_endmembers : int
        L and K.

    References
    ----------
    Wang, Zhao, Chen & Rahardja 2019, IEEE Geoscience and Remote Sensing Letters 16(9).

    >>> x_hat, a = NAENet(n_bands=224, n_endmembers=4)(torch.rand(7, 224))
    >>> x_hat.shape, a.shape, bool((a.sum(dim=1) - 1).abs().max() < 1e-6)
    (torch.Size([7, 224]), torch.Size([7, 4]), True)
    """

    def __init__(self, n_bands: int, n_endmembers: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_bands, 128),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(128, 64),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(64, 16),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(16, n_endmembers),
            Shares(),
        )
        self.decoder = PostNonlinearDecoder(n_bands, n_endmembers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Spectra (pixel, band) to (reconstruction (pixel, band), abundances (pixel, member))."""
        a: Tensor = self.encoder(x)
        return self.decoder(a), a
