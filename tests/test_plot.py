from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from unmix import plot
from unmix.plot.maps import _grid, side_ratio
from unmix.plot.spectra import _spread, runs
from unmix.types import Endmembers, Unmixing

HOSTILE = (
    "<script>alert(1)</script>",
    "$\\frac{x",
    "_hidden",
    "x" * 80,
    "高岭石",
    "a\nb",
    "",
    "\udcff",
)


def make(shape=(9, 7), names=("tree", "water", "soil"), provenance=None, *, rgb=True, bands=40):
    rng = np.random.default_rng(2)
    k = len(names)
    a = rng.dirichlet(np.ones(k), shape).astype(np.float32)
    spectra = rng.uniform(0.1, 0.9, (k, bands))
    spectra[:, bands // 3 : bands // 2] = np.nan
    return Unmixing(
        xr.DataArray(a, dims=("y", "x", "member")),
        Endmembers(spectra, np.linspace(400, 2500, bands), tuple(names)),
        xr.DataArray(rng.random((*shape, 3)), dims=("y", "x", "quantity")),
        provenance or {},
        rng.random((*shape, 3)) if rgb else None,
    )


def masked(result: Unmixing, where=slice(None)) -> Unmixing:
    a, r = result.abundances.copy(), result.residual.copy()
    a[where], r[where] = np.nan, np.nan
    return Unmixing(a, result.endmembers, r, result.provenance, result.rgb)


FULL = {
    "history": {"total": [1.0, 0.1, 0.01], "$x": [0.5, None, np.nan], "none": [None], "bad": "x"},
    "n_endmembers": {
        "k": 3,
        "criteria": [
            {"name": "HySime", "k": 4, "x": [2, 3, 4], "y": [1.0, 0.1, 1e-4], "xlabel": "K"},
            {"name": "<b>", "k": None, "x": [2, 3], "y": [None, 2.0]},
            {"name": "unequal", "x": [1], "y": [1, 2]},
            "junk",
        ],
    },
    "noise": {"per_band": [0.3] * 30 + [None] * 10},
    "bands": {"kept": [True] * 30 + [False] * 10, "reason": {"30": "water vapour", "31": "noise"}},
}
FIGURES = ("overview", "abundance_maps", "endmember_spectra", "residual_map", "residual_histogram")
CURVES = ("loss_curves", "k_curves", "noise_curve", "band_strip")


def png(figure) -> bytes:
    buffer = io.BytesIO()
    plot.save_png(figure, buffer, dpi=40)
    return buffer.getvalue()


def texts(figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(lambda o: hasattr(o, "get_text"))]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 400), (400, 3), (9, 7)])
def test_every_shape_of_scene_draws(name, shape):
    assert png(getattr(plot, name)(make(shape))).startswith(b"\x89PNG")


def test_same_result_same_picture():
    first, second = (png(plot.overview(make(provenance=FULL))) for _ in range(2))
    assert first == second
    assert b"Software" not in first


@pytest.mark.parametrize("name", FIGURES)
def test_names_are_drawn_as_they_are(name):
    png(getattr(plot, name)(make(names=HOSTILE)))


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_valid_draws(name):
    png(getattr(plot, name)(masked(make())))


@pytest.mark.parametrize("name", FIGURES[:3])
def test_many_members_wrap(name):
    figure = getattr(plot, name)(make((20, 30), [f"member {i}" for i in range(64)]))
    assert figure.get_figheight() < 20
    assert sum("64" in t or "63" in t for t in texts(figure)) >= 1


def test_one_scale_and_a_word_on_masked_pixels():
    figure = plot.abundance_maps(masked(make(), (slice(0, 2), slice(1, 3))))
    limits = {i.get_clim() for a in figure.axes for i in a.get_images()}
    assert limits == {(0, 1)}
    assert "masked" in texts(figure)
    assert "masked" not in texts(plot.abundance_maps(make()))
    assert {"tree", "water", "soil"} <= {t.strip() for t in texts(figure)}


