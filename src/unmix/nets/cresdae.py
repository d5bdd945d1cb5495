"""The CResDAE network (Remote Sens. 2025, 17(21), 3622), Tables 1 and 2."""

from __future__ import annotations

from torch import Tensor, nn

from unmix.nets.blocks import SLOPE, AdditiveDecoder, ChannelAttention, ResidualBlock

__all__ = ["CResDAENet"]


class CResDAENet(nn.Module):
    """Channel-attention residual autoencoder: spectrum to abundances to spectrum.

    Encoder (Table 1): L → 128, LeakyReLU(0.1), channel attention, residual block, → 64,
    LeakyReLU, → 32, LeakyReLU, → K, softmax. Decoder (Table 2): `AdditiveDecoder`. The "162"
    of the tables is L, the number of bands of the data.

    Parameters
    ----------
    n_bands, n_endmembers : int
        L and K.
    attention : {"feature", "cbam", "none"}
        See `ChannelAttention`.
    reduction : int
        Bottleneck ratio of the attention.
    residual, nonlinear : bool
        Whether the encoder has its residual block, the decoder its nonlinear part.

    References
    ----------
    CResDAE, Remote Sensing 2025, 17(21), 3622.

    >>> import torch
    >>> net = CResDAENet(n_bands=162, n_endmembers=5)
    >>> x_hat, a = net(torch.rand(7, 162))
    >>> x_hat.shape, a.shape, bool((a.sum(dim=1) - 1).abs().max() < 1e-6)
    (torch.Size([7, 162]), torch.Size([7, 5]), True)
    """

    def __init__(
        self,
        n_bands: int,
        n_endmembers: int,
        attention: str = "feature",
        reduction: int = 16,
        residual: bool = True,
        nonlinear: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_bands, 128),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Identity() if attention == "none" else ChannelAttention(128, reduction, attention),
            ResidualBlock(128) if residual else nn.Identity(),
            nn.Linear(128, 64),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(64, 32),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(32, n_endmembers),
            nn.Softmax(dim=-1),
        )
        self.decoder = AdditiveDecoder(n_bands, n_endmembers, 512 if nonlinear else 0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Spectra (pixel, band) to (reconstruction (pixel, band), abundances (pixel, member))."""
        a: Tensor = self.encoder(x)
        return self.decoder(a), a
