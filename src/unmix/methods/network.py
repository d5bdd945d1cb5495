"""What the autoencoders share: pixels in, training and its record, abundances out.

torch is loaded by `fit` and `transform`, not by importing this module.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.utils.validation import check_is_fitted

from unmix.checks import InputError
from unmix.methods.base import Image, Unmixer, image_of
from unmix.methods.linear import VCAFCLS
from unmix.scaling import levelled, normalise
from unmix.solve import nnls

if TYPE_CHECKING:
    import torch
    from torch import nn

    from unmix.nets.train import Objective

__all__ = ["NetworkUnmixer", "Recipe", "check_weights", "check_whole"]

Pixels = NDArray[np.floating]

_CHUNK = 65_536  # pixels that are levelled at a time: their copy is not a second scene
_SMALLEST = 0.01  # size of a member that no pixel needs, against the largest


@dataclass(frozen=True, eq=False)
class Recipe:
    """What a network is trained on and by: arguments of `unmix.nets.train.train`."""

    objective: Objective
    data: Sequence[torch.Tensor]
    groups: Sequence[tuple[Iterable[nn.Parameter], float]]
    names: Sequence[str] = ("loss",)
    batch_size: int = 1
    nonnegative: Sequence[torch.Tensor] = ()
    optimiser: str = "adam"


class NetworkUnmixer(Unmixer):
    """An autoencoder whose decoder holds the endmembers; a method brings its network and recipe.

    Pixels are levelled by their scale mode and divided by one number, the largest value of the
    scene, so the unit of the pixels does not matter. `start_` are the endmembers given, or VCA's.
    """

    network_: Any

    @abstractmethod
    def _check_keywords(self) -> None:
        """`InputError` for a keyword out of range."""

    @abstractmethod
    def _build(self, n_bands: int, n: int) -> nn.Module:
        """The network, with an `encoder` and a `decoder`; torch's generator is seeded."""

    @abstractmethod
    def _set_members(self, network: nn.Module, E: torch.Tensor) -> None:
        """Put the starting endmembers (member, band), in the network's unit, in the decoder."""

    @abstractmethod
    def _recipe(self, scaled: Pixels, image: Image) -> Recipe:
        """How to train on pixels (pixel, band) in the network's unit."""

    @abstractmethod
    def _members(self, scaled: Pixels, image: Image) -> Pixels:
        """Endmembers (member, band) of the trained network, in the pixels' unit."""

    def _needs_network(self) -> bool:
        """Whether the fitted estimator has a network."""
        return True

    def _pretrain(self, pixels: Pixels, scaled: Pixels) -> None:
        """Train a part before the whole: nothing unless a method says so."""

    def fit(self, X: ArrayLike, y: Any = None) -> NetworkUnmixer:
        """Train on pixels (..., band).

        Raises
        ------
        InputError
            A keyword out of range, or pixels that cannot be unmixed.
        """
        from unmix.nets.device import pick_device

        self._check_keywords()
        pick_device(self.device)
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
        scaled = scaled / self.unit_
        self._pretrain(pixels, scaled)
        return self._train(scaled, image_of(X), self._epochs(len(scaled)))

    def finetune(self, X: ArrayLike, epochs: int | None = None) -> NetworkUnmixer:
        """Go on training from the learned weights, on pixels (..., band) of these or other scenes.

        Raises
        ------
        InputError
            Another number of bands, or `epochs` out of range.
        """
        check_is_fitted(self)
        pixels = self._check_pixels(X, reset=False)
        scaled = levelled(pixels, self.start_, self.scale)[0] / self.unit_
        return self._train(
            scaled, image_of(X), self._epochs(len(scaled)) if epochs is None else epochs
        )

    def transform(self, X: ArrayLike) -> Pixels:
        """Abundances (..., member) on the simplex, in X's float type."""
        from unmix.nets.inference import NotFinite

        check_is_fitted(self)
        on_the_way = self.scale == "none" and not self.halo
        try:
            with config_context(assume_finite=on_the_way):  # else a pass of its own for NaN
                A = self._abundances(self._check_pixels(X, reset=False), image_of(X))
        except NotFinite:
            self._check_pixels(X, reset=False)  # says what is wrong
            raise
        return self._like(A, X)

    def _abundances(self, pixels: Pixels, image: Image) -> Pixels:
        """Abundances (pixel, member) of pixels in their own unit, in their float type."""
        n = len(pixels)
        step = n if self.scale == "none" or self.halo else _CHUNK
        A = np.empty((n, len(self.start_)), pixels.dtype)
        for i in range(0, n, step):
            part, _ = levelled(pixels[i : i + step], self.start_, self.scale)
            A[i : i + step] = self._encode(part, image, 1 / self.unit_)
        A /= A.sum(axis=1, keepdims=True)
        return A

    def inverse_transform(self, A: ArrayLike) -> Pixels:
        """Spectra (..., band) of abundances (..., member) by the whole decoder.

        In the pixels' unit; with `scale` "l2" or "max" at the median brightness of the scene
        trained on, with "shade" at brightness 1.
        """
        a = self._check_abundances(A)
        rows = a.reshape(-1, a.shape[-1])
        spectra = self._through(self.network_.decoder, rows, self.n_features_in_, 1.0)
        spectra *= self.unit_ * self.brightness_
        dtype = a.dtype if a.dtype in (np.float32, np.float64) else np.float64
        return spectra.reshape(*a.shape[:-1], -1).astype(dtype, copy=False)

    # --- the parts of fit -----------------------------------------------------------------------

    def _epochs(self, n_pixels: int) -> int:
        """Passes over that many pixels."""
        return self.epochs

    def _initial_network(self) -> Any:
        """The network with seeded weights and the starting endmembers.

        On its device, or on the CPU where a model from another machine does not find that device.
        """
        import torch

        from unmix.nets.device import no_room, usable_device
        from unmix.nets.train import seeded

        n, n_bands = self.start_.shape
        with seeded(self.seed):
            network = self._build(n_bands, n)
        members, _ = normalise(self.start_, self.scale)
        E = torch.from_numpy((members / self.unit_).astype(np.float32))
        with torch.no_grad():
            self._set_members(network, E)
        device = usable_device(self.device)
        try:
            return network.to(device)
        except torch.OutOfMemoryError:
            raise no_room(device, "the network") from None

    def _train(self, scaled: Pixels, image: Image, epochs: int) -> Any:
        """Train from the present weights and record how it went."""
        from unmix.nets.train import train

        recipe = self._recipe(scaled, image)
        stopped: list[int] = []

        def tell(epoch: int, epochs: int, _: dict[str, float]) -> None:
            if self.progress is not None and self.progress(epoch / epochs) is False:
                stopped.append(epoch)

        result = train(
            self.network_,
            recipe.objective,
            recipe.data,
            groups=recipe.groups,
            names=recipe.names,
            epochs=epochs,
            batch_size=recipe.batch_size,
            seed=self.seed + self.n_iter_,
            dtype=self.dtype,
            nonnegative=recipe.nonnegative,
            optimiser=recipe.optimiser,
            progress=tell,
            cancelled=lambda: bool(stopped),
        )
        for name, values in result.history.items():
            self.history_.setdefault(name, []).extend(values)
        self.n_iter_ += result.n_epochs
        self.status_ = result.status
        self.endmembers_ = self._members(scaled, image).astype(self.start_.dtype)
        return self

    def _decoder_weights(self, weight: torch.Tensor) -> NDArray[np.float64]:
        """A linear decoder's weights (band, member) as spectra at their starting brightness."""
        _, size = normalise(self.start_, self.scale)
        weights: NDArray[np.float32] = weight.detach().cpu().numpy().T
        return weights * (self.unit_ * size.astype(np.float64)[:, None])

    def _sized(self, weights: Pixels, A: Pixels, scaled: Pixels) -> Pixels:
        """Members (member, band) of a loss blind to size, each at the size its pixels have.

        W of X ≈ A diag(c) W times the factors c ≥ 0 of least squares; none is left at zero.
        """
        a = A.astype(np.float64)
        gram = (a.T @ a) * (weights @ weights.T)
        gram += 1e-9 * np.trace(gram) * np.eye(len(gram))
        right = ((a.T @ scaled.astype(np.float64)) * weights).sum(axis=1)
        root = np.linalg.cholesky(gram)
        factors = nnls(np.linalg.solve(root, right), root)
        factors = np.maximum(factors, _SMALLEST * factors.max())
        return weights * (factors[:, None] * self.unit_ * self.brightness_)

    # --- arrays to tensors and back -------------------------------------------------------------

    def _encode(self, pixels: Pixels, image: Image, gain: float = 1.0) -> Pixels:
        """Abundances (pixel, member) of pixels that `gain` brings to the network's unit."""
        return self._through(self.network_.encoder, pixels, len(self.start_), gain, check=True)

    @property
    def _device(self) -> torch.device:
        """Where the network is."""
        device: torch.device = next(self.network_.parameters()).device
        return device

    def _tensor(self, values: NDArray[np.floating]) -> torch.Tensor:
        """What is trained on, on the network's device if that holds it."""
        import torch

        from unmix.nets.device import resident

        return resident(torch.from_numpy(np.ascontiguousarray(values, np.float32)), self._device)

    def _through(
        self, part: nn.Module, values: Pixels, width: int, gain: float, *, check: bool = False
    ) -> NDArray[np.float32]:
        """Rows through the encoder or the decoder: (row, width)."""
        from unmix.nets.inference import through

        return through(part, values, width, gain=gain, check=check)


def check_whole(estimator: Unmixer, **lowest: int) -> None:
    """Keywords that are whole numbers from a lowest value up."""
    for name, least in lowest.items():
        value = getattr(estimator, name)
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name}: got {value!r}; give a whole number from {least} up")


def check_weights(estimator: Unmixer, *names: str) -> None:
    """Keywords that are finite numbers of at least 0."""
    for name in names:
        value = getattr(estimator, name)
        if not isinstance(value, float | int | np.number) or not 0 <= value < float("inf"):
            raise InputError(f"{name}: got {value!r}; a weight is 0 or more")