def test_maps_keep_the_scenes_aspect():
    for shape in ((30, 60), (60, 30), (40, 40)):
        figure = plot.abundance_maps(make(shape))
        box, (w, h) = figure.axes[0].get_position(), figure.get_size_inches()
        assert box.height * h / (box.width * w) == pytest.approx(shape[0] / shape[1])
    assert side_ratio((1, 400)) == pytest.approx(1 / 12)
    places, height = _grid(9, 0.7, 10, 4.5)
    for i, (x, y, w, h) in enumerate(places):
        assert 0 <= x and x + w <= 10 + 1e-9 and y + h <= height
        for x2, y2, w2, h2 in places[:i]:
            assert x >= x2 + w2 or x2 >= x + w or y >= y2 + h2 or y2 >= y + h


def test_spectra_are_blank_where_bands_were_left_out():
    result = make(bands=40)
    axes = plot.endmember_spectra(result).axes[0]
    lines = [line for line in axes.get_lines() if line.get_color() == plot.member_colour(0)]
    assert len(lines) == 2
    drawn = np.concatenate([line.get_xdata() for line in lines])
    good = np.isfinite(result.endmembers.spectra[0])
    np.testing.assert_array_equal(drawn, result.endmembers.wavelength[good])
    assert plot.endmember_spectra(result.endmembers).axes[0].get_xlabel() == "wavelength [nm]"


def test_a_spread_is_a_band_around_each_line():
    endmembers = make(bands=40).endmembers
    assert not plot.endmember_spectra(endmembers).axes[0].collections
    spread = np.full(endmembers.spectra.shape, 0.05)
    axes = plot.endmember_spectra(replace(endmembers, spread=spread)).axes[0]
    lines, bands = axes.get_lines(), axes.collections
    assert len(bands) == len(lines)
    for line, band in zip(lines, bands, strict=True):
        edge = band.get_paths()[0].vertices
        at = edge[np.isclose(edge[:, 0], line.get_xdata()[0])][:, 1]
        assert (at.min(), at.max()) == pytest.approx(line.get_ydata()[0] + np.array([-0.05, 0.05]))


def test_each_detector_is_its_own_line():
    x = np.array([900.0, 950, 1000, 980, 1030, 1080])
    every = np.ones(6, bool)
    assert [list(r) for r in runs(x, every)] == [[0, 1, 2], [3, 4, 5]]
    assert [list(x[r]) for r in runs(x[::-1], every)] == [
        [900, 950, 1000],
        [980, 1030, 1080],
    ]
    shuffled = np.random.default_rng(0).permutation(50).astype(float)
    (only,) = runs(shuffled, np.ones(50, bool))
    np.testing.assert_array_equal(shuffled[only], np.arange(50))
    gap = np.r_[np.arange(40.0), 90 + np.arange(40.0)]
    assert [len(r) for r in runs(gap, np.ones(80, bool))] == [40, 40]
    assert not runs(x, ~every)


def test_shade_lies_only_where_nothing_was_measured():
    spectra = np.full((2, 8), 0.5)
    spectra[:, [2, 3, 6, 7]] = np.nan
    wavelength = np.array([900.0, 950, 1000, 1050, 980, 1040, 1100, 1200])
    axes = plot.endmember_spectra(Endmembers(spectra, wavelength)).axes[0]
    assert [(p.get_x(), p.get_width()) for p in axes.patches] == [(1100, 100)]


def test_bands_without_wavelengths_are_counted():
    result = make()
    plain = Endmembers(result.endmembers.spectra * 100, None, result.endmembers.names)
    axes = plot.endmember_spectra(plain).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("band", "value")


def test_labels_move_apart_as_little_as_needed():
    wanted = np.array([0.9, 0.1, 0.11, 0.95, 0.5])
    places = _spread(wanted, 0.06)
    assert np.diff(np.sort(places)).min() >= 0.06 - 1e-12
    assert (np.argsort(places) == np.argsort(wanted)).all()
    assert places[4] == 0.5
    assert np.abs(places - wanted).max() < 0.06
    assert _spread(np.full(10, 0.99), 0.1).max() <= 1


