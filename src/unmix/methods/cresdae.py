"""CResDAE, the channel-attention residual autoencoder, as an estimator.

torch is loaded by `fit` and `transform`, not by importing this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from unmix.checks import InputError, check_option
from unmix.methods.base import Unmixer
from unmix.methods.linear import VCAFCLS
from unmix.scaling import abundances, levelled, normalise

if TYPE_CHECKING:
    import torch

    from unmix.nets.cresdae import CResDAENet

__all__ = ["PRESETS", "CResDAE"]

PRESETS = ("paper",)

_CHUNK = 16384  # pixels at a time through a trained network
_PRETRAIN_PIXELS = 10_000


class CResDAE(Unmixer):
    r"""Unmixing by an autoencoder whose decoder holds the endmembers.

    The encoder maps a spectrum to abundances a (softmax: a ≥ 0, Σ a = 1), the decoder maps them
    back by the mixing model x̂ = ReLU(a E + N(a E)), E the endmembers and N a small network for
    what is not linear. Both minimise, over the scene's own pixels,

        α ‖x̂ − x‖² + β angle(x̂, x) + γ₁ ‖a − 1/K‖² + γ₂ entropy(a) + γ₃ Σ√a.

    E starts from the endmembers given, or from VCA, and stays non-negative. N is pre-trained:
    `pretrain_epochs` passes fit a E + N(a E) to the pixels with the exact abundances of the
    starting endmembers (FCLS). The defaults are the publication's; where it gives none (α, β,
    the form of the sparsity term, the ratio of the bottleneck) `CompositeLoss` and
    `ChannelAttention` say what was chosen. The uniform term at 0.4 pulls every pixel towards
    equal shares, and 40 epochs of a small scene are few steps; docs/cresdae.md measures both.

    Pixels are divided by one number, the largest value of the scene, so reflectance as a
    fraction and reflectance × 10 000 give the same abundances.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        Spectra to start from, in the pixels' unit.
    preset : {"paper"}
        "paper": the network and training as published.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness before the network sees it, see `unmix.scaling`;
        for "shade" it is divided by the brightness that NNLS with the starting endmembers finds.
    seed : int
        Of VCA, the initial weights and the shuffling.
    epochs, batch_size : int
        Passes over the pixels, and pixels a step.
    lr, decoder_lr : float
        Learning rates of the encoder and the decoder.
    alpha, beta, gamma_uniform, gamma_entropy, gamma_sparsity : float
        Weights of the loss terms, in the order above.
    attention : {"feature", "cbam"}
        Table 1's gate on the pixel's own feature, or Section 2.3's on the pooled map.
    reduction : int
        Bottleneck ratio of the attention.
    pretrain_epochs : int
        Of the nonlinear decoder; 0 starts it at zero correction.
    dtype : {"float32", "bfloat16"}
        Arithmetic of the layers while training.
    device : str
        "auto" (the GPU where there is one), "cpu" or "cuda".
    progress : callable, optional
        Called with the fraction done after every epoch; returning False stops the training.

    Attributes
    ----------
    endmembers_ : ndarray, shape (member, band)
    network_ : CResDAENet
    history_ : dict of str to list of float
        Loss and unweighted terms, one value an epoch.
    n_iter_ : int
        Completed epochs.
    status_ : str
        A sentence that says how training ended.

    References
    ----------
    CResDAE, Remote Sensing 2025, 17(21), 3622.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((3, 40), dtype=np.float32)
    >>> A = rng.dirichlet(np.ones(3), 2000).astype(np.float32)
    >>> model = CResDAE(endmembers=E, gamma_uniform=0, epochs=20, batch_size=64, device="cpu")
    >>> found = model.fit_transform(A @ E)
    >>> bool(np.sqrt(((found - A) ** 2).mean()) < 0.03), model.status_
    (True, 'Trained for all 20 epochs.')
    """

    label = "CResDAE"
    reference = "CResDAE, Remote Sensing 2025, 17(21), 3622"

    def __init__(
        self,
        n_endmembers: int | None = None,
        *,
        endmembers: ArrayLike | None = None,
        preset: str = "paper",
        scale: str = "none",
        seed: int = 0,
        epochs: int = 40,
        batch_size: int = 1024,
        lr: float = 1e-3,
        decoder_lr: float = 1e-5,
        alpha: float = 1.0,
        beta: float = 1.0,
        gamma_uniform: float = 0.4,
        gamma_entropy: float = 0.01,
        gamma_sparsity: float = 0.01,
        attention: str = "feature",
        reduction: int = 16,
        pretrain_epochs: int = 10,
        dtype: str = "float32",
        device: str = "auto",
        progress: Callable[[float], Any] | None = None,
    ) -> None:
        self.n_endmembers = n_endmembers
        self.endmembers = endmembers
        self.preset = preset
        self.scale = scale
        self.seed = seed
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.decoder_lr = decoder_lr
        self.alpha = alpha
        self.beta = beta
        self.gamma_uniform = gamma_uniform
        self.gamma_entropy = gamma_entropy
        self.gamma_sparsity = gamma_sparsity
        self.attention = attention
        self.reduction = reduction
        self.pretrain_epochs = pretrain_epochs
        self.dtype = dtype
        self.device = device
        self.progress = progress

    def fit(self, X: ArrayLike, y: Any = None) -> CResDAE:
        """Train on pixels (..., band).

        Raises
        ------
        InputError
            A keyword out of range, or pixels that cannot be unmixed.
        """
        self._check_keywords()
        pixels = self._check_pixels(X, reset=True)
        n, E = self._check_configuration(pixels)
        start = VCAFCLS(n, endmembers=E, scale=self.scale, seed=self.seed).fit(pixels)
        self.start_ = start.endmembers_
        scaled, size = levelled(pixels, self.start_, self.scale)
        self.unit_ = float(np.abs(scaled).max())
        if not self.unit_ > 0:
            raise InputError("X: every value is zero; there is nothing to unmix")
        self.brightness_ = float(np.median(size)) if self.scale in ("l2", "max") else 1.0
        self.network_ = self._initial_network()
        self.history_: dict[str, list[float]] = {}
        self.n_iter_ = 0
        if self.pretrain_epochs:
            self._pretrain(pixels, scaled)
        return self._train(scaled, self.epochs)

    def finetune(self, X: ArrayLike, epochs: int | None = None) -> CResDAE:
        """Go on training from the learned weights, on pixels (..., band) of these or other scenes.

        Raises
        ------
        InputError
            Another number of bands, or `epochs` out of range.
        """
        check_is_fitted(self)
        scaled, _ = levelled(self._check_pixels(X, reset=False), self.start_, self.scale)
        return self._train(scaled, self.epochs if epochs is None else epochs)

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Abundances (..., member) on the simplex, in X's float type."""
        check_is_fitted(self)
        pixels = self._check_pixels(X, reset=False)
        scaled, _ = levelled(pixels, self.start_, self.scale)
        A = self._through(self.network_.encoder, scaled / self.unit_, len(self.endmembers_))
        A = A.astype(pixels.dtype, copy=False)
        A /= A.sum(axis=1, keepdims=True)
        return self._like(A, X)

    def inverse_transform(self, A: ArrayLike) -> NDArray[np.floating]:
        """Spectra (..., band) of abundances (..., member) by the whole decoder.

        In the pixels' unit; with `scale` "l2" or "max" at the median brightness of the scene
        trained on, with "shade" at brightness 1.
        """
        check_is_fitted(self)
        a = np.asarray(A)
        if a.ndim < 1 or a.shape[-1] != len(self.endmembers_):
            raise InputError(f"A: got shape {a.shape}; give (..., {len(self.endmembers_)})")
        rows = a.reshape(-1, a.shape[-1])
        spectra = self._through(self.network_.decoder, rows, self.n_features_in_)
        spectra *= self.unit_ * self.brightness_
        dtype = a.dtype if a.dtype in (np.float32, np.float64) else np.float64
        return spectra.reshape(*a.shape[:-1], -1).astype(dtype, copy=False)

    # --- the parts of fit -----------------------------------------------------------------------

    def _check_keywords(self) -> None:
        check_option(self.preset, PRESETS, "preset")
        check_option(self.attention, ("feature", "cbam"), "attention")
        for name in ("alpha", "beta", "gamma_uniform", "gamma_entropy", "gamma_sparsity"):
            value = getattr(self, name)
            if not isinstance(value, float | int | np.number) or not 0 <= value < float("inf"):
                raise InputError(f"{name}: got {value!r}; a weight is 0 or more")
        for name, lowest in (("reduction", 1), ("pretrain_epochs", 0), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < lowest:
                raise InputError(f"{name}: got {value!r}; give a whole number from {lowest} up")

    def _initial_network(self) -> CResDAENet:
        """The network with seeded weights and the starting endmembers, on its device."""
        import torch

        from unmix.nets.cresdae import CResDAENet
        from unmix.nets.train import pick_device, seeded

        device = pick_device(self.device)
        n, n_bands = self.start_.shape
        with seeded(self.seed):
            network = CResDAENet(n_bands, n, self.attention, self.reduction)
        members, _ = normalise(self.start_, self.scale)
        E = torch.from_numpy(np.maximum(members / self.unit_, 0).astype(np.float32))
        network.decoder.linear.weight.data.copy_(E.T)
        return network.to(device)

    def _pretrain(self, pixels: NDArray[np.floating], scaled: NDArray[np.floating]) -> None:
        """Fit the nonlinear decoder to what exact abundances leave unexplained."""
        from unmix.nets.losses import squared_error
        from unmix.nets.train import train

        rng = np.random.default_rng(self.seed)
        rows = np.sort(rng.permutation(len(pixels))[:_PRETRAIN_PIXELS])
        A, _ = abundances(pixels[rows], self.start_, self.scale)

        def objective(decoder: Any, a: torch.Tensor, x: torch.Tensor) -> Any:
            loss = squared_error(decoder(a), x)
            return loss, loss.detach()[None]

        decoder = self.network_.decoder
        train(
            decoder,
            objective,
            (self._tensor(A), self._tensor(scaled[rows] / self.unit_)),
            groups=[([*decoder.first.parameters(), *decoder.second.parameters()], 1e-3)],
            names=["loss"],
            epochs=self.pretrain_epochs,
            batch_size=self.batch_size,
            seed=self.seed,
        )

    def _train(self, scaled: NDArray[np.floating], epochs: int) -> CResDAE:
        """Train from the present weights and record how it went."""
        from unmix.nets.losses import CompositeLoss
        from unmix.nets.train import train

        loss = CompositeLoss(
            self.alpha, self.beta, self.gamma_uniform, self.gamma_entropy, self.gamma_sparsity
        )
        network = self.network_
        stopped: list[int] = []

        def objective(net: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x_hat, a = net(x)
            return loss(x_hat, a, x)

        def tell(epoch: int, epochs: int, _: dict[str, float]) -> None:
            if self.progress is not None and self.progress(epoch / epochs) is False:
                stopped.append(epoch)

        result = train(
            network,
            objective,
            (self._tensor(scaled / self.unit_),),
            groups=[
                (network.encoder.parameters(), self.lr),
                (network.decoder.parameters(), self.decoder_lr),
            ],
            names=loss.names,
            epochs=epochs,
            batch_size=self.batch_size,
            seed=self.seed + self.n_iter_,
            dtype=self.dtype,
            nonnegative=[network.decoder.linear.weight],
            progress=tell,
            cancelled=lambda: bool(stopped),
        )
        for name, values in result.history.items():
            self.history_.setdefault(name, []).extend(values)
        self.n_iter_ += result.n_epochs
        self.status_ = result.status
        self._learn_endmembers()
        return self

    def _learn_endmembers(self) -> None:
        """The decoder's linear weights, back in the pixels' unit."""
        weights = self.network_.decoder.linear.weight.detach().cpu().numpy().T
        _, size = normalise(self.start_, self.scale)
        E = weights * (self.unit_ * size.astype(np.float64)[:, None])
        self.endmembers_ = E.astype(self.start_.dtype)

    # --- arrays to tensors and back -------------------------------------------------------------

    def _tensor(self, values: NDArray[np.floating]) -> torch.Tensor:
        import torch

        device = self.network_.decoder.linear.weight.device
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)

    def _through(self, part: Any, values: NDArray[np.floating], width: int) -> NDArray[np.floating]:
        """Rows through the encoder or the decoder, a chunk at a time: (row, width) float32."""
        import torch

        out = np.empty((len(values), width), np.float32)
        with torch.inference_mode():
            for i in range(0, len(values), _CHUNK):
                out[i : i + _CHUNK] = part(self._tensor(values[i : i + _CHUNK])).cpu().numpy()
        return out
