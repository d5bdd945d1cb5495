"""CResDAE as an estimator: its best preset, and the published channel-attention autoencoder.

torch is loaded by `fit` and `transform`, not by importing this module.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from unmix.checks import InputError, check_option, check_seed
from unmix.information import band_information
from unmix.methods.best import HALO, TYPICAL, Best
from unmix.methods.network import Image, NetworkUnmixer, Recipe, check_weights, check_whole
from unmix.posterior.faces import faces_of
from unmix.scaling import abundances

if TYPE_CHECKING:
    import torch

    from unmix.nets.cresdae import CResDAENet

__all__ = ["PRESETS", "CResDAE"]

PRESETS = ("best", "paper")

_PRETRAIN_PIXELS = 10_000
_SHARED = ("n_endmembers", "endmembers", "preset", "scale", "seed", "progress")  # by all presets


class CResDAE(NetworkUnmixer, Best):
    r"""Posterior abundances under a mixing surface fitted blind, or the published autoencoder.

    `preset="best"` models pixels as x = f(a) + n: a on the simplex, a priori uniform on each of its
    faces, f linear, bilinear or post-nonlinear with endmembers and few constants, n the noise that
    is measured and, of an image, mostly averaged away. Endmembers, constants and the shares of the
    faces maximise the likelihood, f is chosen by it; where materials vary by more than noise,
    typical spectra and exact abundances take f's place. docs/cresdae.md is the whole account.

    `preset="paper"` is the network of the publication. The encoder maps a spectrum to abundances a
    (softmax: a ≥ 0, Σ a = 1), the decoder maps them back by x̂ = ReLU(a E + N(a E)), E the
    endmembers and N a small network for what is not linear. Both minimise, over the scene's pixels,

        α ‖x̂ − x‖² + β angle(x̂, x) + γ₁ ‖a − 1/K‖² + γ₂ entropy(a) + γ₃ Σ√a.

    E starts from the endmembers given, or from VCA, and stays non-negative. N is pre-trained:
    `pretrain_epochs` passes fit a E + N(a E) to the pixels with the exact abundances of the
    starting endmembers (FCLS). The defaults are the publication's; where it gives none (α, β,
    the form of the sparsity term, the ratio of the bottleneck) `CompositeLoss` and
    `ChannelAttention` say what was chosen.

    Reflectance as a fraction and reflectance × 10 000 give the same abundances.

    Parameters
    ----------
    n_endmembers : int, optional
        K; needed unless `endmembers` are given.
    endmembers : array_like, shape (member, band), optional
        In the pixels' unit: known spectra ("best") or spectra to start from ("paper").
    preset : {"best", "paper"}
        Keywords from `epochs` on belong to "paper" alone.
    scale : {"none", "l2", "max", "shade"}
        What is done about a pixel's brightness, see `unmix.scaling`; for "shade" the network sees
        pixels divided by the brightness that NNLS with the starting endmembers finds.
    seed : int
        Of samples, extraction, initial weights and shuffling.
    epochs, batch_size : int
        Passes over the pixels, and pixels a step.
    lr, decoder_lr : float
        Learning rates of the encoder and the decoder.
    alpha, beta, gamma_uniform, gamma_entropy, gamma_sparsity : float
        Weights of the loss terms, in the order above.
    attention : {"feature", "cbam", "none"}
        Table 1's gate on the pixel's own feature, Section 2.3's on the pooled map, or no gate.
    reduction : int
        Bottleneck ratio of the attention.
    residual, nonlinear : bool
        Whether the encoder has its residual block, the decoder its nonlinear part N.
    pretrain_epochs : int
        Of the nonlinear decoder; 0 starts it at zero correction.
    dtype : {"float32", "bfloat16"}
        Arithmetic of the layers while training.
    device : str
        "auto" (the GPU where there is one), "cpu" or "cuda".
    progress : callable, optional
        Called with the fraction done; returning False stops the training of "paper".

    Attributes
    ----------
    endmembers_ : ndarray, shape (member, band)
    surface_, theta_ : str, ndarray
        The mixing surface chosen and its constants ("best").
    spread_ : ndarray, shape (member, band)
        Standard deviation of the endmembers over answers that fit alike ("best").
    evidence_, warnings_ : dict, tuple of str
        What was chosen, among what; what about the answer may be no property of the scene ("best").
    network_ : CResDAENet
        ("paper")
    history_ : dict of str to list of float
        Log-likelihood by step, or loss and unweighted terms by epoch.
    n_iter_ : int
        Steps or completed epochs.
    status_ : str
        A sentence that says how the fit ended.

    References
    ----------
    CResDAE, Remote Sensing 2025, 17(21), 3622.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> E = rng.random((3, 40), dtype=np.float32)
    >>> A = rng.dirichlet(np.ones(3), 2000).astype(np.float32)
    >>> X = A @ E + 0.01 * rng.standard_normal((2000, 40), dtype=np.float32)
    >>> model = CResDAE(3).fit(X)
    >>> found, sure = model.transform_with_uncertainty(X)
    >>> model.surface_, bool(sure["sd"].mean() < 0.03)
    ('linear', True)
    >>> model = CResDAE(endmembers=E, preset="paper", gamma_uniform=0, epochs=20, batch_size=64,
    ...                 device="cpu")
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
        preset: str = "best",
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
        residual: bool = True,
        nonlinear: bool = True,
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
        self.residual = residual
        self.nonlinear = nonlinear
        self.pretrain_epochs = pretrain_epochs
        self.dtype = dtype
        self.device = device
        self.progress = progress

    @property
    def halo(self) -> int:  # type: ignore[override]
        """Radius of pixels around a pixel that its abundances depend on."""
        return HALO if self.preset == "best" else 0

    def fit(self, X: ArrayLike, y: Any = None) -> CResDAE:
        """Learn from pixels (..., band); "best" denoises those of an image (row, column, band).

        Raises
        ------
        InputError
            A keyword out of range, or pixels that cannot be unmixed.
        """
        check_option(self.preset, PRESETS, "preset")
        if self.preset == "paper":
            super().fit(X)
        else:
            check_seed(self.seed)
            self._check_unused()
            self._fit_best(X)
        return self

    def finetune(self, X: ArrayLike, epochs: int | None = None) -> CResDAE:
        """Go on from what was learned, on pixels (..., band) of these or other scenes.

        "best" fits endmembers and the surface's constants again, from those at hand, and measures
        noise and how far to trust the answer anew; members keep their order. "paper" goes on
        training for `epochs`.

        Raises
        ------
        InputError
            Another number of bands, `epochs` out of range or without a network, or pixels in which
            the members cannot be told apart.
        """
        check_is_fitted(self)
        if self.preset == "paper":
            super().finetune(X, epochs)
        elif epochs is not None:
            raise InputError("epochs: belongs to the published recipe (preset='paper'); leave out")
        else:
            self._finetune_best(X)
        return self

    @property
    def band_information(self) -> NDArray[np.float64] | None:
        """Share of the information on abundances (band,) that each band carries; sums to 1.

        See `unmix.information`; at the mean abundances that the shares of the faces say. Noise
        counts as far as it limits the answer: not where materials vary by more. None for "paper".
        """
        check_is_fitted(self)
        return self._information() if self.preset == "best" else None

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Abundances (..., member) on the simplex, in X's float type."""
        check_is_fitted(self)
        if self.preset == "paper":
            return super().transform(X)
        return self._both_best(X, sure=False)[0]

    def uncertainty(self, X: ArrayLike) -> dict[str, NDArray[np.floating]]:
        """Standard deviation "sd" and 90 % interval "low" to "high" of abundances (..., member).

        Raises
        ------
        InputError
            The preset has none.
        """
        check_is_fitted(self)
        if self.preset == "paper":
            raise InputError("preset: 'paper' gives no uncertainty; use 'best'")
        return self._both_best(X)[1]

    def transform_with_uncertainty(
        self, X: ArrayLike
    ) -> tuple[NDArray[np.floating], dict[str, NDArray[np.floating]] | None]:
        """What `transform` and `uncertainty` give, from one posterior."""
        check_is_fitted(self)
        if self.preset == "paper":
            return self.transform(X), None
        return self._both_best(X)

    def inverse_transform(self, A: ArrayLike) -> NDArray[np.floating]:
        """Spectra (..., band) of abundances (..., member), mixed as the scene is, at brightness 1.

        In the pixels' unit; "paper" uses the whole decoder, with `scale` "l2" or "max" at the
        median brightness of the scene trained on.
        """
        a = self._check_abundances(A)
        if self.preset == "paper":
            return super().inverse_transform(a)
        spectra = self._inverse_best(a.reshape(-1, a.shape[-1]))
        dtype = a.dtype if a.dtype in (np.float32, np.float64) else np.float64
        return spectra.reshape(*a.shape[:-1], -1).astype(dtype, copy=False)

    def _information(self) -> NDArray[np.float64]:
        """`band_information` of a fitted "best"."""
        n, free = len(self.endmembers_), self.scale != "none"
        if self.surface_ == TYPICAL:
            return band_information(self.endmembers_, np.full(n, 1 / n), free=free)
        E = self.endmembers_ / (self.unit_ * (1.0 if self.scale == "shade" else self.level_))
        faces, mean = faces_of(n), np.zeros(n)
        for members, size, log in zip(*faces, self.log_shares_, strict=True):
            mean[members[:size]] += np.exp(log) / size
        return band_information(
            E, mean / mean.sum(), surface=self._surface, sigma=self.sigma_, free=free
        )

    def _check_unused(self) -> None:
        """The keywords of the published recipe are an error where nothing is trained by it."""
        if self.device == "cuda":
            raise InputError("device: preset 'best' does not use a GPU; leave it out")
        keywords = signature(type(self)).parameters
        for name in self.unused:
            if name != "device" and getattr(self, name) != keywords[name].default:
                raise InputError(f"{name}: belongs to the published recipe; add preset='paper'")

    @property
    def unused(self) -> tuple[str, ...]:
        """Keywords that the preset does not use."""
        if self.preset == "paper":
            return ()
        return tuple(name for name in signature(type(self)).parameters if name not in _SHARED)

    def _needs_network(self) -> bool:
        return self.preset == "paper"

    # --- the parts of fit -----------------------------------------------------------------------

    def _check_keywords(self) -> None:
        check_option(self.preset, PRESETS, "preset")
        check_option(self.attention, ("feature", "cbam", "none"), "attention")
        for name in ("residual", "nonlinear"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise InputError(f"{name}: got {getattr(self, name)!r}; give True or False")
        check_weights(self, "alpha", "beta", "gamma_uniform", "gamma_entropy", "gamma_sparsity")
        check_whole(self, reduction=1, pretrain_epochs=0, seed=0)

    def _build(self, n_bands: int, n: int) -> CResDAENet:
        from unmix.nets.cresdae import CResDAENet

        return CResDAENet(
            n_bands, n, self.attention, self.reduction, bool(self.residual), bool(self.nonlinear)
        )

    def _set_members(self, network: Any, E: torch.Tensor) -> None:
        network.decoder.linear.weight.copy_(E.clamp(min=0).T)

    def _pretrain(self, pixels: NDArray[np.floating], scaled: NDArray[np.floating]) -> None:
        """Fit the nonlinear decoder to what exact abundances leave unexplained."""
        from unmix.nets.losses import squared_error
        from unmix.nets.train import train

        if not (self.pretrain_epochs and self.nonlinear):
            return
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
            (self._tensor(A), self._tensor(scaled[rows])),
            groups=[([*decoder.first.parameters(), *decoder.second.parameters()], 1e-3)],
            names=["loss"],
            epochs=self.pretrain_epochs,
            batch_size=self.batch_size,
            seed=self.seed,
        )

    def _recipe(self, scaled: NDArray[np.floating], image: Image) -> Recipe:
        from unmix.nets.losses import CompositeLoss

        loss = CompositeLoss(
            self.alpha, self.beta, self.gamma_uniform, self.gamma_entropy, self.gamma_sparsity
        )

        def objective(net: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x_hat, a = net(x)
            return loss(x_hat, a, x)

        encoder, decoder = self.network_.encoder, self.network_.decoder
        return Recipe(
            objective,
            (self._tensor(scaled),),
            [(encoder.parameters(), self.lr), (decoder.parameters(), self.decoder_lr)],
            loss.names,
            self.batch_size,
            [decoder.linear.weight],
        )

    def _members(self, scaled: NDArray[np.floating], image: Image) -> NDArray[np.floating]:
        """The decoder's linear weights, back in the pixels' unit."""
        return self._decoder_weights(self.network_.decoder.linear.weight)
