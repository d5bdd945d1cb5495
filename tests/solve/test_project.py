"""The thin product against NumPy's, for every number of rows that has a kernel of its own."""

import numpy as np
import pytest

from unmix.solve.project import project


@pytest.mark.parametrize("n_rows", range(1, 22))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_bands", [1, 7, 37])
def test_every_number_of_rows(n_rows, dtype, n_bands):
    rng = np.random.default_rng(n_rows)
    X, centre = rng.normal(size=(23, n_bands)), rng.normal(size=n_bands)
    W = rng.normal(size=(n_rows, n_bands)).astype(dtype)
    found = project(X, W, centre)
    assert found.dtype == dtype and found.shape == (23, n_rows)
    expected = (X.astype(dtype) - centre.astype(dtype)) @ W.T
    size = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(found, expected, atol=size * n_bands)


@pytest.mark.parametrize("n_rows", [2, 5, 8, 9])
def test_a_pixel_does_not_depend_on_its_company(n_rows):
    rng = np.random.default_rng(1)
    X = rng.random((301, 37), dtype=np.float32)
    W = rng.random((n_rows, 37), dtype=np.float32)
    whole = project(X, W)
    for part in (slice(0, 1), slice(13, 14), slice(7, 300)):
        assert project(np.ascontiguousarray(X[part]), W).tobytes() == whole[part].tobytes()


@pytest.mark.parametrize("n_rows", [1, 3, 6, 7, 8])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_so_in_its_pixel_alone(n_rows, bad):
    X = np.ones((9, 37), np.float32)
    X[4, 11] = bad
    finite = np.isfinite(project(X, np.ones((n_rows, 37), np.float32)))
    assert not finite[4].any() and finite.sum() == 8 * n_rows
