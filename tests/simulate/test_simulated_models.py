"""Models, variability and noise of a simulation: the truth it records makes the scene again."""

import numpy as np
import pytest

from unmix import Endmembers, InputError, mixing
from unmix.simulate import KINDS, MODELS, simulate
from unmix.simulate import scene as module

K, L = 4, 30
SIZE = (23, 31)


@pytest.fixture(scope="module")
def members():
    spectra = np.random.default_rng(0).uniform(0.05, 0.85, (K, L))
    return Endmembers(spectra, np.linspace(450, 2400, L), tuple("abcd"))


@pytest.fixture(scope="module")
def bundles(members):
    rng = np.random.default_rng(1)
    return [e * rng.uniform(0.7, 1.1, (n, 1)) for n, e in enumerate(members.spectra, start=1)]


def clean(members, **keywords):
    return simulate(members, **{"size": SIZE, "snr": np.inf, **keywords})


def again(scene):
    """The scene mixed from what it says of itself, pixel by pixel."""
    p, A = scene.parameters, scene.abundances.astype(float)
    own = scene.variability.spectra(scene.endmembers.spectra)
    own = np.broadcast_to(own, (*A.shape, L))
    X = np.empty(scene.cube.shape)
    for i in np.ndindex(A.shape[:2]):
        a, E = A[i], own[i]
        X[i] = {
            "linear": lambda a=a, E=E: a @ E,
            "bilinear": lambda a=a, E=E: mixing.bilinear(a, E, p["beta"]),
            "pnmm": lambda a=a, E=E: mixing.post_nonlinear(a, E, p["kind"], p["gamma"]),
            "fan": lambda a=a, E=E: mixing.fan(a, E),
            "gbm": lambda a=a, E=E, i=i: mixing.generalised_bilinear(a, E, p["pair_gamma"][i]),
            "ppnm": lambda a=a, E=E, i=i: mixing.polynomial(a, E, p["b"][i]),
            "mlm": lambda a=a, E=E, i=i: mixing.multilinear(a, E, p["probability"][i]),
            "hapke": lambda a=a, E=E: mixing.hapke(a, E, p["incidence"], p["emergence"]),
        }[scene.model]()
    return X if scene.brightness is None else scene.brightness[..., None] * X


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rows", [1, 5, 100])
def test_the_truth_makes_the_scene_again(members, bundles, model, rows, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", rows * SIZE[1] * K * L)  # mixed a few rows at a time
    keywords = {"model": model, "brightness": (0.6, 1.0), "beta": (0.2, 0.9)}
    for more in ({}, {"variability": (0.7, 1.0)}, {"bundles": bundles, "bundle_draw": "pixel"}):
        scene = clean(members, **keywords, **more)
        np.testing.assert_allclose(scene.cube, again(scene), atol=3e-6)


def test_rows_at_a_time_change_nothing(members, monkeypatch):
    keywords = {"size": (40, 21), "model": "gbm", "variability": (0.8, 1.1), "snr": 20.0}
    whole = simulate(members, **keywords)
    monkeypatch.setattr(module, "BLOCK", 1)
    np.testing.assert_array_equal(simulate(members, **keywords).cube, whole.cube)


def test_strength_drawn_for_each_pair(members):
    low, high = 0.3, 0.6
    pairs = clean(members, model="bilinear", beta=(low, high), seed=4).parameters["beta"]
    above = pairs[np.triu_indices(K, 1)]
    assert ((above >= low) & (above <= high)).all() and len(np.unique(above)) == len(above)
    assert not np.tril(pairs).any()
    every = clean(members, model="bilinear", beta=(low, high), seed=4, interactions="all")
    beta = every.parameters["beta"]
    np.testing.assert_array_equal(np.triu(beta, 1), pairs)  # the same draws, and the others
    assert ((beta >= low) & (beta <= high)).all()
    a, E = every.abundances[3, 4].astype(float), members.spectra
    x = a @ E
    for i in range(K):
        for j in range(K):
            x = x + beta[i, j] * a[i] * a[j] * E[i] * E[j]
    np.testing.assert_allclose(every.cube[3, 4], x, rtol=1e-5)
    other = clean(members, model="bilinear", beta=(low, high), seed=5).parameters["beta"]
    assert np.abs(other - pairs).max() > 0.01
    number, full = (
        clean(members, model="bilinear", beta=0.4, interactions=i).parameters["beta"]
        for i in ("pairs", "all")
    )
    np.testing.assert_array_equal(full, np.full((K, K), 0.4))
    np.testing.assert_array_equal(number, np.triu(full, 1))


def test_gbm_draws_from_the_range(members):
    g = clean(members, model="gbm", beta=(0.2, 0.5)).parameters["pair_gamma"]
    assert g.shape == (*SIZE, 6) and 0.2 <= g.min() < 0.21 and 0.49 < g.max() <= 0.5
    g = clean(members, model="gbm", beta=0.5).parameters["pair_gamma"]
    assert g.min() < 0.01 and 0.49 < g.max() <= 0.5


def test_what_is_drawn_in_each_pixel(members):
    p = clean(members, model="mlm", probability=(0.1, 0.7)).parameters["probability"]
    assert p.shape == SIZE and 0.1 <= p.min() < 0.12 and 0.68 < p.max() < 0.7
    given = np.linspace(0, 0.9, p.size).reshape(SIZE)
    scene = clean(members, model="mlm", probability=given)
    np.testing.assert_allclose(scene.cube, again(scene), atol=2e-6)
    np.testing.assert_array_equal(scene.parameters["probability"], given)
    even = clean(members, model="mlm", probability=0.3).parameters["probability"]
    np.testing.assert_array_equal(even, np.full(SIZE, 0.3))
    b = clean(members, model="ppnm", b=(-0.1, 0.2)).parameters["b"]
    assert -0.1 <= b.min() < -0.09 and 0.19 < b.max() <= 0.2
    np.testing.assert_array_equal(clean(members, model="ppnm", b=0.25).parameters["b"], 0.25)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gamma", [None, 1.7])
def test_every_curve(members, kind, gamma):
    scene = clean(members, model="pnmm", kind=kind, gamma=gamma)
    expected = mixing.post_nonlinear(scene.abundances, members.spectra, kind, gamma)
    np.testing.assert_allclose(scene.cube, expected, atol=2e-6)


def test_scenes_that_differ_in_model_alone_share_the_rest(members, bundles):
    keywords = {"variability": (0.8, 1.0), "bundles": bundles, "brightness": (0.5, 1.0)}
    first, *others = (clean(members, model=m, **keywords) for m in ("linear", "mlm", "bilinear"))
    for other in others:
        np.testing.assert_array_equal(other.abundances, first.abundances)
        np.testing.assert_array_equal(other.brightness, first.brightness)
        np.testing.assert_array_equal(other.variability.scale, first.variability.scale)
        np.testing.assert_array_equal(other.variability.index, first.variability.index)


@pytest.mark.parametrize("field", ["smooth", "white"])
def test_factors_of_the_spectra(members, field):
    scene = clean(members, variability=(0.7, 1.2), variability_field=field, size=(80, 90))
    s = scene.variability.scale
    assert s.shape == (80, 90, K) and s.dtype == np.float32
    assert 0.7 <= s.min() < 0.75 and 1.15 < s.max() <= 1.2
    step = np.abs(np.diff(s, axis=1)).mean()
    assert step < 0.03 if field == "smooth" else step > 0.1
    np.testing.assert_allclose(s.mean((0, 1)), 0.95, atol=0.05)
    between = np.corrcoef(s.reshape(-1, K).T)[np.triu_indices(K, 1)]
    assert np.abs(between).max() < 0.6  # each member has its own


@pytest.mark.parametrize("draw", ["patch", "pixel"])
def test_spectra_drawn_from_bundles(members, bundles, draw):
    scene = clean(members, bundles=bundles, bundle_draw=draw)
    index = scene.variability.index
    for k, bundle in enumerate(bundles):
        assert np.unique(index[..., k]).tolist() == list(range(len(bundle)))
    stays = (np.diff(index[..., 3], axis=1) == 0).mean()
    assert stays > 0.75 if draw == "patch" else stays < 0.5
    r, c = 7, 11
    E = np.stack([bundles[k][index[r, c, k]] for k in range(K)])
    np.testing.assert_allclose(scene.cube[r, c], scene.abundances[r, c] @ E, rtol=1e-5)


def test_bands_that_a_bundle_lacks_are_left_out(members, bundles):
    holed = [b.copy() for b in bundles]
    holed[2][1, 4:6] = np.nan
    scene = clean(members, bundles=[Endmembers(b) for b in holed])
    assert scene.cube.shape[-1] == L - 2 and np.isfinite(scene.cube).all()
    assert all(b.shape[1] == L - 2 for b in scene.variability.bundles)
    np.testing.assert_array_equal(
        scene.endmembers.wavelength, np.delete(members.wavelength, [4, 5])
    )


def test_noise_by_name_and_on_record(members):
    keywords = {"size": (90, 80), "seed": 2}
    quiet = simulate(members, snr=np.inf, **keywords).cube.astype(float)
    for name in ("white", "bands"):
        scene = simulate(members, snr=15.0, noise_profile=name, **keywords)
        sigma = scene.parameters["noise_sigma"]
        np.testing.assert_allclose((scene.cube - quiet).std((0, 1)), sigma, rtol=0.05)
        assert 10 * np.log10((quiet**2).sum(-1).mean() / (sigma**2).sum()) == pytest.approx(15)
        assert (sigma.max() > 2.5 * sigma.min()) == (name == "bands")
    wet = np.abs(members.wavelength - 1400).argmin()
    assert sigma[wet] > 2 * sigma[wet - 5]
    bare = Endmembers(members.spectra)
    sigma = simulate(bare, noise_profile="bands", size=(4, 5)).parameters["noise_sigma"]
    np.testing.assert_allclose(sigma, sigma[::-1])


def test_progress_goes_from_start_to_end(members):
    told = []
    simulate(members, size=(40, 50), progress=lambda stage, part: told.append((stage, part)))
    parts = [part for _, part in told]
    assert parts == sorted(parts) and parts[-1] == 1.0 and {s for s, _ in told} == {"simulate"}


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"interactions": "some"}, "interactions: got 'some'"),
        ({"kind": "cube"}, "kind: got 'cube'"),
        ({"beta": (0.5, 0.2)}, "beta"),
        ({"beta": (0.5, 1.2)}, "beta"),
        ({"beta": (-0.1, 0.2)}, "beta"),
        ({"beta": (0.1, 0.2, 0.3)}, "beta"),
        ({"beta": "strong"}, "beta"),
        ({"gamma": 3.5}, "exponent of pnmm lies in"),
        ({"gamma": -1.0, "kind": "log"}, "constant of 'log'"),
        ({"gamma": 1e3, "kind": "exp"}, "constant of 'exp'"),
        ({"b": 2.0}, "b: got 2"),
        ({"b": (0.2, -0.2)}, "b: got"),
        ({"probability": 1.0}, "probability: got 1"),
        ({"probability": -0.1}, "probability"),
        ({"probability": (0.2, 1.0)}, "probability"),
        ({"probability": np.full((4, 6), 1.0)}, "probability: values outside"),
        ({"probability": np.full((6, 4), 0.5)}, "an array of 4 x 6"),
        ({"probability": np.nan}, "probability"),
        ({"incidence": 90.0}, "incidence: got 90"),
        ({"emergence": "nadir"}, "emergence: got 'nadir'"),
        ({"variability": (1.2, 0.8)}, "variability: got"),
        ({"variability": (0.0, 0.8)}, "variability: got"),
        ({"variability": 0.8}, "variability: got"),
        ({"variability": (0.8, 1.2), "variability_field": "rough"}, "variability_field"),
        ({"bundle_draw": "scene"}, "bundle_draw"),
        ({"bundles": [np.ones((2, L))] * 3}, "got 3 for 4 endmembers"),
        ({"bundles": [np.ones((2, L - 1))] * K}, "'a' has shape"),
        ({"bundles": [np.ones(L)] * K}, "'a' has shape"),
        ({"bundles": [np.ones((0, L))] * K}, "'a' has shape"),
        ({"bundles": ["spectra"] * K}, "'a' is no array"),
        ({"bundles": Endmembers(np.ones((K, L)))}, "a list with the spectra of each member"),
        ({"bundles": 5}, "a list with the spectra of each member"),
        ({"bundles": [np.full((1, L), np.nan)] * K}, "no band in which"),
        ({"noise_profile": "pink"}, "noise_profile: got 'pink'"),
        ({"noise_profile": [["a"]]}, "noise_profile: give 30 numbers"),
        ({"model": "hapke", "variability": (1.0, 2.0), "seed": 1}, "reflectance: got 1"),
    ],
)
def test_bad_input_is_refused(members, keywords, message):
    with pytest.raises(InputError, match=message):
        simulate(members, **{"size": (4, 6), **keywords})
