"""NAE, the deep autoencoder for post-nonlinear mixtures, as an estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.methods.network import Image, NetworkUnmixer, Recipe, check_whole

if TYPE_CHECKING:
    import torch

    from unmix.nets.nae import NAENet

__all__ = ["NAE"]

_EPOCHS = 50
_STEPS = (
    3000  # an encoder that has seen fewer is not done: 480 steps give 0.13 where 2400 give 0.04
)
_PRETRAIN_PIXELS = 10_000
_PRETRAIN_LR = 1e-3


class NAE(NetworkUnmixer):
    r"""Unmixing by an autoencoder for post-nonlinear mixtures x = Ψ(a E) + n.

    The encoder maps a spectrum to abundances a = |v| / Σ|v|, the decoder maps them back by
    x̂ = Ψ(a E), E the endmembers and Ψ a network with one hidden layer of logistic units that
    acts on the whole spectrum. E starts from the endmembers given, or from VCA; Ψ is pre-trained
    on the pixels as the identity. Then all of it minimises the mean squared error by Adam, the
    decoder a hundred times more slowly than the encoder. E is what the paper calls endmembers,
    Ψ(E) what a pure pixel looks like.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Spectra to start from, in the pixels' unit.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness before the network sees it, see `unmix.scaling`.
    seed : int
        Of VCA, the initial weights and the shuffling.
    epochs : int, optional
        Passes over the pixels. None: 50, and on small scenes as many as make 3000 steps, for the
        encoder needs thousands of steps whatever the number of pixels.
    batch_size : int
        Pixels a step.
    lr, decoder_lr : float
        Learning rates of the encoder and the decoder.
    pretrain_steps : int
        For Ψ, as many as its authors take; with too few abundances are off by a multiple. 0 leaves
        it random.
    dtype : {"float32", "bfloat16"}
        Arithmetic of the layers while training.
    device : str
        "auto" (the GPU where there is one), "cpu" or "cuda".
    progress : callable, optional
        Called with the fraction done after every epoch; returning False stops the training.

    Attributes
    ----------
    endmembers_ : ndarray, shape (member, band)
    network_ : NAENet
    history_ : dict of str to list of float
        The mean squared error, in the network's unit, one value an epoch.
    n_iter_ : int
        Completed epochs.
    status_ : str
        A sentence that says how training ended.

    References
    ----------
    Wang, Zhao, Chen & Rahardja 2019, "Nonlinear unmixing of hyperspectral data via deep
    autoencoder networks", IEEE Geoscience and Remote Sensing Letters 16(9). The paper trains the
    encoder at 1e-4, its authors' code at 1e-3; here it is the latter.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((3, 20), dtype=np.float32)
    >>> A = rng.dirichlet(np.ones(3), 2000).astype(np.float32)
    >>> model = NAE(endmembers=E, epochs=40, batch_size=64, pretrain_steps=1000)
    >>> found = model.fit_transform(A @ E)
    >>> bool(np.sqrt(((found - A) ** 2).mean()) < 0.05), model.status_
    (True, 'Trained for all 40 epochs.')
    """

    label = "NAE"
    reference = "Wang, Zhao, Chen & Rahardja 2019, IEEE GRSL 16(9)"

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        epochs: int | None = None,
        batch_size: int = 512,
        lr: float = 1e-3,
        decoder_lr: float = 1e-5,
        pretrain_steps: int = 4000,
        dtype: str = "float32",
        device: str = "auto",
        progress: Callable[[float], Any] | None = None,
    ) -> None:
        self.n_endmembers = n_endmembers
        self.endmembers = endmembers
        self.scale = scale
        self.seed = seed
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.decoder_lr = decoder_lr
        self.pretrain_steps = pretrain_steps
        self.dtype = dtype
        self.device = device
        self.progress = progress

    # --- the parts of fit -----------------------------------------------------------------------

    def _check_keywords(self) -> None:
        check_whole(self, batch_size=1, pretrain_steps=0, seed=0)

    def _epochs(self, n_pixels: int) -> int:
        if self.epochs is not None:
            return self.epochs
        return max(_EPOCHS, _passes(_STEPS, n_pixels, self.batch_size))

    def _build(self, n_bands: int, n: int) -> NAENet:
        from unmix.nets.nae import NAENet

        return NAENet(n_bands, n)

    def _set_members(self, network: Any, E: torch.Tensor) -> None:
        network.decoder.linear.weight.copy_(E.T)

    def _pretrain(self, pixels: NDArray[np.floating], scaled: NDArray[np.floating]) -> None:
        """Fit Ψ to the identity on the pixels."""
        from unmix.nets.train import train

        if not self.pretrain_steps:
            return
        rng = np.random.default_rng(self.seed)
        rows = np.sort(rng.permutation(len(scaled))[:_PRETRAIN_PIXELS])

        def objective(decoder: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            loss = (decoder.bend(x) - x).square().mean()
            return loss, loss.detach()[None]

        decoder = self.network_.decoder
        bend = [*decoder.first.parameters(), *decoder.second.parameters()]
        train(
            decoder,
            objective,
            (self._tensor(scaled[rows]),),
            groups=[(bend, _PRETRAIN_LR)],
            names=["loss"],
            epochs=_passes(self.pretrain_steps, len(rows), self.batch_size),
            batch_size=self.batch_size,
            seed=self.seed,
        )

    def _recipe(self, scaled: NDArray[np.floating], image: Image) -> Recipe:
        def objective(network: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x_hat, _ = network(x)
            loss = (x_hat - x).square().mean()
            return loss, loss.detach()[None]

        encoder, decoder = self.network_.encoder, self.network_.decoder
        return Recipe(
            objective,
            (self._tensor(scaled),),
            [(encoder.parameters(), self.lr), (decoder.parameters(), self.decoder_lr)],
            batch_size=self.batch_size,
        )

    def _members(self, scaled: NDArray[np.floating], image: Image) -> NDArray[np.floating]:
        """The decoder's linear weights, back in the pixels' unit."""
        return self._decoder_weights(self.network_.decoder.linear.weight)


def _passes(steps: int, n_pixels: int, batch_size: int) -> int:
    """Epochs that make at least so many steps."""
    per_epoch = -(-n_pixels // batch_size)
    return -(-steps // per_epoch)