def test_colours_are_distinct_and_stay():
    colours = [plot.member_colour(i) for i in range(40)]
    assert len(set(colours)) == 40
    rgb = np.array([to_rgb(c) for c in colours[:10]])
    apart = np.linalg.norm(rgb[:, None] - rgb[None], axis=-1) + np.eye(10)
    assert apart.min() > 0.2
    figure = plot.endmember_spectra(make())
    drawn = {line.get_color() for line in figure.axes[0].get_lines()}
    assert drawn == set(colours[:3])


# --- residual and curves ------------------------------------------------------------------------


def test_histogram_counts_every_valid_pixel():
    result = masked(make((30, 40)), (slice(0, 5), slice(0, 10)))
    with_noise = Unmixing(
        result.abundances, result.endmembers, result.residual, {"noise": {"per_band": [0.3, None]}}
    )
    figure = plot.residual_histogram(with_noise)
    assert sum(p.get_height() for p in figure.axes[0].patches) == 30 * 40 - 50
    assert any(t == "noise 0.3" for t in texts(figure))
    median = np.nanmedian(result.residual.values[..., 0])
    assert any(t == f"median {median:.3g}" for t in texts(figure))


def test_curves_show_what_the_manifest_holds():
    result = make(provenance=FULL)
    for name in CURVES:
        png(getattr(plot, name)(result))
    losses = plot.loss_curves(result).axes[0]
    assert losses.get_yscale() == "log"
    assert len(losses.get_lines()) == 2
    curves = plot.k_curves(result)
    assert len(curves.axes) == 2
    assert "K = 4" in texts(curves)
    assert any("water vapour (1)" in t for t in texts(plot.band_strip(result)))
    assert any("kept (30)" in t for t in texts(plot.band_strip(result)))
    assert any("left out (8)" in t for t in texts(plot.band_strip(result)))


def test_noise_of_the_kept_bands_lies_on_their_wavelengths():
    result = make()
    kept = np.isfinite(result.endmembers.spectra).all(axis=0)
    noise = np.arange(1.0, kept.sum() + 1)
    short = make(provenance={"noise": {"per_band": noise.tolist()}})
    lines = plot.noise_curve(short).axes[0].get_lines()
    np.testing.assert_array_equal(np.concatenate([ln.get_ydata() for ln in lines]), noise)
    x = np.concatenate([ln.get_xdata() for ln in lines])
    np.testing.assert_array_equal(x, result.endmembers.wavelength[kept])
    assert plot.noise_curve(make(provenance={"noise": {"per_band": [1.0, 2.0]}})) is None


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("junk", [None, [], "x", {}, {"per_band": "x", "kept": 3, "criteria": 4}])
def test_curves_without_data_are_none(name, junk):
    sections = ("history", "n_endmembers", "noise", "bands", "evidence")
    result = make(provenance={s: junk for s in sections} if junk is not None else {})
    assert getattr(plot, name)(result) is None


def test_the_information_is_drawn_over_the_bands_used():
    evidence = {"surface": "bilinear", "constants": "x"}  # constants that do not fit: linear
    result = make(provenance=FULL | {"evidence": evidence})
    png(plot.information_curve(result))
    kept = np.isfinite(result.endmembers.spectra).all(axis=0)
    lines = plot.information_curve(result).axes[0].get_lines()
    x = np.concatenate([ln.get_xdata() for ln in lines])
    np.testing.assert_array_equal(x, result.endmembers.wavelength[kept])
    assert np.concatenate([ln.get_ydata() for ln in lines]).sum() == pytest.approx(100)
    nothing = make(provenance={"evidence": {"surface": 3}})
    assert plot.information_curve(nothing) is None


def test_a_likelihood_is_no_loss():
    axes = plot.loss_curves(make(provenance={"history": {"log_likelihood": [-9.0, -2.0]}})).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "log-likelihood gained")
    assert list(axes.lines[0].get_ydata()) == [0, 7]
    large = np.linspace(-4.6612e7, -4.6606e7, 30)
    figure = plot.loss_curves(make(provenance={"history": {"log_likelihood": list(large)}}))
    FigureCanvasAgg(figure).draw()
    box = figure.axes[0].yaxis.label.get_window_extent()
    assert box.x0 >= 0, "the label of the axis is cut off"
    one = make(provenance={"history": {"log_likelihood": [-9.0]}})
    assert axes.get_legend() is None and plot.loss_curves(one) is None


