"""The network of LinearAE, known as DAEU (Palsson, Sigurdsson, Sveinsson & Ulfarsson 2018)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from unmix.nets.blocks import SLOPE, BatchNorm, Shares, SoftThreshold

__all__ = ["DROPOUT", "LinearAENet"]

DROPOUT = 0.0045  # rate p of the Gaussian dropout: factors 1 + √(p / (1 − p)) ε on abundances


class LinearAENet(nn.Module):
    """Autoencoder for linear mixtures: spectrum to abundances to spectrum.

    Encoder: L → 9K → 6K → 3K → K, LeakyReLU(0.1) after each layer and no bias, batch
    normalisation, ReLU(v − α) with a learned threshold α ≥ 0 for each member, division by the
    sum. Decoder: a linear layer without bias, its weights the endmembers.

    Parameters
    ----------
    n_bands, n_endmembers : int
        L and K.

    References
    ----------
    Palsson et al. 2018, IEEE Access 6, 25646-25656.

    >>> x_hat, a = LinearAENet(n_bands=156, n_endmembers=3)(torch.rand(7, 156))
    >>> x_hat.shape, a.shape, bool((a.sum(dim=1) - 1).abs().max() < 1e-6)
    (torch.Size([7, 156]), torch.Size([7, 3]), True)
    """

    def __init__(self, n_bands: int, n_endmembers: int) -> None:
        super().__init__()
        widths = [n_bands, *(m * n_endmembers for m in (9, 6, 3, 1))]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += nn.Linear(n_in, n_out, bias=False), nn.LeakyReLU(SLOPE, inplace=True)
        self.encoder = nn.Sequential(
            *layers,
            BatchNorm(n_endmembers, eps=1e-3, momentum=0.01),
            SoftThreshold(n_endmembers),
            Shares(),
        )
        self.decoder = nn.Linear(n_endmembers, n_bands, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
        self.decoder.weight.data.clamp_(min=0)

    def forward(self, x: Tensor, noise: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Spectra (pixel, band) to (reconstruction (pixel, band), abundances (pixel, member)).

        With `noise`, a generator, the decoder gets abundances after Gaussian dropout.
        """
        a: Tensor = self.encoder(x)
        return self.decoder(a if noise is None else gaussian_dropout(a, DROPOUT, noise)), a


def gaussian_dropout(a: Tensor, rate: float, noise: torch.Generator) -> Tensor:
    """Abundances a (1 + √(p / (1 − p)) ε), ε standard normal."""
    factors = torch.empty(a.shape, dtype=a.dtype, device=noise.device)
    return a * factors.normal_(1.0, (rate / (1 - rate)) ** 0.5, generator=noise).to(a.device)
