"""Abundance fields: what each promises, whatever the size, purity and sparsity."""

import numpy as np
import pytest

from unmix import Endmembers, InputError
from unmix.simulate import FIELDS, simulate
from unmix.simulate.blocks import block_abundances, mosaic, patch_abundances
from unmix.simulate.fields import capped, dirichlet_abundances, sparsest

K = 5
SIZE = (45, 62)


@pytest.fixture(scope="module")
def members():
    spectra = np.random.default_rng(0).uniform(0.05, 0.9, (K, 6))
    return Endmembers(spectra, np.linspace(450, 2400, 6), tuple("abcde"))


def maps(members, **keywords):
    return simulate(members, **{"size": SIZE, **keywords}).abundances


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("n", [1, 2, 3, K])
@pytest.mark.parametrize("pure", [True, False])
def test_a_pixel_holds_no_more_members_than_allowed(members, field, n, pure):
    if not pure and n == 1:
        with pytest.raises(InputError, match="cannot sum to 1"):
            maps(members, field=field, max_members=n, pure=pure)
        return
    A = maps(members, field=field, max_members=n, pure=pure)
    assert (A > 0).sum(-1).max() == n
    np.testing.assert_allclose(A.sum(-1), 1, atol=1e-6)
    assert A.max() == pytest.approx(1, abs=1e-6) if pure else A.max() <= 0.8 + 1e-6
    assert (A.max((0, 1)) > 0.5 if pure else A.max((0, 1)) > 0.25).all()  # every member has ground


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("cap", [0.25, 0.6, 1.0])
def test_no_abundance_exceeds_the_largest_purity(members, field, cap):
    A = maps(members, field=field, max_purity=cap)
    assert (0.99 * cap if cap < 1 else 0.8) < A.max() <= cap + 1e-6
    np.testing.assert_allclose(A.sum(-1), 1, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (7, 61), (61, 7)])
@pytest.mark.parametrize("field", FIELDS)
def test_any_size(members, field, size):
    A = maps(members, field=field, size=size)
    assert A.shape == (*size, K) and (A >= 0).all()
    np.testing.assert_allclose(A.sum(-1), 1, atol=1e-6)


def test_sparsest_of_flat_dirichlet_is_flat_on_the_face():
    A = sparsest(np.random.default_rng(0).dirichlet(np.ones(6), 200_000), 3)
    kept = np.sort(A, axis=-1)[:, 3:]
    flat = np.sort(np.random.default_rng(1).dirichlet(np.ones(3), 200_000), axis=-1)
    np.testing.assert_allclose(kept.mean(0), flat.mean(0), atol=2e-3)
    np.testing.assert_allclose(kept.var(0), flat.var(0), rtol=0.02)


def test_sparsest_is_continuous_where_members_change_rank():
    before, after = (np.array([0.4, 0.3 + e, 0.3 - e]) for e in (1e-9, -1e-9))
    np.testing.assert_allclose(sparsest(before, 2), sparsest(after, 2), atol=1e-7)
    np.testing.assert_allclose(sparsest(np.full(4, 0.25), 2), [0.5, 0.5, 0, 0])
    even = np.full((2, 3), 1 / 3)
    assert sparsest(even, None) is even and sparsest(even, 3) is even


def test_capped_leaves_what_is_below_the_cap():
    A = np.random.default_rng(0).dirichlet(np.ones(4), 500)
    low = A.max(-1) <= 0.7
    np.testing.assert_allclose(capped(A, 0.7)[low], A[low], atol=1e-15)
    np.testing.assert_allclose(capped(A, 0.7)[~low].max(-1), 0.7)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0, (1.0, 2.0, 4.0, 1.0, 2.0)])
def test_concentration_is_that_of_the_dirichlet_distribution(members, alpha):
    A = maps(members, field="dirichlet", concentration=alpha, size=(150, 160))
    a = np.broadcast_to(alpha, K)
    mean = a / a.sum()
    np.testing.assert_allclose(A.mean((0, 1)), mean, atol=0.012)
    np.testing.assert_allclose(A.var((0, 1)), mean * (1 - mean) / (a.sum() + 1), rtol=0.06)


