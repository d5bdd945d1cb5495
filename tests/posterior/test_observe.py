"""Lenses: brightness out, noise at one, and other pixels seen as the scene was."""

import numpy as np
import pytest

from unmix.posterior.faces import faces_of, posterior
from unmix.posterior.observe import focus
from unmix.tiles.fill import filled

K, L, SIZE, NOISE = 3, 30, (31, 44), 0.004
SCALES = pytest.mark.parametrize("scale", ["none", "l2", "max", "shade"])


def scene(blocks=False, seed=0):
    """Clean pixels of an image, endmembers, abundances, a brightness, and noise."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, L)
    E = np.array([0.3 + 0.5 * t, 0.7 - 0.4 * t**2, 0.45 + 0.25 * np.sin(6 * t)])
    A = rng.dirichlet(np.ones(K), SIZE)
    if blocks:
        A = np.kron(rng.dirichlet(np.ones(K), (4, 4)).transpose(2, 0, 1), np.ones((8, 11)))
        A = A.transpose(1, 2, 0)[: SIZE[0]]
    A = A.reshape(-1, K)
    s = rng.uniform(0.4, 1.3, len(A))
    return A @ E, E, A, s, NOISE * rng.standard_normal((len(A), L))


def abundances(lens, view, E):
    """Posterior abundances with known endmembers, all faces alike."""
    seen, size = lens.onto(E)
    faces = faces_of(K)
    shares = np.full(len(faces.sizes), -np.log(len(faces.sizes)))
    J, none = lens.white.coordinates(seen)[None], np.zeros((1, view.Y.shape[1]))
    b = posterior(view.Y, J, none, faces, shares, view.noise).mean
    a = b / size
    return a / a.sum(axis=1, keepdims=True)


def test_brightness_is_taken_out():
    """Abundances of a scene with shade are those of the scene without, within their noise."""
    X, E, A, s, noise = scene()
    even, shaded = X + noise, s[:, None] * X + noise
    answers = [abundances(*focus(x, None, K, "shade", 0), E) for x in (even, shaded)]
    plain = abundances(*focus(even, None, K, "none", 0), E)
    spread = np.abs(plain - A).mean()
    assert np.abs(answers[0] - A).mean() < 1.5 * spread
    dark = 1 / s.min()
    assert np.abs(answers[1] - A).mean() < 1.5 * spread / np.median(s) < dark * spread
    lens, view = focus(shaded, None, K, "none", 0)
    assert np.abs(abundances(lens, view, E) - A).mean() > 5 * spread


def test_brightness_is_told():
    """Up to what members of different sizes make of it: t = s Σ a_k size_k."""
    X, E, A, s, noise = scene()
    lens, view = focus(s[:, None] * X + noise, None, K, "shade", 0)
    expected = s * (A @ lens.onto(E)[1])
    np.testing.assert_allclose(view.brightness, expected, rtol=0.05)
    assert np.median(view.brightness) == pytest.approx(1)
    np.testing.assert_allclose(view.noise, view.brightness**-2.0)


@pytest.mark.parametrize("scale", ["none", "l2", "shade"])
def test_noise_is_what_it_says(scale):
    """Coordinates with and without noise differ by no more than is told, bright or dark.

    Not with "max": the noise of the largest band goes to all bands, and is taken for signal.

    By less where a pixel was divided by its own size: noise along it went with it.
    """
    X, _, _, s, noise = scene()
    X = s[:, None] * X
    lens, view = focus(X + noise, None, K, scale, 0)
    apart = (view.Y - lens.view(X, None).Y) / np.sqrt(view.noise)[:, None]
    assert 0.3 < apart.var() < 1.25
    if scale == "none":
        assert apart.var() == pytest.approx(1, abs=0.2)
    bright = s > np.median(s)
    assert apart[bright].var() == pytest.approx(apart[~bright].var(), rel=0.3)


@SCALES
@pytest.mark.parametrize("blocks", [True, False])
def test_the_scene_seen_again_is_the_same(scale, blocks):
    X, _, _, _, noise = scene(blocks)
    lens, view = focus(X + noise, SIZE, K, scale, 0)
    assert lens.denoises == blocks
    again = lens.view(X + noise, SIZE)
    for a, b in zip(
        (view.Y, view.noise, view.brightness), (again.Y, again.noise, again.brightness), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-3)


@SCALES
def test_pixels_are_seen_one_by_one_without_neighbours(scale):
    X, _, _, _, noise = scene()
    X = X + noise
    lens, view = focus(X, None, K, scale, 0)
    part = lens.view(X[100:117], None)
    np.testing.assert_allclose(part.Y, view.Y[100:117], atol=1e-9)
    assert view.Y.shape == (len(X), K if scale == "shade" else view.Y.shape[1])


def test_denoising_leaves_less_and_says_so():
    X, _, _, _, noise = scene(blocks=True)
    lens, view = focus(X + noise, SIZE, K, "none", 0)
    assert lens.ratio < 0.5
    left = (view.Y - lens.white.coordinates(X)).var(axis=0)
    np.testing.assert_allclose(left, 1, rtol=0.5)
    assert focus(X + noise, None, K, "none", 0)[0].ratio == 1


def test_a_scene_of_too_many_components_is_not_denoised():
    rng = np.random.default_rng(0)
    E = rng.random((26, L))
    A = np.kron(rng.dirichlet(np.full(26, 0.1), (8, 8)).transpose(2, 0, 1), np.ones((4, 4)))
    X = A.reshape(26, -1).T @ E + 1e-4 * rng.standard_normal((1024, L))
    assert not focus(X, (32, 32), 2, "none", 0)[0].denoises


@SCALES
def test_members_are_seen_as_pixels_are(scale):
    """A pure pixel's coordinates are its member's, whatever its brightness."""
    X, E, _, s, noise = scene()
    lens, _ = focus(X + noise, None, K, scale, 0)
    if scale == "none":
        s = np.ones_like(s)
    seen = lens.white.coordinates(lens.onto(E)[0])
    pure = lens.view(s[:K, None] * E, None).Y
    np.testing.assert_allclose(pure, seen, atol=1e-6)
    rows, size = lens.onto(E)
    np.testing.assert_allclose(rows * size[:, None], E, rtol=1e-9)


@SCALES
def test_dark_and_odd_pixels_are_seen_finite(scale):
    X, _, _, _, noise = scene()
    lens, _ = focus(X + noise, None, K, scale, 0)
    odd = np.stack([0 * X[0], -X[1], 1e6 * X[2], 1e-9 * X[3]])
    view = lens.view(odd, None)
    for part in (view.Y, view.noise, view.brightness):
        assert np.isfinite(part).all()
    assert (view.noise > 0).all()


def test_gaps_filled_with_copies_add_no_signal():
    """Of an image of which a fifth is missing here and there as much is signal as of its pixels."""
    X, *_, noise = scene(blocks=True)
    valid = np.random.default_rng(1).random(SIZE) >= 0.2
    pixels = (X + noise)[valid.ravel()]
    lens, _ = focus(filled(pixels, valid).reshape(-1, L), SIZE, K, "none", 0)
    alone, _ = focus(pixels, None, K, "none", 0)
    np.testing.assert_allclose(lens.white.sigma, alone.white.sigma, rtol=1e-6)
    np.testing.assert_allclose(lens.white.axes, alone.white.axes, atol=1e-6)
    assert lens.white.signal == K - 1
