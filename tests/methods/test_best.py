"""CResDAE, preset "best": how sure it is, what it promises, and scenes nobody should unmix."""

import json
from functools import cache

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.methods.cresdae import CResDAE
from unmix.metrics import align
from unmix.simulate import builtin_library, simulate
from unmix.types import Endmembers

K = 3
SCALES = ("none", "l2", "max", "shade")
EVERY = pytest.mark.parametrize("scale", SCALES)
EITHER = pytest.mark.parametrize("scale", ["none", "shade"])


def library(step):
    names = ("Green grass", "Soil", "Concrete bridge")
    found = builtin_library()
    rows = [found.names.index(name) for name in names]
    return Endmembers(found.spectra[rows][:, ::step], found.wavelength[::step], names)


@cache
def simulated(seed=0, size=(19, 26), step=9, **keywords):
    return simulate(library(step), size=size, seed=seed, **{"snr": 30.0, **keywords})


@cache
def fitted(scale="none", seed=0, dtype=np.float64, **keywords):
    """A scene, its image, and the model fitted to it."""
    made = simulated(seed, **keywords)
    X = made.cube.astype(dtype)
    return made, X, CResDAE(K, scale=scale).fit(X)


def on_simplex(A, tol=1e-6):
    return np.isfinite(A).all() and A.min() >= 0 and np.abs(A.sum(axis=-1) - 1).max() < tol


def sound(model, X):
    """Everything a fitted model gives is finite and in order."""
    A, about = model.transform_with_uncertainty(X)
    assert on_simplex(A, 1e-5)
    sd, low, high = (about[name] for name in ("sd", "low", "high"))
    assert all(np.isfinite(v).all() and v.shape == A.shape for v in (sd, low, high))
    assert (sd >= 0).all() and (low >= 0).all() and (high <= 1).all()
    assert (low <= A + 1e-6).all() and (A <= high + 1e-6).all()
    for learned in (model.endmembers_, model.spread_, model.inverse_transform(A)):
        assert np.isfinite(learned).all()
    json.dumps(model.evidence_, allow_nan=False)
    assert isinstance(model.warnings_, tuple) and all(isinstance(w, str) for w in model.warnings_)


# --- how sure it is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "field", "step"),
    [("linear", "dirichlet", 9), ("pnmm", "dirichlet", 9)],
)
def test_nine_in_ten_intervals_hold_the_truth(model, field, step):
    """Over two scenes each; without neighbours that tell, and with."""
    inside = []
    for seed in range(2):
        made, X, found = fitted(
            seed=seed, size=(48, 48), step=step, model=model, field=field, snr=25.0
        )
        about = found.uncertainty(X)
        order = align(E_est=found.endmembers_, E_true=made.endmembers.spectra)
        low, high = about["low"][..., order], about["high"][..., order]
        inside.append((low <= made.abundances + 1e-6) & (made.abundances <= high + 1e-6))
    assert 0.8 < np.mean(inside) < 0.97


def test_standard_deviations_are_those_of_the_errors():
    """Pixels said to be less sure are: in each third by sd, the error is near what is told."""
    made, X, found = fitted(size=(48, 48), field="dirichlet", snr=25.0)
    A, about = found.transform_with_uncertainty(X)
    order = align(E_est=found.endmembers_, E_true=made.endmembers.spectra)
    error = (A[..., order] - made.abundances).ravel()
    sd = about["sd"][..., order].ravel()
    thirds = np.array_split(np.argsort(sd), 3)
    told = np.array([np.sqrt((sd[part] ** 2).mean()) for part in thirds])
    true = np.array([np.sqrt((error[part] ** 2).mean()) for part in thirds])
    assert (np.diff(true) > 0).all()
    np.testing.assert_allclose(told, true, rtol=0.4)


def test_noise_makes_it_less_sure():
    quiet, noisy = (
        fitted(snr=snr, field="dirichlet")[2].uncertainty(
            simulated(snr=snr, field="dirichlet").cube
        )
        for snr in (40.0, 20.0)
    )
    assert noisy["sd"].mean() > 3 * quiet["sd"].mean()


@EVERY
def test_uncertainty_has_its_shape_and_order(scale):
    _, X, model = fitted(scale)
    A, about = model.transform_with_uncertainty(X)
    assert set(about) == {"sd", "low", "high"}
    np.testing.assert_array_equal(A, model.transform(X))
    for name, values in model.uncertainty(X).items():
        assert values.shape == A.shape == (*X.shape[:2], K)
        np.testing.assert_array_equal(values, about[name])
    sound(model, X)


