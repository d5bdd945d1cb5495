from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmix.checks import InputError
from unmix.geology.dominant import ASSUMED_SD, LEAST, LEAST_SD, dominant


def test_confidence_bounds_the_share_of_draws_in_which_it_dominates():
    """Against draws, whatever the correlation of the errors."""
    rng = np.random.default_rng(4)
    a = np.array([0.45, 0.35, 0.2])
    s = np.array([0.06, 0.05, 0.03])
    confidence = float(dominant(a[None], s[None]).confidence[0])
    for correlation in (-0.45, 0.0, 0.9):
        mixing = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
        draws = rng.multivariate_normal(a, mixing * np.outer(s, s), 200_000)
        assert (draws.argmax(axis=1) == 0).mean() >= confidence - 0.003
    assert 0.7 < confidence < 0.9


def test_two_members_that_exclude_each_other_give_the_probability_itself():
    """With a_2 = 1 - a_1 their errors are opposite, and the bound is exact."""
    s = 0.1
    confidence = dominant(np.array([[0.56, 0.44]]), np.full((1, 2), s)).confidence[0]
    draws = 0.56 + s * np.random.default_rng(0).standard_normal(400_000)
    assert confidence == pytest.approx((draws > 0.5).mean(), abs=0.003)


@given(
    st.lists(st.floats(0, 1, width=32, allow_subnormal=False), min_size=2, max_size=5),
    st.floats(0, 0.25, width=32, allow_subnormal=False),
    st.randoms(use_true_random=False),
)
def test_order_of_the_members_does_not_matter(values, s, random):
    a = np.array(values, np.float32)[None]
    order = list(range(a.shape[1]))
    random.shuffle(order)
    sd = np.full(a.shape, s, np.float32)
    one, other = dominant(a, sd), dominant(a[:, order], sd)
    assert other.confidence[0] == pytest.approx(one.confidence[0], abs=1e-5)
    if 0 < one.code[0] <= a.shape[1] and abs(one.confidence[0] - LEAST) > 1e-4:
        assert order[other.code[0] - 1] == one.code[0] - 1


def test_codes():
    A = np.array([[[0.9, 0.1, 0], [0.4, 0.35, 0.25]], [[0, 0, 1], [np.nan, 0.5, 0.5]]])
    found = dominant(A)
    assert found.code.dtype == np.uint8
    assert found.code.tolist() == [[1, 4], [3, 0]]
    assert np.isnan(found.confidence[1, 1]) and found.confidence[0, 1] < LEAST


def test_what_is_assumed_without_and_at_least_with_a_standard_deviation():
    A = np.array([[0.6, 0.4]])
    assumed = dominant(A).confidence
    np.testing.assert_array_equal(assumed, dominant(A, np.full(A.shape, ASSUMED_SD)).confidence)
    np.testing.assert_array_equal(
        dominant(A, np.zeros(A.shape)).confidence,
        dominant(A, np.full(A.shape, LEAST_SD)).confidence,
    )
    np.testing.assert_array_equal(assumed, dominant(A, np.full(A.shape, np.nan)).confidence)


def test_one_member_is_certain_and_too_many_are_refused():
    assert dominant(np.ones((2, 1))).confidence.tolist() == [1.0, 1.0]
    with pytest.raises(InputError, match="at most 254"):
        dominant(np.ones((1, 255)))
    with pytest.raises(InputError, match="sd: shape"):
        dominant(np.ones((2, 3)), np.ones((2, 2)))
