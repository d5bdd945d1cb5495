from dataclasses import dataclass
from io import StringIO

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from unmix import metrics
from unmix.checks import InputError
from unmix.evaluate import evaluate, table
from unmix.types import Endmembers, Unmixing

ROWS, COLS, K, BANDS = 5, 7, 3, 12
KEPT = np.array([b for b in range(BANDS) if b not in (0, 6)])


@dataclass
class Known:
    abundances: np.ndarray
    endmembers: np.ndarray | None
    names: tuple = ("rock", "tree", "water")
    wavelength: np.ndarray | None = None


@pytest.fixture
def truth():
    rng = np.random.default_rng(11)
    return Known(rng.dirichlet(np.ones(K), (ROWS, COLS)), rng.random((K, BANDS)) + 0.1)


def result_of(A, E, names=(), rmse=0.02):
    """A result with bands 0 and 6 left out and one reconstruction error everywhere."""
    spectra = np.full((len(E), BANDS), np.nan)
    spectra[:, KEPT] = E[:, KEPT]
    residual = np.full((ROWS, COLS, 3), [rmse, 0.1, 1.0])
    return Unmixing(
        xr.DataArray(A, dims=("y", "x", "member")),
        Endmembers(spectra, np.linspace(400, 2400, BANDS), names),
        xr.DataArray(
            residual,
            dims=("y", "x", "quantity"),
            coords={"quantity": ["rmse", "angle", "scale"]},
        ),
    )


def test_permuted_result_is_matched(truth):
    order = [2, 0, 1]
    rng = np.random.default_rng(0)
    A = truth.abundances + 0.05 * rng.standard_normal(truth.abundances.shape)
    E = truth.endmembers * 1.7 + 0.01 * rng.standard_normal(truth.endmembers.shape)
    found = evaluate(result_of(A[..., order], E[order], ("x", "y", "z")), truth)
    assert found["order"] == [1, 2, 0]
    assert [m["estimated_as"] for m in found["members"]] == ["y", "z", "x"]
    assert [m["name"] for m in found["members"]] == ["rock", "tree", "water"]
    assert found["abundance_rmse"] == pytest.approx(metrics.abundance_rmse(A, truth.abundances))
    assert found["mean_of_per_endmember_rmse"] == pytest.approx(
        metrics.mean_of_per_endmember_rmse(A, truth.abundances)
    )
    sad = metrics.endmember_sad_rad(E[:, KEPT], truth.endmembers[:, KEPT])
    assert [m["endmember_sad_rad"] for m in found["members"]] == pytest.approx(sad.tolist())
    assert found["endmember_sad_rad"] == pytest.approx(sad.mean())
    assert found["reconstruction_rmse"] == pytest.approx(0.02)
    assert found["unmatched"] == [] and found["notes"] == []
    assert found["aligned_by"] == "endmember spectral angle"
    assert (found["n_pixels"], found["n_left_out"]) == (35, 0)


def test_masked_pixels_are_left_out_on_both_sides(truth):
    A = truth.abundances.copy()
    A[0, :3] = np.nan
    truth.abundances[4, 6, 1] = np.nan
    A[2, 2] += 0.3
    found = evaluate(result_of(A, truth.endmembers), truth)
    assert (found["n_pixels"], found["n_left_out"]) == (31, 4)
    assert found["abundance_rmse"] == pytest.approx(np.sqrt(3 * 0.09 / (31 * 3)))
    assert "31 pixels compared, 4 left out" in found["protocol"]


def test_truth_in_column_major_rows(truth):
    flat = Known(truth.abundances.reshape(-1, K, order="F"), truth.endmembers)
    assert evaluate(result_of(truth.abundances, truth.endmembers), flat)["abundance_rmse"] == 0


@pytest.mark.parametrize("bands", ["all", "kept"])
def test_truth_spectra_on_all_or_kept_bands(truth, bands):
    result = result_of(truth.abundances[..., ::-1], truth.endmembers[::-1])
    if bands == "kept":
        truth.endmembers = truth.endmembers[:, KEPT]
    found = evaluate(result, truth)
    assert found["order"] == [2, 1, 0]
    assert found["endmember_sad_rad"] == pytest.approx(0, abs=1e-7)


def test_truth_spectra_by_wavelength(truth):
    nm = np.linspace(300, 2500, 300)
    result = result_of(truth.abundances, np.ones((K, BANDS)))
    slopes = np.array([[0.1], [1.0], [3.0]])
    result.endmembers.spectra[:, KEPT] = 1 + slopes * result.endmembers.wavelength[KEPT] / 1000
    truth.endmembers, truth.wavelength = (1 + slopes * nm / 1000)[:, ::-1], nm[::-1]
    found = evaluate(result, truth)
    assert found["endmember_sad_rad"] == pytest.approx(0, abs=1e-6)
    assert "interpolated" in found["notes"][0]