@EVERY
def test_no_standard_deviation_is_wider_than_the_range(scale):
    """Of a number between 0 and 1 it is a half at most; dark pixels too."""
    _, X, model = fitted(scale)
    Z = X.copy()
    Z[2] *= 0.05
    Z[3] *= 0.01
    assert model.uncertainty(Z)["sd"].max() <= 0.5 + model.hidden_


# --- what it recovers ----------------------------------------------------------------------------


def test_abundances_and_endmembers_of_a_linear_scene():
    made, X, model = fitted(field="dirichlet")
    order = align(E_est=model.endmembers_, E_true=made.endmembers.spectra)
    A = model.transform(X)[..., order]
    assert np.sqrt(((A - made.abundances) ** 2).mean()) < 0.04
    E = model.endmembers_[order]
    assert np.abs(E - made.endmembers.spectra).max() < 0.05
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X, atol=0.05)
    assert model.surface_ == "linear" and not model.warnings_


def test_brightness_is_no_abundance():
    """A scene lit unevenly, with shade, has the abundances of the same scene without."""
    made, X, model = fitted("shade", field="dirichlet", brightness=(0.5, 1.1))
    order = align(E_est=model.endmembers_, E_true=made.endmembers.spectra)
    A = model.transform(X)[..., order]
    assert np.sqrt(((A - made.abundances) ** 2).mean()) < 0.06
    assert np.sqrt(((model.transform(3 * X)[..., order] - A) ** 2).mean()) < 0.02


@pytest.mark.parametrize(
    ("scale", "model"),
    [("none", "linear"), ("shade", "linear"), ("none", "bilinear"), ("none", "pnmm")],
)
def test_the_unit_does_not_matter(scale, model):
    """Reflectance as a fraction, or times 10 000 as files have it."""
    _, X, found = fitted(scale, model=model, field="dirichlet")
    other = CResDAE(K, scale=scale).fit(1e4 * X)
    assert other.surface_ == found.surface_
    np.testing.assert_allclose(other.transform(1e4 * X), found.transform(X), atol=0.01)
    np.testing.assert_allclose(other.endmembers_, 1e4 * found.endmembers_, rtol=0.05)


@EVERY
def test_given_endmembers_are_kept_exactly(scale):
    made = simulated()
    E = np.asarray(made.endmembers.spectra, np.float64)
    X = made.cube.astype(np.float64)
    model = CResDAE(endmembers=E, scale=scale).fit(X)
    assert np.array_equal(model.endmembers_, E)
    assert np.array_equal(CResDAE(endmembers=E, scale=scale).fit(X.astype(np.float32)).endmembers_,
                          E.astype(np.float32))  # fmt: skip
    far = 0.06 if scale in ("none", "shade") else 0.2  # pixels normalised are not quite mixtures
    assert np.sqrt(((model.transform(X) - made.abundances) ** 2).mean()) < far
    assert (model.spread_ == 0).all() or np.abs(model.spread_).max() < 1e-6
    sound(model, X)


def test_given_endmembers_of_a_bilinear_scene():
    """The products are found with the endmembers held."""
    made = simulated(model="bilinear", beta=1.0, field="dirichlet", size=(40, 33))
    E = np.asarray(made.endmembers.spectra, np.float64)
    model = CResDAE(endmembers=E).fit(made.cube.astype(np.float64))
    assert model.surface_ == "bilinear" and model.evidence_["misfit"] < 1.3
    A = model.transform(made.cube)
    assert np.sqrt(((A - made.abundances) ** 2).mean()) < 0.04


# --- what it promises ----------------------------------------------------------------------------


