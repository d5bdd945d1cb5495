"""Compare an unmixing with the truth: align members, compute every metric, say how it was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unmix import metrics
from unmix.checks import InputError
from unmix.ortho import Ortho
from unmix.types import Unmixing

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["KnownTruth", "evaluate", "table"]

Array = NDArray[np.float64]


class KnownTruth(Protocol):
    """What `evaluate` needs to know of a truth (see `unmix.io.truth.Truth`).

    `abundances` is (rows, cols, member) or, counted down the columns, (pixel, member);
    `endmembers` (member, band) or None.
    """

    @property
    def abundances(self) -> NDArray[np.floating]: ...  # noqa: D102
    @property
    def endmembers(self) -> NDArray[np.floating] | None: ...  # noqa: D102
    @property
    def names(self) -> Sequence[str]: ...  # noqa: D102


def evaluate(result: Unmixing, truth: KnownTruth) -> dict[str, Any]:
    """Every metric of `unmix.metrics`, members aligned by the Hungarian method.

    Members are matched by the spectral angle of their endmembers where both spectra are known on
    the same bands, else by the RMSE of their abundance maps. A true member without a partner
    counts as abundance 0; estimated members without one are reported, and their abundance is
    missing from the others. Pixels masked in the result or unknown in the truth are left out.
    Endmembers of the truth may have the scene's bands or only those kept. Of a scene in swath
    geometry, whose result lies on its map grid, the truth may be a map on either.

    Returns
    -------
    dict
        Overall numbers under their metric's name (``endmember_sad_rad`` and ``endmember_sid`` are
        means over matched members, None without spectra), ``members`` (a dict a true member),
        ``order`` (column of the result for each true member, -1 for none), ``unmatched`` (names),
        ``aligned_by``, ``n_pixels``, ``n_left_out``, ``n_endmembers``, ``notes``, ``protocol``.

    Raises
    ------
    InputError
        The truth's size is not the result's, or no pixel is known in both.

    >>> import xarray as xr
    >>> from types import SimpleNamespace
    >>> from unmix.types import Endmembers
    >>> A, E = np.array([[[0.2, 0.8], [0.9, 0.1]]]), np.array([[0.1, 0.5, 0.3], [0.4, 0.2, 0.2]])
    >>> estimate = xr.DataArray(A[..., ::-1], dims=("y", "x", "member"))
    >>> residual = xr.zeros_like(estimate.rename(member="quantity"))
    >>> result = Unmixing(estimate, Endmembers(2 * E[::-1]), residual)
    >>> found = evaluate(result, SimpleNamespace(abundances=A, endmembers=E, names=("a", "b")))
    >>> found["order"], found["abundance_rmse"], round(found["endmember_sad_rad"], 6)
    ([1, 0], 0.0, 0.0)
    """
    estimate = np.asarray(result.abundances.values, np.float64)
    known = _folded(np.asarray(truth.abundances, np.float64), result)
    both = np.isfinite(np.concatenate([estimate, known], axis=-1)).all(axis=-1)
    if not both.any():
        raise InputError("truth: no pixel is known in both the result and the truth; check both")
    notes: list[str] = []
    spectra = _common_bands(result, truth, notes)
    A_est, A_true = estimate[both], known[both]
    if spectra is None:
        order = metrics.align(A_est=A_est, A_true=A_true)
    else:
        order = metrics.align(E_est=spectra[0], E_true=spectra[1])
    names = _names(truth, known.shape[-1])
    unmatched = [n for i, n in enumerate(result.endmembers.names) if i not in set(order.tolist())]
    aligned = metrics.take(A_est, order)
    members = _members(result, names, order, aligned, A_true, spectra)
    report: dict[str, Any] = {
        **_overall(aligned, A_true, members),
        "reconstruction_rmse": _reconstruction(result, both),
        "members": members,
        "order": [int(i) for i in order],
        "unmatched": unmatched,
        "aligned_by": "abundance RMSE" if spectra is None else "endmember spectral angle",
        "n_endmembers": {"estimated": estimate.shape[-1], "true": known.shape[-1]},
        "n_pixels": int(both.sum()),
        "n_left_out": int((~both).sum()),
        "notes": notes + _count_notes(members, unmatched),
    }
    return report | {"protocol": _protocol(report)}


def table(report: dict[str, Any]) -> Table:
    """A report of `evaluate` for the terminal: a row a member, the means, the protocol."""
    from rich.table import Table

    view = Table(title="Comparison with the truth", caption=_caption(report), show_footer=True)
    view.caption_justify = "left"
    view.add_column("true member", footer="all")
    view.add_column("estimated as", footer=f"{report['n_pixels']} pixels")
    for heading, key, digits in _COLUMNS:
        view.add_column(heading, justify="right", footer=_cell(report[key], digits))
    for row in report["members"]:
        cells = [_cell(row[key], digits) for _, key, digits in _COLUMNS]
        view.add_row(_plain(row["name"]), _plain(row["estimated_as"] or "not found"), *cells)
    for name in report["unmatched"]:
        view.add_row("none", _plain(name), *[""] * len(_COLUMNS))
    return view


_COLUMNS = (
    ("abundance RMSE", "abundance_rmse", 4),
    ("endmember SAD, rad", "endmember_sad_rad", 4),
    ("endmember SID", "endmember_sid", 5),
)


def _folded(A: Array, result: Unmixing) -> Array:
    """True abundances as (rows, cols, member) on the result's grid.

    A truth of the swath is put on the grid as the result was.
    """
    shape, lookup = result.abundances.shape[:2], result.abundances.attrs.get("lookup")
    if A.shape[:-1] != shape and isinstance(lookup, Ortho):
        rows, cols = lookup.shape
        if A.ndim == 2 and len(A) == rows * cols:
            A = A.reshape(rows, cols, -1, order="F")
        if A.shape[:2] == lookup.shape and A.ndim == 3:
            return lookup.apply(A)
    if A.ndim == 2 and len(A) == shape[0] * shape[1]:
        return A.reshape(*shape, -1, order="F")
    if A.ndim != 3 or A.shape[:2] != tuple(shape):
        here = f"{shape[0]} × {shape[1]} pixels"
        if isinstance(lookup, Ortho):
            here += f" on the map grid and {lookup.shape[0]} × {lookup.shape[1]} in the swath"
        raise InputError(
            f"truth: abundances of {' × '.join(map(str, A.shape[:-1]))} pixels where the result "
            f"has {here}; give the truth of this scene"
        )
    return A


def _names(truth: KnownTruth, k: int) -> list[str]:
    names = [str(n) for n in truth.names]
    return names if len(names) == k else [f"member {i + 1}" for i in range(k)]


def _common_bands(
    result: Unmixing, truth: KnownTruth, notes: list[str]
) -> tuple[Array, Array] | None:
    """Estimated and true spectra on the bands both know; None, with a note, where they do not."""
    if truth.endmembers is None:
        notes.append("the truth has no spectra: endmembers are not compared")
        return None
    E_est = np.asarray(result.endmembers.spectra, np.float64)
    E_true = np.asarray(truth.endmembers, np.float64)
    kept = np.isfinite(E_est).all(axis=0)
    if E_true.shape[-1] == int(kept.sum()) != E_est.shape[-1]:
        full = np.full((len(E_true), E_est.shape[-1]), np.nan)
        full[:, kept] = E_true
        E_true = full
    elif E_true.shape[-1] != E_est.shape[-1]:
        resampled = _resampled(result, truth, E_true)
        if resampled is None:
            notes.append(
                f"the truth's spectra have {E_true.shape[-1]} bands, the result {E_est.shape[-1]} "
                f"({kept.sum()} kept): endmembers are not compared"
            )
            return None
        E_true = resampled
        notes.append("the truth's spectra are interpolated at the result's wavelengths")
    shared = kept & np.isfinite(E_true).all(axis=0)
    if shared.sum() < 2 or len(E_true) != np.shape(truth.abundances)[-1]:
        notes.append("the truth's spectra do not fit its abundances or bands: not compared")
        return None
    return E_est[:, shared], E_true[:, shared]


def _resampled(result: Unmixing, truth: KnownTruth, E_true: Array) -> Array | None:
    """True spectra at the result's wavelengths, NaN outside theirs; None without wavelengths."""
    source, target = getattr(truth, "wavelength", None), result.endmembers.wavelength
    if source is None or target is None or np.shape(source) != E_true.shape[-1:]:
        return None
    order = np.argsort(source)
    x = np.asarray(source, np.float64)[order]
    return np.stack([np.interp(target, x, e[order], left=np.nan, right=np.nan) for e in E_true])