@pytest.mark.parametrize("spectra", ["none", "other bands", "other members"])
def test_without_comparable_spectra_maps_decide(truth, spectra):
    result = result_of(truth.abundances[..., [1, 2, 0]], truth.endmembers)
    truth.endmembers = {
        "none": None,
        "other bands": truth.endmembers[:, :4],
        "other members": truth.endmembers[:2],
    }[spectra]
    found = evaluate(result, truth)
    assert found["order"] == [2, 0, 1] and found["abundance_rmse"] == 0
    assert found["aligned_by"] == "abundance RMSE"
    assert found["endmember_sad_rad"] is None and found["endmember_sid"] is None
    assert "compared" in found["notes"][0]


def test_fewer_and_more_members(truth):
    fewer = evaluate(result_of(truth.abundances[..., :2], truth.endmembers[:2]), truth)
    assert fewer["order"] == [0, 1, -1]
    assert fewer["members"][2]["estimated_as"] is None
    assert fewer["members"][2]["endmember_sad_rad"] is None
    missing = truth.abundances[..., 2]
    assert fewer["abundance_rmse"] == pytest.approx(np.sqrt(np.mean(missing**2) / K))
    assert "water" in fewer["notes"][0] and "counted as abundance 0" in fewer["notes"][0]
    assert fewer["n_endmembers"] == {"estimated": 2, "true": 3}
    E = np.vstack([np.linspace(5, 0.1, BANDS) ** 2, truth.endmembers])
    A = np.concatenate([np.zeros((ROWS, COLS, 1)), truth.abundances], axis=-1)
    more = evaluate(result_of(A, E), truth)
    assert more["order"] == [1, 2, 3] and more["abundance_rmse"] == 0
    assert more["unmatched"] == ["endmember 1"]
    assert "without a true partner" in more["notes"][0]


def test_wrong_truth_is_refused(truth):
    result = result_of(truth.abundances, truth.endmembers)
    for wrong in (truth.abundances.transpose(1, 0, 2), truth.abundances[0], np.ones(4)):
        with pytest.raises(InputError, match="5 × 7 pixels"):
            evaluate(result, Known(wrong, None))
    with pytest.raises(InputError, match="no pixel"):
        evaluate(result, Known(np.full((ROWS, COLS, K), np.nan), None))


def test_names_are_made_up_when_they_do_not_fit(truth):
    truth.names = ()
    found = evaluate(result_of(truth.abundances, truth.endmembers), truth)
    assert [m["name"] for m in found["members"]] == ["member 1", "member 2", "member 3"]


def test_result_without_residual(truth):
    result = result_of(truth.abundances, truth.endmembers)
    bare = Unmixing(result.abundances, result.endmembers, xr.zeros_like(result.abundances))
    assert evaluate(bare, truth)["reconstruction_rmse"] is None


def test_table_shows_everything(truth):
    truth.names = ("rock [bold]", "tree", "water")
    A = np.concatenate([np.zeros((ROWS, COLS, 1)), truth.abundances[..., :2]], axis=-1)
    E = np.vstack([np.linspace(5, 0.1, BANDS) ** 2, truth.endmembers[:2]])
    for known in (truth, Known(truth.abundances, None, truth.names)):
        found = evaluate(result_of(A, E), known)
        console = Console(width=200, file=StringIO())
        console.print(table(found))
        text = " ".join(console.file.getvalue().split())
        for wanted in (
            *(m["name"] for m in found["members"]),
            *(f"{m['abundance_rmse']:.4f}" for m in found["members"]),
            f"{found['abundance_rmse']:.4f}",
            f"{found['mean_of_per_endmember_rmse']:.4f}",
            f"{found['psnr_db']:.2f} dB",
            f"{found['abundance_sad_rad']:.4f} rad",
            f"{found['abundance_sid']:.4f}",
            "0.0200",
            "35 pixels",
            found["aligned_by"],
            "Hungarian",
        ):
            assert wanted in text


@pytest.mark.data
def test_published_truth_is_nonnegative_least_squares_over_its_sum(shared_data):
    from unmix.io.truth import read_truth
    from unmix.scene import open_scene
    from unmix.solve import snnls

    scene = open_scene(shared_data / "samson" / "Samson.mat")
    known = read_truth(shared_data / "samson" / "Samson_GT.mat", shape=scene.shape[:2])
    A, _ = snnls(scene.values, known.endmembers.astype(np.float32))
    result = Unmixing(
        xr.DataArray(A, dims=("y", "x", "member")),
        Endmembers(known.endmembers[::-1]),
        xr.zeros_like(scene),
    )
    found = evaluate(result, Known(known.abundances[..., ::-1], known.endmembers[::-1]))
    assert found["abundance_rmse"] > 0.1  # maps and spectra in opposite orders
    result = Unmixing(result.abundances, Endmembers(known.endmembers), result.residual)
    assert evaluate(result, known)["abundance_rmse"] < 0.003