def test_constant_losses_stay_linear():
    result = make(provenance={"history": {"total": [0.5]}})
    axes = plot.loss_curves(result).axes[0]
    assert axes.get_yscale() == "linear"


# --- views --------------------------------------------------------------------------------------


def test_false_colour_takes_red_green_blue():
    wavelength = np.array([850.0, 452, 551, 2200, 648])
    rng = np.random.default_rng(0)
    cube = rng.random((12, 15, 5))
    view = plot.false_colour(cube, wavelength)
    for channel, band in enumerate((4, 2, 1)):
        low, high = np.percentile(cube[..., band], [2, 98])
        expected = np.clip((cube[..., band] - low) / (high - low), 0, 1)
        np.testing.assert_allclose(view[..., channel], expected, atol=1e-6)
    assert view.dtype == np.float32


def test_false_colour_without_visible_light_or_wavelengths():
    cube = np.random.default_rng(0).random((6, 5, 9))
    swir = np.array([2500, 2210, 2000, 1900, 1660, 1500, 1240, 1100, 1000.0])
    same = plot.false_colour(cube, swir)
    best = [int(np.abs(swir - t).argmin()) for t in (2200, 1650, 1250)]
    np.testing.assert_array_equal(same, np.stack(_stretched(cube, best), -1))
    thirds = plot.false_colour(cube, None)
    np.testing.assert_array_equal(thirds, np.stack(_stretched(cube, [1, 4, 7]), -1))
    thermal = plot.false_colour(cube, np.linspace(8000, 12000, 9))
    np.testing.assert_array_equal(thermal, np.stack(_stretched(cube, [7, 4, 1]), -1))


def _stretched(cube, bands):
    limits = [np.percentile(cube[..., b], [2, 98]) for b in bands]
    return [
        np.clip((cube[..., b] - low) / (high - low), 0, 1).astype(np.float32)
        for b, (low, high) in zip(bands, limits, strict=True)
    ]


def test_the_view_avoids_bands_that_are_left_out():
    wavelength = np.linspace(400, 1000, 61)
    assert plot.view_bands(61, wavelength) == (25, 15, 5)
    red, green, blue = plot.view_bands(61, wavelength, empty={25}, poor={5, 24, 4})
    assert (red, green, blue) == (26, 15, 6)
    assert plot.view_bands(61, wavelength, empty={5}, poor=range(61)) == (25, 15, 4)
    assert plot.view_bands(61, wavelength, empty=range(61)) == (25, 15, 5)


def test_false_colour_survives_gaps():
    cube = np.random.default_rng(0).random((6, 5, 4))
    wavelength = [450, 550, 650, 660]
    cube[..., 2] = np.nan
    cube[1, 2, 0] = np.inf
    view = plot.false_colour(xr.DataArray(cube, dims=("y", "x", "band")), wavelength)
    np.testing.assert_array_equal(view[..., 0][~np.isnan(view[..., 0])].shape, 29)
    np.testing.assert_allclose(np.nanmax(view, axis=(0, 1)), 1)
    assert np.isnan(view[1, 2]).all()
    assert (plot.false_colour(np.full((3, 2, 2), 7.0), None) == 0.5).all()
    assert plot.false_colour(np.zeros((2, 3, 1)), [500.0]).shape == (2, 3, 3)
    assert np.isnan(plot.false_colour(np.full((2, 2, 3), np.nan), None)).all()
    assert np.isfinite(plot.false_colour(cube[..., [0, 1, 3]], [450, np.nan, 660])[0, 0]).all()


def test_shrink_is_the_mean_of_what_is_there():
    values = np.arange(35.0).reshape(7, 5)
    values[0, 0] = np.nan
    small = plot.shrink(values, 4)
    assert small.shape == (4, 3)
    assert small[0, 0] == np.nanmean(values[:2, :2])
    assert small[3, 2] == values[6, 4]
    np.testing.assert_array_equal(plot.shrink(values, 7), values)


def test_pyplot_is_never_loaded():
    code = "import sys, unmix.plot; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
