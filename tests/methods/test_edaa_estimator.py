"""EDAA as an estimator: scale modes, dark members, what it says of its fit; real scenes."""

import numpy as np
import pytest

from unmix.methods.edaa import EDAA
from unmix.metrics import align, endmember_sad_rad
from unmix.scaling import well_lit


def scene(darkest=1.0, snr_db=40.0, seed=0):
    """Three members of 40 bands, the last one `darkest` times as bright, with pure pixels."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, 40)
    E = np.stack([0.2 + 0.6 * x, 0.8 - 0.6 * x, 0.2 + 0.6 * np.sin(np.pi * x)])
    E[2] *= darkest
    A = rng.dirichlet(np.full(3, 0.4), 900)
    X = A @ E
    sigma = np.sqrt((X**2).mean() / 10 ** (snr_db / 10))
    return X + sigma * rng.standard_normal(X.shape), E, A


@pytest.mark.parametrize(("scale", "most"), [("l2", 0.05), ("max", 0.15), ("shade", 0.05)])
def test_members_under_varying_brightness(scale, most):
    """Maxima carry more noise than norms, and mixtures of directions by them are less straight."""
    X, E, A = scene()
    X *= np.random.default_rng(1).uniform(0.4, 1.1, (len(X), 1))
    model = EDAA(3, scale=scale, n_restarts=20, step="contrast").fit(X)
    order = align(E_est=model.endmembers_, E_true=E)
    assert endmember_sad_rad(model.endmembers_[order], E).max() < most
    assert np.sqrt(((model.transform(X)[:, order] - A) ** 2).mean()) < 1.2 * most


def test_a_member_too_dark_for_single_pixels_is_found():
    """At 20 dB a member a quarter as bright has no pixels that pass as directions by themselves."""
    X, E, _ = scene(darkest=0.25, snr_db=20.0)
    pure = np.argmax(X @ E[2] / np.linalg.norm(X, axis=1))
    assert not well_lit(X, 3)[pure]
    model = EDAA(3, scale="l2", n_restarts=20, step="contrast").fit(X)
    order = align(E_est=model.endmembers_, E_true=E)
    assert endmember_sad_rad(model.endmembers_[order], E).max() < 0.15


def test_it_says_how_it_ended():
    X, E, _ = scene()
    model = EDAA(3, n_restarts=4, n_outer=12).fit(X)
    assert model.n_iter_ == len(model.history_["objective"]) == 12
    assert "4 runs" in model.status_
    given = EDAA(endmembers=E).fit(X)
    assert np.array_equal(given.endmembers_, E) and not hasattr(given, "status_")
    again = model.set_params(endmembers=E).fit(X)
    assert not hasattr(again, "status_") and not hasattr(again, "history_")


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "file", "truth", "key", "most_rmse", "most_sad"),
    [
        ("samson", "Samson.mat", "Samson_GT.mat", "V", 0.045, 0.031),
        ("jasper", "jasperRidge2_R198.mat", "Jasper_GT.mat", "Y", 0.11, 0.07),
    ],
)
def test_real_scenes(shared_data, folder, file, truth, key, most_rmse, most_sad):
    from scipy.io import loadmat

    X = np.ascontiguousarray(loadmat(shared_data / folder / file)[key].T, dtype=np.float32)
    known = loadmat(shared_data / folder / truth)
    E, A = known["M"].T, known["A"].T
    model = EDAA(len(E), scale="l2").fit(X)
    order = align(E_est=model.endmembers_, E_true=E)
    assert endmember_sad_rad(model.endmembers_[order], E).mean() < most_sad
    assert np.sqrt(((model.transform(X)[:, order] - A) ** 2).mean()) < most_rmse
