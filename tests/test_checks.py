"""Every message names the argument, what was got, and the remedy."""

import numpy as np
import pytest

from unmix.checks import (
    InputError,
    check_endmembers,
    check_n_endmembers,
    check_option,
    check_pixels,
)
from unmix.types import Endmembers


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([["a"]]), "X: got dtype <U1; give real numbers"),
        (np.ones((2, 2), complex), "X: got dtype complex128"),
        (np.array([[1.0, object()]], object), "X: cannot be read as numbers"),
        (np.ones(3), r"X: got 1 dimension\(s\)"),
        (np.ones((3, 1)), r"X: 1 feature\(s\)"),
        (np.ones((0, 3)), r"X: 0 sample\(s\)"),
        (np.array([[1.0, np.nan]]), "X: contains NaN or inf"),
        (np.array([[1.0, np.inf]]), "X: contains NaN or inf"),
    ],
)
def test_pixels(X, message):
    with pytest.raises(InputError, match=message):
        check_pixels(X)


def test_pixels_keep_float32_and_are_not_copied():
    X = np.ones((2, 3), np.float32)
    assert check_pixels(X) is X
    assert check_pixels([[1, 2]]).dtype == np.float64


@pytest.mark.parametrize(
    ("E", "message"),
    [
        (np.ones(3), r"endmembers: got shape \(3,\)"),
        (np.ones((2, 4)), "4 bands where the pixels have 3"),
        (np.full((2, 3), np.nan), "contains NaN or inf"),
        (np.array([[1.0, 2, 3], [0, 0, 0]]), "zero in every band"),
    ],
)
def test_endmembers(E, message):
    with pytest.raises(InputError, match=message):
        check_endmembers(E, 3)


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (True, "whole number"),
        (2.0, "whole number"),
        (1, "at least 2"),
        (-3, "at least 2"),
        (21, "more than the 20 bands"),
        (11, "more than the 10 pixels"),
    ],
)
def test_number_of_endmembers(n, message):
    n_pixels = 10 if n == 11 else 100
    with pytest.raises(InputError, match=message):
        check_n_endmembers(n, n_pixels, 20)
    with pytest.raises(InputError, match="more than the 64 supported"):
        check_n_endmembers(65, 1000, 1000)


def test_option():
    with pytest.raises(InputError, match="scale: got 'x'; choose one of a, b"):
        check_option("x", ("a", "b"), "scale")


def test_endmembers_type():
    E = Endmembers(np.ones((2, 3)), np.arange(3.0), ("a", "b"))
    assert len(E) == 2 and E.names == ("a", "b")
    with pytest.raises(InputError, match="wavelength: 2 values for 3 bands"):
        Endmembers(np.ones((2, 3)), np.arange(2.0))
    with pytest.raises(InputError, match="names: 1 for 2 endmembers"):
        Endmembers(np.ones((2, 3)), names=("a",))
