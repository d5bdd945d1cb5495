"""Polygons of GeoJSON, GeoPackage and shapefiles, checked: simple, not empty, with their CRS.

GeoJSON is parsed here, so that nothing it links to is followed; the others are read by OGR, and
only if the file begins as its suffix says.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.files import read_head

__all__ = ["SUFFIXES", "Layer", "read_polygons", "write_polygons"]

SUFFIXES = (".geojson", ".json", ".gpkg", ".shp")
_BEGINS = {".gpkg": b"SQLite format 3\x00", ".shp": b"\x00\x00\x27\x0a"}
_LARGEST = 512 * 2**20  # bytes of GeoJSON
_CRS_NAME = re.compile(r"(?:urn:ogc:def:crs:)?(EPSG|OGC)(?:::|:[\d.]*:|:)(\w+)", re.IGNORECASE)
_POLYGONS = ("Polygon", "MultiPolygon")
_DRIVER = {".gpkg": "GPKG", ".geojson": "GeoJSON"}


@dataclass(frozen=True, eq=False)
class Layer:
    """Polygons with their attributes.

    Parameters
    ----------
    polygons : tuple of shapely Polygon or MultiPolygon
        Valid and not empty, without heights.
    fields : mapping of str to list
        A value a polygon each.
    crs : str or None
        WKT; None where the file names none.
    """

    polygons: tuple[Any, ...]
    fields: Mapping[str, list[Any]]
    crs: str | None


def read_polygons(path: str | Path) -> Layer:
    """Polygons of a .geojson, .json, .gpkg or .shp file.

    GeoJSON without a CRS is in longitude and latitude (RFC 7946). Of a GeoPackage the one layer
    that holds polygons is read.

    Raises
    ------
    InputError
        No such file or not what its name says; no polygons in it, other geometries, an empty or a
        self-intersecting polygon; several layers.
    """
    path = Path(path)
    head, suffix = read_head(path), path.suffix.lower()
    if suffix in (".geojson", ".json"):
        shapes, fields, crs = _from_geojson(path)
    elif suffix in _BEGINS:
        if not head.startswith(_BEGINS[suffix]):
            raise InputError(f"{path.name}: is not what its name says; export it again")
        shapes, fields, crs = _from_ogr(path)
    else:
        raise InputError(f"{path.name}: not a file of polygons; give {', '.join(SUFFIXES)}")
    return Layer(_checked(shapes, path.name), fields, crs)


def _checked(shapes: Sequence[Any], name: str) -> tuple[Any, ...]:
    """Valid polygons, in two dimensions."""
    import shapely

    if not len(shapes):
        raise InputError(f"{name}: holds no polygon; draw one round each material")
    for i, shape in enumerate(shapes, start=1):
        if shape is None or shape.is_empty:
            raise InputError(f"{name}: geometry {i} is empty; delete it or draw it again")
        if shape.geom_type not in _POLYGONS:
            raise InputError(
                f"{name}: geometry {i} is a {shape.geom_type}; give polygons (a buffer round a "
                "point is one)"
            )
        if not np.isfinite(shapely.get_coordinates(shape)).all():
            raise InputError(f"{name}: polygon {i} has coordinates that are no numbers; correct it")
        if not shape.is_valid:
            why = shapely.is_valid_reason(shape).replace("[", " near (").replace("]", ")")
            raise InputError(
                f"{name}: polygon {i} is not simple ({why}); repair it (QGIS: Fix geometries)"
            )
    return tuple(shapely.force_2d(list(shapes)))


def _from_geojson(path: Path) -> tuple[list[Any], dict[str, list[Any]], str | None]:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path.name}: more than {_LARGEST} bytes; keep the polygons only")
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name}: is not JSON ({str(error)[:80]}); export it again") from None
    kind = found.get("type") if isinstance(found, dict) else None
    features = found.get("features") if kind == "FeatureCollection" else [found]
    if kind is None or not isinstance(features, list):
        raise InputError(f"{path.name}: is no GeoJSON; give a FeatureCollection of polygons")
    shapes: list[Any] = []
    rows: list[dict[str, Any]] = []
    for i, feature in enumerate(features, start=1):
        feature = feature if isinstance(feature, dict) else {"type": "Feature"}
        bare = feature.get("type") != "Feature"
        geometry = feature if bare else feature.get("geometry")
        try:
            shapes.append(None if not geometry else shape(geometry))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, ShapelyError) as error:
            raise InputError(
                f"{path.name}: geometry {i} cannot be read ({str(error)[:80]}); draw it again"
            ) from None
        properties = None if bare else feature.get("properties")
        rows.append(properties if isinstance(properties, dict) else {})
    names = list(dict.fromkeys(key for row in rows for key in row))
    fields = {key: [row.get(key) for row in rows] for key in names}
    return shapes, fields, _geojson_crs(found, path.name)


def _geojson_crs(found: Mapping[str, Any], name: str) -> str | None:
    """WKT of the old-style member `crs`, or of longitude and latitude."""
    from unmix.io.georef import crs_wkt

    if "crs" not in found:
        return crs_wkt("EPSG:4326")
    if found["crs"] is None:
        return None
    try:
        match = _CRS_NAME.fullmatch(str(found["crs"]["properties"]["name"]).strip())
    except (KeyError, TypeError):
        match = None
    authority, code = match.groups() if match else ("", "")
    wkt = crs_wkt("EPSG:4326" if authority.upper() == "OGC" else f"EPSG:{code}") if match else None
    if wkt is None or (authority.upper() == "OGC" and code.upper() != "CRS84"):
        raise InputError(f"{name}: its crs is not understood; export it with an EPSG code")
    return wkt


def _from_ogr(path: Path) -> tuple[list[Any], dict[str, list[Any]], str | None]:
    import shapely
    from pyogrio import list_layers, raw
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError
    from shapely.errors import ShapelyError

    from unmix.io.georef import crs_wkt

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layers = [str(name) for name, kind in list_layers(path) if kind is not None]
            if len(layers) > 1:
                raise InputError(
                    f"{path.name}: has {len(layers)} layers ({', '.join(layers)[:80]}); export the "
                    "one with the regions to a file of its own"
                )
            if not layers:
                raise InputError(f"{path.name}: has no layer with geometries; export it again")
            about, _, wkb, columns = raw.read(path, layer=layers[0])
        shapes = [None if item is None else shapely.from_wkb(item) for item in wkb]
    except (DataSourceError, DataLayerError, FeatureError, ShapelyError, OSError) as error:
        why = " ".join(str(error).split())[:120]
        raise InputError(f"{path.name}: cannot be read ({why}); export it again") from None
    fields = {
        str(name): np.asarray(column).tolist()
        for name, column in zip(about["fields"], columns, strict=True)
    }
    crs = about["crs"]
    wkt = None if not crs else crs_wkt(str(crs))
    if crs and wkt is None:
        raise InputError(f"{path.name}: its CRS is not understood; export it with an EPSG code")
    return shapes, fields, wkt


def write_polygons(
    path: str | Path,
    polygons: Sequence[Any],
    fields: Mapping[str, Sequence[Any] | NDArray[Any]],
    crs: str | None,
) -> Path:
    """Write polygons as .gpkg or .geojson, under a temporary name until complete.

    The same polygons give the same bytes: GeoPackages carry a fixed date.

    Parameters
    ----------
    path : path-like
    polygons : sequence of shapely Polygon or MultiPolygon
    fields : mapping of str to sequence
        Text or numbers, a value a polygon; arrays keep their type.
    crs : str, optional
        EPSG code or WKT.
    """
    import shapely
    from pyogrio import raw, set_gdal_config_options

    path = Path(path)
    part = path.with_name(f".{os.getpid()}.{path.name}")
    columns = [np.array(values, dtype=_dtype(values)) for values in fields.values()]
    simple = len(polygons) and all(p.geom_type == "Polygon" for p in polygons)
    try:
        set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw.write(
                part, np.array([shapely.to_wkb(p) for p in polygons], object), columns,
                list(fields), geometry_type="Polygon" if simple else "MultiPolygon", crs=crs,
                driver=_DRIVER[path.suffix.lower()], layer=path.stem,
            )  # fmt: skip
        part.replace(path)
    finally:
        set_gdal_config_options({"OGR_CURRENT_DATE": None})
        part.unlink(missing_ok=True)
    return path


def _dtype(values: Sequence[Any] | NDArray[Any]) -> Any:
    if isinstance(values, np.ndarray):
        return values.dtype
    return object if any(isinstance(value, str) for value in values) else None
