"""LinearAE, the deep autoencoder for linear mixtures known as DAEU, as an estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import check_option
from unmix.methods.base import Unmixer
from unmix.methods.network import Image, NetworkUnmixer, Recipe, check_whole

if TYPE_CHECKING:
    import torch

    from unmix.nets.linear_ae import LinearAENet

__all__ = ["LinearAE"]


class LinearAE(NetworkUnmixer):
    r"""Unmixing by an autoencoder for linear mixtures (DAEU), trained on the spectral angle.

    The encoder maps a spectrum to abundances a (a ≥ 0, Σ a = 1), the decoder back by x̂ = a E
    with E ≥ 0; both minimise the mean spectral angle between x̂ and x by RMSprop on spectra drawn
    from the scene. The angle does not see size: after training a factor for each member, by least
    squares, brings it to the size of its pixels.

    Given endmembers are kept: only the encoder learns. Without, as its authors have it, E starts
    from random weights, and 2000 spectra are seen in batches of 6 (their code; 13 000 steps
    whatever the size of the scene). `init="vca"` starts E from VCA.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Known spectra, which stay as they are.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness before the network sees it, see `unmix.scaling`.
    seed : int
        Of VCA, the initial weights, the spectra drawn, their order and the dropout.
    init : {"random", "vca"}
        What E starts from.
    epochs, batch_size : int
        Passes over the spectra drawn, and spectra a step (2 or more).
    n_spectra : int
        How many are drawn, with replacement.
    lr : float
        Learning rate.
    dtype : {"float32", "bfloat16"}
        Arithmetic of the layers while training.
    device : str
        "auto" (the GPU where there is one), "cpu" or "cuda".
    progress : callable, optional
        Called with the fraction done after every epoch; returning False stops the training.

    Attributes
    ----------
    endmembers_ : ndarray, shape (member, band)
    network_ : LinearAENet
    history_ : dict of str to list of float
        The mean angle in rad, one value an epoch.
    n_iter_ : int
        Completed epochs.
    status_ : str
        A sentence that says how training ended.

    References
    ----------
    Palsson, Sigurdsson, Sveinsson & Ulfarsson 2018, "Hyperspectral unmixing using a neural
    network autoencoder", IEEE Access 6, 25646-25656.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((3, 40), dtype=np.float32)
    >>> A = rng.dirichlet(np.full(3, 0.5), 2000).astype(np.float32)
    >>> model = LinearAE(endmembers=E, epochs=10, device="cpu")
    >>> found = model.fit_transform(A @ E)
    >>> bool(np.sqrt(((found - A) ** 2).mean()) < 0.1), model.status_
    (True, 'Trained for all 10 epochs.')
    """

    label = "LinearAE"
    reference = "Palsson et al. 2018, IEEE Access 6, 25646-25656"

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        init: str = "random",
        epochs: int = 40,
        batch_size: int = 6,
        n_spectra: int = 2000,
        lr: float = 1e-3,
        dtype: str = "float32",
        device: str = "auto",
        progress: Callable[[float], Any] | None = None,
    ) -> None:
        self.n_endmembers = n_endmembers
        self.endmembers = endmembers
        self.scale = scale
        self.seed = seed
        self.init = init
        self.epochs = epochs
        self.batch_size = batch_size
        self.n_spectra = n_spectra
        self.lr = lr
        self.dtype = dtype
        self.device = device
        self.progress = progress

    def inverse_transform(self, A: ArrayLike) -> NDArray[np.floating]:
        """Spectra A E (..., band) of abundances (..., member)."""
        return Unmixer.inverse_transform(self, A)

    # --- the parts of fit -----------------------------------------------------------------------

    def _check_keywords(self) -> None:
        check_option(self.init, ("random", "vca"), "init")
        check_whole(self, batch_size=2, n_spectra=2, seed=0)

    def _build(self, n_bands: int, n: int) -> LinearAENet:
        from unmix.nets.linear_ae import LinearAENet

        return LinearAENet(n_bands, n)

    def _set_members(self, network: Any, E: torch.Tensor) -> None:
        if self.init == "vca" or self.endmembers is not None:
            network.decoder.weight.copy_(E.clamp(min=0).T)

    def _recipe(self, scaled: NDArray[np.floating], image: Image) -> Recipe:
        import torch

        from unmix.nets.losses import spectral_angle

        network = self.network_
        learning = (network if self.endmembers is None else network.encoder).parameters()
        rng = np.random.default_rng(self.seed + self.n_iter_)
        size = min(self.batch_size, self.n_spectra)
        rows = rng.integers(len(scaled), size=self.n_spectra // size * size)
        data = self._tensor(scaled[rows])
        noise = torch.Generator().manual_seed(self.seed + self.n_iter_)

        def objective(net: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x_hat, _ = net(x, noise)
            loss = spectral_angle(x_hat, x)
            return loss, loss.detach()[None]

        return Recipe(
            objective,
            (data,),
            [(learning, self.lr)],
            ("angle",),
            size,
            [network.decoder.weight, network.encoder[-2].threshold],
            "rmsprop",
        )

    def _members(self, scaled: NDArray[np.floating], image: Image) -> NDArray[np.floating]:
        """The decoder's weights, at the size of the pixels; those given, if any."""
        if self.endmembers is not None:
            return self.start_
        weights = self.network_.decoder.weight.detach().cpu().numpy().T.astype(np.float64)
        A = self._encode(scaled, image)
        return self._sized(weights, A, scaled)
