"""Which bands decide: what the shares say, and that losing the first of them costs most."""

import numpy as np
import pytest
import xarray as xr

from unmix.information import band_information
from unmix.methods import CResDAE
from unmix.pipeline import run
from unmix.plot.curves import information, information_curve
from unmix.posterior.surfaces import surface_of
from unmix.report import render
from unmix.simulate import simulate
from unmix.solve import fcls
from unmix.types import Endmembers

K, BANDS, SIZE = 3, 60, (40, 48)
WAVELENGTH = np.linspace(430.0, 1300.0, BANDS)


def members() -> np.ndarray:
    """Spectra (member, band) that are alike but around three bands."""
    t = np.linspace(0, 1, BANDS)
    bumps = [np.exp(-(((t - c) / 0.08) ** 2)) for c in (0.2, 0.55, 0.85)]
    return 0.3 + 0.1 * t + 0.35 * np.stack(bumps)


def scene(seed: int = 0, model: str = "linear"):
    given = Endmembers(members(), WAVELENGTH, ("clay", "tree", "road"))
    return simulate(given, model=model, snr=25, size=SIZE, seed=seed)


@pytest.fixture(scope="module")
def fitted():
    made = scene()
    return made, CResDAE(K).fit(made.cube.astype(np.float32))


def test_shares_are_squares_of_differences_over_the_noise():
    rng = np.random.default_rng(0)
    E, sigma = rng.uniform(0.1, 0.9, (4, 9)), rng.uniform(0.01, 0.1, 9)
    pairs = sum((E[i] - E[j]) ** 2 for i in range(4) for j in range(i)) / sigma**2
    w = band_information(E, np.full(4, 0.25), sigma=sigma)
    np.testing.assert_allclose(w, pairs / pairs.sum())
    assert w.sum() == pytest.approx(1)


def test_brightness_is_no_information():
    x = np.array([2.0, 3.0, 4.0]) / np.sqrt(29)
    E = np.stack([x, 2 * x + [0, 0, 1e-4]])  # twice as bright, and different in the third band
    assert band_information(E, [0.5, 0.5])[:2].sum() == pytest.approx(13 / 29, abs=1e-3)
    across = np.array([0, 0, 1]) - x[2] * x
    found = band_information(E, [0.5, 0.5], free=True)
    np.testing.assert_allclose(found, across**2 / (across @ across), atol=1e-3)


@pytest.mark.parametrize("name", ["bilinear", "post-nonlinear"])
def test_a_bent_surface_is_taken_at_the_mean_abundances(name):
    E, a = members(), np.array([0.5, 0.3, 0.2])
    surface = surface_of(name, K)
    V, step = surface.vertices(E), 1e-6
    apart = [
        (surface.mix((a + step * (np.eye(K)[i] - np.eye(K)[j]))[None], V) - surface.mix(a[None], V))
        / step
        for i in range(K)
        for j in range(i)
    ]
    expected = (np.concatenate(apart) ** 2).sum(axis=0)
    found = band_information(E, a, surface=surface)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-3, atol=1e-6)


def test_losing_the_bands_that_decide_costs_more_than_losing_any_others(fitted):
    made, model = fitted
    X, A, E = made.cube.astype(np.float64), made.abundances, members()
    share, n = model.band_information, BANDS // 5
    assert share.shape == (BANDS,) and share.sum() == pytest.approx(1) and share.min() >= 0

    def error(Y, spectra):
        return float(np.sqrt(((fcls(Y, spectra) - A) ** 2).mean()))

    def silenced(bands):
        Y = X.copy()
        Y[..., bands] = X[..., bands].mean(axis=(0, 1))
        return error(Y, E)

    def left_out(bands):
        kept = np.setdiff1d(np.arange(BANDS), bands)
        return error(X[..., kept], E[:, kept])

    rng = np.random.default_rng(0)
    draws = [rng.permutation(BANDS)[:n] for _ in range(12)]
    first, last = np.argsort(-share)[:n], np.argsort(share)[:n]
    for lose in (silenced, left_out):
        any_other = np.array([lose(bands) for bands in draws])
        assert lose(first) > 1.2 * any_other.mean() and lose(first) > any_other.max()
        assert lose(last) < any_other.mean()


def test_a_noisy_band_tells_little(fitted):
    made, model = fitted
    X, best = made.cube.copy(), int(model.band_information.argmax())
    X[..., best] += 0.3 * np.random.default_rng(1).standard_normal(SIZE)
    again = CResDAE(K).fit(X.astype(np.float32)).band_information
    assert again[best] < 0.05 * model.band_information[best]


def test_the_published_network_has_none(fitted):
    X = fitted[0].cube.astype(np.float32)
    model = CResDAE(K, preset="paper", epochs=1, pretrain_epochs=0, device="cpu").fit(X)
    assert model.band_information is None


# --- in the report -------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "model"), [("none", "linear"), ("shade", "linear")])
def test_the_report_draws_what_the_model_says(scale, model):
    cube = scene(model=model).cube.astype(np.float32)
    cube[3, 4] = np.nan
    coords = {"wavelength": ("band", WAVELENGTH)}
    data = xr.DataArray(cube, dims=("y", "x", "band"), coords=coords)
    options = {"drop_bands": "10-12", "water_windows": ()}
    result = run(data, K, scale=scale, preparation=options)
    share = information(result)
    assert np.flatnonzero(np.isnan(share)).tolist() == [9, 10, 11]
    kept = np.isfinite(share)
    valid = np.nan_to_num(cube[..., kept], nan=0.3)
    own = CResDAE(K, scale=scale).fit(valid).band_information
    np.testing.assert_allclose(share[kept], own, atol=0.1 * own.max())  # another noise sample
    axes = information_curve(result).axes[0]
    assert sum(len(line.get_xdata()) for line in axes.lines) == BANDS - 3
    assert "Which bands decide" in render(result) and "attention" not in render(result)


@pytest.mark.parametrize(
    "keywords",
    [
        {"method": "vca-fcls"},
        {"method": "cresdae", "parameters": {"preset": "paper", "epochs": 1, "pretrain_epochs": 0}},
    ],
)
def test_other_methods_show_none(keywords):
    cube = scene().cube[:15, :20].astype(np.float32)
    result = run(xr.DataArray(cube, dims=("y", "x", "band")), K, **keywords)
    assert information(result) is None and information_curve(result) is None
    assert "Which bands decide" not in render(result)


def test_bands_in_which_members_differ_stand_out(fitted):
    share = fitted[1].band_information
    for centre in (0.2, 0.55, 0.85):
        near = np.abs(np.linspace(0, 1, BANDS) - centre) < 0.06
        assert share[near].mean() > 2 * np.median(share)