def test_squares_are_pure_then_two_mixed_and_so_on():
    A = block_abundances(np.random.default_rng(3), K, (100, 125))
    values, counts = np.unique(A.reshape(-1, K).round(9), axis=0, return_counts=True)
    background = values[counts.argmax()]
    squares = [v for v in values if not np.array_equal(v, background)]
    for n in range(1, K + 1):
        those = [v for v in squares if (v > 0).sum() == n and np.isclose(v.max(), 1 / n)]
        assert len(those) == (K if n < K else 1), n
    assert (background > 0).all() and 0.4 < counts.max() / counts.sum() < 0.8
    upright = block_abundances(np.random.default_rng(3), K, (125, 100))
    np.testing.assert_array_equal(upright, A.transpose(1, 0, 2))


def test_patches_are_even_and_have_edges():
    rng = np.random.default_rng(0)
    A = patch_abundances(rng, 3, (60, 75))
    n = len(np.unique(A.reshape(-1, 3), axis=0))
    assert 20 < n <= 36
    same = (np.diff(A, axis=1) == 0).all(-1).mean()
    assert same > 0.8
    pure = (A == 1).any(-1).mean()
    assert 0.1 < pure < 0.5 and (A.max((0, 1)) == 1).all()


def test_a_mosaic_has_no_empty_patch():
    for n in (1, 7, 200):
        label = mosaic(np.random.default_rng(n), (9, 13), n)
        assert np.unique(label).tolist() == list(range(min(n, 117)))


def test_given_maps_are_used_as_they_are(members):
    A = dirichlet_abundances(np.random.default_rng(4), K, (12, 17))
    A[2:4, 5] = np.nan
    scene = simulate(members, abundances=A, snr=np.inf, brightness=(0.6, 1.1))
    np.testing.assert_allclose(scene.abundances, A, atol=1e-6)
    known = ~np.isnan(A[..., 0])
    assert np.isnan(scene.cube[~known]).all() and np.isfinite(scene.cube[known]).all()
    clean = scene.brightness[known][:, None] * (A[known] @ members.spectra)
    np.testing.assert_allclose(scene.cube[known], clean, atol=1e-6)
    nearly = A * 1.004
    again = simulate(members, abundances=nearly, snr=np.inf)
    np.testing.assert_allclose(again.abundances[known].sum(-1), 1, atol=1e-6)
    noisy = simulate(members, abundances=A, snr=20.0, model="mlm")
    quiet = simulate(members, abundances=A, snr=np.inf, model="mlm")
    noise = (noisy.cube - quiet.cube)[known]
    power = (quiet.cube[known].astype(float) ** 2).sum()
    assert 10 * np.log10(power / (noise.astype(float) ** 2).sum()) == pytest.approx(20, abs=0.7)


ONES = np.ones((3, 4, K)) / K


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"max_members": 0}, "max_members: got 0"),
        ({"max_members": K + 1}, "to the 5 members"),
        ({"max_members": 2.0}, "whole number"),
        ({"max_members": True}, "whole number"),
        ({"max_purity": 0.15}, "give 0.2 or more"),
        ({"max_purity": 0.4, "max_members": 2}, "give 0.5 or more"),
        ({"max_purity": 1.2}, "max_purity: got 1.2"),
        ({"max_purity": np.nan}, "max_purity"),
        ({"max_purity": "high"}, "max_purity"),
        ({"concentration": 2.0}, "concentration: the field 'gaussian' has none"),
        ({"concentration": 0.0, "field": "dirichlet"}, "concentration: got 0"),
        ({"concentration": (1.0, 2.0), "field": "dirichlet"}, "each of the 5 members"),
        ({"concentration": "flat", "field": "patches"}, "concentration"),
        ({"abundances": ONES, "max_members": 2}, "max_members: abundances are given"),
        ({"abundances": ONES, "size": (4, 3)}, "size: got"),
        ({"abundances": ONES[..., :3]}, "3 maps for 5 endmembers"),
        ({"abundances": ONES[0]}, "abundances: got shape"),
        ({"abundances": ONES[:0]}, "abundances: got shape"),
        ({"abundances": 2 * ONES}, "off by 1"),
        ({"abundances": ONES - np.array([0.5, -0.5, 0, 0, 0])}, "off by 0.3"),
        ({"abundances": np.full((3, 4, K), np.nan)}, "no pixel has a value"),
        ({"abundances": np.where(np.arange(K) == 1, np.nan, ONES)}, "NaN in all members"),
        ({"abundances": np.where(np.arange(K) == 1, np.inf, ONES)}, "abundances"),
        ({"abundances": "maps"}, "abundances: not an array"),
    ],
)
def test_bad_fields_are_refused(members, keywords, message):
    with pytest.raises(InputError, match=message):
        simulate(members, **keywords)