@EITHER
def test_same_bytes_twice(scale):
    _, X, model = fitted(scale)
    again = CResDAE(K, scale=scale).fit(X)
    assert again.endmembers_.tobytes() == model.endmembers_.tobytes()
    for a, b in zip(again.uncertainty(X).values(), model.uncertainty(X).values(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert again.evidence_ == model.evidence_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_types(dtype):
    made, X, model = fitted(dtype=dtype)
    A, about = model.transform_with_uncertainty(X)
    assert A.dtype == about["sd"].dtype == model.endmembers_.dtype == model.spread_.dtype == dtype
    double = fitted()[2].transform(made.cube.astype(np.float64))
    np.testing.assert_allclose(A, double, atol=0.02)


@pytest.mark.parametrize("scale", ["none", "l2"])
def test_a_list_of_pixels_is_a_scene_without_neighbours(scale):
    made, X, _ = fitted(scale, field="dirichlet")
    pixels = X.reshape(-1, X.shape[-1])
    model = CResDAE(K, scale=scale).fit(pixels)
    A = model.transform(pixels)
    assert A.shape == (len(pixels), K)
    np.testing.assert_allclose(model.transform(pixels[40:60]), A[40:60], atol=1e-9)
    np.testing.assert_allclose(model.transform(pixels[:1]), A[:1], atol=1e-9)
    np.testing.assert_allclose(model.transform(pixels.tolist()), A, atol=1e-9)
    sound(model, pixels)
    if scale == "none":
        order = align(E_est=model.endmembers_, E_true=made.endmembers.spectra)
        error = A[:, order] - made.abundances.reshape(-1, K)
        assert np.sqrt((error**2).mean()) < 0.1


def test_a_tile_with_its_halo_is_the_crop_of_the_scene():
    made = simulated(size=(62, 53))
    X = made.cube.astype(np.float64)
    model = CResDAE(K).fit(X)
    assert model.denoises_
    A, about = model.transform_with_uncertainty(X)
    h = model.halo
    tile = np.ascontiguousarray(X[: 20 + h, 53 - 10 - h :])
    there, sure = model.transform_with_uncertainty(tile)
    np.testing.assert_allclose(there[:20, -10:], A[:20, -10:], atol=1e-4)
    np.testing.assert_allclose(sure["sd"][:20, -10:], about["sd"][:20, -10:], atol=1e-4)


@EVERY
def test_what_it_says_of_itself(scale):
    _, X, model = fitted(scale)
    evidence = json.loads(json.dumps(model.evidence_, allow_nan=False))
    assert {"surface", "candidates", "misfit", "components", "noise_left"} <= evidence.keys()
    assert model.spread_.shape == model.endmembers_.shape == (K, X.shape[-1])
    assert (model.spread_ >= 0).all()
    assert isinstance(model.warnings_, tuple) and isinstance(model.status_, str)
    assert model.alternatives_.shape[1:] == model.endmembers_.shape
    assert np.isfinite(model.history_["log_likelihood"]).all()


def test_progress_is_told_as_fractions():
    told = []
    _, X, _ = fitted()
    CResDAE(K, progress=told.append).fit(X)
    assert told and told == sorted(told) and 0 < told[0] and told[-1] <= 1


def test_keywords_of_the_paper_are_refused():
    _, X, _ = fitted()
    for keywords in ({"epochs": 3}, {"lr": 0.1}, {"residual": False}):
        with pytest.raises(InputError, match="preset='paper'"):
            CResDAE(K, **keywords).fit(X)


# --- scenes nobody should unmix ------------------------------------------------------------------


def walk(shape=(14, 9), n_bands=20, noise=0.01):
    """A scene of random-walk spectra, and the spectra."""
    rng = np.random.default_rng(0)
    E = np.abs(np.cumsum(rng.normal(size=(K, n_bands)), axis=1) * 0.05 + rng.uniform(0.2, 0.8))
    A = rng.dirichlet(np.ones(K), shape)
    return A @ E + 0.05 + noise * rng.standard_normal((*shape, n_bands)), E + 0.05


def answer(X, scale, **keywords):
    """Unmixed soundly, or refused in words: anything else fails."""
    try:
        model = CResDAE(scale=scale, **keywords).fit(X)
    except InputError as error:
        text = str(error)
        assert ":" in text and len(text) < 200
        return text
    sound(model, X)
    return model


@EVERY
@pytest.mark.parametrize("given", [True, False])
def test_nothing_in_the_scene(scale, given):
    _, E = walk()
    what = {"endmembers": E} if given else {"n_endmembers": K}
    assert "zero" in answer(np.zeros((9, 7, 20)), scale, endmembers=E)
    even = answer(np.full((9, 7, 20), 0.3), scale, **what)
    repeated = answer(np.broadcast_to(E[0], (9, 7, 20)).copy(), scale, **what)
    if given:
        A = repeated.transform(np.broadcast_to(E[0], (9, 7, 20)).copy())
        assert A[..., 0].min() > 0.9
    else:
        assert "the same" in even and "the same" in repeated


@EITHER
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_more_members_than_the_scene_spans(scale, noise):
    found = answer(walk(noise=noise)[0], scale, n_endmembers=5)
    if noise == 0 and scale == "none":
        assert "fewer" in found or "at most" in found


@EITHER
@pytest.mark.parametrize("case", ["equal", "proportional", "all equal", "dependent", "negative"])
def test_given_endmembers_that_say_little(scale, case):
    X, E = walk()
    given = {
        "equal": [E[0], E[0], E[1]],
        "proportional": [E[0], 2 * E[0], E[1]],
        "all equal": [E[0], E[0]],
        "dependent": [E[0], E[1], (E[0] + E[1]) / 2],
        "negative": list(-E),
    }[case]
    answer(X, scale, endmembers=np.stack(given))


@EITHER
@pytest.mark.parametrize("shape", [(5,), (1, 5), (2,), (3, 3), (2, 40), (4, 3, 2)])
def test_few_pixels(scale, shape):
    X, _ = walk()
    n = int(np.prod(shape))
    answer(X.reshape(-1, 20)[:n].reshape(*shape, 20), scale, n_endmembers=2)


@EITHER
@pytest.mark.parametrize(("bands", "k"), [(2, 2), (3, 2), (3, 3), (4, 3)])
def test_few_bands(scale, bands, k):
    answer(walk(shape=(19, 14))[0][..., :bands], scale, n_endmembers=k)


@EITHER
@pytest.mark.parametrize(
    "odd",
    ["zero rows", "mostly zero", "one pixel", "dead band", "constant band", "equal bands",
     "negative", "centred", "binary", "noise", "integers", "wild pixel", "pure pixels"],
)  # fmt: skip
def test_odd_scenes(scale, odd):
    X, E = walk()
    rng = np.random.default_rng(1)
    if odd == "zero rows":
        X[2:5] = 0
    elif odd == "mostly zero":
        X[:12] = 0
    elif odd == "one pixel":
        X[np.arange(14) != 3] = 0
        X[3, 1:] = 0
    elif odd == "dead band":
        X[..., 5] = 0
    elif odd == "constant band":
        X[..., 5] = 0.7
    elif odd == "equal bands":
        X[..., 5] = X[..., 6]
    elif odd == "negative":
        X = -X
    elif odd == "centred":
        X -= X.mean(axis=(0, 1))
    elif odd == "binary":
        X = (X > np.median(X)).astype(float)
    elif odd == "noise":
        X = rng.standard_normal(X.shape)
    elif odd == "integers":
        X = (100 * X).astype(np.uint8)
    elif odd == "wild pixel":
        X[3, 4] = 1e6
    elif odd == "pure pixels":
        X = E[rng.integers(0, K, X.shape[:2])]
    answer(X, scale, n_endmembers=K)


@EVERY
def test_other_pixels_than_those_fitted(scale):
    _, X, model = fitted(scale)
    Z = X[:6, :7].copy()
    Z[0], Z[1], Z[2], Z[3] = 0, -Z[1], 1e9 * Z[2], 1e-9 * Z[3]
    Z[4, 3, 5] = 1e6
    A, about = model.transform_with_uncertainty(Z)
    assert on_simplex(A) and all(np.isfinite(v).all() for v in about.values())


@EITHER
@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_extreme_units(scale, unit):
    answer(unit * walk()[0], scale, n_endmembers=K)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_none_are_refused(bad):
    X, _ = walk()
    X[2, 3, 4] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        CResDAE(K).fit(X)


def test_one_band_is_refused():
    with pytest.raises(ValueError, match="minimum of 2"):
        CResDAE(2).fit(walk()[0][..., :1])


@EITHER
def test_more_members_than_stand_out_of_the_noise_are_warned_of(scale):
    """Two materials and noise hold no five members; as many as there are get no such warning."""
    rng = np.random.default_rng(3)
    E = simulated().endmembers.spectra[:2]
    X = E[rng.integers(0, 2, (19, 26))] + 0.01 * rng.standard_normal((19, 26, E.shape[1]))
    five, two = (CResDAE(k, scale=scale).fit(X).warnings_ for k in (5, 2))
    assert any("of 2 members do, not of 5" in w and "-k 2" in w for w in five)
    assert not any("more members" in w for w in five)
    assert not two


@pytest.mark.parametrize("scale, times, told", [("none", 1, 1), ("none", 2, 0), ("shade", 2, 1)])
def test_given_spectra_that_are_the_same_are_warned_of(scale, times, told):
    """One twice as bright is the same where brightness is free."""
    X, E = walk()
    given = np.stack([E[0], E[1], times * E[0]])
    warned = CResDAE(endmembers=given, scale=scale).fit(X).warnings_
    assert sum("members 1 and 3 have the same spectrum" in w for w in warned) == told
    assert not any("members 1 and 2" in w for w in warned)
