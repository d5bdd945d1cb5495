"""Regions from polygons, ENVI's text, tables and windows, on upright and rotated grids."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import transform
from shapely import affinity
from shapely.geometry import MultiPolygon, Point, Polygon, mapping

from unmix.checks import InputError
from unmix.io.georef import crs_wkt, grid_coords
from unmix.io.roi import Region, read_regions
from unmix.io.vector import read_polygons, write_polygons

ROWS, COLS = 30, 41
UTM = "EPSG:32650"
UPRIGHT = (20.0, 0.0, 500_000.0, 0.0, -25.0, 4_000_000.0)
TURNED = (20.0, 10.0, 500_000.0, 10.0, -20.0, 4_000_000.0)


def scene(affine=UPRIGHT, crs=UTM):
    place = grid_coords(crs and crs_wkt(crs), affine, ROWS, COLS)
    return xr.DataArray(np.zeros((ROWS, COLS, 2)), place, ("y", "x", "band"))


def on_map(polygon, affine=UPRIGHT):
    """From (column, row) corners to the map."""
    a, b, c, d, e, f = affine
    return affinity.affine_transform(polygon, (a, b, d, e, c, f))


def box(left, top, right, bottom):
    return Polygon([(left, top), (right, top), (right, bottom), (left, bottom)])


def geojson(path, shapes, properties, crs=UTM):
    features = [
        {"type": "Feature", "geometry": None if s is None else mapping(s), "properties": p}
        for s, p in zip(shapes, properties, strict=True)
    ]
    content = {"type": "FeatureCollection", "features": features}
    if crs != "none":
        content["crs"] = crs and {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(content))
    return path


def pixels(region):
    return set(zip(region.rows.tolist(), region.cols.tolist(), strict=True))


@pytest.mark.parametrize("affine", [UPRIGHT, TURNED])
@pytest.mark.parametrize("suffix", [".geojson", ".gpkg"])
def test_pixels_whose_centre_lies_inside(tmp_path, affine, suffix):
    shapes = [on_map(box(3.2, 5.6, 8.4, 9.5), affine), on_map(box(30, 1, 33, 3), affine)]
    path = tmp_path / f"r{suffix}"
    write_polygons(path, shapes, {"id": [1, 2], "class": ["soil", "tree"]}, UTM)
    soil, tree = read_regions(path, scene(affine))
    assert (soil.name, tree.name) == ("soil", "tree")
    assert pixels(soil) == {(r, c) for r in (6, 7, 8) for c in (3, 4, 5, 6, 7)}
    assert pixels(tree) == {(r, c) for r in (1, 2) for c in (30, 31, 32)}
    assert soil.mask((ROWS, COLS)).sum() == len(soil) == 15


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 40), st.floats(0.1, 29)), min_size=3, max_size=6),
    st.sampled_from([UPRIGHT, TURNED]),
)
def test_a_polygon_holds_what_a_point_in_polygon_test_says(tmp_path_factory, corners, affine):
    hull = MultiPolygon([Polygon(corners)]).convex_hull
    if hull.geom_type != "Polygon" or hull.area < 4:
        return
    path = geojson(tmp_path_factory.mktemp("g") / "r.json", [on_map(hull, affine)], [{"name": "a"}])
    found = pixels(read_regions(path, scene(affine))[0])
    inner, outer = hull.buffer(-1e-6), hull.buffer(1e-6)
    centres = {(r, c): Point(c + 0.5, r + 0.5) for r in range(ROWS) for c in range(COLS)}
    surely = {k for k, p in centres.items() if inner.contains(p)}
    maybe = {k for k, p in centres.items() if outer.contains(p)}
    assert not surely or surely <= found <= maybe


def test_a_polygon_smaller_than_a_pixel_takes_what_it_touches(tmp_path):
    shapes = [on_map(box(1.1, 1.1, 1.3, 1.3)), on_map(box(6.8, 3.1, 7.2, 3.3))]
    path = geojson(tmp_path / "r.json", shapes, [{"class": "a"}, {"class": "b"}])
    one, two = read_regions(path, scene())
    assert pixels(one) == {(1, 1)} and pixels(two) == {(3, 6), (3, 7)}


def test_holes_several_parts_and_one_class_twice(tmp_path):
    ring = box(2, 2, 8, 8).difference(box(4, 4, 6, 6))
    parts = MultiPolygon([box(20, 1, 22, 2), box(25, 1, 26, 2)])
    shapes = [on_map(ring), on_map(parts), on_map(box(7, 7, 9, 9))]
    path = geojson(tmp_path / "r.json", shapes, [{"Label": v} for v in ("a", "b", "a")])
    a, b = read_regions(path, scene())
    assert len(a) == 36 - 4 + 3 and a.parts == 2  # one pixel is in both
    assert pixels(b) == {(1, 20), (1, 21), (1, 25)}


@pytest.mark.parametrize("affine", [UPRIGHT, TURNED])
def test_another_crs_is_reprojected(tmp_path, affine):
    shape = on_map(box(3, 5, 8, 9), affine)
    xs, ys = zip(*shape.exterior.coords, strict=True)
    lonlat = Polygon(zip(*transform(UTM, "EPSG:4326", xs, ys), strict=True))
    path = geojson(tmp_path / "r.json", [lonlat], [{"class": "a"}], crs="none")
    same = geojson(tmp_path / "s.json", [shape], [{"class": "a"}])
    assert pixels(read_regions(path, scene(affine))[0]) == pixels(
        read_regions(same, scene(affine))[0]
    )


def test_a_part_of_the_scene_knows_where_it_lies(tmp_path):
    path = geojson(tmp_path / "r.json", [on_map(box(10, 12, 13, 14))], [{"class": "a"}])
    assert pixels(read_regions(path, scene()[4:, 6:])[0]) == {
        (r - 4, c - 6) for r in (12, 13) for c in (10, 11, 12)
    }


def test_a_field_is_chosen_or_named(tmp_path):
    shape = [on_map(box(3, 5, 8, 9))]
    path = geojson(tmp_path / "r.json", shape, [{"code": 3.0, "remark": "x", "CLASS": "soil"}])
    assert read_regions(path, scene())[0].name == "soil"
    assert read_regions(path, scene(), "code")[0].name == "3"
    only = geojson(tmp_path / "s.json", shape, [{"code": 3, "what": " wet  soil "}])
    assert read_regions(only, scene())[0].name == "wet soil"


@pytest.mark.parametrize("window", ["0:2,1:400", "0:400,1:2"])
def test_a_window_that_reaches_outside_is_refused(tmp_path, window):
    said = f"the window {window} of 'a' reaches outside the scene, which has"
    with pytest.raises(InputError, match=said):
        read_regions(f"a={window}", scene())
    table = tmp_path / "r.csv"
    ends = ",".join(window.replace(":", ",").split(","))
    table.write_text(f"class,row0,row1,col0,col1\na,{ends}\n")
    with pytest.raises(InputError, match=said):
        read_regions(table, scene())


def test_windows_and_tables(tmp_path):
    a, b = read_regions("a=0:2,1:4; b = 3:4 , 5:6 ;a=1:3,3:5", scene(None, None))
    assert len(a) == 6 + 4 - 1 and pixels(b) == {(3, 5)} and a.parts == 2
    table = tmp_path / "r.csv"
    table.write_text("\ufeffClass,row0,row1,col0,col1\na,0,2,1,4\nb,3,4,5,6\n", "utf-8")
    assert [len(r) for r in read_regions(table, scene())] == [6, 1]
    table.write_text("col,row,name\n5,3,b\n6,3,b\n5,3,b\n")
    assert pixels(read_regions(table, scene())[0]) == {(3, 5), (3, 6)}


ENVI = """; ENVI Output of ROIs (4.8) [Tue Mar 13 12:00:00 2012]
; Number of ROIs: 2
; File Dimension: 41 x 30
;
; ROI name: bare soil
; ROI rgb value: {255, 0, 0}
; ROI npts: 2
;
; ROI name: tree
; ROI rgb value: {0, 255, 0}
; ROI npts: 1
;   ID    X    Y       Map X       Map Y        Lat       Lon  B1
     1    3    6   500040.0  3999880.0  36.1  117.0   200
     2    4    6   500060.0  3999880.0  36.1  117.0   201

     1   41   30   500800.0  3999280.0  36.1  117.0   100
