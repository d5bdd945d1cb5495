r"""Losses of the autoencoders: the terms one by one, and CResDAE's weighted sum of them.

Conventions: x and x̂ are (pixel, band), abundances a are (pixel, member) with a ≥ 0, Σ a = 1;
every term is a mean over pixels and comes back as a scalar tensor. Angles are in rad.

References
----------
CResDAE, Remote Sensing 2025, 17(21), 3622.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = [
    "CompositeLoss",
    "angle",
    "entropy",
    "sparsity",
    "spectral_angle",
    "squared_error",
    "uniformity",
]

EPS = 1e-8  # inside logarithms and roots of abundances
TINY = 1e-12  # a product of norms below this has no angle
MIN_SINE = 1e-4  # below this angle the gradient of the angle fades instead of jumping


def squared_error(x_hat: Tensor, x: Tensor) -> Tensor:
    """Mean over pixels of ‖x̂ − x‖² (summed over bands).

    >>> squared_error(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]))
    tensor(5.)
    """
    return (x_hat - x).square().sum(dim=-1).mean()


def angle(x_hat: Tensor, x: Tensor) -> Tensor:
    """Mean spectral angle in rad, θ = arccos(x̂·x / ‖x̂‖‖x‖).

    Computed as θ = 2 arcsin s with s² = (‖x̂ − x‖² − (‖x̂‖ − ‖x‖)²) / 4‖x̂‖‖x‖, which for a
    reconstruction of about the pixel's size has none of the cancellation that makes float32
    arccos useless below 1e-3 rad. A spectrum that is zero in every band is at π/2 of everything.

    >>> angle(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 1.0]]))
    tensor(0.7854)
    """
    *_, square = _geometry(x_hat, x)
    return 2 * torch.asin(square.sqrt()).mean()


def spectral_angle(x_hat: Tensor, x: Tensor) -> Tensor:
    """`angle` to train by: the same value, its gradient formed with it in one more pass.

    >>> spectral_angle(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 1.0]]))
    tensor(0.7854)
    """
    theta: Tensor = _Angle.apply(x_hat, x)
    return theta


def uniformity(a: Tensor) -> Tensor:
    """Mean over pixels of ‖a − 1/K‖²: zero when every member has the same share.

    >>> uniformity(torch.tensor([[1.0, 0.0]]))
    tensor(0.5000)
    """
    return (a - 1 / a.shape[-1]).square().sum(dim=-1).mean()


def entropy(a: Tensor) -> Tensor:
    """Mean over pixels of −Σ a log(a + ε), in nat.

    >>> entropy(torch.tensor([[0.5, 0.5]]))
    tensor(0.6931)
    """
    return -(a * (a + EPS).log()).sum(dim=-1).mean()


def sparsity(a: Tensor) -> Tensor:
    """Mean over pixels of Σ √(a + ε), the L½ penalty usual in unmixing (Qian et al., 2011).

    >>> sparsity(torch.tensor([[0.25, 0.75], [1.0, 0.0]]))
    tensor(1.1831)
    """
    return (a + EPS).sqrt().sum(dim=-1).mean()


@dataclass(frozen=True)
class CompositeLoss:
    """α·squared error + β·angle + γ₁·uniformity + γ₂·entropy + γ₃·sparsity.

    The paper gives the three γ; it gives neither α, β nor the sparsity formula. α = β = 1: on
    reflectance of some 150 bands the two terms are then of one size at an SNR of 30 dB (an angle
    of 0.03 rad is a squared error of 0.03), so neither is noise to the other.

    Parameters
    ----------
    alpha, beta : float
        Weights of the squared error and of the angle.
    gamma_uniform, gamma_entropy, gamma_sparsity : float
        Weights of the abundance terms.

    >>> loss, terms = CompositeLoss()(torch.eye(2), torch.full((2, 2), 0.5), torch.eye(2))
    >>> dict(zip(CompositeLoss.names, terms.tolist()))["squared_error"]
    0.0
    """

    alpha: float = 1.0
    beta: float = 1.0
    gamma_uniform: float = 0.4
    gamma_entropy: float = 0.01
    gamma_sparsity: float = 0.01

    names: ClassVar[tuple[str, ...]] = (
        "loss",
        "squared_error",
        "angle",
        "uniformity",
        "entropy",
        "sparsity",
    )

    def __call__(self, x_hat: Tensor, a: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scalar loss, and the detached values of `names` (loss first, then unweighted terms)."""
        loss, terms = _Composite.apply(x_hat, a, x, astuple(self))
        return loss, terms