def _members(
    result: Unmixing,
    names: list[str],
    order: NDArray[np.intp],
    aligned: Array,
    A_true: Array,
    spectra: tuple[Array, Array] | None,
) -> list[dict[str, Any]]:
    """A dict a true member; spectral numbers are None where there is nothing to compare."""
    rmse = metrics.abundance_rmse_per_endmember(aligned, A_true)
    rows = []
    for j, (name, i) in enumerate(zip(names, order.tolist(), strict=True)):
        sad = sid = None
        if spectra is not None and i >= 0:
            pair = spectra[0][i : i + 1], spectra[1][j : j + 1]
            sad = float(metrics.endmember_sad_rad(*pair)[0])
            sid = float(metrics.endmember_sid(*pair)[0])
        rows.append(
            {
                "name": name,
                "estimated_as": result.endmembers.names[i] if i >= 0 else None,
                "column": i,
                "abundance_rmse": float(rmse[j]),
                "endmember_sad_rad": sad,
                "endmember_sid": sid,
            }
        )
    return rows


def _overall(aligned: Array, A_true: Array, members: list[dict[str, Any]]) -> dict[str, Any]:
    """The numbers over all members."""

    def mean(key: str) -> float | None:
        values = [m[key] for m in members if m[key] is not None]
        return float(np.mean(values)) if values else None

    return {
        "abundance_rmse": metrics.abundance_rmse(aligned, A_true),
        "mean_of_per_endmember_rmse": metrics.mean_of_per_endmember_rmse(aligned, A_true),
        "psnr_db": metrics.psnr_db(aligned, A_true),
        "abundance_sad_rad": metrics.abundance_sad_rad(aligned, A_true),
        "abundance_sid": metrics.abundance_sid(aligned, A_true),
        "endmember_sad_rad": mean("endmember_sad_rad"),
        "endmember_sid": mean("endmember_sid"),
    }