"""


def test_envi_text(tmp_path):
    path = tmp_path / "rois.txt"
    path.write_text(ENVI)
    soil, tree = read_regions(path, scene())
    assert (soil.name, tree.name) == ("bare soil", "tree")
    assert pixels(soil) == {(5, 2), (5, 3)} and pixels(tree) == {(29, 40)}
    lines = ENVI.splitlines()
    apart = [*lines[:7], lines[11], *lines[12:14], *lines[8:11], lines[11], lines[15]]
    path.write_bytes("\r\n".join(apart).encode())  # each region before its points
    assert [pixels(r) for r in read_regions(path, scene())] == [pixels(soil), pixels(tree)]
    path.write_text(ENVI[: ENVI.index(";   ID")] + "; Addr\n207\n208\n\n1229\n")
    assert [pixels(r) for r in read_regions(path, scene())] == [pixels(soil), pixels(tree)]


BAD = {
    "crosses": ([Polygon([(3, 5), (8, 5), (3, 9), (8, 9)])], {}, "not simple.*Fix geometries"),
    "empty": ([Polygon()], {}, "geometry 1 is empty"),
    "null": ([None], {}, "geometry 1 is empty"),
    "point": ([Point(3, 4)], {}, "is a Point; give polygons"),
    "outside": ([box(80, 5, 85, 9)], {}, "'soil' lies outside the scene, which has 30 rows"),
    "no crs": ([box(3, 5, 8, 9)], {"crs": None}, "has no CRS, the scene has one"),
    "wrong crs": ([box(3, 5, 8, 9)], {"crs": "EPSG:4326"}, "cannot be brought into"),
    "unknown crs": ([box(3, 5, 8, 9)], {"crs": "http://x/y"}, "crs is not understood"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_polygons_are_one_line(tmp_path, what):
    shapes, keywords, message = BAD[what]
    placed = [s if s is None or s.is_empty else on_map(s) for s in shapes]
    path = geojson(tmp_path / "r.geojson", placed, [{"class": "soil"}], **keywords)
    with pytest.raises(InputError, match=message) as caught:
        read_regions(path, scene())
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_the_scene_or_the_question(tmp_path):
    path = geojson(tmp_path / "r.geojson", [on_map(box(3, 5, 8, 9))], [{"class": "soil"}])
    with pytest.raises(InputError, match="scene has no georeference; give windows"):
        read_regions(path, scene(None, None))
    with pytest.raises(InputError, match="has a CRS and the scene has none"):
        read_regions(path, scene(crs=None))
    with pytest.raises(InputError, match="no field 'kind'; it has class"):
        read_regions(path, scene(), "kind")
    nameless = geojson(tmp_path / "n.geojson", [on_map(box(3, 5, 8, 9))], [{"class": " "}])
    with pytest.raises(InputError, match="polygon 1 has no class"):
        read_regions(nameless, scene())
    none = geojson(tmp_path / "m.geojson", [on_map(box(3, 5, 8, 9))], [{"a": 1}])
    with pytest.raises(InputError, match=r"Give --roi-field.*fields: a"):
        read_regions(none, scene())
    with pytest.raises(InputError, match="holds no polygon"):
        read_regions(geojson(tmp_path / "e.geojson", [], []), scene())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.shp", b"not one", "is not what its name says"),
        ("a.gpkg", b"<OGRVRTDataSource/>", "is not what its name says"),
        ("a.gpkg", b"SQLite format 3\x00" + 200 * b"x", "cannot be read"),
        ("a.geojson", b"[" * 50_000, "is not JSON"),
        ("a.geojson", b'{"type": "Polygon"}', "geometry 1 cannot be read"),
        ("a.geojson", b"[1, 2]", "is no GeoJSON"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": [null]}', "geometry 1 is empty"),
        ("a.kml", b"<kml/>", "no regions in a form unmix reads"),
        ("a.csv", b"x,y\n1,2\n", "needs a header"),
        ("a.csv", b"class,row,col\nsoil,1,x\n", "line 2 has a row or column"),
        ("a.csv", b"class,row,col\n,1,2\n", "line 2 names no class"),
        ("a.csv", b"class,row,col\nsoil,99,2\n", "'soil' lies outside the scene"),
        ("a.csv", b"class,row,col\n\xff\xfe,1,2\n", "is no CSV"),
    ],
)
def test_files_that_are_none(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_regions(path, scene())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("41 x 30", "30 x 41", "image of 30 columns and 41 rows, the scene has 41 and 30"),
        ("X    Y ", "P    Q ", "has no columns X and Y"),
        ("npts: 2", "npts: 3", "3 points where its regions announce 4"),
        ("npts: 2", "npts: many", "'many' is no number of points"),
        ("   41   30", "   42   30", "'tree' lies outside"),
        ("     1    3", "     1  NaN", "place is no number"),
    ],
)
def test_bad_envi_text(tmp_path, old, new, message):
    path = tmp_path / "rois.txt"
    path.write_text(ENVI.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_regions(path, scene())


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soil=5:2,3:4",
        "soil=0:2,3:3",
        "soil=1:2",
        "a=1:2,3:4;x",
        "a=50:60,1:2",
        "a=0:9,0:999999999",
    ],
)
def test_bad_windows(text):
    with pytest.raises(InputError, match=r"^roi: "):
        read_regions(text, scene())


def test_two_classes_of_the_same_pixels_are_refused():
    same = "lime=0:2,1:4; marl=0:2,1:4"
    scene = xr.DataArray(np.zeros((6, 9, 2)), dims=("y", "x", "band"))
    with pytest.raises(InputError, match="roi: 'lime' and 'marl' hold the same 6 pixel"):
        read_regions(same, scene)
    assert len(read_regions("lime=0:2,1:4; marl=0:2,1:5", scene)) == 2


def test_several_layers_are_named(tmp_path):
    from pyogrio import raw

    path = tmp_path / "r.gpkg"
    write_polygons(path, [on_map(box(3, 5, 8, 9))], {"class": ["a"]}, UTM)
    about, _, wkb, columns = raw.read(path)
    raw.write(path, wkb, columns, about["fields"], geometry_type="Polygon", crs=UTM,
              driver="GPKG", layer="more", append=True)  # fmt: skip
    with pytest.raises(InputError, match=r"has 2 layers \(r, more\)"):
        read_polygons(path)


def test_the_same_polygons_are_the_same_bytes(tmp_path):
    shape = on_map(box(3, 5, 8, 9))
    files = [write_polygons(tmp_path / f"{n}/r.gpkg", [shape], {"class": ["a"]}, UTM)
             for n in "ab" if (tmp_path / n).mkdir() is None]  # fmt: skip
    assert files[0].read_bytes() == files[1].read_bytes()
    assert [p.name for p in tmp_path.glob("a/*")] == ["r.gpkg"]


def test_shapefiles_with_their_companions(tmp_path):
    from pyogrio import raw
    from shapely import to_wkb

    shape = on_map(box(3, 5, 8, 9))
    raw.write(tmp_path / "r.shp", np.array([to_wkb(shape)], object), [np.array(["a"], object)],
              ["class"], geometry_type="Polygon", crs=UTM, driver="ESRI Shapefile")  # fmt: skip
    assert len(read_regions(tmp_path / "r.shp", scene())[0]) == 20
    (tmp_path / "r.prj").unlink()
    with pytest.raises(InputError, match="has no CRS"):
        read_regions(tmp_path / "r.shp", scene())
    (tmp_path / "r.shx").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_regions(tmp_path / "r.shp", scene())


def test_region_counts_its_pixels():
    assert len(Region("a", np.array([1, 2]), np.array([3, 4]))) == 2


def test_a_swath_is_reached_through_its_map_grid(tmp_path):
    from unmix.ortho import from_glt

    row, col = np.mgrid[0:ROWS, 0:COLS]
    glt = np.where(col[None] < 35, np.stack([COLS - col, row + 1]), 0)  # mirrored, with a margin
    ortho = from_glt(glt[0], glt[1], (ROWS, COLS), crs_wkt(UTM), UPRIGHT, "x.nc")
    swath = xr.DataArray(
        np.zeros((ROWS, COLS, 2)),
        {"line": ("y", np.arange(ROWS)), "sample": ("x", np.arange(COLS))},
        ("y", "x", "band"),
        attrs={"swath": ortho},
    )
    path = geojson(tmp_path / "r.json", [on_map(box(3, 5, 8, 9))], [{"class": "a"}])
    assert pixels(read_regions(path, swath)[0]) == {
        (r, COLS - 1 - c) for r in range(5, 9) for c in range(3, 8)
    }
    path = geojson(tmp_path / "s.json", [on_map(box(37, 5, 39, 9))], [{"class": "a"}])
    with pytest.raises(InputError, match="'a' lies outside the scene"):
        read_regions(path, swath)
