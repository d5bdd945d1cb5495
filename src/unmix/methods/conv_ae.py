"""ConvAE, the spectral-spatial convolutional autoencoder known as CNNAEU, as an estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.checks import InputError, check_option
from unmix.methods.base import Unmixer
from unmix.methods.network import Image, NetworkUnmixer, Recipe, check_whole

if TYPE_CHECKING:
    import torch

    from unmix.nets.conv_ae import ConvAENet

__all__ = ["ConvAE"]

_CHUNK = 65_536  # pixels of an image at a time through the trained encoder


class ConvAE(NetworkUnmixer):
    r"""Unmixing by a convolutional autoencoder that looks at a pixel's neighbours (CNNAEU).

    The encoder maps an image to abundance maps (softmax: a ≥ 0, Σ a = 1) through 3 × 3 pixels;
    the decoder is one non-negative convolution with a window of 13 × 13, whose mean over the
    window is the endmembers. Both minimise the mean spectral angle between image and
    reconstruction by RMSprop on random patches of the scene. The angle does not see size: after
    training a factor for each member, by least squares, brings it to the size of its pixels.

    Give an image (row, column, band): beyond its edge it is continued by its edge pixels. Pixels
    in any other shape have no neighbours, and each is an image of its own.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Known spectra, which stay as they are: the decoder mixes them without a window.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness before the network sees it, see `unmix.scaling`.
    seed : int
        Of VCA, the initial weights, the patches, their order and the dropout.
    init : {"random", "vca"}
        What the decoder starts from: random weights, as its authors have it, or VCA.
    epochs, batch_size : int
        Passes over the patches, and patches a step.
    n_patches, patch_size : int
        How many patches are drawn, and the side of each (at most the scene's).
    window : int
        Odd side of the decoder's window.
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
    network_ : ConvAENet
    history_ : dict of str to list of float
        The mean angle in rad, one value an epoch.
    n_iter_ : int
        Completed epochs.
    status_ : str
        A sentence that says how training ended.

    References
    ----------
    Palsson, Ulfarsson & Sveinsson 2021, "Convolutional autoencoder for spectral-spatial
    hyperspectral unmixing", IEEE Trans. Geosci. Remote Sens. 59(1), 535-549.

    Examples
    --------
    >>> from unmix.simulate.fields import smooth_abundances
    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((3, 20), dtype=np.float32)
    >>> A = smooth_abundances(rng, 3, (30, 34)).astype(np.float32)
    >>> quick = {"epochs": 30, "n_patches": 16, "batch_size": 4, "patch_size": 20, "window": 3}
    >>> model = ConvAE(endmembers=E, device="cpu", **quick)
    >>> found = model.fit_transform(A @ E)
    >>> bool(np.sqrt(((found - A) ** 2).mean()) < 0.15), model.status_
    (True, 'Trained for all 30 epochs.')
    """

    label = "ConvAE"
    reference = "Palsson et al. 2021, IEEE TGRS 59(1), 535-549"
    halo: ClassVar[int] = 1

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        scale: str = "none",
        seed: int = 0,
        init: str = "random",
        epochs: int = 320,
        batch_size: int = 15,
        n_patches: int = 250,
        patch_size: int = 40,
        window: int = 13,
        lr: float = 3e-3,
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
        self.n_patches = n_patches
        self.patch_size = patch_size
        self.window = window
        self.lr = lr
        self.dtype = dtype
        self.device = device
        self.progress = progress

    def inverse_transform(self, A: ArrayLike) -> NDArray[np.floating]:
        """Spectra A E (..., band) of abundances (..., member), without the decoder's window."""
        return Unmixer.inverse_transform(self, A)

    # --- the parts of fit -----------------------------------------------------------------------

    def _check_keywords(self) -> None:
        check_option(self.init, ("random", "vca"), "init")
        check_whole(self, batch_size=1, n_patches=1, patch_size=1, window=1, seed=0)
        if self.window % 2 == 0:
            raise InputError(f"window: got {self.window}; give an odd number of pixels")

    def _build(self, n_bands: int, n: int) -> ConvAENet:
        from unmix.nets.conv_ae import ConvAENet

        return ConvAENet(n_bands, n, self.window if self.endmembers is None else 1)

    def _set_members(self, network: Any, E: torch.Tensor) -> None:
        if self.init == "vca" or self.endmembers is not None:
            weight = network.decoder.weight
            kernel = E.clamp(min=0).T[..., None, None]
            weight.copy_(kernel * (weight.mean() / kernel.mean()))

    def _recipe(self, scaled: NDArray[np.floating], image: Image) -> Recipe:
        import torch

        from unmix.nets.losses import spectral_angle

        network, seed = self.network_, self.seed + self.n_iter_
        learning = (network if self.endmembers is None else network.encoder).parameters()
        rng = np.random.default_rng(seed)
        data, cut, size = self._patches(scaled, image, rng)
        noise = torch.Generator().manual_seed(seed)

        def objective(net: Any, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x = cut(chosen)
            x_hat, _ = net(x, noise)
            inside = x[:, :, 1:-1, 1:-1]
            loss = spectral_angle(*(v.permute(0, 2, 3, 1).flatten(0, 2) for v in (x_hat, inside)))
            return loss, loss.detach()[None]

        return Recipe(
            objective,
            (data,),
            [(learning, self.lr)],
            ("angle",),
            size,
            [network.decoder.weight],
            "rmsprop",
        )

    def _patches(
        self, scaled: NDArray[np.floating], image: Image, rng: np.random.Generator
    ) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor], int]:
        """What batches are drawn from, how patches (…, band, side, side) are cut, and how many.

        Of pixels without neighbours as many make a step as there are steps' worth of patches.
        """
        import torch

        from unmix.nets.conv_ae import as_images

        if image is None:
            n_steps = -(-self.n_patches // self.batch_size)
            size = max(2, len(scaled) // n_steps)
            rows = rng.permutation(len(scaled))[: len(scaled) // size * size]
            return self._tensor(scaled[rows]), as_images, size
        side = min(self.patch_size, *image)
        scene = self._tensor(_with_margin(scaled.reshape(*image, -1)))
        span = [n - side + 1 for n in image]
        corners = rng.integers(span, size=(self.n_patches, 2))

        def cut(chosen: torch.Tensor) -> torch.Tensor:
            step = side + 2
            pieces = [scene[r : r + step, c : c + step] for r, c in chosen.tolist()]
            return torch.stack(pieces).permute(0, 3, 1, 2).to(self._device)

        return torch.from_numpy(corners).to(scene.device), cut, self.batch_size

    def _members(self, scaled: NDArray[np.floating], image: Image) -> NDArray[np.floating]:
        """The decoder's kernels, averaged over the window, at the size of the pixels."""
        if self.endmembers is not None:
            return self.start_
        weights = self.network_.decoder.weight.detach().mean(dim=(2, 3)).cpu().numpy()
        return self._sized(weights.T.astype(np.float64), self._encode(scaled, image), scaled)

    def _encode(
        self, pixels: NDArray[np.floating], image: Image, gain: float = 1.0
    ) -> NDArray[np.floating]:
        """Abundances (pixel, member); of an image through its neighbours."""
        from unmix.nets.conv_ae import WithoutNeighbours
        from unmix.nets.inference import image_through

        encoder, n = self.network_.encoder, len(self.start_)
        if image is None:
            return self._through(WithoutNeighbours(encoder), pixels, n, gain)
        X = pixels.reshape(*image, -1)
        return image_through(encoder, X, n, margin=self.halo, most=_CHUNK, gain=gain).reshape(-1, n)


def _with_margin(X: NDArray[np.floating]) -> NDArray[np.floating]:
    """An image (row, column, band) continued by its edge pixels."""
    return np.pad(X, ((1, 1), (1, 1), (0, 0)), mode="edge")
