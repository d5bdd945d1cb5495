"""Each loss term against NumPy in float64, and the hand-made gradient against autograd's."""

import numpy as np
import pytest
import torch

from unmix.nets import losses
from unmix.nets.losses import CompositeLoss


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    x, x_hat = rng.random((9, 23)), rng.random((9, 23))
    a = rng.dirichlet(np.ones(4), 9)
    a[0] = [1, 0, 0, 0]
    return x_hat, a, x


def numpy_terms(x_hat, a, x):
    cosine = (x_hat * x).sum(1) / np.linalg.norm(x_hat, axis=1) / np.linalg.norm(x, axis=1)
    return {
        "squared_error": (((x_hat - x) ** 2).sum(1)).mean(),
        "angle": np.arccos(np.clip(cosine, -1, 1)).mean(),
        "uniformity": ((a - 1 / a.shape[1]) ** 2).sum(1).mean(),
        "entropy": -(a * np.log(a + 1e-8)).sum(1).mean(),
        "sparsity": np.sqrt(a + 1e-8).sum(1).mean(),
    }


@pytest.mark.parametrize("term", CompositeLoss.names[1:])
def test_term_equals_its_equation(batch, term):
    x_hat, a, x = batch
    given = (x_hat, x) if term in ("squared_error", "angle") else (a,)
    found = getattr(losses, term)(*map(torch.tensor, given))
    assert found.item() == pytest.approx(numpy_terms(*batch)[term], rel=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-4, 1e-3, 0.3, np.pi / 2, 3.0])
def test_angle_is_exact_in_float32_however_small(angle):
    x = torch.tensor([[2.0, 0.0]])
    x_hat = torch.tensor([[np.cos(angle), np.sin(angle)]], dtype=torch.float32) * 2.002
    assert losses.angle(x_hat, x).item() == pytest.approx(angle, rel=1e-3, abs=3e-6)


def test_composite_is_the_weighted_sum(batch):
    weights = (0.7, 0.3, 0.4, 0.02, 0.05)
    loss, terms = CompositeLoss(*weights)(*map(torch.tensor, batch))
    expected = numpy_terms(*batch)
    assert dict(zip(CompositeLoss.names[1:], terms[1:].tolist(), strict=True)) == pytest.approx(
        expected
    )
    assert loss.item() == pytest.approx(np.dot(weights, list(expected.values())))
    assert terms[0] == loss and not terms.requires_grad


@pytest.mark.parametrize("only", range(5))
def test_composite_gradient_is_the_gradient_of_the_terms(batch, only):
    weights = [0.0] * 5
    weights[only] = 0.6
    x_hat, a, x = (torch.tensor(v) for v in batch)
    x_hat.requires_grad_(), a.requires_grad_()
    loss, _ = CompositeLoss(*weights)(x_hat, a, x)
    (3 * loss).backward()
    found = x_hat.grad.clone(), a.grad.clone()
    x_hat.grad = a.grad = None
    name = CompositeLoss.names[1 + only]
    given = (x_hat, x) if name in ("squared_error", "angle") else (a,)
    (3 * 0.6 * getattr(losses, name)(*given)).backward()
    for got, leaf in zip(found, (x_hat, a), strict=True):
        expected = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-9)


def test_gradient_of_the_defaults_by_finite_differences(batch):
    x_hat, a, x = (torch.tensor(v) for v in batch)
    a = a[1:]
    leaves = x_hat[1:].requires_grad_(), a.requires_grad_()
    assert torch.autograd.gradcheck(lambda p, q: CompositeLoss()(p, q, x[1:])[0], leaves)


@pytest.mark.parametrize("case", ["zero pixel", "zero reconstruction", "both zero", "identical"])
def test_degenerate_spectra_give_finite_numbers(case):
    x, x_hat = torch.rand(3, 8), torch.rand(3, 8)
    if case in ("zero pixel", "both zero"):
        x[0] = 0
    if case in ("zero reconstruction", "both zero"):
        x_hat[0] = 0
    if case == "identical":
        x_hat = x.clone()
    x_hat.requires_grad_()
    a = torch.tensor([[1.0, 0.0]]).repeat(3, 1).requires_grad_()
    loss, terms = CompositeLoss()(x_hat, a, x)
    loss.backward()
    assert terms.isfinite().all() and x_hat.grad.isfinite().all() and a.grad.isfinite().all()
    if case != "identical":
        assert losses.angle(x_hat[:1], x[:1]).item() == pytest.approx(np.pi / 2)


def test_bfloat16_outputs_get_float32_terms_and_bfloat16_gradients(batch):
    x_hat, a, x = (torch.tensor(v, dtype=torch.float32) for v in batch)
    low = x_hat.bfloat16().requires_grad_()
    loss, terms = CompositeLoss()(low, a, x)
    loss.backward()
    assert terms.dtype == torch.float32 and low.grad.dtype == torch.bfloat16
    reference, _ = CompositeLoss()(low.detach().float(), a, x)
    assert loss.item() == pytest.approx(reference.item(), rel=1e-6)
