"""VCA + K-Hype and VCA + SK-Hype: what the estimators add to the solvers."""

import numpy as np
import pytest

from unmix.checks import InputError
from unmix.methods.khype import VCAKHype, VCASKHype
from unmix.methods.linear import VCAFCLS
from unmix.mixing import bilinear
from unmix.scaling import SCALES
from unmix.solve import khype

every_kind = pytest.mark.parametrize("kind", [VCAKHype, VCASKHype])


def scene(n_pixels=800, seed=0):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(3, 60)), axis=1) * 0.03
    E = np.abs(walk + rng.random((3, 1))) + 0.01
    A = rng.dirichlet(np.ones(3), n_pixels)
    A[:3] = np.eye(3)
    return bilinear(A, E) + 0.002 * rng.normal(size=(n_pixels, 60)), A, E


@every_kind
@pytest.mark.parametrize("kernel", ["gaussian", "polynomial"])
@pytest.mark.parametrize("scale", SCALES)
def test_the_unit_of_the_pixels_does_not_matter(kind, scale, kernel):
    X, _, E = scene(200)
    A = kind(endmembers=E, scale=scale, kernel=kernel).fit(X).transform(X)
    model = kind(endmembers=1e4 * E, scale=scale, kernel=kernel).fit(1e4 * X)
    np.testing.assert_allclose(model.transform(1e4 * X), A, atol=1e-6)


@every_kind
def test_given_endmembers_are_kept_and_bilinear_mixing_is_undone(kind):
    X, A, E = scene()
    error = {}
    for method in (kind, VCAFCLS):
        model = method(endmembers=E).fit(X)
        np.testing.assert_array_equal(model.endmembers_, E)
        error[method] = np.sqrt(((model.transform(X) - A) ** 2).mean())
    assert error[kind] < 0.6 * error[VCAFCLS]


@every_kind
def test_endmembers_are_those_of_vca(kind):
    X, _, _ = scene()
    found = kind(n_endmembers=3, seed=4).fit(X).endmembers_
    np.testing.assert_array_equal(found, VCAFCLS(n_endmembers=3, seed=4).fit(X).endmembers_)


def test_reflectance_one_is_the_largest_endmember_value():
    X, _, E = scene(100)
    model = VCAKHype(endmembers=E, kernel="polynomial", mu=0.1).fit(X)
    assert model.unit_ == E.max()
    expected = khype(X / E.max(), E / E.max(), kernel="polynomial", mu=0.1)
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-10)


@every_kind
@pytest.mark.parametrize(("keyword", "value"), [("kernel", "rbf"), ("sigma", 0), ("mu", None)])
def test_a_wrong_keyword_is_named(kind, keyword, value):
    with pytest.raises(InputError, match=keyword):
        kind(n_endmembers=3, **{keyword: value}).fit(scene(50)[0])


@pytest.mark.parametrize(("keyword", "value"), [("max_iter", 0), ("max_iter", 2.5), ("tol", -1)])
def test_a_wrong_alternation_is_named(keyword, value):
    with pytest.raises(InputError, match=keyword):
        VCASKHype(n_endmembers=3, **{keyword: value}).fit(scene(50)[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_status_of_khype_is_a_proof(dtype, monkeypatch):
    X, A, E = scene()
    model = VCAKHype(endmembers=E, scale="l2").fit(X.astype(dtype))
    assert model.status_.startswith("Solved exactly: optimality conditions hold to")
    monkeypatch.setattr("unmix.methods.khype.khype", lambda X, E, **_: A[: len(X)].astype(dtype))
    assert VCAKHype(endmembers=E).fit(X.astype(dtype)).status_.startswith("Not exact")


def test_the_status_tells_how_the_alternation_ended():
    X, _, E = scene()
    done = VCASKHype(endmembers=E, max_iter=500, tol=1e-3).fit(X)
    assert done.status_.startswith("Converged after at most") and 1 < done.n_iter_ < 500
    cut = VCASKHype(endmembers=E, max_iter=2, tol=0.0).fit(X)
    assert (
        cut.status_
        == "The maximum number of iterations (2) was reached in 800 of 800 pixels tried."
    )
    assert cut.n_iter_ == 2
