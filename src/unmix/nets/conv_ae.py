"""The network of ConvAE, known as CNNAEU (Palsson, Ulfarsson & Sveinsson 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unmix.nets.blocks import BatchNorm

__all__ = [
    "DROPOUT",
    "MARGIN",
    "SHARPNESS",
    "SLOPE",
    "ConvAENet",
    "ConvEncoder",
    "WithoutNeighbours",
    "as_images",
]

MARGIN = 1  # pixels around an image that the encoder looks at
DROPOUT = 0.2  # rate at which whole maps are left out
SLOPE = 0.02  # of LeakyReLU
SHARPNESS = 3.0  # abundances are softmax(3 v)
_SPREAD = 0.3  # standard deviation of the initial weights


class ConvEncoder(nn.Module):
    """3 × 3 convolution to 48 maps, 1 × 1 convolution to K, softmax(3 v).

    Each convolution, without bias, is followed by LeakyReLU(0.02), batch normalisation and
    spatial dropout.

    >>> ConvEncoder(n_bands=8, n_endmembers=3).eval()(torch.rand(2, 8, 7, 6)).shape
    torch.Size([2, 3, 5, 4])
    """

    def __init__(self, n_bands: int, n_endmembers: int, width: int = 48) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_bands, width, 3, bias=False)
        self.norm = BatchNorm(width, eps=1e-3)
        self.second = nn.Conv2d(width, n_endmembers, 1, bias=False)
        self.second_norm = BatchNorm(n_endmembers, eps=1e-3)

    def forward(self, x: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Spectra (image, band, row + 2, column + 2) to abundances (image, member, row, column)."""
        v = self.norm(F.leaky_relu_(self.first(x), SLOPE))
        v = self.second_norm(F.leaky_relu_(self.second(_drop_maps(v, noise)), SLOPE))
        return torch.softmax(SHARPNESS * _drop_maps(v, noise), dim=1)


class ConvAENet(nn.Module):
    """Spectral-spatial autoencoder: images to abundance maps to images.

    The decoder is one convolution from K maps to L bands with a window of 13 × 13 pixels, without
    bias; the mean of a member's kernel over the window is its spectrum, up to a factor. Images
    come with a margin of one pixel that the encoder needs; the maps are continued by their edge
    for the decoder.

    Parameters
    ----------
    n_bands, n_endmembers : int
        L and K.
    window : int
        Odd side of the decoder's window.

    References
    ----------
    Palsson, Ulfarsson & Sveinsson 2021, IEEE Trans. Geosci. Remote Sens. 59(1), 535-549.

    >>> x_hat, a = ConvAENet(n_bands=8, n_endmembers=3).eval()(torch.rand(2, 8, 7, 6))
    >>> x_hat.shape, a.shape, bool((a.sum(dim=1) - 1).abs().max() < 1e-6)
    (torch.Size([2, 8, 5, 4]), torch.Size([2, 3, 5, 4]), True)
    """

    def __init__(self, n_bands: int, n_endmembers: int, window: int = 13) -> None:
        super().__init__()
        self.encoder = ConvEncoder(n_bands, n_endmembers)
        self.decoder = nn.Conv2d(n_endmembers, n_bands, window, bias=False)
        for layer in (self.encoder.first, self.encoder.second, self.decoder):
            nn.init.normal_(layer.weight, std=_SPREAD)
        self.decoder.weight.data.clamp_(min=0)

    def forward(self, x: Tensor, noise: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Spectra (image, band, row + 2, column + 2) to (reconstruction, abundances).

        Both (image, ..., row, column). With `noise`, a generator, maps are dropped out.
        """
        a: Tensor = self.encoder(x, noise)
        reach = self.decoder.kernel_size[0] // 2
        return self.decoder(F.pad(a, (reach,) * 4, mode="replicate")), a


class WithoutNeighbours(nn.Module):
    """The encoder for pixels that are no image: each is taken for all of its neighbourhood.

    >>> WithoutNeighbours(ConvEncoder(n_bands=8, n_endmembers=3)).eval()(torch.rand(5, 8)).shape
    torch.Size([5, 3])
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        """Spectra (pixel, band) to abundances (pixel, member)."""
        a: Tensor = self.encoder(as_images(x))
        return a[:, :, 0, 0]


def as_images(x: Tensor) -> Tensor:
    """Pixels (pixel, band) as images of one pixel with a margin, (pixel, band, 3, 3).

    >>> as_images(torch.rand(5, 8)).shape
    torch.Size([5, 8, 3, 3])
    """
    side = 2 * MARGIN + 1
    return x[:, :, None, None].expand(-1, -1, side, side)


def _drop_maps(v: Tensor, noise: torch.Generator | None) -> Tensor:
    """Maps (image, map, row, column), each set to zero at the rate of the dropout."""
    if noise is None:
        return v
    keep = torch.empty(v.shape[:2], device=noise.device).bernoulli_(1 - DROPOUT, generator=noise)
    return v * (keep / (1 - DROPOUT)).to(v)[..., None, None]