def _geometry(x_hat: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """‖x̂ − x‖, ‖x̂‖, ‖x̂‖‖x‖, whether there is an angle, and sin²(θ/2); one value a pixel."""
    d = torch.linalg.vector_norm(x_hat - x, dim=-1)
    m = torch.linalg.vector_norm(x_hat, dim=-1)
    n = torch.linalg.vector_norm(x, dim=-1)
    product, gap = m * n, m - n
    defined = product > TINY
    product = product.clamp(min=TINY)
    square = (d - gap) * (d + gap) / (4 * product)
    return d, m, product, defined, torch.where(defined, square, 0.5).clamp(TINY, 1.0)


class _Composite(torch.autograd.Function):
    """`CompositeLoss` with its gradient by hand: three norms a pixel serve error and angle.

    The gradient is formed with the value, in the two passes over the spectra that it takes;
    recorded op by op the same loss costs a tenth of a training step more.
    """

    @staticmethod
    def forward(
        ctx: Any, x_hat: Tensor, a: Tensor, x: Tensor, weights: tuple[float, ...]
    ) -> tuple[Tensor, Tensor]:
        ctx.dtypes = x_hat.dtype, a.dtype
        x_hat, a = x_hat.to(x.dtype), a.to(x.dtype)
        error, theta, grad_x = _spectral(x_hat, x, *weights[:2])
        uniform, disorder, spread, grad_a = _simplex(a, *weights[2:])
        terms = torch.stack((error, theta, uniform, disorder, spread))
        loss = (terms * terms.new_tensor(weights)).sum()  # a product that autocast leaves alone
        ctx.save_for_backward(grad_x, grad_a)
        terms = torch.cat((loss[None], terms))
        ctx.mark_non_differentiable(terms)
        return loss, terms

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_x, grad_a = ctx.saved_tensors
        dtype_x, dtype_a = ctx.dtypes
        return (grad_x * grad).to(dtype_x), (grad_a * grad).to(dtype_a), None, None


class _Angle(torch.autograd.Function):
    """`angle` with its gradient by hand."""

    @staticmethod
    def forward(ctx: Any, x_hat: Tensor, x: Tensor) -> Tensor:
        ctx.dtype = x_hat.dtype
        _, theta, grad = _spectral(x_hat.to(x.dtype), x, 0.0, 1.0)
        ctx.save_for_backward(grad)
        return theta

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return (slope * grad).to(ctx.dtype), None


def _spectral(x_hat: Tensor, x: Tensor, alpha: float, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    """Squared error, angle, and the gradient of their weighted sum.

    ∂θ/∂x̂ = (x̂ cos θ/‖x̂‖² − x/‖x̂‖‖x‖) / sin θ, hence grad = p x̂ − q x with p, q a pixel.
    """
    d, m, product, defined, square = _geometry(x_hat, x)
    sine = 2 * torch.addcmul(square, square, square, value=-1).clamp_(min=MIN_SINE**2 / 4).sqrt_()
    slope = torch.where(defined, (beta / len(x)) / sine, 0.0)
    p = slope * (1 - 2 * square) / m.square().add_(TINY**2) + 2 * alpha / len(x)
    q = slope / product + 2 * alpha / len(x)
    grad = (x_hat * p[:, None]).addcmul_(x, q[:, None], value=-1)
    return d.square().mean(), 2 * torch.asin(square.sqrt_()).mean(), grad


def _simplex(
    a: Tensor, uniform: float, disorder: float, spread: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Uniformity, entropy, sparsity, and the gradient of their weighted sum."""
    off, safe = a - 1 / a.shape[-1], a + EPS
    log, root = safe.log(), safe.sqrt()
    n = len(a)
    grad = off * (2 * uniform / n)
    grad -= (log + a / safe) * (disorder / n)
    grad += (0.5 * spread / n) / root
    return off.square().sum() / n, -(a * log).sum() / n, root.sum() / n, grad
