"""The networks on a GPU give the CPU's answers, also where its memory is short."""

import copy

import numpy as np
import pytest
import torch

from unmix.checks import InputError
from unmix.methods import METHODS
from unmix.nets.device import pick_device

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

K, L, ROWS, COLUMNS = 3, 24, 17, 23
QUICK = {
    "cresdae": {"preset": "paper", "epochs": 3, "batch_size": 64, "pretrain_epochs": 2},
    "nae": {"epochs": 3, "batch_size": 64, "pretrain_steps": 50},
    "linear-ae": {"epochs": 3, "n_spectra": 300},
    "conv-ae": {"epochs": 3, "n_patches": 8, "batch_size": 4, "patch_size": 9, "window": 3},
}


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    E = rng.random((K, L), dtype=np.float32)
    A = rng.dirichlet(np.ones(K), (ROWS, COLUMNS)).astype(np.float32)
    return A @ E, E


def fitted(name, scene, device):
    return METHODS[name](endmembers=scene[1], device=device, **QUICK[name]).fit(scene[0])


@pytest.fixture(params=QUICK)
def name(request):
    return request.param


def test_the_same_weights_give_the_same_answers(name, scene):
    here = fitted(name, scene, "cpu")
    there = copy.deepcopy(here)
    there.network_.to("cuda")
    A = here.transform(scene[0])
    np.testing.assert_allclose(there.transform(scene[0]), A, atol=1e-4)
    np.testing.assert_allclose(there.inverse_transform(A), here.inverse_transform(A), atol=1e-4)


def test_training_goes_the_same_way(name, scene):
    here, there = (fitted(name, scene, device) for device in ("cpu", "cuda"))
    assert next(there.network_.parameters()).device.type == "cuda"
    np.testing.assert_allclose(there.transform(scene[0]), here.transform(scene[0]), atol=1e-2)
    assert there.status_ == here.status_


def test_auto_is_the_gpu():
    assert pick_device("auto").type == "cuda"


@pytest.fixture
def little_memory():
    """64 MiB for torch, which what the GPU reports as free does not know of."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(2**26 / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def test_a_batch_that_does_not_fit_is_halved(scene, little_memory):
    model = fitted("cresdae", scene, "cuda")
    X = np.tile(scene[0].reshape(-1, L), (600, 1))
    A = model.transform(X)
    np.testing.assert_allclose(A[-ROWS * COLUMNS :], A[: ROWS * COLUMNS], atol=1e-5)


def test_no_memory_at_all_is_one_line(scene, little_memory):
    hoard = []
    with pytest.raises(torch.OutOfMemoryError):
        while True:
            hoard.append(torch.empty(2**16, dtype=torch.uint8, device="cuda"))
    with pytest.raises(InputError, match=r"^device: cuda has no memory for") as caught:
        fitted("cresdae", scene, "cuda")
    assert "\n" not in str(caught.value)