def _reconstruction(result: Unmixing, both: NDArray[np.bool_]) -> float | None:
    """Root mean square of the result's own per-pixel reconstruction error."""
    residual = result.residual
    quantities = (
        [str(q) for q in residual["quantity"].values] if "quantity" in residual.coords else []
    )
    if "rmse" not in quantities:
        return None
    values = np.asarray(residual.values[..., quantities.index("rmse")], np.float64)[both]
    return float(np.sqrt(np.mean(values**2)))


def _count_notes(members: list[dict[str, Any]], unmatched: list[str]) -> list[str]:
    """What a differing number of members means for the numbers."""
    missing = [m["name"] for m in members if m["estimated_as"] is None]
    notes = []
    if missing:
        notes.append(f"not found, counted as abundance 0: {', '.join(missing)}")
    if unmatched:
        notes.append(f"estimated without a true partner: {', '.join(unmatched)}")
    return notes


def _protocol(report: dict[str, Any]) -> str:
    """How the numbers were made, in a sentence."""
    return (
        f"{report['n_pixels']} pixels compared, {report['n_left_out']} left out (masked or unknown "
        f"in the truth); members matched one to one by {report['aligned_by']} (Hungarian method); "
        "RMSE over all abundance entries, angles and divergences averaged over pixels or members"
    )


def _caption(report: dict[str, Any]) -> str:
    """The numbers over pixels, the notes and the protocol."""
    numbers = (
        f"mean of per-member RMSE {report['mean_of_per_endmember_rmse']:.4f}, "
        f"PSNR {report['psnr_db']:.2f} dB, abundance SAD {report['abundance_sad_rad']:.4f} rad, "
        f"abundance SID {report['abundance_sid']:.4f}, "
        f"reconstruction RMSE {_cell(report['reconstruction_rmse'], 4) or 'unknown'}"
    )
    return _plain("\n".join([numbers, *report["notes"], report["protocol"]]))


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _plain(text: str) -> str:
    """Text in which brackets are no markup."""
    from rich.markup import escape

    return escape(text)
